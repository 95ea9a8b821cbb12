"""What a browser sends for a form becomes the values that the form checks."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from perdure.domain.approval_answers import MAX_ANSWERS, answers_of, unusable
from perdure.domain.approval_events import Decision
from perdure.domain.approval_forms import read_form
from perdure.domain.approval_state import ApprovalState, Delegation, Seat, StageState, Vote
from perdure.domain.approval_voices import voice_of
from perdure.domain.json_objects import Faults

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "amount": {"type": "number", "minimum": 1},
        "copies": {"type": "integer"},
        "paid": {"type": "boolean"},
        "cost_centre": {"type": "string", "enum": ["north", "south"]},
        "risks": {"type": "array", "items": {"type": "string", "enum": ["late", "dear"]}},
    },
    "required": ["amount"],
}
FORM = read_form(SCHEMA, "", Faults())
NOW = datetime(2026, 11, 2, 9, tzinfo=UTC)
NAMES = ("user:usr_ada", "email:ada@example.org")


def test_values_have_the_types_of_the_schema() -> None:
    sent = {
        "form.amount": ["12.50"],
        "form.copies": [" 3 "],
        "form.paid": ["on"],
        "form.cost_centre": ["north"],
        "form.risks": ["late", "dear"],
        "decision": ["approve"],
    }
    answers = answers_of(SCHEMA, sent)
    assert answers == {
        "amount": 12.5,
        "copies": 3,
        "paid": True,
        "cost_centre": "north",
        "risks": ["late", "dear"],
    }
    assert FORM.faults_of(answers, complete=True) == []
    assert unusable(answers) is None


def test_what_was_left_empty_is_missing_and_a_box_is_not_ticked() -> None:
    empty = {f"form.{name}": [""] for name in SCHEMA["properties"] if name != "paid"}
    assert answers_of(SCHEMA, empty) == {"paid": False}
    assert answers_of(None, {"form.amount": ["1"]}) is None


@pytest.mark.parametrize("text", ["twelve", "nan", "inf", "1e999", "9" * 400, "9" * 5000])
def test_what_is_no_number_is_refused_by_the_form(text: str) -> None:
    answers = answers_of(SCHEMA, {"form.amount": [text]})
    assert FORM.faults_of(answers, complete=True) == ["amount must be a number"]


@pytest.mark.parametrize(
    "value", [float("nan"), float("-inf"), 10**400, None, {"deep": 1}, [1], "x" * (MAX_ANSWERS + 1)]
)
def test_what_no_form_holds_is_found_before_the_engine_is_told(value: object) -> None:
    assert unusable({"amount": value}) is not None


def _state(*seats: Seat, escalated_to: tuple[str, ...] = (), **more: Any) -> ApprovalState:
    stage = StageState(0, "first", NOW, seats, escalated_to=escalated_to)
    return ApprovalState(1, NOW, "user:usr_ben", "0" * 64, stages=(stage,), **more)


def test_somebody_speaks_under_the_name_that_is_asked() -> None:
    by_address = Seat("first/1", NAMES[1], (NAMES[1],))
    assert voice_of(_state(by_address), NAMES) == NAMES[1]
    assert voice_of(_state(by_address, Seat("first/2", NAMES[0], (NAMES[0],))), NAMES) == NAMES[0]
    assert voice_of(_state(escalated_to=(NAMES[1],)), NAMES) == NAMES[1]
    assert voice_of(_state(), NAMES) == NAMES[0]


def test_the_name_stays_the_same_after_the_vote_and_for_who_stands_in() -> None:
    vote = Vote(Decision.APPROVE, NAMES[1], NOW, "0" * 64)
    assert voice_of(_state(Seat("first/1", "role:approver", ("user:usr_eve",), vote=vote)), NAMES) == NAMES[1]
    lent = Delegation("user:usr_eve", NAMES[1], None, NOW, NOW + timedelta(days=1))
    assert voice_of(_state(delegations=(lent,)), NAMES) == NAMES[1]
