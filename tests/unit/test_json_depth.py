"""The depth of JSON is found without parsing it."""

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.middleware import is_deeper_than

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(alphabet='[]{}"\\ab\u00e9'),
    lambda children: (
        st.lists(children, max_size=4) | st.dictionaries(st.text(alphabet='[{"\\a'), children, max_size=4)
    ),
    max_leaves=30,
)


def depth(value: Any) -> int:
    children = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    return int(isinstance(value, dict | list)) + max((depth(child) for child in children), default=0)


@given(values, st.integers(0, 8), st.booleans())
def test_it_agrees_with_the_parsed_value(value: Any, limit: int, ascii_only: bool) -> None:
    body = json.dumps(value, ensure_ascii=ascii_only).encode()
    assert is_deeper_than(body, limit) == (depth(value) > limit)


@given(st.binary(max_size=200))
def test_it_never_fails_on_what_is_not_json(body: bytes) -> None:
    is_deeper_than(body, 3)


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'[{"a":'])
def test_what_never_closes_counts_too(opening: bytes) -> None:
    assert is_deeper_than(opening * 5000, 64)


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 70 + b'"\\' * 500_000,
        b"[" * 70 + b'"' + b"[" * 1_000_000,
        b"[" + (b"[" * 63 + b"]" * 63 + b",") * 8000 + b"[]]",
        b"[" + b"[]," * 300_000 + b"[]]",
        b"]" * 500_000 + b"[" * 500_000,
    ],
)
def test_a_hostile_megabyte_takes_little_time(body: bytes) -> None:
    started_at = time.process_time()
    is_deeper_than(body, 64)
    assert time.process_time() - started_at < 1.0  # about 10 ms when linear, minutes when quadratic
