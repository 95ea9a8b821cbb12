"""What a policy would do: events at given times, the timers that come between them, and who would still be asked."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from perdure.domain.approval_effects import Effect
from perdure.domain.approval_events import Event, Opened, TimerDue
from perdure.domain.approval_policies import ApprovalPolicy
from perdure.domain.approval_state import Answer, ApprovalState, Status, next_timer
from perdure.domain.approvals import Asked, Transition, advance, begin, still_asked


@dataclass(frozen=True, slots=True)
class TimedEvent:
    """Something that somebody does at a time."""

    at: datetime
    event: Event


@dataclass(frozen=True, slots=True)
class Moment:
    """What happened at a time, and where the request stood then."""

    at: datetime
    event: Event
    answer: Answer
    effects: tuple[Effect, ...]
    status: Status
    stage: str


@dataclass(frozen=True, slots=True)
class Simulation:
    """A request from its beginning on. `asked` are those who would have to answer for it to go on."""

    timeline: tuple[Moment, ...]
    state: ApprovalState
    asked: tuple[Asked, ...]


def simulate(
    policy: ApprovalPolicy,
    opened: Opened,
    starts_at: datetime,
    told: Sequence[TimedEvent] = (),
    until: datetime | None = None,
) -> Simulation:
    """Play a request; timers come exactly when they are due. Without `until`, up to the last that is set."""
    step = begin(policy, opened, starts_at)
    timeline = [_moment(opened, step)]
    for timed in sorted(told, key=lambda one: one.at):
        if until is not None and timed.at > until:
            break
        step = _wait(policy, step, timed.at, timeline)
        step = advance(policy, step.state, timed.event, timed.at)
        timeline.append(_moment(timed.event, step, max(timed.at, timeline[-1].at)))
    step = _wait(policy, step, until, timeline)
    now = until or step.state.at
    return Simulation(tuple(timeline), step.state, still_asked(policy, step.state, now))


def _wait(
    policy: ApprovalPolicy, step: Transition, until: datetime | None, timeline: list[Moment]
) -> Transition:
    """Let timers come, one after the other."""
    while (timer := next_timer(step.state)) and (until is None or timer.at <= until):
        event = TimerDue(timer=timer.id)
        step = advance(policy, step.state, event, timer.at)
        timeline.append(_moment(event, step))
    return step


def _moment(event: Event, step: Transition, at: datetime | None = None) -> Moment:
    state = step.state
    return Moment(at or state.at, event, step.answer, step.effects, state.status, state.stage.id)
