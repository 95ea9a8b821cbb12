"""What a backup costs those who are served: POST /documents beside a batch, without and with `perdure backup`.

A batch of 1,000 texts runs; meanwhile documents are posted one after the other and the time until 202 is taken. One
batch runs undisturbed; beside the next one, backups are taken one after the other by the command line, each read
through and deleted. Both batches are in one product, the undisturbed first, so that the backups have the more to copy.
"""

import asyncio
import os
import shutil
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from bench import product
from bench.report import Figure, Options, Target, median, percentile
from bench.texts import make_text, make_texts

GROUP = "backup while 1,000 documents are ingested"
# Often enough to tell p95, and seldom enough to leave the batch its cores.
PAUSE_S = 0.5


async def run(options: Options) -> list[Figure]:
    """Both batches; the second with backups."""
    count = options.repeats(1000, 60)
    async with product.running() as running:
        await running.warm_up()
        options.say(f"{count} texts undisturbed")
        alone = await _accepted_meanwhile(running, count, 1, _nothing, lambda: True)
        took: list[float] = []
        options.say(f"{count} texts beside backups")
        beside = await _accepted_meanwhile(
            running, count, 2, lambda: _back_up(running, took), lambda: bool(took)
        )
    both = f"{len(alone)} and {len(beside)} requests; bare: the same without a backup"
    return [
        Figure(GROUP, "POST /documents p50", "ms", median(beside), median(alone), note=both),
        Figure(
            GROUP, "POST /documents p95", "ms", percentile(beside, 0.95), percentile(alone, 0.95),
            Target("ratio", "at most", 2),
        ),
        Figure(GROUP, "a backup", "s", median(took), note=f"median of {len(took)}, read through in between"),
    ]  # fmt: skip


async def _nothing() -> None:
    await asyncio.Event().wait()


async def _back_up(running: product.Product, took: list[float]) -> None:
    target = running.stack.settings.home.with_name(f"{running.stack.settings.home.name}-backup")
    try:
        while True:
            started = time.perf_counter()
            await _perdure(running, "backup", str(target), "--with-keys")
            took.append(time.perf_counter() - started)
            await _perdure(running, "backup", "verify", str(target))
            await asyncio.to_thread(shutil.rmtree, target)
    finally:
        shutil.rmtree(target, ignore_errors=True)


async def _perdure(running: product.Product, *arguments: str) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "perdure.cli", *arguments,
        env={**os.environ, "PERDURE_HOME": str(running.stack.settings.home)},
        cwd=Path(__file__).parents[1],
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        said, _ = await process.communicate()
    except asyncio.CancelledError:
        process.terminate()
        await process.wait()
        raise
    if process.returncode != 0:
        raise RuntimeError(said.decode())


async def _accepted_meanwhile(
    running: product.Product,
    count: int,
    seed: int,
    beside: Callable[[], Awaitable[None]],
    enough: Callable[[], bool],
) -> list[float]:
    """Milliseconds of each POST while the batch ran."""
    items = [{"text": text, "space": f"batch-{seed}"} for text in make_texts(count, seed=seed)]
    operation = await running.post("/documents/batch", json={"items": items})
    disturbing = asyncio.ensure_future(beside())
    batch = asyncio.create_task(running.closed(operation))
    took: list[float] = []
    try:
        while not (batch.done() and enough()):
            if disturbing.done():
                disturbing.result()
            text = make_text(len(took), seed=100 + seed)
            started = time.perf_counter()
            await running.post("/documents", json={"text": text, "space": f"single-{seed}"})
            took.append(product.since(started))
            await asyncio.sleep(PAUSE_S)
        await batch
    finally:
        disturbing.cancel()
        await asyncio.gather(disturbing, return_exceptions=True)
    await running.ended(operation["id"])
    return took
