"""Look-ups that only pages for people need; the caller owns the transaction."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from perdure.db.models import ChunkRow, DocumentRow, MemoryPersonRow, MemoryRow, SpaceRow, WorkflowApprovalRow

# Names that a form offers; whoever is not among them can be typed.
_MOST_PEOPLE = 200


@dataclass(frozen=True)
class MessagePiece:
    """A memory that was made of a part of a message."""

    memory_id: str
    content: str


@dataclass(frozen=True)
class ChunkSource:
    """A passage that a memory was made of."""

    chunk_id: str
    document_id: str
    document_title: str
    text: str


class ConsoleRepository:
    """Names of what operations are about, and places in documents and messages."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def document_titles(self, ids: Iterable[str]) -> dict[str, str]:
        """Titles by id; documents that are gone are left out."""
        statement = select(DocumentRow.id, DocumentRow.title).where(DocumentRow.id.in_(list(ids)))
        return {row.id: row.title for row in await self._session.execute(statement)}

    async def approval_titles(self, ids: Iterable[str]) -> dict[str, str]:
        """Titles of requests for approval by id."""
        statement = select(WorkflowApprovalRow.id, WorkflowApprovalRow.title).where(
            WorkflowApprovalRow.id.in_(list(ids))
        )
        return {row.id: row.title for row in await self._session.execute(statement)}

    async def space_names(self, ids: Iterable[str]) -> dict[str, str]:
        """Names by id; spaces that are gone are left out."""
        statement = select(SpaceRow.id, SpaceRow.name).where(SpaceRow.id.in_(list(ids)))
        return {row.id: row.name for row in await self._session.execute(statement)}

    async def ordinal_of_chunk(self, document_id: str, chunk_id: str) -> int | None:
        """Where a passage stands in its document; None when it is not there any more."""
        statement = select(ChunkRow.ordinal).where(
            ChunkRow.document_id == document_id, ChunkRow.id == chunk_id
        )
        ordinal: int | None = await self._session.scalar(statement)
        return ordinal

    async def people(self, space: str) -> Sequence[str]:
        """Speakers and subjects of a space, by name."""
        statement = (
            select(MemoryPersonRow.name)
            .join(SpaceRow, SpaceRow.id == MemoryPersonRow.space_id)
            .where(SpaceRow.name == space)
            .order_by(MemoryPersonRow.name)
            .limit(_MOST_PEOPLE)
        )
        return (await self._session.scalars(statement)).all()

    async def message_pieces(self, memory_id: str) -> Sequence[MessagePiece]:
        """The memories that the message of a memory became, in order; itself, where it is all of it."""
        known, piece = aliased(MemoryRow), aliased(MemoryRow)
        # The columns of the index that orders a conversation; the id of the message alone has none.
        same = (
            "space_id",
            "subject",
            "session_id",
            "valid_from",
            "sequence",
            "ordinal",
        )
        statement = (
            select(piece.id, piece.content)
            .join(known, known.id == memory_id)
            .where(
                *(getattr(piece, name) == getattr(known, name) for name in same),
                piece.source["id"].astext == known.source["id"].astext,
                or_(piece.retired_at.is_(None), piece.id == memory_id),
                piece.version_of.is_(None),
            )
            .order_by(piece.piece)
        )
        return [MessagePiece(row.id, row.content) for row in await self._session.execute(statement)]

    async def chunk_source(self, chunk_id: str) -> ChunkSource | None:
        """A passage with its document; None when it is not there any more."""
        statement = (
            select(ChunkRow.id, ChunkRow.document_id, DocumentRow.title, ChunkRow.text)
            .join(DocumentRow, DocumentRow.id == ChunkRow.document_id)
            .where(ChunkRow.id == chunk_id)
        )
        row = (await self._session.execute(statement)).one_or_none()
        return None if row is None else ChunkSource(row.id, row.document_id, row.title, row.text)
