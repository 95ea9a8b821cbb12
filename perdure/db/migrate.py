"""Brings a database to the newest schema, one process at a time."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from perdure.db.session import engine_url

# Arbitrary, and the same for ever: two versions of the app must exclude each other.
_LOCK = 7_033_188_473


def _config() -> Config:
    inside_wheel = Path(__file__).parents[1] / "migrations"
    location = inside_wheel if inside_wheel.exists() else Path(__file__).parents[2] / "migrations"
    config = Config()
    config.set_main_option("script_location", str(location))
    return config


def newest_revision() -> str:
    """The revision that this code needs."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    if head is None:
        msg = "the migrations folder holds no revision"
        raise RuntimeError(msg)
    return head


async def _run(engine: AsyncEngine, app_role: str, revision: str, *, downgrade: bool) -> None:
    def migrate(connection: Connection) -> None:
        config = _config()
        config.attributes["connection"] = connection
        config.attributes["app_role"] = app_role
        (command.downgrade if downgrade else command.upgrade)(config, revision)

    async with engine.begin() as connection:
        await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        await connection.run_sync(migrate)


async def upgrade(owner_url: str, app_role: str, revision: str = "head") -> None:
    """Apply what is missing, as the owner, in one transaction under an advisory lock."""
    engine = create_async_engine(engine_url(owner_url))
    try:
        await _run(engine, app_role, revision, downgrade=False)
    finally:
        await engine.dispose()


async def downgrade(owner_url: str, app_role: str, revision: str = "base") -> None:
    """Take revisions back; for tests and for emergencies."""
    engine = create_async_engine(engine_url(owner_url))
    try:
        await _run(engine, app_role, revision, downgrade=True)
    finally:
        await engine.dispose()


async def current_revision(url: str) -> str | None:
    """The revision that a database is at; None before the first."""
    engine = create_async_engine(engine_url(url))
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(
                lambda plain: MigrationContext.configure(plain).get_current_revision()
            )
    finally:
        await engine.dispose()
