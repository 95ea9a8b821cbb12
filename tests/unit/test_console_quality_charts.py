"""The charts of quality: a target's share is the largest that reaches it, and the drawing says what it shows."""

import re
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.routes.console_quality_charts import choice, reliability_diagram, risk_coverage_curve, thinned
from perdure.schemas.classification import ReliabilityBin, RiskCoveragePoint

CURVE = [
    RiskCoveragePoint(coverage=0.1, accuracy=1.0, threshold=0.98),
    RiskCoveragePoint(coverage=0.4, accuracy=0.93, threshold=0.9),
    RiskCoveragePoint(coverage=0.5, accuracy=0.95, threshold=0.85),
    RiskCoveragePoint(coverage=1.0, accuracy=0.81, threshold=0.3),
]


def parsed(svg: str) -> ET.Element:
    return ET.fromstring(svg)  # noqa: S314  # our own drawing


@pytest.mark.parametrize(("target", "share"), [(0.99, 0.1), (0.95, 0.5), (0.94, 0.5), (0.8, 1.0)])
def test_of_the_shares_that_reach_a_target_the_largest_is_chosen(target: float, share: float) -> None:
    assert choice(CURVE, target).share == share


def test_a_target_that_nothing_reaches_decides_nothing_automatically() -> None:
    chosen = choice(CURVE[1:], 0.99)
    assert (chosen.point, chosen.share) == (None, 0.0)
    assert not list(parsed(risk_coverage_curve(CURVE[1:], chosen)).iter("circle"))


def test_the_chosen_point_is_marked_and_told() -> None:
    (circle,) = parsed(risk_coverage_curve(CURVE, choice(CURVE, 0.95))).iter("circle")
    assert "".join(circle.itertext()) == (
        "50 % decided automatically, 95 % of them right, from a confidence of 0.85 on"
    )


def test_the_curve_begins_where_its_lowest_accuracy_is() -> None:
    ticks = [element.text for element in parsed(risk_coverage_curve(CURVE)).iter("text")]
    assert "80 %" in ticks
    assert "75 %" in ticks  # of the other axis
    low = [*CURVE, RiskCoveragePoint(coverage=1.0, accuracy=0.1, threshold=0.0)]
    assert "0 %" in [element.text for element in parsed(risk_coverage_curve(low)).iter("text")][:3]


def test_a_group_without_answers_is_not_drawn_and_the_largest_has_the_largest_dot() -> None:
    bins = [
        ReliabilityBin(confidence=0.1, accuracy=0.0, count=0),
        ReliabilityBin(confidence=0.5, accuracy=0.4, count=1),
        ReliabilityBin(confidence=0.9, accuracy=0.93, count=90),
    ]
    circles = list(parsed(reliability_diagram(bins)).iter("circle"))
    radii = [float(circle.get("r") or "nan") for circle in circles]
    assert len(radii) == 2
    assert radii[0] < radii[1]
    assert "".join(circles[0].itertext()) == "1 answer of confidence 50 %: 40 % right"


def test_nothing_known_draws_no_line_but_the_axes() -> None:
    for svg in (reliability_diagram([]), risk_coverage_curve([])):
        assert not list(parsed(svg).iter("circle"))
        assert not re.search("nan|inf", svg.replace("coverage", ""))


@given(st.integers(0, 200), st.integers(2, 20))
def test_a_thinned_curve_keeps_its_ends(length: int, most: int) -> None:
    curve = [RiskCoveragePoint(coverage=n / 200, accuracy=1, threshold=0) for n in range(length)]
    kept = thinned(curve, most)
    assert len(kept) == min(length, most)
    assert kept[:1] == curve[:1]
    assert kept[-1:] == curve[-1:]
