"""SIGTERM of the worker in the middle of long work: drained when there is time, else done again; exit code 0."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.accounts import Account
from tests.faults.checks import assert_no_leftovers, documents_of, settled, step_reached
from tests.faults.files import text_of
from tests.faults.installation import DRAIN_S, Installation, eventually

DRAINED = "worker cpu ended with exit code 0"


async def terminate(installation: Installation) -> None:
    """SIGTERM, and wait for the successor."""
    before, ends = installation.pid_of("worker cpu"), installation.said().count(DRAINED)
    os.kill(before, signal.SIGTERM)
    await eventually(lambda: installation.pid_of("worker cpu") != before, 150)
    assert installation.said().count(DRAINED) == ends + 1, installation.said()


async def attempts_of(account: Account, operation: dict[str, Any], step: str) -> int:
    steps = await account.get(f"/operations/{operation['id']}/steps", limit=200)
    (attempts,) = [each["attempts"] for each in steps["items"] if each["name"] == step]
    return int(attempts)


async def assert_indexed_once(
    installation: Installation, account: Account, operation: dict[str, Any], *, least: int
) -> None:
    assert (operation["status"], operation["result"]["status"]) == ("completed", "indexed"), operation
    database = installation.database()
    try:
        (document,) = await documents_of(database, account.organisation_id)
    finally:
        await database.aclose()
    assert document.status == "indexed"
    assert document.chunks == document.vectors == operation["result"]["chunk_count"] >= least
    await assert_no_leftovers(installation, account)


@pytest.mark.parametrize(
    ("nap_s", "attempts"), [(DRAIN_S / 2, 1), (DRAIN_S + 20, 2)], ids=["drained", "done again"]
)
async def test_a_worker_that_is_terminated_while_it_parses(
    installation: Installation, account: Account, tmp_path: Path, nap_s: float, attempts: int
) -> None:
    wish = f"please nap-once {tmp_path}/flag {nap_s}\n"
    file = ("slow.txt", (wish + text_of(1)).encode())
    operation = await account.post("/documents", files={"file": file})
    await step_reached(account, operation["id"], "parse_document")
    await eventually((tmp_path / "flag").exists, 60)
    await terminate(installation)
    operation = await settled(account, operation["id"])
    assert await attempts_of(account, operation, "parse_document") == attempts
    await assert_indexed_once(installation, account, operation, least=1)


async def test_a_worker_that_is_terminated_while_it_embeds(
    installation: Installation, account: Account
) -> None:
    text = "\n\n".join(text_of(number, sentences=4) for number in range(300))
    operation = await account.post("/documents", json={"text": text})
    await step_reached(account, operation["id"], "embed_document")
    await terminate(installation)
    operation = await settled(account, operation["id"])
    await assert_indexed_once(installation, account, operation, least=200)
