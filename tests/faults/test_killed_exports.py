"""A worker dies in the middle of an export: the archive is the one that it would have been."""

import asyncio
import hashlib
import io
import json
import zipfile
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from tests.accounts import Account
from tests.faults.checks import settled
from tests.faults.files import archive
from tests.faults.installation import Installation

LOCK = text("LOCK TABLE chunks IN ACCESS EXCLUSIVE MODE")
WAITING = text("SELECT count(*) FROM pg_locks WHERE relation = 'chunks'::regclass AND NOT granted")

# What nothing of the export itself adds to.
AT_REST = ("chunks", "documents", "document_versions", "memberships", "operation_items", "spaces", "users")


async def contents(account: Account, export_id: str) -> dict[str, bytes]:
    link = await account.get(f"/exports/{export_id}/content")
    answer = await account.http.get(link["url"], headers={"Authorization": ""})
    with zipfile.ZipFile(io.BytesIO(answer.content)) as file:
        assert file.testzip() is None
        return {name: file.read(name) for name in file.namelist()}


async def waiting(session: AsyncSession, count: int) -> None:
    """Until so many wait for the table of passages."""
    async with asyncio.timeout(60):
        while await session.scalar(WAITING) < count:  # noqa: ASYNC110  # another process's lock
            await asyncio.sleep(0.02)


async def killed_in_the_middle(installation: Installation, account: Account) -> dict[str, Any]:
    """An export whose worker dies while it waits for the passages, which it has counted but not yet read."""
    database = installation.database()

    async def hold(granted: asyncio.Event, release: asyncio.Event) -> None:
        async with database.transaction(account.organisation_id) as session:
            await session.execute(LOCK)
            granted.set()
            await release.wait()

    counting, reading = (asyncio.Event(), asyncio.Event()), (asyncio.Event(), asyncio.Event())
    try:
        async with asyncio.TaskGroup() as holders:
            holders.create_task(hold(*counting))
            await counting[0].wait()
            operation = await account.post("/organisation/export")
            async with database.transaction(account.organisation_id) as session:
                await waiting(session, 1)
                # Whoever counts is served first, and this one next: before anything is read.
                holders.create_task(hold(*reading))
                await waiting(session, 2)
                counting[1].set()
                await reading[0].wait()
                await waiting(session, 1)
            await installation.killed("worker io")
            reading[1].set()
    finally:
        await database.aclose()
    return operation


async def test_an_export_survives_the_death_of_its_worker(
    installation: Installation, account: Account
) -> None:
    data, _ = archive(120)
    batch = await account.post("/documents/batch", files={"file": ("reports.zip", data)})
    await settled(account, batch["id"])

    operation = await killed_in_the_middle(installation, account)
    ended = await account.ended(operation, 120)
    assert ended["status"] == "completed", ended["error"]
    killed = await contents(account, operation["id"])

    again = await account.ended(await account.post("/organisation/export"), 120)
    undisturbed = await contents(account, again["id"])
    for table in AT_REST:
        assert killed[f"data/{table}.jsonl"] == undisturbed[f"data/{table}.jsonl"], table
    for name in ("files.jsonl", *(name for name in undisturbed if name.startswith("documents/"))):
        assert killed[name] == undisturbed[name], name
    assert set(killed) == set(undisturbed)
    manifest = json.loads(killed["manifest.json"])
    for table, told in manifest["tables"].items():
        content = killed[f"data/{table}.jsonl"]
        assert (content.count(b"\n"), hashlib.sha256(content).hexdigest()) == (told["rows"], told["sha256"])
    left = await installation.stored(account.organisation_id)
    # What a killed process had begun to write is the sweeper's.
    assert not [key for key in left if "/work/" in key and "#" not in key]
