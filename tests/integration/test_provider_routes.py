"""Providers over HTTP and on the command line: keys, tests of keys, routing, budget, usage."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import select, update
from typer.testing import Result

from perdure.db.models import AIProcessingLogRow, IdempotencyKeyRow, ProviderKeyRow
from perdure.db.provider_keys import ProviderKeyRepository
from perdure.db.session import Database
from perdure.db.usage_repository import CallRecord, UsageRepository
from perdure.domain.routing import BUILT_IN, Candidate, Capability, ProviderName
from perdure.ports.language_models import TokenUsage
from tests.accounts import Account
from tests.classifying import TEXTS, workflow
from tests.provider_servers import Fails, OpenAIServer, Raw, Says
from tests.served import commands_reach, perdure

VALUE = "sk-proj-0123456789abcdef-WXYZ"
KEY: dict[str, Any] = {"provider": "openai", "name": "Team", "value": VALUE}
SERVER: dict[str, Any] = {
    "provider": "openai_compatible",
    "name": "Own server",
    "base_url": "https://llm.example.org/v1",
    "default_model": "llama",
}
KEYS = "/providers/keys"
OWN = Candidate(ProviderName.OPENAI, "gpt-4.1-mini")


@pytest.fixture
async def server(product: FastAPI, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[OpenAIServer]:
    """A provider on this machine, which the operator allows."""
    monkeypatch.setattr(product.state.settings, "provider_private_urls", True)
    monkeypatch.setattr(product.state.language_models._models._kept, "_private_urls", True)
    server = OpenAIServer()
    async with server.serving():
        yield server


async def made(caller: Account, **more: Any) -> dict[str, Any]:
    """A key that is stored."""
    return await caller.post(KEYS, 201, json=KEY | more)


async def put(caller: Account, path: str, expected: int = 200, **body: Any) -> dict[str, Any]:
    answer = await caller.http.put(f"/api/v1{path}", json=body)
    assert answer.status_code == expected, answer.text
    answered: dict[str, Any] = answer.json()
    return answered


def pointers(problem: dict[str, Any]) -> list[str]:
    return [each["pointer"] for each in problem["errors"]]


async def events(caller: Account) -> list[dict[str, Any]]:
    """What the audit trail says of providers, oldest first."""
    listed = (await caller.get("/audit", limit=200))["items"][::-1]
    return [event for event in listed if event["action"].startswith("provider")]


async def test_without_a_key_there_is_what_is_built_in_and_the_rest_says_what_would_enable_it(
    caller: Account,
) -> None:
    listed = {item["name"]: item for item in (await caller.get("/providers"))["items"]}
    assert set(listed) == set(ProviderName)
    assert listed["extractive"]["source"] == "built_in"
    for name, variable in (("openai", "OPENAI_API_KEY"), ("anthropic", "ANTHROPIC_API_KEY")):
        assert (listed[name]["configured"], listed[name]["source"]) == (False, None)
        assert listed[name]["needs"] == [variable, "a key"]


async def test_a_key_goes_in_and_never_comes_out(
    product: FastAPI, database: Database, caller: Account, caplog: pytest.LogCaptureFixture
) -> None:
    key = await made(caller, value=f"  {VALUE}\n")
    assert (key["provider"], key["last_four"], key["test_outcome"]) == ("openai", "WXYZ", None)
    listed = await caller.get(KEYS)
    assert listed["items"] == [key]
    assert await caller.get(f"{KEYS}/{key['id']}") == key
    assert VALUE not in str(key) + caplog.text
    async with database.transaction(caller.organisation_id) as session:
        row = (await session.scalars(select(ProviderKeyRow))).one()
        assert VALUE.encode() not in (row.sealed or b"")
        keys = ProviderKeyRepository(session, caller.organisation_id, product.state.keyring)
        assert [each.secret for each in await keys.opened([row])] == [VALUE]
    provider = next(each for each in (await caller.get("/providers"))["items"] if each["name"] == "openai")
    assert (provider["source"], provider["models"]) == ("organisation", ["gpt-4.1-mini"])


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (KEY | {"provider": "clippy"}, "/body/provider"),
        (KEY | {"provider": "extractive"}, "/body/provider"),
        (KEY | {"value": ""}, "/body/value"),
        (KEY | {"value": " \n"}, "/body/value"),
        (KEY | {"value": None}, "/body/value"),
        (KEY | {"value": "x" * 10_000}, "/body/value"),
        (KEY | {"value": "two words"}, "/body/value"),
        (KEY | {"value": "\u043a\u043b\u044e\u0447"}, "/body/value"),
        (KEY | {"name": " "}, "/body/name"),
        (KEY | {"requests_per_minute": 0}, "/body/requests_per_minute"),
        (KEY | {"color": "red"}, "/body/color"),
        (SERVER | {"base_url": None}, "/body/base_url"),
        (SERVER | {"default_model": None}, "/body/default_model"),
        (SERVER | {"base_url": "http://127.0.0.1:11434/v1"}, "/body/base_url"),
        (SERVER | {"base_url": "http://10.0.0.7/v1"}, "/body/base_url"),
        (SERVER | {"base_url": "http://[::1]:8000/v1"}, "/body/base_url"),
        (SERVER | {"base_url": "http://169.254.169.254/latest"}, "/body/base_url"),
        (SERVER | {"base_url": "http://ollama/v1"}, "/body/base_url"),
        (SERVER | {"base_url": "http://2130706433/v1"}, "/body/base_url"),
        (SERVER | {"base_url": "https://user:word@llm.example.org/v1"}, "/body/base_url"),
        (SERVER | {"base_url": "https://llm.example.org/v1?key=1"}, "/body/base_url"),
        (SERVER | {"base_url": "ftp://llm.example.org/v1"}, "/body/base_url"),
        (SERVER | {"base_url": "llm"}, "/body/base_url"),
        (KEY | {"base_url": "http://localhost/v1"}, "/body/base_url"),
    ],
)
async def test_a_key_that_could_not_be_used_is_refused_with_its_place(
    caller: Account, body: dict[str, Any], pointer: str
) -> None:
    problem = await caller.post(KEYS, 422, json=body)
    assert pointers(problem) == [pointer]
    assert len(problem["errors"][0]["detail"]) > 10
    value = body.get("value")
    assert not (value and value.strip()) or value not in json.dumps(problem, ensure_ascii=False)
    assert (await caller.get(KEYS))["items"] == []


async def test_a_server_of_ones_own_may_want_no_key(caller: Account) -> None:
    key = await caller.post(KEYS, 201, json=SERVER)
    assert (key["base_url"], key["default_model"], key["last_four"]) == (
        SERVER["base_url"],
        SERVER["default_model"],
        None,
    )


async def test_the_same_request_stores_one_key(database: Database, caller: Account) -> None:
    once = {"Idempotency-Key": "one"}
    first = await caller.post(KEYS, 201, json=KEY, headers=once)
    assert await caller.post(KEYS, 200, json=KEY, headers=once) == first
    await caller.post(KEYS, 409, json=KEY | {"value": f"{VALUE}2"}, headers=once)
    assert "'Team'" in (await caller.post(KEYS, 409, json=KEY))["detail"]
    async with database.transaction(caller.organisation_id) as session:
        stored = (await session.scalars(select(IdempotencyKeyRow))).one()
    assert VALUE not in str(stored.response)


async def test_a_key_is_changed_in_part_and_keeps_what_its_provider_needs(
    product: FastAPI, caller: Account
) -> None:
    key = await caller.post(KEYS, 201, json=SERVER)
    path = f"/api/v1{KEYS}/{key['id']}"
    renamed = (await caller.http.patch(path, json={"name": "Better", "requests_per_minute": 30})).json()
    assert (renamed["name"], renamed["requests_per_minute"]) == ("Better", 30)
    assert renamed["base_url"] == SERVER["base_url"]
    assert (await caller.http.patch(path, json={})).json() == renamed
    replaced = (await caller.http.patch(path, json={"value": VALUE})).json()
    assert replaced["last_four"] == "WXYZ"
    for body, pointer in (
        ({"name": None}, "/body/name"),
        ({"value": None}, "/body/value"),
        ({"value": " "}, "/body/value"),
        ({"base_url": None}, "/body/base_url"),
        ({"base_url": "http://127.0.0.1/v1"}, "/body/base_url"),
        ({"default_model": None}, "/body/default_model"),
        ({"provider": "openai"}, "/body/provider"),
    ):
        answer = await caller.http.patch(path, json=body)
        assert answer.status_code == 422, body
        assert pointers(answer.json()) == [pointer]
    async with product.state.database.transaction(caller.organisation_id) as session:
        keys = ProviderKeyRepository(session, caller.organisation_id, product.state.keyring)
        (opened,) = await keys.opened(await keys.usable())
    assert opened.secret == VALUE


async def test_a_revoked_key_is_gone_and_its_name_free(database: Database, caller: Account) -> None:
    key = await made(caller)
    await put(caller, "/providers/routing", generate=route(candidate(key), BUILT_IN_BODY))
    path = f"/api/v1{KEYS}/{key['id']}"
    assert (await caller.http.delete(path)).status_code == 204
    for method in ("delete", "get"):
        assert (await caller.http.request(method, path)).status_code == 404
    assert (await caller.http.patch(path, json={"name": "x"})).status_code == 404
    assert (await caller.http.post(f"{path}/test")).status_code == 404
    async with database.transaction(caller.organisation_id) as session:
        row = (await session.scalars(select(ProviderKeyRow))).one()
    assert (row.sealed, row.last_four) == (None, "WXYZ")
    routing = await caller.get("/providers/routing")
    assert routing["generate"]["candidates"] == [BUILT_IN_BODY]
    await made(caller)


async def test_a_test_asks_as_little_as_can_be_asked_and_is_remembered(
    database: Database, caller: Account, server: OpenAIServer
) -> None:
    key = await caller.post(KEYS, 201, json=SERVER | {"base_url": f"{server.url}/v1", "value": VALUE})
    server.replies.append(Says("OK"))
    tested = await caller.post(f"{KEYS}/{key['id']}/test", 200)
    assert (tested["ok"], tested["provider"], tested["reason"]) == (True, "openai_compatible", None)
    assert tested["latency_ms"] > 0
    (asked,) = server.asked
    assert asked["max_tokens"] <= 16
    assert server.headers[0]["authorization"] == f"Bearer {VALUE}"
    now = await caller.get(f"{KEYS}/{key['id']}")
    assert now["test_outcome"] == "ok"
    assert now["tested_at"] is not None
    async with database.transaction(caller.organisation_id) as session:
        log = (await session.scalars(select(AIProcessingLogRow))).one()
    assert (log.purpose, log.key_id, log.outcome) == ("key_test", key["id"], "ok")
    assert log.input_tokens > 0


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Fails(401, "authentication_error", f"Incorrect API key provided: {VALUE}"), "unauthorised"),
        (Fails(429, "rate_limit_error", headers={"Retry-After": "7"}), "rate_limited"),
        (Fails(404, "invalid_request_error", "The model `llama` does not exist"), "invalid_request"),
        (Fails(500), "unavailable"),
        (Raw(b"<html>not a model</html>", "text/html"), "malformed"),
    ],
)
async def test_a_test_that_fails_says_why_and_not_the_key(
    caller: Account, server: OpenAIServer, reply: Fails | Raw, reason: str
) -> None:
    key = await caller.post(KEYS, 201, json=SERVER | {"base_url": f"{server.url}/v1", "value": VALUE})
    server.replies.append(reply)
    tested = await caller.post(f"{KEYS}/{key['id']}/test", 200)
    assert (tested["ok"], tested["reason"]) == (False, reason)
    assert tested["detail"]
    assert VALUE not in str(tested)
    assert (await caller.get(f"{KEYS}/{key['id']}"))["test_outcome"] == reason


async def test_an_address_that_was_allowed_once_is_not_asked_when_it_is_not_any_more(
    product: FastAPI, caller: Account, server: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = await caller.post(KEYS, 201, json=SERVER | {"base_url": f"{server.url}/v1"})
    monkeypatch.setattr(product.state.language_models._models._kept, "_private_urls", False)
    tested = await caller.post(f"{KEYS}/{key['id']}/test", 200)
    assert (tested["ok"], tested["reason"]) == (False, "invalid_request")
    assert server.asked == []


BUILT_IN_BODY = {"provider": "extractive", "model": BUILT_IN.model, "key_id": None}


def candidate(key: dict[str, Any], model: str = "gpt-4.1") -> dict[str, Any]:
    return {"provider": key["provider"], "model": model, "key_id": key["id"]}


def route(*candidates: dict[str, Any], strategy: str = "order") -> dict[str, Any]:
    return {"strategy": strategy, "candidates": list(candidates)}


async def test_who_is_asked_is_every_key_unless_somebody_says_otherwise(caller: Account) -> None:
    key = await made(caller)
    default = (await caller.get("/providers/routing"))["generate"]
    assert default["is_default"]
    assert [one["key_id"] for one in default["candidates"]] == [key["id"], None]
    chosen = route(BUILT_IN_BODY, candidate(key), strategy="cheapest")
    routing = await put(caller, "/providers/routing", generate=chosen)
    assert routing["generate"] == chosen | {"is_default": False}
    assert routing["embed"]["is_default"]
    assert await caller.get("/providers/routing") == routing
    again = await put(caller, "/providers/routing", embed=route(candidate(key, "text-embedding-3-small")))
    assert again["generate"] == routing["generate"]
    back = await put(caller, "/providers/routing", generate=None)
    assert back["generate"] == default
    assert not back["embed"]["is_default"]


async def test_candidates_that_cannot_be_asked_are_refused_with_their_places(
    caller: Account, stranger: Account
) -> None:
    key, foreign, gone = await made(caller), await made(stranger), await made(caller, name="Gone")
    assert (await caller.http.delete(f"/api/v1{KEYS}/{gone['id']}")).status_code == 204
    at = "/body/generate/candidates"
    for body, expected in (
        ({"generate": route(candidate(key), candidate(foreign))}, [f"{at}/1/key_id"]),
        ({"generate": route(candidate(gone), candidate(foreign))}, [f"{at}/0/key_id", f"{at}/1/key_id"]),
        ({"generate": route(candidate(key) | {"provider": "anthropic"})}, [f"{at}/0/key_id"]),
        ({"generate": route(candidate(key) | {"provider": "clippy"})}, [f"{at}/0/provider"]),
        ({"generate": route(candidate(key) | {"model": ""})}, [f"{at}/0/model"]),
        ({"generate": route(candidate(key) | {"key_id": None})}, [f"{at}/0/key_id"]),
        ({"generate": route(BUILT_IN_BODY | {"model": "other"})}, [f"{at}/0/model"]),
        ({"generate": route(BUILT_IN_BODY | {"key_id": key["id"]})}, [f"{at}/0/model"]),
        ({"generate": route()}, [at]),
        ({"generate": route(*[BUILT_IN_BODY] * 21)}, [at]),
        ({"generate": route(candidate(key), strategy="best")}, ["/body/generate/strategy"]),
        ({"embed": route(BUILT_IN_BODY)}, ["/body/embed/candidates/0/provider"]),
        ({"sing": route(candidate(key))}, ["/body/sing"]),
    ):
        problem = await put(caller, "/providers/routing", 422, **body)
        assert pointers(problem) == expected, body
    assert (await caller.get("/providers/routing"))["generate"]["is_default"]


async def test_a_budget_has_a_limit_that_tells_and_one_that_stops(caller: Account) -> None:
    budget = await caller.get("/providers/budget")
    assert (budget["soft_usd"], budget["hard_usd"], budget["spent_usd"]) == (None, None, 0.0)
    assert budget["state"] == "ok"
    budget = await put(caller, "/providers/budget", soft_usd=19.5, hard_usd=50)
    assert (budget["soft_usd"], budget["hard_usd"], budget["state"]) == (19.5, 50.0, "ok")
    assert budget["month"].endswith("-01")
    assert (await put(caller, "/providers/budget", hard_usd=0))["state"] == "hard"
    for body, pointer in (
        ({"soft_usd": -1}, "/body/soft_usd"),
        ({"hard_usd": -0.01}, "/body/hard_usd"),
        ({"hard_usd": 1e12}, "/body/hard_usd"),
        ({"hard_usd": 0.001}, "/body/hard_usd"),
        ({"hard_usd": "much"}, "/body/hard_usd"),
        ({"soft_usd": 51, "hard_usd": 50}, "/body/soft_usd"),
        ({"euros": 5}, "/body/euros"),
    ):
        assert pointers(await put(caller, "/providers/budget", 422, **body)) == [pointer], body
    assert (await caller.get("/providers/budget"))["hard_usd"] == 0.0


async def test_what_is_done_to_providers_is_recorded_without_values(
    caller: Account, server: OpenAIServer
) -> None:
    key = await caller.post(KEYS, 201, json=SERVER | {"base_url": f"{server.url}/v1", "value": VALUE})
    path = f"/api/v1{KEYS}/{key['id']}"
    await caller.http.patch(path, json={"value": f"{VALUE}2", "name": "Other"})
    server.replies.append(Fails(401))
    await caller.post(f"{KEYS}/{key['id']}/test", 200)
    await put(caller, "/providers/routing", generate=route(candidate(key)))
    await put(caller, "/providers/routing")
    await put(caller, "/providers/budget", hard_usd=5)
    await put(caller, "/providers/budget", hard_usd=5)
    await caller.http.delete(path)
    told = await events(caller)
    assert [event["action"] for event in told] == [
        "provider_key.created",
        "provider_key.changed",
        "provider_key.tested",
        "providers.routing_changed",
        "providers.budget_changed",
        "provider_key.revoked",
    ]
    me = (await caller.get("/auth/me"))["user"]["id"]
    assert {event["actor"]["id"] for event in told} == {me}
    assert told[1]["details"] == {"changed": "name, value"}
    assert told[2]["details"] == {"outcome": "unauthorised"}
    assert told[4]["details"]["to"] == {"soft_usd": None, "hard_usd": "5.00"}
    assert VALUE not in str(told)


async def logged(
    database: Database, caller: Account, one: Candidate, outcome: str = "ok", days_ago: int = 0, **more: Any
) -> None:
    """A call of some days ago."""
    values: dict[str, Any] = {
        "usage": TokenUsage(100, 20, 30),
        "cost_usd": Decimal("0.5"),
        "latency_ms": 200.0,
        "operation_id": None,
        "operation_kind": None,
        **more,
    }
    call = CallRecord(Capability.GENERATE, "test", one, outcome=outcome, **values)
    async with database.transaction(caller.organisation_id) as session:
        await UsageRepository(session, caller.organisation_id).write(call)
        if days_ago:
            newest = select(AIProcessingLogRow.id).order_by(AIProcessingLogRow.id.desc()).limit(1)
            at = datetime.now(UTC) - timedelta(days=days_ago)
            statement = update(AIProcessingLogRow).where(AIProcessingLogRow.id.in_(newest)).values(at=at)
            await session.execute(statement)


async def used(caller: Account, query: str) -> dict[str, Any]:
    answer = await caller.http.get(f"/api/v1/usage?{query}")
    assert answer.status_code == 200, answer.text
    read: dict[str, Any] = answer.json()
    return read


async def test_usage_adds_up_what_calls_took(database: Database, caller: Account, stranger: Account) -> None:
    await logged(database, caller, OWN, operation_id="op_1", operation_kind="remember")
    await logged(database, caller, OWN, days_ago=2, latency_ms=400.0)
    await logged(database, caller, BUILT_IN, cost_usd=Decimal(0))
    await logged(database, caller, OWN, "rate_limited", usage=TokenUsage(), cost_usd=None)
    await logged(database, caller, OWN, days_ago=40)
    await logged(database, stranger, OWN)

    usage = await caller.get("/usage", group_by="model")
    assert [item["group"] for item in usage["items"]] == ["openai/gpt-4.1-mini", "extractive/extractive-1"]
    openai = usage["items"][0]
    assert (openai["calls"], openai["failed"], openai["unpriced"]) == (3, 1, 0)
    assert (openai["input_tokens"], openai["output_tokens"], openai["cached_tokens"]) == (200, 40, 60)
    assert (openai["cost_usd"], openai["p50_ms"]) == (1.0, 300.0)
    assert usage["total"]["calls"] == 4
    assert usage["budget"]["state"] == "ok"
    today = datetime.now(UTC).date()
    days = [(today - timedelta(days=ago)).isoformat() for ago in (2, 0)]
    by_day = await used(caller, f"group_by=day&from={days[0]}&to={days[1]}")
    assert [(item["group"], item["calls"]) for item in by_day["items"]] == [(days[0], 1), (days[1], 3)]
    by_operation = await caller.get("/usage", group_by="operation")
    assert {item["group"]: item["calls"] for item in by_operation["items"]} == {"op_1": 1, "": 3}
    older = await used(caller, f"from={today - timedelta(days=60)}")
    assert older["total"]["calls"] == 5


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("from=yesterday", "/query/from"),
        ("from=2026-02-30", "/query/from"),
        ("to=9999-12-31", "/query/to"),
        ("to=7", "/query/to"),
        ("from=2026-11-01T10:00:00", "/query/from"),
        ("from=2026-11-02&to=2026-11-01", "/query/from"),
        ("to=0001-01-02", "/query/to"),
        ("group_by=colour", "/query/group_by"),
    ],
)
async def test_a_period_that_is_none_is_refused(caller: Account, query: str, pointer: str) -> None:
    answer = await caller.http.get(f"/api/v1/usage?{query}")
    assert answer.status_code == 422
    assert pointers(answer.json()) == [pointer]


@pytest.mark.parametrize(
    ("scopes", "reads", "changes"),
    [
        (["providers:read", "usage:read"], 200, 403),
        (["providers:write"], 403, 201),
        (["documents:read"], 403, 403),
    ],
)
async def test_each_right_is_a_scope_of_its_own(
    caller: Account, scopes: list[str], reads: int, changes: int
) -> None:
    key = await caller.post("/api-keys", 201, json={"name": "k", "scopes": scopes})
    headers = {"Authorization": f"Bearer {key['key']}"}
    paths = ("/providers", KEYS, "/providers/routing", "/providers/budget")
    for path in (*paths, *(["/usage"] if reads == 200 else [])):
        assert (await caller.http.get(f"/api/v1{path}", headers=headers)).status_code == reads, path
    answer = await caller.http.post(f"/api/v1{KEYS}", json=KEY, headers=headers)
    assert answer.status_code == changes


def printed(result: Result) -> dict[str, Any]:
    """The JSON among the lines that the server logs in this process."""
    read, _ = json.JSONDecoder().raw_decode(result.stdout, result.stdout.index("{\n"))
    assert isinstance(read, dict)
    return read


async def test_the_command_line_shows_tests_and_routes(
    product: FastAPI,
    database: Database,
    caller: Account,
    server: OpenAIServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    key = await caller.post(KEYS, 201, json=SERVER | {"base_url": f"{server.url}/v1"})
    await logged(database, caller, OWN)
    scopes = ("providers:read", "providers:write", "usage:read")
    async with commands_reach(product, caller, monkeypatch, *scopes):
        listed = await perdure("providers", "list")
        assert listed.exit_code == 0, listed.output
        assert "ANTHROPIC_API_KEY" in listed.stdout
        assert key["id"] in listed.stdout
        server.replies.extend([Says("OK"), Fails(401)])
        assert "answered with" in (await perdure("providers", "test", key["id"])).stdout
        refused = await perdure("providers", "test", key["id"], "--json")
        assert refused.exit_code == 1
        assert printed(refused)["reason"] == "unauthorised"

        routed = await perdure("providers", "route", "generate", "extractive", f"{key['id']}:qwen")
        assert routed.exit_code == 0, routed.output
        assert routed.stdout.index("extractive-1") < routed.stdout.index("qwen")
        cheapest = await perdure("providers", "route", "generate", "--strategy", "cheapest", "--json")
        assert printed(cheapest)["generate"] == {
            "strategy": "cheapest",
            "candidates": [BUILT_IN_BODY, candidate(key, "qwen")],
            "is_default": False,
        }
        assert "the default" in (await perdure("providers", "route", "generate", "--default")).stdout
        unknown = await perdure("providers", "route", "generate", "pky_none")
        assert unknown.exit_code == 1
        assert "there is no key pky_none" in unknown.output

        used = await perdure("usage")
        assert used.exit_code == 0, used.output
        assert "openai/gpt-4.1-mini" in used.stdout
        assert "no budget" in used.stdout
        await put(caller, "/providers/budget", soft_usd=1, hard_usd=2)
        by_day = printed(await perdure("usage", "--group-by", "day", "--days", "7", "--json"))
        assert [item["calls"] for item in by_day["items"]] == [3]
        assert "alert at $1.00, stop at $2.00" in (await perdure("usage")).stdout


async def waiting(caller: Account) -> dict[str, Any]:
    """A batch that asks a model, once it is paused."""
    made = await workflow(caller, provider="openai")
    items = [{"text": text} for text in TEXTS.values()]
    asked = {"items": items, "workflow_id": made["id"]}
    operation = await caller.post("/ai/classification/batch", json=asked)
    return await caller.until(operation, {"paused", "completed", "failed"})


def labelled(count: int) -> list[Says]:
    said = {"label": "Invoice", "confidence": 0.9, "quotes": []}
    return [Says(json.dumps(said)) for _ in range(count)]


async def test_what_a_budget_has_paused_goes_on_when_it_is_raised(
    caller: Account, server: OpenAIServer
) -> None:
    await made(caller, base_url=f"{server.url}/v1")
    await put(caller, "/providers/budget", hard_usd=0)
    paused = await waiting(caller)
    assert (paused["status"], paused["error"]["type"]) == ("paused", "budget-reached")
    server.replies.extend(labelled(3))
    await put(caller, "/providers/budget", hard_usd=1)
    ended = await caller.ended(paused)
    assert (ended["status"], ended["error"], ended["result"]["decided"]) == ("completed", None, 3)


async def test_what_nobody_would_answer_goes_on_when_the_key_is_replaced(
    caller: Account, server: OpenAIServer
) -> None:
    key = await made(caller, base_url=f"{server.url}/v1")
    server.replies.extend([Fails(401)] * 12)
    paused = await waiting(caller)
    assert (paused["status"], paused["error"]["type"]) == ("paused", "providers-failed")
    server.replies.clear()
    server.replies.extend(labelled(3))
    answer = await caller.http.patch(f"/api/v1{KEYS}/{key['id']}", json={"value": f"{VALUE}2"})
    assert answer.status_code == 200
    assert (await caller.ended(paused))["result"]["decided"] == 3
    assert server.headers[-1]["authorization"] == f"Bearer {VALUE}2"
