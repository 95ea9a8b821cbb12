"""The examples of docs/classification.md, run by a shell against a product that answers on a port."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from tests.accounts import Account
from tests.served import served

GUIDE = Path(__file__).parents[2] / "docs" / "classification.md"
_BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)


def _values(printed: str) -> list[Any]:
    """The JSON values that stand one after the other."""
    decoder, at, found = json.JSONDecoder(), 0, []
    while at < len(printed):
        value, at = decoder.raw_decode(printed, at)
        found.append(value)
        at += len(printed[at:]) - len(printed[at:].lstrip())
    return found


async def test_every_example_does_what_the_guide_says(
    caller: Account, product: FastAPI, tmp_path: Path
) -> None:
    scopes = ["classification:read", "classification:write", "classification:review", "operations:read"]
    key = await caller.post("/api-keys", 201, json={"name": "guide", "scopes": scopes})
    async with served(product) as address:
        shell = await asyncio.create_subprocess_exec(
            "bash",
            *("-euo", "pipefail", "-c", "\n".join(_BLOCK.findall(GUIDE.read_text()))),
            cwd=tmp_path,
            env={
                "PERDURE_URL": address,
                "PERDURE_API_KEY": key["key"],
                "PATH": "/usr/local/bin:/usr/bin:/bin",
            },
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        printed, complaints = await shell.communicate()
    assert shell.returncode == 0, (printed.decode()[-500:], complaints.decode())
    answer, listed, queue, reviewed, version, active, quality = _values(printed.decode())
    assert answer["label"] == "Invoice"
    assert "1200.00 EUR" in {entity["value"] for entity in answer["stages"]["entities"]}
    assert [item["external_id"] for item in listed["items"]] == ["a", None]
    assert [item["id"] for item in queue["items"]] == [reviewed["id"]]
    assert (reviewed["label"], reviewed["status"]) == ("Complaint", "reviewed")
    assert (version["version"], active["version"]) == (2, 2)
    assert quality["version"] == 2
    assert (tmp_path / "results.csv").read_text().count("\n") == 3
    assert len((tmp_path / "results.jsonl").read_text().splitlines()) == 2
