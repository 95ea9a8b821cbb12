"""Look-ups that only pages for people need; the caller owns the transaction."""

from collections.abc import Iterable

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from perdure.db.models import ChunkRow, DocumentRow, SpaceRow


class ConsoleRepository:
    """Names of what operations are about, and places in documents."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def document_titles(self, ids: Iterable[str]) -> dict[str, str]:
        """Titles by id; documents that are gone are left out."""
        statement = select(DocumentRow.id, DocumentRow.title).where(DocumentRow.id.in_(list(ids)))
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
