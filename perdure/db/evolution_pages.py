"""Reads memories for evolution page by page, so that no space is ever in memory as a whole."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncSession

from perdure.db.evolution_runs import StageState
from perdure.db.noted_values import stored_vector
from perdure.ports.models import Vectors

# Vectors that a page is compared with at once.
BLOCK = 4096

_COLUMNS = """m.id, m.content, m.subject, m.speaker, m.kind, m.session_id, m.external_id, m.valid_from, m.valid_to,
    m.sequence, m.ordinal, m.piece, m.version, m.token_count, m.importance, m.recorded_at, m.expires_at, m.tags,
    m.metadata, m.rests_on, m.document_id, a.accesses, a.last_accessed_at"""
_VECTOR = "halfvec_send(e.embedding) AS vector"
_EMBEDDING = "LEFT JOIN memory_embeddings e ON e.memory_id = m.id AND e.model = s.embedding_model"
_ACCESSES = "LEFT JOIN memory_accesses a ON a.memory_id = m.id"
_DRAWN = "m.kind IN ('insight', 'summary')"
_CURRENT = "m.space_id = :space AND m.retired_at IS NULL AND m.version_of IS NULL"
_PAGE = text(
    f"""
    SELECT {_COLUMNS}, {_VECTOR}
    FROM memories m JOIN spaces s ON s.id = m.space_id {_EMBEDDING}
    {_ACCESSES}
    WHERE {_CURRENT} AND m.id > :place AND m.id <= :until
        AND (CAST(:since AS timestamptz) IS NULL OR m.recorded_at > CAST(:since AS timestamptz))
    ORDER BY m.id LIMIT :limit
    """
)
_CONFIRMED = text(
    """
    SELECT superseded_by AS id, max(valid_from) AS at FROM memories
    WHERE superseded_by = ANY(CAST(:ids AS text[])) AND retired_for = 'duplicate' GROUP BY superseded_by
    """
)
_BLOCK_OF_SUBJECTS = text(
    f"""
    SELECT m.id, m.subject, {_VECTOR}
    FROM memories m JOIN spaces s ON s.id = m.space_id
    JOIN memory_embeddings e ON e.memory_id = m.id AND e.model = s.embedding_model
    WHERE {_CURRENT} AND m.id > :place AND m.id <= :until AND m.subject = ANY(CAST(:subjects AS text[]))
        AND NOT {_DRAWN}
    ORDER BY m.id LIMIT :limit
    """
)
_SOME = text(
    f"SELECT {_COLUMNS} FROM memories m {_ACCESSES} WHERE {_CURRENT} AND m.id = ANY(CAST(:ids AS text[]))"
)
_SUBJECTS = text(
    f"""
    SELECT m.subject, count(*) AS memories FROM memories m
    WHERE {_CURRENT} AND m.id <= :until AND NOT {_DRAWN}
        AND (NOT CAST(:begun AS boolean) OR m.subject > :place)
    GROUP BY m.subject ORDER BY m.subject LIMIT :limit
    """
)
_OF_SUBJECT = text(
    f"""
    SELECT {_COLUMNS}, {_VECTOR}
    FROM memories m JOIN spaces s ON s.id = m.space_id {_EMBEDDING} {_ACCESSES}
    WHERE {_CURRENT} AND m.id <= :until AND m.subject = :subject AND NOT {_DRAWN}
    ORDER BY m.id DESC LIMIT :limit
    """
)
_INSIGHTS = text(
    f"""
    SELECT {_COLUMNS} FROM memories m {_ACCESSES}
    WHERE {_CURRENT} AND m.subject = :subject AND m.rests_on IS NOT NULL
    """
)
_FADED = text(
    """
    SELECT memory_id, CAST(before ->> 'importance' AS real) AS before, CAST(after ->> 'importance' AS real) AS after
    FROM memory_changes
    WHERE memory_id = ANY(CAST(:ids AS text[])) AND action = 'faded' AND NOT planned AND undone_at IS NULL
    ORDER BY id DESC
    """
)


@dataclass(frozen=True, eq=False)
class StoredMemory:
    """A current memory as evolution sees it."""

    id: str
    content: str
    subject: str
    speaker: str | None
    kind: str
    session_id: str
    external_id: str | None
    valid_from: datetime
    valid_to: datetime | None
    sequence: int
    ordinal: int
    piece: int
    version: int
    token_count: int
    importance: float
    recorded_at: datetime
    expires_at: datetime | None
    tags: Sequence[str]
    metadata: Mapping[str, Any]
    rests_on: Sequence[str] | None
    document_id: str | None
    vector: Vectors | None = None
    accesses: int = 0
    last_accessed_at: datetime | None = None

    @property
    def order(self) -> tuple[Any, ...]:
        """Its place in time; of the same time, in the order of arrival."""
        return self.valid_from, self.sequence, self.ordinal, self.piece, self.id


@dataclass(frozen=True, eq=False)
class Block:
    """Some vectors with whose they are, rows of one another."""

    ids: Sequence[str]
    subjects: Sequence[str]
    vectors: Vectors


class EvolutionPages:
    """Memories of a space as they are in a run of evolution."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def page(self, state: StageState, limit: int) -> list[StoredMemory]:
        """Current memories from where the stage is, those that are new since the run before."""
        given = {
            "space": state.space_id,
            "place": state.place,
            "until": state.until_id,
            "since": state.since,
            "limit": limit,
        }
        return [_memory(row) for row in await self._session.execute(_PAGE, given)]

    async def block(self, state: StageState, subjects: Sequence[str], after: str) -> Block | None:
        """The next vectors of some subjects; None after the last ones."""
        given = {
            "space": state.space_id,
            "place": after,
            "until": state.until_id,
            "subjects": list(subjects),
            "limit": BLOCK,
        }
        rows = (await self._session.execute(_BLOCK_OF_SUBJECTS, given)).all()
        if not rows:
            return None
        vectors = np.stack([_vector(row.vector) for row in rows])
        return Block([row.id for row in rows], [row.subject for row in rows], vectors)

    async def some(self, state: StageState, ids: Sequence[str]) -> dict[str, StoredMemory]:
        """Some memories, as far as they are current, without their vectors."""
        rows = await self._session.execute(_SOME, {"space": state.space_id, "ids": list(ids)})
        return {row.id: _memory(row) for row in rows}

    async def confirmed(self, ids: Sequence[str]) -> dict[str, datetime]:
        """When some memories were last said again, of those that were."""
        return {row.id: row.at for row in await self._session.execute(_CONFIRMED, {"ids": list(ids)})}

    async def subjects(self, state: StageState, limit: int) -> list[tuple[str, int]]:
        """Subjects after the place where the stage is, with how many memories each has."""
        given = {
            "space": state.space_id,
            "until": state.until_id,
            "begun": bool(state.place),
            "place": state.place[1:],
            "limit": limit,
        }
        return [(row.subject, row.memories) for row in await self._session.execute(_SUBJECTS, given)]

    async def of_subject(self, state: StageState, subject: str, limit: int) -> list[StoredMemory]:
        """The newest memories of a subject."""
        given = {"space": state.space_id, "until": state.until_id, "subject": subject, "limit": limit}
        return [_memory(row) for row in await self._session.execute(_OF_SUBJECT, given)]

    async def bases(self, memories: Sequence[StoredMemory]) -> dict[str, float]:
        """What some memories mattered before they began to fade; who changed it since began anew."""
        bases = {memory.id: memory.importance for memory in memories}
        for row in await self._session.execute(_FADED, {"ids": list(bases)}):
            if bases[row.memory_id] == row.after:
                bases[row.memory_id] = row.before
        return bases

    async def insights(self, state: StageState, subject: str) -> list[StoredMemory]:
        """What was drawn from the memories of a subject."""
        rows = await self._session.execute(_INSIGHTS, {"space": state.space_id, "subject": subject})
        return [_memory(row) for row in rows]


def _memory(row: Row[*tuple[Any, ...]]) -> StoredMemory:
    values = dict(row._mapping)
    vector = values.pop("vector", None)
    return StoredMemory(
        **values
        | {
            "vector": None if vector is None else _vector(vector),
            "accesses": values.get("accesses") or 0,
        }
    )


def _vector(sent: bytes) -> Vectors:
    """Of length one again."""
    vector = stored_vector(sent)
    length = float(np.linalg.norm(vector))
    return vector / length if length else vector
