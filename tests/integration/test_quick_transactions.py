"""A transaction without a session holds what one with a session holds: its organisation, all or nothing, no traces."""

import asyncio
from contextlib import AsyncExitStack

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from api.problems import translate
from perdure.db.session import Database
from perdure.db.statements import FixedStatement, statements_of
from perdure.domain.ids import new_id
from perdure.errors import InvalidInputError, UnavailableError
from tests.form import PRODUCTION, served_by
from tests.passages import a_space

ORGANISATION = FixedStatement("SELECT current_setting('app.organisation', true)")
PROCESS = FixedStatement("SELECT pg_backend_pid()")
SETTING = FixedStatement("SELECT current_setting(:name)")
SPACES = FixedStatement("SELECT name FROM spaces ORDER BY name")
RENAMED = FixedStatement("UPDATE spaces SET name = :name RETURNING id")
DIVIDED = FixedStatement("SELECT 1 / CAST(:by AS integer), CAST(:said AS text)")
SLEEP = FixedStatement("SELECT pg_sleep(30)")


@pytest.fixture(params=["named statements", "statements without names, as behind a pooler"])
async def narrow(database: Database, request: pytest.FixtureRequest) -> Database:
    """One connection for everybody, so that what lingers is met."""
    url = database.engine.url
    if request.param != "named statements":
        url = url.update_query_dict({"prepared_statement_cache_size": "0"})
    return Database(url.render_as_string(hide_password=False), 1)


async def test_the_first_statement_knows_the_organisation_and_the_settings(narrow: Database) -> None:
    async with narrow.quick("org_1", durable=False, settings={"jit": "off"}) as statements:
        assert [tuple(row) for row in await statements.rows(ORGANISATION, {})] == [("org_1",)]
        for name in ("synchronous_commit", "jit"):
            ((value,),) = await statements.rows(SETTING, {"name": name})
            assert value == "off"
    await narrow.aclose()


async def test_nothing_lingers(narrow: Database) -> None:
    async with narrow.quick("org_1") as statements:
        ((first,),) = await statements.rows(PROCESS, {})
    async with narrow.quick("org_1"):
        pass
    async with narrow.statement() as connection:
        assert (await connection.scalar(text(ORGANISATION.text))) in (None, "")
        assert served_by(first, await connection.scalar(text(PROCESS.text)))
    with pytest.raises(ValueError, match="is no id"):
        async with narrow.quick("org_1'; DROP TABLE documents; --"):
            pytest.fail("the transaction began")
    await narrow.aclose()


@pytest.mark.parametrize("made", [False, True])
async def test_what_is_refused_is_told_without_values_and_leaves_nothing(
    narrow: Database, *, made: bool
) -> None:
    divided = text("SELECT 1 / CAST(:by AS integer), CAST(:said AS text)") if made else DIVIDED
    with pytest.raises(DBAPIError) as refused:
        async with narrow.quick("org_1") as statements:
            await statements.rows(divided, {"by": 0, "said": "a secret"})
    assert refused.value.orig is not None
    assert getattr(refused.value.orig, "sqlstate", None) == "22012"
    assert "a secret" not in str(refused.value)
    async with narrow.statement() as connection:
        assert (await connection.scalar(text(ORGANISATION.text))) in (None, "")
    await narrow.aclose()


async def test_a_statement_by_itself_leaves_nothing_of_the_organisation_that_it_enters(
    narrow: Database,
) -> None:
    entered = FixedStatement("SELECT set_config('app.organisation', :organisation_id, true)")
    ((organisation,),) = await narrow.rows(entered, {"organisation_id": "org_1"})
    assert organisation == "org_1"
    ((lingering,),) = await narrow.rows(ORGANISATION, {})
    assert lingering in (None, "")
    with pytest.raises(DBAPIError) as refused:
        await narrow.rows(DIVIDED, {"by": 0, "said": "a secret"})
    assert "a secret" not in str(refused.value)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(narrow.rows(SLEEP, {}), 0.2)
    async with asyncio.timeout(10), narrow.quick("org_2") as statements:
        assert [tuple(row) for row in await statements.rows(ORGANISATION, {})] == [("org_2",)]
    await narrow.aclose()


async def test_what_cannot_be_stored_is_the_callers_mistake(narrow: Database) -> None:
    with pytest.raises(DBAPIError) as refused:
        async with narrow.quick("org_1") as statements:
            await statements.rows(DIVIDED, {"by": 1, "said": "\ud800"})
    assert isinstance(translate(refused.value), InvalidInputError)
    await narrow.aclose()


async def test_no_other_organisation_is_seen(database: Database, organisation_id: str) -> None:
    await a_space(database, organisation_id, "mine")
    async with database.quick(new_id("org")) as statements:
        assert list(await statements.rows(SPACES, {})) == []
        assert list(await statements.rows(RENAMED, {"name": "theirs"})) == []
    async with database.quick(organisation_id) as statements:
        assert [name for (name,) in await statements.rows(SPACES, {})] == ["mine"]


async def test_statements_of_both_kinds_are_of_one_transaction(
    database: Database, organisation_id: str
) -> None:
    await a_space(database, organisation_id, "first")
    made = text("UPDATE spaces SET name = :name")
    async with database.quick(organisation_id) as statements:
        assert list(await statements.rows(made, {"name": "second"})) == []
        assert [name for (name,) in await statements.rows(SPACES, {})] == ["second"]
    async with AsyncExitStack() as failing:
        failing.enter_context(pytest.raises(ZeroDivisionError))
        statements = await failing.enter_async_context(database.quick(organisation_id))
        await statements.rows(RENAMED, {"name": "third"})
        await statements.rows(made, {"name": "fourth"})
        raise ZeroDivisionError
    async with database.quick(organisation_id) as statements:
        assert [name for (name,) in await statements.rows(SPACES, {})] == ["second"]


@pytest.mark.parametrize("made", [False, True])
async def test_whoever_gives_up_leaves_no_open_transaction(narrow: Database, *, made: bool) -> None:
    begun = asyncio.Event()

    async def wait() -> None:
        async with narrow.quick("org_1") as statements:
            begun.set()
            await statements.rows(text(SLEEP.text) if made else SLEEP, {})

    waiting = asyncio.create_task(wait())
    await begun.wait()
    await asyncio.sleep(0.1)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    async with asyncio.timeout(10), narrow.statement() as connection:
        assert (await connection.scalar(text(ORGANISATION.text))) in (None, "")
    async with narrow.quick("org_2") as statements:
        ((organisation,),) = await statements.rows(ORGANISATION, {})
        assert organisation == "org_2"
    await narrow.aclose()


@pytest.mark.skipif(PRODUCTION, reason="a pooler lends the connection that is to break to whoever breaks it")
async def test_a_connection_that_breaks_is_told_as_that_and_replaced(
    narrow: Database, database: Database
) -> None:
    async def end(process: int) -> None:
        async with database.statement() as connection:
            await connection.execute(text("SELECT pg_terminate_backend(:process)"), {"process": process})
        await asyncio.sleep(0.2)

    async with AsyncExitStack() as failing:
        broken = failing.enter_context(pytest.raises(DBAPIError))
        statements = await failing.enter_async_context(narrow.quick("org_1"))
        ((process,),) = await statements.rows(PROCESS, {})
        await end(process)
        await statements.rows(ORGANISATION, {})
    assert isinstance(translate(broken.value), UnavailableError)
    async with narrow.quick("org_1") as statements:
        ((process,),) = await statements.rows(PROCESS, {})
    await end(process)
    # Of one that broke while nobody used it, nobody hears.
    async with narrow.quick("org_1") as statements:
        assert [tuple(row) for row in await statements.rows(ORGANISATION, {})] == [("org_1",)]
        ((process,),) = await statements.rows(PROCESS, {})
    await end(process)
    assert await narrow.rows(ORGANISATION, {})
    await narrow.aclose()


async def test_what_a_session_hands_to_the_driver_is_of_its_transaction(
    narrow: Database, organisation_id: str
) -> None:
    await a_space(narrow, organisation_id, "before")
    for begun in (False, True):
        async with AsyncExitStack() as failing:
            failing.enter_context(pytest.raises(ZeroDivisionError))
            session = await failing.enter_async_context(narrow.transaction(organisation_id))
            if begun:
                await session.execute(text("SELECT 1"))
            statements = await statements_of(session)
            assert [tuple(row) for row in await statements.rows(ORGANISATION, {})] == [(organisation_id,)]
            assert await statements.rows(RENAMED, {"name": "after"})
            raise ZeroDivisionError
        async with narrow.quick(organisation_id) as quick:
            assert [name for (name,) in await quick.rows(SPACES, {})] == ["before"]
    async with narrow.transaction(organisation_id) as session:
        await (await statements_of(session)).each(RENAMED, [{"name": "once"}, {"name": "twice"}])
    async with narrow.quick(organisation_id) as quick:
        assert [name for (name,) in await quick.rows(SPACES, {})] == ["twice"]
    await narrow.aclose()


async def test_a_session_whose_driver_was_refused_something_is_told_without_values(narrow: Database) -> None:
    with pytest.raises(DBAPIError) as refused:
        async with narrow.transaction("org_1") as session:
            await (await statements_of(session)).each(DIVIDED, [{"by": 0, "said": "a secret"}])
    assert getattr(refused.value.orig, "sqlstate", None) == "22012"
    assert "a secret" not in str(refused.value)
    await narrow.aclose()


@pytest.mark.skipif(PRODUCTION, reason="a pooler lends the connection that is to break to whoever breaks it")
async def test_a_connection_that_breaks_under_a_session_is_told_as_that_and_replaced(
    narrow: Database, database: Database
) -> None:
    async with AsyncExitStack() as failing:
        broken = failing.enter_context(pytest.raises(DBAPIError))
        statements = await statements_of(await failing.enter_async_context(narrow.transaction("org_1")))
        ((process,),) = await statements.rows(PROCESS, {})
        async with database.statement() as connection:
            await connection.execute(text("SELECT pg_terminate_backend(:process)"), {"process": process})
        await asyncio.sleep(0.2)
        await statements.rows(ORGANISATION, {})
    assert isinstance(translate(broken.value), UnavailableError)
    async with narrow.transaction("org_2") as session:
        ((organisation,),) = await (await statements_of(session)).rows(ORGANISATION, {})
        assert organisation == "org_2"
    await narrow.aclose()
