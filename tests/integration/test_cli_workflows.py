"""`perdure workflows` against a product that answers on a port."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from perdure.domain.workflow_yaml import read_yaml, write_yaml
from tests.accounts import Account
from tests.served import commands_reach, perdure

DEFINITION = {
    "name": "Doubled",
    "parameters": {"by": {"type": "number", "default": 2}},
    "steps": [{"id": "doubled", "type": "transform", "with": {"set": {"n": "input.n * parameters.by"}}}],
}


def printed(stdout: str) -> Any:
    """The JSON that a command printed; the server in this process logs there, too."""
    return json.loads(stdout[stdout.index("{\n") :])


@pytest.fixture
async def connected(
    product: FastAPI, caller: Account, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Account]:
    scopes = ("workflows:read", "workflows:write", "workflows:execute", "operations:read")
    async with commands_reach(product, caller, monkeypatch, *scopes):
        yield caller


async def test_a_definition_is_checked_stored_and_executed(connected: Account, tmp_path: Path) -> None:
    right, faulty = tmp_path / "right.yaml", tmp_path / "faulty.json"
    right.write_text(write_yaml(DEFINITION))
    faulty.write_text(json.dumps({**DEFINITION, "steps": [{"id": "A", "type": "dance"}]}))
    assert "is right: 1 step\n" in (await perdure("workflows", "validate", str(right))).stdout
    refused = await perdure("workflows", "validate", str(faulty))
    assert (refused.exit_code, "/steps/0/type" in refused.stdout, "/steps/0/id" in refused.stdout) == (
        1,
        True,
        True,
    )
    made = await perdure("workflows", "create", str(right), "--name", "Mine", "--json")
    workflow = printed(made.stdout)["id"]
    given = ("--input", '{"n": 4}', "--set", "by=3", "--wait", "--json")
    done = printed((await perdure("workflows", "execute", workflow, *given)).stdout)
    assert (done["status"], done["result"]["outputs"]) == ("completed", {"doubled": {"n": 12}})
    (listed,) = printed((await perdure("workflows", "executions", "--json")).stdout)["items"]
    shown = await perdure("workflows", "show", listed["id"])
    assert (shown.exit_code, "doubled" in shown.stdout, "12" in shown.stdout) == (0, True, True)
    assert "Mine" in (await perdure("workflows", "list")).stdout
    second = await perdure("workflows", "create", str(right), "--version-of", workflow)
    assert "Doubled, version 2" in second.stdout


async def test_a_template_becomes_a_workflow_and_what_is_wrong_is_said(
    connected: Account, tmp_path: Path
) -> None:
    templates = await perdure("workflows", "list", "--templates")
    assert "invoice-approval" in templates.stdout
    asked = ("--template", "invoice-approval", "--set", "contact=a@example.com", "--set", "limit=250")
    assert "Invoice approval, version 1" in (await perdure("workflows", "create", *asked)).stdout
    missing = await perdure("workflows", "create", "--template", "invoice-approval")
    assert (missing.exit_code, "/body/parameters/contact" in missing.output) == (1, True)
    neither = await perdure("workflows", "create")
    assert (neither.exit_code, "one of them" in neither.output) == (1, True)
    broken = tmp_path / "broken.yaml"
    broken.write_text("a: 1\na: 2\n")
    assert "stands here twice" in (await perdure("workflows", "validate", str(broken))).output


async def test_a_definition_is_taken_along_shared_compared_and_archived(
    connected: Account, tmp_path: Path
) -> None:
    first, second = tmp_path / "first.yaml", tmp_path / "second.yaml"
    first.write_text(write_yaml(DEFINITION))
    workflow = printed((await perdure("workflows", "create", str(first), "--json")).stdout)["id"]
    changed = {**DEFINITION, "parameters": {"by": {"type": "number", "default": 3}}}
    second.write_text(write_yaml(changed))
    await perdure("workflows", "create", str(second), "--version-of", workflow)
    compared = await perdure("workflows", "diff", workflow)
    assert ("/parameters/by" in compared.stdout, "version 1" in compared.stdout) == (True, True)
    same = await perdure("workflows", "diff", workflow, "--from", "2", "--to", "2")
    assert "say the same" in same.stdout
    taken, old = tmp_path / "taken.json", tmp_path / "old.yaml"
    assert "bytes written" in (await perdure("workflows", "export", workflow, str(taken))).stdout
    assert json.loads(taken.read_text())["parameters"] == changed["parameters"]
    await perdure("workflows", "export", workflow, str(old), "--version", "1")
    assert read_yaml(old.read_text()) == DEFINITION
    shared = printed((await perdure("workflows", "share", workflow, "--hours", "2", "--json")).stdout)
    copied = await perdure("workflows", "import", shared["link"], "--name", "Copied")
    assert "Copied, version 1: 1 step\n" in copied.stdout
    assert "archived" in (await perdure("workflows", "archive", workflow)).stdout
    refused = await perdure("workflows", "execute", workflow)
    assert (refused.exit_code, "archived" in refused.output) == (1, True)
    missing = await perdure("workflows", "export", "dwf_" + "0" * 26, str(tmp_path / "none.yaml"))
    assert (missing.exit_code, (tmp_path / "none.yaml").exists()) == (1, False)
