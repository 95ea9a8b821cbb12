"""Search over HTTP in one space of 100,000 passages: one client, the embedding of the query included.

The passages are paragraphs of the docstrings of the installed Python packages: real prose, of which every machine
that runs this has much; where it does not suffice, passages are put together of the halves of two. Each is embedded
for real (some minutes, once: the vectors are kept in `bench/` of the home). The queries are stretches of paragraphs
that were left out. Beside the whole, each part is timed bare, and the ten nearest of the index stand against the
exact ones.
"""

import asyncio
import hashlib
import re
import sysconfig
from collections.abc import Awaitable, Callable
from pathlib import Path

import asyncpg
import numpy as np

from bench import product
from bench.bare_search import NOTE, Tables, bare_parts
from bench.report import Figure, Options, Target
from bench.row_level_security import SPACE, against_none
from bench.timing import WARM_UP, timed
from perdure.db.candidates import TUNING
from perdure.db.chunk_repository import ChunkRepository, IndexedContent
from perdure.db.models import DocumentRow, OrganisationRow, SpaceRow
from perdure.db.search_repository import SearchRepository, vector_literal
from perdure.db.session import Database
from perdure.db.statistics_repository import StatisticsRepository
from perdure.db.vector_index import VectorIndex
from perdure.domain.chunking import ChunkSpan
from perdure.domain.ids import new_id
from perdure.ports.models import EmbeddingModel, Vectors
from perdure.providers.embedders import LocalEmbedders
from perdure.settings import home_directory

GROUP = "search over HTTP at 100,000 passages"
CHUNKS_PER_DOCUMENT = 100
LEFT_OUT = 1_000
DOCSTRING = re.compile(r'"""(.+?)"""', re.DOTALL)


def paragraphs(count: int) -> list[str]:
    """Different paragraphs of prose out of docstrings, always the same ones in the same order."""
    found: dict[str, None] = {}
    installed = Path(sysconfig.get_paths()["purelib"])
    for path in sorted(installed.rglob("*.py")):
        if path.is_relative_to(installed / "perdure"):
            continue  # what we write ourselves is another tomorrow
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
    """Vectors of the passages, kept in a file that their text names."""
    digest = hashlib.sha256("\n".join(texts).encode()).hexdigest()[:12]
    file = directory / f"vectors-{len(texts)}-{digest}.npy"
    if not file.exists():
        directory.mkdir(parents=True, exist_ok=True)
        np.save(file, embedders.get(embedders.default.name).embed(texts))
    kept: Vectors = np.load(file)
    return kept


class Filling:
    """Passages of one organisation, as indexing writes them."""

    def __init__(self, database: Database, organisation_id: str, model: EmbeddingModel) -> None:
        self._database, self._organisation_id, self._model = database, organisation_id, model

    async def fill(self, owner: str, texts: list[str], vectors: Vectors) -> None:
        """Store the passages; the vector index is built at the end, because that is ten times faster."""
        connection = await asyncpg.connect(owner)
        index = f"chunk_embeddings_nearest_{self._model.dimension}"
        definition = await connection.fetchval("SELECT indexdef FROM pg_indexes WHERE indexname = $1", index)
        await connection.execute(f"DROP INDEX {index}")
        space_id = new_id("spc")
        async with self._database.transaction(self._organisation_id) as session:
            session.add(
                SpaceRow(
                    id=space_id,
                    organisation_id=self._organisation_id,
                    name=SPACE,
                    embedding_model=self._model.name,
                    embedding_dimension=self._model.dimension,
                )
            )
        for first in range(0, len(texts), CHUNKS_PER_DOCUMENT):
            part = slice(first, first + CHUNKS_PER_DOCUMENT)
            await self._document(space_id, f"Document {first}", texts[part], vectors[part])
        await VectorIndex(self._database.transaction, 0).admit(self._organisation_id, [space_id])
        await connection.execute("SET maintenance_work_mem = '1GB'")
        await connection.execute(definition)
        await connection.execute("VACUUM ANALYZE chunks, chunk_embeddings, documents, spaces")
        await connection.close()
        async with self._database.transaction(self._organisation_id) as session:
            await StatisticsRepository(session, self._organisation_id).refresh(space_id, len(texts))

    async def _document(self, space_id: str, title: str, part: list[str], vectors: Vectors) -> None:
        document_id = new_id("doc")
        spans = [
            ChunkSpan(ordinal, said, 0, len(said), None, (), round(len(said.split()) * 1.3))
            for ordinal, said in enumerate(part)
        ]
        async with self._database.transaction(self._organisation_id) as session:
            session.add(
                DocumentRow(
                    id=document_id,
                    organisation_id=self._organisation_id,
                    space_id=space_id,
                    title=title,
                    status="indexed",
                    version=1,
                    chunk_count=len(spans),
                )
            )
            await session.flush()
            content = IndexedContent(space_id, document_id, 1, "en", title, spans, vectors)
            await ChunkRepository(session, self._organisation_id).replace([content], self._model)


async def run(options: Options) -> list[Figure]:
    """Fill a space, then ask."""
    chunks, queries = options.repeats(100_000, 6_000), options.repeats(300, 20)
    home = home_directory()
    embedders = LocalEmbedders(home / "models", "int8", 0)
    async with product.running() as running:
        texts = paragraphs(chunks + LEFT_OUT)
        options.say(f"embedding {chunks:,} passages, unless that was done before")
        vectors = await asyncio.to_thread(embedded, home / "bench", embedders, texts[:chunks])
        options.say("filling the space, building its index")
        database = Database(running.settings.database_url)
        owner = running.stack.environment["DATABASE_OWNER_URL"]
        try:
            await Filling(database, running.organisation_id, embedders.default).fill(
                owner, texts[:chunks], vectors
            )
            asked = questions(texts[chunks : chunks + queries + WARM_UP])
            options.say(f"{queries} searches of each mode")
            figures = await measured(running, database, owner, embedders, asked)
            second = chunks // 5
            options.say(f"{second:,} passages of another organisation")
            other = new_id("org")
            async with database.transaction(other) as session:
                session.add(OrganisationRow(id=other, name="Another"))
            await Filling(database, other, embedders.default).fill(owner, texts[:second], vectors[:second])
            note = f"{chunks:,} passages in the space asked, {second:,} of another organisation"
            return [*figures, *await against_none(options, running, owner, asked, note)]
        finally:
            await database.aclose()


async def measured(
    running: product.Product, database: Database, owner: str, embedders: LocalEmbedders, asked: list[str]
) -> list[Figure]:
    """Ours over HTTP, and the parts bare."""
    queries, model = len(asked) - WARM_UP, embedders.default
    embedder = embedders.get(model.name)

    def search(mode: str) -> Callable[[int], Awaitable[object]]:
        async def call(run: int) -> object:
            return await running.post("/search", json={"query": asked[run], "space": SPACE, "mode": mode})

        return call

    hybrid = await timed(queries, search("hybrid"))
    by_mode = {mode: await timed(queries, search(mode)) for mode in ("vector", "keyword")}
    parts = await bare_parts(owner, embedder, asked, Tables("chunks", "chunk_embeddings", "chunk_id"))
    share = await overlap(running, database, model, embedder.embed(asked[:100]))
    return [
        Figure(
            GROUP,
            "hybrid p50",
            "ms",
            float(np.median(hybrid)),
            parts.p50,
            Target("value", "at most", 30),
            NOTE,
        ),
        Figure(
            GROUP, "hybrid p95", "ms", float(np.percentile(hybrid, 95)), None, Target("value", "at most", 60)
        ),
        Figure(
            GROUP, "vector p50", "ms", float(np.median(by_mode["vector"])), float(np.median(parts.nearest))
        ),
        Figure(
            GROUP, "keyword p50", "ms", float(np.median(by_mode["keyword"])), float(np.median(parts.words))
        ),
        Figure(GROUP, "top 10 of exact top 10", "", share, None, Target("value", "at least", 0.98)),
    ]


async def overlap(
    running: product.Product, database: Database, model: EmbeddingModel, vectors: Vectors
) -> float:
    """Mean share of the exact ten nearest that the product's vector search has among its ten nearest."""
    shares = []
    async with database.quick(running.organisation_id, settings=TUNING) as statements:
        indexed = SearchRepository(statements, running.settings.exact_search_below)
        exact = SearchRepository(statements, 10**9)
        spaces = list((await indexed.spaces([SPACE])).values())
        scope = await indexed.scope(spaces, None)
        for vector in vectors:
            near = set((await indexed.by_vector(scope, model, vector_literal(vector)))[:10])
            true = set((await exact.by_vector(scope, model, vector_literal(vector)))[:10])
            shares.append(len(near & true) / 10)
    return float(np.mean(shares))
