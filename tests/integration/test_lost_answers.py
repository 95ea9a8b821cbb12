"""Indexing that is done, but whose answer is lost, and documents of more than one shard."""

from collections.abc import Awaitable, Callable

import pytest
from fastapi import FastAPI

from activities import texts
from activities.indexing import IndexActivities
from activities.texts import shard_key
from perdure.schemas.documents import DocumentOutcome, UnitJob
from tests.accounts import Account

Index = Callable[[IndexActivities, UnitJob], Awaitable[list[DocumentOutcome]]]

LONG = "\n\n".join(
    f"# Part {number}\n\n" + f"Valve {number} was opened and pump {number} was stopped again. " * 12
    for number in range(12)
)


@pytest.fixture
def index() -> Index:
    """The real thing, to be called by what stands in for it."""
    return IndexActivities.index


async def work_of(product: FastAPI, caller: Account) -> list[str]:
    return [key async for key in product.state.objects.list(caller.organisation_id) if "/work/" in key]


async def test_a_document_is_indexed_once_when_the_answer_about_it_is_lost(
    caller: Account, product: FastAPI, monkeypatch: pytest.MonkeyPatch, index: Index
) -> None:
    calls = 0

    async def dies_before_it_answers(self: IndexActivities, job: UnitJob) -> list[DocumentOutcome]:
        nonlocal calls
        calls += 1
        outcomes = await index(self, job)
        if calls == 1:
            # It died in the middle of clearing up, too.
            await product.state.objects.put(shard_key(job.unit_key, "model", 0), b"left behind")
            msg = "the worker is gone"
            raise OSError(msg)
        return outcomes

    monkeypatch.setattr(IndexActivities, "index", dies_before_it_answers)
    operation = await caller.ended(await caller.post("/documents", json={"text": LONG}))
    assert calls == 2
    assert (operation["status"], operation["result"]["status"]) == ("completed", "indexed")
    document = await caller.get(f"/documents/{operation['subject']['id']}")
    chunks = (await caller.get(f"/documents/{document['id']}/chunks"))["items"]
    assert len(chunks) == document["chunk_count"] == operation["result"]["chunk_count"] > 0
    assert await work_of(product, caller) == []


async def test_a_document_that_is_deleted_while_it_is_indexed_ends_its_operation(
    caller: Account, product: FastAPI, monkeypatch: pytest.MonkeyPatch, index: Index
) -> None:
    async def deleted_just_before(self: IndexActivities, job: UnitJob) -> list[DocumentOutcome]:
        (document,) = (await caller.get("/documents"))["items"]
        deletion = await caller.http.delete(f"/api/v1/documents/{document['id']}")
        assert (await caller.ended(deletion.json()))["status"] == "completed"
        return await index(self, job)

    monkeypatch.setattr(IndexActivities, "index", deleted_just_before)
    operation = await caller.ended(await caller.post("/documents", json={"text": LONG}), 20)
    assert (operation["status"], operation["result"]["status"]) == ("completed", "failed")
    assert (operation["result"]["reason"], operation["result"]["detail"]) == (
        "cancelled",
        "the document was deleted",
    )
    assert (await caller.get("/documents"))["items"] == []
    assert await work_of(product, caller) == []


async def test_an_item_whose_document_is_deleted_while_it_is_indexed_is_settled(
    caller: Account, monkeypatch: pytest.MonkeyPatch, index: Index
) -> None:
    async def deleted_just_before(self: IndexActivities, job: UnitJob) -> list[DocumentOutcome]:
        documents = (await caller.get("/documents"))["items"]
        (document,) = [each for each in documents if each["title"] == "Unwanted"]
        deletion = await caller.http.delete(f"/api/v1/documents/{document['id']}")
        assert (await caller.ended(deletion.json()))["status"] == "completed"
        return await index(self, job)

    monkeypatch.setattr(IndexActivities, "index", deleted_just_before)
    items = [{"text": "Keep this.", "title": "Wanted"}, {"text": "Not this.", "title": "Unwanted"}]
    operation = await caller.ended(await caller.post("/documents/batch", json={"items": items}), 20)
    outcomes = (await caller.get(f"/operations/{operation['id']}/items"))["items"]
    assert [item["status"] for item in outcomes] == ["indexed", "failed"]
    assert "deleted" in outcomes[1]["detail"]
    assert (operation["progress"]["done"], operation["result"]["total"]) == (2, 2)


async def test_a_document_of_several_shards_is_indexed_whole(
    caller: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(texts, "SHARD_CHUNKS", 4)
    operation = await caller.ended(await caller.post("/documents", json={"text": LONG}), 20)
    assert operation["result"]["chunk_count"] > 2 * 4


async def test_a_page_of_a_batch_of_several_shards_is_indexed_whole(
    caller: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(texts, "SHARD_CHUNKS", 4)
    items = [{"text": f"Report {number}\n\n{LONG}"} for number in range(3)]
    operation = await caller.ended(await caller.post("/documents/batch", json={"items": items}), 20)
    assert operation["result"] == {"total": 3, "outcomes": {"indexed": 3}}
