"""Data keys of one organisation, wrapped; the caller owns the transaction."""

from collections.abc import Sequence

from sqlalchemy import func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from perdure.db.models import DataKeyRow, MasterKeyRow, OrganisationRow


class DataKeyRepository:
    """Reads and writes wrapped data keys. What is inside them, only the keyring knows."""

    def __init__(self, session: AsyncSession, organisation_id: str) -> None:
        self._session, self._organisation_id = session, organisation_id

    async def lock(self) -> None:
        """One at a time makes, wraps and retires the organisation's keys; sealing and opening go on."""
        statement = select(OrganisationRow.id).where(OrganisationRow.id == self._organisation_id)
        await self._session.execute(statement.with_for_update(key_share=True))

    async def get(self, key_id: str) -> DataKeyRow | None:
        """A key by its id."""
        statement = select(DataKeyRow).where(
            DataKeyRow.organisation_id == self._organisation_id, DataKeyRow.id == key_id
        )
        row: DataKeyRow | None = await self._session.scalar(statement)
        return row

    async def active(self, *, hold: bool = False) -> DataKeyRow | None:
        """The key that seals; held, it stays the one until the transaction ends."""
        statement = select(DataKeyRow).where(
            DataKeyRow.organisation_id == self._organisation_id, DataKeyRow.active
        )
        if hold:
            statement = statement.with_for_update(read=True)
        row: DataKeyRow | None = await self._session.scalar(statement)
        return row

    async def made_by(self, operation_id: str) -> DataKeyRow | None:
        """The key that an operation made."""
        statement = select(DataKeyRow).where(
            DataKeyRow.organisation_id == self._organisation_id, DataKeyRow.operation_id == operation_id
        )
        row: DataKeyRow | None = await self._session.scalar(statement)
        return row

    async def add(self, key_id: str, master_key_id: str, wrapped: bytes, operation_id: str | None) -> None:
        """Insert the active key; of several racing transactions, the first."""
        await self._session.execute(
            insert(DataKeyRow)
            .values(
                id=key_id,
                organisation_id=self._organisation_id,
                master_key_id=master_key_id,
                wrapped=wrapped,
                active=True,
                operation_id=operation_id,
            )
            .on_conflict_do_nothing(index_elements=["organisation_id"], index_where=text("active"))
        )

    async def deactivate(self) -> None:
        """Let the active key only open. Waits for whoever seals with it right now."""
        await self._session.execute(
            update(DataKeyRow)
            .where(DataKeyRow.organisation_id == self._organisation_id, DataKeyRow.active)
            .values(active=False)
        )

    async def serving(self) -> Sequence[DataKeyRow]:
        """All keys that are not retired."""
        statement = (
            select(DataKeyRow)
            .where(DataKeyRow.organisation_id == self._organisation_id, DataKeyRow.retired_at.is_(None))
            .order_by(DataKeyRow.id)
        )
        return (await self._session.scalars(statement)).all()

    async def rewrap(self, key_id: str, master_key_id: str, wrapped: bytes) -> None:
        """The same key under another master key."""
        await self._session.execute(
            update(DataKeyRow)
            .where(DataKeyRow.organisation_id == self._organisation_id, DataKeyRow.id == key_id)
            .values(master_key_id=master_key_id, wrapped=wrapped)
        )

    async def retire(self, key_id: str) -> None:
        """Note that nothing is sealed with this key any more. It is kept: a restored row may need it."""
        await self._session.execute(
            update(DataKeyRow)
            .where(
                DataKeyRow.organisation_id == self._organisation_id,
                DataKeyRow.id == key_id,
                ~DataKeyRow.active,
            )
            .values(retired_at=func.now())
        )

    async def count_retired(self) -> int:
        """How many keys are retired."""
        statement = select(func.count()).where(
            DataKeyRow.organisation_id == self._organisation_id, DataKeyRow.retired_at.is_not(None)
        )
        return (await self._session.execute(statement)).scalar_one()


class MasterKeyRepository:
    """Which master keys were used with this database."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def check_values(self) -> dict[str, bytes]:
        """By id, what only that key opens."""
        rows = await self._session.execute(select(MasterKeyRow.id, MasterKeyRow.check_value))
        return {row.id: row.check_value for row in rows}

    async def in_use(self) -> set[str]:
        """Ids of those that wrap a data key of any organisation; retired data keys do not count."""
        return set(await self._session.scalars(select(func.find_master_keys_in_use())))

    async def add(self, key_id: str, check_value: bytes) -> None:
        """Note a master key; one that is noted stays as it is."""
        await self._session.execute(
            insert(MasterKeyRow).values(id=key_id, check_value=check_value).on_conflict_do_nothing()
        )
