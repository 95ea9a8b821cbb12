"""The examples of docs/classification.md, run by a shell against a product that answers on a port."""

from pathlib import Path

from fastapi import FastAPI

from tests.accounts import Account
from tests.guides import followed
from tests.served import served


async def test_every_example_does_what_the_guide_says(
    caller: Account, product: FastAPI, tmp_path: Path
) -> None:
    scopes = ["classification:read", "classification:write", "classification:review", "operations:read"]
    key = await caller.post("/api-keys", 201, json={"name": "guide", "scopes": scopes})
    async with served(product) as address:
        values = await followed("classification.md", address, key["key"], tmp_path)
    answer, listed, queue, reviewed, version, active, quality = values
    assert answer["label"] == "Invoice"
    assert "1200.00 EUR" in {entity["value"] for entity in answer["stages"]["entities"]}
    assert [item["external_id"] for item in listed["items"]] == ["a", None]
    assert [item["id"] for item in queue["items"]] == [reviewed["id"]]
    assert (reviewed["label"], reviewed["status"]) == ("Complaint", "reviewed")
    assert (version["version"], active["version"]) == (2, 2)
    assert quality["version"] == 2
    assert (tmp_path / "results.csv").read_text().count("\n") == 3
    assert len((tmp_path / "results.jsonl").read_text().splitlines()) == 2
