"""The parts of a search bare, one after the other: without tenancy, neighbours, or any ranking of ours."""

import asyncio
import re
from dataclasses import dataclass

import asyncpg
import numpy as np

from bench.timing import WARM_UP, timed
from perdure.db.search_repository import vector_literal
from perdure.ports.models import Embedder

NOTE = "bare: embedding, HNSW top 100 and all words OR-ed by ts_rank, one after the other, no tenancy"


@dataclass(frozen=True)
class Tables:
    """Where texts and their vectors stand, and the column that says which text a vector is of."""

    texts: str
    vectors: str
    of: str


@dataclass(frozen=True)
class Parts:
    """Milliseconds of each run."""

    embedding: np.ndarray
    nearest: np.ndarray
    words: np.ndarray

    @property
    def p50(self) -> float:
        """Of all together."""
        return float(np.median(self.embedding) + np.median(self.nearest) + np.median(self.words))


async def bare_parts(owner: str, embedder: Embedder, asked: list[str], tables: Tables) -> Parts:
    """Embedding, the nearest 100 of the index, and the words OR-ed; `owner` is the address for those who see all."""
    queries, dimension = len(asked) - WARM_UP, int(embedder.model.dimension)
    vectors = embedder.embed(asked)

    async def embed(run: int) -> object:
        return await asyncio.to_thread(embedder.embed, [asked[run]])

    connection = await asyncpg.connect(owner)
    await connection.execute("SET hnsw.ef_search = 100")

    async def nearest(run: int) -> object:
        return await connection.fetch(
            f"SELECT {tables.of} FROM {tables.vectors} WHERE dimension = {dimension} AND in_vector_index "
            f"ORDER BY (embedding::halfvec({dimension})) <=> $1::text::halfvec({dimension}) LIMIT 100",
            vector_literal(vectors[run]),
        )

    async def words(run: int) -> object:
        return await connection.fetch(
            f"SELECT id FROM {tables.texts}, to_tsquery('english', $1) q WHERE tsv @@ q "
            "ORDER BY ts_rank(tsv, q) DESC LIMIT 100",
            " | ".join(re.findall(r"[a-z]{3,}", asked[run].lower())) or "nothing",
        )

    try:
        return Parts(
            await timed(queries, embed), await timed(queries, nearest), await timed(min(queries, 50), words)
        )
    finally:
        await connection.close()
