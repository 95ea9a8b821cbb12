"""What is shown of what a step was told."""

from hypothesis import given
from hypothesis import strategies as st

from perdure.domain.step_inputs import MAX_SHOWN_BYTES, shown_input
from perdure.domain.workflow_values import size_of

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=50),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=8), inner, max_size=5),
    max_leaves=20,
)


def test_what_was_filled_in_is_shown() -> None:
    settings = {"url": "https://example.com/7", "body": {"total": 1200}}
    assert shown_input(settings, {"of": "x"}) == {"with": settings, "input": {"of": "x"}}
    assert shown_input({}, {}) is None


def test_headers_that_prove_who_asks_are_not_shown() -> None:
    secret = {"secret": "sec_1"}
    headers = {"Authorization": "Bearer x", "X-Api-Key": "y", "Cookie": "z", "Accept": "a", "X-Token": secret}
    shown = shown_input({"headers": headers}, {})
    hidden = {"Authorization": "…", "X-Api-Key": "…", "Cookie": "…", "Accept": "a", "X-Token": secret}
    assert shown == {"with": {"headers": hidden}}


def test_much_is_cut_and_too_much_is_left_out() -> None:
    shown = shown_input({"text": "a" * 5_000}, {"rows": list(range(60))})
    assert shown == {
        "with": {"text": "a" * 2_000 + "…"},
        "input": {"rows": [*range(50), "… 10 more"]},
    }
    assert shown_input({}, {"rows": ["b" * 2_000] * 40}) == {"omitted_bytes": 80_140}


@given(st.dictionaries(st.text(max_size=8), JSON, max_size=5))
def test_anything_is_shown_within_bounds(value: dict[str, object]) -> None:
    shown = shown_input(value, value)
    assert size_of(shown) <= MAX_SHOWN_BYTES
