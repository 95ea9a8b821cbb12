"""Vectors of a second model beside those that are served; the caller owns the transaction."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from perdure.db.candidates import PASSAGES, REMEMBERED, Kind
from perdure.db.models import ChunkRow, DocumentRow, MemoryRow, SpaceRow
from perdure.db.vector_index import VectorIndexState, share
from perdure.domain.chunking import contextual_text
from perdure.domain.memories import embedded_text
from perdure.ports.models import EmbeddingModel, Vectors

KINDS = (PASSAGES, REMEMBERED)


@dataclass(frozen=True)
class Unembedded:
    """A passage or a memory without a vector of the wanted model."""

    id: str
    text: str
    """What is embedded."""


@dataclass(frozen=True)
class _Texts:
    row: type[ChunkRow] | type[MemoryRow]
    parts: Select[*tuple[Any, ...]]
    """Ids, and what `text` takes."""
    text: Callable[..., str]


_TEXTS = {
    PASSAGES: _Texts(
        ChunkRow,
        select(ChunkRow.id, DocumentRow.title, ChunkRow.heading_path, ChunkRow.text).join(
            DocumentRow, DocumentRow.id == ChunkRow.document_id
        ),
        contextual_text,
    ),
    REMEMBERED: _Texts(MemoryRow, select(MemoryRow.id, MemoryRow.speaker, MemoryRow.content), embedded_text),
}


class ReembeddingRepository:
    """Embeddings of one space: of its chunks and its memories."""

    def __init__(self, session: AsyncSession, organisation_id: str, space_id: str) -> None:
        self._session, self._organisation_id, self._space_id = session, organisation_id, space_id

    async def space(self, *, lock: bool = False) -> SpaceRow | None:
        """The space; locked, nothing is indexed into it until the transaction ends."""
        return await self._session.get(SpaceRow, self._space_id, with_for_update=lock)

    async def missing(self, kind: Kind, model: str, limit: int) -> Sequence[Unembedded]:
        """Those that have no vector of this model, versions of memories included."""
        texts = _TEXTS[kind]
        has_vector = select(kind.vector_of).where(kind.vector_of == texts.row.id, kind.vector.model == model)
        statement = (
            texts.parts.where(texts.row.space_id == self._space_id, ~has_vector.exists())
            .order_by(texts.row.id)
            .limit(limit)
        )
        found = await self._session.execute(statement)
        return [Unembedded(identifier, texts.text(*parts)) for identifier, *parts in found]

    async def count(self, kind: Kind) -> int:
        """How many the space has, versions of memories included."""
        row = _TEXTS[kind].row
        statement = select(func.count()).select_from(row).where(row.space_id == self._space_id)
        return (await self._session.execute(statement)).scalar_one()

    async def add(self, kind: Kind, ids: Sequence[str], vectors: Vectors, model: EmbeddingModel) -> None:
        """Insert vectors; what has one of this model, or was deleted meanwhile, is passed over."""
        await share(self._session, [self._space_id], kind)
        space = await self.space()
        in_index = space is not None and getattr(space, kind.index_state) != VectorIndexState.NONE
        row = _TEXTS[kind].row
        alive = set(
            await self._session.scalars(select(row.id).where(row.id.in_(ids)).with_for_update(key_share=True))
        )
        rows = [
            {
                kind.vector_of.key: identifier,
                "model": model.name,
                "dimension": model.dimension,
                "organisation_id": self._organisation_id,
                "space_id": self._space_id,
                "embedding": vector.tolist(),
                "in_vector_index": in_index,
            }
            for identifier, vector in zip(ids, vectors, strict=True)
            if identifier in alive
        ]
        if rows:
            await self._session.execute(insert(kind.vector).on_conflict_do_nothing(), rows)

    async def switch(self, model: EmbeddingModel) -> None:
        """Serve this model from the commit on, and drop the vectors of all others."""
        await self._session.execute(
            update(SpaceRow)
            .where(SpaceRow.id == self._space_id)
            .values(embedding_model=model.name, embedding_dimension=model.dimension)
        )
        for kind in KINDS:
            table = kind.vector
            await self._session.execute(
                delete(table).where(table.space_id == self._space_id, table.model != model.name)
            )
