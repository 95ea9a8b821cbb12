"""From which confidence on answers can be trusted."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.domain.risk_coverage import (
    ENOUGH_REVIEWED,
    NEVER,
    TOLERANCE,
    clopper_pearson,
    curve,
    lower_bound,
    threshold_for,
)

CONFIDENCES = st.lists(st.floats(0.01, 0.99), min_size=1, max_size=80)


@pytest.mark.parametrize(
    ("hits", "total", "low", "high"),
    # Known values of the exact interval.
    [(0, 10, 0.0, 0.3085), (10, 10, 0.6915, 1.0), (9, 10, 0.5550, 0.9975), (50, 100, 0.3983, 0.6017)],
)
def test_the_interval_of_a_share_is_exact(hits: int, total: int, low: float, high: float) -> None:
    assert list(clopper_pearson(hits, total)) == pytest.approx([low, high], abs=1e-4)


def test_the_lower_bound_holds_as_often_as_it_promises() -> None:
    dice = np.random.default_rng(1)
    held = [lower_bound(int(dice.binomial(80, 0.9)), 80) <= 0.9 for _ in range(500)]
    # 90 % assurance or more; the standard error of 500 samples is 1.3 %.
    assert np.mean(held) >= 0.86


def test_the_curve_goes_from_the_surest_to_all_and_keeps_equals_together() -> None:
    points = curve([0.9, 0.8, 0.8, 0.4], [True, True, False, False])
    assert [(one.coverage, one.accuracy, one.threshold) for one in points] == [
        (0.25, 1.0, 0.9),
        (0.75, pytest.approx(2 / 3), 0.8),
        (1.0, 0.5, 0.4),
    ]
    assert curve([], []) == []


def test_without_reviews_the_mean_confidence_above_the_threshold_reaches_the_target() -> None:
    found = threshold_for(0.9, unreviewed=[0.99, 0.95, 0.9, 0.78, 0.5])
    assert (found.value, found.coverage, found.basis) == (0.78, 0.8, "expected")
    assert found.accuracy == pytest.approx(0.905)
    assert found.low is None


@given(CONFIDENCES, st.floats(0.5, 0.99))
def test_what_is_expected_above_a_threshold_is_at_least_the_target(seen: list[float], target: float) -> None:
    found = threshold_for(target, unreviewed=seen)
    above = [one for one in seen if one >= found.value]
    if above:
        assert np.mean(above) >= target - 1e-9
    else:
        assert found.value == NEVER


@given(CONFIDENCES, st.floats(0.5, 0.9), st.floats(0.0, 0.09))
def test_a_higher_target_never_has_a_lower_threshold(seen: list[float], target: float, more: float) -> None:
    assert threshold_for(target + more, unreviewed=seen).value >= threshold_for(target, unreviewed=seen).value


def test_reviewed_answers_decide_when_they_are_enough() -> None:
    reviewed = [(0.9, True)] * 192 + [(0.9, False)] * 8 + [(0.5, False)] * 100
    found = threshold_for(0.95, reviewed=reviewed, unreviewed=[0.999] * 10)
    assert (found.value, found.basis) == (0.9, "reviewed")
    assert found.low is not None
    assert 0.95 - TOLERANCE <= found.low < 0.95


def test_few_reviewed_answers_do_not_prove_a_high_target() -> None:
    reviewed = [(0.9, True)] * (ENOUGH_REVIEWED - 20) + [(0.8, False)] * 20
    found = threshold_for(0.99, reviewed=reviewed)
    assert (found.value, found.coverage) == (NEVER, 0.0)


def test_what_few_reviewed_answers_cannot_show_is_expected_unless_they_contradict() -> None:
    unreviewed = [0.97] * 60
    silent = threshold_for(0.95, reviewed=[(0.97, True)] * 57 + [(0.97, False)] * 3, unreviewed=unreviewed)
    assert (silent.value, silent.basis) == (0.97, "expected")
    assert silent.low == pytest.approx(lower_bound(57, 60))
    against = threshold_for(0.95, reviewed=[(0.97, True)] * 45 + [(0.97, False)] * 15, unreviewed=unreviewed)
    assert (against.value, against.basis) == (NEVER, "reviewed")


def test_a_threshold_of_reviewed_answers_holds_on_fresh_ones() -> None:
    dice = np.random.default_rng(5)
    missed = 0
    for _ in range(60):
        sure = dice.uniform(0.5, 1.0, 400)
        # Claims more than it keeps: what the confidences alone promise would miss the target.
        right = dice.random(400) < sure - 0.1
        found = threshold_for(0.8, reviewed=list(zip(sure.tolist(), right.tolist(), strict=True)))
        kept = np.clip((found.value + 1.0) / 2 - 0.1, 0, 1) if found.value < NEVER else 1.0
        missed += kept < 0.8 - TOLERANCE
    # The bound may fail in one sample of ten, and more often for being the best of many thresholds.
    assert missed / 60 < 0.25
