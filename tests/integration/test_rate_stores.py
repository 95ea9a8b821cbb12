"""What the API processes tell each other about callers: the same behaviour of PostgreSQL and of Redis, both real."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from redis.asyncio import Redis
from sqlalchemy import text

from api.doctor import Verdict, check_rate_limits
from api.metrics import Metrics
from api.rate_limiter import RateLimiter
from perdure.db.rate_limit_store import PostgresRateStore
from perdure.db.session import Database
from perdure.domain.ids import new_id
from perdure.domain.rate_limits import RatePolicy
from perdure.errors import ConfigurationError, UnavailableError
from perdure.ports.rate_limits import RateStore
from perdure.providers.redis_rate_store import PREFIX, RedisRateStore
from perdure.settings import Settings
from tests.redis_server import RedisServer, redis_server

SECRET = b"a secret of the installation, long enough"
SECOND_US = 1_000_000
# What the machine may dawdle between two calls; bookings run down meanwhile.
SLACK_US = 500_000

MakeStore = Callable[[], RateStore]
Kept = Callable[[str], Awaitable[bool]]


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with redis_server(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(params=["postgresql", "redis"])
async def stores(request: pytest.FixtureRequest, database: Database) -> AsyncIterator[MakeStore]:
    """Makes stores that share what they know, as those of several processes do."""
    made: list[RateStore] = []

    def make() -> RateStore:
        if request.param == "redis":
            store: RateStore = RedisRateStore(request.getfixturevalue("redis").url)
        else:
            store = PostgresRateStore(database)
        made.append(store)
        return store

    yield make
    for store in made:
        await store.aclose()


@pytest.fixture
def kept(stores: MakeStore, database: Database, request: pytest.FixtureRequest) -> Kept:
    """Whether a store still holds a key."""

    async def look(key: str) -> bool:
        if isinstance(stores(), RedisRateStore):
            client: Redis = Redis.from_url(request.getfixturevalue("redis").url)
            found = bool(await client.exists(f"{PREFIX}{key}"))
            await client.aclose()
            return found
        async with database.transaction(None) as session:
            row = await session.scalar(text("SELECT key FROM rate_limits WHERE key = :key"), {"key": key})
            return row is not None

    return look


def booked(ahead: int, us: int) -> bool:
    """Whether that much is booked, less what has run down since."""
    return us - SLACK_US <= ahead <= us


async def test_what_is_booked_adds_up_for_each_key(stores: MakeStore) -> None:
    one, two, ours, theirs = stores(), stores(), new_id("key"), new_id("key")
    assert booked((await one.book({ours: 3 * SECOND_US}))[ours], 3 * SECOND_US)
    ahead = await two.book({ours: 4 * SECOND_US, theirs: SECOND_US})
    assert booked(ahead[ours], 7 * SECOND_US)
    assert booked(ahead[theirs], SECOND_US)


async def test_a_booking_is_exact_to_the_microsecond(stores: MakeStore) -> None:
    assert await stores().book({(key := new_id("key")): 3_600_000_007}) == {key: 3_600_000_007}


async def test_what_is_booked_runs_down_with_time(stores: MakeStore) -> None:
    store, key = stores(), new_id("key")
    first = (await store.book({key: 5 * SECOND_US}))[key]
    await asyncio.sleep(0.3)
    second = (await store.book({key: 1}))[key]
    assert first - second >= 290_000


async def test_what_has_run_down_is_forgotten(stores: MakeStore, kept: Kept) -> None:
    store, gone, busy = stores(), new_id("key"), new_id("key")
    await store.book({gone: 1_000, busy: 60 * SECOND_US})
    await asyncio.sleep(0.05)
    await store.sweep()
    assert (await kept(gone), await kept(busy)) == (False, True)


async def test_processes_that_book_at_once_lose_nothing(stores: MakeStore) -> None:
    keys = [new_id("key") for _ in range(20)]
    crowd = [stores() for _ in range(8)]

    async def work(store: RateStore, number: int) -> None:
        order = keys if number % 2 else keys[::-1]
        for _ in range(10):
            await store.book(dict.fromkeys(order, SECOND_US))
            await store.sweep()

    async with asyncio.timeout(60):
        await asyncio.gather(*(work(store, number) for number, store in enumerate(crowd)))
    ahead = await crowd[0].book(dict.fromkeys(keys, 0))
    assert all(70 * SECOND_US < us <= 80 * SECOND_US for us in ahead.values())


async def test_two_processes_hold_a_caller_to_one_quota(stores: MakeStore) -> None:
    policy, caller = RatePolicy("write", 40), new_id("usr")
    limiters = [RateLimiter(stores(), SECRET, Metrics(), tell_every_s=0.05) for _ in range(2)]
    passed = 0
    for _ in range(8):
        for limiter in limiters:
            passed += sum(limiter.admit(caller, policy).allowed for _ in range(10))
        await asyncio.sleep(0.15)
    for limiter in limiters:
        await limiter.aclose()
    assert 40 <= passed <= 40 + 10 + 2  # one round of the other unseen, and a second's refill


async def test_redis_may_go_and_come_back(tmp_path: Path) -> None:
    with redis_server(tmp_path) as server:
        store, key = RedisRateStore(server.url), new_id("key")
        await store.book({key: SECOND_US})
        server.stop()
        with pytest.raises(UnavailableError, match="Redis"):
            await store.book({key: SECOND_US})
        server.start()
        assert booked((await store.book({key: SECOND_US}))[key], SECOND_US)
        await store.aclose()


async def test_a_database_that_does_not_answer_is_an_outage() -> None:
    gone = Database("postgresql://perdure_app@127.0.0.1:1/perdure")
    with pytest.raises(UnavailableError, match="database"):
        await PostgresRateStore(gone).book({"key": 1})
    await gone.aclose()


async def test_the_doctor_looks_whether_redis_counts(tmp_path: Path) -> None:
    def with_url(url: str) -> Settings:
        return Settings.model_validate({"home": tmp_path, "redis_url": url})

    with redis_server(tmp_path) as server:
        (sound,) = await check_rate_limits(with_url(server.url))
    for url in (server.url, "http://nowhere"):
        (ill,) = await check_rate_limits(with_url(url))
        assert (ill.verdict, "REDIS_URL" in ill.remedy) == (Verdict.FAIL, True)
    assert sound.verdict is Verdict.OK
    assert (await check_rate_limits(with_url("")))[0].verdict is Verdict.OK


def test_an_address_that_is_none_of_redis_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="REDIS_URL"):
        RedisRateStore("http://127.0.0.1:6379")
