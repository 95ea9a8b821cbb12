"""Documents through the API, real workflows and real storage, to passages and back out."""

import asyncio
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from tests.accounts import Account

SAMPLES = Path(__file__).parents[2] / "samples"

LEASE = (
    "# Lease\n\nThe notice period of the lease is six months.\n\n## Rent\n\nThe rent is due on the third.\n"
)


async def test_a_text_becomes_passages_with_headings_and_offsets(caller: Account) -> None:
    document = await caller.ingested(
        json={"text": LEASE, "title": "The lease", "metadata": {"kind": "contract"}}
    )
    assert (document["status"], document["title"], document["version"]) == ("indexed", "The lease", 1)
    assert document["metadata"] == {"kind": "contract"}
    chunks = (await caller.get(f"/documents/{document['id']}/chunks"))["items"]
    assert document["chunk_count"] == len(chunks) > 0
    assert any("six months" in chunk["text"] for chunk in chunks)
    assert [chunk["ordinal"] for chunk in chunks] == list(range(len(chunks)))


async def test_the_answer_to_a_post_is_the_operation(caller: Account) -> None:
    answer = await caller.http.post("/api/v1/documents", json={"text": LEASE})
    assert answer.status_code == 202
    operation = answer.json()
    assert answer.headers["Location"] == f"/api/v1/operations/{operation['id']}"
    assert (operation["kind"], operation["subject"]["type"]) == ("ingest_document", "document")
    assert operation["workflow_id"] == operation["id"]
    assert operation["run_id"] in operation["temporal_ui_url"]
    await caller.ended(operation)


async def test_fifty_posts_with_one_key_are_one_operation(caller: Account) -> None:
    posts = [
        caller.http.post("/api/v1/documents", json={"text": LEASE}, headers={"Idempotency-Key": "once"})
        for _ in range(50)
    ]
    answers = await asyncio.gather(*posts)
    assert {answer.json()["id"] for answer in answers} == {answers[0].json()["id"]}
    assert sorted(answer.status_code for answer in answers) == [200] * 49 + [202]
    replays = [answer for answer in answers if answer.status_code == 200]
    assert all(answer.headers["Idempotent-Replay"] == "true" for answer in replays)
    await caller.ended(answers[0].json())
    assert len((await caller.get("/documents"))["items"]) == 1


async def test_the_same_key_with_another_body_is_refused(caller: Account) -> None:
    key = {"Idempotency-Key": "mine"}
    await caller.ended(await caller.post("/documents", json={"text": LEASE}, headers=key))
    problem = await caller.post("/documents", 409, json={"text": "Something else."}, headers=key)
    assert problem["type"] == "/problems/idempotency-key-reused"


async def test_a_file_is_detected_by_content_and_downloadable(caller: Account) -> None:
    data = (SAMPLES / "lease.pdf").read_bytes()
    document = await caller.ingested(
        files={"file": ("mystery.bin", data)}, data={"metadata": '{"year": 2026}'}
    )
    assert (document["status"], document["media_type"], document["source_type"]) == (
        "indexed",
        "application/pdf",
        "upload",
    )
    assert (document["size_bytes"], document["metadata"]) == (len(data), {"year": 2026})
    link = await caller.get(f"/documents/{document['id']}/content")
    path = link["url"].removeprefix("http://127.0.0.1")
    whole = await caller.http.get(path)
    assert whole.content == data
    assert whole.headers["Content-Disposition"].startswith("attachment")
    part = await caller.http.get(path, headers={"Range": "bytes=1-4"})
    assert (part.status_code, part.content) == (206, data[1:5])
    assert (await caller.http.get(path, headers={"Range": f"bytes={len(data)}-"})).status_code == 416
    assert (await caller.http.get(path[:-2] + "xx")).status_code == 404


async def test_an_external_id_makes_versions_and_does_nothing_for_the_same_content(caller: Account) -> None:
    first = await caller.ingested(json={"text": LEASE, "external_id": "lease"})
    operation = await caller.ended(
        await caller.post("/documents", json={"text": LEASE, "external_id": "lease"})
    )
    assert (operation["result"]["status"], operation["result"]["reason"]) == (
        "skipped_duplicate",
        "unchanged",
    )
    steps = (await caller.get(f"/operations/{operation['id']}/steps"))["items"]
    assert "parse_document" not in [step["name"] for step in steps]
    second = await caller.ingested(json={"text": LEASE.replace("six", "nine"), "external_id": "lease"})
    assert (second["id"], second["version"], second["status"]) == (first["id"], 3, "indexed")
    texts = [chunk["text"] for chunk in (await caller.get(f"/documents/{first['id']}/chunks"))["items"]]
    assert any("nine months" in text for text in texts)
    assert not any("six months" in text for text in texts)
    versions = (await caller.get(f"/documents/{first['id']}/versions"))["items"]
    assert [(version["version"], version["status"]) for version in versions] == [
        (3, "indexed"),
        (2, "skipped_duplicate"),
        (1, "indexed"),
    ]


async def test_the_same_content_twice_is_indexed_once(caller: Account) -> None:
    first = await caller.ingested(json={"text": LEASE})
    second = await caller.ingested(json={"text": LEASE})
    assert (second["status"], second["reason"], second["chunk_count"]) == (
        "skipped_duplicate",
        "duplicate",
        0,
    )
    assert first["id"] in second["detail"]


async def test_equal_contents_at_the_same_time_are_indexed_once(caller: Account) -> None:
    operations = await asyncio.gather(*[caller.post("/documents", json={"text": LEASE}) for _ in range(8)])
    await asyncio.gather(*[caller.ended(operation) for operation in operations])
    statuses = [document["status"] for document in (await caller.get("/documents"))["items"]]
    assert sorted(statuses) == ["indexed"] + ["skipped_duplicate"] * 7


@pytest.mark.parametrize(
    ("name", "status", "reason"),
    [
        ("broken/empty.txt", "failed", "empty"),
        ("broken/zip-bomb.docx", "quarantined", "decompression_limit"),
        ("broken/voicemail.wav", "failed", "unsupported_type"),
    ],
)
async def test_broken_files_end_with_a_typed_reason(
    caller: Account, name: str, status: str, reason: str
) -> None:
    path = SAMPLES / name
    operation = await caller.ended(
        await caller.post("/documents", files={"file": (path.name, path.read_bytes())})
    )
    assert (operation["status"], operation["error"]["type"]) == ("failed", reason)
    document = await caller.get(f"/documents/{operation['subject']['id']}")
    assert (document["status"], document["reason"]) == (status, reason)
    assert document["detail"]


async def test_attachments_become_documents_of_their_own(caller: Account) -> None:
    data = (SAMPLES / "warranty-claim.eml").read_bytes()
    mail = await caller.ingested(files={"file": ("claim.eml", data)})
    assert mail["status"] == "indexed"
    children = [item for item in (await caller.get("/documents"))["items"] if item["parent_id"] == mail["id"]]
    assert [child["status"] for child in children] == ["indexed"]
    await caller.ended((await caller.http.delete(f"/api/v1/documents/{mail['id']}")).json())
    assert (await caller.get("/documents"))["items"] == []


async def test_a_deleted_document_leaves_nothing(caller: Account) -> None:
    document = await caller.ingested(json={"text": LEASE})
    answer = await caller.http.delete(f"/api/v1/documents/{document['id']}")
    operation = await caller.ended(answer.json())
    assert operation["result"]["chunks"] == document["chunk_count"]
    await caller.get(f"/documents/{document['id']}", 404)
    again = await caller.ingested(json={"text": LEASE})
    assert again["status"] == "indexed"


async def test_a_batch_has_an_outcome_for_each_item(caller: Account) -> None:
    items = [
        {"text": f"Item {number}: the valve has {number} turns.", "title": f"Item {number}"}
        for number in range(7)
    ]
    items.insert(3, {"url": "http://127.0.0.1:9/metadata", "title": "Own network"})
    items.append({"text": items[0]["text"], "title": "Again"})
    operation = await caller.ended(await caller.post("/documents/batch", json={"items": items}))
    assert operation["status"] == "completed"
    assert operation["result"] == {
        "total": 9,
        "outcomes": {"failed": 1, "indexed": 7, "skipped_duplicate": 1},
    }
    assert operation["progress"]["done"] == operation["progress"]["total"] == 9
    (failed,) = (await caller.get(f"/operations/{operation['id']}/items", status="failed"))["items"]
    assert (failed["ordinal"], failed["name"], failed["reason"]) == (3, "Own network", "forbidden_address")
    page = await caller.get(f"/operations/{operation['id']}/items", limit=5)
    rest = await caller.get(f"/operations/{operation['id']}/items", limit=5, cursor=page["next_cursor"])
    assert [item["ordinal"] for item in page["items"] + rest["items"]] == list(range(9))


async def test_a_zip_is_a_batch_of_its_files(caller: Account) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in sorted(SAMPLES.iterdir()):
            if path.suffix in {".md", ".docx", ".csv", ".eml"} and path.name != "README.md":
                archive.write(path, f"inbox/{path.name}")
        archive.writestr("inbox/empty.txt", "")
        link = zipfile.ZipInfo("inbox/passwords.txt")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    operation = await caller.ended(
        await caller.post("/documents/batch", files={"file": ("inbox.zip", buffer.getvalue())})
    )
    outcomes = operation["result"]["outcomes"]
    assert outcomes == {"failed": 2, "indexed": operation["result"]["total"] - 2}
    failed = (await caller.get(f"/operations/{operation['id']}/items", status="failed"))["items"]
    assert {item["name"]: item["reason"] for item in failed} == {
        "inbox/empty.txt": "empty",
        "inbox/passwords.txt": "left_out",
    }


async def test_retrying_a_batch_works_only_on_what_failed(caller: Account) -> None:
    items = [{"text": "The pump needs oil every March."}, {"url": "http://127.0.0.1:9/"}]
    operation = await caller.ended(await caller.post("/documents/batch", json={"items": items}))
    before = (await caller.get(f"/operations/{operation['id']}/items"))["items"]
    again = await caller.ended(await caller.post(f"/operations/{operation['id']}/retry"))
    after = (await caller.get(f"/operations/{operation['id']}/items"))["items"]
    assert (again["attempt"], again["status"]) == (2, "completed")
    assert again["workflow_id"] == f"{operation['id']}.2"
    assert after[0] == before[0]
    assert after[1]["updated_at"] > before[1]["updated_at"]


async def test_the_title_and_metadata_can_be_changed(caller: Account) -> None:
    document = await caller.ingested(json={"text": LEASE})
    changed = await caller.http.patch(
        f"/api/v1/documents/{document['id']}", json={"title": "Renamed", "metadata": {"a": [1]}}
    )
    assert (changed.json()["title"], changed.json()["metadata"]) == ("Renamed", {"a": [1]})


async def test_a_document_without_an_id_of_ours_can_be_given_one_and_then_has_further_versions(
    caller: Account,
) -> None:
    document = await caller.ingested(json={"text": LEASE})
    path = f"/api/v1/documents/{document['id']}"
    for _ in range(2):
        assert (await caller.http.patch(path, json={"external_id": "lease"})).json()["external_id"] == "lease"
    again = await caller.ingested(json={"text": f"{LEASE} Two dogs are allowed.", "external_id": "lease"})
    assert (again["id"], again["version"]) == (document["id"], 2)
    other = await caller.ingested(json={"text": "The pump needs oil every March."})
    assert (await caller.http.patch(path, json={"external_id": "other"})).status_code == 409
    taken = await caller.http.patch(f"/api/v1/documents/{other['id']}", json={"external_id": "lease"})
    assert taken.status_code == 409


async def test_of_two_documents_given_the_same_id_at_once_one_has_it(caller: Account) -> None:
    texts = [f"Pump {number} needs oil every March." for number in range(4)]
    documents = [await caller.ingested(json={"text": text}) for text in texts]
    answers = await asyncio.gather(
        *(
            caller.http.patch(f"/api/v1/documents/{each['id']}", json={"external_id": "pump"})
            for each in documents
        )
    )
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]


async def test_a_space_can_be_embedded_with_another_model(caller: Account) -> None:
    document = await caller.ingested(json={"text": LEASE, "space": "contracts"})
    operation = await caller.ended(
        await caller.post("/spaces/contracts/reembed", json={"model": "all-minilm-l6-v2-fp32"})
    )
    assert operation["result"] == {"model": "all-minilm-l6-v2-fp32", "chunk_count": document["chunk_count"]}
    (space,) = (await caller.get("/spaces"))["items"]
    assert space["embedding_model"] == "all-minilm-l6-v2-fp32"
    later = await caller.ingested(json={"text": "A later text about the garage.", "space": "contracts"})
    assert later["status"] == "indexed"
    found = await caller.post("/search", 200, json={"query": "garage", "space": "contracts"})
    assert found["items"][0]["document_id"] == later["id"]


@pytest.mark.parametrize(
    ("request_", "status", "pointer"),
    [
        ({"json": {}}, 422, "/body"),
        ({"json": {"text": "a", "url": "http://example.com"}}, 422, "/body"),
        ({"json": {"text": "a", "space": "no spaces allowed"}}, 422, "/body/space"),
        ({"json": {"text": "a", "metadata": []}}, 422, "/body/metadata"),
        ({"json": {"object_key": "org_other/secret"}}, 422, "/body/object_key"),
        ({"files": {"other": ("a.txt", b"a")}}, 422, "/body/file"),
        ({"files": {"file": ("a.txt", b"a")}, "data": {"metadata": "{"}}, 422, "/body/metadata"),
        ({"content": b"{", "headers": {"Content-Type": "application/json"}}, 400, None),
        ({"content": b'{"text": "\xff"}', "headers": {"Content-Type": "application/json"}}, 400, None),
        ({"content": b"text", "headers": {"Content-Type": "text/plain"}}, 400, None),
        (
            {"content": b"--x", "headers": {"Content-Type": "multipart/form-data; boundary=x"}},
            422,
            "/body/file",
        ),
        ({"content": b"x", "headers": {"Content-Type": "multipart/form-data"}}, 400, None),
    ],
)
async def test_bad_requests_say_where_and_what_to_do(
    caller: Account, request_: dict[str, Any], status: int, pointer: str | None
) -> None:
    answer = await caller.http.post("/api/v1/documents", **request_)
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert problem["detail"]
    if pointer is not None:
        assert [error["pointer"] for error in problem["errors"]] == [pointer]


async def test_a_refused_upload_leaves_no_object(caller: Account, product: FastAPI) -> None:
    objects = product.state.objects
    await caller.http.post("/api/v1/documents", files={"file": ("a.txt", b"a")}, data={"space": "not valid"})
    assert [key async for key in objects.list(caller.organisation_id)] == []


async def test_text_that_postgresql_cannot_hold_is_cleaned(caller: Account) -> None:
    document = await caller.ingested(
        content=json.dumps({"text": "nul \x00 and \ud800 surrogate"}).encode(),
        headers={"Content-Type": "application/json"},
    )
    assert document["status"] == "indexed"
    (chunk,) = (await caller.get(f"/documents/{document['id']}/chunks"))["items"]
    assert "nul" in chunk["text"]
    assert "\x00" not in chunk["text"]


async def test_nothing_that_was_only_needed_on_the_way_stays_in_the_store(
    caller: Account, product: FastAPI
) -> None:
    items = [{"text": f"Leaves no trace, number {number}."} for number in range(60)]
    await caller.ended(await caller.post("/documents/batch", json={"items": items}))
    await caller.ingested(files={"file": ("a.eml", (SAMPLES / "warranty-claim.eml").read_bytes())})
    kept = [key async for key in product.state.objects.list(caller.organisation_id)]
    assert not [key for key in kept if "/work/" in key]
    originals = [key for key in kept if "/originals/" in key]
    assert len(originals) == 60 + 2


async def test_a_further_version_brings_its_title_and_metadata(caller: Account) -> None:
    first = await caller.ingested(
        json={"text": LEASE, "external_id": "lease", "title": "Draft", "metadata": {"state": "draft"}}
    )
    signed = {"title": "Signed", "metadata": {"state": "signed"}}
    second = await caller.ingested(json={"text": LEASE + "Signed.", "external_id": "lease", **signed})
    assert (second["id"], second["title"], second["metadata"]) == (first["id"], *signed.values())
    third = await caller.ingested(json={"text": LEASE + "Copied.", "external_id": "lease"})
    assert (third["version"], third["metadata"]) == (3, {"state": "signed"})
