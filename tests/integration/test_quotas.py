"""Quotas of an organisation: what is refused where, that nobody slips past, and who is not concerned."""

import asyncio
import io
import json
import re
import zipfile
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.dialects.postgresql import dialect
from typer.testing import CliRunner

from perdure.cli import app as cli
from perdure.db.quota_repository import QuotaRepository
from perdure.db.session import Database
from perdure.domain.ids import new_id
from perdure.domain.quotas import Quota
from perdure.embedded import postgres
from tests.accounts import Account

Limit = Callable[..., Awaitable[None]]


@pytest.fixture
def limit(database: Database, caller: Account) -> Limit:
    """Sets quotas of the caller's organisation, as an operator does."""

    async def change(**limits: int | None) -> None:
        async with database.transaction(caller.organisation_id) as session:
            quotas = QuotaRepository(session, caller.organisation_id)
            await quotas.change({Quota(name): value for name, value in limits.items()})

    return change


def a_text() -> dict[str, Any]:
    return {"text": f"The harbour of {new_id('tst')}"}


def refused(answer: httpx.Response, quota: str) -> dict[str, Any]:
    """The problem, after checking what every such refusal says."""
    assert answer.status_code == 429, answer.text
    problem: dict[str, Any] = answer.json()
    assert problem["type"] == "/problems/quota-exceeded"
    assert problem["violated-policies"] == [quota]
    assert "ask your operator" in problem["detail"]
    return problem


async def post(
    caller: Account, body: dict[str, Any], path: str = "/documents", **headers: str
) -> httpx.Response:
    return await caller.http.post(f"/api/v1{path}", json=body, headers=headers)


async def usage(caller: Account) -> dict[str, tuple[int, int | None]]:
    listed = (await caller.get("/organisation/usage"))["quotas"]
    return {each["name"]: (each["used"], each["limit"]) for each in listed}


async def test_without_quotas_there_is_no_limit_and_usage_is_counted(caller: Account) -> None:
    await caller.ingested(json={"text": "twelve bytes"})
    assert await usage(caller) == {
        "documents": (1, None),
        "stored_bytes": (12, None),
        "operations_per_day": (1, None),
        "members": (1, None),
    }


@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "k"}])
async def test_no_document_is_accepted_over_the_quota(
    caller: Account, limit: Limit, headers: dict[str, str]
) -> None:
    await limit(documents=1)
    await caller.ingested(json=a_text())
    answer = await post(caller, a_text(), **headers)
    problem = refused(answer, "documents")
    assert "quota of 1 documents" in problem["detail"]
    assert "retry-after" not in answer.headers  # waiting alone does not help
    assert await usage(caller) | {"stored_bytes": (0, None)} == {
        "documents": (1, 1),
        "stored_bytes": (0, None),
        "operations_per_day": (1, None),
        "members": (1, None),
    }
    await limit(documents=2)
    assert (await post(caller, a_text(), **headers)).status_code == 202  # the refusal freed the key


async def test_a_refused_upload_leaves_nothing_in_the_store(
    product: FastAPI, caller: Account, limit: Limit
) -> None:
    await limit(documents=0)
    refused(await caller.http.post("/api/v1/documents", files={"file": ("a.txt", b"x" * 100)}), "documents")
    prefix = f"{caller.organisation_id}/originals"
    assert [key async for key in product.state.objects.list(prefix)] == []


async def test_deleting_makes_room_and_is_never_refused(caller: Account, limit: Limit) -> None:
    document = await caller.ingested(json=a_text())
    await limit(documents=1, operations_per_day=1, stored_bytes=1)
    assert (await post(caller, a_text())).status_code == 429
    deleted = await caller.http.delete(f"/api/v1/documents/{document['id']}")
    assert deleted.status_code == 202, deleted.text
    await caller.ended(deleted.json())
    await limit(operations_per_day=None, stored_bytes=None)
    assert (await post(caller, a_text())).status_code == 202


async def test_a_new_version_of_a_document_is_no_new_document(caller: Account, limit: Limit) -> None:
    await caller.ingested(json=a_text() | {"external_id": "lease"})
    await limit(documents=1)
    assert (await post(caller, a_text() | {"external_id": "lease"})).status_code == 202
    refused(await post(caller, a_text() | {"external_id": "another"}), "documents")


async def test_no_bytes_are_stored_over_the_quota(caller: Account, limit: Limit) -> None:
    await limit(stored_bytes=100)
    await caller.ingested(json={"text": "x" * 60})
    refused(await post(caller, {"text": "y" * 41}), "stored_bytes")
    refused(await caller.http.post("/api/v1/documents", files={"file": ("a.txt", b"z" * 41)}), "stored_bytes")
    assert (await post(caller, {"text": "y" * 40})).status_code == 202
    refused(await post(caller, {"url": "https://example.com/a"}), "stored_bytes")  # whatever its size


async def test_operations_of_a_day_are_limited_until_midnight(caller: Account, limit: Limit) -> None:
    await limit(operations_per_day=2)
    for _ in range(2):
        assert (await post(caller, a_text())).status_code == 202
    answer = await post(caller, a_text())
    refused(answer, "operations_per_day")
    now = datetime.now(UTC)
    until_midnight = 86_400 - (now.hour * 3_600 + now.minute * 60 + now.second)
    assert abs(int(answer.headers["retry-after"]) - until_midnight) <= 5
    refused(await caller.http.post("/api/v1/spaces/default/reembed", json={}), "operations_per_day")
    refused(await post(caller, {"items": [a_text()]}, "/documents/batch"), "operations_per_day")


async def test_operations_of_yesterday_do_not_count(
    database: Database, caller: Account, limit: Limit
) -> None:
    operation = await caller.ended(await caller.post("/documents", json=a_text()))
    yesterday = "op_01k" + operation["id"][6:]  # an id of 2025
    async with database.transaction(caller.organisation_id) as session:
        copied = "organisation_id, actor_id, kind, status, summary, input, run_id, closed_at"
        await session.execute(
            text(
                f"INSERT INTO operations (id, {copied}) SELECT :new, {copied} FROM operations WHERE id = :old"
            ),
            {"new": yesterday, "old": operation["id"]},
        )
    await limit(operations_per_day=2)
    assert (await usage(caller))["operations_per_day"] == (1, 2)
    assert (await post(caller, a_text())).status_code == 202
    refused(await post(caller, a_text()), "operations_per_day")


async def test_a_replay_is_no_new_operation(caller: Account, limit: Limit) -> None:
    await limit(operations_per_day=1, documents=1)
    body = a_text()
    assert (await post(caller, body, **{"Idempotency-Key": "once"})).status_code == 202
    assert (await post(caller, body, **{"Idempotency-Key": "once"})).status_code == 200


async def test_of_many_requests_at_once_only_so_many_get_the_last_places(
    caller: Account, limit: Limit
) -> None:
    await caller.ingested(json=a_text())  # the space exists, so that all are ordinary
    await limit(documents=4)
    answers = await asyncio.gather(*(post(caller, a_text()) for _ in range(12)))
    assert sorted(answer.status_code for answer in answers) == [202] * 3 + [429] * 9
    assert (await usage(caller))["documents"] == (4, 4)


async def test_a_batch_that_does_not_fit_is_refused_as_a_whole(caller: Account, limit: Limit) -> None:
    await caller.ingested(json=a_text() | {"external_id": "known"})
    await limit(documents=3)
    items = [a_text() for _ in range(3)]
    refused(await post(caller, {"items": items}, "/documents/batch"), "documents")
    fitting = [*items[:2], a_text() | {"external_id": "known"}]
    operation = await caller.ended((await post(caller, {"items": fitting}, "/documents/batch")).json())
    assert operation["result"]["outcomes"] == {"indexed": 3}
    assert (await usage(caller))["documents"] == (3, 3)
    await limit(documents=None, stored_bytes=10)
    refused(await post(caller, {"items": items}, "/documents/batch"), "stored_bytes")


async def test_what_an_archive_holds_beyond_the_quota_is_left_out_and_can_be_retried(
    caller: Account, limit: Limit
) -> None:
    await limit(documents=2)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for number in range(5):
            archive.writestr(f"{number}.txt", f"The lighthouse of {new_id('tst')}")
    answer = await caller.http.post("/api/v1/documents/batch", files={"file": ("a.zip", packed.getvalue())})
    operation = await caller.ended(answer.json())
    assert operation["result"]["outcomes"] == {"failed": 3, "indexed": 2}
    items = (await caller.get(f"/operations/{operation['id']}/items"))["items"]
    assert {item["reason"] for item in items if item["status"] == "failed"} == {"quota_exceeded"}
    assert "'documents'" in next(item["detail"] for item in items if item["status"] == "failed")
    await limit(documents=5)
    again = await caller.ended(await caller.post(f"/operations/{operation['id']}/retry"))
    assert again["result"]["outcomes"] == {"indexed": 5}


async def test_nothing_is_fetched_for_an_organisation_without_room(
    product: FastAPI, caller: Account, limit: Limit
) -> None:
    operation = await caller.post("/documents/batch", json={"items": [{"url": "http://example.com/"}]})
    await limit(stored_bytes=0)
    ended = await caller.ended(operation)
    (item,) = (await caller.get(f"/operations/{ended['id']}/items"))["items"]
    assert item["reason"] in {"quota_exceeded", "source_unreachable"}  # the fetch may have been first


async def test_no_member_joins_over_the_quota(
    product: FastAPI, caller: Account, stranger: Account, limit: Limit
) -> None:
    await limit(members=1)
    email = (await stranger.get("/auth/me"))["user"]["email"]
    refused(await post(caller, {"email": email, "role": "viewer"}, "/members"), "members")
    await limit(members=2)
    assert (await post(caller, {"email": email, "role": "viewer"}, "/members")).status_code == 201


async def test_the_quota_of_one_organisation_does_not_bind_another(
    caller: Account, stranger: Account, limit: Limit
) -> None:
    await limit(documents=0, operations_per_day=0)
    assert (await post(stranger, a_text())).status_code == 202
    assert (await usage(stranger))["documents"] == (1, None)


@pytest.mark.parametrize("quota", Quota)
async def test_counting_reads_an_index_alone(database: Database, caller: Account, quota: Quota) -> None:
    """And so no rows of other organisations: what it costs depends on the organisation's own size."""
    async with database.transaction(caller.organisation_id) as session:
        counting = QuotaRepository(session, caller.organisation_id).counting(quota, datetime.now(UTC))
        postgresql = dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy types it not
        written = counting.compile(dialect=postgresql, compile_kwargs={"literal_binds": True})
        for settings in (
            "enable_seqscan",
            "enable_bitmapscan",
        ):  # which are quicker for the few rows of a test
            await session.execute(text(f"SET LOCAL {settings} = off"))
        plan = "\n".join(await session.scalars(text(f"EXPLAIN {written}")))
    assert re.search(
        r"Index Only Scan using (documents_list|document_versions_stored|operations_|memberships_)", plan
    )


async def test_an_operator_sets_and_shows_quotas(
    embedded_postgres: postgres.EmbeddedPostgres,
    caller: Account,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("DATABASE_URL", embedded_postgres.url(postgres.APP_ROLE))
    monkeypatch.setenv("PERDURE_HOME", str(tmp_path))

    async def run(*arguments: str) -> tuple[int, str]:
        result = await asyncio.to_thread(CliRunner().invoke, cli, ["quota", *arguments])
        return result.exit_code, result.output

    code, shown = await run(caller.organisation_id, "--documents", "7", "--members", "3", "--json")
    assert code == 0, shown
    assert json.loads(shown)["documents"] == {"used": 0, "limit": 7}
    code, shown = await run(caller.organisation_id, "--documents", "none", "--json")
    assert json.loads(shown)["documents"] == {"used": 0, "limit": None}
    assert json.loads(shown)["members"] == {"used": 1, "limit": 3}
    assert "stored_bytes" in (await run(caller.organisation_id))[1]
    for wrong in ((caller.organisation_id, "--documents", "many"), ("org_nobody",)):
        assert (await run(*wrong))[0] == 1
    assert (await usage(caller))["members"] == (1, 3)
