"""Seals and opens values with the data keys of organisations, which master keys wrap (envelope encryption)."""

import time
from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncSession

from perdure.db.data_key_repository import DataKeyRepository, MasterKeyRepository
from perdure.db.models import DataKeyRow
from perdure.domain import sealing
from perdure.domain.ids import new_id
from perdure.domain.sealing import Place
from perdure.errors import SealedValueError
from perdure.master_keys import MasterKeys

_WRAPPING, _CHECKING = "data-keys", "check"
_CHECK_PLACE = Place("", "master_keys", "check_value", "")
# How long a key is remembered after it was unwrapped: a deleted organisation's should not stay for ever.
_REMEMBER_S = 300.0
_MOST_KEYS = 10_000


@dataclass(frozen=True)
class DataKey:
    """A data key, unwrapped."""

    id: str
    organisation_id: str
    secret: bytes = field(repr=False)


class Keyring:
    """Every value is written and read in a transaction of its organisation; the caller owns it."""

    def __init__(self, master_keys: MasterKeys) -> None:
        self._master_keys = master_keys
        self._remembered: dict[str, tuple[float, DataKey]] = {}

    async def seal(self, session: AsyncSession, place: Place, plaintext: bytes) -> bytes:
        """Encrypt for a place. Write the result in the same transaction: until its end the key stays active."""
        key = await self.sealing_key(session, place.organisation_id)
        return sealing.seal(key.secret, key.id, place, plaintext)

    async def open(self, session: AsyncSession, place: Place, sealed: bytes) -> bytes:
        """Decrypt what stands at a place; SealedValueError when that cannot be."""
        key_id = sealing.key_id_of(sealed)
        key = self._recall(key_id)
        if key is None:
            row = await DataKeyRepository(session, place.organisation_id).get(key_id)
            if row is None:
                detail = (
                    f"{place} was encrypted with the data key {key_id}, which this database does not have: "
                    "restore both from the same backup, or set it anew."
                )
                raise SealedValueError(detail)
            key = self.unwrap(row)
        # Another organisation's key does not get here (row security), and would not open it (its place).
        return sealing.unseal(key.secret, place, sealed)

    async def sealing_key(self, session: AsyncSession, organisation_id: str) -> DataKey:
        """The active data key, held until the transaction ends; the first use of an organisation makes it."""
        data_keys = DataKeyRepository(session, organisation_id)
        row = await data_keys.active(hold=True)
        while row is None:
            # None yet: make it. Or a rotation committed while we waited for the old one: the next look finds the new.
            await self.make(session, organisation_id)
            row = await data_keys.active(hold=True)
        return self._recall(row.id) or self.unwrap(row)

    async def make(
        self, session: AsyncSession, organisation_id: str, operation_id: str | None = None
    ) -> None:
        """Add a fresh key as the active one, unless there is an active one."""
        key = DataKey(new_id("dk"), organisation_id, sealing.new_key())
        master_key_id, wrapped = await self.wrap(session, key)
        data_keys = DataKeyRepository(session, organisation_id)
        await data_keys.add(key.id, master_key_id, wrapped, operation_id)

    async def wrap(self, session: AsyncSession, key: DataKey) -> tuple[str, bytes]:
        """Id of the current master key, and the data key under it."""
        master_key_id = self._master_keys.current_id
        wrapping = self._master_keys.derive(master_key_id, _WRAPPING)
        await MasterKeyRepository(session).add(master_key_id, check_value(self._master_keys, master_key_id))
        return master_key_id, sealing.seal(wrapping, master_key_id, _place_of(key), key.secret)

    def unwrap(self, row: DataKeyRow) -> DataKey:
        """The key in a row; it is remembered for a while."""
        place = Place(row.organisation_id, DataKeyRow.__tablename__, "wrapped", row.id)
        wrapping = self._master_keys.derive(row.master_key_id, _WRAPPING)
        key = DataKey(row.id, row.organisation_id, sealing.unseal(wrapping, place, row.wrapped))
        if len(self._remembered) >= _MOST_KEYS:
            self._remembered.clear()
        self._remembered[key.id] = (time.monotonic() + _REMEMBER_S, key)
        return key

    def is_current(self, row: DataKeyRow) -> bool:
        """Whether the current master key wraps it."""
        return row.master_key_id == self._master_keys.current_id

    def _recall(self, key_id: str) -> DataKey | None:
        until, key = self._remembered.get(key_id, (0.0, None))
        if time.monotonic() < until:
            return key
        self._remembered.pop(key_id, None)
        return None


def check_value(keys: MasterKeys, key_id: str) -> bytes:
    """Something that only this master key opens."""
    return sealing.seal(keys.derive(key_id, _CHECKING), key_id, _CHECK_PLACE, b"")


def passes_check(keys: MasterKeys, key_id: str, value: bytes) -> bool:
    """Whether it is the key that the value was made with."""
    try:
        sealing.unseal(keys.derive(key_id, _CHECKING), _CHECK_PLACE, value)
    except SealedValueError:
        return False
    return True


def _place_of(key: DataKey) -> Place:
    return Place(key.organisation_id, DataKeyRow.__tablename__, "wrapped", key.id)
