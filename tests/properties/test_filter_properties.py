"""Any JSON is either a filter or refused with places; never anything else."""

import json

from hypothesis import given
from hypothesis import strategies as st

from perdure.db.filter_sql import compiled
from perdure.domain.filters import FIELDS, Operator, parse_filters
from perdure.errors import FieldError, InvalidInputError

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.dates().map(str)
KEYS = st.sampled_from(
    [*FIELDS, "tags", "metadata.a.b", "metadata.", "and", "or", "not", *Operator]
) | st.text(max_size=8)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=12,
)


@given(ANYTHING)
def test_a_filter_is_compiled_or_refused_with_places(given_filter: object) -> None:
    faults: tuple[FieldError, ...] = ()
    parsed = None
    try:
        parsed = parse_filters(given_filter, "/filters")
    except InvalidInputError as error:
        faults = error.errors or (FieldError("nowhere", ""),)
    assert all(fault.pointer.startswith("/filters") and fault.detail for fault in faults)
    assert parsed is None or str(compiled(parsed))


@given(st.text(min_size=1, max_size=30))
def test_any_key_can_be_written_as_a_path(key: str) -> None:
    if "\0" in key or any("\ud800" <= character <= "\udfff" for character in key):
        return
    path = key.replace("\\", "\\\\").replace(".", "\\.")
    parsed = parse_filters(json.loads(json.dumps({f"metadata.{path}": 1})))
    assert getattr(parsed, "field").path == (key,)  # noqa: B009  # the parsed one is a Condition
