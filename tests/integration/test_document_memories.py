"""Passages of documents as memories: with exact sources, kept over versions, gone with their document."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import text

from activities.linking import link_documents
from perdure.db.document_memories import DocumentMemories
from perdure.db.session import Database
from perdure.domain.memories import says_something
from tests.accounts import Account
from tests.integration.test_memories import memories

SAMPLES = Path(__file__).parents[2] / "samples"
PARAGRAPHS = [
    f"# Part {number}\n\n" + f"Pump {number} was oiled, and valve {number} was closed at noon. " * 12
    for number in range(6)
]


async def chunks(account: Account, document: dict[str, Any]) -> list[dict[str, Any]]:
    """Passages of a document that say something; a line of signs alone is nothing to remember."""
    found = (await account.get(f"/documents/{document['id']}/chunks", limit=200))["items"]
    return [chunk for chunk in found if says_something(chunk["text"])]


async def of_document(account: Account, document: dict[str, Any], **filters: Any) -> list[dict[str, Any]]:
    """Memories of a document in the order of its text."""
    found = await memories(account, document_id=document["id"], **filters)
    return sorted(found, key=lambda memory: memory["id"])


@pytest.mark.parametrize("name", ["lease.pdf", "employee-handbook.docx", "minutes.md", "price-list.xlsx"])
async def test_each_passage_of_a_file_becomes_a_memory_that_points_to_it(caller: Account, name: str) -> None:
    document = await caller.ingested(
        files={"file": (name, (SAMPLES / name).read_bytes())},
        data={"remember": "true", "subject": "the office", "metadata": '{"year": 2026}'},
    )
    assert document["status"] == "indexed"
    passages = await chunks(caller, document)
    found = await of_document(caller, document)
    assert [memory["content"] for memory in found] == [passage["text"] for passage in passages]
    for memory, passage in zip(found, passages, strict=True):
        source = memory["source"]
        assert (source["type"], source["id"], source["document_id"]) == (
            "chunk",
            passage["id"],
            document["id"],
        )
        assert passage["text"][source["start"] : source["end"]] == memory["content"]
        assert (memory["kind"], memory["subject"], memory["metadata"]) == (
            "evidence",
            "the office",
            {"year": 2026},
        )
    operation = await caller.get(f"/operations/{document['operation_id']}")
    assert operation["result"]["memory_count"] == len(found) > 0


async def test_memories_of_passages_have_the_vectors_of_the_passages(
    caller: Account, database: Database
) -> None:
    document = await caller.ingested(json={"text": "\n\n".join(PARAGRAPHS), "remember": True})
    async with database.transaction(caller.organisation_id) as session:
        pairs = await session.execute(
            text(
                "SELECT ce.embedding::text, me.embedding::text FROM memories m "
                "JOIN memory_embeddings me ON me.memory_id = m.id "
                "JOIN chunk_embeddings ce ON ce.chunk_id = m.source ->> 'id' AND ce.model = me.model "
                "WHERE m.document_id = :id"
            ),
            {"id": document["id"]},
        )
        vectors = [(json.loads(one), json.loads(other)) for one, other in pairs]
    assert len(vectors) == document["chunk_count"] > 1
    for one, other in vectors:
        # Both are half precision; the text form of the way keeps five digits.
        assert np.allclose(one, other, atol=1e-3)


async def test_what_a_document_says_is_recalled_with_its_neighbours(caller: Account) -> None:
    document = await caller.ingested(json={"text": "\n\n".join(PARAGRAPHS), "remember": True})
    answer = await caller.post(
        "/memories/recall", 200, json={"query": "When was valve 3 closed?", "graph": True, "limit": 3}
    )
    assert answer["outcome"] == "found"
    best = answer["items"][0]
    assert "valve 3" in best["content"]
    assert best["source"]["document_id"] == document["id"]
    assert {related["relation"] for related in best["related"]} >= {"follows"}


async def test_without_the_option_nothing_is_remembered(caller: Account) -> None:
    document = await caller.ingested(json={"text": PARAGRAPHS[0]})
    assert await of_document(caller, document) == []
    assert (await caller.get("/spaces"))["items"][0]["memory_count"] == 0


async def test_a_space_can_ask_for_it_and_a_document_can_decline(caller: Account) -> None:
    await caller.ingested(json={"text": "A first text about lamps.", "space": "office"})
    changed = await caller.http.patch("/api/v1/spaces/office", json={"remember_documents": True})
    assert (changed.status_code, changed.json()["remember_documents"]) == (200, True)
    linked = await caller.ingested(json={"text": PARAGRAPHS[0], "space": "office"})
    declined = await caller.ingested(json={"text": PARAGRAPHS[1], "space": "office", "remember": False})
    assert len(await of_document(caller, linked)) == linked["chunk_count"]
    assert await of_document(caller, declined) == []
    unknown = await caller.http.patch("/api/v1/spaces/nowhere", json={"remember_documents": True})
    assert unknown.status_code == 404


async def test_a_new_version_keeps_the_memories_of_passages_that_stayed(caller: Account) -> None:
    given = {"external_id": "handbook", "remember": True, "subject": "plant"}
    first = await caller.ingested(json={"text": "\n\n".join(PARAGRAPHS), **given})
    before = {memory["content"]: memory["id"] for memory in await of_document(caller, first)}
    changed = [*PARAGRAPHS[:2], "# Part 9\n\nThe boiler was replaced in March.", *PARAGRAPHS[3:]]
    # The option is not said again: the document goes on being remembered.
    second = await caller.ingested(json={"text": "\n\n".join(changed), "external_id": "handbook"})
    assert (second["id"], second["version"]) == (first["id"], 2)
    passages = await chunks(caller, second)
    now = {memory["content"]: memory for memory in await of_document(caller, second)}
    assert set(now) == {passage["text"] for passage in passages}
    kept = set(before) & set(now)
    assert len(kept) >= 4
    assert all(now[content]["id"] == before[content] for content in kept)
    at = {passage["text"]: passage["id"] for passage in passages}
    assert all(memory["source"]["id"] == at[content] for content, memory in now.items())
    assert {memory["subject"] for memory in now.values()} == {"plant"}
    gone = [m for m in await of_document(caller, second, state="all") if m["content"] not in now]
    assert gone
    assert all(memory["retired_at"] for memory in gone)
    answer = await caller.post("/memories/recall", 200, json={"query": "valve 2", "limit": 20})
    assert not any("valve 2 was" in item["content"] for item in answer["items"])
    boiler = await caller.post("/memories/recall", 200, json={"query": "Which boiler was replaced?"})
    assert "boiler" in boiler["items"][0]["content"]


async def test_a_version_that_declines_retires_the_memories(caller: Account) -> None:
    given = {"external_id": "notes"}
    await caller.ingested(json={"text": PARAGRAPHS[0], "remember": True, **given})
    document = await caller.ingested(json={"text": PARAGRAPHS[1], "remember": False, **given})
    assert await of_document(caller, document) == []


async def test_a_version_for_another_subject_moves_the_memories(caller: Account) -> None:
    given = {"external_id": "notes", "remember": True}
    await caller.ingested(json={"text": PARAGRAPHS[0] + "one", "subject": "Ann", **given})
    document = await caller.ingested(json={"text": PARAGRAPHS[0] + "two", "subject": "Ben", **given})
    assert {memory["subject"] for memory in await of_document(caller, document)} == {"Ben"}
    assert len(await of_document(caller, document)) == document["chunk_count"]


async def test_a_deleted_document_takes_its_memories_along(caller: Account, database: Database) -> None:
    document = await caller.ingested(
        json={"text": "\n\n".join(PARAGRAPHS), "remember": True, "subject": "Zebulon"}
    )
    (memory, *_) = await of_document(caller, document)
    changed = await caller.http.patch(f"/api/v1/memories/{memory['id']}", json={"content": "Pump 0 squeaks."})
    assert changed.status_code == 200
    await caller.ended((await caller.http.delete(f"/api/v1/documents/{document['id']}")).json())
    assert await memories(caller, state="all") == []
    async with database.transaction(caller.organisation_id) as session:
        for table in ("memories", "memory_embeddings", "memory_people", "profile_entries", "memory_changes"):
            assert await session.scalar(text(f"SELECT count(*) FROM {table}")) == 0, table
    assert (await caller.get("/spaces"))["items"][0]["memory_count"] == 0
    answer = await caller.post("/memories/recall", 200, json={"query": "pump"})
    assert answer["outcome"] == "nothing_stored"
    # It was deleted, not forgotten: it may come back.
    again = await caller.ingested(json={"text": PARAGRAPHS[0], "remember": True})
    assert len(await of_document(caller, again)) == again["chunk_count"]


async def test_a_forgotten_passage_does_not_come_back_with_a_new_version(caller: Account) -> None:
    given = {"external_id": "notes", "remember": True}
    document = await caller.ingested(json={"text": "\n\n".join(PARAGRAPHS), **given})
    (memory, *_) = await of_document(caller, document)
    receipt = await caller.post("/memories/forget?wait=true", 200, json={"ids": [memory["id"]]})
    assert receipt["result"]["forgotten"] == 1
    document = await caller.ingested(json={"text": "\n\n".join([*PARAGRAPHS, "# Annex\n\nNew."]), **given})
    found = [each["content"] for each in await of_document(caller, document)]
    assert memory["content"] not in found
    assert found


async def test_items_of_a_batch_and_attachments_of_mail_are_remembered(caller: Account) -> None:
    mail = (SAMPLES / "warranty-claim.eml").read_bytes()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("claim.eml", mail)
        archive.writestr("minutes.md", (SAMPLES / "minutes.md").read_bytes())
    operation = await caller.post(
        "/documents/batch",
        files={"file": ("inbox.zip", buffer.getvalue())},
        data={"remember": "true", "subject": "desk"},
    )
    assert (await caller.ended(operation))["status"] == "completed"
    documents = (await caller.get("/documents"))["items"]
    assert any(document["parent_id"] for document in documents)
    for document in documents:
        found = await of_document(caller, document)
        assert len(found) == len(await chunks(caller, document)) > 0, document["title"]
        assert {memory["subject"] for memory in found} == {"desk"}
    items = [{"text": PARAGRAPHS[4], "remember": True}, {"text": PARAGRAPHS[5]}]
    await caller.ended(await caller.post("/documents/batch", json={"items": items}))
    by_title = {document["title"]: document for document in (await caller.get("/documents"))["items"]}
    assert len(await of_document(caller, by_title["Part 4"])) == by_title["Part 4"]["chunk_count"]
    assert await of_document(caller, by_title["Part 5"]) == []


async def test_memories_of_a_document_are_its_organisations_alone(caller: Account, stranger: Account) -> None:
    document = await caller.ingested(json={"text": PARAGRAPHS[0], "remember": True})
    assert await of_document(stranger, document) == []


async def test_what_died_half_way_is_completed_by_a_second_run(caller: Account, database: Database) -> None:
    document = await caller.ingested(json={"text": "\n\n".join(PARAGRAPHS), "remember": True})
    whole = {memory["content"]: memory["id"] for memory in await of_document(caller, document)}
    async with database.transaction(caller.organisation_id) as session:
        of_version = text("SELECT id FROM document_versions WHERE document_id = :id")
        version_ids = list(await session.scalars(of_version, {"id": document["id"]}))
        linking = await DocumentMemories(session, caller.organisation_id).wanted(version_ids)
    counts = await link_documents(database.transaction, caller.organisation_id, linking)
    assert counts == {version_ids[0]: len(whole)}
    assert {m["content"]: m["id"] for m in await of_document(caller, document)} == whole
    async with database.transaction(caller.organisation_id) as session:
        await session.execute(
            text("DELETE FROM memories WHERE id = ANY(:gone)"), {"gone": sorted(whole.values())[2:]}
        )
        linking = await DocumentMemories(session, caller.organisation_id).wanted(version_ids)
    await link_documents(database.transaction, caller.organisation_id, linking)
    found = {memory["content"]: memory["id"] for memory in await of_document(caller, document)}
    assert set(found) == set(whole)
    assert sum(found[content] == whole[content] for content in whole) == 2


async def test_a_long_document_is_linked_page_by_page(caller: Account, database: Database) -> None:
    # The same passage twice stands on two pages: each is a memory of its own.
    twice = f"# Same\n\n{'The gate is locked at night. ' * 30}"
    document = await caller.ingested(json={"text": "\n\n".join([twice, *PARAGRAPHS, twice])})
    changed = await caller.http.patch("/api/v1/spaces/default", json={"remember_documents": True})
    assert changed.status_code == 200
    async with database.transaction(caller.organisation_id) as session:
        of_version = text("SELECT id FROM document_versions WHERE document_id = :id")
        version_ids = list(await session.scalars(of_version, {"id": document["id"]}))
        (linking,) = await DocumentMemories(session, caller.organisation_id).wanted(version_ids)
    pages, more = 0, True
    while more:
        async with database.transaction(caller.organisation_id) as session:
            more = await DocumentMemories(session, caller.organisation_id, page=3).link(linking)
        pages += 1
    assert pages > 2
    passages = [passage["text"] for passage in await chunks(caller, document)]
    assert [memory["content"] for memory in await of_document(caller, document)] == passages
