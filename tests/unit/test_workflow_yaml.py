"""Definitions written as YAML are read back unchanged; what is no plain value is refused with its place."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perdure.domain.workflow_yaml import MAX_ALIASES, MAX_CHARACTERS, MAX_DEPTH, read_yaml, write_yaml
from perdure.errors import MalformedRequestError, PayloadTooLargeError
from tests.workflow_definitions import INVOICES

TEXTS = st.text(st.characters(codec="utf-8"), max_size=40) | st.sampled_from(
    [
        "yes",
        "no",
        "on",
        "null",
        "~",
        "",
        "1e3",
        "0o7",
        "0x1f",
        "12:30",
        "2026-11-21",
        "<<",
        "=",
        "- a",
        "a: b",
        "#",
    ]
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(TEXTS, VALUES, max_size=5))
@settings(max_examples=150)
def test_what_is_written_is_read_back(value: dict[str, Any]) -> None:
    assert read_yaml(write_yaml(value)) == value


def test_a_definition_is_written_in_its_order() -> None:
    written = write_yaml(INVOICES)
    assert list(read_yaml(written)) == list(INVOICES)
    assert read_yaml(written) == INVOICES


def test_words_times_and_dates_are_texts() -> None:
    assert read_yaml("labels: [yes, no, on, 9:30, 2026-11-21]") == {
        "labels": ["yes", "no", "on", "9:30", "2026-11-21"]
    }


def test_numbers_are_those_of_yaml_1_2() -> None:
    assert read_yaml("[010, 0o10, 0x10, 1e3, .5, -7]") == [10, 8, 16, 1000.0, 0.5, -7]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\nb: 2\na: 3", "line 3, column 1: the key 'a' stands here twice"),
        ("steps: [", "line 2, column 1"),
        ("a: !!python/object/apply:os.system [x]", "could not determine a constructor"),
        ("a: &a [*a]", "or for itself"),
        ("a: .inf", "JSON cannot hold"),
        ("a: .nan", "JSON cannot hold"),
        ("1: x", "quote it"),
        ("a: !!timestamp 2026-01-01", "JSON cannot hold"),
        ("a: !!binary aGk=", "JSON cannot hold"),
        ("? [a]\n: b", "not YAML"),
        ("--- {}\n--- {}", "second document"),
        ("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), f"more than {MAX_DEPTH} deep"),
        ("a: &a x\nb: [" + "*a, " * (MAX_ALIASES + 1) + "]", f"more than {MAX_ALIASES} aliases"),
        ("a: " + "9" * 200, "more than 100 digits"),
        ("\x00", "not YAML"),
    ],
)
def test_what_is_no_plain_value_is_refused_with_its_reason(text: str, said: str) -> None:
    with pytest.raises(MalformedRequestError, match="YAML") as refusal:
        read_yaml(text)
    assert said in str(refusal.value)


def test_aliases_of_aliases_are_refused_before_they_are_written_out() -> None:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    lines += [
        f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]"
        for before, name in zip("abcdefg", "bcdefgh", strict=True)
    ]
    with pytest.raises(MalformedRequestError, match="more than 100000 values"):
        read_yaml("\n".join(lines))


def test_a_long_text_is_refused_before_it_is_read() -> None:
    with pytest.raises(PayloadTooLargeError):
        read_yaml("a" * (MAX_CHARACTERS + 1))
