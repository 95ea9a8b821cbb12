"""The guard: what would make row level security worthless stops the start, with the remedy."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import text

from perdure.db import migrate
from perdure.db.guard import check_app_role, find_faults
from perdure.db.session import Database
from perdure.embedded import postgres
from perdure.errors import ConfigurationError

SUPERUSER = "postgres"

Connect = Callable[[str], Database]


@pytest.fixture(scope="module")
async def spoilt(embedded_postgres: postgres.EmbeddedPostgres) -> str:
    """A database of its own, to be spoilt and mended."""
    name = "spoilt"
    await postgres.ensure_database(embedded_postgres.socket_directory, name)
    await migrate.upgrade(embedded_postgres.url(postgres.OWNER_ROLE, name), postgres.APP_ROLE)
    return name


@pytest.fixture
async def connect(embedded_postgres: postgres.EmbeddedPostgres, spoilt: str) -> AsyncIterator[Connect]:
    """Opens the database as a role."""
    opened: list[Database] = []

    def open_as(role: str) -> Database:
        opened.append(Database(embedded_postgres.url(role, spoilt), pool_size=1))
        return opened[-1]

    yield open_as
    for database in opened:
        await database.aclose()


@asynccontextmanager
async def changed(connect: Connect, change: str, undo: str) -> AsyncIterator[None]:
    """Something that a superuser did, undone at the end."""
    superuser = connect(SUPERUSER)
    async with superuser.engine.connect() as connection:
        autocommit = await connection.execution_options(isolation_level="AUTOCOMMIT")
        await autocommit.execute(text(change))
        try:
            yield
        finally:
            await autocommit.execute(text(undo))


async def refusal(database: Database) -> str:
    with pytest.raises(ConfigurationError) as error:
        await check_app_role(database)
    return str(error.value)


async def test_the_app_role_on_a_migrated_database_is_fine(connect: Connect) -> None:
    assert await find_faults(connect(postgres.APP_ROLE)) == []
    await check_app_role(connect(postgres.APP_ROLE))


async def test_a_superuser_is_refused(connect: Connect) -> None:
    said = await refusal(connect(SUPERUSER))
    assert "superuser" in said
    assert "NOSUPERUSER NOBYPASSRLS" in said


async def test_the_owner_is_refused(connect: Connect) -> None:
    said = await refusal(connect(postgres.OWNER_ROLE))
    assert "owns" in said
    assert "documents" in said


async def test_a_role_that_bypasses_security_is_refused(connect: Connect) -> None:
    role = "bypasser"
    async with changed(
        connect, f"CREATE ROLE {role} LOGIN BYPASSRLS IN ROLE {postgres.APP_ROLE}", f"DROP ROLE {role}"
    ):
        assert "BYPASSRLS" in await refusal(connect(role))


async def test_a_role_that_may_become_the_owner_is_refused(connect: Connect) -> None:
    grant = f"GRANT {postgres.OWNER_ROLE} TO {postgres.APP_ROLE}"
    revoke = f"REVOKE {postgres.OWNER_ROLE} FROM {postgres.APP_ROLE}"
    async with changed(connect, grant, revoke):
        assert "owns" in await refusal(connect(postgres.APP_ROLE))


async def test_a_role_that_may_become_a_superuser_is_refused(connect: Connect) -> None:
    grant = f"GRANT {SUPERUSER} TO {postgres.APP_ROLE}"
    async with changed(connect, grant, f"REVOKE {SUPERUSER} FROM {postgres.APP_ROLE}"):
        assert f"REVOKE {SUPERUSER} FROM {postgres.APP_ROLE}" in await refusal(connect(postgres.APP_ROLE))


@pytest.mark.parametrize(
    ("change", "undo"),
    [
        (
            "ALTER TABLE documents NO FORCE ROW LEVEL SECURITY",
            "ALTER TABLE documents FORCE ROW LEVEL SECURITY",
        ),
        (
            "ALTER TABLE documents DISABLE ROW LEVEL SECURITY",
            "ALTER TABLE documents ENABLE ROW LEVEL SECURITY",
        ),
    ],
)
async def test_a_table_without_forced_security_is_named(connect: Connect, change: str, undo: str) -> None:
    async with changed(connect, change, undo):
        assert "not forced on the table documents" in await refusal(connect(postgres.APP_ROLE))


async def test_a_new_table_with_an_organisation_and_no_policy_is_named(connect: Connect) -> None:
    async with changed(connect, "CREATE TABLE notes (organisation_id text)", "DROP TABLE notes"):
        assert "not forced on the table notes" in await refusal(connect(postgres.APP_ROLE))


@pytest.mark.parametrize("kind", ["VIEW", "MATERIALIZED VIEW"])
async def test_a_view_that_shows_everything_is_named(connect: Connect, kind: str) -> None:
    async with changed(
        connect, f"CREATE {kind} titles AS SELECT title FROM documents", f"DROP {kind} titles"
    ):
        assert "The view titles" in await refusal(connect(postgres.APP_ROLE))


async def test_a_view_that_asks_as_its_reader_is_fine(connect: Connect) -> None:
    view = "CREATE VIEW titles WITH (security_invoker = true) AS SELECT title FROM documents"
    async with changed(connect, view, "DROP VIEW titles"):
        assert await find_faults(connect(postgres.APP_ROLE)) == []


async def test_an_old_schema_is_refused_with_the_command(connect: Connect) -> None:
    newest = migrate.newest_revision()
    async with changed(
        connect,
        "UPDATE alembic_version SET version_num = '0000'",
        f"UPDATE alembic_version SET version_num = '{newest}'",
    ):
        said = await refusal(connect(postgres.APP_ROLE))
    assert "0000" in said
    assert "perdure migrate" in said


async def test_an_empty_database_is_refused_with_all_that_is_missing(
    embedded_postgres: postgres.EmbeddedPostgres, connect: Connect
) -> None:
    async with changed(connect, "CREATE DATABASE bare TEMPLATE template0", "DROP DATABASE bare WITH (FORCE)"):
        bare = Database(embedded_postgres.url(postgres.APP_ROLE, "bare"), pool_size=1)
        try:
            said = await refusal(bare)
        finally:
            await bare.aclose()
    assert "CREATE EXTENSION vector" in said
    assert "perdure migrate" in said
