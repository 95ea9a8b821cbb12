"""What was just written in bulk is planned for as what it is, without waiting for autovacuum."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text

from perdure.db.planner_statistics import refresh_planner_statistics
from perdure.db.session import Database
from tests.accounts import Account
from tests.integration.test_memory_files import imported

PATIENCE_S = 10
ROWS = 5_000
_OUTGROWN = text(
    """
    SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
        AND pg_relation_size(oid) > 8192 * greatest(16, 1.5 * relpages)
    """
)
_KNOWN = text("SELECT reltuples FROM pg_class WHERE relname = 'filled_at_once'")
_FILL = text("INSERT INTO filled_at_once SELECT n, repeat('x', 100) FROM generate_series(1, :rows) n")


@pytest.fixture(autouse=True)
async def _table(owner: Database) -> AsyncIterator[None]:
    """One that autovacuum leaves alone."""
    async with owner.transaction(None) as session:
        await session.execute(
            text("CREATE TABLE filled_at_once (n integer, t text) WITH (autovacuum_enabled = false)")
        )
    yield
    async with owner.transaction(None) as session:
        await session.execute(text("DROP TABLE filled_at_once"))


async def fill(owner: Database, rows: int) -> None:
    async with owner.transaction(None) as session:
        await session.execute(_FILL, {"rows": rows})


async def known(database: Database) -> int:
    """How many rows PostgreSQL takes the table to have; -1 before it has looked."""
    async with database.transaction(None) as session:
        return int(await session.scalar(_KNOWN) or 0)


async def test_the_application_may_have_a_table_analysed_that_has_grown(
    database: Database, owner: Database
) -> None:
    await fill(owner, 10)
    await refresh_planner_statistics(database.transaction)
    assert await known(database) == -1  # so few rows are read whole anyway
    await fill(owner, ROWS)
    await refresh_planner_statistics(database.transaction)
    assert await known(database) == ROWS + 10
    await fill(owner, ROWS // 4)
    await refresh_planner_statistics(database.transaction)
    assert await known(database) == ROWS + 10  # not by half: that can wait
    await fill(owner, ROWS // 2)
    await refresh_planner_statistics(database.transaction)
    assert await known(database) == ROWS + 10 + ROWS // 4 + ROWS // 2


async def test_nobody_waits_for_who_analyses_already(database: Database, owner: Database) -> None:
    await fill(owner, ROWS)
    async with owner.transaction(None) as session:
        await session.execute(text("LOCK TABLE filled_at_once IN SHARE UPDATE EXCLUSIVE MODE"))
        async with asyncio.timeout(PATIENCE_S):
            await refresh_planner_statistics(database.transaction)
        assert await known(database) == -1
    await refresh_planner_statistics(database.transaction)
    assert await known(database) == ROWS


async def test_an_import_leaves_no_table_that_is_planned_for_as_empty(
    caller: Account, database: Database
) -> None:
    lines = [{"content": f"Ann has been to place number {number}."} for number in range(1_000)]
    await imported(caller, lines)
    async with database.transaction(None) as session:
        outgrown = set(await session.scalars(_OUTGROWN))
    assert not outgrown & {"memories", "memory_embeddings"}
