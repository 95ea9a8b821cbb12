"""A backup is taken while everything runs; what is made of it goes on where the backup was taken."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from tests.accounts import Account
from tests.faults.checks import assert_exactly_once, documents_of, progressed, settled
from tests.faults.conftest import account_at
from tests.faults.files import archive, text_of
from tests.faults.installation import ROOT, Installation


async def perdure(installation: Installation, *arguments: str) -> dict[str, Any]:
    """What a command prints with `--json`; AssertionError with what it said when it fails."""
    ended = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "perdure.cli", *arguments, "--json"],
        cwd=ROOT, env=installation.environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout + ended.stderr
    said: dict[str, Any] = json.loads(ended.stdout)
    return said


@asynccontextmanager
async def moved(account: Account, url: str) -> AsyncIterator[Account]:
    """The same person, at another address."""
    async with httpx.AsyncClient(base_url=url, timeout=30, trust_env=False) as http:
        http.headers["Authorization"] = account.http.headers["Authorization"]
        yield Account(http, account.organisation_id)


@asynccontextmanager
async def a_stream_of_documents(account: Account) -> AsyncIterator[list[str]]:
    """Documents that come, and every third of which is deleted again, until the end; the accepted operations."""
    accepted: list[str] = []

    async def send() -> None:
        number = 0
        while True:
            number += 1
            file = ("report.txt", text_of(50_000 + number).encode())
            operation = await account.post("/documents", files={"file": file})
            accepted.append(operation["id"])
            if number % 3 == 0:
                await settled(account, operation["id"])
                gone = await account.http.delete(f"/api/v1/documents/{operation['subject']['id']}")
                assert gone.status_code in {202, 204}, gone.text

    sending = asyncio.create_task(send())
    try:
        yield accepted
    finally:
        sending.cancel()
        await asyncio.wait({sending})
        if not sending.cancelled() and (error := sending.exception()):
            raise error


async def missing_objects(installation: Installation, account: Account) -> list[str]:
    database = installation.database()
    try:
        async with database.transaction(account.organisation_id) as session:
            keys = await session.scalars(
                text("SELECT object_key FROM document_versions WHERE object_key IS NOT NULL")
            )
            return [key for key in keys if not (installation.home / "objects" / key).is_file()]
    finally:
        await database.aclose()


@pytest.mark.timeout(600)
async def test_what_was_under_way_goes_on_and_what_slept_wakes_up(
    untouched_installation: Installation, second_home: Installation, tmp_path: Path
) -> None:
    first, second = untouched_installation, second_home
    await first.up()
    data, expected = archive(160)
    async with account_at(first.url) as busy, account_at(first.url) as asleep, account_at(first.url) as many:
        paused = await asleep.post("/documents/batch", files={"file": ("reports.zip", data)})
        await progressed(asleep, paused["id"], 1)
        paused = await asleep.post(f"/operations/{paused['id']}/pause")
        assert paused["status"] == "paused", "too fast to be paused"
        running = await busy.post("/documents/batch", files={"file": ("reports.zip", data)})
        before: list[str] = []
        async with a_stream_of_documents(many) as accepted:
            await progressed(busy, running["id"], 1)
            before = list(accepted)
            made = await perdure(first, "backup", str(tmp_path / "backup"), "--with-keys")
            state = await busy.get(f"/operations/{running['id']}")
        assert made["counts"]["open_operations"] >= 2
        assert made["elsewhere"] == {}
        assert state["progress"]["done"] > 0
        first.interrupt()
        assert await first.ended() == 0

        assert (await perdure(second, "backup", "verify", str(tmp_path / "backup")))["files"] == made["files"]
        restored = await perdure(second, "restore", str(tmp_path / "backup"))
        assert restored["to_do"] == []
        await second.up()
        async with moved(busy, second.url) as account:
            operation = await settled(account, running["id"])
            await assert_exactly_once(second, account, operation, expected)
        async with moved(asleep, second.url) as account:
            operation = await account.get(f"/operations/{paused['id']}")
            assert operation["status"] == "paused"
            await account.post(f"/operations/{paused['id']}/resume")
            operation = await settled(account, paused["id"])
            await assert_exactly_once(second, account, operation, expected)
        async with moved(many, second.url) as account:
            await assert_none_lost_or_doubled(second, account, before)
        second.interrupt()
        assert await second.ended() == 0


async def assert_none_lost_or_doubled(
    installation: Installation, account: Account, accepted: list[str]
) -> None:
    """Every operation that was accepted before is there; each that is there ends, with one document or none."""
    page: dict[str, Any] = await account.get("/operations", limit=200)
    known = [operation["id"] for operation in page["items"]]
    while page["next_cursor"]:
        page = await account.get("/operations", limit=200, cursor=page["next_cursor"])
        known += [operation["id"] for operation in page["items"]]
    assert set(accepted) <= set(known)
    for operation_id in known:
        operation = await settled(account, operation_id)
        assert operation["status"] == "completed", operation
    database = installation.database()
    try:
        rows = await documents_of(database, account.organisation_id)
    finally:
        await database.aclose()
    assert {row.status for row in rows} <= {"indexed"}
    assert all(row.chunks == row.vectors > 0 for row in rows)
    assert len({row.operation_id for row in rows}) == len(rows)
    assert await missing_objects(installation, account) == []


async def test_a_damaged_backup_is_refused_and_named(
    installation: Installation, second_home: Installation, account: Account, tmp_path: Path
) -> None:
    await settled(account, (await account.post("/documents", json={"text": text_of(1)}))["id"])
    backup = tmp_path / "backup"
    await perdure(installation, "backup", str(backup))
    (backup / "temporal.db").unlink()
    with (backup / "database.dump").open("r+b") as file:
        file.seek(2000)
        file.write(b"rubbish")
    (backup / "left-over").touch()
    for arguments in (("backup", "verify", str(backup)), ("restore", str(backup))):
        with pytest.raises(AssertionError) as failure:
            await perdure(second_home, *arguments)
        said = " ".join(str(failure.value).split())
        assert "temporal.db is missing" in said
        assert "database.dump is damaged" in said
        assert "left-over is in no list" in said
    assert not (second_home.home / "postgres").exists()


async def test_a_home_that_is_in_use_is_not_restored_into(
    installation: Installation, account: Account, tmp_path: Path
) -> None:
    await perdure(installation, "backup", str(tmp_path / "backup"))
    with pytest.raises(AssertionError, match=r"is\s+not\s+empty"):
        await perdure(installation, "restore", str(tmp_path / "backup"))
    with pytest.raises(AssertionError, match=r"is\s+not\s+empty"):
        await perdure(installation, "backup", str(tmp_path / "backup"))
    await account.get("/operations")
