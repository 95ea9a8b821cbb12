"""Brings a database to the newest schema, one process at a time, beside a product that goes on serving."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import structlog
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from perdure.db.session import engine_url
from perdure.errors import ConfigurationError, UnavailableError

logger = structlog.get_logger("perdure.migrate")

# Arbitrary, and the same for ever: two versions of the app must exclude each other.
_LOCK = 7_033_188_473
_LOCK_NOT_AVAILABLE = "55P03"

# Whoever queries a table waits behind a migration that waits for it: so a migration waits briefly, and often.
LOCK_TIMEOUT = timedelta(seconds=1)
PATIENCE = timedelta(minutes=10)

_TRY_LOCK = text("SELECT pg_try_advisory_lock(:lock)")
_HAS_OLDEST = text("SELECT to_regprocedure('oldest_supported_revision()') IS NOT NULL")
_OLDEST = text("SELECT oldest_supported_revision()")


def _config() -> Config:
    inside_wheel = Path(__file__).parents[1] / "migrations"
    location = inside_wheel if inside_wheel.exists() else Path(__file__).parents[2] / "migrations"
    config = Config()
    config.set_main_option("script_location", str(location))
    return config


def revisions() -> tuple[str, ...]:
    """All revisions that this code knows, oldest first."""
    scripts = ScriptDirectory.from_config(_config())
    found = tuple(script.revision for script in scripts.walk_revisions())[::-1]
    if not found:
        msg = "the migrations folder holds no revision"
        raise RuntimeError(msg)
    return found


def newest_revision() -> str:
    """The revision that this code needs."""
    return revisions()[-1]


@dataclass(frozen=True)
class Schema:
    """What a database is at, beside what this code knows; `oldest` is the oldest code that its schema still serves."""

    current: str | None
    known: tuple[str, ...]
    oldest: str | None = None

    @property
    def newest(self) -> str:
        """The revision that this code needs."""
        return self.known[-1]

    @property
    def pending(self) -> tuple[str, ...]:
        """Revisions that `perdure migrate` would apply, in order."""
        if self.ahead:
            return ()
        return tuple(revision for revision in self.known if self.current is None or revision > self.current)

    @property
    def ahead(self) -> bool:
        """Whether a newer version of Perdure has migrated it."""
        return self.current is not None and self.current not in self.known and self.current > self.newest

    @property
    def usable(self) -> bool:
        """Whether this code runs on it: at its own revision, or at a later one that has taken nothing away yet."""
        return self.current == self.newest or (self.ahead and self.oldest in self.known)


async def examine(connection: AsyncConnection) -> Schema:
    """What the database of a connection is at."""
    current = await connection.run_sync(
        lambda plain: MigrationContext.configure(plain).get_current_revision()
    )
    oldest = await connection.scalar(_OLDEST) if await connection.scalar(_HAS_OLDEST) else None
    return Schema(current, revisions(), oldest)


async def schema(url: str) -> Schema:
    """What a database is at."""
    engine = create_async_engine(engine_url(url))
    try:
        async with engine.connect() as connection:
            return await examine(connection)
    finally:
        await engine.dispose()


async def upgrade(owner_url: str, app_role: str, revision: str = "head") -> None:
    """Apply what is missing, as the owner, each revision in a transaction of its own.

    A database that a newer version has migrated is left alone if this code runs on it; else ConfigurationError.
    """
    async with _alone(owner_url) as engine:
        async with engine.connect() as connection:
            found = await examine(connection)
        if not found.ahead:
            await _patiently(engine, app_role, lambda config: command.upgrade(config, revision))
        elif not found.usable:
            msg = (
                f"the database is at revision {found.current}, which a newer version of Perdure made and this "
                f"one, which knows {found.newest}, cannot use: start the newer version, or restore a backup"
            )
            raise ConfigurationError(msg)


async def downgrade(owner_url: str, app_role: str, revision: str = "base") -> None:
    """Take revisions back; for tests and for emergencies."""
    async with _alone(owner_url) as engine:
        await _patiently(engine, app_role, lambda config: command.downgrade(config, revision))


@asynccontextmanager
async def _alone(owner_url: str) -> AsyncIterator[AsyncEngine]:
    """An engine for migrations, while no other process migrates."""
    guard = create_async_engine(
        engine_url(owner_url), connect_args=_session(LOCK_TIMEOUT), isolation_level="AUTOCOMMIT"
    )
    engine = create_async_engine(engine_url(owner_url), connect_args=_session(LOCK_TIMEOUT))
    try:
        # In no transaction: what builds an index beside writers waits for the end of every one.
        async with guard.connect() as connection:
            deadline = time.monotonic() + PATIENCE.total_seconds()
            # Asked again and again, because a statement that waits for a lock is something to wait for, too.
            while not await connection.scalar(_TRY_LOCK, {"lock": _LOCK}):
                if time.monotonic() > deadline:
                    msg = f"another process has been migrating this database for {PATIENCE}: look at its log"
                    raise UnavailableError(msg)
                await asyncio.sleep(0.2)
            yield engine
    finally:
        await engine.dispose()
        await guard.dispose()


def _session(lock_timeout: timedelta) -> dict[str, dict[str, str]]:
    milliseconds = str(int(lock_timeout.total_seconds() * 1000))
    return {
        "server_settings": {
            "application_name": "perdure migrate",
            "lock_timeout": milliseconds,
        }
    }


async def _patiently(engine: AsyncEngine, app_role: str, migrate: Callable[[Config], None]) -> None:
    """Go on where a lock was not to be had; what was applied until then stays applied."""

    def run(connection: Connection) -> None:
        config = _config()
        config.attributes["connection"] = connection
        config.attributes["app_role"] = app_role
        migrate(config)

    deadline = time.monotonic() + PATIENCE.total_seconds()
    while True:
        try:
            async with engine.connect() as connection:
                await connection.run_sync(run)
        except DBAPIError as error:
            if not _is_lock_timeout(error):
                raise
            if time.monotonic() > deadline:
                msg = (
                    f"a table was locked for {PATIENCE}: find the long transaction in pg_stat_activity, end it, "
                    "and run `perdure migrate` again"
                )
                raise UnavailableError(msg) from error
            logger.info("migration_waits_for_a_lock")
            await asyncio.sleep(random.uniform(0.2, 1.0))  # noqa: S311  # no secret: spreads the tries
        else:
            return


def _is_lock_timeout(error: DBAPIError) -> bool:
    return getattr(error.orig, "sqlstate", None) == _LOCK_NOT_AVAILABLE
