"""The commands of memory against a product that answers on a port."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fastapi import FastAPI

from tests.accounts import Account
from tests.served import commands_reach, perdure


@pytest.fixture
async def connected(
    product: FastAPI, caller: Account, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Account]:
    """The commands reach the product as the caller."""
    async with commands_reach(
        product, caller, monkeypatch, "memories:read", "memories:write", "operations:read"
    ):
        yield caller


async def test_remember_recall_and_forget(connected: Account) -> None:
    done = await perdure("remember", "Ann adopted a grey cat.", "--subject", "Ann", "--speaker", "Ann")
    assert done.exit_code == 0, done.output
    assert "1 remembered" in done.stdout
    again = await perdure("remember", "Ann adopted a grey cat.", "--subject", "Ann", "--speaker", "Ann")
    assert "1 duplicates" in again.stdout
    found = await perdure("recall", "Which animal lives with Ann?", "--explain")
    assert "Ann adopted a grey cat." in found.stdout
    assert "meaning" in found.stdout
    preview = await perdure("forget", "--subject", "Ann", "--dry-run")
    assert "1 memories would be forgotten" in preview.stdout
    gone = await perdure("forget", "--subject", "Ann")
    assert "1 memories forgotten" in gone.stdout
    assert "nothing stored" in (await perdure("recall", "grey cat")).stdout


async def test_what_is_exported_comes_in_again(connected: Account, tmp_path: Path) -> None:
    await perdure("remember", "Ann adopted a grey cat.", "--subject", "Ann")
    file = tmp_path / "memories.jsonl"
    written = await perdure("memory", "export", str(file))
    assert f"{file.stat().st_size} bytes written" in written.stdout.replace("\n", "")
    file.write_text(f"{file.read_text()}no memory\n")
    done = await perdure("memory", "import", str(file), "--space", "copy")
    assert done.exit_code == 1
    assert "line 2: is not JSON" in done.stdout
    assert "2 lines: 1 remembered, 0 known, 1 refused" in done.stdout
    missing = await perdure("memory", "export", str(file), "--space", "not a name")
    assert missing.exit_code == 1


async def test_a_choice_that_is_none_is_an_error_with_what_to_do(connected: Account) -> None:
    await perdure("remember", "Ann adopted a grey cat.")
    refused = await perdure("forget")
    assert refused.exit_code == 1
    assert "exactly one of ids, text, subject, query" in refused.output
