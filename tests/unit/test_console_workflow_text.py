"""Texts of definitions: faults stand at the lines that they are about, in YAML and in JSON."""

import json

import pytest

from api.routes.console_workflow_text import (
    Fault,
    TextFormat,
    excerpt,
    placed,
    places_of,
    understood,
    written,
)
from perdure.domain.workflow_reading import parse_definition
from perdure.errors import FieldError, InvalidInputError
from tests.workflow_definitions import INVOICES, step

FORMATS = list(TextFormat)
DEEP = "/steps/5/with/steps/1/with/to/0"


def line_of(text: str, words: str) -> int:
    return next(number for number, line in enumerate(text.splitlines(), 1) if words in line)


@pytest.mark.parametrize("format_", FORMATS)
def test_what_is_written_is_understood(format_: TextFormat) -> None:
    text = written(INVOICES, format_)
    assert understood(text) == (INVOICES, [])


def test_steps_begin_with_what_they_are_called_whatever_order_a_store_gives_them() -> None:
    stored = json.loads(json.dumps(INVOICES, sort_keys=True))
    text = written(stored, TextFormat.YAML)
    assert text.startswith("name: Invoices\nparameters:\n")
    assert "- id: kind\n  type: routing\n  needs:\n" in text


@pytest.mark.parametrize("format_", FORMATS)
def test_a_value_is_found_at_its_line(format_: TextFormat) -> None:
    text = written(INVOICES, format_)
    assert places_of(text)[DEEP] == line_of(text, "${parameters.approver}")
    assert (
        places_of(text.replace("  ", "\t") if format_ is TextFormat.JSON else text)[DEEP]
        == places_of(text)[DEEP]
    )


def test_what_is_missing_is_told_where_it_is_missing() -> None:
    text = written(INVOICES, TextFormat.YAML)
    faults = placed(
        text, [FieldError("/steps/2/with/task", "x"), FieldError("/steps/2/with/url", "is missing")]
    )
    assert [fault.line for fault in faults] == [
        line_of(text, "id: extract") + 2,
        line_of(text, "task: extraction"),
    ]
    assert placed(text, [FieldError("", "all")]) == [Fault("", "all", 1)]


def test_each_fault_of_a_definition_has_the_line_of_its_step() -> None:
    broken = {"name": "x", "steps": [step("a"), step("b", "a", "nobody"), step("c", "b", type="magic")]}
    text = written(broken, TextFormat.YAML)
    with pytest.raises(InvalidInputError) as refusal:
        parse_definition(broken)
    told = {fault.pointer: fault.line for fault in placed(text, refusal.value.errors)}
    assert told["/steps/1/needs/1"] == line_of(text, "- nobody")
    assert told["/steps/2/type"] == line_of(text, "type: magic")


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("name: x\nsteps: [", 3, "not YAML"),
        ("name: x\nname: y", 2, "twice"),
        ('{"name": "x",\n "steps": [}', 2, "not JSON"),
        ('{"a": NaN}', 1, "JSON cannot hold"),
        ('{"a": ' + "[" * 500 + "]" * 500 + "}", 1, "deep"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_line(text: str, line: int, said: str) -> None:
    value, (fault,) = understood(text)
    assert value is None
    assert fault.line == line
    assert said in fault.detail


def test_no_places_are_found_in_what_cannot_be_read_and_a_circle_of_aliases_ends() -> None:
    assert places_of("a: [") == {}
    assert places_of("") == {}
    assert places_of("a: &a\n  b: *a")["/a"] == 1


def test_lines_with_faults_are_shown_with_those_around_them() -> None:
    text = "\n".join(f"line {number}" for number in range(1, 21))
    lines = excerpt(
        text, [Fault("/a", "is wrong", 10), Fault("/b", "is wrong, too", 10), Fault("", "end", 99)]
    )
    assert [line.number for line in lines] == [8, 9, 10, 11, 12, 18, 19, 20]
    assert [fault.detail for line in lines for fault in line.faults] == ["is wrong", "is wrong, too", "end"]
    assert [line.number for line in lines if line.is_cut] == [8, 18]
