"""Passages of documents as memories; the caller owns the transactions.

A memory of a passage stays the same while versions of the document have the passage. It has the passage's vector.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from perdure.db.memory_writer import MemoryWriter, NewMemory, Outcome
from perdure.db.models import ChunkEmbeddingRow, ChunkRow, SpaceRow
from perdure.domain.memories import MemoryKind, RetiredFor, passage_identity, says_something
from perdure.ports.models import Vectors

PAGE = 500

# Versions that are searchable, where the caller, the version before or the space wants memories, or there are some.
_WANTED = text(
    """
    SELECT d.id AS document_id, v.id AS version_id, v.number, COALESCE(v.operation_id, '') AS operation_id,
        v.created_at, d.space_id, d.metadata,
        COALESCE((v.source ->> 'remember')::boolean, earlier.subject IS NOT NULL OR s.remember_documents) AS wanted,
        COALESCE(v.source ->> 'subject', earlier.subject, '') AS subject
    FROM document_versions v
    JOIN documents d ON d.id = v.document_id AND d.version = v.number
    JOIN spaces s ON s.id = d.space_id
    LEFT JOIN LATERAL (
        SELECT m.subject FROM memories m
        WHERE m.document_id = d.id AND m.version_of IS NULL AND m.retired_at IS NULL ORDER BY m.id LIMIT 1
    ) earlier ON true
    WHERE v.id = ANY(CAST(:versions AS text[]))
        AND (earlier.subject IS NOT NULL OR COALESCE((v.source ->> 'remember')::boolean, s.remember_documents))
    ORDER BY d.id
    """
)
_LOCK = text("SELECT version FROM documents WHERE id = :document FOR UPDATE")
# The passage stands in another chunk now.
_MOVE = text(
    """
    UPDATE memories m SET ordinal = r.ordinal,
        source = m.source || jsonb_build_object('id', r.chunk)
    FROM unnest(CAST(:identities AS text[]), CAST(:chunks AS text[]), CAST(:ordinals AS integer[]))
        AS r (identity, chunk, ordinal)
    WHERE m.document_id = :document AND m.version_of IS NULL AND m.retired_at IS NULL AND m.identity = r.identity
    """
)
_RETIRE = f"""
    UPDATE memories SET retired_at = date_trunc('milliseconds', now()), retired_for = '{RetiredFor.SUPERSEDED.value}',
        valid_to = COALESCE(valid_to, date_trunc('milliseconds', now()))
    WHERE document_id = :document AND version_of IS NULL AND retired_at IS NULL
"""
_RETIRE_OTHERS = text(_RETIRE + "AND subject <> :subject")
_RETIRE_REST = text(_RETIRE + "AND identity <> ALL(CAST(:identities AS text[]))")
_COUNT = text(
    "SELECT count(*) FROM memories WHERE document_id = :document AND version_of IS NULL AND retired_at IS NULL"
)


@dataclass
class Linking:
    """A version whose passages become memories, and how far that is."""

    document_id: str
    version_id: str
    number: int
    operation_id: str
    created_at: datetime
    space_id: str
    wanted: bool
    subject: str
    metadata: dict[str, Any]
    after: int = -1
    identities: list[str] = field(default_factory=list)
    seen: Counter[str] = field(default_factory=Counter)


class DocumentMemories:
    """Memories of documents of one organisation."""

    def __init__(self, session: AsyncSession, organisation_id: str, page: int = PAGE) -> None:
        self._session, self._organisation_id, self._page = session, organisation_id, page

    async def wanted(self, version_ids: Sequence[str]) -> list[Linking]:
        """Versions whose passages are to become memories, or which have left such memories behind."""
        rows = await self._session.execute(_WANTED, {"versions": list(version_ids)})
        return [Linking(**row) for row in rows.mappings()]

    async def link(self, linking: Linking) -> bool:
        """Write the next passages; whether there may be more. A second time nothing changes."""
        locked = await self._session.execute(_LOCK, {"document": linking.document_id})
        if locked.scalar_one_or_none() != linking.number:
            return False  # deleted, or a newer version sees to it
        of_document = {"document": linking.document_id}
        if linking.after < 0:
            await self._session.execute(_RETIRE_OTHERS, {**of_document, "subject": linking.subject})
        if linking.wanted and await self._write(linking):
            return True
        await self._session.execute(_RETIRE_REST, {**of_document, "identities": linking.identities})
        return False

    async def _write(self, linking: Linking) -> bool:
        """Passages become memories, or the memories of the same passages point to them; whether there may be more."""
        writer = MemoryWriter(self._session, self._organisation_id, linking.space_id)
        await writer.share()
        space = await writer.space()
        if space is None:
            return False
        chunks = await self._chunks(linking, space)
        memories = [
            self._memory(linking, chunk, vector) for chunk, vector in chunks if says_something(chunk.text)
        ]
        linking.identities += [memory.identity for memory in memories]
        await self._session.execute(
            _MOVE,
            {
                "document": linking.document_id,
                "identities": [memory.identity for memory in memories],
                "chunks": [memory.source["id"] for memory in memories],
                "ordinals": [memory.ordinal for memory in memories],
            },
        )
        if memories:
            await writer.add(memories, {linking.operation_id: Outcome()}, space)
        if chunks:
            linking.after = chunks[-1][0].ordinal
        return len(chunks) == self._page

    async def _chunks(self, linking: Linking, space: SpaceRow) -> list[tuple[ChunkRow, Vectors]]:
        statement = (
            select(ChunkRow, ChunkEmbeddingRow.embedding)
            .join(ChunkEmbeddingRow, ChunkEmbeddingRow.chunk_id == ChunkRow.id)
            .where(
                ChunkRow.document_id == linking.document_id,
                ChunkRow.ordinal > linking.after,
                ChunkEmbeddingRow.model == space.embedding_model,
            )
            .order_by(ChunkRow.ordinal)
            .limit(self._page)
        )
        found = await self._session.execute(statement)
        return [(row, np.asarray(vector, dtype=np.float32)) for row, vector in found]

    @staticmethod
    def _memory(linking: Linking, chunk: ChunkRow, vector: Vectors) -> NewMemory:
        linking.seen[chunk.text] += 1
        return NewMemory(
            operation_id=linking.operation_id,
            kind=MemoryKind.EVIDENCE.value,
            content=chunk.text,
            subject=linking.subject,
            speaker=None,
            role=None,
            external_id=None,
            # Passages of a document follow each other, as turns of a conversation do.
            session_id=linking.document_id,
            valid_from=linking.created_at,
            source={
                "type": "chunk",
                "id": chunk.id,
                "start": 0,
                "end": len(chunk.text),
                "document_id": linking.document_id,
            },
            tags=(),
            metadata=linking.metadata,
            expires_at=None,
            sequence=int(linking.created_at.timestamp() * 1000),
            ordinal=chunk.ordinal,
            piece=0,
            token_count=chunk.token_count,
            identity=passage_identity(linking.document_id, chunk.text, linking.seen[chunk.text]),
            vector=vector,
            document_id=linking.document_id,
        )

    async def count(self, document_id: str) -> int:
        """Current memories of a document."""
        count: int = (await self._session.execute(_COUNT, {"document": document_id})).scalar_one()
        return count
