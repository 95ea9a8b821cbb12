"""Half an hour of two operations a second: does memory grow, does anything stay behind, does it get slower?

A document of about 1 KB is posted every half second, whatever became of the ones before; each is followed until its
workflow has ended. Memory is the sum of PSS of all processes of the product, taken every ten seconds. The first third
is warm-up; of the rest the first quarter stands against the last.
"""

import asyncio
import time
from dataclasses import dataclass, field

import psutil

from bench import product
from bench.report import Figure, Options, Target, percentile
from bench.texts import make_text

GROUP = "soak: two operations a second"
PER_SECOND = 2
SAMPLE_S = 10.0


@dataclass
class Observed:
    """All with the second at which it was taken."""

    accepted_ms: list[tuple[float, float]] = field(default_factory=list)
    completed_ms: list[tuple[float, float]] = field(default_factory=list)
    memory_mb: list[tuple[float, float]] = field(default_factory=list)
    zombies: int = 0


async def run(options: Options) -> list[Figure]:
    """Post, watch, compare."""
    lasting_s = options.repeats(1800, 30)
    async with product.running() as running:
        await running.warm_up()
        options.say(f"{PER_SECOND} operations a second for {lasting_s / 60:.1f} min")
        observed = await _observe(options, running, lasting_s)
        open_operations = await running.get("/operations", status="running", limit=100)
    first, last = _windows(observed.memory_mb, lasting_s)
    growth = 100 * (_median(last) / _median(first) - 1)
    accepted = [percentile(part, 0.95) for part in _windows(observed.accepted_ms, lasting_s)]
    completed = [percentile(part, 0.95) for part in _windows(observed.completed_ms, lasting_s)]
    count = len(observed.completed_ms)
    note = f"{_median(first):.0f} MB, then {_median(last):.0f} MB; {count} operations in {lasting_s / 60:.0f} min"
    return [
        Figure(GROUP, "growth of memory", "%", growth, target=Target("value", "at most", 5), note=note),
        Figure(GROUP, "zombies", "", observed.zombies, target=Target("value", "at most", 0)),
        Figure(GROUP, "operations left open", "", len(open_operations["items"]), target=Target("value", "at most", 0)),
        Figure(
            GROUP, "accepted p95", "ms", accepted[1], accepted[0], Target("ratio", "at most", 1.2),
            "bare: the same at the end of the warm-up",
        ),
        Figure(GROUP, "indexed p95", "ms", completed[1], completed[0], Target("ratio", "at most", 1.2)),
    ]  # fmt: skip


async def _observe(options: Options, running: product.Product, lasting_s: float) -> Observed:
    observed = Observed()
    began = time.monotonic()
    watching = asyncio.create_task(_watch(options, observed, began))
    posted: set[asyncio.Task[None]] = set()
    try:
        for number in range(int(lasting_s * PER_SECOND)):
            await asyncio.sleep(max(0.0, began + number / PER_SECOND - time.monotonic()))
            task = asyncio.create_task(_one(running, observed, number, began))
            posted.add(task)
            for done in [task for task in posted if task.done()]:
                done.result()
                posted.remove(done)
        await asyncio.gather(*posted)
    finally:
        for task in (watching, *posted):
            task.cancel()
        await asyncio.gather(watching, *posted, return_exceptions=True)
    return observed


async def _one(running: product.Product, observed: Observed, number: int, began: float) -> None:
    started = time.perf_counter()
    text = make_text(number, 1024, seed=7)
    operation = await running.post("/documents", json={"text": text, "space": "soak"})
    at = time.monotonic() - began
    observed.accepted_ms.append((at, product.since(started)))
    await running.closed(operation)
    observed.completed_ms.append((at, product.since(started)))


async def _watch(options: Options, observed: Observed, began: float) -> None:
    """Processes of the product are the descendants of this one."""
    told = 0.0
    while True:
        at = time.monotonic() - began
        memory, zombies, count = await asyncio.to_thread(_look)
        observed.memory_mb.append((at, memory))
        observed.zombies = max(observed.zombies, zombies)
        if at - told >= 300:  # seconds
            told = at
            options.say(f"{at / 60:.0f} min: {memory:.0f} MB in {count} processes")
        await asyncio.sleep(SAMPLE_S)


def _look() -> tuple[float, int, int]:
    """Memory, zombies and living processes; whoever is waited for within a second is no zombie."""
    memory, dead, count = 0.0, [], 0
    for process in psutil.Process().children(recursive=True):
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                dead.append(process)
            else:
                memory += process.memory_full_info().pss / 1e6
                count += 1
        except psutil.NoSuchProcess:
            continue
    _gone, zombies = psutil.wait_procs(dead, timeout=1) if dead else ([], [])
    return memory, len(zombies), count


def _windows(values: list[tuple[float, float]], lasting_s: float) -> tuple[list[float], list[float]]:
    """Of what comes after the first third, the first quarter and the last."""
    warm, quarter = lasting_s / 3, lasting_s / 6
    first = [value for at, value in values if warm <= at < warm + quarter]
    last = [value for at, value in values if lasting_s - quarter <= at]
    return first, last


def _median(values: list[float]) -> float:
    return percentile(values, 0.5)
