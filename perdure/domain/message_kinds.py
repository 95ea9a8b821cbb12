"""What people and other programs are told of."""

from enum import StrEnum


class EventType(StrEnum):
    """What other programs can be told of."""

    APPROVAL_REQUESTED = "approval.requested"
    APPROVAL_DECIDED = "approval.decided"
    APPROVAL_COMPLETED = "approval.completed"
    WORKFLOW_COMPLETED = "workflow.completed"
    WORKFLOW_FAILED = "workflow.failed"
    BUDGET_SOFT_REACHED = "budget.soft_reached"
    PROVIDER_DEGRADED = "provider.degraded"
    TEST = "test"
    """Somebody tries an endpoint."""


class LetterKind(StrEnum):
    """Letters that are written anew whenever they are sent: `reference` says about what."""

    APPROVAL_ASKED = "approval.asked"
    APPROVAL_REMINDER = "approval.reminder"
    APPROVAL_ESCALATED = "approval.escalated"
    APPROVAL_NO_LONGER_ASKED = "approval.no_longer_asked"
    APPROVAL_CHANGES_REQUESTED = "approval.changes_requested"
    APPROVAL_COMPLETED = "approval.completed"
    APPROVAL_OVERDUE = "approval.overdue"
    APPROVAL_NEEDS_APPROVER = "approval.needs_approver"
    NOTIFICATION = "notification"
    """A step of a document workflow says it: `body` is `{"subject": …, "text": …}`."""
    ALERT = "alert"
    """The installation says it, in the same form."""


class DeliveryFault(StrEnum):
    """Why an attempt failed, for programs; its `detail` says it to people."""

    UNREACHABLE = "unreachable"
    TIMED_OUT = "timed_out"
    UNTRUSTED_CERTIFICATE = "untrusted_certificate"
    NOT_ENCRYPTED = "not_encrypted"
    """A password would have gone in the open."""
    LOGIN_REFUSED = "login_refused"
    NOT_ALLOWED = "not_allowed"
    """Nobody may send there."""
    REFUSED = "refused"
    """The receiver answered, and did not take it."""
