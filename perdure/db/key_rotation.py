"""Rotation of an organisation's data keys, in small transactions; values stay readable all the time."""

from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from perdure.db.data_key_repository import DataKeyRepository
from perdure.db.keyring import Keyring
from perdure.db.sealed_columns import SEALED_COLUMNS, SealedColumn, SealedValues
from perdure.domain.sealing import seal
from perdure.errors import SealedValueError

logger = structlog.get_logger("perdure.key_rotation")


@dataclass(frozen=True)
class Page:
    """What became of one page of values."""

    count: int
    unreadable: Sequence[str]
    last_id: str | None


@dataclass(frozen=True)
class Retirement:
    """How many keys are retired by now, and which old ones still seal something."""

    retired: int
    still_needed: Sequence[str]


class KeyRotation:
    """Steps of a rotation; each may run twice, and side by side with another rotation."""

    def __init__(self, session: AsyncSession, organisation_id: str, keyring: Keyring) -> None:
        self._session, self._organisation_id, self._keyring = session, organisation_id, keyring
        self._data_keys = DataKeyRepository(session, organisation_id)

    async def make_key(self, operation_id: str) -> str:
        """Seal with a fresh key from the commit on; its id. The operation makes one, however often it asks.

        Whoever seals with the old key has committed before: after this, no value appears under an old key.
        """
        await self._data_keys.lock()
        if await self._data_keys.made_by(operation_id) is None:
            await self._data_keys.deactivate()
            await self._keyring.make(self._session, self._organisation_id, operation_id)
        return (await self._keyring.sealing_key(self._session, self._organisation_id)).id

    async def rewrap(self) -> int:
        """Put every key that is not retired under the current master key; how many were not."""
        await self._data_keys.lock()
        count = 0
        for row in await self._data_keys.serving():
            if not self._keyring.is_current(row):
                master_key_id, wrapped = await self._keyring.wrap(self._session, self._keyring.unwrap(row))
                await self._data_keys.rewrap(row.id, master_key_id, wrapped)
                count += 1
        return count

    async def remaining(self) -> int:
        """How many values an older key seals."""
        key = await self._keyring.sealing_key(self._session, self._organisation_id)
        return sum([await self._values(column).count(key.id, under=False) for column in SEALED_COLUMNS])

    async def reencrypt(self, column: SealedColumn, after_id: str, limit: int) -> Page:
        """Seal the next values of a column with the active key; those that do not open stay as they are."""
        key = await self._keyring.sealing_key(self._session, self._organisation_id)
        values = self._values(column)
        rows = await values.page(key.id, after_id, limit)
        unreadable = []
        for row_id, sealed in rows:
            place = values.place(row_id)
            try:
                plaintext = await self._keyring.open(self._session, place, sealed)
            except SealedValueError as error:
                unreadable.append(str(place))
                logger.warning("sealed_value_unreadable", place=str(place), error=str(error))
                continue
            await values.write(row_id, seal(key.secret, key.id, place, plaintext))
        last_id = rows[-1][0] if len(rows) == limit else None
        return Page(len(rows) - len(unreadable), unreadable, last_id)

    async def retire(self) -> Retirement:
        """Retire every key but the active one that seals nothing any more."""
        await self._data_keys.lock()
        still_needed = []
        for row in await self._data_keys.serving():
            if row.active:
                continue
            if await self._sealed_with(row.id):
                still_needed.append(row.id)
            else:
                await self._data_keys.retire(row.id)
        return Retirement(await self._data_keys.count_retired(), still_needed)

    async def _sealed_with(self, key_id: str) -> int:
        return sum([await self._values(column).count(key_id, under=True) for column in SEALED_COLUMNS])

    def _values(self, column: SealedColumn) -> SealedValues:
        return SealedValues(self._session, self._organisation_id, column)
