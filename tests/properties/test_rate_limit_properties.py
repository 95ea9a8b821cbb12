"""The rule of the rate limits against the plainest form of itself: counting what passed, in every stretch of time."""

from datetime import timedelta
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from perdure.domain.rate_limits import RatePolicy, judge

# Short windows and quotas, so that requests meet their limit often.
POLICIES = st.builds(
    RatePolicy,
    name=st.just("read"),
    quota=st.integers(1, 8),
    window=st.integers(1, 400).map(lambda us: timedelta(microseconds=us)),
)
PAUSES = st.lists(st.one_of(st.just(0), st.integers(0, 60), st.integers(0, 2_000)), max_size=80)


def instants(pauses: list[int]) -> list[int]:
    """When requests come, from a start that is no round number."""
    now, found = 1_000_003, []
    for pause in pauses:
        now += pause
        found.append(now)
    return found


def microseconds(wait: timedelta) -> int:
    return wait // timedelta(microseconds=1)


def passes(policy: RatePolicy, passed: list[int], now: int) -> bool:
    """By definition: in no stretch of time up to now more than a quota and what refilled in that stretch."""
    return all(
        len(passed) - first + 1 <= policy.quota + Fraction(now - passed[first], policy.interval_us)
        for first in range(len(passed))
    )


@given(POLICIES, PAUSES)
def test_it_lets_through_exactly_what_counting_every_stretch_allows(
    policy: RatePolicy, pauses: list[int]
) -> None:
    passed: list[int] = []
    booked = 0
    for now in instants(pauses):
        verdict = judge(policy, booked, now)
        assert verdict.allowed == passes(policy, passed, now)
        booked = verdict.booked_until_us
        if verdict.allowed:
            passed.append(now)


@given(POLICIES, PAUSES)
def test_it_lets_through_exactly_what_a_bucket_of_fractions_holds(
    policy: RatePolicy, pauses: list[int]
) -> None:
    level, before, booked = Fraction(policy.quota), 0, 0
    for now in instants(pauses):
        level = min(Fraction(policy.quota), level + Fraction(now - before, policy.interval_us))
        before = now
        verdict = judge(policy, booked, now)
        booked = verdict.booked_until_us
        assert verdict.allowed == (level >= 1)
        if verdict.allowed:
            level -= 1
            assert verdict.remaining == int(level)
            assert microseconds(verdict.wait) == (policy.quota - level) * policy.interval_us
        else:
            assert microseconds(verdict.wait) == (1 - level) * policy.interval_us


@given(POLICIES, st.integers(0, 10**6), st.integers(0, 10**6))
def test_a_window_without_requests_gives_the_whole_quota_back(
    policy: RatePolicy, booked: int, now: int
) -> None:
    rested = max(booked, now) + policy.capacity_us
    for left in range(policy.quota - 1, -1, -1):
        verdict = judge(policy, booked, rested)
        assert (verdict.allowed, verdict.remaining) == (True, left)
        booked = verdict.booked_until_us
    assert not judge(policy, booked, rested).allowed
