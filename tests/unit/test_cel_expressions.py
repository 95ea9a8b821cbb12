"""Expressions are checked with all that is wrong, evaluated like JSON, and cannot hold a worker up."""

from typing import Any

import pytest

from perdure.errors import ExpressionFailedError
from perdure.providers.cel_expressions import check, evaluate

CONTEXT: dict[str, Any] = {
    "steps": {
        "extract": {
            "total": 1200,
            "net": 100,
            "rate": 1.19,
            "name": "Ann",
            "lines": [{"sum": 3}, {"sum": 4.5}],
        }
    },
    "input": {"n": 2**70, "nothing": None},
    "index": 0,
}


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ('steps.extract.name == "Ann" && steps.extract.total > 1000', True),
        ("steps.extract.net * 1.19", pytest.approx(119.0)),
        ("steps.extract.net * steps.extract.rate", pytest.approx(119.0)),
        ('steps.extract.net * 2 + 1.5 > 201 && "2" == "2"', True),
        ("steps.extract.lines[1].sum * 2", 9.0),
        ("steps.extract.lines.map(line, line.sum > 3)", [False, True]),
        ("index == 0", True),
        ("has(steps.extract.missing)", False),
        ("input.nothing == null", True),
        ("input.n > 1000", True),
        ('timestamp("2026-01-31T23:00:00Z") + duration("2h")', "2026-02-01T01:00:00Z"),
        ('duration("90m")', 5400.0),
        ('{"a": [steps.extract.net]}', {"a": [100]}),
    ],
)
def test_values_are_json(expression: str, value: object) -> None:
    assert check(expression) is None
    assert evaluate(expression, CONTEXT) == value


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("steps.extract.missing > 3", "'missing', which is not there"),
        ("steps.extract.name > 3", "cannot be evaluated"),
        ("1 / 0", "division by zero"),
        ("steps.extract.lines[7]", "out of bounds"),
        ('bytes("x")', "gives what JSON cannot hold"),
        ("0.0 / 0.0", "gives what JSON cannot hold"),
        ("{1: 2}", "gives what JSON cannot hold"),
        ("9223372036854775807 + 1", "overflow"),
        ('double("x")', "cannot be evaluated"),
        ("unknown.name", "cannot be evaluated"),
    ],
)
def test_what_has_no_value_says_why(expression: str, reason: str) -> None:
    with pytest.raises(ExpressionFailedError, match=reason):
        evaluate(expression, CONTEXT)


@pytest.mark.parametrize(
    "expression", ["1 +", "a b", "a and b", "", "((1", '"abc', "a ? b", "99999999999999999999", "@", "a.?b"]
)
def test_what_cannot_be_read_is_said_in_one_line(expression: str) -> None:
    fault = check(expression)
    assert fault is not None
    assert fault.startswith("cannot be read: ")
    assert "\n" not in fault


def test_functions_that_there_are_not_are_named() -> None:
    assert "calls now()" in str(check("now() > 3"))
    assert "calls upperAscii()" in str(check('"a".upperAscii()'))


@pytest.mark.parametrize(
    "expression",
    [
        "steps.a.l.filter(x, x > 5).size() > 0",
        "steps.a.s.map(x, steps.a.l.map(y, y))",
        "(steps.a.s + steps.a.s + steps.a.s + steps.a.s).map(x, x)",
        "steps.a.m.map(x, steps.a.t + steps.a.t)",
    ],
)
def test_loops_without_measure_are_refused_at_once(expression: str) -> None:
    context = {
        "steps": {
            "a": {"l": list(range(10_000)), "s": list(range(600)), "m": list(range(300)), "t": "x" * 200_000}
        }
    }
    with pytest.raises(ExpressionFailedError, match=r"at most|more text"):
        evaluate(expression, context)


def test_loops_of_an_ordinary_length_run() -> None:
    context = {"steps": {"a": {"l": list(range(1_500)), "t": "x" * 200_000}}}
    assert evaluate("steps.a.l.filter(x, x > 5).size()", context) == 1_494
    assert evaluate("size(steps.a.t) > 5 && steps.a.l.exists(x, x == 7)", context) is True
