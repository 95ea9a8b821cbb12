"""Memories put straight into the tables, as writing leaves them: a hundred thousand in half a minute.

They are turns of talks: a subject has sessions of 25 turns, in which two people speak in turns. The rows go in with
COPY, and indexes are built afterwards, because that is ten times faster.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import asyncpg
import numpy as np

from perdure.db.session import Database
from perdure.db.statistics_repository import MEMORIES, StatisticsRepository
from perdure.domain.ids import new_id
from perdure.ports.models import EmbeddingModel, Vectors

SESSION = 25
SESSIONS_OF_A_SUBJECT = 20
# Rows that are sent at once.
PAGE = 20_000
FIRST_NAMES = (
    "Ada", "Bruno", "Clara", "Dario", "Elif", "Farid", "Greta", "Hugo", "Ines", "Jonas",
    "Kaya", "Lena", "Marco", "Nadia", "Oscar", "Priya", "Quentin", "Rosa", "Stefan", "Tara",
)  # fmt: skip
LAST_NAMES = (
    "Abel",
    "Brandt",
    "Costa",
    "Dvorak",
    "Eriksen",
    "Fischer",
    "Greco",
    "Hartmann",
    "Ivanov",
    "Jansen",
)

_TABLES = ("memories", "memory_embeddings")
_INDEXES = """
    SELECT x.indexname, x.indexdef FROM pg_indexes x
    WHERE x.tablename = ANY($1) AND x.indexname NOT LIKE '%_pkey' ORDER BY x.indexname
"""
_PEOPLE = f"ARRAY{[f'{first} {last}' for last in LAST_NAMES for first in FIRST_NAMES]}"
# Each subject is a talk of two: the first is asked, the second answers.
_MEMORIES = f"""
    INSERT INTO memories (id, organisation_id, space_id, kind, content, subject, speaker, session_id, valid_from,
        recorded_at, source, sequence, ordinal, fingerprint, identity, token_count, tsv)
    SELECT t.id, $1, t.space_id, 'evidence', t.content, t.subject, t.speaker, 'session ' || t.place / {SESSION},
        t.said_at, t.said_at, jsonb_build_object('type', 'message', 'id', 'msg' || substr(t.id, 4), 'start', 0,
        'end', length(t.content)), t.place, t.place % {SESSION}, md5(t.content), t.id,
        greatest(1, length(t.content) / 4), to_tsvector('english', t.speaker || ': ' || t.content)
    FROM (
        SELECT s.*, s.place / {SESSION * SESSIONS_OF_A_SUBJECT} AS talk,
            'Talk ' || s.place / {SESSION * SESSIONS_OF_A_SUBJECT} AS subject,
            p.names[1 + (2 * (s.place / {SESSION * SESSIONS_OF_A_SUBJECT}) + s.place % 2) % cardinality(p.names)]
                AS speaker,
            timestamptz '2024-01-01 09:00+00' + s.place / {SESSION} * interval '5 hours'
                + s.place % {SESSION} * interval '20 seconds' AS said_at
        FROM staged s, (SELECT {_PEOPLE} AS names) p
    ) t
"""
_NAMES = """
    INSERT INTO memory_people (organisation_id, space_id, name)
    SELECT DISTINCT $1, m.space_id, n.name FROM memories m, LATERAL (VALUES (m.subject), (m.speaker)) n (name)
    WHERE m.space_id = ANY($2)
"""


@dataclass(frozen=True)
class Filled:
    """A space that was filled."""

    id: str
    name: str


class Filling:
    """Memories of one organisation."""

    def __init__(self, database: Database, owner: str, organisation_id: str, model: EmbeddingModel) -> None:
        self._database, self._owner = database, owner
        self._organisation_id, self._model = organisation_id, model

    async def fill(
        self, names: Sequence[str], size: int, texts: Sequence[str], vectors: Vectors, noise: float = 0.0
    ) -> list[Filled]:
        """Spaces of so many memories each. Texts and vectors are used again and again; then noise tells them apart."""
        spaces = [Filled(new_id("spc"), name) for name in names]
        connection = await asyncpg.connect(self._owner, command_timeout=3600)
        try:
            await self._spaces(connection, spaces, size)
            definitions = await connection.fetch(_INDEXES, list(_TABLES))
            for table in _TABLES:
                # COPY knows no policies, and the owner needs none here.
                await connection.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
            for row in definitions:
                await connection.execute(f"DROP INDEX {row['indexname']}")
            random = np.random.default_rng(13)
            for number, space in enumerate(spaces):
                for first in range(0, size, PAGE):
                    count = min(PAGE, size - first)
                    rows = np.arange(number * size + first, number * size + first + count) % len(texts)
                    near = vectors[rows]
                    if noise:
                        near = near + noise * random.standard_normal(near.shape, dtype=np.float32)
                        near /= np.linalg.norm(near, axis=1, keepdims=True)
                    await self._page(connection, space, first, [texts[row] for row in rows], near)
            await connection.execute("SET maintenance_work_mem = '2GB'")
            for row in definitions:
                await connection.execute(row["indexdef"])
            await connection.execute(_NAMES, self._organisation_id, [space.id for space in spaces])
            for table in _TABLES:
                await connection.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
            await connection.execute("VACUUM ANALYZE memories, memory_embeddings, memory_people, spaces")
        finally:
            await connection.close()
        for space in spaces:
            async with self._database.transaction(self._organisation_id) as session:
                await StatisticsRepository(session, self._organisation_id, MEMORIES).refresh(space.id, size)
        return spaces

    async def _spaces(self, connection: asyncpg.Connection, spaces: Sequence[Filled], size: int) -> None:
        await connection.executemany(
            "INSERT INTO spaces (id, organisation_id, name, embedding_model, embedding_dimension, memory_count, "
            "memory_vector_index) VALUES ($1, $2, $3, $4, $5, $6, 'complete')",
            [
                (space.id, self._organisation_id, space.name, self._model.name, self._model.dimension, size)
                for space in spaces
            ],
        )

    async def _page(
        self,
        connection: asyncpg.Connection,
        space: Filled,
        first: int,
        texts: Sequence[str],
        vectors: Vectors,
    ) -> None:
        ids = [new_id("mem") for _ in texts]
        async with connection.transaction():
            await connection.execute(
                "CREATE TEMP TABLE staged (id text, space_id text, place integer, content text) ON COMMIT DROP"
            )
            await connection.copy_records_to_table(
                "staged",
                records=[
                    (memory_id, space.id, first + at, said)
                    for at, (memory_id, said) in enumerate(zip(ids, texts, strict=True))
                ],
            )
            await connection.execute(_MEMORIES, self._organisation_id)
            await connection.copy_to_table(
                "memory_embeddings",
                source=self._copied(ids, space, vectors),
                columns=("memory_id", "model", "dimension", "space_id", "embedding", "organisation_id"),
                format="binary",
            )

    async def _copied(self, ids: Sequence[str], space: Filled, vectors: Vectors) -> AsyncIterator[bytes]:
        """Rows as COPY reads them in its binary form; all are of one length, so an array is what is sent."""
        fixed = {
            "memory_id": np.array([memory_id.encode() for memory_id in ids]),
            "model": np.bytes_(self._model.name.encode()),
            "dimension": np.array(self._model.dimension, dtype=">i4"),
            "space_id": np.bytes_(space.id.encode()),
            "embedding": vectors.astype(">f2"),
            "organisation_id": np.bytes_(self._organisation_id.encode()),
        }
        layout: list[tuple[str, object]] = [("columns", ">i2")]
        for name, values in fixed.items():
            layout.append((f"length of {name}", ">i4"))
            if name == "embedding":
                # How a halfvec is sent: its dimension, nothing, and the numbers.
                layout += [("numbers", ">i2"), ("nothing", ">i2"), (name, ">f2", (vectors.shape[1],))]  # type: ignore[list-item]  # numpy's own form
            else:
                layout.append((name, values.dtype))
        rows = np.zeros(len(ids), dtype=layout)
        rows["columns"] = len(fixed)
        rows["numbers"] = vectors.shape[1]
        for name, values in fixed.items():
            rows[name] = values
            rows[f"length of {name}"] = 4 + values[0].nbytes if name == "embedding" else values.dtype.itemsize
        yield b"PGCOPY\n\xff\r\n\0" + bytes(8)
        yield rows.tobytes()
        yield b"\xff\xff"
