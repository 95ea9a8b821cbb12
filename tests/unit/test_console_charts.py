"""Charts: well-formed SVG that says what it shows, whatever names and numbers it is given."""

import math
import re
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.routes.console_charts import (
    HEIGHT,
    Axis,
    Bar,
    Dot,
    Line,
    axis_upto,
    bar_chart,
    percent,
    plain,
    plot,
    ranking,
    shortened,
)

UNIT = Axis("share")
# What XML 1.0 allows in a text.
TEXTS = st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff"), max_size=30
)
NUMBERS = st.floats(-1e12, 1e12) | st.sampled_from([math.nan, math.inf, -math.inf])


def parsed(svg: str) -> ET.Element:
    """Fails on what is not well-formed."""
    return ET.fromstring(svg)  # noqa: S314  # our own drawing


def elements(svg: str, name: str) -> list[ET.Element]:
    """All elements of a name."""
    return list(parsed(svg).iter(name))


def per_cent(value: str | None) -> float:
    assert value is not None
    assert value.endswith("%")
    return float(value[:-1])


def test_a_chart_has_a_name_and_a_description_that_a_screen_reader_finds() -> None:
    svg = plot("risk", "Risk & coverage", "Accuracy by share", x=UNIT, y=UNIT)
    root = parsed(svg)
    assert root.get("role") == "img"
    told = {element.get("id"): element.text for element in root if element.get("id")}
    assert [told[id_] for id_ in (root.get("aria-labelledby") or "").split()] == [
        "Risk & coverage",
        "Accuracy by share",
    ]


def test_points_stand_where_their_values_say() -> None:
    dots = [Dot(0.0, 0.0), Dot(0.5, 0.5), Dot(1.0, 1.0)]
    circles = elements(plot("p", "t", "d", x=UNIT, y=UNIT, dots=dots), "circle")
    across = [per_cent(circle.get("cx")) for circle in circles]
    down = [float(circle.get("cy") or "nan") for circle in circles]
    assert across[1] - across[0] == pytest.approx(across[2] - across[1], abs=0.02)
    assert down[0] - down[1] == pytest.approx(down[1] - down[2], abs=0.2)
    assert down[2] < down[0] < HEIGHT


def test_a_line_of_one_point_or_of_no_number_is_left_out() -> None:
    lines = [Line([(0.5, 0.5)]), Line([(math.nan, 0.1), (0.2, 0.2)]), Line([])]
    assert elements(plot("p", "t", "d", x=UNIT, y=UNIT, lines=lines), "path") == []


def test_the_tallest_bar_reaches_the_top_of_its_axis_and_nothing_is_a_bar_of_no_height() -> None:
    bars = [Bar("a", 100.0), Bar("b", 50.0), Bar("c", 0.0)]
    rects = elements(bar_chart("b", "t", "d", bars=bars, y=axis_upto(100, "USD")), "rect")
    tall, half, none = (float(rect.get("height") or "nan") for rect in rects)
    assert tall == pytest.approx(2 * half, abs=0.1)
    assert none == 0


def test_of_many_bars_only_some_are_named() -> None:
    bars = [Bar(f"day {place}", 1.0) for place in range(31)]
    svg = bar_chart("b", "t", "d", bars=bars, y=axis_upto(1, "calls"))
    named = [element.text for element in elements(svg, "text") if (element.text or "").startswith("day")]
    assert 2 <= len(named) <= 5
    assert len(elements(svg, "rect")) == 31


def test_no_bars_are_an_empty_chart() -> None:
    assert elements(bar_chart("b", "t", "d", bars=[], y=axis_upto(0, "calls")), "rect") == []


@pytest.mark.parametrize(
    ("greatest", "top"), [(0, 1), (1, 1), (7, 8), (0.03, 0.04), (1234, 2000), (math.nan, 1), (4, 4)]
)
def test_an_axis_ends_at_a_round_number_that_is_enough(greatest: float, top: float) -> None:
    axis = axis_upto(greatest, "USD")
    assert axis.high == pytest.approx(top)
    assert axis.ticks[-1] == pytest.approx(axis.high)


@given(st.floats(1e-9, 1e12))
def test_every_axis_holds_its_greatest_value_and_wastes_less_than_two_thirds(greatest: float) -> None:
    axis = axis_upto(greatest, "USD")
    assert greatest <= axis.high * (1 + 1e-9)
    assert axis.high <= greatest * 3


@given(TEXTS, TEXTS, TEXTS, st.lists(st.tuples(NUMBERS, NUMBERS), max_size=6))
def test_whatever_names_and_numbers_say_the_svg_is_well_formed_and_runs_nothing(
    title: str, said: str, label: str, points: list[tuple[float, float]]
) -> None:
    hostile = said + "</title><script>alert(1)</script>\"'"
    dots = [Dot(x, y, hostile) for x, y in points]
    bars = [Bar(hostile, y, hostile) for _, y in points]
    for svg in (
        plot("p", title, hostile, x=Axis(label), y=UNIT, lines=[Line(points)], dots=dots),
        bar_chart("b", title, hostile, bars=bars, y=axis_upto(max((y for _, y in points), default=0), label)),
    ):
        root = parsed(svg)
        assert {element.tag for element in root.iter()} <= {
            *("svg", "title", "desc", "line", "text", "path", "circle", "rect")
        }
        assert not any("style" in element.attrib for element in root.iter())
        assert "nan" not in re.sub(r">[^<]*<", "><", svg)


def test_numbers_are_shown_with_the_digits_that_they_need() -> None:
    assert [percent(0.8125), plain(0.0004), plain(2.5), plain(12000)] == ["81 %", "0.0004", "2.5", "12,000"]


def test_bars_below_each_other_are_as_wide_as_their_values_say_and_each_has_its_name() -> None:
    bars = [Bar("openai/gpt", 4.0), Bar("x" * 200, 1.0), Bar("none", 0.0), Bar("nothing known", math.nan)]
    svg = ranking("r", "t", "d", bars=bars, y=axis_upto(4.0, "USD"))
    widths = [per_cent(rect.get("width")) for rect in elements(svg, "rect")][1::2]
    assert widths[0] == pytest.approx(100)
    assert widths[0] == pytest.approx(4 * widths[1])
    assert widths[2] == widths[3] == 0
    told = [element.text or "" for element in elements(svg, "text")]
    assert told[0] == "openai/gpt"
    assert max(map(len, told)) <= 30


def test_a_shortened_name_keeps_its_beginning_and_its_end() -> None:
    assert shortened("claude-haiku-4-5") == "claude-haiku-4-5"
    short = shortened("openai_compatible/some-very-long-model-name-20260101")
    assert len(short) == 30
    assert short.startswith("openai_compatible")
    assert short.endswith("20260101")
