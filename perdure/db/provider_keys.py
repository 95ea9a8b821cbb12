"""Keys of one organisation at providers of models: sealed at rest, named by id everywhere else."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, and_, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from perdure.db.audit_trail import AuditTrail
from perdure.db.keyring import Keyring
from perdure.db.models import ProviderKeyRow
from perdure.db.secret_repository import last_four
from perdure.domain.audit import Action, Actor
from perdure.domain.ids import new_id
from perdure.domain.provider_keys import ProviderKey
from perdure.domain.routing import ProviderName
from perdure.domain.sealing import Place
from perdure.errors import ConflictError, NotFoundError
from perdure.schemas.operations import Subject

_NAMES = "provider_keys_name"


class ProviderKeyRepository:
    """Reads and writes the organisation's keys; the caller owns the transaction."""

    def __init__(self, session: AsyncSession, organisation_id: str, keyring: Keyring) -> None:
        self._session, self._organisation_id, self._keyring = session, organisation_id, keyring

    async def create(
        self,
        *,
        provider: ProviderName,
        name: str,
        value: str,
        base_url: str | None = None,
        default_model: str | None = None,
        requests_per_minute: int | None = None,
        created_by: str | None = None,
    ) -> ProviderKeyRow:
        """Seal and insert; ConflictError when the name is taken."""
        key_id = new_id("pky")
        row = ProviderKeyRow(
            id=key_id,
            organisation_id=self._organisation_id,
            provider=provider.value,
            name=name,
            base_url=base_url,
            default_model=default_model,
            sealed=await self._seal(key_id, value),
            last_four=last_four(value),
            requests_per_minute=requests_per_minute,
            created_by=created_by,
        )
        await self._write(row)
        return row

    async def get(self, key_id: str) -> ProviderKeyRow:
        """A key that is not revoked, without its value being opened; NotFoundError."""
        row = await self._session.scalar(
            select(ProviderKeyRow).where(self._is(key_id), ProviderKeyRow.revoked_at.is_(None))
        )
        if row is None:
            detail = f"There is no provider key {key_id}: list them with GET /api/v1/providers/keys."
            raise NotFoundError(detail)
        return row

    async def list(self, after: str | None = None, limit: int = 200) -> Sequence[ProviderKeyRow]:
        """Those that are not revoked, newest first."""
        statement = (
            select(ProviderKeyRow).where(self._usable()).order_by(ProviderKeyRow.id.desc()).limit(limit)
        )
        if after is not None:
            statement = statement.where(ProviderKeyRow.id < after)
        return (await self._session.scalars(statement)).all()

    async def change(self, key_id: str, *, value: str | None = None, **changed: Any) -> ProviderKeyRow:
        """Give columns other values, and the key itself when `value` is given: the next call takes it."""
        row = await self.get(key_id)
        if value is not None:
            row.sealed, row.last_four = await self._seal(key_id, value), last_four(value)
            row.tested_at = row.test_outcome = None
        for name, given in changed.items():
            setattr(row, name, given)
        row.updated_at = await self._now()
        await self._write(row)
        return row

    async def note_test(self, key_id: str, outcome: str) -> None:
        """Note how a test of a key ended: `ok`, or the reason why not."""
        await self._session.execute(
            update(ProviderKeyRow)
            .where(self._is(key_id), ProviderKeyRow.revoked_at.is_(None))
            .values(tested_at=func.now(), test_outcome=outcome)
        )

    async def revoke(self, key_id: str) -> ProviderKeyRow:
        """Destroy the value: no call that begins after this uses it. Its name is free again, its calls stay known."""
        row = await self.get(key_id)
        row.sealed, row.revoked_at = None, await self._now()
        await self._session.flush()
        return row

    async def usable(self) -> Sequence[ProviderKeyRow]:
        """Every key that is not revoked, oldest first."""
        statement = select(ProviderKeyRow).where(self._usable()).order_by(ProviderKeyRow.id)
        return (await self._session.scalars(statement)).all()

    async def opened(self, rows: Iterable[ProviderKeyRow]) -> Sequence[ProviderKey]:
        """The keys themselves: for calls of providers, at the moment of use, and never for an answer or a log."""
        return [await self._opened(row) for row in rows if row.sealed is not None]

    async def _opened(self, row: ProviderKeyRow) -> ProviderKey:
        value = await self._keyring.open(self._session, self._place(row.id), row.sealed or b"")
        return ProviderKey(
            provider=ProviderName(row.provider),
            secret=value.decode(),
            base_url=row.base_url,
            default_model=row.default_model,
            id=row.id,
            requests_per_minute=row.requests_per_minute,
        )

    async def record(self, action: Action, actor: Actor, key_id: str, **details: str) -> None:
        """Note in the audit trail what happened to a key."""
        subject = Subject(type="provider_key", id=key_id)
        trail = AuditTrail(self._session, self._organisation_id)
        await trail.record(action, actor, subject=subject, details=details)

    async def _write(self, row: ProviderKeyRow) -> None:
        name = row.name
        try:
            async with self._session.begin_nested():
                self._session.add(row)
        except IntegrityError as error:
            if _NAMES not in str(error.orig):
                raise
            detail = f"There is a key named '{name}': choose another name, or revoke that one."
            raise ConflictError(detail) from error
        await self._session.refresh(row)

    async def _now(self) -> Any:
        return (await self._session.execute(select(func.now()))).scalar_one()

    def _usable(self) -> ColumnElement[bool]:
        return and_(
            ProviderKeyRow.organisation_id == self._organisation_id, ProviderKeyRow.revoked_at.is_(None)
        )

    def _is(self, key_id: str) -> ColumnElement[bool]:
        return and_(ProviderKeyRow.organisation_id == self._organisation_id, ProviderKeyRow.id == key_id)

    def _place(self, key_id: str) -> Place:
        return Place(self._organisation_id, ProviderKeyRow.__tablename__, "sealed", key_id)

    async def _seal(self, key_id: str, value: str) -> bytes:
        return await self._keyring.seal(self._session, self._place(key_id), value.encode())
