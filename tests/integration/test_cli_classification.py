"""`perdure classify` against a product that answers on a port."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fastapi import FastAPI

from tests.accounts import Account
from tests.classifying import LABELS, TEXTS, workflow
from tests.served import commands_reach, perdure

OPTIONS = [part for label in LABELS for part in ("--label", f"{label['name']}: {label['description']}")]


@pytest.fixture
async def connected(
    product: FastAPI, caller: Account, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Account]:
    scopes = ("classification:read", "classification:write", "operations:read")
    async with commands_reach(product, caller, monkeypatch, *scopes):
        yield caller


async def test_a_text_a_workflow_and_a_file(connected: Account, tmp_path: Path) -> None:
    done = await perdure("classify", TEXTS["Invoice"], *OPTIONS, "--stage", "category", "--stage", "entities")
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("Invoice  "), done.stdout
    made = await workflow(connected)
    answer = await perdure("classify", TEXTS["Complaint"], "--workflow", made["id"], "--json")
    assert json.loads(answer.stdout)["label"] == "Complaint"
    file, output = tmp_path / "texts.txt", tmp_path / "results.csv"
    file.write_text("\n".join([*TEXTS.values(), json.dumps({"text": " "})]))
    batch = await perdure("classify", "--file", str(file), "--workflow", made["id"], "--output", str(output))
    assert batch.exit_code == 1
    assert "4 texts: 3 decided, 0 for a person, 1 failed" in batch.stdout
    assert len(output.read_text().splitlines()) == 5


async def test_what_is_wrong_is_said(connected: Account, tmp_path: Path) -> None:
    neither = await perdure("classify")
    assert (neither.exit_code, "exactly one of them" in neither.output) == (1, True)
    no_labels = await perdure("classify", "a text")
    assert (no_labels.exit_code, "at least two labels" in no_labels.output) == (1, True)
    empty = tmp_path / "empty.txt"
    empty.write_text("\n")
    assert "holds no text" in (await perdure("classify", "--file", str(empty), *OPTIONS)).output
