"""What all workers stand on is killed: Temporal, PostgreSQL, and the API that accepts."""

import asyncio
from datetime import timedelta

import httpx
import pytest

from api.sweeper import Sweeper
from perdure.providers.obstore_object_store import ObstoreObjectStore
from tests.accounts import Account
from tests.faults.checks import (
    assert_exactly_once,
    assert_no_leftovers,
    documents_of,
    progressed,
    settled,
)
from tests.faults.files import archive, text_of
from tests.faults.installation import Installation, eventually
from workflows.client import connect

POSTS = 60


@pytest.mark.parametrize("server", ["temporal", "postgres"])
async def test_a_batch_survives_the_death_of_a_server(
    installation: Installation, account: Account, server: str
) -> None:
    data, expected = archive(110)
    operation = await account.post("/documents/batch", files={"file": ("reports.zip", data)})
    operation = await progressed(account, operation["id"], 1)
    assert operation["status"] == "running", "too fast to be killed in the middle"
    await installation.killed(server)
    operation = await settled(account, operation["id"])
    await assert_exactly_once(installation, account, operation, expected)


async def test_what_an_api_accepted_before_its_death_is_done_once(
    installation: Installation, account: Account
) -> None:
    answered: dict[int, str] = {}

    async def post(number: int) -> None:
        headers = {"Idempotency-Key": f"report-{number}"}
        path = "/api/v1/documents"
        if number % 2:
            body = {"text": text_of(number, sentences=1)}
            answer = await account.http.post(path, json=body, headers=headers)
        else:
            file = ("report.txt", text_of(number, sentences=1).encode())
            answer = await account.http.post(path, files={"file": file}, headers=headers)
        if answer.status_code == 503:
            return  # the new process is there, but not ready
        assert answer.status_code in {200, 202}, answer.text
        before = answered.setdefault(number, answer.json()["id"])
        assert answer.json()["id"] == before, "the same key gave another operation"

    posts = [asyncio.create_task(post(number)) for number in range(POSTS)]
    await eventually(lambda: len(answered) >= POSTS // 4, pause_s=0.001)
    installation.kill("api")
    outcomes = await asyncio.gather(*posts, return_exceptions=True)
    cut_off = [outcome for outcome in outcomes if isinstance(outcome, httpx.TransportError)]
    assert [outcome for outcome in outcomes if outcome is not None and outcome not in cut_off] == []
    assert cut_off, "all were answered before the death"
    await installation.answers()
    for number in range(POSTS):
        await post(number)
    assert len(set(answered.values())) == POSTS
    for operation_id in answered.values():
        operation = await settled(account, operation_id, 150)
        assert (operation["status"], operation["result"]["status"]) == ("completed", "indexed")
    database = installation.database()
    try:
        documents = await documents_of(database, account.organisation_id)
    finally:
        await database.aclose()
    assert sorted(row.operation_id for row in documents) == sorted(answered.values())
    assert {(row.status, row.chunks) for row in documents} == {("indexed", 1)}
    # What was stored for requests that were never accepted goes within a day; here it goes at once.
    database = installation.database()
    try:
        settings = installation.settings()
        objects = ObstoreObjectStore.from_url(settings.objects_url)
        await Sweeper(database, objects, await connect(settings)).sweep(timedelta(0))
    finally:
        await database.aclose()
    await assert_no_leftovers(installation, account)
