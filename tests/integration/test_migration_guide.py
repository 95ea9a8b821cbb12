"""The examples of docs/migrating.md, run by a shell against a product that answers on a port."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from tests.accounts import Account
from tests.served import served

GUIDE = Path(__file__).parents[2] / "docs" / "migrating.md"
_BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.fixture
async def address(product: FastAPI) -> AsyncIterator[str]:
    """Where the product answers."""
    async with served(product) as url:
        yield url


def _values(printed: str) -> list[Any]:
    """The JSON values that stand one after the other."""
    decoder, at, found = json.JSONDecoder(), 0, []
    while at < len(printed):
        value, at = decoder.raw_decode(printed, at)
        found.append(value)
        at += len(printed[at:]) - len(printed[at:].lstrip())
    return found


async def test_every_example_does_what_the_guide_says(caller: Account, address: str, tmp_path: Path) -> None:
    scopes = ["memories:read", "memories:write", "operations:read", "documents:read", "documents:write"]
    key = await caller.post("/api-keys", 201, json={"name": "guide", "scopes": scopes})
    blocks = _BLOCK.findall(GUIDE.read_text())
    shell = await asyncio.create_subprocess_exec(
        "bash",
        *("-euo", "pipefail", "-c", "\n".join(blocks)),
        cwd=tmp_path,
        env={"PERDURE_URL": address, "PERDURE_API_KEY": key["key"], "PATH": "/usr/local/bin:/usr/bin:/bin"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    printed, complaints = await shell.communicate()
    assert shell.returncode == 0, (printed.decode()[-500:], complaints.decode())
    added, document, recalled, profile, listed, read, updated, history, *deleted = _values(printed.decode())
    one, exact, preview, subject, imported = deleted
    assert added["result"]["remembered"] == 2
    assert document["kind"] == "ingest_document"
    assert "trains" in recalled["items"][0]["content"]
    assert {recalled["outcome"], profile["subject"]} == {"found", "alex"}
    assert {"t1", "t2"} <= {memory["external_id"] for memory in listed["items"]}
    assert (read["external_id"], updated["version"], len(history["items"])) == ("t1", 2, 2)
    assert (one["result"]["forgotten"], exact["result"]["forgotten"]) == (1, 1)
    assert "total" in preview
    assert subject["status"] == "completed"
    ended = await caller.ended(imported)
    assert (ended["result"]["remembered"], ended["result"]["refused"]) == (2, 0)
    found = (await caller.get("/memories", subject="alex2"))["items"]
    assert {memory["content"] for memory in found} == {
        "Alex is allergic to walnuts.",
        "Alex plays the cello.",
    }
