"""No organisation sees or touches another's rows, in any table; a new table is covered without a change here."""

from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import Executable, Result, and_, delete, func, insert, select, text, update
from sqlalchemy.exc import ProgrammingError

from perdure.db.models import TENANT_TABLES, Row
from perdure.db.session import Database
from perdure.domain.ids import new_id
from tests.row_factory import RowFactory, table

TABLES = ("organisations", *TENANT_TABLES)

# Tables without an organisation hold what exists across organisations. One more needs a reason here.
GLOBAL_TABLES = {
    "alembic_version": "one row, no data of anyone",
    "users": "a person may be in several organisations",
    "refresh_tokens": "looked up by hash before the organisation is known",
    "sessions": "looked up by hash before the organisation is known",
    "login_attempts": "counted before anyone is known",
    "master_keys": "ids of the installation's keys, and what only they open",
    "rate_limits": "counted before anyone is known, under keys that tell nobody who it is",
}

# What the app may not do to these, whoever owns the row.
REFUSED = {
    "audit_events": {"update", "delete"},
    "audit_heads": {"delete"},
    "audit_person_keys": {"update"},
    "erasures": {"delete"},
}

# Functions that run as the owner and are no `find_…`. One more needs a reason here.
TELLS_NOTHING = {
    "trim_audit_events": "deletes, and only what is old of the organisation that the transaction has entered",
    "refresh_planner_statistics": "has tables analysed, returns nothing",
}

_NOT_ALLOWED = "42501"


@dataclass(frozen=True)
class Two:
    """Two organisations, both with a row in every table."""

    a: str
    b: str
    rows: dict[str, dict[str, dict[str, Any]]]


@pytest.fixture(scope="module")
async def two(database: Database) -> Two:
    ids, rows = (new_id("org"), new_id("org")), {}
    for organisation_id in ids:
        async with database.transaction(organisation_id) as session:
            await session.execute(insert(table("organisations")).values(id=organisation_id, name="Walked"))
            factory = RowFactory(session, organisation_id)
            rows[organisation_id] = {name: await factory.row(table(name)) for name in TABLES}
    return Two(*ids, rows)


def key_of(name: str, row: dict[str, Any]) -> Any:
    return and_(*(column == row[column.name] for column in table(name).primary_key.columns))


async def test_every_table_in_the_catalogue_is_walked_or_global_for_a_reason(database: Database) -> None:
    async with database.transaction(None) as session:
        found = set(
            await session.scalars(
                text(
                    "SELECT relname FROM pg_class "
                    "WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'f')"
                )
            )
        )
        with_organisation = set(
            await session.scalars(
                text(
                    "SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid "
                    "WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'f') "
                    "AND a.attname = 'organisation_id' AND NOT a.attisdropped"
                )
            )
        )
    assert found == set(TABLES) | set(GLOBAL_TABLES)
    assert with_organisation == set(TENANT_TABLES)
    assert {name for name in Row.metadata.tables if name not in GLOBAL_TABLES} == set(TABLES)


@pytest.mark.parametrize("name", TABLES)
async def test_security_is_forced_with_a_policy_for_reading_and_writing(
    database: Database, name: str
) -> None:
    async with database.transaction(None) as session:
        state = (
            await session.execute(
                text(
                    "SELECT relrowsecurity, relforcerowsecurity FROM pg_class WHERE oid = CAST(:name AS regclass)"
                ),
                {"name": name},
            )
        ).one()
        policies = (
            await session.execute(
                text(
                    "SELECT cmd, qual, with_check, roles FROM pg_policies "
                    "WHERE schemaname = 'public' AND tablename = :name "
                    "AND (roles = '{public}' OR current_user = ANY(roles))"
                ),
                {"name": name},
            )
        ).all()
    assert tuple(state) == (True, True)
    # Policies are OR-ed: each one that applies to the app must name the organisation, for both directions.
    assert policies
    for policy in policies:
        assert policy.cmd == "ALL"
        assert "app.organisation" in policy.qual
        assert "app.organisation" in policy.with_check


async def test_views_show_what_their_reader_may_see(database: Database) -> None:
    async with database.transaction(None) as session:
        views = (
            await session.execute(
                text(
                    "SELECT relname, relkind, COALESCE(reloptions, '{}') AS options FROM pg_class "
                    "WHERE relnamespace = 'public'::regnamespace AND relkind IN ('v', 'm')"
                )
            )
        ).all()
    for view in views:
        assert view.relkind == "v", f"{view.relname}: a materialised view knows no row level security"
        assert "security_invoker=true" in view.options, view.relname


async def test_functions_that_run_as_the_owner_are_known_and_pinned(database: Database) -> None:
    async with database.transaction(None) as session:
        functions = (
            await session.execute(
                text(
                    "SELECT p.proname, COALESCE(p.proconfig, '{}') AS config, "
                    "has_function_privilege('public', p.oid, 'EXECUTE') AS everybody FROM pg_proc p "
                    "WHERE p.pronamespace = 'public'::regnamespace AND p.prosecdef"
                )
            )
        ).all()
    for function in functions:
        assert function.proname.startswith("find_") or function.proname in TELLS_NOTHING, (
            "a function that looks past the policies says so by its name"
        )
        assert any(setting.startswith("search_path=") for setting in function.config), function.proname
        assert not function.everybody, function.proname


@pytest.mark.parametrize("name", TABLES)
async def test_the_owner_of_a_row_sees_it(database: Database, two: Two, name: str) -> None:
    async with database.transaction(two.a) as session:
        statement = select(func.count()).select_from(table(name)).where(key_of(name, two.rows[two.a][name]))
        assert await session.scalar(statement) == 1


@pytest.mark.parametrize("name", TABLES)
async def test_another_organisation_sees_none_of_them(database: Database, two: Two, name: str) -> None:
    own = "id" if name == "organisations" else "organisation_id"
    async with database.transaction(two.b) as session:
        seen = set(await session.scalars(select(table(name).c[own]).distinct()))
    assert seen == {two.b}


@pytest.mark.parametrize("name", TABLES)
async def test_an_unset_or_empty_organisation_sees_nothing(database: Database, two: Two, name: str) -> None:
    for organisation_id in (None, ""):
        async with database.transaction(organisation_id) as session:
            assert await session.scalar(select(func.count()).select_from(table(name))) == 0


@pytest.mark.parametrize("name", TABLES)
async def test_another_organisation_changes_and_deletes_none(database: Database, two: Two, name: str) -> None:
    this = table(name)
    own = this.c["id" if name == "organisations" else "organisation_id"]
    wanted = key_of(name, two.rows[two.a][name])
    statements = {
        "update": update(this).where(wanted).values({own.name: own}).returning(own),
        "delete": delete(this).where(wanted).returning(own),
    }
    for verb, statement in statements.items():
        if verb in REFUSED.get(name, ()):
            with pytest.raises(ProgrammingError, match="permission denied"):
                await execute_as(database, two.b, statement)
        else:
            assert (await execute_as(database, two.b, statement)).all() == []
    async with database.transaction(two.a) as session:
        assert await session.scalar(select(func.count()).select_from(this).where(wanted)) == 1


async def execute_as(database: Database, organisation_id: str, statement: Executable) -> Result[Any]:
    async with database.transaction(organisation_id) as session:
        return await session.execute(statement)


async def insert_for(database: Database, two: Two, name: str) -> None:
    async with database.transaction(two.b) as session:
        if name == "organisations":
            await session.execute(insert(table(name)).values(id=new_id("org"), name="Foreign"))
        else:
            factory = RowFactory(session, two.b, dict(two.rows[two.b]))
            await factory.new_row(table(name), organisation_id=two.a)


@pytest.mark.parametrize("name", TABLES)
async def test_nobody_inserts_for_another_organisation(database: Database, two: Two, name: str) -> None:
    with pytest.raises(ProgrammingError, match="row-level security") as refused:
        await insert_for(database, two, name)
    assert getattr(refused.value.orig, "sqlstate", None) == _NOT_ALLOWED


@pytest.mark.parametrize("name", TENANT_TABLES)
async def test_nobody_gives_a_row_of_their_own_away(database: Database, two: Two, name: str) -> None:
    why = "permission denied" if "update" in REFUSED.get(name, ()) else "row-level security"
    with pytest.raises(ProgrammingError, match=why):
        async with database.transaction(two.b) as session:
            await session.execute(
                update(table(name)).where(key_of(name, two.rows[two.b][name])).values(organisation_id=two.a)
            )


@pytest.mark.parametrize("name", TENANT_TABLES)
async def test_nobody_inserts_without_an_organisation(database: Database, two: Two, name: str) -> None:
    with pytest.raises(ProgrammingError, match="row-level security"):
        async with database.transaction(None) as session:
            await RowFactory(session, two.a, dict(two.rows[two.a])).new_row(table(name))


async def test_a_pooled_connection_forgets_whose_it_was(database_url: str, two: Two) -> None:
    seen: set[int] = set()
    backend = 0
    single = Database(database_url, pool_size=1)
    try:
        for _ in range(100):  # a pooler may hand out another backend each time
            async with single.transaction(two.a) as session:
                seen.add(await session.scalar(text("SELECT pg_backend_pid()")) or 0)
            with pytest.raises(ZeroDivisionError):
                async with single.transaction(two.a) as session:
                    1 / 0  # noqa: B018  # the transaction must end with the error
            async with single.transaction(None) as session:
                backend = await session.scalar(text("SELECT pg_backend_pid()")) or 0
                assert await session.scalar(select(func.count()).select_from(table("operations"))) == 0
            if backend in seen:
                break
        assert backend in seen
    finally:
        await single.aclose()


async def test_the_app_cannot_switch_security_off(database: Database) -> None:
    for statement in (
        "SET ROLE perdure_owner",
        "ALTER TABLE documents DISABLE ROW LEVEL SECURITY",
        "DROP POLICY organisation ON documents",
        "CREATE TABLE copies (id text)",
        "UPDATE alembic_version SET version_num = '0'",
        "TRUNCATE documents CASCADE",
    ):
        with pytest.raises(ProgrammingError) as refused:
            async with database.transaction(None) as session:
                await session.execute(text(statement))
        assert getattr(refused.value.orig, "sqlstate", None) == _NOT_ALLOWED, statement
