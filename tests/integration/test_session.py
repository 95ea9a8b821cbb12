"""A transaction is of its organisation, and nothing of it stays on the pooled connection."""

import asyncio
import time
from contextlib import AsyncExitStack
from typing import Any, cast

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import AsyncAdaptedQueuePool
from structlog.testing import CapturingLogger

from perdure.db.models import SpaceRow
from perdure.db.session import Database
from perdure.domain.ids import new_id
from tests.form import PRODUCTION, served_by

ORGANISATION = text("SELECT current_setting('app.organisation', true)")


@pytest.fixture
async def narrow(database: Database) -> Database:
    """One connection for everybody, so that what lingers is met."""
    return Database(database.engine.url.render_as_string(hide_password=False), 1)


async def test_the_first_statement_of_a_transaction_knows_the_organisation(narrow: Database) -> None:
    async with narrow.transaction("org_1", durable=False, settings={"jit": "off"}) as session:
        assert (await session.execute(ORGANISATION)).scalar() == "org_1"
        assert (await session.execute(text("SHOW synchronous_commit"))).scalar() == "off"
        assert (await session.execute(text("SHOW jit"))).scalar() == "off"
    await narrow.aclose()


async def test_nothing_lingers_after_a_transaction_in_which_nothing_was_said(narrow: Database) -> None:
    async with narrow.transaction(None) as session:
        first = (await session.execute(text("SELECT pg_backend_pid()"))).scalar()
    async with narrow.transaction("org_1"):
        pass
    async with narrow.transaction(None) as session:
        assert (await session.execute(ORGANISATION)).scalar() in (None, "")
        assert served_by(first, (await session.execute(text("SELECT pg_backend_pid()"))).scalar())
    await narrow.aclose()


async def test_nothing_lingers_after_a_rollback(narrow: Database) -> None:
    with pytest.raises(DBAPIError):
        async with narrow.transaction("org_1") as session:
            await session.execute(text("SELECT 1 / 0"))
    async with narrow.statement() as connection:
        assert (await connection.execute(ORGANISATION)).scalar() in (None, "")
    async with narrow.transaction("org_2") as session:
        assert (await session.execute(ORGANISATION)).scalar() == "org_2"
    await narrow.aclose()


@pytest.mark.parametrize("said", ["org_1'; DROP TABLE documents; --", "org 1", "org_1\n"])
async def test_what_is_no_id_never_reaches_the_server(narrow: Database, said: str) -> None:
    with pytest.raises(ValueError, match="is no id"):
        async with narrow.transaction(said):
            pytest.fail("the transaction began")
    await narrow.aclose()


async def test_what_is_no_setting_never_reaches_the_server(narrow: Database) -> None:
    with pytest.raises(ValueError, match="is no setting"):
        async with narrow.transaction("org_1", settings={"jit": "off', true); SELECT set_config('role"}):
            pytest.fail("the transaction began")
    await narrow.aclose()


async def test_what_is_written_only_when_the_transaction_ends_is_of_the_organisation(
    database: Database, organisation_id: str
) -> None:
    space = SpaceRow(
        id=new_id("spc"),
        organisation_id=organisation_id,
        name="late",
        embedding_model="m",
        embedding_dimension=384,
    )
    async with database.transaction(organisation_id) as session:
        session.add(space)
    async with database.transaction(organisation_id) as session:
        assert await session.get(SpaceRow, space.id) is not None


@pytest.mark.skipif(PRODUCTION, reason="a pooler lends the connection that is to break to whoever breaks it")
async def test_a_connection_that_was_cut_off_in_a_silence_is_replaced_before_anybody_needs_it(
    narrow: Database, database: Database
) -> None:
    process = text("SELECT pg_backend_pid()")
    async with narrow.statement() as connection:
        first = (await connection.execute(process)).scalar_one()
    await narrow.keep_ready()
    async with narrow.statement() as connection:
        assert (await connection.execute(process)).scalar_one() == first
    async with database.statement() as connection:
        await connection.execute(text("SELECT pg_terminate_backend(:process)"), {"process": first})
    await asyncio.sleep(0.2)
    await narrow.keep_ready()
    async with narrow.transaction("org_1") as session:
        assert (await session.execute(process)).scalar_one() != first
    await narrow.aclose()


@pytest.mark.parametrize("address", [{"database": "nowhere"}, {"host": "127.0.0.1", "port": 1, "query": {}}])
async def test_a_database_that_cannot_be_reached_is_looked_for_again_later(
    database: Database, address: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = Database(database.engine.url.set(**address).render_as_string(hide_password=False), 1)
    log = CapturingLogger()
    monkeypatch.setattr("perdure.db.session._logger", log)
    await elsewhere.keep_ready()  # nothing is raised: what calls it goes on for ever
    assert [call.args for call in log.calls] == [("database_not_reached",)]
    await elsewhere.aclose()


async def test_what_a_burst_opened_is_closed_when_nobody_needs_it(database: Database) -> None:
    wide = Database(database.engine.url.render_as_string(hide_password=False), 5)
    async with AsyncExitStack() as burst:
        for _ in range(5):
            session = await burst.enter_async_context(wide.transaction(None))
            await session.execute(text("SELECT 1"))
    pool = cast("AsyncAdaptedQueuePool", wide.engine.pool)
    assert pool.checkedin() == 5
    assert await wide.close_idle(60) == 0
    assert pool.checkedin() == 5
    long_ago = time.monotonic()  # the one that is used from here on is not idle
    async with wide.transaction("org_1") as session:
        used = (await session.execute(text("SELECT pg_backend_pid()"))).scalar()
    assert await wide.close_idle(time.monotonic() - long_ago) == 4
    assert pool.checkedin() == 1
    assert await wide.close_idle(0) == 0  # the last one stays for whoever comes next
    assert pool.checkedin() == 1
    async with wide.transaction("org_2") as session:
        assert served_by(used, (await session.execute(text("SELECT pg_backend_pid()"))).scalar())
        assert (await session.execute(ORGANISATION)).scalar() == "org_2"
    await wide.aclose()
