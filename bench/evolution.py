"""How long it takes to evolve 10,000 memories, and what it costs those who ask and write meanwhile.

The memories are turns of invented chats, imported as a user would, so that there are names, dates, updated facts,
near duplicates and words without a meaning. `evolve_memory` runs with all four stages, once for real and once more on
the same space, where nothing is left to do. Beside the first, one client asks a question and posts a memory in turns;
bare is what these took just before.
"""

import asyncio
import time
from collections.abc import Callable

from bench import product
from bench.memory import chat_turns, import_turns
from bench.report import Figure, Options, Target, median, percentile

GROUP = "evolution of 10,000 memories"
SPACE = "evolving"
PAUSE_S = 0.05
QUESTIONS = ("What does she do for a living?", "Where did they go on holiday?", "Which pet do they have?")


async def run(options: Options) -> list[Figure]:
    """Import, ask undisturbed, evolve, ask meanwhile, evolve again."""
    count = options.repeats(10_000, 300)
    async with product.running() as running:
        await running.warm_up()
        turns = chat_turns(options.repeats(40, 1), count)
        options.say(f"importing {len(turns):,} memories")
        await import_turns(running, turns, SPACE)
        await product.settle()
        calls = options.repeats(100, 10)
        alone = await _latencies(running, lambda done: done < calls)
        options.say("evolving them")
        started = time.perf_counter()
        operation = await running.post("/memories/evolve", json={"space": SPACE})
        evolving = asyncio.create_task(running.closed(operation))
        beside = await _latencies(running, lambda _done: not evolving.done())
        await evolving
        took = time.perf_counter() - started
        first = (await running.ended(operation["id"]))["result"]
        started = time.perf_counter()
        operation = await running.post("/memories/evolve", json={"space": SPACE})
        await running.closed(operation)
        again = time.perf_counter() - started
    stages = ", ".join(f"{stage['stage']} {stage['took_ms'] / 1000:.1f} s" for stage in first["stages"])
    figures = [
        Figure(
            GROUP, "all stages", "s", took, None, Target("value", "at most", 120),
            f"{len(turns):,} turns; {stages}",
        ),
        Figure(GROUP, "all stages again", "s", again, took, note="bare: the first time"),
    ]  # fmt: skip
    for what in ("recall", "POST /memories"):
        both = f"{len(beside[what])} requests, before {len(alone[what])}; bare: the same before"
        figures += [
            Figure(GROUP, f"{what} meanwhile, p50", "ms", median(beside[what]), median(alone[what]), note=both),
            Figure(
                GROUP, f"{what} meanwhile, p95", "ms",
                percentile(beside[what], 0.95), percentile(alone[what], 0.95), Target("ratio", "at most", 2),
            ),
        ]  # fmt: skip
    return figures


async def _latencies(running: product.Product, more: Callable[[int], bool]) -> dict[str, list[float]]:
    """Milliseconds of a question and of a POST in turns, as long as there are to be more; one of each at least."""
    taken: dict[str, list[float]] = {"recall": [], "POST /memories": []}
    number = 0
    while number == 0 or more(number):
        asked = {"query": QUESTIONS[number % len(QUESTIONS)], "space": SPACE}
        started = time.perf_counter()
        await running.post("/memories/recall", json=asked)
        taken["recall"].append(product.since(started))
        await asyncio.sleep(PAUSE_S)
        said = {"content": f"Note {number} at {time.time():.3f}.", "space": "beside", "subject": "Notes"}
        started = time.perf_counter()
        await running.post("/memories", json=said)
        taken["POST /memories"].append(product.since(started))
        await asyncio.sleep(PAUSE_S)
        number += 1
    return taken
