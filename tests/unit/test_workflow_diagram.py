"""Definitions are drawn and compared the same way each time."""

import random
import re
from itertools import combinations
from typing import Any
from xml.etree import ElementTree

from perdure.domain.workflow_diagram import StepView, diagram
from perdure.domain.workflow_diff import Change, Difference, differences
from perdure.domain.workflow_reading import draft, parse_definition
from tests.workflow_definitions import INVOICES, large, step

SVG = "{http://www.w3.org/2000/svg}"


def boxes(drawn: str) -> dict[str, tuple[float, float]]:
    """The upper left corner of each step."""
    tree = ElementTree.fromstring(drawn)  # noqa: S314  # it was just drawn
    found = {}
    for group in tree.iter(f"{SVG}g"):
        rectangle = group.find(f"{SVG}rect")
        if rectangle is not None:
            found[group.attrib["data-step"]] = (float(rectangle.attrib["x"]), float(rectangle.attrib["y"]))
    return found


def test_a_definition_is_drawn_once_and_for_all() -> None:
    definition = parse_definition(INVOICES)
    drawn = diagram(definition)
    assert drawn == diagram(parse_definition(INVOICES))
    assert boxes(drawn).keys() == {one["id"] for one in INVOICES["steps"]}


def test_no_step_covers_another_and_none_stands_above_what_it_follows() -> None:
    dice = random.Random(3)
    for _ in range(40):
        steps = [step("s0")]
        for number in range(1, dice.randint(2, 30)):
            needs = dice.sample(range(number), min(number, dice.randint(1, 3)))
            steps.append(step(f"s{number}", *(f"s{need}" for need in needs)))
        found = boxes(diagram(parse_definition({"name": "x", "steps": steps})))
        for (ax, ay), (bx, by) in combinations(found.values(), 2):
            assert abs(ax - bx) >= 180 or abs(ay - by) >= 52
        for one in steps:
            assert all(found[need][1] < found[one["id"]][1] for need in one["needs"])


def test_a_line_passes_beside_the_steps_between() -> None:
    """The upright parts of lines stand in no step."""
    steps = [step("a"), step("b", "a"), step("c", "b"), step("d", "c", "a", "b")]
    drawn = diagram(parse_definition({"name": "x", "steps": steps}))
    found = boxes(drawn)
    upright = [(float(x), float(y)) for x, y in re.findall(r" (\d+) (\d+)V", drawn)]
    assert len(upright) == 3
    for x, y in upright:
        assert not [one for one in found.values() if one[0] < x < one[0] + 180 and one[1] <= y < one[1] + 52]


def test_an_execution_is_the_same_drawing_in_other_colours() -> None:
    definition = parse_definition(INVOICES)
    views = {
        "classify": StepView("completed", 1.25),
        "kind": StepView("failed", 4000),
        "file": StepView("<x>"),
    }
    drawn = diagram(definition, views)
    assert boxes(drawn) == boxes(diagram(definition))
    assert 'class="step classification completed"' in drawn
    assert "1.2 s" in drawn
    assert "1 h" in drawn
    assert 'class="step approval pending"' in drawn
    assert "<x>" not in drawn


def test_no_name_becomes_markup() -> None:
    hostile = {"name": "</title><script>alert(1)</script>", "steps": [step("a", name='"><script>1</script>')]}
    drawn = diagram(parse_definition(hostile))
    assert "<script" not in drawn
    ElementTree.fromstring(drawn)  # noqa: S314  # it was just drawn


def test_a_way_back_is_drawn_as_one() -> None:
    steps = [
        step("draft"),
        step(
            "check",
            "draft",
            type="condition",
            max_visits=3,
            **{"with": {"if": "steps.draft.bad", "then": "draft"}},
        ),
    ]
    drawn = diagram(parse_definition({"name": "x", "steps": steps}))
    assert drawn.count('class="edge back"') == 1


def test_two_hundred_steps_are_drawn() -> None:
    assert len(boxes(diagram(parse_definition(large(200))))) == 200


# Differences


def kinds(changes: tuple[Change, ...]) -> list[tuple[str, str]]:
    return [(change.difference.value, change.place) for change in changes]


def test_nothing_is_different_from_itself() -> None:
    assert differences(INVOICES, INVOICES) == ()


def test_steps_are_compared_by_their_names() -> None:
    before: dict[str, Any] = {"name": "x", "steps": [step("a"), step("b", "a"), step("c", "b")]}
    after: dict[str, Any] = {
        "name": "y",
        "steps": [step("new"), step("a"), step("b", "a", when="true"), step("d", "a")],
        "parameters": {"limit": {"type": "number"}},
    }
    assert kinds(differences(before, after)) == [
        ("changed", "/name"),
        ("added", "/steps/new"),
        ("added", "/steps/b/when"),
        ("added", "/steps/d"),
        ("removed", "/steps/c"),
        ("added", "/parameters"),
    ]


def test_as_few_steps_as_possible_have_moved() -> None:
    before = {"steps": [step(name) for name in "abcde"]}
    after = {"steps": [step(name) for name in "bcdea"]}
    assert differences(before, after) == (Change(Difference.MOVED, "/steps/a", 0, 4),)


def test_true_is_not_one() -> None:
    assert kinds(differences({"flag": True}, {"flag": 1})) == [("changed", "/flag")]


def test_lists_that_have_no_names_change_as_a_whole() -> None:
    assert differences({"a": [1, 2]}, {"a": [1, 3]}) == (Change(Difference.CHANGED, "/a", [1, 2], [1, 3]),)


def test_what_can_be_read_of_a_definition_with_faults_is_drawn() -> None:
    broken = {
        "name": 7,
        "steps": [
            step("a"),
            step("b", "a", "nobody", type="magic"),
            {"id": "b"},
            "x",
            {"with": {"then": "a"}},
        ],
    }
    drawn = diagram(draft(broken))
    assert {"a", "b"} <= boxes(drawn).keys()
    others: list[Any] = [None, [], {"steps": {}}, {"steps": [[], None]}, "x"]
    for value in others:
        ElementTree.fromstring(diagram(draft(value)))  # noqa: S314  # it was just drawn
