"""The course of an approval: stages open, ask, remind, escalate, close, and end the request."""

from dataclasses import replace
from datetime import datetime
from itertools import count

from perdure.domain.approval_effects import (
    Complete,
    Effect,
    Entry,
    Escalate,
    Notice,
    Notify,
    Outcome,
    Record,
    Remind,
    ScheduleTimer,
)
from perdure.domain.approval_events import Decision
from perdure.domain.approval_policies import ApprovalPolicy, OnTimeout, Reminder, ReminderKind, Stage
from perdure.domain.approval_seats import Directory, directory_of, seats_of
from perdure.domain.approval_state import (
    ApprovalState,
    Closing,
    Hold,
    Seat,
    StageState,
    Status,
    Timer,
    TimerKind,
)
from perdure.domain.approval_voting import Standing, passes, standing
from perdure.domain.business_calendar import Span, after, before


class Course:
    """One step of a request: its state is replaced piece by piece, its effects are collected.

    An effect's id is the number of the step and its place in it.
    """

    def __init__(self, policy: ApprovalPolicy, state: ApprovalState, now: datetime) -> None:
        self.policy, self.state, self.now = policy, state, now
        self.effects: list[Effect] = []
        self._step, self._numbers = state.sequence + 1, count(1)

    # What a step is made of

    def change(self, **changes: object) -> None:
        """Replace parts of the state."""
        self.state = replace(self.state, **changes)  # type: ignore[arg-type]  # fields of the state

    def change_stage(self, **changes: object) -> None:
        """Replace parts of the stage that is open."""
        stage = replace(self.state.stage, **changes)  # type: ignore[arg-type]  # fields of the stage
        self.change(stages=(*self.state.stages[:-1], stage))

    def change_seat(self, changed: Seat) -> None:
        """Replace a seat of the stage that is open."""
        seats = tuple(changed if seat.id == changed.id else seat for seat in self.state.stage.seats)
        self.change_stage(seats=seats)

    def effect_id(self) -> str:
        """The next effect's id."""
        return f"{self._step}.{next(self._numbers)}"

    def record(
        self,
        entry: Entry,
        *,
        by: str | None = None,
        on_behalf_of: str | None = None,
        stage: str | None = None,
        seat: str | None = None,
        code: str | None = None,
        people: tuple[str, ...] = (),
        comment: str = "",
    ) -> None:
        """Have something written into the audit trail."""
        self.effects.append(
            Record(
                id=self.effect_id(),
                entry=entry,
                at=self.now,
                revision=self.state.revision,
                by=by,
                on_behalf_of=on_behalf_of,
                stage=stage,
                seat=seat,
                code=code,
                people=people,
                comment=comment,
            )
        )

    def notify(self, notice: Notice, people: tuple[str, ...], stage: str | None = None) -> None:
        """Have people told, once each."""
        if people:
            told = tuple(dict.fromkeys(people))
            self.effects.append(Notify(id=self.effect_id(), notice=notice, people=told, stage=stage))

    @property
    def rules(self) -> Stage:
        """The policy of the stage that is open."""
        return self.policy.stages[self.state.stage.index]

    def barred(self, index: int) -> tuple[str, ...]:
        """Who does not decide in a stage, because of what else they did."""
        duties, found = self.policy.separation_of_duties, list[str]()
        if duties.requester:
            found.append(self.state.requester)
        if duties.authors:
            found.extend(self.state.authors)
        if duties.earlier_stages:
            earlier = [stage for stage in self.state.stages if stage.index < index]
            found.extend(seat.vote.by for stage in earlier for seat in stage.seats if seat.vote)
        return tuple(found)

    def directory(self, index: int) -> Directory:
        """Who may be asked in a stage."""
        return directory_of(self.state, self.barred(index))

    def waiting(self) -> tuple[str, ...]:
        """Who is asked in the open stage and has not answered."""
        stage = self.state.stage
        seated = [person for seat in stage.seats if seat.vote is None for person in seat.people]
        return tuple(dict.fromkeys((*seated, *stage.escalated_to)))

    # Stages

    def open_stage(self, index: int) -> None:
        """Ask the people of a stage."""
        rules, directory = self.policy.stages[index], self.directory(index)
        seats, required = seats_of(rules, directory)
        stage = StageState(index, rules.id, self.now, seats, required, seats_made=len(seats))
        self.change(stages=(*self.state.stages, stage), status=Status.PENDING)
        self.record(Entry.STAGE_OPENED, stage=rules.id, people=self.waiting())
        self.notify(Notice.ASKED, self.waiting(), rules.id)
        if rules.due_in is not None:
            self._give_time(rules.due_in)
        for seat in seats:
            if not seat.people:
                self.vacate(seat)
        self.settle()

    def settle(self) -> None:
        """Close the open stage when its outcome is certain; call for help when it cannot pass."""
        match standing(self.rules, self.state.stage):
            case Standing.VETOED:
                self.close_stage(False, Closing.VETO)
            case Standing.FAILED:
                self.close_stage(False, Closing.CERTAIN)
            case Standing.PASSED:
                self.close_stage(True, Closing.CERTAIN)
            case Standing.IMPOSSIBLE:
                if not self.state.stage.escalated_to and not self.escalate_stage(renew=False):
                    self.hold(Hold.NEEDS_APPROVER)
            case Standing.OPEN:
                vacant = any(not seat.people and seat.vote is None for seat in self.state.stage.seats)
                if self.state.stage.hold is Hold.NEEDS_APPROVER and not vacant:
                    self.change_stage(hold=None)

    def close_stage(self, approved: bool, by: Closing) -> None:
        """End the open stage, and go on to the next or to the end."""
        stage, waiting = self.state.stage, self.waiting()
        self.change_stage(approved=approved, closed_at=self.now, closed_by=by, hold=None)
        self.change(timers=())
        outcome = "approved" if approved else "rejected"
        self.record(Entry.STAGE_CLOSED, stage=stage.id, code=f"{outcome}:{by}")
        self.notify(Notice.NO_LONGER_ASKED, waiting, stage.id)
        if not approved:
            self.complete(Outcome.REJECTED, by)
        elif stage.index + 1 == len(self.policy.stages):
            self.complete(Outcome.APPROVED, by)
        else:
            self.open_stage(stage.index + 1)

    def complete(self, outcome: Outcome, by: Closing) -> None:
        """End the request."""
        if self.state.status is Status.PENDING and self.state.stage.closed_at is None:
            self.notify(Notice.NO_LONGER_ASKED, self.waiting(), self.state.stage.id)
        self.change(status=Status.CLOSED, outcome=outcome, closed_by=by, timers=())
        self.record(Entry.COMPLETED, code=f"{outcome}:{by}")
        self.effects.append(Complete(id=self.effect_id(), outcome=outcome, reason=by.value))
        self.notify(Notice.COMPLETED, (self.state.requester,))

    # Seats that nobody has

    def vacate(self, seat: Seat) -> None:
        """Find somebody for a seat whose people are gone, do without it, or call for help.

        Nobody's absence rejects anything, and no veto or requirement goes away with whoever had it.
        """
        stage = self.state.stage
        directory = self.directory(stage.index)
        seated = [person for one in stage.seats for person in one.people]
        voted = [one.vote.by for one in stage.seats if one.vote]
        to = directory.asked(self.rules.escalate_to, (*seated, *voted))
        if to:
            self.change_seat(replace(seat, people=to))
            self.record(Entry.ESCALATED, stage=stage.id, seat=seat.id, people=to)
            self.effects.append(
                Escalate(id=self.effect_id(), to=to, stage=stage.id, seat=seat.id, due_at=stage.due_at)
            )
            return
        without = replace(stage, seats=tuple(one for one in stage.seats if one.id != seat.id))
        if not seat.may_veto and passes(self.rules, without, silent=Decision.APPROVE):
            self.change_stage(seats=without.seats)
            self.record(Entry.APPROVER_REMOVED, stage=stage.id, seat=seat.id)
            return
        self.change_seat(replace(seat, people=()))
        self.hold(Hold.NEEDS_APPROVER)

    def hold(self, reason: Hold) -> None:
        """Wait for somebody to step in, and say so once."""
        stage = self.state.stage
        if stage.hold is reason:
            return
        self.change_stage(hold=reason)
        self.record(Entry.HELD, stage=stage.id, code=reason.value)
        if reason is Hold.OVERDUE:
            self.notify(Notice.OVERDUE, (self.state.requester, *self.waiting()), stage.id)
        else:
            self.notify(Notice.NEEDS_APPROVER, (self.state.requester,), stage.id)

    # Time

    def catch_up(self) -> None:
        """Let happen what is due. Of reminders that nobody was there to send, one is sent."""
        while due := [timer for timer in self.state.timers if timer.at <= self.now]:
            ends = [timer for timer in due if timer.kind is not TimerKind.REMINDER]
            spent = ends[:1] or due
            self.change(timers=tuple(timer for timer in self.state.timers if timer not in spent))
            if not ends:
                self.remind()
            elif ends[0].kind is TimerKind.REVISION:
                self.complete(Outcome.EXPIRED, Closing.DEADLINE)
            else:
                self._deadline()

    def remind(self, by: str | None = None) -> None:
        """Remind those who have not answered."""
        stage, people = self.state.stage, self.waiting()
        self.change(reminded_at=self.now)
        self.record(Entry.REMINDED, by=by, stage=stage.id, people=people)
        if people:
            self.effects.append(
                Remind(id=self.effect_id(), people=people, stage=stage.id, due_at=stage.due_at)
            )

    def schedule(self, kind: TimerKind, at: datetime, name: str) -> None:
        """Ask for a timer."""
        timer = Timer(f"{kind.value}/{name}", kind, at)
        self.change(timers=(*self.state.timers, timer))
        self.effects.append(ScheduleTimer(id=self.effect_id(), timer=timer.id, at=at))

    def escalate_stage(self, *, renew: bool) -> bool:
        """Let others stand in for all who are silent; False when there is nobody. `renew` gives them time."""
        stage = self.state.stage
        voted = [seat.vote.by for seat in stage.seats if seat.vote]
        to = self.directory(stage.index).asked(self.rules.escalate_to, voted)
        if not to:
            return False
        self.change_stage(escalated_to=to)
        span = self.rules.escalated_due_in or self.rules.due_in
        if renew and span is not None:
            self._give_time(span)
        self.record(Entry.ESCALATED, stage=stage.id, people=to)
        due_at = self.state.stage.due_at
        self.effects.append(Escalate(id=self.effect_id(), to=to, stage=stage.id, due_at=due_at))
        return True

    def _give_time(self, span: Span) -> None:
        due_at = after(self.policy.calendar, self.now, span)
        self.change_stage(due_at=due_at)
        stage = self.state.stage
        name = f"{stage.id}/{self.state.round}/{stage.deadlines_passed}"
        instants = {self._reminded_at(reminder, span, due_at) for reminder in self.rules.reminders}
        for number, at in enumerate(sorted(instants), start=1):
            if self.now < at < due_at:
                self.schedule(TimerKind.REMINDER, at, f"{name}/{number}")
        self.schedule(TimerKind.DUE, due_at, name)

    def _reminded_at(self, reminder: Reminder, due_in: Span, due_at: datetime) -> datetime:
        calendar = self.policy.calendar
        if reminder.kind is ReminderKind.AFTER and reminder.span is not None:
            return after(calendar, self.now, reminder.span)
        if reminder.kind is ReminderKind.BEFORE and reminder.span is not None:
            return before(calendar, due_at, reminder.span)
        if calendar is not None and due_in.business:
            work = calendar.between(self.now, due_at)
            return calendar.add(self.now, work * reminder.numerator // reminder.denominator)
        return self.now + (due_at - self.now) * reminder.numerator // reminder.denominator

    def _deadline(self) -> None:
        stage, rules = self.state.stage, self.rules
        self.record(Entry.EXPIRED, stage=stage.id)
        self.change_stage(deadlines_passed=stage.deadlines_passed + 1)
        self.change(timers=())
        if standing(rules, stage, vetoes_lapsed=True) is Standing.PASSED:
            self.close_stage(True, Closing.VETO_LAPSED)
            return
        first = stage.deadlines_passed == 0
        action = rules.on_timeout if first else rules.on_escalation_timeout
        if action is OnTimeout.ESCALATE and self.escalate_stage(renew=True):
            return
        if action in {OnTimeout.ESCALATE, OnTimeout.HOLD}:
            self.hold(Hold.OVERDUE)
        else:
            self.close_stage(action is OnTimeout.APPROVE, Closing.DEADLINE)
