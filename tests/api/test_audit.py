"""The audit trail as callers read, verify and export it."""

import asyncio
import hashlib
import json
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from typer.testing import CliRunner

from perdure.cli import app as cli
from perdure.domain.audit import AuditEvent, event_hash
from perdure.domain.ids import new_id
from perdure.settings import Settings
from tests.accounts import PASSWORD, Account, registered


async def events(account: Account, **wanted: Any) -> list[dict[str, Any]]:
    """The trail in the order in which it was written."""
    found: list[dict[str, Any]] = (await account.get("/audit", limit=200, **wanted))["items"]
    return found[::-1]


async def actions(account: Account, **wanted: Any) -> list[str]:
    return [event["action"] for event in await events(account, **wanted)]


async def recorded(account: Account, action: str) -> dict[str, Any]:
    """The newest event of a kind, once it is there: failed log-ins are recorded after the answer."""
    async with asyncio.timeout(10):
        while True:
            found = await events(account, action=action)
            if found:
                return found[-1]
            await asyncio.sleep(0.02)


def http_of(product: FastAPI) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(product, client=("192.0.2.9", 1))
    return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1")


async def test_registering_begins_the_trail(caller: Account) -> None:
    me = (await caller.get("/auth/me"))["user"]
    first, second, third = await events(caller)
    assert [first["action"], second["action"], third["action"]] == [
        "user.registered",
        "organisation.created",
        "user.logged_in",
    ]
    assert first["actor"] == {"kind": "user", "id": me["id"], "user_id": me["id"], "address": "127.0.0.1"}
    assert first["subject"] == {"type": "user", "id": me["id"]}
    assert second["subject"] == {"type": "organisation", "id": caller.organisation_id}
    assert third["details"] == {"via": "api"}
    assert first["request_id"] == second["request_id"]


async def test_who_and_what_is_recorded_for_members_and_keys(product: FastAPI, caller: Account) -> None:
    async with registered(product) as other:
        person = (await other.get("/auth/me"))["user"]
        await caller.post("/members", 201, json={"email": person["email"], "role": "viewer"})
        changed = await caller.http.patch(f"/api/v1/members/{person['id']}", json={"role": "admin"})
        assert changed.status_code == 200
        assert (await caller.http.delete(f"/api/v1/members/{person['id']}")).status_code == 204
    key = await caller.post("/api-keys", 201, json={"name": "k", "scopes": ["documents:read"]})
    assert (await caller.http.delete(f"/api/v1/api-keys/{key['id']}")).status_code == 204
    await caller.http.patch("/api/v1/organisation", json={"name": "Renamed"})
    subject = {"type": "user", "id": person["id"]}
    tail = [(event["action"], event["subject"], event["details"]) for event in await events(caller)][-6:]
    assert tail == [
        ("member.added", subject, {"role": "viewer"}),
        ("member.role_changed", subject, {"from": "viewer", "to": "admin"}),
        ("member.removed", subject, {}),
        ("api_key.created", {"type": "api_key", "id": key["id"]}, {"scopes": ["documents:read"]}),
        ("api_key.revoked", {"type": "api_key", "id": key["id"]}, {}),
        ("organisation.renamed", {"type": "organisation", "id": caller.organisation_id}, {}),
    ]
    assert person["email"] not in json.dumps(await events(caller))


async def test_what_was_refused_is_not_recorded(caller: Account) -> None:
    before = await actions(caller)
    me = (await caller.get("/auth/me"))["user"]["id"]
    assert (await caller.http.delete(f"/api/v1/members/{me}")).status_code == 409
    assert (await caller.http.delete(f"/api/v1/api-keys/{new_id('key')}")).status_code == 404
    assert await actions(caller) == before


async def test_a_replayed_request_is_recorded_once(caller: Account) -> None:
    for status in (201, 200):
        body = {"name": "k", "scopes": ["documents:read"]}
        await caller.post("/api-keys", status, json=body, headers={"Idempotency-Key": "once"})
    assert (await actions(caller)).count("api_key.created") == 1


async def test_log_ins_and_their_failures_are_recorded(product: FastAPI, caller: Account) -> None:
    person = (await caller.get("/auth/me"))["user"]
    async with http_of(product) as http:
        wrong = {"email": person["email"], "password": "not this one"}
        assert (await http.post("/api/v1/auth/login", json=wrong)).status_code == 401
        failed = await recorded(caller, "user.login_failed")
        right = {"email": person["email"], "password": PASSWORD}
        grant = (await http.post("/api/v1/auth/login", json=right)).json()
        for _ in range(2):
            ended = await http.post("/api/v1/auth/logout", json={"refresh_token": grant["refresh_token"]})
            assert ended.status_code == 204
    assert failed["actor"] == {
        "kind": "anonymous",
        "id": None,
        "user_id": person["id"],
        "address": "192.0.2.9",
    }
    assert (await actions(caller))[-3:] == ["user.login_failed", "user.logged_in", "user.logged_out"]


async def test_a_stolen_refresh_token_leaves_a_trace(product: FastAPI, caller: Account) -> None:
    email = (await caller.get("/auth/me"))["user"]["email"]
    async with http_of(product) as http:
        grant = (await http.post("/api/v1/auth/login", json={"email": email, "password": PASSWORD})).json()
        token = {"refresh_token": grant["refresh_token"]}
        assert (await http.post("/api/v1/auth/refresh", json=token)).status_code == 200
        for _ in range(2):
            assert (await http.post("/api/v1/auth/refresh", json=token)).status_code == 401
    assert (await actions(caller)).count("user.refresh_token_reused") == 1


async def test_deletions_and_steering_are_recorded_with_the_key_that_did_it(caller: Account) -> None:
    document = await caller.ingested(json={"text": "Soon gone."})
    failed = await caller.ended(await caller.post("/documents", json={"url": "http://127.0.0.1:9/x"}))
    scopes = ["documents:write", "operations:write", "operations:read", "documents:read"]
    key = await caller.post("/api-keys", 201, json={"name": "k", "scopes": scopes})
    bearer = {"Authorization": f"Bearer {key['key']}"}
    gone = await caller.http.delete(f"/api/v1/documents/{document['id']}", headers=bearer)
    assert gone.status_code == 202
    await caller.post(f"/operations/{failed['id']}/retry", headers=bearer)
    batch = await caller.post(
        "/documents/batch", json={"items": [{"text": f"Text {n}. " * 50} for n in range(200)]}, headers=bearer
    )
    await caller.post(f"/operations/{batch['id']}/cancel", headers=bearer)
    tail = (await events(caller, actor=key["id"]))[-3:]
    assert [(event["action"], event["subject"]) for event in tail] == [
        ("document.deleted", {"type": "document", "id": document["id"]}),
        ("operation.retried", {"type": "operation", "id": failed["id"]}),
        ("operation.cancelled", {"type": "operation", "id": batch["id"]}),
    ]
    assert tail[0]["details"] == {"operation_id": gone.json()["id"]}
    assert {event["actor"]["kind"] for event in tail} == {"api_key"}
    me = (await caller.get("/auth/me"))["user"]["id"]
    assert {event["actor"]["user_id"] for event in tail} == {me}


async def test_the_trail_is_filtered_and_paged(caller: Account) -> None:
    keys = [
        await caller.post("/api-keys", 201, json={"name": "k", "scopes": ["documents:read"]})
        for _ in range(3)
    ]
    page = await caller.get("/audit", limit=2, action="api_key.created")
    rest = await caller.get("/audit", limit=2, action="api_key.created", cursor=page["next_cursor"])
    shown = [event["subject"]["id"] for event in page["items"] + rest["items"]]
    assert shown == [key["id"] for key in reversed(keys)]
    assert rest["next_cursor"] is None
    assert await actions(caller, subject=keys[1]["id"]) == ["api_key.created"]
    second, third = (await events(caller, action="api_key.created"))[1:]
    # Times are shown to the millisecond.
    assert len(await events(caller, **{"from": third["at"]})) <= 2
    assert second["sequence"] in [e["sequence"] for e in await events(caller, **{"from": second["at"]})]
    assert await events(caller, to=second["at"], action="api_key.created")
    for wrong in ({"action": "nonsense"}, {"from": "yesterday"}, {"cursor": "x"}, {"limit": "0"}):
        await caller.get("/audit", 422, **wrong)


async def test_only_who_may_read_the_trail_reads_it(product: FastAPI, caller: Account) -> None:
    async with registered(product) as other, http_of(product) as http:
        person = (await other.get("/auth/me"))["user"]
        await caller.post("/members", 201, json={"email": person["email"], "role": "member"})
        body = {"email": person["email"], "password": PASSWORD, "organisation_id": caller.organisation_id}
        grant = (await http.post("/api/v1/auth/login", json=body)).json()
        http.headers["Authorization"] = f"Bearer {grant['access_token']}"
        for path in ("", "/verify", "/export"):
            assert (await http.get(f"/api/v1/audit{path}")).status_code == 403


async def test_verification_says_how_far_the_trail_is_sound(product: FastAPI, caller: Account) -> None:
    async with asyncio.timeout(30):
        while True:  # until the background loop has anchored it
            verdict = await caller.get("/audit/verify")
            assert (verdict["sound"], verdict["faults"]) == (True, [])
            if verdict["anchored_sequence"] == verdict["last_sequence"]:
                break
            await asyncio.sleep(0.1)
    assert verdict["event_count"] == len(await events(caller)) == 3


async def test_an_export_can_be_verified_without_perdure(caller: Account) -> None:
    """By the recipe of docs/privacy.md, written down once more."""

    def encoded(value: str | int | None) -> bytes:
        if value is None:
            return b"-"
        raw = str(value).encode()
        return (b"i" if isinstance(value, int) else b"s") + len(raw).to_bytes(8, "big") + raw

    names = "organisation_id sequence at_us actor_kind actor_id person_id action subject_type subject_id "
    names += "request_id origin details previous_hash"
    answer = await caller.http.get("/api/v1/audit/export")
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    previous, count = "0" * 64, 0
    for line in answer.text.splitlines():
        event = json.loads(line)
        assert event["previous_hash"] == previous
        encoding = b"".join(encoded(event[name]) for name in names.split())
        previous = hashlib.sha256(b"perdure audit event v1\x00" + encoding).hexdigest()
        assert event.pop("hash") == previous == event_hash(AuditEvent(**event))
        count += 1
    assert count == len(await events(caller))
    assert previous == (await caller.get("/audit/verify"))["last_hash"]


@pytest.fixture
def shell(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line beside the product."""
    monkeypatch.setenv("PERDURE_HOME", str(settings.home))
    monkeypatch.setenv("DATABASE_URL", settings.database_url)


@pytest.mark.usefixtures("shell")
async def test_the_command_verifies_one_trail_or_all(caller: Account) -> None:
    def run(*arguments: str) -> Any:
        return CliRunner().invoke(cli, ["verify-audit", *arguments], env={"COLUMNS": "200"})

    one = await asyncio.to_thread(run, "--organisation", caller.organisation_id, "--json")
    (verdict,) = json.loads(one.stdout)
    assert (one.exit_code, verdict["sound"], verdict["event_count"]) == (0, True, 3)
    shown = await asyncio.to_thread(run)
    assert caller.organisation_id in shown.stdout


async def test_the_console_shows_and_verifies_the_trail(product: FastAPI) -> None:
    email = f"{new_id('usr')}@example.com"
    async with http_of(product) as browser:
        form = {"name": "Ada", "organisation": "Engines", "email": email, "password": PASSWORD}
        assert (await browser.post("/register", data=form)).status_code == 303
        page = await browser.get("/settings/audit")
        assert page.status_code == 200, page.text
        assert "Organisation created" in page.text
        assert "192.0.2.9" in page.text
        filtered = await browser.get("/settings/audit", params={"action": "user.logged_in"})
        assert 'data-label="What"><div><strong>User logged in' in filtered.text
        assert 'data-label="What"><div><strong>User registered' not in filtered.text
        nothing = await browser.get("/settings/audit", params={"subject": "doc_none", "since": "2026-01-01"})
        assert "Nothing matches these filters" in nothing.text
        verified = await browser.get("/settings/audit/verification")
        assert "The trail is sound" in verified.text
        export = await browser.get("/api/v1/audit/export")
        assert len(export.text.splitlines()) == 3
