"""What people do with Perdure, over HTTP, at two API processes and on production parts."""

import asyncio
import hashlib
import io
import json
import zipfile
from pathlib import Path

import httpx

from tests.accounts import Account
from tests.production.production_form import ProductionForm

SAMPLES = Path(__file__).parents[2] / "samples"
MEBIBYTE = 1024 * 1024
BATCH = {"items": [{"text": f"Note {number}. " * 60} for number in range(300)]}


async def test_documents_go_in_and_answers_with_citations_come_out(
    account: Account, stranger: Account, installation: ProductionForm
) -> None:
    data = (SAMPLES / "lease.pdf").read_bytes()
    document = await account.ingested(files={"file": ("lease.pdf", data)})
    assert (document["status"], document["media_type"]) == ("indexed", "application/pdf")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name in ("minutes.md", "employee-handbook.docx", "suppliers.csv"):
            archive.write(SAMPLES / name, name)
    file = ("inbox.zip", packed.getvalue())
    operation = await account.ended(await account.post("/documents/batch", files={"file": file}))
    assert operation["result"] == {"total": 3, "outcomes": {"indexed": 3}}
    found = await account.post("/search", 200, json={"query": "How long is the notice period of the lease?"})
    assert found["items"][0]["document_id"] == document["id"]
    assert (await stranger.post("/search", 200, json={"query": "notice period"}))["items"] == []
    await stranger.get(f"/documents/{document['id']}", 404)

    kept = await installation.stored(account.organisation_id)
    assert kept
    assert {key.split("/")[0] for key in kept} == {account.organisation_id}
    await account.ended((await account.http.delete(f"/api/v1/documents/{document['id']}")).json())
    assert len(await installation.stored(account.organisation_id)) < len(kept)


async def test_a_content_link_is_signed_by_the_bucket_and_comes_from_there(
    account: Account, installation: ProductionForm
) -> None:
    data = (SAMPLES / "lease.pdf").read_bytes()
    document = await account.ingested(files={"file": ("lease.pdf", data)})
    url = httpx.URL((await account.get(f"/documents/{document['id']}/content"))["url"])
    assert str(url).startswith(installation.infrastructure.s3.endpoint)
    assert url.params["X-Amz-Expires"] == "600"
    async with httpx.AsyncClient(trust_env=False) as anyone:
        assert (await anyone.get(url)).content == data
        part = await anyone.get(url, headers={"Range": "bytes=1-4"})
        assert (part.status_code, part.content) == (206, data[1:5])
        for forged in (
            url.copy_set_param("X-Amz-Expires", "6000"),
            url.copy_set_param("X-Amz-Signature", "0" * 64),
            url.copy_with(path=url.path.rpartition("/")[0] + "/other"),
            url.copy_with(query=None),
        ):
            assert (await anyone.get(forged)).status_code == 403


async def test_a_large_upload_reaches_the_bucket_in_parts_and_whole(
    account: Account, installation: ProductionForm
) -> None:
    data = hashlib.shake_256(b"large").digest(21 * MEBIBYTE)
    document = await account.ingested(files={"file": ("large.bin", data)})
    assert (document["status"], document["size_bytes"]) == ("failed", len(data))
    url = (await account.get(f"/documents/{document['id']}/content"))["url"]
    async with httpx.AsyncClient(trust_env=False) as anyone:
        answer = await anyone.get(url)
    assert answer.content == data
    assert answer.headers["ETag"].strip('"').endswith("-3"), "21 MiB are three parts of at most 8"
    assert installation.infrastructure.s3.unfinished() == []


async def test_an_operation_is_steered_through_any_process(account: Account) -> None:
    operation = await account.post("/documents/batch", json=BATCH)
    path = f"/operations/{operation['id']}"
    for _ in range(2):
        assert (await account.post(f"{path}/pause"))["status"] == "paused"
        assert (await account.post(f"{path}/resume"))["status"] == "running"
    await account.post(f"{path}/cancel")
    assert (await account.ended(operation))["status"] == "cancelled"
    failed = await account.ended(await account.post("/documents", json={"url": "http://127.0.0.1:9/x"}))
    assert (failed["status"], failed["error"]["type"]) == ("failed", "forbidden_address")
    again = await account.post(f"/operations/{failed['id']}/retry")
    assert again["attempt"] == 2
    assert (await account.ended(again))["status"] == "failed"


async def test_posts_with_one_key_at_two_processes_are_one_operation(account: Account) -> None:
    headers = {"Idempotency-Key": "once"}
    posts = [
        account.http.post("/api/v1/documents", json={"text": "Once only."}, headers=headers)
        for _ in range(40)
    ]
    answers = await asyncio.gather(*posts)
    assert {answer.json()["id"] for answer in answers} == {answers[0].json()["id"]}
    assert sorted(answer.status_code for answer in answers) == [200] * 39 + [202]
    await account.ended(answers[0].json())
    assert len((await account.get("/documents"))["items"]) == 1


async def test_both_processes_tell_the_same_events(account: Account, installation: ProductionForm) -> None:
    operation = await account.post("/documents", json={"text": "An eventful text."})
    headers = account.http.headers
    async with httpx.AsyncClient(headers=headers, trust_env=False, timeout=60) as http:
        streams = [f"{url}/api/v1/operations/{operation['id']}/events" for url in installation.urls]
        told = await asyncio.gather(*(http.get(stream) for stream in streams))
    stories = [
        [line.removeprefix("data: ") for line in answer.text.splitlines() if line.startswith("data: ")]
        for answer in told
    ]
    assert stories[0][-1:] == stories[1][-1:]
    assert json.loads(stories[0][-1])["status"] == "completed"


async def test_the_doctor_finds_nothing_to_mend(installation: ProductionForm) -> None:
    owner = installation.infrastructure.owner_url()
    outcomes = await asyncio.gather(
        installation.ran("-m", "perdure.cli", "doctor", PERDURE_PUBLIC_URL=installation.url),
        installation.ran("-m", "perdure.cli", "migrate", "--check", DATABASE_OWNER_URL=owner),
    )
    for code, said in outcomes:
        assert code == 0, said
