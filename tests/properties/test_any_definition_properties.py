"""Whatever JSON is given as a policy, a calendar, a workflow or an event is understood or refused, never an error."""

import copy
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from perdure.domain.approval_events import Opened
from perdure.domain.approval_policies import parse_policy
from perdure.domain.approvals import begin
from perdure.domain.workflow_diagram import diagram
from perdure.domain.workflow_diff import differences
from perdure.domain.workflow_reading import parse_definition
from perdure.errors import InvalidInputError
from perdure.schemas.approvals import event_of
from tests.workflow_definitions import INVOICES

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.floats(),
    st.text(max_size=12),
    st.sampled_from(
        ["any", "all", "2 days", "2 business days", "user", "ann", "review", "${steps.x", "a.b(", "\0"]
    ),
)
JSON: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(
            st.one_of(
                st.text(max_size=6), st.sampled_from(["user", "role", "k_of_n", "percentage", "goto", "id"])
            ),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=8,
)
POLICY: dict[str, Any] = {
    "stages": [
        {
            "id": "review",
            "approvers": [{"user": "ann"}, {"role": "legal", "seats": "one"}],
            "rule": {"k_of_n": 1},
            "veto": [{"role": "legal"}],
            "required": [{"user": "ann"}],
            "due_in": "2 business days",
            "reminders": [0.5, {"before": "1 business hour"}],
            "on_timeout": "escalate",
            "escalate_to": [{"email": "boss@example.org"}],
            "form": {"type": "object", "properties": {"a": {"type": "array", "items": {"enum": ["x"]}}}},
        }
    ],
    "calendar": {"time_zone": "UTC", "hours": {"mon": ["09:00-17:00"]}, "holidays": ["2026-12-25"]},
    "separation_of_duties": {"requester": True},
    "delegation": {"to": [{"role": "legal"}], "max_depth": 2},
    "comments": {"min_characters": 3},
}


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path]
    entries = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, inner in entries:
        found += places(inner, (*path, key))
    return found


def changed(draw: st.DrawFn, original: dict[str, Any]) -> Any:
    """A good one with junk at one to three places, so that what comes behind the first checks is met, too."""
    value: Any = copy.deepcopy(original)
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(places(value)))
        junk = draw(JSON)
        if not path:
            return junk
        holder = value
        for key in path[:-1]:
            holder = holder[key]
        holder[path[-1]] = junk
    return value


@st.composite
def policies(draw: st.DrawFn) -> Any:
    return changed(draw, POLICY)


@st.composite
def definitions(draw: st.DrawFn) -> Any:
    return changed(draw, INVOICES)


def understood(read: Callable[[Any], Any], given: Any) -> Any:
    """What was read; None when it was refused, with a place for each fault."""
    try:
        return read(given)
    except InvalidInputError as error:
        refused = error
    assert refused.errors
    assert all(fault.pointer == "" or fault.pointer.startswith("/") for fault in refused.errors)
    return None


def test_what_is_changed_was_good() -> None:
    assert parse_policy(POLICY).stages
    assert parse_definition(INVOICES).steps


@settings(max_examples=300)
@given(policies())
def test_any_policy_is_understood_or_refused(given: Any) -> None:
    policy = understood(parse_policy, given)
    if policy is not None:
        opened = Opened(key="o", requester="user:r", revision="a" * 64, roles={"legal": ("user:lea",)})
        assert begin(policy, opened, datetime(2026, 1, 1, tzinfo=UTC)).effects


@settings(max_examples=300)
@given(definitions())
def test_any_definition_is_understood_or_refused(given: Any) -> None:
    definition = understood(parse_definition, given)
    if definition is not None:
        assert diagram(definition).startswith("<svg")
    if isinstance(given, dict):
        assert differences(given, copy.deepcopy(given)) == () or "nan" in repr(given)
        differences(INVOICES, given)


@settings(max_examples=200)
@given(
    st.one_of(
        JSON, st.dictionaries(st.sampled_from(["kind", "by", "key", "decision", "revision", "at"]), SCALARS)
    )
)
def test_any_event_is_understood_or_refused(given: Any) -> None:
    understood(event_of, given)
