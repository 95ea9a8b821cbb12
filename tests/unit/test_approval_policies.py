"""A policy is understood wholly, or refused with the place of each fault."""

from fractions import Fraction
from typing import Any

import pytest

from perdure.domain.approval_policies import (
    Abstentions,
    ApprovalPolicy,
    OnRevision,
    OnTimeout,
    Principal,
    PrincipalKind,
    ReminderKind,
    RuleKind,
    Seats,
    parse_policy,
)
from perdure.errors import InvalidInputError

WEEK = {"time_zone": "UTC", "hours": {"mon": ["09:00-17:00"]}}


def faults(given: object, roles: list[str] | None = None) -> dict[str, str]:
    with pytest.raises(InvalidInputError) as error:
        parse_policy(given, "/policy", roles)
    return {fault.pointer: fault.detail for fault in error.value.errors}


def staged(**stage: Any) -> dict[str, Any]:
    return {"stages": [{"id": "one", "approvers": [{"user": "ann"}, {"user": "ben"}], "rule": "any"} | stage]}


def parsed(**stage: Any) -> ApprovalPolicy:
    return parse_policy(staged(**stage))


def test_a_small_policy_has_sensible_defaults() -> None:
    policy = parsed()
    stage = policy.stages[0]
    assert (stage.rule.kind, stage.abstentions, stage.due_in) == (RuleKind.ANY, Abstentions.EXCLUDED, None)
    assert policy.separation_of_duties.requester
    assert policy.separation_of_duties.authors
    assert (policy.on_new_revision, policy.delegation.max_depth) == (OnRevision.RE_ASK, 1)


def test_a_whole_policy_is_read() -> None:
    policy = parse_policy(
        {
            "stages": [
                {
                    "id": "finance",
                    "name": "Finance",
                    "approvers": [
                        {"user": "ann", "weight": 3},
                        {"role": "approver", "seats": "one"},
                        {"email": "CFO@Example.org"},
                    ],
                    "rule": {"weighted": 4},
                    "veto": [{"role": "admin"}],
                    "required": [{"user": "ann"}],
                    "abstentions": "counted",
                    "may_abstain": False,
                    "due_in": "2 business days",
                    "reminders": [0.5, {"after": "1 business hour"}, {"before": "4 hours"}],
                    "on_timeout": "escalate",
                    "escalate_to": [{"user": "boss"}],
                    "escalated_due_in": "1 day",
                    "on_escalation_timeout": "hold",
                    "form": {"type": "object", "properties": {"cost_centre": {"type": "string"}}},
                }
            ],
            "calendar": WEEK,
            "separation_of_duties": {"earlier_stages": True},
            "delegation": {"by": [{"role": "approver"}], "max_depth": 2, "max_days": 7},
            "on_new_revision": "re_ask_stage",
            "revision_due_in": "1 week",
            "comments": {"on_approve": True, "min_characters": 10},
        },
        roles=["approver", "admin"],
    )
    stage = policy.stages[0]
    assert [approver.seats for approver in stage.approvers] == [Seats.EACH, Seats.ONE, Seats.EACH]
    assert stage.approvers[2].principal == Principal(PrincipalKind.EMAIL, "cfo@example.org")
    assert [reminder.kind for reminder in stage.reminders] == list(ReminderKind)
    assert (stage.on_timeout, stage.on_escalation_timeout) == (OnTimeout.ESCALATE, OnTimeout.HOLD)
    assert stage.form is not None
    assert policy.least_comment == 10


@pytest.mark.parametrize(
    ("given", "share"), [(66.67, Fraction(6667, 10000)), ("2/3", Fraction(2, 3)), (100, Fraction(1))]
)
def test_a_share_is_never_rounded(given: object, share: Fraction) -> None:
    rule = parsed(rule={"percentage": given}).stages[0].rule
    assert Fraction(rule.numerator, rule.denominator) == share


@pytest.mark.parametrize("given", [0, -5, 100.5, "3/2", "0/1", True, "sixty", float("nan"), [50], None])
def test_a_share_that_is_none_is_refused(given: object) -> None:
    assert "/policy/stages/0/rule/percentage" in faults(staged(rule={"percentage": given}))


@pytest.mark.parametrize(
    ("stage", "place"),
    [
        ({"approvers": []}, "approvers"),
        ({"approvers": None}, "approvers"),
        ({"approvers": [{}]}, "approvers/0"),
        ({"approvers": [{"user": "a", "role": "b"}]}, "approvers/0"),
        ({"approvers": ["ann"]}, "approvers/0"),
        ({"approvers": [{"user": "a"}, {"user": "a"}]}, "approvers/1"),
        ({"approvers": [{"user": "a", "seats": "one"}]}, "approvers/0/seats"),
        ({"approvers": [{"user": "a", "weight": 2}]}, "approvers/0/weight"),
        ({"approvers": [{"email": "nobody"}]}, "approvers/0/email"),
        ({"approvers": [{"user": "a b"}]}, "approvers/0/user"),
        ({"id": "Finance!"}, "id"),
        ({"id": ""}, "id"),
        ({"rule": None}, "rule"),
        ({"rule": "most"}, "rule"),
        ({"rule": {"k_of_n": 3}}, "rule"),
        ({"rule": {"k_of_n": 0}}, "rule/k_of_n"),
        ({"rule": {"k_of_n": 1, "weighted": 2}}, "rule"),
        ({"rule": {"weighted": 3}}, "rule"),
        ({"rule": {"majority": 3}}, "rule/majority"),
        ({"veto": [{"user": "eve"}]}, "veto/0"),
        ({"required": [{"email": "eve@example.org"}]}, "required/0"),
        ({"due_in": "soon"}, "due_in"),
        ({"due_in": "2 business days"}, "due_in"),
        ({"reminders": [0.5]}, "reminders"),
        ({"on_timeout": "reject"}, "on_timeout"),
        ({"due_in": "2 days", "reminders": [1]}, "reminders/0"),
        ({"due_in": "2 days", "reminders": [0.123456]}, "reminders/0"),
        ({"due_in": "2 days", "reminders": [{"after": "1 day", "before": "1 day"}]}, "reminders/0"),
        ({"due_in": "2 days", "reminders": [{"before": "3 days"}]}, "reminders/0"),
        ({"due_in": "2 days", "reminders": ["often"]}, "reminders/0"),
        ({"due_in": "2 days", "on_timeout": "panic"}, "on_timeout"),
        ({"due_in": "2 days", "on_timeout": "escalate"}, "escalate_to"),
        ({"due_in": "2 days", "escalated_due_in": "1 day"}, "escalated_due_in"),
        (
            {
                "due_in": "2 days",
                "on_timeout": "escalate",
                "escalate_to": [{"user": "c"}],
                "on_escalation_timeout": "escalate",
            },
            "on_escalation_timeout",
        ),
        ({"form": {"type": "object"}}, "form/properties"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_fault_of_a_stage_has_its_place(stage: dict[str, Any], place: str) -> None:
    assert f"/policy/stages/0/{place}" in faults(staged(**stage))


@pytest.mark.parametrize("given", [None, [], "policy", 7, {}, {"stages": []}, {"stages": {}}])
def test_what_is_no_policy_is_refused(given: object) -> None:
    assert faults(given)


def test_all_faults_of_all_stages_are_named_at_once() -> None:
    given = {
        "stages": [
            {"id": "a", "approvers": [{"role": "kings"}], "rule": "any", "due_in": "1 business day"},
            {"id": "a", "approvers": [], "rule": "most"},
        ],
        "delegation": {"max_depth": 9},
        "comments": {"min_characters": 0},
        "on_new_revision": "shrug",
        "mood": "good",
    }
    assert faults(given, ["approver"]).keys() == {
        "/policy/mood",
        "/policy/stages/0/approvers/0/role",
        "/policy/stages/0/due_in",
        "/policy/stages/1/approvers",
        "/policy/stages/1/rule",
        "/policy/stages/1/id",
        "/policy/delegation/max_depth",
        "/policy/comments/min_characters",
        "/policy/on_new_revision",
    }


def test_delegation_may_be_switched_off_in_a_word() -> None:
    assert not parse_policy(staged() | {"delegation": False}).delegation.allowed


def test_a_role_may_have_as_many_people_as_the_rule_wants() -> None:
    assert parsed(approvers=[{"role": "approver"}], rule={"k_of_n": 5}).stages[0].rule.count == 5
