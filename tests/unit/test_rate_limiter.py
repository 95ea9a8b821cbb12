"""Counting in memory, and what several processes let through together; time passes only when a test says so."""

import asyncio
import random
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from api import rate_limiter
from api.metrics import Metrics
from api.rate_limiter import RateLimiter
from perdure.domain.rate_limits import RatePolicy
from perdure.errors import UnavailableError

SECRET = b"a secret of the installation, long enough"
POLICY = RatePolicy("write", 60)
SECOND_US = 1_000_000


@dataclass
class Clock:
    now_us: int = 5 * SECOND_US

    def __call__(self) -> int:
        return self.now_us


@dataclass
class SharedStore:
    """The store's rule on a clock that a test sets; it can be switched off."""

    clock: Clock
    booked: dict[str, int] = field(default_factory=dict)
    is_down: bool = False
    calls: int = 0

    async def book(self, booked_us: Mapping[str, int]) -> dict[str, int]:
        self.calls += 1
        if self.is_down:
            raise UnavailableError("switched off")
        now = self.clock()
        for key, us in booked_us.items():
            self.booked[key] = max(self.booked.get(key, now), now) + us
        return {key: self.booked[key] - now for key in booked_us}

    async def sweep(self) -> None:
        pass

    async def aclose(self) -> None:
        pass


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(clock: Clock) -> SharedStore:
    return SharedStore(clock)


@pytest.fixture
async def processes(clock: Clock, store: SharedStore) -> AsyncIterator[list[RateLimiter]]:
    """Three API processes, which tell the store only when a test asks them to."""
    limiters = [RateLimiter(store, SECRET, Metrics(), clock_us=clock, tell_every_s=3600) for _ in range(3)]
    yield limiters
    for limiter in limiters:
        await limiter.aclose()


def let_through(limiter: RateLimiter, attempts: int, caller: str = "org/usr") -> int:
    return sum(limiter.admit(caller, POLICY).allowed for _ in range(attempts))


async def test_a_request_waits_for_no_store(processes: list[RateLimiter], store: SharedStore) -> None:
    store.is_down = True
    assert let_through(processes[0], 100) == 60
    assert store.calls == 0


async def test_callers_and_policies_are_counted_apart(processes: list[RateLimiter]) -> None:
    assert let_through(processes[0], 100) == 60
    assert let_through(processes[0], 100, "org/other") == 60
    assert processes[0].admit("org/usr", RatePolicy("read", 1)).allowed


async def test_what_one_process_let_through_counts_in_the_others_once_it_is_told(
    processes: list[RateLimiter],
) -> None:
    first, second, _ = processes
    assert let_through(first, 60) == 60
    await first.tell()
    assert let_through(second, 1) == 1  # it has not heard of the caller yet
    await second.tell()
    assert let_through(second, 60) == 0


async def test_who_waits_as_long_as_told_is_let_through(clock: Clock, store: SharedStore) -> None:
    """The store books what it hears from the moment at which it hears it."""
    limiter = RateLimiter(store, SECRET, Metrics(), clock_us=clock, tell_every_s=0.25)
    assert let_through(limiter, 60) == 60
    refused = limiter.admit("org/usr", POLICY)
    clock.now_us += SECOND_US // 4
    await limiter.tell()
    clock.now_us += refused.wait // timedelta(microseconds=1) - SECOND_US // 4
    assert let_through(limiter, 2) == 1
    await limiter.aclose()


async def test_more_than_the_quota_is_made_up_for_by_waiting(
    processes: list[RateLimiter], clock: Clock
) -> None:
    """All three processes let a whole quota through before any of them tells: three minutes' worth."""
    assert [let_through(each, 100) for each in processes] == [60, 60, 60]
    for _ in range(2):  # the first to tell learns the rest with its next request
        for each in processes:
            await each.tell()
    await processes[0].tell()
    clock.now_us += 61 * SECOND_US
    assert let_through(processes[2], 100) == 0
    assert let_through(processes[0], 1) == 1  # it told first and heard of nobody: one more, and it knows
    await processes[0].tell()
    assert let_through(processes[0], 100) == 0
    clock.now_us += 121 * SECOND_US
    assert 1 <= sum(let_through(each, 1) for each in processes) <= 3


async def test_over_a_long_time_the_processes_keep_to_the_rate_together(
    processes: list[RateLimiter], clock: Clock
) -> None:
    chance = random.Random(11)
    started, passed, untold_at_most = clock.now_us, 0, 0
    for _ in range(3_000):
        clock.now_us += chance.randint(0, 200_000)
        moment = sum(let_through(chance.choice(processes), chance.randint(0, 4)) for _ in range(2))
        passed += moment
        untold_at_most = max(untold_at_most, moment)
        for each in processes:
            await each.tell()
    minutes = (clock.now_us - started) / (60 * SECOND_US)
    assert passed <= POLICY.quota * (minutes + 1) + untold_at_most
    assert passed >= POLICY.quota * minutes * 0.95  # nor are they stricter than one would be


async def test_the_store_learns_nobodys_name(processes: list[RateLimiter], store: SharedStore) -> None:
    let_through(processes[0], 1, "192.0.2.77")
    await processes[0].tell()
    (key,) = store.booked
    assert key.startswith("write:")
    assert "192" not in key
    other = RateLimiter(store, b"another installation's secret", Metrics(), clock_us=store.clock)
    let_through(other, 1, "192.0.2.77")
    await other.aclose()
    assert len(store.booked) == 2


async def test_while_the_store_is_down_each_process_counts_alone_and_says_so_once(
    processes: list[RateLimiter], store: SharedStore, clock: Clock
) -> None:
    limiter = processes[0]
    store.is_down = True
    for _ in range(3):
        let_through(limiter, 10)
        await limiter.tell()
    assert let_through(limiter, 100) == 30
    await limiter.tell()
    failures = limiter._metrics.untold._value.get()
    assert failures == 4
    store.is_down = False
    clock.now_us += 2 * SECOND_US
    assert let_through(limiter, 100) == 2
    await limiter.tell()
    assert sum(store.booked.values()) > 0  # what was lost on the way stays lost


async def test_a_refusal_is_counted(processes: list[RateLimiter]) -> None:
    let_through(processes[0], 65)
    assert processes[0]._metrics.refused.labels("write")._value.get() == 5


async def test_telling_happens_by_itself_and_what_is_left_is_told_at_the_end(
    clock: Clock, store: SharedStore
) -> None:
    limiter = RateLimiter(store, SECRET, Metrics(), clock_us=clock, tell_every_s=0.01)
    let_through(limiter, 5)
    async with asyncio.timeout(2):
        while not store.booked:  # noqa: ASYNC110  # nothing else tells that it has happened
            await asyncio.sleep(0.005)
    assert list(store.booked.values()) == [clock.now_us + 5 * SECOND_US]
    let_through(limiter, 2)
    await limiter.aclose()
    assert list(store.booked.values()) == [clock.now_us + 7 * SECOND_US]


async def test_a_flood_of_callers_does_not_fill_the_memory(
    processes: list[RateLimiter], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rate_limiter, "MAX_CALLERS", 100)
    limiter = processes[0]
    for number in range(1_000):
        limiter.admit(f"192.0.2.{number}", POLICY)
    assert len(limiter._counts) <= 100
    await limiter.tell()
    clock.now_us += 60 * SECOND_US
    let_through(limiter, 3)
    for number in range(98):
        limiter.admit(f"198.51.100.{number}", POLICY)
    assert let_through(limiter, 100) == 57  # who has run down makes room, not who is busy
