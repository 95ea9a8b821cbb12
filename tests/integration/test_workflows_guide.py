"""The examples of docs/workflows.md, run by a shell against a product that answers on a port."""

from pathlib import Path

from fastapi import FastAPI

from perdure.domain.workflow_yaml import read_yaml
from tests.accounts import Account
from tests.guides import followed
from tests.served import served

SCOPES = ("workflows:read", "workflows:write", "workflows:execute", "documents:write", "operations:read")


async def test_every_example_does_what_the_guide_says(
    caller: Account, product: FastAPI, tmp_path: Path
) -> None:
    key = await caller.post("/api-keys", 201, json={"name": "guide", "scopes": list(SCOPES)})
    async with served(product) as address:
        values = await followed("workflows.md", address, key["key"], tmp_path)
    faulty, versions, difference, execution, batch, items, shared = values
    assert {fault["pointer"] for fault in faulty["faults"]} >= {
        "/steps/0/with/if",
        "/steps/0/with/then",
        "/steps/1/needs/0",
    }
    assert [version["note"] for version in versions["items"]] == ["stricter", None]
    (change,) = difference["changes"]
    assert (change["place"], change["before"], change["after"]) == ("/parameters/sure_from/default", 0.2, 0.3)
    assert execution["status"] == "completed", execution
    states = {step["step_id"]: step["state"] for step in execution["steps"]}
    assert (states["classify"], states["sure"]) == ("completed", "completed")
    assert {states["keep"], states["nothing"]} == {"completed", "skipped"}
    classified = next(step for step in execution["steps"] if step["step_id"] == "classify")
    assert classified["output"]["label"] == "invoice"
    assert (batch["status"], batch["result"]["outcomes"]) == ("completed", {"executed": 1})
    assert [item["status"] for item in items["items"]] == ["executed"]
    assert (shared["version"], "/workflows/import?link=" in shared["link"]) == (2, True)
    assert (tmp_path / "workflow.svg").read_text().startswith("<svg")
    assert "class s_classify" in (tmp_path / "execution.mmd").read_text()
    assert read_yaml((tmp_path / "exported.yaml").read_text()) == read_yaml(
        (tmp_path / "stricter.yaml").read_text()
    )
