"""Many clients share a few connections of the server: nobody sees what another left there."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from perdure.db.session import Database
from perdure.domain.ids import new_id
from perdure.embedded.children import Child, ChildSpec
from perdure.embedded.postgres import APP_ROLE
from tests.accounts import Account
from tests.production import pooler
from tests.production.infrastructure import PASSWORDS, Infrastructure

ORGANISATION = text("SELECT current_setting('app.organisation', true)")
SERVED_BY = text("SELECT pg_backend_pid()")
PREPARED = text("SELECT count(*) FROM pg_prepared_statements")
CLIENTS, CONNECTIONS = 24, 3


@asynccontextmanager
async def narrow_pooler(infrastructure: Infrastructure, database: str, statements: int) -> AsyncIterator[str]:
    """The database behind a pooler of its own, with few connections."""
    directory = infrastructure.home / new_id("pgb")
    configured = pooler.prepared(directory, infrastructure.server, PASSWORDS, CONNECTIONS, statements)
    spec = ChildSpec(
        name="narrow pgbouncer",
        command=configured.command,
        log=infrastructure.home / "logs" / f"{directory.name}.log",
        is_ready=lambda: configured.answers(APP_ROLE, database),
        user=configured.system_user,
    )
    child = Child(spec, infrastructure.report, lambda: None)
    try:
        await child.start()
        yield configured.url(APP_ROLE, database)
    finally:
        await child.stop()


@pytest.fixture
async def narrow(infrastructure: Infrastructure, database_url: str) -> AsyncIterator[str]:
    """A pooler that knows of no prepared statements, as any did before 1.21."""
    async with narrow_pooler(infrastructure, database_url.rpartition("/")[2], statements=0) as url:
        yield url


async def test_no_organisation_lingers_on_a_connection(narrow: str) -> None:
    database = Database(narrow, CLIENTS)
    seen: set[int] = set()

    async def client(number: int) -> None:
        for _ in range(20):
            organisation = f"org_{number}" if number % 3 else None
            async with database.transaction(organisation) as session:
                assert (await session.execute(ORGANISATION)).scalar() in {organisation, organisation or ""}
                seen.add((await session.execute(SERVED_BY)).scalar_one())
            async with database.statement() as connection:
                assert (await connection.execute(ORGANISATION)).scalar() in {None, ""}

    try:
        await asyncio.gather(*(client(number) for number in range(CLIENTS)))
    finally:
        await database.aclose()
    assert 1 < len(seen) <= CONNECTIONS, "the clients did not share"


async def test_clients_with_different_statements_do_not_disturb_each_other(narrow: str) -> None:
    """Each statement is run with values that only its own client knows, in and outside of transactions."""
    processes = [Database(narrow, CLIENTS) for _ in range(2)]
    asked = [
        text("SELECT CAST(:said AS text), 1"),
        text("SELECT CAST(:said AS text), CAST(:said AS text), 2"),
        text("SELECT CAST(:said AS text), CAST('[1, 2, 3]' AS vector), CAST('{\"a\": 1}' AS jsonb)"),
    ]

    async def client(number: int) -> None:
        database = processes[number % 2]
        for turn in range(30):
            said, statement = f"{number}/{turn}", asked[(number + turn) % 3]
            if turn % 2:
                async with database.transaction("org_1") as session:
                    row = (await session.execute(statement, {"said": said})).one()
                    again = (await session.execute(statement, {"said": said})).one()
                    assert row == again
            else:
                async with database.statement() as connection:
                    row = (await connection.execute(statement, {"said": said})).one()
            assert row[0] == said
            assert len(row) == (2, 3, 3)[(number + turn) % 3]

    try:
        await asyncio.gather(*(client(number) for number in range(CLIENTS)))
        async with processes[0].transaction(None) as session:
            assert (await session.execute(PREPARED)).scalar() == 0
    finally:
        for database in processes:
            await database.aclose()


async def served_by_two(database: Database) -> tuple[int, int]:
    """One statement twice on one connection of ours, served by different connections of the server."""
    async with database.engine.connect() as ours, database.engine.connect() as other:
        first = (await ours.execute(SERVED_BY)).scalar_one()
        await ours.commit()
        # The pooler lends what was given back last.
        assert (await other.execute(text("SELECT 1, pg_backend_pid()"))).one() == (1, first)
        return first, (await ours.execute(SERVED_BY)).scalar_one()


async def test_statements_work_wherever_they_are_served(narrow: str) -> None:
    database = Database(narrow, 2)
    try:
        first, second = await served_by_two(database)
    finally:
        await database.aclose()
    assert first != second


async def test_an_address_that_asks_for_kept_statements_gets_them(narrow: str) -> None:
    """And fails here, since this pooler knows of none: what keeps the tests above honest."""
    database = Database(f"{narrow}?prepared_statement_cache_size=100", 2)
    with pytest.raises(DBAPIError, match="does not exist"):
        await served_by_two(database)
    await database.aclose()


async def test_a_pooler_that_keeps_statements_serves_either_address(
    infrastructure: Infrastructure, database_url: str
) -> None:
    if not pooler.keeps_statements():
        pytest.skip("PgBouncer keeps prepared statements from 1.21 on")
    name = database_url.rpartition("/")[2]
    async with narrow_pooler(infrastructure, name, statements=100) as url:
        for address in (url, f"{url}?prepared_statement_cache_size=100"):
            database = Database(address, 2)
            try:
                first, second = await served_by_two(database)
            finally:
                await database.aclose()
            assert first != second


async def test_two_organisations_at_once_see_only_their_own(account: Account, stranger: Account) -> None:
    async def fill(whose: Account, word: str) -> list[str]:
        items = [{"text": f"The {word} number {number}."} for number in range(15)]
        operation = await whose.ended(await whose.post("/documents/batch", json={"items": items}))
        assert operation["result"]["outcomes"] == {"indexed": 15}
        return [item["id"] for item in (await whose.get("/documents", limit=100))["items"]]

    ours, theirs = await asyncio.gather(fill(account, "lighthouse"), fill(stranger, "submarine"))
    assert (len(ours), len(theirs)) == (15, 15)

    async def look(whose: Account, own: list[str], foreign: list[str], word: str) -> None:
        for number in range(15):
            listed = await whose.get("/documents", limit=100)
            assert sorted(item["id"] for item in listed["items"]) == sorted(own)
            await whose.get(f"/documents/{own[number]}")
            await whose.get(f"/documents/{foreign[number]}", 404)
        found = await whose.post("/search", 200, json={"query": "lighthouse or submarine"})
        assert found["items"]
        assert all(word in item["text"] for item in found["items"])

    await asyncio.gather(
        *(look(account, ours, theirs, "lighthouse") for _ in range(3)),
        *(look(stranger, theirs, ours, "submarine") for _ in range(3)),
    )
