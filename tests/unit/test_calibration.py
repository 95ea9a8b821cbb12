"""Confidences say how often answers are right."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.domain.calibration import (
    ENOUGH_ANSWERS,
    SHIPPED,
    Calibration,
    expected_calibration_error,
    log_odds,
    logistic,
    reliability,
)

RAWS = st.lists(st.floats(-6, 6), min_size=ENOUGH_ANSWERS, max_size=120)


def test_the_shipped_calibration_changes_nothing() -> None:
    assert SHIPPED.confidence(log_odds(0.8)) == pytest.approx(0.8)


def test_few_answers_change_nothing() -> None:
    assert Calibration.fitted([3.0] * (ENOUGH_ANSWERS - 1), [False] * (ENOUGH_ANSWERS - 1)) == SHIPPED


def test_a_refit_learns_that_answers_claim_too_much() -> None:
    dice = np.random.default_rng(3)
    raws = dice.normal(2.0, 1.5, 4000)
    right = dice.random(4000) < 1 / (1 + np.exp(-(0.5 * raws - 0.7)))
    found = Calibration.fitted(raws[:2000].tolist(), right[:2000].tolist())
    fresh = [found.confidence(raw) for raw in raws[2000:].tolist()]
    # The slope of 2,000 answers has a standard error of about 0.04, so the error of the bins is sampling noise.
    assert found.slope == pytest.approx(0.5, abs=0.15)
    assert found.intercept == pytest.approx(-0.7, abs=0.3)
    assert expected_calibration_error(fresh, right[2000:].tolist()) < 0.04
    shipped = [SHIPPED.confidence(raw) for raw in raws[2000:].tolist()]
    assert expected_calibration_error(shipped, right[2000:].tolist()) > 0.1


@given(RAWS, st.data())
def test_a_surer_answer_stays_surer_after_any_refit(raws: list[float], data: st.DataObject) -> None:
    right = data.draw(st.lists(st.booleans(), min_size=len(raws), max_size=len(raws)))
    found = Calibration.fitted(raws, right)
    assert found.confidence(1.0) > found.confidence(-1.0)
    assert 0 < found.confidence(-1000.0) < found.confidence(1000.0) < 1


@given(RAWS, st.booleans())
def test_a_refit_to_answers_that_are_all_alike_ends(raws: list[float], is_right: bool) -> None:
    found = Calibration.fitted(raws, [is_right] * len(raws))
    assert np.isfinite([found.slope, found.intercept]).all()


def test_what_a_version_keeps_comes_back_the_same() -> None:
    kept = Calibration(0.7, -0.25, 44)
    assert Calibration.from_json(kept.to_json()) == kept
    assert Calibration.from_json(None) == SHIPPED


def test_the_reliability_diagram_counts_each_answer_once() -> None:
    confidences = [0.0, 0.05, 0.1, 0.95, 1.0]
    found = reliability(confidences, [False, True, True, True, True])
    assert [(one.count, one.accuracy) for one in found] == [(2, 0.5), (1, 1.0), (2, 1.0)]
    assert found[-1].confidence == pytest.approx(0.975)


def test_the_calibration_error_is_the_mean_distance_of_the_bins() -> None:
    assert expected_calibration_error([0.75, 0.75, 0.25, 0.25], [True, True, False, True]) == pytest.approx(
        0.25
    )
    assert expected_calibration_error([], []) == 0.0


@given(st.floats(0.001, 0.999))
def test_probabilities_and_log_odds_are_each_others_inverse(probability: float) -> None:
    assert logistic(log_odds(probability)) == pytest.approx(probability)
