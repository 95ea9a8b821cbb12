"""Exactly once: what must hold of a batch whatever was killed while it ran."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from typing import Any

import httpx
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from perdure.db.session import Database
from perdure.schemas.operations import TERMINAL
from perdure.scratch import PREFIX
from tests.accounts import Account
from tests.faults.files import TWINS, Expected
from tests.faults.installation import Installed

_PASSAGES = text(
    """
    SELECT d.id, d.status, d.version, d.chunk_count, v.status AS version_status,
           count(c.id) AS chunks, count(DISTINCT c.ordinal) AS ordinals, min(c.ordinal) AS first,
           max(c.ordinal) AS last, count(e.chunk_id) AS vectors, count(DISTINCT c.version) AS versions,
           COALESCE(string_agg(c.text, ' ' ORDER BY c.ordinal), '') AS content
    FROM documents d
    JOIN document_versions v ON v.document_id = d.id
    LEFT JOIN chunks c ON c.document_id = d.id
    LEFT JOIN chunk_embeddings e ON e.chunk_id = c.id
    WHERE d.operation_id = :operation
    GROUP BY d.id, v.id
    """
)


async def settled(account: Account, operation_id: str, timeout_s: float = 150.0) -> dict[str, Any]:
    """The operation once it is terminal, through outages of the API and of what stands behind it."""
    while_open = await progressed(account, operation_id, 10**9, timeout_s)
    assert while_open["status"] in {status.value for status in TERMINAL}, while_open
    return while_open


async def progressed(
    account: Account, operation_id: str, done: int, timeout_s: float = 150.0
) -> dict[str, Any]:
    """The operation once so many items are done, or once it ended."""
    last: object = None
    try:
        async with asyncio.timeout(timeout_s):
            while True:
                try:
                    answer = await account.http.get(f"/api/v1/operations/{operation_id}")
                except httpx.TransportError as error:
                    last = error
                else:
                    last = answer.text
                    if answer.status_code == 200:
                        operation: dict[str, Any] = answer.json()
                        ended = operation["status"] in {status.value for status in TERMINAL}
                        if ended or operation["progress"]["done"] >= done:
                            return operation
                    else:
                        assert answer.status_code == 503, answer.text
                await asyncio.sleep(0.05)
    except TimeoutError as error:
        msg = f"operation {operation_id} does not get on: {last}"
        raise AssertionError(msg) from error


async def step_reached(account: Account, operation_id: str, step: str, timeout_s: float = 60.0) -> None:
    """Wait until an operation is at a step."""
    async with asyncio.timeout(timeout_s):
        while True:
            operation = await account.get(f"/operations/{operation_id}")
            if operation["progress"]["step"] == step:
                return
            await asyncio.sleep(0.05)


async def items_of(account: Account, operation_id: str) -> list[dict[str, Any]]:
    """All items, page by page."""
    items: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        more: dict[str, Any] = {"cursor": cursor} if cursor else {}
        page = await account.get(f"/operations/{operation_id}/items", limit=100, **more)
        items += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            return items


async def assert_exactly_once(
    installation: Installed,
    account: Account,
    operation: Mapping[str, Any],
    expected: Mapping[str, Expected],
) -> None:
    """Every item ended as expected; each document is in the index once; nothing half-done lies about."""
    assert operation["status"] == "completed", operation
    assert (operation["progress"]["done"], operation["progress"]["total"]) == (len(expected), len(expected))
    items = await items_of(account, operation["id"])
    assert sorted(item["name"] for item in items) == sorted(expected)
    statuses = {item["name"]: item["status"] for item in items}
    wanted = {name: each.status for name, each in expected.items()}
    assert sorted(statuses.pop(name, "") for name in TWINS) == sorted(wanted.pop(name, "") for name in TWINS)
    assert statuses == wanted
    assert all(item["reason"] for item in items if item["status"] != "indexed")
    assert operation["result"] == {
        "total": len(expected),
        "outcomes": dict(Counter(each.status for each in expected.values())),
    }
    assert len({item["document_id"] for item in items}) == len(items)
    database = installation.database()
    try:
        async with database.transaction(account.organisation_id) as session:
            await _assert_index(session, operation["id"], items, expected)
            await _assert_steps(session, operation["id"])
    finally:
        await database.aclose()
    await assert_no_leftovers(installation, account)


async def _assert_index(
    session: AsyncSession,
    operation_id: str,
    items: list[dict[str, Any]],
    expected: Mapping[str, Expected],
) -> None:
    words = {
        item["document_id"]: expected[item["name"]].word if item["status"] == "indexed" else None
        for item in items
    }
    rows = (await session.execute(_PASSAGES, {"operation": operation_id})).all()
    assert sorted(row.id for row in rows) == sorted(words)
    for row in rows:
        word = words[row.id]
        if word is None:
            assert (row.chunks, row.chunk_count, row.version) == (0, 0, 0), row
            continue
        assert (row.status, row.version_status, row.version) == ("indexed", "indexed", 1), row
        assert row.chunks == row.ordinals == row.vectors == row.chunk_count > 0, row
        assert (row.first, row.last, row.versions) == (0, row.chunks - 1, 1), row
        assert word in row.content, row
    total = sum(row.chunks for row in rows)
    counted = (await session.execute(text("SELECT sum(chunk_count) FROM spaces"))).scalar_one()
    stored = (await session.execute(text("SELECT count(*) FROM chunks"))).scalar_one()
    assert counted == stored == total


async def _assert_steps(session: AsyncSession, operation_id: str) -> None:
    states = await session.execute(
        text("SELECT DISTINCT state FROM operation_steps WHERE operation_id = :operation"),
        {"operation": operation_id},
    )
    assert set(states.scalars()) <= {"completed"}
    gaps = await session.execute(
        text("SELECT count(*), max(revision) FROM operation_events WHERE operation_id = :operation"),
        {"operation": operation_id},
    )
    events, newest = gaps.one()
    assert events == newest, "the numbers of events have gaps"


async def assert_no_leftovers(installation: Installed, account: Account) -> None:
    """No intermediate result in the store, no file without an owner, no orphaned process, no forgotten folder."""
    database = installation.database()
    try:
        async with database.transaction(account.organisation_id) as session:
            known = set(await session.scalars(text("SELECT object_key FROM document_versions")))
            known |= set(await session.scalars(text("SELECT text_key FROM document_versions")))
            known |= set(await session.scalars(text("SELECT input->'source'->>'object_key' FROM operations")))
    finally:
        await database.aclose()
    stored = await installation.stored(account.organisation_id)
    assert sorted(stored - known) == []
    workers = installation.pids_of("worker cpu")
    orphans = {pid: up for pid, up in installation.parser_children().items() if up not in workers}
    assert orphans == {}
    folders = sorted(path.name for path in installation.temporary.glob(f"{PREFIX}*/*"))
    assert folders == []
    # A worker that was terminated gives its lock back before the one that takes its place has its own.
    async with asyncio.timeout(20):
        while len(list(installation.temporary.glob(f"{PREFIX}*.lock"))) != installation.worker_count:  # noqa: ASYNC110  # another process's file
            await asyncio.sleep(0.1)


async def documents_of(database: Database, organisation_id: str) -> list[Any]:
    """Rows of all documents of an organisation with the number of their passages."""
    async with database.transaction(organisation_id) as session:
        rows = await session.execute(
            text(
                "SELECT d.id, d.status, d.operation_id, count(c.id) AS chunks, count(e.chunk_id) AS vectors "
                "FROM documents d LEFT JOIN chunks c ON c.document_id = d.id "
                "LEFT JOIN chunk_embeddings e ON e.chunk_id = c.id GROUP BY d.id"
            )
        )
        return list(rows.all())
