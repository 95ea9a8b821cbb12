"""What fits under a quota, and what is said when something does not."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.domain.ids import first_id_at, made_at, new_id
from perdure.domain.quotas import Quota, check, day_of
from perdure.errors import QuotaExceededError

NOW = datetime(2026, 11, 21, 22, 30, tzinfo=UTC)
COUNTS = st.dictionaries(st.sampled_from(list(Quota)), st.integers(0, 30))


def exceeded(
    limits: dict[Quota, int], used: dict[Quota, int], more: dict[Quota, int]
) -> QuotaExceededError | None:
    try:
        check(limits, used, more, NOW)
    except QuotaExceededError as error:
        return error
    return None


@given(COUNTS, COUNTS, COUNTS)
def test_all_is_let_in_exactly_when_everything_added_fits(
    limits: dict[Quota, int], used: dict[Quota, int], more: dict[Quota, int]
) -> None:
    everything = dict.fromkeys(Quota, 0) | used
    fits = all(
        everything[quota] + added <= limits[quota]
        for quota, added in more.items()
        if added and quota in limits
    )
    assert (exceeded(limits, everything, more) is None) == fits


def test_whoever_is_over_a_lowered_quota_may_still_do_what_adds_nothing() -> None:
    assert exceeded({Quota.DOCUMENTS: 5}, {Quota.DOCUMENTS: 9}, {Quota.DOCUMENTS: 0}) is None
    assert exceeded({Quota.DOCUMENTS: 5}, {Quota.DOCUMENTS: 9}, {Quota.DOCUMENTS: 1}) is not None


@pytest.mark.parametrize("quota", Quota)
def test_a_refusal_names_the_quota_the_numbers_and_the_remedy(quota: Quota) -> None:
    error = exceeded({quota: 7}, {quota: 6}, {quota: 2})
    assert error is not None
    assert error.policy == quota.value
    assert "quota of 7" in str(error)
    assert "2 more: 6 are used" in str(error)
    assert "ask your operator" in str(error)


def test_waiting_helps_where_a_new_day_does() -> None:
    day = exceeded(
        {Quota.OPERATIONS_PER_DAY: 1}, {Quota.OPERATIONS_PER_DAY: 1}, {Quota.OPERATIONS_PER_DAY: 1}
    )
    assert day is not None
    assert day.retry_after == timedelta(hours=1, minutes=30)
    documents = exceeded({Quota.DOCUMENTS: 1}, {Quota.DOCUMENTS: 1}, {Quota.DOCUMENTS: 1})
    assert documents is not None
    assert documents.retry_after is None


def test_a_day_is_one_of_utc_wherever_one_is() -> None:
    there = datetime(2026, 11, 22, 1, 0, tzinfo=timezone(timedelta(hours=9)))
    assert day_of(there) == (datetime(2026, 11, 21, tzinfo=UTC), datetime(2026, 11, 22, tzinfo=UTC))


def test_the_ids_of_a_day_begin_where_its_first_one_says() -> None:
    before = datetime.now(UTC)
    made = new_id("op")
    assert first_id_at("op", before) <= made < first_id_at("op", before + timedelta(minutes=1))
    instant = datetime(2026, 11, 21, tzinfo=UTC)
    assert made_at(first_id_at("op", instant)) == instant
