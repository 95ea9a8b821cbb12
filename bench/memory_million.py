"""Recall over HTTP with 1,000,000 memories over 100 spaces of one organisation; only when it is named.

The texts are the paragraphs of the group `search`, ten times over; their vectors are those paragraphs' with noise, so
that no two are the same. All vectors are in one index and all words in another, which know no spaces. Loading takes
some ten minutes and 6 GB; `--quick` takes 20 spaces of 2,000. Bare is the same question, embedded, to a table that
holds the memories of one such space alone, read from the first row to the last.
"""

import asyncio

import asyncpg
import numpy as np

from bench import product
from bench.memory import named
from bench.memory_filling import Filling
from bench.report import Figure, Options, Target
from bench.search_speed import LEFT_OUT, embedded, paragraphs, questions
from bench.timing import WARM_UP, timed
from perdure.db.search_repository import vector_literal
from perdure.db.session import Database
from perdure.providers.embedders import LocalEmbedders
from perdure.settings import home_directory

BASE = 100_000
NOISE = 0.02
# Of the nearest, as many as recall looks at.
TOP = 100


async def run(options: Options) -> list[Figure]:
    """Fill the spaces, then ask each in turn."""
    spaces, size = options.repeats(100, 20), options.repeats(10_000, 2_000)
    return await measured(options, spaces, size)


async def measured(options: Options, spaces: int, size: int) -> list[Figure]:
    """The same at any size."""
    base, queries = min(BASE, spaces * size), options.repeats(400, 20)
    home = home_directory()
    embedders = LocalEmbedders(home / "models", "int8", 0)
    texts = paragraphs(base + LEFT_OUT)
    options.say(f"embedding {base:,} memories, unless that was done before")
    vectors = await asyncio.to_thread(embedded, home / "bench", embedders, texts[:base])
    async with product.running() as running:
        options.say(f"filling {spaces} spaces with {size:,} memories each, building the indexes")
        database = Database(running.settings.database_url)
        owner = running.stack.environment["DATABASE_OWNER_URL"]
        names = [f"space-{number}" for number in range(spaces)]
        try:
            filling = Filling(database, owner, running.organisation_id, embedders.default)
            await filling.fill(names, size, texts[:base], vectors, NOISE)
        finally:
            await database.aclose()
        asked = named(questions(texts[base : base + queries + WARM_UP]))
        options.say(f"{queries} questions, each plain and with the graph")

        async def recall(run: int) -> object:
            # A step that meets every space before it meets one again.
            body = {"query": asked[run], "space": names[run * 37 % spaces]}
            return await running.post("/memories/recall", json=body)

        async def with_graph(run: int) -> object:
            body = {"query": asked[run], "space": names[run * 37 % spaces], "graph": True}
            return await running.post("/memories/recall", json=body)

        plain = await timed(queries, recall)
        graph = await timed(queries, with_graph)
        alone = await _alone(owner, embedders, names[0], asked)
    group = f"recall over HTTP at {spaces * size:,} memories in {spaces} spaces"
    note = f"bare: embedding, and the {TOP} nearest of the {size:,} vectors of a space, in a table of its own"
    return [
        Figure(group, "p50", "ms", float(np.median(plain)), float(np.median(alone)), note=note),
        Figure(
            group, "p95", "ms", float(np.percentile(plain, 95)), float(np.percentile(alone, 95)),
            Target("value", "at most", 100),
        ),
        Figure(group, "with the graph, p95", "ms", float(np.percentile(graph, 95))),
    ]  # fmt: skip


async def _alone(owner: str, embedders: LocalEmbedders, name: str, asked: list[str]) -> np.ndarray:
    embedder = embedders.get(embedders.default.name)
    connection = await asyncpg.connect(owner, command_timeout=600)
    try:
        await connection.execute(
            "CREATE TEMP TABLE alone AS SELECT e.memory_id, e.embedding FROM memory_embeddings e "
            f"JOIN spaces s ON s.id = e.space_id WHERE s.name = '{name}'"
        )
        await connection.execute("ANALYZE alone")

        async def search(run: int) -> object:
            vectors = await asyncio.to_thread(embedder.embed, [asked[run]])
            return await connection.fetch(
                f"SELECT memory_id FROM alone ORDER BY embedding <=> $1::text::halfvec LIMIT {TOP}",
                vector_literal(vectors[0]),
            )

        return await timed(min(len(asked) - WARM_UP, 100), search)
    finally:
        await connection.close()
