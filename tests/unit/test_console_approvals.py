"""What pages of approvals are given: who may do what, what is marked, and what history says."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from api.routes.console_approval_fields import answer_fields, answers_words
from api.routes.console_approval_history import happening_of
from api.routes.console_approval_people import People
from api.routes.console_approval_views import (
    ApprovalRow,
    Given,
    SeatView,
    choices_of,
    places_of_evidence,
    rows_digest,
)
from api.routes.console_approval_words import Happening, line_of, rule_words, stage_sentences
from perdure.db.approval_effects import traced
from perdure.db.identity_repository import Member
from perdure.domain.approval_effects import Entry
from perdure.domain.approval_events import Decision
from perdure.domain.approval_policies import parse_policy
from perdure.domain.approval_refusals import Refusal, words_of
from perdure.domain.approval_state import Status
from perdure.domain.audit import Action, ActorKind, AuditEvent
from perdure.domain.roles import Role
from perdure.schemas.approval_requests import ApprovalStageRead, Evidence, SeatRead
from tests.browser import preview_approvals as shown
from tests.browser.preview_approvals import ADA, BEN, CFO, CLEO, FORM, PEOPLE, POLICY

NOW = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)


def test_people_are_called_by_name_and_others_by_address() -> None:
    assert PEOPLE.names([ADA, BEN, CFO]) == "Ada Lovelace, Ben Okri and cfo@example.org"
    assert PEOPLE.names([]) == ""
    assert PEOPLE.name("user:usr_gone") == "user:usr_gone"


@pytest.mark.parametrize(
    ("text", "principal", "person"),
    [
        ("ada@example.org", {"user": "usr_1"}, ADA),
        ("ADA@example.org ", {"user": "usr_1"}, ADA),
        ("ada lovelace", {"user": "usr_1"}, ADA),
        ("email: ada@example.org", {"email": "ada@example.org"}, "email:ada@example.org"),
        ("cfo@example.org", {"email": "cfo@example.org"}, CFO),
        ("role:approver", {"role": "approver"}, None),
        ("Approver", {"role": "approver"}, None),
        ("user:usr_9", {"user": "usr_9"}, "user:usr_9"),
        ("", {}, None),
        ("somebody", {"email": "somebody"}, None),
    ],
)
def test_what_somebody_types_means_one_of_those(text: str, principal: Any, person: str | None) -> None:
    assert PEOPLE.principal(text) == principal
    assert PEOPLE.person(text) == person
    assert PEOPLE.principal(PEOPLE.said(principal)) == principal


def test_two_of_one_name_are_named_by_address() -> None:
    twins = People([*shown.MEMBERS, Member("usr_9", "b@x.org", "Ben Okri", Role.APPROVER, NOW)])
    assert twins.person("Ben Okri") is None
    assert twins.person("b@x.org") == "user:usr_9"


@pytest.mark.parametrize("entry", [*Entry, "commented", "token_issued", "something_new"])
def test_every_record_is_a_sentence(entry: str) -> None:
    hostile = "{who} <b>{0}</b> %s"
    bare = line_of(Happening(entry, NOW), PEOPLE)
    rich = line_of(
        Happening(entry, NOW, ADA, CFO, "finance", "approved:certain", [f"email:{hostile}", BEN], "why"),
        PEOPLE,
        {"finance": "Finance {who}"},
    )
    for line in (bare, rich):
        assert line.said.endswith(".")
        assert line.said[:1] == line.said[:1].upper() or "@" in line.said.split()[0]
    assert "{who} <b>" in rich.said or hostile not in rich.said


def test_a_refusal_says_why_in_its_own_words() -> None:
    line = line_of(Happening("refused", NOW, CLEO, code="decided:own_request"), PEOPLE)
    assert line.said.endswith(words_of(Refusal.OWN_REQUEST))


def test_a_decision_has_the_look_of_what_was_decided() -> None:
    looks = {line_of(Happening("decided", NOW, ADA, code=one.value), PEOPLE).look.tone for one in Decision}
    assert looks == {"success", "danger", "warning", "neutral"}


def test_the_trail_is_read_with_the_people_of_the_request() -> None:
    event = AuditEvent(
        organisation_id="org_1",
        sequence=7,
        at_us=1_763_650_800_000_000,
        actor_kind=ActorKind.USER,
        actor_id="usr_1",
        person_id="usr_1",
        action=Action.APPROVAL_DECIDED,
        subject_type="approval",
        subject_id="apr_1",
        request_id=None,
        origin=None,
        previous_hash="",
        details=json.dumps(
            {"by": "user:usr_1", "on_behalf_of": traced(CFO), "stage": "finance", "code": "approve"}
        ),
    )
    happened = happening_of(event, {traced(CFO): CFO, traced(ADA): ADA})
    assert line_of(happened, PEOPLE).said == "Ada Lovelace approved on behalf of cfo@example.org."


def test_rules_are_said_as_they_are() -> None:
    def said(rule: Any) -> str:
        weights = (
            [{"user": "a", "weight": 9}] if isinstance(rule, dict) and "weighted" in rule else [{"role": "b"}]
        )
        policy = parse_policy({"stages": [{"id": "a", "approvers": weights, "rule": rule}]})
        return rule_words(policy.stages[0].rule)

    assert said("any") == "one of those asked approves"
    assert said({"k_of_n": 1}) == "one of those asked approves"
    assert said({"k_of_n": 3}) == "3 of those asked approve"
    assert said({"percentage": 60}) == "60 % of those asked approve"
    assert said({"percentage": "2/3"}) == "2 of 3 of those asked approve"
    assert said({"weighted": 5}) == "approvers of weight 5 approve"
    assert said("all") == "all who are asked approve"


def test_a_stage_is_said_in_words() -> None:
    finance = " ".join(stage_sentences(parse_policy(POLICY).stages[0], PEOPLE))
    assert finance == (
        "Asks Ada Lovelace, everybody with the role approver and cfo@example.org. Passes as soon as 2 of those asked "
        "approve. A veto has Ada Lovelace. After 2 business days, the role admin decides instead."
    )


def test_a_list_changes_when_something_becomes_overdue() -> None:
    one = shown.summary("Pay", due_at=NOW)
    before = ApprovalRow(one, PEOPLE, NOW - timedelta(seconds=1))
    after = ApprovalRow(one, PEOPLE, NOW)
    assert (before.is_overdue, after.is_overdue) == (False, True)
    assert rows_digest([before]) != rows_digest([after])


# Who may do what


def test_who_is_asked_decides_for_themselves_and_for_who_delegated_to_them() -> None:
    view = shown.view(shown.read())
    assert view.is_asked
    assert view.has_seat
    assert view.holders == [(CFO, "cfo@example.org")]
    assert not view.decides_only_for_others


def test_who_only_stands_for_others_has_no_seat_to_give_away() -> None:
    lent = [one for one in shown.read().asked if one.standing == "delegate"]
    view = shown.view(shown.read(asked=lent))
    assert view.is_asked
    assert view.decides_only_for_others
    assert not view.has_seat


def test_a_bystander_is_not_asked_and_a_closed_request_asks_nobody() -> None:
    assert not shown.view(shown.read(), ("user:usr_9",)).is_asked
    assert not shown.view(shown.read(status=Status.WAITING_FOR_REVISION)).is_asked
    assert not shown.view(shown.read(status=Status.CLOSED)).is_open


def test_who_has_decided_sees_their_decision() -> None:
    vote = shown.view(shown.read(), (BEN,)).own_vote
    assert vote is not None
    assert vote.look.label == "Approve"
    assert ("Amount in EUR", "1200.5") in vote.answers
    assert ("What was checked", "Delivery, Price") in vote.answers
    assert ("Pay today", "Yes") in vote.answers


def test_only_decisions_that_the_stage_takes_are_offered() -> None:
    stage = ApprovalStageRead(id="a", state="open", may_abstain=False, may_request_changes=False)
    assert [choice.value for choice in choices_of(stage)] == ["approve", "reject"]
    assert len(choices_of(None)) == 4


def test_a_seat_says_whose_it_is() -> None:
    def who(principal: str, *people: str) -> str:
        return SeatView(SeatRead(id="a/1", principal=principal, people=list(people)), PEOPLE).who

    assert who(ADA, ADA) == "Ada Lovelace"
    assert who("role:admin", ADA, BEN) == "One of the role admin: Ada Lovelace and Ben Okri"
    assert who("role:admin") == "One of the role admin"
    assert who(ADA) == "Nobody any more"


# The document


def test_evidence_is_marked_where_it_stands_or_where_it_is_found() -> None:
    text = "one two three two"
    found = places_of_evidence(
        text,
        [
            Evidence(text="two", start=14, end=17),
            Evidence(text="two", start=0, end=3),
            Evidence(text="four"),
        ],
    )
    assert found == [(14, 17), (4, 7)]


def test_the_text_is_shown_as_text_with_the_evidence_marked() -> None:
    view = shown.view(shown.read())
    marked = ["".join(piece.text for piece in run.pieces) for run in view.runs if run.is_evidence]
    assert marked == ["1,200.00 EUR", "INV-2026-0042"]
    assert "".join(piece.text for run in view.runs for piece in run.pieces) == shown.TEXT
    assert view.is_other_text


# The form


def test_fields_are_those_of_the_form_with_what_is_wrong() -> None:
    fresh = {field.name: field for field in answer_fields(FORM)}
    assert fresh["amount"].is_number
    assert fresh["amount"].hint == "0 to 100000."
    assert fresh["note"].is_long
    assert not any(field.fault for field in fresh.values())
    wrong = {"amount": "many", "cost_centre": "Moon", "checks": ["Price"]}
    faults = {field.name: field.fault for field in answer_fields(FORM, wrong, complete=True)}
    assert faults["amount"] == "Must be a number."
    assert faults["cost_centre"].startswith("Must be one of")
    assert faults["checks"] == ""
    assert {f.name: f.fault for f in answer_fields(FORM, {}, complete=True)}["amount"] == "Is missing."
    assert not any(field.fault for field in answer_fields(FORM, {}, complete=False))


def test_answers_of_a_form_that_is_gone_are_still_read() -> None:
    assert answers_words(None, {"net_total": 3, "paid": False}) == [("Net total", "3"), ("Paid", "No")]
    assert answers_words(FORM, None) == []


def test_what_was_filled_in_stays_when_it_was_refused() -> None:
    view = shown.view(shown.read(), given=Given("approve", "c", "", {"amount": 5, "checks": ["Price"]}))
    fields = {field.name: field for field in view.fields(complete=True)}
    assert (fields["amount"].value, list(fields["checks"].values)) == ("5", ["Price"])
