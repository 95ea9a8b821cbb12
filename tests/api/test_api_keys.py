"""API keys: shown once, no stronger than their maker, gone at once when revoked."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import event, text

from perdure.db.session import Database
from perdure.domain.tokens import hash_secret
from tests.api.conftest import Account, Accounts, ClientFactory

KEYS = "/api/v1/api-keys"


async def test_a_key_is_shown_once_and_works(clients: ClientFactory, owner: Account) -> None:
    made = await owner.http.post(KEYS, json={"name": "ci", "scopes": ["documents:read", "documents:read"]})
    assert made.status_code == 201
    key = made.json()["key"]
    assert key.startswith("pdr_")
    assert made.json()["last_four"] == key[-4:]
    me = (await clients(key).get("/api/v1/auth/me")).json()
    assert (me["via"], me["role"], me["scopes"]) == ("api_key", None, ["documents:read"])
    assert me["actor_id"] == made.json()["id"]
    assert me["organisation"]["id"] == owner.organisation_id
    listed = await owner.http.get(KEYS)
    assert "key" not in listed.json()["items"][0]
    assert key not in listed.text


async def test_a_key_does_not_tell_of_its_makers_other_organisations(
    clients: ClientFactory, register: Accounts, owner: Account
) -> None:
    person = await register()
    await owner.http.post("/api/v1/members", json={"email": person.email, "role": "viewer"})
    me = (await clients(await person.make_key("documents:read")).get("/api/v1/auth/me")).json()
    assert [each["organisation_id"] for each in me["organisations"]] == [person.organisation_id]


async def test_a_key_may_do_only_what_its_scopes_say(clients: ClientFactory, owner: Account) -> None:
    http = clients(await owner.make_key("documents:read"))
    refused = await http.post(KEYS, json={"name": "more", "scopes": ["documents:read"]})
    assert refused.status_code == 403
    assert "keys:write" in refused.json()["detail"]
    assert (await http.get("/api/v1/members")).status_code == 403


async def test_a_key_cannot_make_a_stronger_or_longer_lived_one(
    clients: ClientFactory, owner: Account
) -> None:
    soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    body = {"name": "maker", "scopes": ["keys:write", "documents:read"], "expires_at": soon}
    http = clients((await owner.http.post(KEYS, json=body)).json()["key"])
    stronger = await http.post(KEYS, json={"name": "x", "scopes": ["documents:write"], "expires_at": soon})
    assert stronger.status_code == 403
    longer = await http.post(KEYS, json={"name": "x", "scopes": ["documents:read"]})
    assert (longer.status_code, longer.json()["errors"][0]["pointer"]) == (422, "/body/expires_at")
    as_strong = await http.post(KEYS, json={"name": "x", "scopes": ["documents:read"], "expires_at": soon})
    assert as_strong.status_code == 201


async def test_a_revoked_key_stops_at_once(clients: ClientFactory, owner: Account) -> None:
    made = (await owner.http.post(KEYS, json={"name": "x", "scopes": ["documents:read"]})).json()
    http = clients(made["key"])
    assert (await http.get("/api/v1/auth/me")).status_code == 200
    assert (await owner.http.delete(f"{KEYS}/{made['id']}")).status_code == 204
    assert (await http.get("/api/v1/auth/me")).status_code == 401
    assert (await owner.http.delete(f"{KEYS}/{made['id']}")).status_code == 404
    assert (await owner.http.get(KEYS)).json()["items"] == []


async def test_a_key_revoked_elsewhere_stops_within_five_seconds(
    clients: ClientFactory, owner: Account, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = await owner.make_key("documents:read")
    http = clients(key)
    assert (await http.get("/api/v1/auth/me")).status_code == 200
    async with database.transaction(owner.organisation_id) as session:
        await session.execute(
            text("UPDATE api_keys SET revoked_at = now() WHERE key_hash = :hash"), {"hash": hash_secret(key)}
        )
    now = time.monotonic()
    monkeypatch.setattr("api.authentication.time.monotonic", lambda: now + 5.1)
    assert (await http.get("/api/v1/auth/me")).status_code == 401


async def test_a_look_up_that_a_revocation_overtakes_is_not_kept(
    app: FastAPI, owner: Account, database: Database
) -> None:
    authenticator = app.state.authenticator
    key = await owner.make_key("documents:read")
    looking = asyncio.create_task(authenticator.bearer(key))
    await asyncio.sleep(0)  # the query is on its way
    authenticator.forget("some-other-user")
    await looking
    assert authenticator._remembered(hash_secret(key)) is None
    await authenticator.bearer(key)
    assert authenticator._remembered(hash_secret(key)) is not None


async def test_an_expired_key_does_not_work_even_when_it_was_just_used(
    clients: ClientFactory, owner: Account
) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=0.6)
    body = {"name": "brief", "scopes": ["documents:read"], "expires_at": soon.isoformat()}
    http = clients((await owner.http.post(KEYS, json=body)).json()["key"])
    assert (await http.get("/api/v1/auth/me")).status_code == 200
    await asyncio.sleep(0.7)
    assert (await http.get("/api/v1/auth/me")).status_code == 401


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("scopes", []),
        ("scopes", ["everything:write"]),
        ("expires_at", "2020-01-01T00:00:00Z"),
        ("expires_at", "2090-01-01T00:00:00"),
        ("expires_at", "tomorrow"),
    ],
)
async def test_a_bad_key_names_the_field(owner: Account, field: str, value: object) -> None:
    body = {"name": "x", "scopes": ["documents:read"]} | {field: value}
    answer = await owner.http.post(KEYS, json=body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"].startswith(f"/body/{field}")


async def test_use_is_noted_once_a_minute_and_off_the_request(
    app: FastAPI, clients: ClientFactory, owner: Account
) -> None:
    key = await owner.make_key("documents:read", "keys:read")
    http = clients(key)
    for _ in range(3):
        await http.get("/api/v1/auth/me")
    await app.state.authenticator.aclose()
    (item,) = (await owner.http.get(KEYS)).json()["items"]
    assert item["last_used_at"] is not None


async def test_a_key_costs_one_statement_and_a_repeated_one_none(
    app: FastAPI, clients: ClientFactory, owner: Account, database: Database
) -> None:
    key = await owner.make_key("documents:read")
    statements: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        statements.append(statement)

    await app.state.authenticator.bearer(key)
    await app.state.authenticator.aclose()
    app.state.authenticator._known.clear()
    event.listen(database.engine.sync_engine, "before_cursor_execute", note)
    try:
        await app.state.authenticator.bearer(key)
        assert len(statements) == 1
        await app.state.authenticator.bearer(key)
        assert len(statements) == 1
    finally:
        event.remove(database.engine.sync_engine, "before_cursor_execute", note)


async def test_the_list_is_paged_newest_first(owner: Account) -> None:
    for number in range(5):
        await owner.http.post(KEYS, json={"name": f"key {number}", "scopes": ["documents:read"]})
    names: list[str] = []
    cursor: str | None = None
    while True:
        params: dict[str, str | int] = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = (await owner.http.get(KEYS, params=params)).json()
        names += [item["name"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert names == [f"key {number}" for number in (4, 3, 2, 1, 0)]


@pytest.mark.parametrize(
    ("params", "pointer"),
    [
        ({"limit": 0}, "/query/limit"),
        ({"limit": 201}, "/query/limit"),
        ({"limit": "many"}, "/query/limit"),
        ({"cursor": "nonsense"}, "/query/cursor"),
        ({"cursor": "☃"}, "/query/cursor"),
    ],
)
async def test_a_bad_page_names_the_parameter(owner: Account, params: dict[str, str], pointer: str) -> None:
    answer = await owner.http.get(KEYS, params=params)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == pointer


class TestIdempotency:
    """`Idempotency-Key` on a POST that is no operation."""

    body = {"name": "once", "scopes": ["documents:read"]}  # noqa: RUF012  # never changed

    async def post(self, http: httpx.AsyncClient, key: str, **changed: object) -> httpx.Response:
        return await http.post(KEYS, json=self.body | changed, headers={"Idempotency-Key": key})

    async def test_a_replay_has_one_effect_and_shows_no_secret(self, owner: Account) -> None:
        first = await self.post(owner.http, "k1")
        second = await self.post(owner.http, "k1")
        assert (first.status_code, second.status_code) == (201, 200)
        assert second.headers["idempotent-replay"] == "true"
        assert second.json() == first.json() | {"key": None}
        assert len((await owner.http.get(KEYS)).json()["items"]) == 1

    async def test_another_body_under_the_same_key_is_refused(self, owner: Account) -> None:
        await self.post(owner.http, "k1")
        other = await self.post(owner.http, "k1", name="other")
        assert (other.status_code, other.json()["type"]) == (409, "/problems/idempotency-key-reused")

    async def test_the_same_key_in_another_organisation_is_another(
        self, owner: Account, register: Accounts
    ) -> None:
        other = await register()
        assert (await self.post(owner.http, "k1")).status_code == 201
        assert (await self.post(other.http, "k1")).status_code == 201

    async def test_a_failed_request_leaves_the_key_free(self, owner: Account) -> None:
        past = "2020-01-01T00:00:00Z"
        assert (await self.post(owner.http, "k1", expires_at=past)).status_code == 422
        assert (await self.post(owner.http, "k1")).status_code == 201

    async def test_fifty_at_once_have_one_effect(self, owner: Account) -> None:
        answers = await asyncio.gather(*(self.post(owner.http, "k1") for _ in range(50)))
        assert sorted(answer.status_code for answer in answers) == [200] * 49 + [201]
        assert len({answer.json()["id"] for answer in answers}) == 1
        assert len((await owner.http.get(KEYS)).json()["items"]) == 1

    @pytest.mark.parametrize("key", ["", " ", "with space", "x" * 256, "tab\t", "caf\u00e9"])
    async def test_a_bad_key_is_refused_by_name(self, owner: Account, key: str) -> None:
        headers = [(b"Idempotency-Key", key.encode("latin-1"))]
        answer = await owner.http.post(KEYS, json=self.body, headers=headers)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == "/header/Idempotency-Key"
