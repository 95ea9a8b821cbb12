"""Two API processes hold a caller to one limit through Redis, and serve on without it."""

import asyncio

import httpx

from api.rate_limiter import TELL_EVERY_S
from tests.accounts import Account
from tests.production.production_form import SEARCHES_A_MINUTE, ProductionForm

SEARCH = "/api/v1/search"
QUERY = {"query": "anything"}


async def searched(account: Account, times: int) -> list[int]:
    """Statuses of searches, at both processes in turn."""
    return [(await account.http.post(SEARCH, json=QUERY)).status_code for _ in range(times)]


async def test_two_processes_hold_a_caller_to_one_limit(account: Account, stranger: Account) -> None:
    answers: list[int] = []
    for _ in range(12):
        answers += await searched(account, 10)
        await asyncio.sleep(TELL_EVERY_S)
    assert set(answers) == {200, 429}
    # By themselves the two would let twice as many pass; what refills meanwhile is one a second.
    assert SEARCHES_A_MINUTE <= answers.count(200) < 1.5 * SEARCHES_A_MINUTE
    refused = await account.http.post(SEARCH, json=QUERY)
    while refused.status_code == 200:
        refused = await account.http.post(SEARCH, json=QUERY)
    assert refused.json()["violated-policies"] == ["search"]
    assert int(refused.headers["Retry-After"]) >= 1
    assert (await stranger.http.post(SEARCH, json=QUERY)).status_code == 200


async def test_a_redis_that_dies_costs_no_request(account: Account, installation: ProductionForm) -> None:
    async def ask(stop: asyncio.Event) -> list[int]:
        statuses = []
        while not stop.is_set():
            statuses.append((await account.http.get("/api/v1/auth/me")).status_code)
            await asyncio.sleep(0.02)
        return statuses

    stop = asyncio.Event()
    asking = asyncio.create_task(ask(stop))
    await asyncio.sleep(0.5)
    await installation.killed("redis")
    await asyncio.sleep(1)
    stop.set()
    assert set(await asking) == {200}
    async with httpx.AsyncClient(trust_env=False) as http:
        ready = [await http.get(f"{url}/health/ready") for url in installation.urls]
    assert [answer.status_code for answer in ready] == [200, 200]
