"""The codec server shows an organisation's payloads to those who govern it, and to nobody and no page else."""

import base64
import json
import secrets
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from google.protobuf.json_format import MessageToDict
from sqlalchemy import text
from temporalio.api.common.v1 import Payload
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.converter import WorkflowSerializationContext

from api import sessions
from api.payload_reader import SHOWN_BYTES
from api.routes.codec import MAX_PAYLOADS
from perdure.db.login_repository import LoginRepository
from perdure.db.session import Database
from perdure.domain.tokens import SESSION_LIFETIME, hash_secret, new_secret
from perdure.settings import Settings
from tests.accounts import PASSWORD, Account, registered

MARK = "Ingest a document"  # the summary of every operation of this kind
UI = "http://127.0.0.1:8233"
Encoded = dict[str, Any]


@pytest.fixture
async def operation(caller: Account) -> dict[str, Any]:
    """An operation whose input and result have payloads."""
    return await caller.ended(await caller.post("/documents", json={"text": "The pump was repaired."}))


@pytest.fixture
async def payloads(operation: dict[str, Any], settings: Settings) -> list[Encoded]:
    """Those of the operation's first event, as the Temporal UI reads them: summary and input."""
    plain = await Client.connect(settings.temporal_address, data_converter=pydantic_data_converter)
    history = await plain.get_workflow_handle(operation["workflow_id"]).fetch_history()
    started = history.events[0]
    found = [
        started.user_metadata.summary,
        *started.workflow_execution_started_event_attributes.input.payloads,
    ]
    return [as_json(payload) for payload in found]


@pytest.fixture
async def large(operation: dict[str, Any], temporal: Client) -> list[Encoded]:
    """References to payloads of the operation that are kept outside: one that may be shown, and a larger one."""
    context = WorkflowSerializationContext(namespace="default", workflow_id=operation["workflow_id"])
    texts = [MARK + secrets.token_urlsafe(size) for size in (SHOWN_BYTES // 2, 2 * SHOWN_BYTES)]
    return [as_json(payload) for payload in await temporal.data_converter.with_context(context).encode(texts)]


def as_json(payload: Payload) -> Encoded:
    return MessageToDict(payload)


async def decode(account: Account, payloads: list[Encoded], **options: Any) -> httpx.Response:
    headers = {"X-Namespace": "default", **options.pop("headers", {})}
    return await account.http.post("/codec/decode", json={"payloads": payloads}, headers=headers, **options)


def decoded(answer: httpx.Response) -> list[Any]:
    assert answer.status_code == 200, answer.text
    return [json.loads(base64.b64decode(each["data"])) for each in answer.json()["payloads"]]


async def audited(account: Account, database: Database) -> list[tuple[str, str, str, str]]:
    """Events of decoding: subject, actor, details."""
    async with database.transaction(account.organisation_id) as session:
        rows = await session.execute(
            text(
                "SELECT subject_id, actor_kind, actor_id, details FROM audit_events "
                "WHERE action = 'payload.decoded' ORDER BY sequence"
            )
        )
        return [tuple(row) for row in rows]


async def test_an_owner_reads_payloads_of_the_own_organisation(
    caller: Account, operation: dict[str, Any], payloads: list[Encoded]
) -> None:
    summary, job = decoded(await decode(caller, payloads))
    assert summary == MARK
    assert job["operation_id"] == operation["id"]
    assert MARK not in json.dumps(payloads)
    assert MARK.encode() not in b"".join(base64.b64decode(each["data"]) for each in payloads)


async def test_every_decoding_is_audited(
    caller: Account, operation: dict[str, Any], payloads: list[Encoded], database: Database
) -> None:
    await decode(caller, payloads)
    user_id = (await caller.get("/auth/me"))["user"]["id"]
    assert await audited(caller, database) == [(operation["id"], "user", user_id, '{"payload_count":2}')]


async def test_payloads_of_another_organisation_are_refused(
    stranger: Account, caller: Account, payloads: list[Encoded], database: Database
) -> None:
    answer = await decode(stranger, payloads)
    assert answer.status_code == 403
    assert answer.json()["type"] == "/problems/permission-denied"
    assert MARK not in answer.text
    assert await audited(caller, database) == await audited(stranger, database) == []


async def test_one_foreign_payload_among_others_is_enough(
    stranger: Account, caller: Account, payloads: list[Encoded]
) -> None:
    own = await stranger.ended(await stranger.post("/documents", json={"text": "mine"}))
    assert own["status"] == "completed"
    answer = await decode(stranger, [plain_payload("x"), *payloads])
    assert answer.status_code == 403


async def test_a_foreign_payload_under_a_workflow_of_ones_own_is_not_decrypted(
    stranger: Account, payloads: list[Encoded]
) -> None:
    own = await stranger.ended(await stranger.post("/documents", json={"text": "mine"}))
    relabelled = json.loads(json.dumps(payloads[1]))
    relabelled["metadata"]["perdure-workflow"] = base64.b64encode(own["workflow_id"].encode()).decode()
    answer = await decode(stranger, [relabelled])
    assert answer.status_code == 422
    assert "cannot be decrypted" in answer.json()["detail"]


@pytest.mark.parametrize("role", ["member", "approver", "viewer"])
async def test_only_those_who_govern_may_read(
    product: FastAPI, caller: Account, payloads: list[Encoded], role: str
) -> None:
    async with registered(product) as person:
        me = await person.get("/auth/me")
        await caller.post("/members", 201, json={"email": me["user"]["email"], "role": role})
        credentials = {
            "email": me["user"]["email"],
            "password": PASSWORD,
            "organisation_id": caller.organisation_id,
        }
        grant = (await person.http.post("/api/v1/auth/login", json=credentials)).json()
        person.http.headers["Authorization"] = f"Bearer {grant['access_token']}"
        answer = await decode(person, payloads)
        assert answer.status_code == 403
        assert "payloads:read" in answer.json()["detail"]


async def test_an_api_key_with_the_scope_reads_and_one_without_does_not(
    caller: Account, payloads: list[Encoded], database: Database
) -> None:
    for scope, status in (("payloads:read", 200), ("operations:read", 403)):
        key = await caller.post("/api-keys", 201, json={"name": "cli", "scopes": [scope]})
        answer = await decode(caller, payloads, headers={"Authorization": f"Bearer {key['key']}"})
        assert answer.status_code == status
    assert [event[1] for event in await audited(caller, database)] == ["api_key"]


async def test_nobody_reads_without_credentials(product: FastAPI, payloads: list[Encoded]) -> None:
    transport = httpx.ASGITransport(product)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
        answer = await http.post("/codec/decode", json={"payloads": payloads}, headers={"Origin": UI})
    assert answer.status_code == 401
    assert answer.headers["access-control-allow-origin"] == UI  # the page may show why


def plain_payload(value: Any) -> Encoded:
    return as_json(pydantic_data_converter.payload_converter.to_payload(value))


async def test_what_is_not_encrypted_goes_back_as_it_came(caller: Account, database: Database) -> None:
    strange = {**plain_payload("x"), "externalPayloads": [{"sizeBytes": "7"}]}
    answer = await decode(caller, [strange, {"metadata": {}}])
    assert answer.json()["payloads"] == [strange, {"metadata": {}, "data": ""}]
    assert await audited(caller, database) == []


async def test_a_reference_is_followed_up_to_a_size(caller: Account, large: list[Encoded]) -> None:
    answer = await decode(caller, large)
    shown, kept = answer.json()["payloads"]
    assert json.loads(base64.b64decode(shown["data"])).startswith(MARK)
    assert base64.b64decode(kept["data"]) == base64.b64decode(large[1]["data"])


async def test_a_reference_of_another_organisation_is_refused(
    stranger: Account, large: list[Encoded]
) -> None:
    assert (await decode(stranger, large)).status_code == 403


async def test_a_reference_to_anything_but_a_payload_is_refused(
    caller: Account, operation: dict[str, Any], large: list[Encoded], database: Database
) -> None:
    async with database.transaction(caller.organisation_id) as session:
        original = await session.scalar(text("SELECT object_key FROM document_versions"))
    for key in (original, f"payloads/{operation['id']}/../{original}", ""):
        data = base64.b64decode(large[0]["data"]).decode()
        reference = json.loads(data)
        reference["claimData"] = {"key": key}
        forged = {**large[0], "data": base64.b64encode(json.dumps(reference).encode()).decode()}
        assert (await decode(caller, [forged])).status_code == 403


async def test_a_changed_payload_is_refused_without_a_fault_of_the_server(
    caller: Account, payloads: list[Encoded]
) -> None:
    data = bytearray(base64.b64decode(payloads[1]["data"]))
    data[0] ^= 1
    changed = {**payloads[1], "data": base64.b64encode(bytes(data)).decode()}
    assert (await decode(caller, [changed])).status_code == 422
    lost = json.loads(json.dumps(payloads[1]))
    lost["metadata"]["perdure-key"] = base64.b64encode(b"lost").decode()
    assert (await decode(caller, [lost])).status_code == 422


async def test_too_many_payloads_at_once_are_refused(caller: Account) -> None:
    assert (await decode(caller, [plain_payload("x")] * (MAX_PAYLOADS + 1))).status_code == 422


@pytest.fixture
async def browser(product: FastAPI, caller: Account, database: Database) -> AsyncIterator[Account]:
    """The caller, logged in to the console, in a page of the Temporal UI: a cookie and no CSRF token."""
    user_id, cookie = (await caller.get("/auth/me"))["user"]["id"], new_secret()
    async with database.transaction(None) as session:
        await LoginRepository(session).start_session(
            user_id, caller.organisation_id, hash_secret(cookie), new_secret(), SESSION_LIFETIME
        )
    transport = httpx.ASGITransport(product)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as http:
        http.cookies.set(sessions.COOKIE, cookie)
        yield Account(http, caller.organisation_id)


async def test_the_temporal_ui_reads_with_the_session_of_the_console(
    browser: Account, payloads: list[Encoded]
) -> None:
    answer = await decode(browser, payloads, headers={"Origin": UI})
    assert decoded(answer)[0] == MARK
    assert answer.headers["access-control-allow-origin"] == UI
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert answer.headers["vary"] == "Origin"


@pytest.mark.parametrize(
    "origin",
    [
        "http://127.0.0.1:8000",
        "http://127.0.0.1",
        "http://127.0.0.1:82330",
        "http://localhost:8233",
        "https://127.0.0.1:8233",
        "http://127.0.0.1:8233.evil.example",
        "http://evil.example",
        "null",
        "",
    ],
)
async def test_no_other_page_reads_anything(browser: Account, payloads: list[Encoded], origin: str) -> None:
    answer = await decode(browser, payloads, headers={"Origin": origin})
    assert answer.status_code == 403
    assert "access-control-allow-origin" not in answer.headers
    preflight = await browser.http.options("/codec/decode", headers={"Origin": origin})
    assert preflight.status_code == 403
    assert not [name for name in preflight.headers if name.startswith("access-control")]


async def test_a_cookie_without_an_origin_still_needs_the_csrf_token(
    browser: Account, payloads: list[Encoded]
) -> None:
    answer = await decode(browser, payloads)
    assert answer.status_code == 403
    assert "CSRF" in answer.json()["detail"]


async def test_the_origin_stands_in_for_the_csrf_token_nowhere_else(browser: Account) -> None:
    answer = await browser.http.post("/api/v1/documents", json={"text": "x"}, headers={"Origin": UI})
    assert answer.status_code == 403


async def test_a_browser_is_told_what_it_may_send(browser: Account) -> None:
    asked = {"Origin": UI, "Access-Control-Request-Method": "POST"}
    answer = await browser.http.options("/codec/decode", headers=asked)
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == UI
    assert answer.headers["access-control-allow-methods"] == "POST"
    assert {"content-type", "x-namespace"} <= set(
        answer.headers["access-control-allow-headers"].replace(" ", "").split(",")
    )


async def test_decoding_is_limited(caller: Account, payloads: list[Encoded]) -> None:
    answer = await decode(caller, payloads)
    assert answer.headers["ratelimit"].startswith('"decode"')


async def test_nothing_is_encoded_but_nothing(caller: Account) -> None:
    nothing: dict[str, Any]
    for nothing in ({"payloads": []}, {}):
        answer = await caller.http.post("/codec/encode", json=nothing)
        assert (answer.status_code, answer.json()) == (200, {"payloads": []})
    answer = await caller.http.post("/codec/encode", json={"payloads": [plain_payload("x")]})
    assert answer.status_code == 422
