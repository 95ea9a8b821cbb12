"""Cost of parsing 1,000 texts of 2 KB in a batch: `python -m bench.parse_batch`."""

import asyncio
import os
import resource
import tempfile
import time
from pathlib import Path

from perdure.ports.parsing import ParseJob
from perdure.providers.parser_pool import ParserPool
from perdure.settings import Settings
from scripts.sample_handbook import field_service_handbook

TEXTS, SIZE = 1_000, 2_048


def _jobs(folder: Path) -> list[ParseJob]:
    handbook = field_service_handbook() * 21
    jobs = []
    for number in range(TEXTS):
        path = folder / f"{number}.txt"
        path.write_text(handbook[number * SIZE : (number + 1) * SIZE])
        jobs.append(ParseJob(path, "text/plain", path.name, folder))
    return jobs


def _cpu_s() -> float:
    own = resource.getrusage(resource.RUSAGE_SELF)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


async def main() -> None:
    """Parse everything once to warm up, then measure wall time and CPU of parent and children."""
    with tempfile.TemporaryDirectory() as name:
        jobs = _jobs(Path(name))
        pool = ParserPool(Settings())
        await pool.parse_many(jobs[:200])
        before_start, started = _cpu_s() + _living(pool), time.perf_counter()
        outcomes = await pool.parse_many(jobs)
        wall, cpu = time.perf_counter() - started, _cpu_s() + _living(pool) - before_start
        assert len(outcomes) == TEXTS
        one = time.perf_counter()
        for job in jobs[:50]:
            await pool.parse(job)
        single = (time.perf_counter() - one) / 50
        await pool.aclose()
    print(f"{TEXTS} texts of {SIZE} bytes: {wall:.2f} s wall, {cpu / TEXTS * 1000:.2f} ms CPU a text")
    print(f"one by one, warm: {single * 1000:.1f} ms wall a text")


def _living(pool: ParserPool) -> float:
    """CPU seconds of the children that are still alive."""
    ticks = os.sysconf("SC_CLK_TCK")
    total = 0.0
    for pid in pool.child_pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
        total += (int(fields[11]) + int(fields[12])) / ticks
    return total


if __name__ == "__main__":
    asyncio.run(main())
