"""The simulator plays a policy as it would really go, and names the faults of what it is given."""

from datetime import UTC, datetime
from typing import Any

import pytest

from perdure.errors import InvalidInputError
from perdure.schemas.approvals import SimulationCreate, SimulationRead, event_of, simulated

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
POLICY = {
    "stages": [
        {
            "id": "review",
            "approvers": [{"user": "ann"}, {"role": "legal"}],
            "rule": {"k_of_n": 2},
            "due_in": "2 days",
            "reminders": [0.5],
            "on_timeout": "escalate",
            "escalate_to": [{"user": "boss"}],
        }
    ]
}


def play(*events: dict[str, Any], **more: Any) -> SimulationRead:
    given = {"policy": POLICY, "roles": {"legal": ["user:lea", "user:leo"]}, "events": list(events)} | more
    return simulated(SimulationCreate.model_validate(given), NOW)


def approval(at: str, by: str, **more: Any) -> dict[str, Any]:
    return {"at": at, "kind": "decided", "by": by, "decision": "approve"} | more


def test_silence_is_played_to_its_end() -> None:
    played = play()
    assert [(moment.at.isoformat()[:13], moment.event["kind"]) for moment in played.timeline] == [
        ("2026-03-02T09", "opened"),
        ("2026-03-03T09", "timer_due"),
        ("2026-03-04T09", "timer_due"),
        ("2026-03-05T09", "timer_due"),
        ("2026-03-06T09", "timer_due"),
    ]
    assert (played.outcome, played.asked) == ("rejected", [])
    assert played.ends_at == datetime(2026, 3, 6, 9, tzinfo=UTC)


def test_it_says_who_would_still_be_asked() -> None:
    played = play(approval("2026-03-02T10:00:00Z", "user:lea"), until="2026-03-04T10:00:00Z")
    assert (played.outcome, played.ends_at) == (None, None)
    assert [(one.people, one.stands_in) for one in played.asked] == [
        (["user:ann"], False),
        (["user:leo"], False),
        (["user:boss"], True),
    ]


def test_events_are_played_in_the_order_of_their_times_with_their_answers() -> None:
    played = play(
        approval("2026-03-02T12:00:00Z", "user:leo"),
        approval("2026-03-02T10:00:00Z", "user:eve"),
        approval("2026-03-02T11:00:00Z", "user:lea"),
        approval("2026-03-02T13:00:00Z", "user:ann"),
    )
    assert [(moment.event.get("by"), moment.refusal) for moment in played.timeline] == [
        (None, None),
        ("user:eve", "not_an_approver"),
        ("user:lea", None),
        ("user:leo", None),
        ("user:ann", "stage_closed"),
    ]
    assert (played.outcome, played.reason) == ("approved", "certain")
    assert played.ends_at == datetime(2026, 3, 2, 12, tzinfo=UTC)
    assert played.timeline[3].effects[-2]["kind"] == "complete"


def test_a_new_revision_is_what_is_decided_on_then() -> None:
    revised = {"at": "2026-03-02T10:00:00Z", "kind": "revised", "by": "user:req", "revision": "b" * 64}
    played = play(revised, approval("2026-03-02T11:00:00Z", "user:ann"), until="2026-03-02T12:00:00Z")
    assert [moment.accepted for moment in played.timeline] == [True, True, True]


def test_faults_of_policy_and_events_have_their_places() -> None:
    with pytest.raises(InvalidInputError) as error:
        play(policy={"stages": [{"id": "a"}]})
    assert {fault.pointer for fault in error.value.errors} == {
        "/body/policy/stages/0/approvers",
        "/body/policy/stages/0/rule",
    }
    with pytest.raises(InvalidInputError) as error:
        play(
            {"at": "soon", "kind": "decided", "by": "user:ann", "decision": "perhaps"},
            {"at": "2026-03-02T10:00:00Z", "kind": "danced"},
            {"at": "2026-03-02T10:00:00Z", "kind": "revoked"},
        )
    assert {fault.pointer for fault in error.value.errors} == {
        "/body/events/0/at",
        "/body/events/0/decision",
        "/body/events/1",
        "/body/events/2/by",
    }


def test_an_event_alone_is_refused_with_its_faults() -> None:
    with pytest.raises(InvalidInputError) as error:
        event_of({"kind": "decided", "by": 7})
    assert "/by" in {fault.pointer for fault in error.value.errors}
