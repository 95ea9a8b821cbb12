"""The approval engine: (policy, state, event, clock) -> (state, effects), and the answer for who told the event.

Nothing here reads a clock, draws a number or depends on the order of a set: a workflow, a simulator and a test that
tell the same events at the same times see the same. What is due by the clock happens before the event, so that it
does not matter how late a timer comes. What is refused changes nothing.
"""

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from perdure.domain import approval_events as events
from perdure.domain.approval_course import Course
from perdure.domain.approval_delegation import delegates_of, holders_of, leads_back
from perdure.domain.approval_effects import Effect, Entry, Notice, Outcome, Record
from perdure.domain.approval_events import Decision, Event
from perdure.domain.approval_policies import MAX_WEIGHT, ApprovalPolicy, OnRevision
from perdure.domain.approval_refusals import Refusal, words_of
from perdure.domain.approval_seats import Directory
from perdure.domain.approval_state import (
    Answer,
    ApprovalState,
    Closing,
    Delegation,
    Hold,
    Remembered,
    Seat,
    StageState,
    Status,
    TimerKind,
    Vote,
)
from perdure.domain.approval_voting import Standing, passes, standing
from perdure.domain.audit import canonical_json
from perdure.domain.business_calendar import after

REMIND_AGAIN_AFTER = timedelta(hours=1)
MAX_DELEGATES = 20


@dataclass(frozen=True, slots=True)
class Transition:
    """What became of an event."""

    state: ApprovalState
    effects: tuple[Effect, ...]
    answer: Answer


@dataclass(frozen=True, slots=True)
class Asked:
    """A seat that has not voted: who may, and who may for them. `stands_in`: for all who are silent."""

    stage: str
    people: tuple[str, ...]
    delegates: tuple[str, ...] = ()
    seat: str | None = None
    stands_in: bool = False


class RefusedError(Exception):
    """Ends the handling of an event; it never leaves this module."""

    def __init__(self, refusal: Refusal, detail: str = "") -> None:
        super().__init__(refusal)
        self.refusal, self.detail = refusal, detail or words_of(refusal)


def begin(policy: ApprovalPolicy, event: events.Opened, now: datetime) -> Transition:
    """Open a request."""
    state = ApprovalState(
        sequence=0,
        at=now.astimezone(UTC),
        requester=event.requester,
        revision=event.revision,
        authors=event.authors,
        roles={role: tuple(sorted(set(members))) for role, members in sorted(event.roles.items())},
        addresses=dict(sorted(event.addresses.items())),
    )
    telling = _Telling(policy, state, state.at)
    telling.record(Entry.OPENED, by=event.requester)
    telling.open_stage(0)
    return telling.accept(event)


def advance(policy: ApprovalPolicy, state: ApprovalState, event: Event, now: datetime) -> Transition:
    """Tell a request what happened. A clock that went back counts as one that stands still."""
    telling = _Telling(policy, state, max(now.astimezone(UTC), state.at))
    telling.catch_up()
    if isinstance(event, events.TimerDue):
        return telling.finish(Answer(accepted=True))
    remembered = state.answers.get(_key_of(event))
    if remembered is not None:
        if remembered.digest == digest_of(event):
            return telling.finish(remembered.answer)
        return telling.refuse(event, RefusedError(Refusal.KEY_REUSED))
    try:
        _HANDLERS[type(event)](telling, event)
    except RefusedError as refused:
        return telling.refuse(event, refused)
    return telling.accept(event)


def still_asked(policy: ApprovalPolicy, state: ApprovalState, now: datetime) -> tuple[Asked, ...]:
    """Who may decide now and has not: what an inbox, a reminder and a simulator show."""
    if state.status is not Status.PENDING:
        return ()
    stage, depth = state.stage, policy.delegation.max_depth
    voted = {seat.vote.by for seat in stage.seats if seat.vote}
    found = []
    for seat in stage.seats:
        if seat.vote is None:
            delegates = [
                delegate
                for person in seat.people
                for delegate in delegates_of(state.delegations, person, stage.id, now, depth)
                if delegate not in voted
            ]
            found.append(Asked(stage.id, seat.people, tuple(dict.fromkeys(delegates)), seat.id))
    if stage.escalated_to:
        found.append(Asked(stage.id, stage.escalated_to, stands_in=True))
    return tuple(found)


def digest_of(event: Event) -> str:
    """SHA-256 of what an event says: of a revision only where somebody named it."""
    said = asdict(event)
    if said.pop("revision_is_implied", False):
        del said["revision"]
    return hashlib.sha256(canonical_json(_plain(said)).encode("utf-8", "surrogatepass")).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value


def _key_of(event: Event) -> str:
    """Keys belong to who gave them: nobody can use up another's."""
    return f"{getattr(event, 'by', '')} {getattr(event, 'key', '')}"


class _Telling(Course):
    """One event told to a request."""

    def __init__(self, policy: ApprovalPolicy, state: ApprovalState, now: datetime) -> None:
        super().__init__(policy, state, now)
        self._before = state
        self._stage: str | None = None
        self._seat: str | None = None

    def finish(self, answer: Answer) -> Transition:
        """End the step; where nothing happened, the state is the one that it was."""
        if self.state is self._before:
            return Transition(self._before, (), answer)
        self.change(sequence=self._before.sequence + 1, at=self.now)
        return Transition(self.state, tuple(self.effects), answer)

    def accept(self, event: Event) -> Transition:
        """Remember the answer under the event's key."""
        answer = Answer(accepted=True, at=self.now, stage=self._stage, seat=self._seat)
        remembered = Remembered(digest_of(event), answer)
        self.change(answers={**self.state.answers, _key_of(event): remembered})
        return self.finish(answer)

    def refuse(self, event: Event, refused: RefusedError) -> Transition:
        """Record what was refused; its effect has the event's own id, so that it is recorded once."""
        answer = Answer(accepted=False, refusal=refused.refusal, detail=refused.detail)
        done = self.finish(answer)
        seen = getattr(event, "revision", self.state.revision)
        record = Record(
            id=f"refused {_key_of(event)} {digest_of(event)[:16]}",
            entry=Entry.REFUSED,
            at=self.now,
            revision=seen,
            by=getattr(event, "by", None),
            on_behalf_of=getattr(event, "on_behalf_of", None),
            code=f"{event.kind}:{refused.refusal}",
        )
        return Transition(done.state, (*done.effects, record), answer)

    # Decisions

    def decided(self, event: events.Decided) -> None:
        """Let a decision count."""
        stage = self._open_stage(event.stage)
        if event.by in self.barred(stage.index):
            raise RefusedError(Refusal.OWN_REQUEST)
        seat, holder = self._place_of(event, stage)
        if event.revision != self.state.revision:
            raise RefusedError(Refusal.STALE_REVISION)
        self._check_content(event, stage, seat)
        self._stage, self._seat = stage.id, seat.id if seat else None
        self.record(
            Entry.DECIDED,
            by=event.by,
            on_behalf_of=holder,
            stage=stage.id,
            seat=self._seat,
            code=event.decision.value,
            comment=event.comment,
        )
        if event.decision is Decision.REQUEST_CHANGES:
            self._wait_for_revision()
        elif seat is None:
            self._stand_in(event, stage)
        else:
            self._vote(event, seat, holder)

    def _vote(self, event: events.Decided, seat: Seat, holder: str | None) -> None:
        voice = holder or event.by
        vote = replace(self._vote_of(event), on_behalf_of=holder, veto=seat.veto or voice in seat.vetoers)
        self.change_seat(replace(seat, vote=vote))
        others = tuple(person for person in seat.people if person != voice)
        self.notify(Notice.NO_LONGER_ASKED, others, self._stage)
        self.settle()

    def _stand_in(self, event: events.Decided, stage: StageState) -> None:
        """Decide for all who are silent, which makes the outcome certain."""
        if event.decision is Decision.ABSTAIN:
            others = tuple(person for person in stage.escalated_to if person != event.by)
            self.change_stage(escalated_to=others)
            if not others and standing(self.rules, self.state.stage) is Standing.IMPOSSIBLE:
                self.hold(Hold.NEEDS_APPROVER)
            return
        vote = replace(self._vote_of(event), stands_in=True)
        seats = tuple(seat if seat.vote else replace(seat, vote=vote) for seat in stage.seats)
        silent = tuple(person for person in self.waiting() if person != event.by)
        self.change_stage(seats=seats, escalated_to=())
        self.notify(Notice.NO_LONGER_ASKED, silent, stage.id)
        self.close_stage(event.decision is Decision.APPROVE, Closing.ESCALATION)

    def _vote_of(self, event: events.Decided) -> Vote:
        return Vote(
            event.decision, event.by, self.now, event.revision, comment=event.comment, form=event.form
        )

    def _open_stage(self, named: str | None = None) -> StageState:
        """The stage that takes decisions; refused when none does, or not the one that is named."""
        if self.state.status is Status.CLOSED:
            raise RefusedError(_closed(self.state.closed_by))
        stage = self.state.stage
        if named is not None and named != stage.id:
            for earlier in self.state.stages[:-1]:
                if earlier.id == named:
                    raise RefusedError(_closed(earlier.closed_by))
            raise RefusedError(Refusal.STAGE_NOT_OPEN)
        if self.state.status is Status.WAITING_FOR_REVISION:
            raise RefusedError(Refusal.WAITING_FOR_REVISION)
        return stage

    def _place_of(self, event: events.Decided, stage: StageState) -> tuple[Seat | None, str | None]:
        """The seat that somebody votes in and for whom; no seat for who stands in for all who are silent."""
        seat, holder = self._claimed(event, stage)
        counted = [one for one in stage.seats if one.vote and one.vote.by == event.by]
        if counted and seat not in counted:
            raise RefusedError(Refusal.BOTH_SIDES)
        if counted or (seat is not None and seat.vote is not None):
            raise RefusedError(Refusal.ALREADY_DECIDED)
        return seat, holder

    def _claimed(self, event: events.Decided, stage: StageState) -> tuple[Seat | None, str | None]:
        holders = self._holders(event.by, stage, self.policy.delegation.max_depth)
        if event.on_behalf_of not in {None, event.by}:
            seat = _seat_of(stage, str(event.on_behalf_of)) if event.on_behalf_of in holders else None
            if seat is None:
                raise RefusedError(Refusal.NOT_AN_APPROVER)
            return seat, event.on_behalf_of
        if event.by in stage.escalated_to:
            return None, None
        own = _seat_of(stage, event.by)
        return (own, None) if own is not None else self._lent_place(event.by, holders, stage)

    def _lent_place(
        self, person: str, holders: tuple[str, ...], stage: StageState
    ) -> tuple[Seat | None, str | None]:
        """The one seat in which somebody may vote for its holder."""
        places = [
            (seat, next(holder for holder in holders if holder in seat.people))
            for seat in stage.seats
            if any(holder in seat.people for holder in holders)
        ]
        silent = [place for place in places if place[0].vote is None]
        if len(silent) > 1:
            raise RefusedError(Refusal.HOLDER_AMBIGUOUS)
        if places:
            return (silent or places)[0]
        for earlier in self.state.stages[:-1]:
            if _seat_of(earlier, person):
                raise RefusedError(_closed(earlier.closed_by))
        raise RefusedError(Refusal.NOT_AN_APPROVER)

    def _holders(self, person: str, stage: StageState, depth: int) -> tuple[str, ...]:
        return holders_of(self.state.delegations, person, stage.id, self.now, depth)

    def _decides_for(self, person: str, stage: StageState, depth: int) -> bool:
        return any(_seat_of(stage, holder) for holder in self._holders(person, stage, depth))

    def _check_content(self, event: events.Decided, stage: StageState, seat: Seat | None) -> None:
        rules, decision = self.rules, event.decision
        explained = len(event.comment.strip()) >= self.policy.least_comment
        if not explained and (decision is not Decision.APPROVE or self.policy.comment_on_approve):
            raise RefusedError(Refusal.COMMENT_REQUIRED)
        if decision is Decision.REQUEST_CHANGES and not rules.may_request_changes:
            raise RefusedError(Refusal.MAY_NOT_REQUEST_CHANGES)
        needed = seat is not None and (not rules.may_abstain or (seat.id,) in stage.required)
        if decision is Decision.ABSTAIN and needed:
            raise RefusedError(Refusal.MAY_NOT_ABSTAIN)
        if rules.form is not None:
            faults = rules.form.faults_of(event.form, complete=decision is Decision.APPROVE)
            if faults:
                raise RefusedError(Refusal.FORM_INVALID, f"The form: {'; '.join(faults)}.")
        elif event.form:
            raise RefusedError(Refusal.FORM_INVALID, "This stage has no form.")

    def revoked(self, event: events.Revoked) -> None:
        """Take a decision back: who cast it, or for whom it was cast."""
        stage = self._open_stage()
        for seat in stage.seats:
            if seat.vote and event.by in {seat.vote.by, seat.vote.on_behalf_of}:
                self._stage, self._seat = stage.id, seat.id
                code = seat.vote.decision.value
                silent = _left_by(replace(seat, vote=None), self.state.gone)
                self.change_seat(silent)
                self.record(Entry.REVOKED, by=event.by, stage=stage.id, seat=seat.id, code=code)
                self.notify(Notice.ASKED, silent.people, stage.id)
                if not silent.people:
                    self.vacate(silent)
                    self.settle()
                return
        for earlier in self.state.stages[:-1]:
            if any(seat.vote and seat.vote.by == event.by for seat in earlier.seats):
                raise RefusedError(Refusal.STAGE_CLOSED)
        raise RefusedError(Refusal.NOTHING_TO_REVOKE)

    # Revisions

    def _wait_for_revision(self) -> None:
        self.change(status=Status.WAITING_FOR_REVISION, timers=())
        self.notify(Notice.CHANGES_REQUESTED, (self.state.requester, *self.state.authors), self._stage)
        span = self.policy.revision_due_in
        if span is not None:
            at = after(self.policy.calendar, self.now, span)
            self.schedule(TimerKind.REVISION, at, str(self.state.round))

    def revised(self, event: events.Revised) -> None:
        """Ask anew about another revision, or end the request."""
        if self.state.status is Status.CLOSED:
            raise RefusedError(Refusal.STAGE_CLOSED)
        if event.revision == self.state.revision:
            raise RefusedError(Refusal.SAME_REVISION)
        self.change(revision=event.revision)
        self.record(Entry.REVISED, by=event.by)
        stage = self.state.stage
        if self.policy.on_new_revision is OnRevision.VOID:
            self.complete(Outcome.VOID, Closing.REVISION)
            return
        again = self.policy.on_new_revision is OnRevision.RE_ASK_STAGE
        kept = self.state.stages[:-1] if again else ()
        self.change(round=self.state.round + 1, timers=(), stages=kept)
        self.open_stage(stage.index if again else 0)

    # Who decides

    def delegated(self, event: events.Delegated) -> None:
        """Let somebody decide for somebody else."""
        stage, rules = self._open_stage(), self.policy.delegation
        self._check_delegation(event, stage)
        starts_at = (event.starts_at or self.now).astimezone(UTC)
        longest = timedelta(days=rules.max_days)
        ends_at = (event.ends_at or starts_at + longest).astimezone(UTC)
        if not (starts_at < ends_at <= starts_at + longest and ends_at > self.now):
            raise RefusedError(Refusal.DELEGATION_DATES)
        scope = None if event.whole_request else stage.id
        made = Delegation(event.by, event.to, scope, starts_at, ends_at)
        kept = [
            one
            for one in self.state.delegations
            if one.ends_at > self.now and (one.by, one.to, one.stage) != (made.by, made.to, made.stage)
        ]
        if sum(one.by == event.by for one in kept) >= MAX_DELEGATES:
            raise RefusedError(Refusal.DELEGATION_NOT_ALLOWED, f"{MAX_DELEGATES} people are enough.")
        self.change(delegations=(*kept, made))
        self.record(Entry.DELEGATED, by=event.by, stage=scope, people=(event.to,))
        self.notify(Notice.ASKED, (event.to,), stage.id)

    def _check_delegation(self, event: events.Delegated, stage: StageState) -> None:
        rules, directory = self.policy.delegation, self.directory(stage.index)
        seated = _seat_of(stage, event.by) is not None
        if not seated and not self._decides_for(event.by, stage, rules.max_depth):
            raise RefusedError(Refusal.NOT_AN_APPROVER)
        allowed = rules.allowed and event.to not in directory.barred
        if rules.by and not directory.means(rules.by, event.by):
            allowed = False
        if rules.to and not directory.means(rules.to, event.to):
            allowed = False
        if not allowed:
            raise RefusedError(Refusal.DELEGATION_NOT_ALLOWED)
        if leads_back(self.state.delegations, event.by, event.to, self.now):
            raise RefusedError(Refusal.DELEGATION_LOOP)
        if not seated and not self._decides_for(event.by, stage, rules.max_depth - 1):
            raise RefusedError(Refusal.DELEGATION_TOO_DEEP)

    def delegation_ended(self, event: events.DelegationEnded) -> None:
        """Take a delegation back."""
        kept = tuple(one for one in self.state.delegations if (one.by, one.to) != (event.by, event.to))
        if self.state.status is Status.CLOSED:
            raise RefusedError(Refusal.STAGE_CLOSED)
        if kept == self.state.delegations:
            raise RefusedError(Refusal.UNKNOWN_DELEGATION)
        self.change(delegations=kept)
        self.record(Entry.DELEGATION_ENDED, by=event.by, people=(event.to,))

    def reassigned(self, event: events.Reassigned) -> None:
        """Give a seat to somebody else; its veto and what it must approve go with it."""
        stage = self._open_stage()
        seat = self._named_seat(event, stage)
        if seat.vote is not None:
            raise RefusedError(Refusal.ALREADY_DECIDED)
        directory = self._check_newcomer(event.to, stage)
        veto = seat.veto or bool(len(seat.people) == 1 and seat.vetoers)
        vetoers = (event.to,) if directory.means(self.rules.veto, event.to) else ()
        self.change_seat(replace(seat, people=(event.to,), veto=veto, vetoers=vetoers))
        self._stage, self._seat = stage.id, seat.id
        self.record(Entry.REASSIGNED, by=event.by, stage=stage.id, seat=seat.id, people=(event.to,))
        self.notify(Notice.NO_LONGER_ASKED, seat.people, stage.id)
        self.notify(Notice.ASKED, (event.to,), stage.id)
        self.settle()

    def _named_seat(self, event: events.Reassigned, stage: StageState) -> Seat:
        own = _seat_of(stage, event.by)
        named = own if event.seat is None else _by_id(stage, event.seat)
        if named is None:
            raise RefusedError(Refusal.NOT_AN_APPROVER if event.seat is None else Refusal.UNKNOWN_SEAT)
        if event.administrator and event.by not in self.barred(stage.index):
            return named
        if not self.policy.may_reassign or named.people != (event.by,):
            raise RefusedError(Refusal.NOT_PERMITTED)
        return named

    def _check_newcomer(self, person: str, stage: StageState) -> Directory:
        directory = self.directory(stage.index)
        if person in directory.barred:
            raise RefusedError(Refusal.OWN_REQUEST)
        voted = any(one.vote and one.vote.by == person for one in stage.seats)
        if voted or _seat_of(stage, person) is not None:
            raise RefusedError(Refusal.ALREADY_AN_APPROVER)
        return directory

    def _steering(self, event: events.ApproverAdded | events.ApproverRemoved) -> StageState:
        """The open stage, for an administrator who may change who is asked."""
        stage = self._open_stage()
        if not event.administrator or event.by in self.barred(stage.index):
            raise RefusedError(Refusal.NOT_PERMITTED)
        return stage

    def approver_added(self, event: events.ApproverAdded) -> None:
        """Ask somebody else, too."""
        stage = self._steering(event)
        directory = self._check_newcomer(event.person, stage)
        vetoers = (event.person,) if directory.means(self.rules.veto, event.person) else ()
        weight = min(max(1, event.weight), MAX_WEIGHT)
        number = stage.seats_made + 1
        seat = Seat(f"{stage.id}/{number}", event.person, (event.person,), weight, vetoers=vetoers)
        required = tuple(
            (*group, seat.id) if directory.means((principal,), event.person) else group
            for principal, group in zip(self.rules.required, stage.required, strict=True)
        )
        self.change_stage(seats=(*stage.seats, seat), required=required, seats_made=number)
        self._stage, self._seat = stage.id, seat.id
        self.record(Entry.APPROVER_ADDED, by=event.by, stage=stage.id, seat=seat.id, people=(event.person,))
        self.notify(Notice.ASKED, (event.person,), stage.id)
        self.settle()

    def approver_removed(self, event: events.ApproverRemoved) -> None:
        """Take away a seat that has not voted and without which the stage can still pass."""
        stage = self._steering(event)
        seat = _by_id(stage, event.seat)
        if seat is None:
            raise RefusedError(Refusal.UNKNOWN_SEAT)
        if seat.vote is not None:
            raise RefusedError(Refusal.ALREADY_DECIDED)
        without = replace(stage, seats=tuple(one for one in stage.seats if one.id != seat.id))
        if not passes(self.rules, without, silent=Decision.APPROVE):
            raise RefusedError(Refusal.QUORUM_UNREACHABLE)
        self.change_stage(seats=without.seats)
        self._stage, self._seat = stage.id, seat.id
        self.record(Entry.APPROVER_REMOVED, by=event.by, stage=stage.id, seat=seat.id, people=seat.people)
        self.notify(Notice.NO_LONGER_ASKED, seat.people, stage.id)
        self.settle()

    def approver_left(self, event: events.ApproverLeft) -> None:
        """Ask somebody who is there instead of who has left; decisions that were made stand."""
        person = event.person
        if self.state.status is Status.CLOSED or person in self.state.gone:
            return
        kept = tuple(one for one in self.state.delegations if person not in {one.by, one.to})
        self.change(gone=(*self.state.gone, person), delegations=kept)
        self.record(Entry.APPROVER_LEFT, people=(person,))
        if self.state.status is not Status.PENDING:
            return
        stage = self.state.stage
        self.change_stage(escalated_to=tuple(one for one in stage.escalated_to if one != person))
        seat = _seat_of(stage, person)
        if seat is not None and seat.vote is None:
            changed = _left_by(seat, (person,))
            self.change_seat(changed)
            if not changed.people:
                self.vacate(changed)
        self.settle()

    def members_changed(self, event: events.MembersChanged) -> None:
        """Know who has a role from now on."""
        if self.state.status is Status.CLOSED:
            return
        members = tuple(sorted(set(event.members)))
        self.change(roles=dict(sorted({**self.state.roles, event.role: members}.items())))
        self.record(Entry.MEMBERS_CHANGED, code=event.role, people=members)

    # The rest

    def opened_again(self, _event: events.Opened) -> None:
        """A request is opened once."""
        raise RefusedError(Refusal.ALREADY_OPEN)

    def reminder_asked(self, event: events.ReminderAsked) -> None:
        """Remind people now, at most once an hour."""
        self._open_stage()
        if not event.administrator and event.by != self.state.requester:
            raise RefusedError(Refusal.NOT_PERMITTED)
        last = self.state.reminded_at
        if last is not None and self.now < last + REMIND_AGAIN_AFTER:
            raise RefusedError(Refusal.REMINDED_RECENTLY)
        self.remind(event.by)

    def cancelled(self, event: events.Cancelled) -> None:
        """End the request."""
        if self.state.status is Status.CLOSED:
            raise RefusedError(Refusal.STAGE_CLOSED)
        if not event.administrator and event.by != self.state.requester:
            raise RefusedError(Refusal.NOT_PERMITTED)
        self.complete(Outcome.CANCELLED, Closing(event.reason.value))


def _seat_of(stage: StageState, person: str) -> Seat | None:
    return next((seat for seat in stage.seats if person in seat.people), None)


def _left_by(seat: Seat, gone: Collection[str]) -> Seat:
    """The seat without who has left; the veto of the last of them stays with it."""
    people = tuple(person for person in seat.people if person not in gone)
    vetoers = tuple(person for person in seat.vetoers if person not in gone)
    veto = seat.veto or (not people and bool(seat.vetoers))
    return replace(seat, people=people, veto=veto, vetoers=vetoers)


def _by_id(stage: StageState, identifier: str) -> Seat | None:
    return next((seat for seat in stage.seats if seat.id == identifier), None)


def _closed(by: Closing | None) -> Refusal:
    return Refusal.PAST_DUE if by is Closing.DEADLINE else Refusal.STAGE_CLOSED


_HANDLERS: Mapping[type, Any] = {
    events.Opened: _Telling.opened_again,
    events.Decided: _Telling.decided,
    events.Revoked: _Telling.revoked,
    events.Delegated: _Telling.delegated,
    events.DelegationEnded: _Telling.delegation_ended,
    events.Reassigned: _Telling.reassigned,
    events.ApproverAdded: _Telling.approver_added,
    events.ApproverRemoved: _Telling.approver_removed,
    events.ApproverLeft: _Telling.approver_left,
    events.MembersChanged: _Telling.members_changed,
    events.Revised: _Telling.revised,
    events.ReminderAsked: _Telling.reminder_asked,
    events.Cancelled: _Telling.cancelled,
}
