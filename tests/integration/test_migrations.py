"""The migrations make exactly the schema of the models, can be taken back, and disturb nobody who works meanwhile."""

import asyncio
import json
import shutil
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError
from typer.testing import CliRunner, Result

from perdure.cli import app
from perdure.db import migrate
from perdure.db.guard import find_faults
from perdure.db.models import Row
from perdure.db.session import Database
from perdure.domain.ids import new_id
from perdure.embedded import postgres
from perdure.errors import ConfigurationError, UnavailableError


def _difference(connection: Connection) -> list[object]:
    def ours(_object: object, name: str | None, *_rest: object) -> bool:
        expressions = ("_embeddings_hnsw_", "_embeddings_nearest_")  # these indexes stand in SQL only
        return not any(expression in (name or "") for expression in expressions)

    context = MigrationContext.configure(connection, opts={"include_object": ours})
    return list(compare_metadata(context, Row.metadata))


@dataclass(frozen=True)
class Fresh:
    """An empty database, and how owner and app reach it."""

    owner: str
    app: str


@pytest.fixture
async def fresh(embedded_postgres: postgres.EmbeddedPostgres) -> Fresh:
    name = new_id("org")
    await postgres.ensure_database(embedded_postgres.socket_directory, name)
    return Fresh(
        embedded_postgres.url(postgres.OWNER_ROLE, name), embedded_postgres.url(postgres.APP_ROLE, name)
    )


@pytest.fixture
async def connected(fresh: Fresh) -> AsyncIterator[Database]:
    database = Database(fresh.app)
    yield database
    await database.aclose()


async def execute(url: str, statement: str) -> None:
    database = Database(url, pool_size=1)
    async with database.transaction(None) as session:
        await session.execute(text(statement))
    await database.aclose()


async def test_the_migrated_schema_is_the_schema_of_the_models(database: Database) -> None:
    async with database.engine.connect() as connection:
        assert await connection.run_sync(_difference) == []


async def test_migrations_go_down_and_up_again(fresh: Fresh) -> None:
    await migrate.upgrade(fresh.owner, postgres.APP_ROLE)
    await migrate.downgrade(fresh.owner, postgres.APP_ROLE)
    database = Database(fresh.owner)
    async with database.transaction(None) as session:
        left = await session.scalars(
            text("SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'")
        )
        assert set(left) == {"alembic_version"}
    await database.aclose()
    await migrate.upgrade(fresh.owner, postgres.APP_ROLE)


async def test_two_that_migrate_at_once_do_it_one_after_the_other(fresh: Fresh) -> None:
    await asyncio.gather(*(migrate.upgrade(fresh.owner, postgres.APP_ROLE) for _ in range(3)))
    assert (await migrate.schema(fresh.owner)).current == migrate.newest_revision()


# What the version before the newest migrations does all day: it knows none of their columns.
_ACCEPT = text(
    "INSERT INTO operations (id, organisation_id, actor_id, kind, status, summary, input) "
    "VALUES (:id, :organisation_id, 'usr_1', 'ingest_document', 'pending', 'Ingest a.pdf', '{}')"
)
_RUN = text(
    "UPDATE operations SET status = 'running', revision = revision + 1, updated_at = now() WHERE id = :id"
)
_LIST = text("SELECT id, kind, status, revision FROM operations ORDER BY id DESC LIMIT 50")
_SPACE = text(
    "INSERT INTO spaces (id, organisation_id, name, embedding_model, embedding_dimension) "
    "VALUES (:id, :organisation_id, :id, 'minilm', 384)"
)
_SINCE = "0002"  # from the first revision that had users


@dataclass
class Load:
    """An older version at work: every request a transaction; how long each took, and what failed."""

    database: Database
    organisation_id: str
    written: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)
    done: asyncio.Event = field(default_factory=asyncio.Event)

    async def work(self) -> None:
        while not self.done.is_set():
            started = time.perf_counter()
            try:
                await self._request()
            except SQLAlchemyError as error:
                self.failures.append(error)
            self.seconds.append(time.perf_counter() - started)
            await asyncio.sleep(0)

    async def _request(self) -> None:
        row = {"id": new_id("op"), "organisation_id": self.organisation_id}
        async with self.database.transaction(self.organisation_id) as session:
            await session.execute(_ACCEPT, row)
            await session.execute(_SPACE, {**row, "id": new_id("spc")})
        async with self.database.transaction(self.organisation_id) as session:
            await session.execute(_RUN, {"id": row["id"]})
            (await session.execute(_LIST)).all()
        self.written.append(row["id"])


async def test_migrating_under_load_fails_no_query_and_holds_none_up_for_long(
    fresh: Fresh, connected: Database
) -> None:
    await migrate.upgrade(fresh.owner, postgres.APP_ROLE, _SINCE)
    organisation_id = new_id("org")
    async with connected.transaction(organisation_id) as session:
        await session.execute(
            text("INSERT INTO organisations (id, name) VALUES (:id, 'Busy')"), {"id": organisation_id}
        )
    load = Load(connected, organisation_id)
    workers = [asyncio.create_task(load.work()) for _ in range(4)]
    await asyncio.sleep(0.3)

    # A report that somebody runs over the very table: the migration has to wait for its end, others must not.
    async with connected.engine.connect() as reader:
        await reader.execute(_LIST)
        migrating = asyncio.create_task(migrate.upgrade(fresh.owner, postgres.APP_ROLE))
        await asyncio.sleep(5)
        assert not migrating.done()
    await migrating
    await asyncio.sleep(0.3)
    load.done.set()
    await asyncio.gather(*workers)

    assert load.failures == []
    # One lock that is waited for in vain, and as much again for a busy machine.
    assert max(load.seconds) < 2 * migrate.LOCK_TIMEOUT.total_seconds() + 1
    async with connected.transaction(organisation_id) as session:
        statement = text("SELECT id FROM operations WHERE status = 'running' AND revision = 1")
        assert set(await session.scalars(statement)) == set(load.written)
    assert len(load.written) > 20
    assert (await migrate.schema(fresh.owner)).current == migrate.newest_revision()


async def test_a_lock_that_is_never_released_ends_the_migration_with_what_to_do(
    fresh: Fresh, connected: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await migrate.upgrade(fresh.owner, postgres.APP_ROLE, _SINCE)
    monkeypatch.setattr(migrate, "PATIENCE", timedelta(seconds=0))
    async with connected.engine.connect() as reader:
        await reader.execute(_LIST)
        with pytest.raises(UnavailableError, match="pg_stat_activity"):
            await migrate.upgrade(fresh.owner, postgres.APP_ROLE)


_INDEX = """
from alembic import op

revision, down_revision = "9001", "{newest}"

def upgrade():
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = 0")
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS operations_summary")
        op.execute("CREATE INDEX CONCURRENTLY operations_summary ON operations (summary)")
        op.execute("RESET lock_timeout")
"""


async def test_an_index_is_built_beside_a_transaction_that_takes_its_time(
    fresh: Fresh, connected: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    await migrate.upgrade(fresh.owner, postgres.APP_ROLE)
    migrations = tmp_path / "migrations"
    shutil.copytree(Path(__file__).parents[2] / "migrations", migrations)
    (migrations / "versions" / "index.py").write_text(_INDEX.format(newest=migrate.newest_revision()))
    config = Config()
    config.set_main_option("script_location", str(migrations))
    monkeypatch.setattr(migrate, "_config", lambda: config)
    async with connected.engine.connect() as writer:
        await writer.execute(_RUN, {"id": "op_none"})  # its lock on the table outlives the statement
        migrating = asyncio.create_task(migrate.upgrade(fresh.owner, postgres.APP_ROLE))
        await asyncio.sleep(1.5)
        assert not migrating.done()
        await writer.commit()
    await migrating
    async with connected.transaction(None) as session:
        valid = text("SELECT indisvalid FROM pg_index WHERE indexrelid = 'operations_summary'::regclass")
        assert await session.scalar(valid) is True


def perdure_migrate(database: Fresh, *options: str) -> Result:
    environment = {
        "DATABASE_OWNER_URL": database.owner,
        "DATABASE_URL": database.app,
        "PERDURE_HOME": "/nonexistent",
        "COLUMNS": "300",
    }
    return CliRunner().invoke(app, ["migrate", *options], env=environment)


def test_check_lists_what_is_pending_and_changes_nothing(fresh: Fresh) -> None:
    asyncio.run(migrate.upgrade(fresh.owner, postgres.APP_ROLE, _SINCE))
    pending = list(migrate.revisions()[2:])
    told = perdure_migrate(fresh, "--check")
    assert (told.exit_code, f"Pending: {', '.join(pending)}." in told.stdout) == (1, True), told.output
    answer = perdure_migrate(fresh, "--check", "--json")
    assert json.loads(answer.stdout) == {
        "current": _SINCE,
        "newest": migrate.newest_revision(),
        "pending": pending,
        "ahead": False,
        "usable": False,
    }
    assert perdure_migrate(fresh).exit_code == 0
    assert perdure_migrate(fresh, "--check").exit_code == 0


async def _become_newer(database: Fresh, oldest: str) -> None:
    """What a later version's migration leaves behind."""
    await migrate.upgrade(database.owner, postgres.APP_ROLE)
    await execute(database.owner, "ALTER TABLE operations ADD COLUMN added_later TEXT")
    await execute(database.owner, "UPDATE alembic_version SET version_num = '9999'")
    await execute(
        database.owner,
        "CREATE OR REPLACE FUNCTION oldest_supported_revision() RETURNS text LANGUAGE sql IMMUTABLE "
        f"AS $$ SELECT '{oldest}' $$",
    )


def test_this_version_runs_on_what_a_later_one_only_added_to(fresh: Fresh, connected: Database) -> None:
    asyncio.run(_become_newer(fresh, migrate.newest_revision()))
    assert perdure_migrate(fresh).exit_code == 0  # the migration job of a deployment that is rolled back
    told = perdure_migrate(fresh, "--check")
    assert (told.exit_code, "goes on running on it" in told.stdout) == (1, True), told.output
    assert asyncio.run(_faults(fresh)) == []


def test_this_version_refuses_what_a_later_one_took_something_from(fresh: Fresh) -> None:
    asyncio.run(_become_newer(fresh, "9998"))
    with pytest.raises(ConfigurationError, match="9999"):
        asyncio.run(migrate.upgrade(fresh.owner, postgres.APP_ROLE))
    assert perdure_migrate(fresh).exit_code == 1
    told = perdure_migrate(fresh, "--check")
    assert (told.exit_code, "start the newer version" in told.stdout) == (1, True), told.output
    (fault,) = asyncio.run(_faults(fresh))
    assert fault == f"The schema is at revision 9999, this version needs {migrate.newest_revision()}."


async def _faults(database: Fresh) -> list[str]:
    connected = Database(database.app, pool_size=1)
    try:
        return [fault.what for fault in await find_faults(connected)]
    finally:
        await connected.aclose()
