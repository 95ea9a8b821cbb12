"""Rate limits over HTTP: what every answer tells, what is refused and how, and that nothing gets around them."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from api.metrics import Metrics
from api.rate_limiter import TELL_EVERY_S
from perdure.db.session import Database
from perdure.domain.ids import new_id
from perdure.ports.rate_limits import RateStore
from perdure.providers.redis_rate_store import RedisRateStore
from perdure.settings import Settings
from tests.api.conftest import PASSWORD, Account, application_of
from tests.redis_server import redis_server

ME = "/api/v1/auth/me"
_addresses = itertools.count(1)


@dataclass(frozen=True)
class Process:
    """One API process and its clients."""

    app: FastAPI
    stack: AsyncExitStack

    async def client(self, token: str | None = None, address: str = "") -> httpx.AsyncClient:
        address = address or f"10.7.{(number := next(_addresses)) >> 8}.{number & 255}"
        transport = httpx.ASGITransport(app=self.app, client=(address, 40_000))
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        http = httpx.AsyncClient(transport=transport, base_url="http://perdure.test", headers=headers)
        return await self.stack.enter_async_context(http)

    async def register(self) -> Account:
        body = {
            "email": f"{new_id('usr')}@example.com",
            "password": PASSWORD,
            "name": "A",
            "organisation": "B",
        }
        answer = await (await self.client()).post("/api/v1/auth/register", json=body)
        assert answer.status_code == 201, answer.text
        grant = answer.json()
        http = await self.client(grant["access_token"])
        return Account(
            http,
            body["email"],
            grant["user"]["id"],
            grant["organisation"]["id"],
            grant["access_token"],
            grant["refresh_token"],
        )

    @property
    def metrics(self) -> Metrics:
        found: Metrics = self.app.state.metrics
        return found


@asynccontextmanager
async def process(
    database: Database, home: Path, limits: str, rate_store: RateStore | None = None
) -> AsyncIterator[Process]:
    async with AsyncExitStack() as stack:
        settings = Settings(home=home, rate_limits=limits)
        app = await stack.enter_async_context(application_of(database, settings, rate_store))
        yield Process(app, stack)


@pytest.fixture
async def strict(database: Database, tmp_path: Path) -> AsyncIterator[Process]:
    """Five of each a minute."""
    limits = ", ".join(f"{kind}=5" for kind in ("read", "write", "search", "upload", "auth", "open"))
    async with process(database, tmp_path, limits) as running:
        yield running


async def statuses(http: httpx.AsyncClient, count: int, path: str = ME) -> list[int]:
    return [(await http.get(path)).status_code for _ in range(count)]


async def test_every_answer_tells_what_is_left(strict: Process) -> None:
    account = await strict.register()
    fields = [(await account.http.get(ME)).headers for _ in range(3)]
    assert {each["ratelimit-policy"] for each in fields} == {'"read";q=5;w=60'}
    assert [each["ratelimit"] for each in fields] == ['"read";r=4;t=12', '"read";r=3;t=24', '"read";r=2;t=36']


async def test_who_is_over_the_limit_is_told_when_to_come_back(strict: Process) -> None:
    account = await strict.register()
    await statuses(account.http, 5)
    refused = await account.http.get(ME)
    assert (refused.status_code, refused.headers["content-type"]) == (429, "application/problem+json")
    problem = refused.json()
    assert (problem["type"], problem["violated-policies"]) == ("/problems/quota-exceeded", ["read"])
    seconds = refused.headers["retry-after"]
    assert seconds in {"12", "13"}  # later by what the store does not know yet
    assert f"try again in {seconds} s" in problem["detail"]
    assert refused.headers["ratelimit"] == f'"read";r=0;t={seconds}'
    assert strict.metrics.refused.labels("read")._value.get() == 1


async def test_the_quota_refills_as_the_answer_says(database: Database, tmp_path: Path) -> None:
    async with process(database, tmp_path, "read=20") as running:  # one each three seconds
        account = await running.register()
        while (answer := await account.http.get(ME)).status_code == 200:
            pass
        await asyncio.sleep(int(answer.headers["retry-after"]))
        assert await statuses(account.http, 2) == [200, 429]


async def test_each_class_and_each_caller_has_a_count_of_its_own(strict: Process) -> None:
    account, stranger = await strict.register(), await strict.register()
    assert await statuses(account.http, 6) == [200] * 5 + [429]
    made = await account.http.post("/api/v1/api-keys", json={"name": "k", "scopes": ["members:read"]})
    assert made.status_code == 201  # a write, after the reads are used up
    key = await strict.client(made.json()["key"])
    assert await statuses(key, 6) == [200] * 5 + [429]
    assert await statuses(stranger.http, 1) == [200]


async def test_one_caller_has_one_count_from_wherever_they_come(strict: Process) -> None:
    account = await strict.register()
    elsewhere = await strict.client(account.access_token, "2001:db8:77::1")
    assert sorted(await statuses(account.http, 3) + await statuses(elsewhere, 3)) == [200] * 5 + [429]


async def test_without_a_log_in_the_address_counts(strict: Process) -> None:
    here = await strict.client(address="192.0.2.50")
    assert await statuses(here, 6, "/problems/not-found") == [200] * 5 + [429]
    neighbours = [await strict.client(address=f"2001:db8:1:2::{number}") for number in range(6)]
    answers = [(await each.get("/problems/not-found")).status_code for each in neighbours]
    assert answers == [200] * 5 + [429]  # a customer has a whole /64


async def test_log_ins_are_counted_by_address_whatever_credentials_they_carry(strict: Process) -> None:
    guesser = await strict.client("pdr_made-up-so-that-it-counts-for-nobody", "192.0.2.51")
    body = {"email": "nobody@example.com", "refresh_token": "x"}
    answers = [await guesser.post("/api/v1/auth/refresh", json={"refresh_token": "x"}) for _ in range(6)]
    assert [each.status_code for each in answers] == [401] * 5 + [429]
    assert answers[5].headers["ratelimit-policy"] == '"auth";q=5;w=60'
    assert (await guesser.post("/api/v1/auth/login", json=body)).status_code == 429


async def test_guessing_keys_is_counted_and_hurts_nobody_at_the_same_address(strict: Process) -> None:
    guesser = await strict.client("pdr_guess", "192.0.2.52")
    assert await statuses(guesser, 6) == [401] * 5 + [429]
    account = await strict.register()
    neighbour = await strict.client(account.access_token, "192.0.2.52")
    assert await statuses(neighbour, 1) == [200]


async def test_two_processes_count_together(database: Database, tmp_path: Path) -> None:
    async with process(database, tmp_path, "read=40") as one, process(database, tmp_path, "read=40") as two:
        account = await one.register()
        clients = [account.http, await two.client(account.access_token)]
        answers: list[int] = []
        for _ in range(6):
            for http in clients:
                answers += await statuses(http, 10)
            await asyncio.sleep(TELL_EVERY_S + 0.1)
        passed = answers.count(200)
        assert set(answers) == {200, 429}
        assert 40 <= passed <= 40 + 10 + 4  # one round that the other had not heard of, and what refilled


async def test_redis_counts_for_all_processes(database: Database, tmp_path: Path) -> None:
    with redis_server(tmp_path) as server:
        async with (
            process(database, tmp_path, "read=10", RedisRateStore(server.url)) as one,
            process(database, tmp_path, "read=10", RedisRateStore(server.url)) as two,
        ):
            account = await one.register()
            assert await statuses(account.http, 11) == [200] * 10 + [429]
            await asyncio.sleep(TELL_EVERY_S + 0.1)
            there = await two.client(account.access_token)
            assert (await statuses(there, 1)) == [200]
            await asyncio.sleep(TELL_EVERY_S + 0.1)
            assert (await statuses(there, 1)) == [429]


async def test_a_store_that_is_down_costs_no_request(database: Database, tmp_path: Path) -> None:
    nobody_there = RedisRateStore("redis://127.0.0.1:1/0")
    async with process(database, tmp_path, "read=20", nobody_there) as running:
        account = await running.register()
        assert await statuses(account.http, 10) == [200] * 10
        await asyncio.sleep(TELL_EVERY_S + 0.3)
        assert running.metrics.untold._value.get() >= 1
        assert await statuses(account.http, 12) == [200] * 10 + [429] * 2  # this process goes on counting


async def test_a_redis_that_dies_and_returns_costs_no_request(database: Database, tmp_path: Path) -> None:
    with redis_server(tmp_path) as server:
        async with process(database, tmp_path, "read=100", RedisRateStore(server.url)) as running:
            account = await running.register()
            assert set(await statuses(account.http, 5)) == {200}
            await asyncio.sleep(TELL_EVERY_S + 0.1)
            server.stop()
            assert set(await statuses(account.http, 5)) == {200}
            await asyncio.sleep(TELL_EVERY_S + 0.3)
            assert running.metrics.untold._value.get() == 1
            server.start()
            assert set(await statuses(account.http, 5)) == {200}


async def test_no_route_of_the_product_goes_uncounted(product: FastAPI) -> None:
    """Every route is called by nobody: it tells its limit, or is one of the few that have none."""
    uncounted: set[str] = set()
    transport = httpx.ASGITransport(product, client=("192.0.2.60", 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://perdure.test") as nobody:
        for context in iter_route_contexts(product.routes):
            for method in sorted((context.methods or set()) - {"HEAD", "OPTIONS"}):
                path = (context.path or "").replace("{", "").replace("}", "")
                answer = await nobody.request(method, path)
                if "ratelimit" not in answer.headers:
                    uncounted.add(f"{method} {path}")
    assert uncounted == {
        "GET /openapi.json",
        "GET /health",
        "GET /health/live",
        "GET /health/ready",
        "GET /metrics",
    }


async def test_the_console_shows_the_limit_as_a_page(product: FastAPI) -> None:
    limits = product.state.rate_limits
    kept = limits._policies
    limits._policies = {kind: type(policy)(policy.name, 1) for kind, policy in kept.items()}
    try:
        transport = httpx.ASGITransport(product, client=("192.0.2.61", 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://perdure.test") as visitor:
            started = time.monotonic()
            assert (await visitor.get("/login")).status_code == 200
            refused = await visitor.get("/login")
            took = time.monotonic() - started
    finally:
        limits._policies = kept
    assert (refused.status_code, refused.headers["content-type"]) == (429, "text/html; charset=utf-8")
    assert 60 - took <= int(refused.headers["retry-after"]) <= 61
    assert "Limit reached" in refused.text
