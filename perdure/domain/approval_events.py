"""What an approval is told. People are written `user:…` or `email:…`; who they are was checked before.

Whoever tells it gives each event a `key` of their own: told twice, it happens once. `administrator` says that the
person may steer approvals in the organisation.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal


class Decision(StrEnum):
    """What an approver can say."""

    APPROVE = "approve"
    REJECT = "reject"
    REQUEST_CHANGES = "request_changes"
    ABSTAIN = "abstain"


class CancelReason(StrEnum):
    """Why a request ends without an outcome."""

    WITHDRAWN = "withdrawn"
    CANCELLED = "cancelled"
    DOCUMENT_DELETED = "document_deleted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """Somebody asks. `revision` is the SHA-256 of what is shown; roles and addresses say who is meant by them."""

    key: str
    requester: str
    revision: str
    authors: tuple[str, ...] = ()
    roles: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    addresses: Mapping[str, str] = field(default_factory=dict)
    kind: Literal["opened"] = "opened"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """An approver decides on what was shown to them, for themselves or on behalf of who delegated to them.

    `revision_is_implied`: they did not say on what, and `revision` is what was there; said again, it is the same.
    """

    key: str
    by: str
    decision: Decision
    revision: str
    revision_is_implied: bool = False
    comment: str = ""
    form: Mapping[str, Any] | None = None
    on_behalf_of: str | None = None
    stage: str | None = None
    kind: Literal["decided"] = "decided"


@dataclass(frozen=True, slots=True, kw_only=True)
class Revoked:
    """An approver takes their decision back."""

    key: str
    by: str
    kind: Literal["revoked"] = "revoked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delegated:
    """An approver lets somebody decide for them, in the stage that is open or in the whole request."""

    key: str
    by: str
    to: str
    whole_request: bool = False
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    kind: Literal["delegated"] = "delegated"


@dataclass(frozen=True, slots=True, kw_only=True)
class DelegationEnded:
    """An approver decides for themselves again."""

    key: str
    by: str
    to: str
    kind: Literal["delegation_ended"] = "delegation_ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reassigned:
    """A seat is given to somebody else: by who has it, or by an administrator, who names it."""

    key: str
    by: str
    to: str
    seat: str | None = None
    administrator: bool = False
    kind: Literal["reassigned"] = "reassigned"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApproverAdded:
    """Somebody is asked, too."""

    key: str
    by: str
    person: str
    weight: int = 1
    administrator: bool = False
    kind: Literal["approver_added"] = "approver_added"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApproverRemoved:
    """A seat is taken away."""

    key: str
    by: str
    seat: str
    administrator: bool = False
    kind: Literal["approver_removed"] = "approver_removed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApproverLeft:
    """Somebody is no longer in the organisation."""

    key: str
    person: str
    kind: Literal["approver_left"] = "approver_left"


@dataclass(frozen=True, slots=True, kw_only=True)
class MembersChanged:
    """A role has other members; stages that open later ask them."""

    key: str
    role: str
    members: tuple[str, ...]
    kind: Literal["members_changed"] = "members_changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Revised:
    """There is a new revision of the document."""

    key: str
    by: str
    revision: str
    kind: Literal["revised"] = "revised"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReminderAsked:
    """Somebody wants those reminded who have not answered."""

    key: str
    by: str
    administrator: bool = False
    kind: Literal["reminder_asked"] = "reminder_asked"


@dataclass(frozen=True, slots=True, kw_only=True)
class TimerDue:
    """A timer that was asked for has come. What is due by the clock happens with any event."""

    timer: str
    kind: Literal["timer_due"] = "timer_due"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancelled:
    """The request ends, whatever was decided."""

    key: str
    by: str
    reason: CancelReason = CancelReason.CANCELLED
    administrator: bool = False
    kind: Literal["cancelled"] = "cancelled"


Event = (
    Opened
    | Decided
    | Revoked
    | Delegated
    | DelegationEnded
    | Reassigned
    | ApproverAdded
    | ApproverRemoved
    | ApproverLeft
    | MembersChanged
    | Revised
    | ReminderAsked
    | TimerDue
    | Cancelled
)
