"""API keys; only hashes are stored."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import ARRAY, Text, func, literal, not_, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from perdure.db.models import ApiKeyRow
from perdure.domain.ids import new_id
from perdure.domain.roles import Scope

LAST_USED_PRECISION = timedelta(minutes=1)


class ApiKeyRepository:
    """Reads and writes the current organisation's keys; the caller owns the transaction."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def create(
        self,
        organisation_id: str,
        created_by: str,
        *,
        name: str,
        scopes: Iterable[Scope],
        key_hash: str,
        last_four: str,
        expires_at: datetime | None,
    ) -> ApiKeyRow:
        """Insert a key."""
        row = ApiKeyRow(
            id=new_id("key"),
            organisation_id=organisation_id,
            created_by=created_by,
            name=name,
            scopes=sorted({scope.value for scope in scopes}),
            key_hash=key_hash,
            last_four=last_four,
            expires_at=expires_at,
        )
        self._session.add(row)
        await self._session.flush()
        await self._session.refresh(row, ["created_at"])
        return row

    async def list(self, organisation_id: str, after: str | None, limit: int) -> Sequence[ApiKeyRow]:
        """Keys that are not revoked, newest first; expired ones are among them."""
        statement = (
            select(ApiKeyRow)
            .where(ApiKeyRow.organisation_id == organisation_id, ApiKeyRow.revoked_at.is_(None))
            .order_by(ApiKeyRow.id.desc())
            .limit(limit)
        )
        if after is not None:
            statement = statement.where(ApiKeyRow.id < after)
        return (await self._session.scalars(statement)).all()

    async def revoke(self, organisation_id: str, key_id: str) -> bool:
        """Revoke a key; False when there is none, or not any more."""
        revoked = await self._session.scalar(
            update(ApiKeyRow)
            .where(
                ApiKeyRow.organisation_id == organisation_id,
                ApiKeyRow.id == key_id,
                ApiKeyRow.revoked_at.is_(None),
            )
            .values(revoked_at=func.now())
            .returning(ApiKeyRow.id)
        )
        return revoked is not None

    async def revoke_beyond(self, organisation_id: str, created_by: str, allowed: Iterable[Scope]) -> None:
        """Revoke the keys that someone made and that can do more than they themselves now may."""
        scopes = literal([scope.value for scope in allowed], ARRAY(Text))
        await self._session.execute(
            update(ApiKeyRow)
            .where(
                ApiKeyRow.organisation_id == organisation_id,
                ApiKeyRow.created_by == created_by,
                ApiKeyRow.revoked_at.is_(None),
                not_(ApiKeyRow.scopes.op("<@", is_comparison=True)(scopes)),
            )
            .values(revoked_at=func.now())
        )

    async def touch(self, key_id: str) -> None:
        """Note that the key is in use, at most once a minute."""
        stale = ApiKeyRow.last_used_at < func.now() - LAST_USED_PRECISION
        await self._session.execute(
            update(ApiKeyRow)
            .where(ApiKeyRow.id == key_id, or_(ApiKeyRow.last_used_at.is_(None), stale))
            .values(last_used_at=func.now())
        )
