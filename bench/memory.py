"""Memory over HTTP, with 100,000 memories in the space that is asked and written to: one client, nothing else.

The memories are the paragraphs and vectors of the group `search`, told as talks of two people in sessions of 25
turns (`memory_filling`); every second question names somebody. *Recall* stands beside its parts bare: embedding, the
nearest 100 of the index, the words OR-ed, one after the other, without tenancy, neighbours, or any ranking. *POST* is
the time until 202, and until recall finds what was said, asked every 20 ms; bare is a raw start of a workflow with the
same text. *Import* is a file of turns of invented chats, from its POST until all are written, in a space of their
own; bare is the embedder alone on the same texts. *Profile* is of somebody in these chats.
"""

import asyncio
import json
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import numpy as np

from bench import product
from bench.bare_search import NOTE, Tables, bare_parts
from bench.bare_worker import bare_workers
from bench.bare_workflows import IO, BareText, TextJob
from bench.evaluation.chats import make_chats
from bench.evaluation.dialogues import Turn
from bench.evaluation.vocabulary_testing import TESTING
from bench.memory_filling import FIRST_NAMES, LAST_NAMES, Filling
from bench.report import Figure, Options, Target, median, percentile
from bench.search_speed import LEFT_OUT, embedded, paragraphs, questions
from bench.timing import WARM_UP, timed
from perdure.db.session import Database
from perdure.domain.memories import embedded_text
from perdure.ports.models import Embedder
from perdure.providers.embedders import LocalEmbedders
from perdure.settings import home_directory

RECALL = "recall over HTTP at 100,000 memories"
WRITE = "POST /memories, 100,000 memories in the space"
IMPORT = "import of memories"
PROFILE = "profile"
SPACE = "large"
EVERY_S = 0.02
PAUSE_S = 0.05
IMPORT_SEED = 31


async def run(options: Options) -> list[Figure]:
    """Fill a space, then ask, write, import and read."""
    memories, queries = options.repeats(100_000, 6_000), options.repeats(300, 20)
    home = home_directory()
    embedders = LocalEmbedders(home / "models", "int8", 0)
    async with product.running() as running:
        texts = paragraphs(memories + LEFT_OUT)
        options.say(f"embedding {memories:,} memories, unless that was done before")
        vectors = await asyncio.to_thread(embedded, home / "bench", embedders, texts[:memories])
        options.say("filling the space, building its indexes")
        database = Database(running.settings.database_url)
        owner = running.stack.environment["DATABASE_OWNER_URL"]
        try:
            filling = Filling(database, owner, running.organisation_id, embedders.default)
            await filling.fill([SPACE], memories, texts[:memories], vectors)
        finally:
            await database.aclose()
        embedder = embedders.get(embedders.default.name)
        asked = named(questions(texts[memories : memories + queries + WARM_UP]))
        options.say(f"{queries} questions, each plain and with the graph")
        figures = await recalled(running, owner, embedder, asked)
        options.say("writing memories one by one")
        figures += await written(running, options.repeats(200, 5), texts[-LEFT_OUT:])
        turns = chat_turns(options.repeats(40, 1), options.repeats(15_000, 300))
        options.say(f"importing {len(turns):,} memories")
        figures += await imported(running, turns, embedder)
        return [*figures, *await profile_read(running, queries, turns)]


def named(asked: list[str]) -> list[str]:
    """Every second question names somebody of the space."""
    people = [f"{first} {last}" for last in LAST_NAMES for first in FIRST_NAMES]
    return [
        f"What did {people[at % len(people)]} say about {said}?" if at % 2 else said
        for at, said in enumerate(asked)
    ]


def chat_turns(chats: int, most: int) -> list[Turn]:
    """Turns of invented chats, at most so many."""
    found = [turn for chat in make_chats(TESTING, IMPORT_SEED, chats) for turn in chat.turns]
    return found[:most]


async def recalled(
    running: product.Product, owner: str, embedder: Embedder, asked: list[str]
) -> list[Figure]:
    """Ours over HTTP, and the parts bare."""
    queries = len(asked) - WARM_UP

    def recall(**more: object) -> Callable[[int], Awaitable[object]]:
        async def call(run: int) -> object:
            return await running.post("/memories/recall", json={"query": asked[run], "space": SPACE, **more})

        return call

    plain = await timed(queries, recall())
    graph = await timed(queries, recall(graph=True))
    parts = await bare_parts(owner, embedder, asked, Tables("memories", "memory_embeddings", "memory_id"))
    return [
        Figure(RECALL, "p50", "ms", float(np.median(plain)), parts.p50, Target("value", "at most", 30), NOTE),
        Figure(RECALL, "p95", "ms", float(np.percentile(plain, 95)), None, Target("value", "at most", 60)),
        Figure(
            RECALL, "with the graph, p50", "ms", float(np.median(graph)), float(np.median(plain)),
            note="bare: without",
        ),
        Figure(
            RECALL, "with the graph, p95", "ms", float(np.percentile(graph, 95)), float(np.percentile(plain, 95)),
            Target("value", "at most", 80),
        ),
    ]  # fmt: skip


async def written(running: product.Product, count: int, texts: list[str]) -> list[Figure]:
    """Memories one by one, each followed by a raw start."""
    accepted: list[float] = []
    found: list[float] = []
    bare: list[float] = []
    async with bare_workers(running, [IO]):
        for number in range(-5, count):
            # Words that are said nowhere else.
            text = f"{texts[number % len(texts)]} Entry q{number + 5}z{number + 5}x."
            started = time.perf_counter()
            operation = await running.post("/memories", json=_said(text, number))
            posted = product.since(started)
            await _recallable(running, f"q{number + 5}z{number + 5}x")
            searchable = time.perf_counter() - started
            await running.closed(operation)
            started = time.perf_counter()
            handle = await running.bare.start_workflow(
                BareText.run, TextJob(text=text), id=f"bare-memory-{number}", task_queue=IO
            )
            raw = product.since(started)
            await handle.result()
            await asyncio.sleep(PAUSE_S)
            if number >= 0:  # the ones before warm up
                accepted.append(posted)
                found.append(searchable)
                bare.append(raw)
    note = "API key; bare: start_workflow with the same text as payload"
    return [
        Figure(WRITE, "accepted p50", "ms", median(accepted), median(bare), note=note),
        Figure(
            WRITE, "accepted p95", "ms", percentile(accepted, 0.95), percentile(bare, 0.95),
            Target("value", "at most", 25),
        ),
        Figure(WRITE, "found by recall p50", "s", median(found), note="asked every 20 ms"),
        Figure(WRITE, "found by recall p95", "s", percentile(found, 0.95), None, Target("value", "at most", 1)),
    ]  # fmt: skip


def _said(text: str, number: int) -> dict[str, object]:
    return {"content": text, "space": SPACE, "subject": f"Talk {number % 7}"}


async def _recallable(running: product.Product, word: str) -> None:
    asked = {"query": word, "space": SPACE, "mode": "keyword", "limit": 1}
    while True:
        answer = await running.post("/memories/recall", json=asked)
        if any(word in item["content"] for item in answer["items"]):
            return
        await asyncio.sleep(EVERY_S)


async def import_turns(running: product.Product, turns: list[Turn], space: str) -> float:
    """Send turns as a file; seconds until all are written."""
    file = running.stack.settings.home / "turns.jsonl"
    await asyncio.to_thread(_write, file, turns)
    with file.open("rb") as opened:
        started = time.perf_counter()
        operation = await running.post(
            "/memories/import", data={"space": space}, files={"file": ("turns.jsonl", opened)}
        )
        await running.closed(operation)
        took = time.perf_counter() - started
    result = (await running.ended(operation["id"]))["result"]
    if result["remembered"] != len(turns):
        msg = f"of {len(turns)} lines, {result} were imported"
        raise RuntimeError(msg)
    return took


async def imported(running: product.Product, turns: list[Turn], embedder: Embedder) -> list[Figure]:
    """A file of turns, against the embedder alone."""
    took = await import_turns(running, turns, "imported")
    started = time.perf_counter()
    await asyncio.to_thread(embedder.embed, [embedded_text(turn.speaker, turn.text) for turn in turns])
    alone = time.perf_counter() - started
    cores = len(os.sched_getaffinity(0))
    rate, bare = len(turns) / took / cores, len(turns) / alone / cores
    characters = sum(len(turn.text) for turn in turns) / len(turns)
    what = f"{len(turns):,} turns of {characters:.0f} characters"
    note = f"{what}, {took:.1f} s on {cores} cores; bare: the embedder alone"
    return [Figure(IMPORT, "throughput of a core", "/s", rate, bare, Target("value", "at least", 150), note)]


def _write(file: Path, turns: list[Turn]) -> None:
    lines = (
        json.dumps(
            {
                "content": turn.text,
                "speaker": turn.speaker,
                "subject": turn.speaker,
                "session_id": turn.session,
                "external_id": f"{turn.session}:{turn.id}",
                "valid_from": turn.said_at.isoformat(),
            }
        )
        for turn in turns
    )
    file.write_text("\n".join(lines) + "\n")


async def profile_read(running: product.Product, count: int, turns: list[Turn]) -> list[Figure]:
    """Profiles of those who were imported."""
    people = sorted({turn.speaker for turn in turns})

    async def read(run: int) -> object:
        return await running.get(f"/profiles/{people[run % len(people)]}", space="imported")

    taken = await timed(count, read)
    note = f"{len(people)} people, {len(turns):,} memories"
    return [
        Figure(PROFILE, "read p50", "ms", float(np.median(taken)), note=note),
        Figure(PROFILE, "read p95", "ms", float(np.percentile(taken, 95)), None, Target("value", "at most", 20)),
    ]  # fmt: skip
