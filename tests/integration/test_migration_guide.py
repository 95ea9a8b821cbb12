"""The examples of docs/migrating.md, run by a shell against a product that answers on a port."""

from pathlib import Path

from fastapi import FastAPI

from tests.accounts import Account
from tests.guides import followed
from tests.served import served


async def test_every_example_does_what_the_guide_says(
    caller: Account, product: FastAPI, tmp_path: Path
) -> None:
    scopes = ["memories:read", "memories:write", "operations:read", "documents:read", "documents:write"]
    key = await caller.post("/api-keys", 201, json={"name": "guide", "scopes": scopes})
    async with served(product) as address:
        values = await followed("migrating.md", address, key["key"], tmp_path)
    added, document, recalled, profile, listed, read, updated, history, *deleted = values
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
