"""Importance fades by age, more slowly with use; what faded away is archived."""

from datetime import UTC, datetime, timedelta

from perdure.domain.decay import archived, importance

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
HALF = timedelta(days=90)


def after(days: float, base: float = 0.5, accesses: int = 0, accessed: float | None = None) -> float:
    last = None if accessed is None else BEGIN + timedelta(days=accessed)
    return importance(BEGIN + timedelta(days=days), base, BEGIN, last, accesses, HALF)


def test_a_new_memory_matters_as_much_as_it_was_given() -> None:
    assert after(0) == 0.5


def test_importance_halves_with_each_half_life() -> None:
    assert [after(90), after(180)] == [0.25, 0.125]


def test_a_recall_starts_over_and_slows_the_fading() -> None:
    assert after(180, accesses=1, accessed=180) == 0.5
    assert after(180, accesses=1, accessed=90) > 0.25


def test_a_clock_that_runs_behind_changes_nothing() -> None:
    assert after(-5) == 0.5


def test_without_a_half_life_nothing_fades() -> None:
    assert importance(BEGIN + HALF * 100, 0.5, BEGIN, None, 0, timedelta(0)) == 0.5


def test_an_endless_half_life_is_no_error() -> None:
    assert importance(BEGIN + HALF, 1.0, BEGIN, None, 10**9, timedelta.max) > 0.99


def test_what_faded_away_is_archived_and_what_is_new_or_wanted_is_not() -> None:
    late = BEGIN + HALF * 4
    assert archived(late, after(360), BEGIN, None)
    assert not archived(late, after(360, accesses=1, accessed=350), BEGIN, BEGIN + timedelta(days=350))
    assert not archived(BEGIN + timedelta(days=2), 0.01, BEGIN, None)
    assert not archived(late, 0.3, BEGIN, None)
