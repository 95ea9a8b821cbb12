"""What an approval wants done. Each effect has an id of its own, the same whenever it is worked out again."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal


class Outcome(StrEnum):
    """How a request can end."""

    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"
    """Changes were asked for, and nobody made them in time."""
    VOID = "void"
    """The document was changed, and the policy asks nobody again."""
    CANCELLED = "cancelled"


class Notice(StrEnum):
    """What people are told."""

    ASKED = "asked"
    NO_LONGER_ASKED = "no_longer_asked"
    CHANGES_REQUESTED = "changes_requested"
    COMPLETED = "completed"
    OVERDUE = "overdue"
    NEEDS_APPROVER = "needs_approver"
    """The stage cannot pass with those who are asked: an administrator must name somebody."""


class Entry(StrEnum):
    """What is recorded."""

    OPENED = "opened"
    STAGE_OPENED = "stage_opened"
    DECIDED = "decided"
    REVOKED = "revoked"
    DELEGATED = "delegated"
    DELEGATION_ENDED = "delegation_ended"
    REASSIGNED = "reassigned"
    APPROVER_ADDED = "approver_added"
    APPROVER_REMOVED = "approver_removed"
    APPROVER_LEFT = "approver_left"
    MEMBERS_CHANGED = "members_changed"
    REVISED = "revised"
    REMINDED = "reminded"
    ESCALATED = "escalated"
    HELD = "held"
    EXPIRED = "expired"
    STAGE_CLOSED = "stage_closed"
    COMPLETED = "completed"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notify:
    """Tell people something; `CHANGES_REQUESTED` and `COMPLETED` go to the requester."""

    id: str
    notice: Notice
    people: tuple[str, ...]
    stage: str | None = None
    kind: Literal["notify"] = "notify"


@dataclass(frozen=True, slots=True, kw_only=True)
class Remind:
    """Remind those who have not answered."""

    id: str
    people: tuple[str, ...]
    stage: str
    due_at: datetime | None
    kind: Literal["remind"] = "remind"


@dataclass(frozen=True, slots=True, kw_only=True)
class Escalate:
    """Ask others instead: for a whole stage, or for one seat whose people are gone."""

    id: str
    to: tuple[str, ...]
    stage: str
    seat: str | None = None
    due_at: datetime | None = None
    kind: Literal["escalate"] = "escalate"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleTimer:
    """Say `TimerDue` then. A timer that no longer matters does nothing when it comes."""

    id: str
    timer: str
    at: datetime
    kind: Literal["schedule_timer"] = "schedule_timer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Write it into the audit trail, with what the person saw."""

    id: str
    entry: Entry
    at: datetime
    revision: str
    by: str | None = None
    on_behalf_of: str | None = None
    stage: str | None = None
    seat: str | None = None
    code: str | None = None
    people: tuple[str, ...] = ()
    comment: str = ""
    kind: Literal["record"] = "record"


@dataclass(frozen=True, slots=True, kw_only=True)
class Complete:
    """The request has ended."""

    id: str
    outcome: Outcome
    reason: str
    kind: Literal["complete"] = "complete"


Effect = Notify | Remind | Escalate | ScheduleTimer | Record | Complete
