"""A form accepts what JSON Schema accepts, for the part of it that a form can show."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from perdure.domain.approval_forms import ApprovalForm, read_form
from perdure.domain.json_objects import Faults


def form(schema: object) -> ApprovalForm:
    faults = Faults()
    read = read_form(schema, "", faults)
    assert not list(faults)
    return read


def faults_of(schema: object) -> set[str]:
    faults = Faults()
    read_form(schema, "/form", faults)
    return {fault.pointer for fault in faults}


BOUNDS = st.tuples(st.integers(0, 5), st.integers(0, 5)).map(sorted)
CHOICES = st.lists(st.sampled_from(["red", "green", "blue"]), min_size=1, unique=True)
PROPERTIES = st.one_of(
    BOUNDS.map(lambda two: {"type": "string", "minLength": two[0], "maxLength": two[1]}),
    CHOICES.map(lambda some: {"type": "string", "enum": some}),
    BOUNDS.map(lambda two: {"type": "number", "minimum": two[0], "maximum": two[1]}),
    st.just({"type": "integer"}),
    st.just({"type": "boolean"}),
    st.tuples(CHOICES, BOUNDS).map(
        lambda both: {
            "type": "array",
            "items": {"type": "string", "enum": both[0]},
            "minItems": both[1][0],
            "maxItems": both[1][1],
        }
    ),
)
SCHEMAS = st.builds(
    lambda properties, required: {
        "type": "object",
        "properties": properties,
        "required": [name for name in required if name in properties],
        "additionalProperties": False,
    },
    st.dictionaries(st.sampled_from(["a", "b", "c"]), PROPERTIES, min_size=1),
    st.lists(st.sampled_from(["a", "b", "c"]), unique=True),
)
ANSWERS = st.dictionaries(
    st.sampled_from(["a", "b", "c", "d"]),
    st.one_of(
        st.sampled_from(["red", "green", "", "much too long", None]),
        st.booleans(),
        st.integers(-1, 6),
        st.sampled_from([1.5, 2.0]),
        st.lists(st.sampled_from(["red", "green", "blue", "x"]), max_size=4),
    ),
)


@given(SCHEMAS, ANSWERS)
def test_it_accepts_what_json_schema_accepts(schema: dict[str, Any], answers: dict[str, Any]) -> None:
    faults = form(schema).faults_of(answers, complete=True)
    assert (not faults) == Draft202012Validator(schema).is_valid(answers)
    incomplete = form(schema).faults_of(answers, complete=False)
    assert (not incomplete) == Draft202012Validator(schema | {"required": []}).is_valid(answers)


def test_answers_are_bounded_even_where_the_schema_is_not() -> None:
    read = form({"type": "object", "properties": {"note": {"type": "string"}}})
    assert read.faults_of({"note": "x" * 4_001}, complete=True) == ["note must be at most 4000 characters"]
    assert read.faults_of({"note": "a\0b"}, complete=True)
    number = form({"type": "object", "properties": {"n": {"type": "number"}}})
    assert number.faults_of({"n": float("inf")}, complete=True) == ["n must be a number"]


@pytest.mark.parametrize(
    ("schema", "place"),
    [
        ("form", "/form"),
        ({"type": "array"}, "/form/type"),
        ({"type": "object", "properties": {}}, "/form/properties"),
        ({"type": "object", "properties": {"a": {"type": "string"}}, "$ref": "x"}, "/form/$ref"),
        ({"type": "object", "properties": {"a": {"$ref": "#/b"}}}, "/form/properties/a/$ref"),
        ({"type": "object", "properties": {"a": {"type": "object"}}}, "/form/properties/a/type"),
        (
            {"type": "object", "properties": {"a": {"type": "string", "pattern": "(a+)+$"}}},
            "/form/properties/a/pattern",
        ),
        (
            {"type": "object", "properties": {"a": {"type": "array"}}},
            "/form/properties/a/items",
        ),
        (
            {"type": "object", "properties": {"a": {"type": "number", "minimum": 2, "maximum": 1}}},
            "/form/properties/a/maximum",
        ),
        (
            {"type": "object", "properties": {"a": {"type": "string", "enum": ["x", "x"]}}},
            "/form/properties/a/enum/1",
        ),
        (
            {"type": "object", "properties": {"a": {"type": "boolean"}}, "required": ["b"]},
            "/form/required/0",
        ),
        (
            {"type": "object", "properties": {"a": {"type": "boolean"}}, "additionalProperties": {}},
            "/form/additionalProperties",
        ),
        (
            {"type": "object", "properties": {str(n): {"type": "boolean"} for n in range(51)}},
            "/form/properties",
        ),
    ],
)
def test_what_a_form_cannot_show_is_refused(schema: object, place: str) -> None:
    assert place in faults_of(schema)
