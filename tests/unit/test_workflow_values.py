"""`${…}` is filled in: alone as the value itself, within a text as text; conditions are true or false."""

from collections.abc import Mapping
from typing import Any

import pytest

from perdure.domain.workflow_expressions import Insertion, insertions
from perdure.domain.workflow_values import MAX_RENDERED, Values
from perdure.errors import ExpressionFailedError
from perdure.providers.cel_expressions import evaluate

STEPS: dict[str, Any] = {
    "extract": {"total": 1000.0, "name": "Ann", "lines": [1, 2], "none": None, "flag": True},
    "long": {"text": "x" * 600_000},
}


def look_up(root: str, name: str | None) -> Any:
    return STEPS[str(name)] if root == "steps" else {"limit": 5}


@pytest.fixture
def values() -> Values:
    return Values(evaluate, look_up)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("nothing to fill in", "nothing to fill in"),
        ("${steps.extract.lines}", [1, 2]),
        ("${steps.extract.total}", 1000.0),
        ("Pay ${steps.extract.total} to ${steps.extract.name}?", "Pay 1000 to Ann?"),
        ("${steps.extract.name}${steps.extract.none}!", "Ann!"),
        ('${{"a": "}"}["a"]} and ${steps.extract.lines}', "} and [1, 2]"),
        ({"a": ["${input.limit}", 3], "b": None}, {"a": [5, 3], "b": None}),
        ("${steps.extract.flag ? 'yes' : 'no'} $ {", "yes $ {"),
    ],
)
def test_texts_are_filled_in(values: Values, text: object, value: object) -> None:
    assert values.filled_in(text) == value


def test_an_expression_is_given_only_what_it_refers_to() -> None:
    given: list[Mapping[str, Any]] = []

    def noted(expression: str, context: Mapping[str, Any]) -> Any:
        given.append(context)
        return True

    Values(noted, look_up).holds("steps.extract.total > input.limit && [1].exists(x, x == 1)")
    assert given == [{"steps": {"extract": STEPS["extract"]}, "input": {"limit": 5}}]


def test_a_condition_must_be_true_or_false(values: Values) -> None:
    assert values.holds("steps.extract.total > 3") is True
    with pytest.raises(ExpressionFailedError, match="is a text; a condition must be true or false"):
        values.holds("steps.extract.name")


def test_loops_go_over_lists_that_are_not_too_long(values: Values) -> None:
    assert values.entries("steps.extract.lines", 2) == [1, 2]
    with pytest.raises(ExpressionFailedError, match="has 2 entries; max_items allows 1"):
        values.entries("steps.extract.lines", 1)
    with pytest.raises(ExpressionFailedError, match="is a text; a loop goes over a list"):
        values.entries("steps.extract.name", 9)


def test_a_text_does_not_grow_without_measure(values: Values) -> None:
    with pytest.raises(ExpressionFailedError, match=f"more than {MAX_RENDERED} characters"):
        values.filled_in("${steps.long.text} ${steps.long.text}")


def test_what_is_never_closed_is_told_apart() -> None:
    assert insertions("a ${b") == ["a ", Insertion("${b", closed=False)]
    assert insertions("${a}${b} c") == [Insertion("a"), Insertion("b"), " c"]
