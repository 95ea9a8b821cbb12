"""What an approval answers to whom, what it does in time, and what it never lets happen."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from perdure.domain.approval_effects import Complete, Effect, Entry, Escalate, Notice, Notify, Record, Remind
from perdure.domain.approval_events import (
    ApproverAdded,
    ApproverLeft,
    ApproverRemoved,
    Cancelled,
    CancelReason,
    Decided,
    Decision,
    Delegated,
    DelegationEnded,
    Event,
    MembersChanged,
    Opened,
    Reassigned,
    ReminderAsked,
    Revised,
    Revoked,
    TimerDue,
)
from perdure.domain.approval_policies import parse_policy
from perdure.domain.approval_refusals import Refusal, status_of, words_of
from perdure.domain.approval_state import Answer, ApprovalState, Closing, Hold, Status, next_timer
from perdure.domain.approvals import advance, begin, still_asked

MONDAY = datetime(2026, 3, 2, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
SHOWN, NEXT = "a" * 64, "b" * 64
OFFICE = {
    "time_zone": "UTC",
    "hours": {day: ["09:00-17:00"] for day in ("mon", "tue", "wed", "thu", "fri")},
}
ROLES = {"legal": ("user:lea", "user:leo"), "board": ("user:bea",), "empty": ()}


class Request:
    """A request under a policy, told things as time goes by."""

    def __init__(self, *stages: dict[str, Any], **policy: Any) -> None:
        listed = [{"id": f"s{number}"} | stage for number, stage in enumerate(stages)]
        self.policy = parse_policy({"stages": listed} | policy)
        self.now, self.keys = MONDAY, 0
        opened = Opened(
            key="open",
            requester="user:req",
            authors=("user:author",),
            revision=SHOWN,
            roles=ROLES,
            addresses={"ann@example.org": "user:ann"},
        )
        step = begin(self.policy, opened, MONDAY)
        self.state: ApprovalState = step.state
        self.effects: list[Effect] = list(step.effects)
        self.all_effects: list[Effect] = list(step.effects)

    def tell(self, event: Event) -> Answer:
        step = advance(self.policy, self.state, event, self.now)
        self.state, self.effects = step.state, list(step.effects)
        self.all_effects += step.effects
        return step.answer

    def key(self) -> str:
        self.keys += 1
        return f"k{self.keys}"

    def decide(self, by: str, decision: str = "approve", **more: Any) -> Refusal | None:
        said = {"key": self.key(), "revision": self.state.revision, "comment": "because"} | more
        return self.tell(Decided(by=f"user:{by}", decision=Decision(decision), **said)).refusal

    def wait(self, span: timedelta) -> None:
        self.now += span
        self.tell(TimerDue(timer="any"))

    def asked(self) -> set[str]:
        return {
            person.removeprefix("user:")
            for one in still_asked(self.policy, self.state, self.now)
            for person in (*one.people, *one.delegates)
        }

    def entries(self) -> list[str]:
        return [effect.entry.value for effect in self.effects if isinstance(effect, Record)]

    def notices(self, notice: Notice) -> list[tuple[str, ...]]:
        return [one.people for one in self.effects if isinstance(one, Notify) and one.notice is notice]


def two(**stage: Any) -> dict[str, Any]:
    return {"approvers": [{"user": "ann"}, {"user": "ben"}], "rule": "all"} | stage


def three(**stage: Any) -> dict[str, Any]:
    return two(approvers=[{"user": "ann"}, {"user": "ben"}, {"user": "cat"}]) | stage


# Ends


def test_stages_come_one_after_the_other() -> None:
    request = Request(two(), two(approvers=[{"role": "board"}], rule="any"))
    assert request.decide("bea") is Refusal.NOT_AN_APPROVER
    request.decide("ann")
    request.decide("ben")
    assert (request.state.stage.id, request.asked()) == ("s1", {"bea"})
    assert request.notices(Notice.ASKED) == [("user:bea",)]
    assert request.decide("ann") is Refusal.STAGE_CLOSED
    assert request.decide("ann", stage="s0") is Refusal.STAGE_CLOSED
    assert request.decide("bea", stage="s9") is Refusal.STAGE_NOT_OPEN
    assert request.decide("bea") is None
    assert (request.state.outcome, request.state.closed_by) == ("approved", Closing.CERTAIN)
    assert [one.outcome for one in request.all_effects if isinstance(one, Complete)] == ["approved"]


def test_a_rejection_that_decides_ends_everything_early() -> None:
    request = Request(three(rule={"k_of_n": 2}), two())
    request.decide("ann", "reject")
    assert request.state.status is Status.PENDING
    request.decide("ben", "reject")
    assert (request.state.outcome, request.asked()) == ("rejected", set())
    assert request.notices(Notice.NO_LONGER_ASKED) == [("user:cat",)]
    assert request.decide("cat") is Refusal.STAGE_CLOSED


def test_a_veto_that_may_still_come_keeps_a_stage_open() -> None:
    request = Request(three(rule="any", veto=[{"user": "cat"}]))
    request.decide("ann")
    assert request.asked() == {"ben", "cat"}
    request.decide("cat", "reject")
    assert (request.state.outcome, request.state.closed_by) == ("rejected", Closing.VETO)


def test_a_veto_not_used_by_the_deadline_lapses() -> None:
    request = Request(three(rule="any", veto=[{"user": "cat"}], due_in="1 day"))
    request.decide("ann")
    request.wait(25 * HOUR)
    assert (request.state.outcome, request.state.closed_by) == ("approved", Closing.VETO_LAPSED)


def test_one_of_a_required_role_must_approve() -> None:
    request = Request(
        two(approvers=[{"user": "ann"}, {"role": "legal"}], rule="any", required=[{"role": "legal"}])
    )
    request.decide("ann")
    assert request.state.outcome is None
    request.decide("lea", "abstain")
    request.decide("leo")
    assert request.state.outcome == "approved"


def test_who_alone_is_required_may_not_abstain() -> None:
    request = Request(two(required=[{"user": "ann"}]))
    assert request.decide("ann", "abstain") is Refusal.MAY_NOT_ABSTAIN
    assert request.decide("ben", "abstain") is None


def test_a_role_with_one_seat_is_answered_by_whoever_comes_first() -> None:
    request = Request(two(approvers=[{"role": "legal", "seats": "one"}, {"user": "ann"}]))
    assert request.decide("leo") is None
    assert request.notices(Notice.NO_LONGER_ASKED) == [("user:lea",)]
    assert request.decide("lea") is Refusal.ALREADY_DECIDED
    request.decide("ann")
    assert request.state.outcome == "approved"


def test_nobody_has_two_seats() -> None:
    request = Request(
        two(approvers=[{"user": "ann"}, {"email": "ann@example.org"}, {"role": "legal"}, {"user": "lea"}])
    )
    assert [seat.people for seat in request.state.stage.seats] == [
        ("user:ann",),
        ("user:lea",),
        ("user:leo",),
    ]


def test_people_of_several_roles_are_shared_out_so_that_no_seat_is_empty() -> None:
    policy = parse_policy(
        {
            "stages": [
                {
                    "id": "s",
                    "approvers": [{"role": "a", "seats": "one"}, {"role": "b", "seats": "one"}],
                    "rule": "all",
                }
            ]
        }
    )
    roles = {"a": ("user:x", "user:y"), "b": ("user:x",)}
    state = begin(policy, Opened(key="o", requester="user:r", revision=SHOWN, roles=roles), MONDAY).state
    assert [seat.people for seat in state.stage.seats] == [("user:y",), ("user:x",)]


# Refusals


def test_who_asks_wrote_or_is_a_stranger_does_not_decide() -> None:
    request = Request(two(approvers=[{"user": "ann"}, {"user": "req"}, {"user": "author"}], rule="any"))
    before = request.state
    assert request.decide("req") is Refusal.OWN_REQUEST
    assert request.decide("author") is Refusal.OWN_REQUEST
    assert request.decide("eve") is Refusal.NOT_AN_APPROVER
    assert request.state is before
    (record,) = request.effects
    assert isinstance(record, Record)
    assert (record.entry, record.code, record.by) == (Entry.REFUSED, "decided:not_an_approver", "user:eve")


def test_who_decided_before_does_not_decide_again_where_duties_are_apart() -> None:
    request = Request(two(rule="any"), two(rule="any"), separation_of_duties={"earlier_stages": True})
    request.decide("ann")
    assert request.asked() == {"ben"}
    assert request.decide("ann") is Refusal.OWN_REQUEST
    assert request.decide("ben") is None


def test_a_decision_on_something_else_than_what_is_there_is_refused() -> None:
    assert Request(two()).decide("ann", revision=NEXT) is Refusal.STALE_REVISION


@pytest.mark.parametrize("decision", ["reject", "abstain", "request_changes"])
def test_all_but_an_approval_needs_a_comment(decision: str) -> None:
    request = Request(two())
    assert request.decide("ann", decision, comment="  ") is Refusal.COMMENT_REQUIRED
    assert request.decide("ann", comment="") is None


def test_a_policy_may_want_more() -> None:
    request = Request(
        two(
            may_abstain=False,
            may_request_changes=False,
            form={
                "type": "object",
                "properties": {"cost_centre": {"type": "string", "minLength": 2}},
                "required": ["cost_centre"],
            },
        ),
        comments={"on_approve": True, "min_characters": 5},
    )
    assert request.decide("ann", comment="ok") is Refusal.COMMENT_REQUIRED
    assert request.decide("ann", "abstain") is Refusal.MAY_NOT_ABSTAIN
    assert request.decide("ann", "request_changes") is Refusal.MAY_NOT_REQUEST_CHANGES
    answer = request.tell(
        Decided(key="f", by="user:ann", decision=Decision.APPROVE, revision=SHOWN, comment="because")
    )
    assert (answer.refusal, "cost_centre is missing" in answer.detail) == (Refusal.FORM_INVALID, True)
    assert request.decide("ann", form={"cost_centre": "4711"}) is None
    assert request.decide("ben", "reject") is None


def test_a_form_that_nobody_asked_for_is_refused() -> None:
    assert Request(two()).decide("ann", form={"x": 1}) is Refusal.FORM_INVALID


def test_every_refusal_says_what_to_do_and_has_a_status() -> None:
    assert all(words_of(refusal) for refusal in Refusal)
    assert {refusal: status_of(refusal) for refusal in Refusal if status_of(refusal) != 409} == {
        Refusal.NOT_AN_APPROVER: 403,
        Refusal.OWN_REQUEST: 403,
        Refusal.NOT_PERMITTED: 403,
        Refusal.BOTH_SIDES: 403,
        Refusal.DELEGATION_NOT_ALLOWED: 403,
        Refusal.UNKNOWN_SEAT: 404,
        Refusal.UNKNOWN_DELEGATION: 404,
        Refusal.COMMENT_REQUIRED: 422,
        Refusal.FORM_INVALID: 422,
        Refusal.MAY_NOT_ABSTAIN: 422,
        Refusal.MAY_NOT_REQUEST_CHANGES: 422,
        Refusal.HOLDER_AMBIGUOUS: 422,
        Refusal.DELEGATION_DATES: 422,
    }


# Keys


def test_a_decision_told_a_hundred_times_counts_once_with_a_hundred_equal_answers() -> None:
    request = Request(two())
    event = Decided(key="k", by="user:ann", decision=Decision.APPROVE, revision=SHOWN)
    answers = [request.tell(event) for _ in range(100)]
    assert len(set(answers)) == 1
    assert sum(isinstance(one, Record) and one.entry == "decided" for one in request.all_effects) == 1
    other = Decided(key="k", by="user:ann", decision=Decision.REJECT, revision=SHOWN, comment="no")
    assert request.tell(other).refusal is Refusal.KEY_REUSED
    assert request.decide("ben", key="k") is None  # a key belongs to who gave it


def test_a_key_is_answered_the_same_after_the_end() -> None:
    request = Request(two(rule="any"))
    event = Decided(key="k", by="user:ann", decision=Decision.APPROVE, revision=SHOWN)
    first = request.tell(event)
    request.now += 999 * HOUR
    assert request.tell(event) == first


# Changes of mind and of documents


def test_a_decision_may_be_taken_back_while_the_stage_is_open() -> None:
    request = Request(two())
    request.decide("ann")
    assert request.decide("ann", "reject") is Refusal.ALREADY_DECIDED
    assert request.tell(Revoked(key="r", by="user:ann")).accepted
    assert request.asked() == {"ann", "ben"}
    assert request.tell(Revoked(key="r2", by="user:ann")).refusal is Refusal.NOTHING_TO_REVOKE
    request.decide("ann", "reject")
    assert request.tell(Revoked(key="r3", by="user:ann")).refusal is Refusal.STAGE_CLOSED


def test_a_decision_in_a_stage_that_passed_is_not_taken_back() -> None:
    request = Request(two(rule="any"), two(approvers=[{"user": "cat"}]))
    request.decide("ann")
    assert request.tell(Revoked(key="r", by="user:ann")).refusal is Refusal.STAGE_CLOSED


def test_changes_are_asked_for_and_everybody_is_asked_anew() -> None:
    request = Request(two(rule="any"), two(due_in="2 days"))
    request.decide("ann")
    request.decide("ben")
    assert request.decide("ann", "request_changes") is None
    assert request.state.status is Status.WAITING_FOR_REVISION
    assert request.notices(Notice.CHANGES_REQUESTED) == [("user:req", "user:author")]
    assert request.decide("ann") is Refusal.WAITING_FOR_REVISION
    assert request.asked() == set()
    request.wait(500 * HOUR)  # the stage's deadline does not run meanwhile
    assert request.state.outcome is None
    assert request.tell(Revised(key="v", by="user:req", revision=SHOWN)).refusal is Refusal.SAME_REVISION
    assert request.tell(Revised(key="w", by="user:req", revision=NEXT)).accepted
    assert (request.state.round, request.state.stage.id, request.asked()) == (2, "s0", {"ann", "ben"})
    assert request.decide("ann", revision=SHOWN) is Refusal.STALE_REVISION


def test_a_policy_may_ask_only_the_open_stage_anew() -> None:
    request = Request(two(rule="any"), two(), on_new_revision="re_ask_stage")
    request.decide("ann")
    request.decide("ben")
    request.tell(Revised(key="v", by="user:req", revision=NEXT))
    assert (request.state.stage.id, request.asked()) == ("s1", {"ann", "ben"})
    request.decide("ann")
    request.decide("ben")
    assert request.state.outcome == "approved"


def test_a_policy_may_end_a_request_whose_document_changes() -> None:
    request = Request(two(), on_new_revision="void")
    request.tell(Revised(key="v", by="user:req", revision=NEXT))
    assert (request.state.outcome, request.state.closed_by) == ("void", Closing.REVISION)
    assert request.notices(Notice.NO_LONGER_ASKED) == [("user:ann", "user:ben")]
    assert request.tell(Revised(key="w", by="user:req", revision=SHOWN)).refusal is Refusal.STAGE_CLOSED


def test_changes_that_nobody_makes_expire() -> None:
    request = Request(two(), revision_due_in="3 days")
    request.decide("ann", "request_changes")
    request.wait(73 * HOUR)
    assert (request.state.outcome, request.asked()) == ("expired", set())
    assert request.decide("ben") is Refusal.PAST_DUE


# Time


def test_reminders_deadline_and_escalation_in_working_hours() -> None:
    request = Request(
        two(
            due_in="2 business days",
            reminders=[
                0.5,
                {"after": "2 business hours"},
                {"before": "4 business hours"},
                {"before": "9 days"},
            ],
            on_timeout="escalate",
            escalate_to=[{"user": "boss"}],
            escalated_due_in="8 business hours",
            on_escalation_timeout="hold",
        ),
        calendar=OFFICE,
    )
    moments = []
    while timer := next_timer(request.state):
        request.now = timer.at
        request.tell(TimerDue(timer=timer.id))
        moments.append((timer.at - MONDAY, request.entries()))
    assert moments == [
        (timedelta(hours=2), ["reminded"]),
        (timedelta(hours=8), ["reminded"]),
        (timedelta(days=1, hours=4), ["reminded"]),
        (timedelta(days=2), ["expired", "escalated"]),
        (timedelta(days=2, hours=2), ["reminded"]),
        (timedelta(days=2, hours=4), ["reminded"]),
        (timedelta(days=2, hours=8), ["expired", "held"]),
    ]
    assert request.state.stage.hold is Hold.OVERDUE
    assert request.decide("ann") is None


def test_of_reminders_that_nobody_sent_one_is_sent() -> None:
    request = Request(two(due_in="10 days", reminders=[0.1, 0.2, 0.3]))
    request.wait(timedelta(days=4))
    assert sum(isinstance(effect, Remind) for effect in request.effects) == 1


def test_after_the_deadline_nobody_is_reminded_of_it() -> None:
    request = Request(two(due_in="10 days", reminders=[0.1]))
    request.wait(timedelta(days=11))
    assert not [effect for effect in request.effects if isinstance(effect, Remind)]


@pytest.mark.parametrize(("action", "outcome"), [("reject", "rejected"), ("approve", "approved")])
def test_the_policy_decides_at_the_deadline(action: str, outcome: str) -> None:
    request = Request(two(due_in="1 day", on_timeout=action))
    request.now += 24 * HOUR  # a decision and the deadline at the same moment: the deadline was first
    assert request.decide("ann") is Refusal.PAST_DUE
    assert (request.state.outcome, request.state.closed_by) == (outcome, Closing.DEADLINE)


def test_a_timer_that_comes_late_or_again_changes_nothing() -> None:
    request = Request(two(due_in="1 day"))
    timer = next_timer(request.state)
    assert timer is not None
    before = request.state
    assert request.tell(TimerDue(timer=timer.id)).accepted  # early
    assert request.state is before
    request.wait(100 * HOUR)
    ended = request.state
    assert ended.outcome == "rejected"
    request.tell(TimerDue(timer=timer.id))
    assert (request.state, request.effects) == (ended, [])


def test_who_it_was_escalated_to_decides_for_all_who_are_silent() -> None:
    request = Request(
        three(
            due_in="1 day",
            on_timeout="escalate",
            escalate_to=[{"user": "boss"}, {"user": "ann"}, {"user": "vice"}],
        )
    )
    request.decide("ann")
    request.wait(25 * HOUR)
    assert request.asked() == {"ben", "cat", "boss", "vice"}
    assert request.decide("vice", "abstain") is None
    assert request.asked() == {"ben", "cat", "boss"}
    assert request.decide("ben") is None  # those who were asked may still answer
    assert request.decide("boss") is None
    assert (request.state.outcome, request.state.closed_by) == ("approved", Closing.ESCALATION)
    votes = [seat.vote for seat in request.state.stage.seats]
    assert [(vote.by, vote.stands_in) for vote in votes if vote] == [
        ("user:ann", False),
        ("user:ben", False),
        ("user:boss", True),
    ]


def test_an_escalation_to_nobody_holds_and_says_so() -> None:
    request = Request(two(due_in="1 day", on_timeout="escalate", escalate_to=[{"user": "req"}]))
    request.wait(25 * HOUR)
    assert (request.state.stage.hold, request.state.outcome) == (Hold.OVERDUE, None)
    assert request.notices(Notice.OVERDUE) == [("user:req", "user:ann", "user:ben")]


def test_a_clock_that_goes_back_stands_still() -> None:
    request = Request(two())
    request.now += HOUR
    request.decide("ann")
    request.now -= 50 * HOUR
    request.decide("ben")
    assert request.state.at == MONDAY + HOUR


def test_people_are_reminded_on_request_once_an_hour() -> None:
    request = Request(two())
    assert request.tell(ReminderAsked(key="1", by="user:eve")).refusal is Refusal.NOT_PERMITTED
    assert request.tell(ReminderAsked(key="2", by="user:req")).accepted
    assert [one.people for one in request.effects if isinstance(one, Remind)] == [("user:ann", "user:ben")]
    refused = request.tell(ReminderAsked(key="3", by="user:x", administrator=True)).refusal
    assert refused is Refusal.REMINDED_RECENTLY
    request.now += HOUR
    assert request.tell(ReminderAsked(key="4", by="user:req")).accepted


# Delegation


def delegate(request: Request, by: str, to: str, **more: Any) -> Refusal | None:
    return request.tell(Delegated(key=request.key(), by=f"user:{by}", to=f"user:{to}", **more)).refusal


def test_a_delegate_decides_on_behalf_and_it_shows() -> None:
    request = Request(two())
    assert delegate(request, "ann", "dan") is None
    assert request.asked() == {"ann", "ben", "dan"}
    assert request.decide("dan") is None
    record = next(one for one in request.effects if isinstance(one, Record))
    assert (record.by, record.on_behalf_of) == ("user:dan", "user:ann")
    assert request.decide("ann") is Refusal.ALREADY_DECIDED
    assert request.tell(Revoked(key="r", by="user:ann")).accepted  # for whom it was cast
    assert request.decide("ann", "reject") is None


def test_nobody_counts_twice_by_delegation() -> None:
    request = Request(three())
    delegate(request, "ann", "ben")
    assert request.decide("ben", on_behalf_of="user:ann") is None
    assert request.decide("ben") is Refusal.BOTH_SIDES
    request = Request(three())
    delegate(request, "ann", "dan")
    delegate(request, "ben", "dan")
    assert request.decide("dan") is Refusal.HOLDER_AMBIGUOUS
    assert request.decide("dan", on_behalf_of="user:cat") is Refusal.NOT_AN_APPROVER
    assert request.decide("dan", on_behalf_of="user:ben") is None
    assert request.decide("dan", on_behalf_of="user:ann") is Refusal.BOTH_SIDES


def test_delegation_goes_in_no_circle_and_not_too_far() -> None:
    request = Request(two())
    assert delegate(request, "ann", "ann") is Refusal.DELEGATION_LOOP
    assert delegate(request, "ann", "ben") is None
    assert delegate(request, "ben", "ann") is Refusal.DELEGATION_LOOP
    assert delegate(request, "ann", "dan") is None
    assert delegate(request, "dan", "eve") is Refusal.DELEGATION_TOO_DEEP
    assert delegate(request, "eve", "dan") is Refusal.NOT_AN_APPROVER
    deep = Request(two(), delegation={"max_depth": 2})
    assert delegate(deep, "ann", "dan") is None
    assert delegate(deep, "dan", "eve") is None
    assert delegate(deep, "eve", "ann") is Refusal.DELEGATION_LOOP
    assert delegate(deep, "eve", "fay") is Refusal.DELEGATION_TOO_DEEP
    assert deep.decide("eve") is None


def test_who_may_delegate_and_to_whom_is_the_policys() -> None:
    assert delegate(Request(two(), delegation=False), "ann", "dan") is Refusal.DELEGATION_NOT_ALLOWED
    assert delegate(Request(two()), "ann", "req") is Refusal.DELEGATION_NOT_ALLOWED
    picky = Request(two(), delegation={"by": [{"user": "ann"}], "to": [{"role": "legal"}]})
    assert delegate(picky, "ben", "lea") is Refusal.DELEGATION_NOT_ALLOWED
    assert delegate(picky, "ann", "dan") is Refusal.DELEGATION_NOT_ALLOWED
    assert delegate(picky, "ann", "lea") is None


def test_a_delegation_has_its_time_and_its_stage() -> None:
    request = Request(two(rule="any"), two(approvers=[{"user": "ann"}, {"user": "cat"}]))
    late = {"starts_at": MONDAY + 5 * HOUR, "ends_at": MONDAY + 9 * HOUR}
    assert delegate(request, "ann", "dan", **late) is None
    assert request.decide("dan") is Refusal.NOT_AN_APPROVER
    request.now += 5 * HOUR
    assert request.asked() == {"ann", "ben", "dan"}
    request.now += 4 * HOUR
    assert request.decide("dan") is Refusal.NOT_AN_APPROVER
    assert delegate(request, "ann", "dan", **late) is Refusal.DELEGATION_DATES
    wrong = {"starts_at": MONDAY + 50 * HOUR, "ends_at": MONDAY + 49 * HOUR}
    assert delegate(request, "ann", "dan", **wrong) is Refusal.DELEGATION_DATES
    assert delegate(request, "ann", "dan") is None
    assert delegate(request, "ann", "eve", whole_request=True) is None
    request.decide("ben")
    assert request.asked() == {"ann", "cat", "eve"}


def test_nobody_delegates_to_everybody() -> None:
    request = Request(two())
    assert [delegate(request, "ann", f"d{number}") for number in range(20)] == [None] * 20
    assert delegate(request, "ann", "d20") is Refusal.DELEGATION_NOT_ALLOWED
    assert delegate(request, "ann", "d5", ends_at=MONDAY + HOUR) is None


def test_a_delegation_is_taken_back() -> None:
    request = Request(two())
    delegate(request, "ann", "dan")
    assert request.tell(DelegationEnded(key="e", by="user:ann", to="user:dan")).accepted
    assert request.decide("dan") is Refusal.NOT_AN_APPROVER
    refused = request.tell(DelegationEnded(key="f", by="user:ann", to="user:dan")).refusal
    assert refused is Refusal.UNKNOWN_DELEGATION


# Who is asked


def test_a_seat_is_given_to_somebody_else_with_its_veto() -> None:
    request = Request(three(rule="any", veto=[{"user": "cat"}]))
    assert request.tell(Reassigned(key="1", by="user:cat", to="user:dan")).accepted
    assert request.decide("cat") is Refusal.NOT_AN_APPROVER
    request.decide("ann")
    assert request.state.outcome is None
    request.decide("dan", "reject")
    assert request.state.closed_by is Closing.VETO


def test_who_may_give_a_seat_away() -> None:
    request = Request(three(approvers=[{"user": "ann"}, {"user": "ben"}, {"role": "legal", "seats": "one"}]))
    seat = request.state.stage.seats[0].id

    def give(by: str, to: str, **more: Any) -> Refusal | None:
        event = Reassigned(key=request.key(), by=f"user:{by}", to=f"user:{to}", **more)
        return request.tell(event).refusal

    assert give("ben", "dan", seat=seat) is Refusal.NOT_PERMITTED
    assert give("req", "dan", seat=seat, administrator=True) is Refusal.NOT_PERMITTED
    assert give("lea", "dan") is Refusal.NOT_PERMITTED  # it is her role's
    assert give("eve", "dan") is Refusal.NOT_AN_APPROVER
    assert give("ann", "ben") is Refusal.ALREADY_AN_APPROVER
    assert give("ann", "req") is Refusal.OWN_REQUEST
    assert give("adm", "dan", seat="s0/99", administrator=True) is Refusal.UNKNOWN_SEAT
    assert give("adm", "dan", seat=seat, administrator=True) is None
    request.decide("dan")
    assert give("adm", "eve", seat=seat, administrator=True) is Refusal.ALREADY_DECIDED


def test_adding_and_removing_people_counts_the_quorum_anew() -> None:
    request = Request(two())

    def add(person: str, by: str = "adm") -> Refusal | None:
        event = ApproverAdded(key=request.key(), by=f"user:{by}", person=f"user:{person}", administrator=True)
        return request.tell(event).refusal

    def remove(seat: str) -> Refusal | None:
        event = ApproverRemoved(key=request.key(), by="user:adm", seat=seat, administrator=True)
        return request.tell(event).refusal

    assert add("dan", by="req") is Refusal.NOT_PERMITTED
    assert add("ann") is Refusal.ALREADY_AN_APPROVER
    assert add("author") is Refusal.OWN_REQUEST
    assert add("dan") is None
    request.decide("ann")
    request.decide("ben")
    assert request.state.outcome is None  # all are three now
    assert remove("s0/1") is Refusal.ALREADY_DECIDED
    assert remove("s0/9") is Refusal.UNKNOWN_SEAT
    assert remove("s0/3") is None
    assert request.state.outcome == "approved"


def test_without_a_seat_that_is_needed_a_stage_is_not_left() -> None:
    request = Request(two(rule={"k_of_n": 2}))
    event = ApproverRemoved(key="1", by="user:adm", seat="s0/1", administrator=True)
    assert request.tell(event).refusal is Refusal.QUORUM_UNREACHABLE


def test_who_left_is_replaced_by_who_it_escalates_to() -> None:
    request = Request(two(required=[{"user": "ann"}], escalate_to=[{"user": "ben"}, {"user": "boss"}]))
    request.tell(ApproverLeft(key="1", person="user:ann"))
    assert [one.to for one in request.effects if isinstance(one, Escalate)] == [("user:boss",)]
    request.decide("ben")
    request.decide("boss")
    assert request.state.outcome == "approved"


def test_nobodys_absence_rejects_anything() -> None:
    request = Request(three(rule={"k_of_n": 2}))
    request.tell(ApproverLeft(key="1", person="user:ann"))
    assert request.asked() == {"ben", "cat"}
    request.tell(ApproverLeft(key="2", person="user:ben"))
    assert (request.state.stage.hold, request.state.outcome) == (Hold.NEEDS_APPROVER, None)
    assert request.notices(Notice.NEEDS_APPROVER) == [("user:req",)]
    seat = next(seat.id for seat in request.state.stage.seats if not seat.people)
    given = Reassigned(key="3", by="user:adm", to="user:dan", seat=seat, administrator=True)
    assert request.tell(given).accepted
    assert request.state.stage.hold is None
    request.decide("cat")
    request.decide("dan")
    assert request.state.outcome == "approved"


def test_no_veto_goes_away_with_who_had_it() -> None:
    request = Request(three(rule="any", veto=[{"user": "cat"}]))
    request.tell(ApproverLeft(key="1", person="user:cat"))
    request.decide("ann")
    assert (request.state.stage.hold, request.state.outcome) == (Hold.NEEDS_APPROVER, None)


def test_who_left_decides_nothing_and_for_nobody_but_what_they_decided_stands() -> None:
    request = Request(three(), two(approvers=[{"user": "ann"}, {"role": "legal"}], rule="any"))
    delegate(request, "ben", "dan")
    request.decide("ann")
    request.tell(ApproverLeft(key="1", person="user:ann"))
    request.tell(ApproverLeft(key="2", person="user:dan"))
    request.tell(ApproverLeft(key="3", person="user:lea"))
    assert request.asked() == {"ben", "cat"}
    request.decide("ben")
    request.decide("cat")
    assert (request.state.stage.id, request.asked()) == ("s1", {"leo"})


def test_one_of_a_role_may_leave_its_seat_to_the_others() -> None:
    request = Request(two(approvers=[{"role": "legal", "seats": "one"}]))
    request.tell(ApproverLeft(key="1", person="user:lea"))
    assert request.asked() == {"leo"}


def test_a_stage_that_nobody_can_decide_calls_for_help() -> None:
    request = Request(two(approvers=[{"role": "empty"}], rule="any"))
    assert request.state.stage.hold is Hold.NEEDS_APPROVER
    added = ApproverAdded(key="1", by="user:adm", person="user:dan", administrator=True)
    assert request.tell(added).accepted
    assert request.state.stage.hold is None
    request.decide("dan")
    assert request.state.outcome == "approved"


def test_a_stage_that_nobody_can_decide_escalates_when_it_can() -> None:
    request = Request(two(approvers=[{"role": "empty"}], rule="any", escalate_to=[{"user": "boss"}]))
    assert request.asked() == {"boss"}
    request.decide("boss", "reject")
    assert request.state.outcome == "rejected"


def test_stages_that_open_later_ask_who_has_the_role_then() -> None:
    request = Request(two(rule="any"), two(approvers=[{"role": "board"}], rule="any"))
    request.tell(MembersChanged(key="1", role="board", members=("user:new", "user:bea")))
    request.decide("ann")
    assert request.asked() == {"bea", "new"}


def test_a_request_is_opened_once() -> None:
    request = Request(two())
    again = Opened(key="other", requester="user:req", revision=SHOWN)
    assert request.tell(again).refusal is Refusal.ALREADY_OPEN


@pytest.mark.parametrize("reason", list(CancelReason))
def test_a_request_is_withdrawn_by_who_asked_or_an_administrator(reason: CancelReason) -> None:
    request = Request(two())
    assert request.tell(Cancelled(key="1", by="user:ann")).refusal is Refusal.NOT_PERMITTED
    assert request.tell(Cancelled(key="2", by="user:req", reason=reason)).accepted
    assert (request.state.outcome, request.state.closed_by) == ("cancelled", Closing(reason.value))
    assert request.tell(Cancelled(key="3", by="user:req")).refusal is Refusal.STAGE_CLOSED


def test_a_decision_taken_back_for_who_has_left_asks_somebody_who_is_there() -> None:
    request = Request(two(escalate_to=[{"user": "dan"}]))
    assert delegate(request, "ann", "cat") is None
    assert request.decide("cat") is None
    request.tell(ApproverLeft(key="left", person="user:ann"))
    request.tell(Revoked(key=request.key(), by="user:cat"))
    assert request.asked() == {"ben", "dan"}


def test_a_decision_taken_back_for_who_has_left_calls_for_help() -> None:
    request = Request(two(rule={"k_of_n": 2}))
    assert delegate(request, "ann", "cat") is None
    assert request.decide("cat") is None
    request.tell(ApproverLeft(key="left", person="user:ann"))
    request.tell(Revoked(key=request.key(), by="user:cat"))
    assert (request.asked(), request.state.stage.hold) == ({"ben"}, Hold.NEEDS_APPROVER)
    assert request.notices(Notice.NEEDS_APPROVER) == [("user:req",)]
    assert request.notices(Notice.ASKED) == []


def test_who_has_left_is_not_asked_again_beside_who_takes_a_decision_back() -> None:
    one_of_two = {"approvers": [{"role": "legal", "seats": "one"}, {"user": "ben"}], "rule": "all"}
    request = Request(one_of_two)
    assert request.decide("lea") is None
    request.tell(ApproverLeft(key="left", person="user:leo"))
    request.tell(Revoked(key=request.key(), by="user:lea"))
    assert request.asked() == {"lea", "ben"}
    assert request.notices(Notice.ASKED) == [("user:lea",)]


def test_who_stands_in_and_abstains_where_nobody_else_can_decide_calls_for_help() -> None:
    request = Request(
        two(
            rule={"k_of_n": 2},
            approvers=[{"role": "board", "seats": "each"}, {"role": "empty"}],
            escalate_to=[{"user": "dan"}],
        )
    )
    assert request.asked() == {"bea", "dan"}
    assert request.decide("dan", "abstain") is None
    assert request.state.stage.hold is Hold.NEEDS_APPROVER
    assert request.notices(Notice.NEEDS_APPROVER) == [("user:req",)]
