"""Speed of search in one space of 100,000 passages, on embedded PostgreSQL.

    python bench/search_speed.py DIRECTORY [--chunks 100000] [--queries 300]

DIRECTORY keeps the database and the model between runs. The passages are paragraphs of the docstrings of the
installed Python packages: real prose, of which every machine that runs this has much; where it does not suffice,
passages are put together of the halves of two. Each is embedded for real (some minutes, once). The queries are
stretches of paragraphs that were left out. What is timed is the whole service (embedding of the query, both
searches, ranking, texts) and beside it each part bare.
"""

import argparse
import asyncio
import re
import sys
import sysconfig
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
from perdure.ports.models import EmbeddingModel, Vectors
from perdure.providers.embedders import LocalEmbedders
from perdure.providers.minilm_export import ensure_exported
from perdure.schemas.search import SearchRequest
from perdure.settings import Settings

ORGANISATION = "org_" + "0" * 26
CHUNKS_PER_DOCUMENT = 100
WARM_UP = 20
LEFT_OUT = 1_000
DOCSTRING = re.compile(r'"""(.+?)"""', re.DOTALL)


def paragraphs(count: int) -> list[str]:
    """Different paragraphs of prose out of docstrings, always the same ones in the same order."""
    found: dict[str, None] = {}
    for path in sorted(Path(sysconfig.get_paths()["purelib"]).rglob("*.py")):
        for docstring in DOCSTRING.findall(path.read_text(encoding="utf-8", errors="ignore")):
            for paragraph in docstring.split("\n\n"):
                words = paragraph.split()
                if 12 <= len(words) <= 90 and sum(word.isalpha() for word in words) > 0.7 * len(words):
                    found[" ".join(words)] = None
    random = np.random.default_rng(11)
    listed = list(found)
    random.shuffle(listed)
    while len(listed) < count:
        first, second = (listed[int(at)].split() for at in random.integers(len(found), size=2))
        listed.append(" ".join((*first[: len(first) // 2], *second[len(second) // 2 :])))
    # What questions are made of comes last, and is prose as it was written.
    return [*listed[LEFT_OUT:count], *listed[:LEFT_OUT]]


def questions(left_out: list[str]) -> list[str]:
    """Four to nine words in a row, as somebody would type them who half remembers."""
    random = np.random.default_rng(12)
    asked = []
    for paragraph in left_out:
        words = paragraph.split()
        length = int(random.integers(4, 10))
        start = int(random.integers(len(words) - length))
        asked.append(" ".join(words[start : start + length]))
    return asked


def embedded(directory: Path, embedders: LocalEmbedders, texts: list[str]) -> Vectors:
    """Vectors of the passages, kept in a file."""
    file = directory / f"vectors-{len(texts)}.npy"
    if not file.exists():
        started = time.perf_counter()
        vectors = embedders.get(embedders.default.name).embed(texts)
        print(f"embedded {len(texts)} passages in {time.perf_counter() - started:.0f} s", flush=True)
        np.save(file, vectors)
    kept: Vectors = np.load(file)
    return kept


async def fill(
    database: Database, owner: str, model: EmbeddingModel, texts: list[str], vectors: Vectors
) -> None:
    """Index the passages; the vector index is built at the end, because that is ten times faster."""
    connection = await asyncpg.connect(owner)
    index = f"chunk_embeddings_hnsw_{model.dimension}"
    await connection.execute(f"DROP INDEX IF EXISTS {index}")
    await connection.execute("TRUNCATE organisations CASCADE")  # what an interrupted run left
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
    for first in range(0, len(texts), CHUNKS_PER_DOCUMENT):
        part = slice(first, first + CHUNKS_PER_DOCUMENT)
        await one_document(database, space_id, f"Document {first}", texts[part], vectors[part], model)
    print(f"stored {len(texts)} passages in {time.perf_counter() - started:.0f} s", flush=True)
    started = time.perf_counter()
    await connection.execute("SET maintenance_work_mem = '1GB'")
    await connection.execute(
        f"CREATE INDEX {index} ON chunk_embeddings USING hnsw "
        f"((embedding::halfvec({model.dimension})) halfvec_cosine_ops) "
        f"WITH (m = 16, ef_construction = 64) WHERE dimension = {model.dimension}"
    )
    print(f"built the vector index in {time.perf_counter() - started:.0f} s", flush=True)
    await connection.execute("VACUUM ANALYZE")
    await connection.close()
    async with database.transaction(ORGANISATION) as session:
        started = time.perf_counter()
        await StatisticsRepository(session, ORGANISATION).refresh(space_id, len(texts))
        print(f"sampled the words in {time.perf_counter() - started:.2f} s", flush=True)


async def one_document(
    database: Database, space_id: str, title: str, part: list[str], vectors: Vectors, model: EmbeddingModel
) -> None:
    """Store passages as one document."""
    document_id = new_id("doc")
    spans = [
        ChunkSpan(ordinal, said, 0, len(said), None, (), round(len(said.split()) * 1.3))
        for ordinal, said in enumerate(part)
    ]
    async with database.transaction(ORGANISATION) as session:
        session.add(
            DocumentRow(
                id=document_id,
                organisation_id=ORGANISATION,
                space_id=space_id,
                title=title,
                status="indexed",
                version=1,
                chunk_count=len(spans),
            )
        )
        await session.flush()
        content = IndexedContent(space_id, document_id, 1, "en", title, spans, vectors)
        await ChunkRepository(session, ORGANISATION).replace([content], model)


async def timed(runs: int, call: Callable[[int], Awaitable[object]]) -> np.ndarray:
    """Milliseconds of each run, after some that do not count."""
    for run in range(WARM_UP):
        await call(run)
    taken = []
    for run in range(WARM_UP, WARM_UP + runs):
        started = time.perf_counter()
        await call(run)
        taken.append((time.perf_counter() - started) * 1000)
    return np.array(taken)


def line(label: str, taken: np.ndarray) -> None:
    """One row of the table."""
    p50, p95 = np.percentile(taken, [50, 95])
    print(f"{label:44} p50 {p50:6.1f} ms  p95 {p95:6.1f} ms")


async def measure(database: Database, owner: str, embedders: LocalEmbedders, asked: list[str]) -> None:
    """Print the table."""
    settings = Settings()
    service = SearchService(database.transaction, embedders, settings)
    queries = len(asked) - WARM_UP
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
            " | ".join(re.findall(r"[a-z]{3,}", asked[run].lower())) or "nothing",
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


async def overlap(database: Database, settings: Settings, model: EmbeddingModel, vectors: Vectors) -> float:
    """Mean share of the exact ten nearest that the service's vector search has among its ten nearest."""
    shares = []
    async with database.transaction(ORGANISATION) as session:
        indexed = SearchRepository(session, settings.exact_search_below)
        exact = SearchRepository(session, 10**9)
        spaces = list((await indexed.spaces(["default"])).values())
        scope = await indexed.scope(spaces, None)
        for vector in vectors[:100]:
            near = set((await indexed.by_vector(scope, model, vector))[:10])
            true = set((await exact.by_vector(scope, model, vector))[:10])
            shares.append(len(near & true) / 10)
    return float(np.mean(shares))


async def run(directory: Path, chunks: int, queries: int) -> None:
    """Set up what is missing, then measure."""
    server = await asyncio.to_thread(postgres.start, directory / "postgres")
    owner = server.url(postgres.OWNER_ROLE)
    await migrate.upgrade(owner, postgres.APP_ROLE)
    await asyncio.to_thread(ensure_exported, directory / "models")
    embedders = LocalEmbedders(directory / "models", "int8", 0)
    texts = paragraphs(chunks + LEFT_OUT)
    database = Database(server.url(postgres.APP_ROLE))
    try:
        async with database.transaction(ORGANISATION) as session:
            sampled = (await session.execute(select(SpaceRow.sampled_chunk_count))).scalar()
        if sampled != chunks:  # sampling is the last step, so this one is complete
            vectors = await asyncio.to_thread(embedded, directory, embedders, texts[:chunks])
            await fill(database, owner, embedders.default, texts[:chunks], vectors)
        await measure(database, owner, embedders, questions(texts[chunks : chunks + queries + WARM_UP]))
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
