"""Memory of the whole stack when nothing is asked of it: as `make run` leaves it once the samples are in.

`perdure up --demo` has ingested the samples and answered its question, so every process has loaded all that it
ever loads; then it is left alone. PSS counts memory that processes share once, divided among them, so its sum is
what the product takes from the machine; RSS counts it in every process. The supervisor and the parser's children
count, too. `/proc/PID/maps` says whether a process has libtorch.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
from rich import box
from rich.table import Table

from bench.processes import perdure_up
from bench.product import scratch_home
from bench.report import Figure, Options, Target, number
from perdure.cli.demo import QUESTION
from perdure.embedded.stack_files import StackFiles

GROUP = "whole stack, idle"
LIMIT_MB = 1000
API_LIMIT_MB = 300


@dataclass(frozen=True)
class Usage:
    """One process."""

    name: str
    pss_mb: float
    rss_mb: float
    torch: bool


async def run(options: Options) -> list[Figure]:
    """Start, use, leave alone, look."""
    with scratch_home() as home:
        async with perdure_up(home, "--demo") as up:
            await up.ready()
            await up.says(QUESTION)
            rest = options.repeats(30, 3)
            options.say(f"the samples are in; {rest} s of rest")
            await asyncio.sleep(rest)
            found = list(_usages(StackFiles(home), up.process.pid))
    if options.profile:
        _show(options, found)
    api = [usage for usage in found if usage.name == "api"]
    with_torch = [usage.name for usage in found if usage.torch]
    note = f"{len(found)} processes; sum of RSS {sum(usage.rss_mb for usage in found):,.0f} MB"
    return [
        Figure(
            GROUP, "all processes", "MB", sum(u.pss_mb for u in found), target=Target("value", "at most", LIMIT_MB),
            note=f"sum of PSS; {note}",
        ),
        Figure(
            GROUP, "API", "MB", sum(u.rss_mb for u in api), target=Target("value", "at most", API_LIMIT_MB),
            note=f"RSS; PSS {sum(u.pss_mb for u in api):.0f} MB",
        ),
        Figure(
            GROUP, "processes with libtorch", "", len(with_torch), target=Target("value", "at most", 0),
            note=", ".join(with_torch),
        ),
        *_by_name(found),
    ]  # fmt: skip


def _usages(files: StackFiles, supervisor: int) -> Iterator[Usage]:
    names = {record.pid: record.name for record in files.leftovers()}
    if "api" not in names.values():
        msg = f"the list of processes in {files.state} has no API"
        raise RuntimeError(msg)
    root = psutil.Process(supervisor)
    yield _usage("supervisor", root)
    for process in root.children(recursive=True):
        yield _usage(_name(process, names), process)


def _name(process: psutil.Process, names: dict[int, str]) -> str:
    if process.pid in names:
        return names[process.pid]
    parent = next((names[above.pid] for above in process.parents() if above.pid in names), "supervisor")
    return parent if parent == "postgres" else f"children of {parent}"


def _usage(name: str, process: psutil.Process) -> Usage:
    memory = process.memory_full_info()
    maps = Path(f"/proc/{process.pid}/maps").read_text()
    return Usage(name, memory.pss / 1e6, memory.rss / 1e6, "libtorch" in maps)


def _by_name(found: list[Usage]) -> list[Figure]:
    names = dict.fromkeys(usage.name for usage in found)
    return [
        Figure(GROUP, f"of these, {name}", "MB", sum(usage.pss_mb for usage in found if usage.name == name))
        for name in names
        if name != "api"
    ]


def _show(options: Options, found: list[Usage]) -> None:
    table = Table(box=box.SIMPLE_HEAD, title="Memory by process", title_justify="left")
    for heading in ("process", "PSS MB", "RSS MB"):
        table.add_column(heading, justify="left" if heading == "process" else "right")
    for usage in found:
        table.add_row(usage.name, number(usage.pss_mb), number(usage.rss_mb))
    options.console.print(table)
