"""Where an approval stands: all that the engine needs to go on, as plain values that JSON holds unchanged."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from perdure.domain.approval_effects import Outcome
from perdure.domain.approval_events import Decision
from perdure.domain.approval_refusals import Refusal


class Status(StrEnum):
    """Whether a request takes decisions."""

    PENDING = "pending"
    WAITING_FOR_REVISION = "waiting_for_revision"
    CLOSED = "closed"


class Hold(StrEnum):
    """Why a stage waits for somebody to step in."""

    OVERDUE = "overdue"
    NEEDS_APPROVER = "needs_approver"


class Closing(StrEnum):
    """Why a stage or a request ended."""

    CERTAIN = "certain"
    """No vote that is missing could change it."""
    VETO = "veto"
    ESCALATION = "escalation"
    DEADLINE = "deadline"
    VETO_LAPSED = "veto_lapsed"
    """The rule was met, and who could have vetoed was silent until the deadline."""
    REVISION = "revision"
    WITHDRAWN = "withdrawn"
    CANCELLED = "cancelled"
    DOCUMENT_DELETED = "document_deleted"


class TimerKind(StrEnum):
    """What a timer is for."""

    REMINDER = "reminder"
    DUE = "due"
    REVISION = "revision"


@dataclass(frozen=True, slots=True)
class Vote:
    """A decision that counts. `stands_in`: of somebody to whom the stage was escalated."""

    decision: Decision
    by: str
    at: datetime
    revision: str
    on_behalf_of: str | None = None
    veto: bool = False
    stands_in: bool = False
    comment: str = ""
    form: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Seat:
    """One vote. Whoever of its people answers first has it; without people it waits to be given to somebody.

    `veto` belongs to the seat, `vetoers` are people of it who have one for themselves.
    """

    id: str
    principal: str
    people: tuple[str, ...]
    weight: int = 1
    veto: bool = False
    vetoers: tuple[str, ...] = ()
    vote: Vote | None = None

    @property
    def may_veto(self) -> bool:
        """Whether a rejection here can end the stage."""
        return self.veto or bool(self.vetoers)


@dataclass(frozen=True, slots=True)
class StageState:
    """A stage that was opened. Each of `required` is a list of seats of which one must approve."""

    index: int
    id: str
    opened_at: datetime
    seats: tuple[Seat, ...]
    required: tuple[tuple[str, ...], ...] = ()
    due_at: datetime | None = None
    seats_made: int = 0
    escalated_to: tuple[str, ...] = ()
    deadlines_passed: int = 0
    hold: Hold | None = None
    approved: bool | None = None
    closed_at: datetime | None = None
    closed_by: Closing | None = None


@dataclass(frozen=True, slots=True)
class Delegation:
    """`to` may decide for `by`; without a stage, in the whole request."""

    by: str
    to: str
    stage: str | None
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class Timer:
    """Something that will happen when nothing changes it."""

    id: str
    kind: TimerKind
    at: datetime


@dataclass(frozen=True, slots=True)
class Answer:
    """What somebody is told who told an approval something; the same again for the same key."""

    accepted: bool
    refusal: Refusal | None = None
    detail: str = ""
    at: datetime | None = None
    stage: str | None = None
    seat: str | None = None


@dataclass(frozen=True, slots=True)
class Remembered:
    """What was accepted under a key, and the SHA-256 of it."""

    digest: str
    answer: Answer


@dataclass(frozen=True, slots=True)
class ApprovalState:
    """One request. `stages` are those of this round that were opened; the last is the one that is open."""

    sequence: int
    at: datetime
    requester: str
    revision: str
    authors: tuple[str, ...] = ()
    roles: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    addresses: Mapping[str, str] = field(default_factory=dict)
    status: Status = Status.PENDING
    round: int = 1
    stages: tuple[StageState, ...] = ()
    delegations: tuple[Delegation, ...] = ()
    gone: tuple[str, ...] = ()
    timers: tuple[Timer, ...] = ()
    answers: Mapping[str, Remembered] = field(default_factory=dict)
    reminded_at: datetime | None = None
    outcome: Outcome | None = None
    closed_by: Closing | None = None

    @property
    def stage(self) -> StageState:
        """The stage that was opened last."""
        return self.stages[-1]


def next_timer(state: ApprovalState) -> Timer | None:
    """What is due next; for a workflow that keeps one durable timer."""
    return min(state.timers, key=lambda timer: (timer.at, timer.id), default=None)
