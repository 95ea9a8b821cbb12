"""`POST /documents` against a raw Temporal start.

A POST reads and checks the request, stores the text in the object store, commits the document and its operation,
and starts the workflow; then it answers 202. The raw start hands the same text as its payload to the same server
through the same data converter, and to a workflow that does nothing. Both are awaited by one client, one after
the other, on a machine with nothing else to do: each waits until the workflow of the one before is closed.
"""

import asyncio
import time

from bench import product
from bench.bare_worker import bare_workers
from bench.bare_workflows import IO, BareText, TextJob
from bench.report import Figure, Options, Target, median, percentile
from bench.texts import make_text

GROUP = "POST /documents accepted, idle"
PAUSE_S = 0.05


async def run(options: Options) -> list[Figure]:
    """Measure both, alternating."""
    ours: list[float] = []
    bare: list[float] = []
    count = options.repeats(200, 10)
    async with product.running() as running, bare_workers(running, [IO]):
        options.say(f"{count} POSTs of a text of 2 KB, each followed by a raw start")
        await running.warm_up()
        await product.settle()
        for number in range(-5, count):
            text = make_text(number, seed=2)
            posted = await _post(running, text)
            started = await _start(running, text, number)
            if number >= 0:  # the ones before warm up
                ours.append(posted)
                bare.append(started)
    note = "text of 2 KB, API key; bare: start_workflow with the same text as payload"
    return [
        Figure(GROUP, "p50", "ms", median(ours), median(bare), Target("ratio", "at most", 2.5), note),
        Figure(
            GROUP, "p95", "ms", percentile(ours, 0.95), percentile(bare, 0.95), Target("value", "at most", 25)
        ),
    ]


async def _post(running: product.Product, text: str) -> float:
    started = time.perf_counter()
    operation = await running.post("/documents", json={"text": text, "space": "accept"})
    took = product.since(started)
    await running.closed(operation)
    await asyncio.sleep(PAUSE_S)
    return took


async def _start(running: product.Product, text: str, number: int) -> float:
    job = TextJob(text=text)
    started = time.perf_counter()
    handle = await running.bare.start_workflow(BareText.run, job, id=f"bare-text-{number}", task_queue=IO)
    took = product.since(started)
    await handle.result()
    await asyncio.sleep(PAUSE_S)
    return took
