"""Names of what operations are about, for lists that people read."""

from collections.abc import Iterable

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from perdure.db.models import DocumentRow, SpaceRow


class NameRepository:
    """Looks names up, many at once; ids that are gone are left out."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def documents(self, ids: Iterable[str]) -> dict[str, str]:
        """Titles of documents by id."""
        statement = select(DocumentRow.id, DocumentRow.title).where(DocumentRow.id.in_(list(ids)))
        return {document_id: title for document_id, title in await self._session.execute(statement)}

    async def spaces(self, ids: Iterable[str]) -> dict[str, str]:
        """Names of spaces by id."""
        statement = select(SpaceRow.id, SpaceRow.name).where(SpaceRow.id.in_(list(ids)))
        return {space_id: name for space_id, name in await self._session.execute(statement)}
