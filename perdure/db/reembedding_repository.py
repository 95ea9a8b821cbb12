"""Vectors of a second model beside those that are served; the caller owns the transaction."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from perdure.db.candidates import REMEMBERED
from perdure.db.models import (
    ChunkEmbeddingRow,
    ChunkRow,
    DocumentRow,
    MemoryEmbeddingRow,
    MemoryRow,
    SpaceRow,
)
from perdure.db.vector_index import VectorIndexState, share
from perdure.ports.models import EmbeddingModel, Vectors


@dataclass(frozen=True)
class UnembeddedChunk:
    """A chunk without a vector of the wanted model."""

    chunk_id: str
    title: str
    heading_path: Sequence[str]
    text: str


@dataclass(frozen=True)
class UnembeddedMemory:
    """A memory without a vector of the wanted model."""

    memory_id: str
    speaker: str | None
    content: str


class ReembeddingRepository:
    """Embeddings of one space: of its chunks and its memories."""

    def __init__(self, session: AsyncSession, organisation_id: str, space_id: str) -> None:
        self._session, self._organisation_id, self._space_id = session, organisation_id, space_id

    async def space(self, *, lock: bool = False) -> SpaceRow | None:
        """The space; locked, nothing is indexed into it until the transaction ends."""
        return await self._session.get(SpaceRow, self._space_id, with_for_update=lock)

    async def missing(self, model: str, limit: int) -> Sequence[UnembeddedChunk]:
        """Chunks that have no vector of this model."""
        has_vector = select(ChunkEmbeddingRow.chunk_id).where(
            ChunkEmbeddingRow.chunk_id == ChunkRow.id, ChunkEmbeddingRow.model == model
        )
        statement = (
            select(ChunkRow.id, DocumentRow.title, ChunkRow.heading_path, ChunkRow.text)
            .join(DocumentRow, DocumentRow.id == ChunkRow.document_id)
            .where(ChunkRow.space_id == self._space_id, ~has_vector.exists())
            .order_by(ChunkRow.id)
            .limit(limit)
        )
        return [UnembeddedChunk(*row) for row in await self._session.execute(statement)]

    async def missing_memories(self, model: str, limit: int) -> Sequence[UnembeddedMemory]:
        """Memories, and versions of them, that have no vector of this model."""
        has_vector = select(MemoryEmbeddingRow.memory_id).where(
            MemoryEmbeddingRow.memory_id == MemoryRow.id, MemoryEmbeddingRow.model == model
        )
        statement = (
            select(MemoryRow.id, MemoryRow.speaker, MemoryRow.content)
            .where(MemoryRow.space_id == self._space_id, ~has_vector.exists())
            .order_by(MemoryRow.id)
            .limit(limit)
        )
        return [UnembeddedMemory(*row) for row in await self._session.execute(statement)]

    async def count(self) -> int:
        """Chunks of the space."""
        statement = select(func.count()).select_from(ChunkRow).where(ChunkRow.space_id == self._space_id)
        return (await self._session.execute(statement)).scalar_one()

    async def count_memories(self) -> int:
        """Memories of the space, with their versions."""
        statement = select(func.count()).select_from(MemoryRow).where(MemoryRow.space_id == self._space_id)
        return (await self._session.execute(statement)).scalar_one()

    async def add(self, chunk_ids: Sequence[str], vectors: Vectors, model: EmbeddingModel) -> None:
        """Insert vectors; a chunk that has one of this model, or that was deleted meanwhile, is passed over."""
        await share(self._session, [self._space_id])
        space = await self.space()
        alive = set(
            await self._session.scalars(
                select(ChunkRow.id).where(ChunkRow.id.in_(chunk_ids)).with_for_update(key_share=True)
            )
        )
        rows = [
            {
                "chunk_id": chunk_id,
                "model": model.name,
                "dimension": model.dimension,
                "organisation_id": self._organisation_id,
                "space_id": self._space_id,
                "embedding": vector.tolist(),
                "in_vector_index": space is not None and space.vector_index != VectorIndexState.NONE,
            }
            for chunk_id, vector in zip(chunk_ids, vectors, strict=True)
            if chunk_id in alive
        ]
        if rows:
            await self._session.execute(insert(ChunkEmbeddingRow).on_conflict_do_nothing(), rows)

    async def add_memories(self, memory_ids: Sequence[str], vectors: Vectors, model: EmbeddingModel) -> None:
        """The same for memories."""
        await share(self._session, [self._space_id], REMEMBERED)
        space = await self.space()
        alive = set(
            await self._session.scalars(
                select(MemoryRow.id).where(MemoryRow.id.in_(memory_ids)).with_for_update(key_share=True)
            )
        )
        rows = [
            {
                "memory_id": memory_id,
                "model": model.name,
                "dimension": model.dimension,
                "organisation_id": self._organisation_id,
                "space_id": self._space_id,
                "embedding": vector.tolist(),
                "in_vector_index": space is not None and space.memory_vector_index != VectorIndexState.NONE,
            }
            for memory_id, vector in zip(memory_ids, vectors, strict=True)
            if memory_id in alive
        ]
        if rows:
            await self._session.execute(insert(MemoryEmbeddingRow).on_conflict_do_nothing(), rows)

    async def switch(self, model: EmbeddingModel) -> None:
        """Serve this model from the commit on, and drop the vectors of all others."""
        await self._session.execute(
            update(SpaceRow)
            .where(SpaceRow.id == self._space_id)
            .values(embedding_model=model.name, embedding_dimension=model.dimension)
        )
        for table in (ChunkEmbeddingRow, MemoryEmbeddingRow):
            await self._session.execute(
                delete(table).where(table.space_id == self._space_id, table.model != model.name)
            )
