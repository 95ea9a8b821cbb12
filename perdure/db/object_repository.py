"""Which objects of an organisation are of use; the caller owns the transaction."""

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

_UNUSED = text(
    """
    SELECT key FROM unnest(CAST(:keys AS text[])) AS key
    WHERE NOT EXISTS (SELECT 1 FROM document_versions v WHERE v.object_key = key)
      AND NOT EXISTS (SELECT 1 FROM operations o WHERE o.input #>> '{source,object_key}' = key)
    """
)


class ObjectRepository:
    """Objects as the rows of the session's organisation know them."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def unused(self, keys: Sequence[str]) -> Sequence[str]:
        """Those of the keys that no document and no operation has."""
        return (await self._session.scalars(_UNUSED, {"keys": list(keys)})).all()
