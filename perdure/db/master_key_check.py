"""Refuses to run with master keys that are not the ones this database was used with."""

import asyncio

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from perdure.db.data_key_repository import MasterKeyRepository
from perdure.db.guard import Fault
from perdure.db.keyring import check_value, passes_check
from perdure.db.session import Database
from perdure.errors import ConfigurationError
from perdure.master_key_file import key_file_path, makes_key_file
from perdure.master_keys import MasterKeys, load_master_keys
from perdure.settings import Settings

logger = structlog.get_logger("perdure.master_keys")

# Arbitrary, and the same for ever: of processes that start together, one makes the key.
_LOCK = 7_033_188_474
_RESTORE = (
    "Restore the master key file (or PERDURE_MASTER_KEYS, or the passphrase and its salt file) from the backup "
    "that belongs to this database; a key that was replaced must stay readable, after the new one."
)


async def check_master_keys(database: Database, settings: Settings) -> MasterKeys:
    """Load the master keys, made at the very first start; ConfigurationError names what is wrong.

    API and worker call this at start. A key that is missing is never made anew for a database that knows one.
    """
    async with database.transaction(None) as session:
        await session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        known = MasterKeyRepository(session)
        check_values = await known.check_values()
        is_first = not check_values and not await known.in_use()
        makes = is_first and makes_key_file(settings) and not key_file_path(settings).exists()
        # A passphrase or a key service takes a moment.
        keys = await asyncio.to_thread(load_master_keys, settings, make=is_first)
        if makes:
            logger.warning(
                "master_key_made",
                back_up=str(key_file_path(settings)),
                why="nothing encrypted opens without it",
            )
        faults = await find_key_faults(session, keys)
        if faults:
            listed = " ".join(f"{n}. {fault.what} {fault.remedy}" for n, fault in enumerate(faults, 1))
            raise ConfigurationError(f"Perdure does not start with these master keys. {listed}")
        for key_id in keys.ids():
            if key_id not in check_values:
                await known.add(key_id, check_value(keys, key_id))
    return keys


async def examine_master_keys(
    database: Database, settings: Settings
) -> tuple[MasterKeys | None, list[Fault]]:
    """What a start would find, without making or noting anything; no keys before the first start."""
    async with database.transaction(None) as session:
        known = MasterKeyRepository(session)
        is_first = not await known.check_values() and not await known.in_use()
        if is_first and makes_key_file(settings) and not key_file_path(settings).exists():
            return None, []
        try:
            keys = await asyncio.to_thread(load_master_keys, settings, make=False)
        except ConfigurationError as error:
            return None, [Fault(str(error), _RESTORE)]
        return keys, await find_key_faults(session, keys)


async def find_key_faults(session: AsyncSession, keys: MasterKeys) -> list[Fault]:
    """Everything that speaks against running with these keys; empty when all is well."""
    known = MasterKeyRepository(session)
    check_values, in_use = await known.check_values(), await known.in_use()
    given = set(keys.ids())
    faults = [
        Fault(f"The master key {key_id} is not the one that this database was used with.", _RESTORE)
        for key_id in sorted(given & check_values.keys())
        if not passes_check(keys, key_id, check_values[key_id])
    ]
    if missing := sorted(in_use - given):
        faults.append(
            Fault(f"Data is encrypted under the master key {', '.join(missing)}, not given.", _RESTORE)
        )
    elif check_values and not given & check_values.keys():
        used = ", ".join(sorted(check_values))
        faults.append(
            Fault(f"This database was used with the master key {used}, and another one is given.", _RESTORE)
        )
    return faults
