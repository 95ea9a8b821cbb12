"""Speed of search in one space of 100,000 passages, on embedded PostgreSQL.

    python bench/search_speed.py DIRECTORY [--chunks 100000] [--queries 300]

DIRECTORY keeps the database and the model between runs. The text is made up: words drawn by Zipf's law out of the
tokenizer's vocabulary, in 300 topics. 3,000 passages are embedded for real; each of those indexed is a blend of
three of them, the words drawn from all three, the vector their weighted mean. What is timed is the whole service:
embedding of the query, both searches, ranking, texts; and beside it each part bare.
"""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import asyncpg
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from sqlalchemy import select, text

from perdure.db import migrate
from perdure.db.chunk_repository import ChunkRepository, IndexedContent
from perdure.db.models import DocumentRow, SpaceRow
from perdure.db.search_repository import SearchRepository, vector_literal
from perdure.db.search_service import SearchService
from perdure.db.session import Database
from perdure.db.statistics_repository import StatisticsRepository
from perdure.domain.chunking import ChunkSpan
from perdure.domain.ids import new_id
from perdure.embedded import postgres
from perdure.providers.embedders import LocalEmbedders
from perdure.providers.minilm_export import TOKENIZER_FILE, ensure_exported
from perdure.schemas.search import SearchRequest
from perdure.settings import Settings

ORGANISATION = "org_" + "0" * 26
REAL = 3_000
TOPICS = 300
CHUNKS_PER_DOCUMENT = 100


class Texts:
    """Made-up passages and questions about them."""

    def __init__(self, tokenizer_file: Path) -> None:
        vocabulary = json.loads(tokenizer_file.read_text())["model"]["vocab"]
        words = [word for word in vocabulary if word.isascii() and word.isalpha() and len(word) > 2]
        self.random = np.random.default_rng(11)
        self.words = np.array(words)
        weights = 1 / np.arange(1, len(words) + 1)
        self.weights = weights / weights.sum()
        self.topics = [self.random.choice(self.words, 60, replace=False) for _ in range(TOPICS)]

    def passage(self, topic: int) -> list[str]:
        """Some hundred words, two in five of the topic."""
        length = int(self.random.integers(80, 130))
        return [
            str(self.random.choice(self.topics[topic]) if self.random.random() < 0.4 else word)
            for word in self.random.choice(self.words, length, p=self.weights)
        ]

    def question(self) -> str:
        """Two to six words of a topic, and such as questions have."""
        topic = self.topics[int(self.random.integers(TOPICS))]
        asked = self.random.choice(topic, int(self.random.integers(2, 7)), replace=False)
        start = self.random.choice(
            ["what did they decide about", "how much is the", "who mentioned", "", "why does"]
        )
        return f"{start} {' '.join(asked)}".strip()


async def fill(database: Database, owner: str, embedders: LocalEmbedders, texts: Texts, chunks: int) -> None:
    """Index `chunks` passages; the vector index is built at the end, because that is ten times faster."""
    model = embedders.default
    bases = [(n % TOPICS, texts.passage(n % TOPICS)) for n in range(REAL)]
    started = time.perf_counter()
    vectors = embedders.get(model.name).embed([" ".join(words) for _, words in bases])
    print(f"embedded {REAL} passages in {time.perf_counter() - started:.0f} s")
    connection = await asyncpg.connect(owner)
    index = f"chunk_embeddings_hnsw_{model.dimension}"
    definition = await connection.fetchval("SELECT indexdef FROM pg_indexes WHERE indexname = $1", index)
    await connection.execute(f"DROP INDEX {index}")
    space_id = new_id("spc")
    async with database.transaction(ORGANISATION) as session:
        await session.execute(
            text("INSERT INTO organisations (id, name) VALUES (:id, 'Bench')"), {"id": ORGANISATION}
        )
        session.add(
            SpaceRow(
                id=space_id,
                organisation_id=ORGANISATION,
                name="default",
                embedding_model=model.name,
                embedding_dimension=model.dimension,
            )
        )
    started = time.perf_counter()
    for number in range(chunks // CHUNKS_PER_DOCUMENT):
        await one_document(database, space_id, number, texts, bases, vectors, embedders)
    print(f"indexed {chunks} passages in {time.perf_counter() - started:.0f} s, vector index not counted")
    started = time.perf_counter()
    await connection.execute("SET maintenance_work_mem = '1GB'")
    await connection.execute(definition)
    print(f"built the vector index in {time.perf_counter() - started:.0f} s")
    await connection.execute("VACUUM ANALYZE")
    await connection.close()
    async with database.transaction(ORGANISATION) as session:
        started = time.perf_counter()
        await StatisticsRepository(session, ORGANISATION).refresh(space_id, chunks)
        print(f"sampled the words in {time.perf_counter() - started:.2f} s")


async def one_document(
    database: Database,
    space_id: str,
    number: int,
    texts: Texts,
    bases: list[tuple[int, list[str]]],
    vectors: np.ndarray,
    embedders: LocalEmbedders,
) -> None:
    """A document of passages that are near to real ones."""
    random = texts.random
    document_id, spans, rows = new_id("doc"), [], []
    for ordinal in range(CHUNKS_PER_DOCUMENT):
        three = random.integers(REAL, size=3)
        shares = random.dirichlet((1.0, 0.5, 0.25))
        words = [
            str(random.choice(bases[base][1]))
            for base, share in zip(three, shares, strict=True)
            for _ in range(round(share * 100))
        ]
        said = " ".join(words)
        spans.append(ChunkSpan(ordinal, said, 0, len(said), None, (), min(254, round(len(words) * 1.2))))
        blend = shares @ vectors[three]
        rows.append(blend / np.linalg.norm(blend))
    async with database.transaction(ORGANISATION) as session:
        session.add(
            DocumentRow(
                id=document_id,
                organisation_id=ORGANISATION,
                space_id=space_id,
                title=f"Document {number}",
                status="indexed",
                version=1,
                chunk_count=len(spans),
            )
        )
        await session.flush()
        content = IndexedContent(
            space_id, document_id, 1, "en", f"Document {number}", spans, np.array(rows, dtype=np.float32)
        )
        await ChunkRepository(session, ORGANISATION).replace([content], embedders.default)


async def timed(runs: int, call: Callable[[int], Awaitable[object]]) -> np.ndarray:
    """Milliseconds of each run, after some that do not count."""
    for run in range(10):
        await call(run)
    taken = []
    for run in range(runs):
        started = time.perf_counter()
        await call(run)
        taken.append((time.perf_counter() - started) * 1000)
    return np.array(taken)


def line(label: str, taken: np.ndarray) -> None:
    """One row of the table."""
    p50, p95 = np.percentile(taken, [50, 95])
    print(f"{label:44} p50 {p50:6.1f} ms  p95 {p95:6.1f} ms")


async def measure(
    database: Database, owner: str, embedders: LocalEmbedders, texts: Texts, queries: int
) -> None:
    """Print the table."""
    settings = Settings()
    service = SearchService(database.transaction, embedders, settings)
    asked = [texts.question() for _ in range(queries)]
    model = embedders.default
    embedder = embedders.get(model.name)
    vectors = embedder.embed(asked)

    def search(mode: str) -> Callable[[int], Awaitable[object]]:
        async def call(run: int) -> object:
            request = SearchRequest.model_validate({"query": asked[run], "mode": mode})
            return await service.search(ORGANISATION, request)

        return call

    async def embed(run: int) -> object:
        return await asyncio.to_thread(embedder.embed, [asked[run]])

    connection = await asyncpg.connect(owner)
    await connection.execute("SET hnsw.ef_search = 100")

    async def bare_vector(run: int) -> object:
        return await connection.fetch(
            f"SELECT chunk_id FROM chunk_embeddings WHERE dimension = {model.dimension} ORDER BY "
            f"(embedding::halfvec({model.dimension})) <=> $1::text::halfvec({model.dimension}) LIMIT 100",
            vector_literal(vectors[run]),
        )

    async def bare_words(run: int) -> object:
        return await connection.fetch(
            "SELECT id FROM chunks, to_tsquery('english', $1) q WHERE tsv @@ q ORDER BY ts_rank(tsv, q) DESC LIMIT 100",
            " | ".join(asked[run].split()),
        )

    hybrid = await timed(queries, search("hybrid"))
    line("search, hybrid (whole service)", hybrid)
    line("search, vector", await timed(queries, search("vector")))
    line("search, keyword", await timed(queries, search("keyword")))
    embedding = await timed(queries, embed)
    line("bare: embedding of the query", embedding)
    vector = await timed(queries, bare_vector)
    line("bare: HNSW, top 100, no tenancy", vector)
    words = await timed(min(queries, 50), bare_words)
    line("bare: all words OR-ed, ts_rank, no tenancy", words)
    parts = np.median(embedding) + np.median(vector) + np.median(words)
    print(f"whole / bare parts one after the other, p50: {np.median(hybrid) / parts:.2f}")
    await connection.close()
    print(f"top 10 of the index against exact: {await overlap(database, settings, model, vectors):.4f}")


async def overlap(database: Database, settings: Settings, model: object, vectors: np.ndarray) -> float:
    """Mean share of the exact ten nearest that the service's vector search has among its ten nearest."""
    shares = []
    async with database.transaction(ORGANISATION) as session:
        indexed = SearchRepository(session, settings.exact_search_below)
        exact = SearchRepository(session, 10**9)
        spaces = list((await indexed.spaces(["default"])).values())
        scope = await indexed.scope(spaces, None)
        for vector in vectors[:100]:
            near = set((await indexed.by_vector(scope, model, vector))[:10])  # type: ignore[arg-type]
            true = set((await exact.by_vector(scope, model, vector))[:10])  # type: ignore[arg-type]
            shares.append(len(near & true) / 10)
    return float(np.mean(shares))


async def run(directory: Path, chunks: int, queries: int) -> None:
    """Set up what is missing, then measure."""
    server = await asyncio.to_thread(postgres.start, directory / "postgres")
    owner = server.url(postgres.OWNER_ROLE)
    await migrate.upgrade(owner, postgres.APP_ROLE)
    await asyncio.to_thread(ensure_exported, directory / "models")
    embedders = LocalEmbedders(directory / "models", "int8", 0)
    texts = Texts(directory / "models" / TOKENIZER_FILE)
    database = Database(server.url(postgres.APP_ROLE))
    try:
        async with database.transaction(ORGANISATION) as session:
            found = (await session.execute(select(SpaceRow.chunk_count))).scalar()
        if not found:
            await fill(database, owner, embedders, texts, chunks)
        await measure(database, owner, embedders, Texts(directory / "models" / TOKENIZER_FILE), queries)
    finally:
        await database.aclose()


def main() -> None:
    """Parse the command line, run, stop the server."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--chunks", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=300)
    given = parser.parse_args()
    given.directory.mkdir(parents=True, exist_ok=True)
    directory = given.directory.absolute()
    try:
        asyncio.run(run(directory, given.chunks, given.queries))
    finally:
        postgres.stop(directory / "postgres")


if __name__ == "__main__":
    main()
