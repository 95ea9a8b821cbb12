"""The audit trail as a chain: what an event says, how it is hashed, and what speaks against a stored chain.

Each organisation has a chain of its own. An event's hash covers all that it says and the hash before it, so
that no event can be changed, moved or taken out without breaking the chain after it; what is cut off at the end
is missed by the head and by the anchors, which are kept outside the table. What went at the beginning for its age
is vouched for by a signed cut, which is kept there too.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from perdure.domain.audit_anchors import Anchor

GENESIS = "0" * 64
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PREFIX = b"perdure audit event v1\x00"
_FAULTS_NAMED = 100


class Action(StrEnum):
    """What is recorded; a new kind of event is a line here."""

    USER_REGISTERED = "user.registered"
    USER_LOGGED_IN = "user.logged_in"
    USER_LOGIN_FAILED = "user.login_failed"
    USER_LOGGED_OUT = "user.logged_out"
    REFRESH_TOKEN_REUSED = "user.refresh_token_reused"  # noqa: S105  # a name, not a token
    MEMBER_ADDED = "member.added"
    MEMBER_ROLE_CHANGED = "member.role_changed"
    MEMBER_REMOVED = "member.removed"
    API_KEY_CREATED = "api_key.created"
    API_KEY_REVOKED = "api_key.revoked"
    ORGANISATION_CREATED = "organisation.created"
    ORGANISATION_RENAMED = "organisation.renamed"
    DOCUMENT_DELETED = "document.deleted"
    MEMORIES_FORGOTTEN = "memories.forgotten"
    MEMORY_CHANGE_UNDONE = "memories.change_undone"
    PROPOSAL_DECIDED = "memories.proposal_decided"
    EVOLUTION_CHANGED = "memories.evolution_changed"
    OPERATION_CANCELLED = "operation.cancelled"
    OPERATION_RETRIED = "operation.retried"
    EXPORT_REQUESTED = "data.export_requested"
    EXPORT_DOWNLOADED = "data.export_downloaded"
    RETENTION_CHANGED = "retention.changed"
    RETENTION_APPLIED = "retention.applied"
    AUDIT_TRIMMED = "audit.trimmed"
    ERASURE_REQUESTED = "data.erasure_requested"
    ERASURE_COMPLETED = "data.erasure_completed"
    SECRET_CREATED = "secret.created"  # noqa: S105  # names, not secrets
    SECRET_REPLACED = "secret.replaced"  # noqa: S105
    SECRET_READ = "secret.read"  # noqa: S105
    SECRET_DELETED = "secret.deleted"  # noqa: S105
    KEY_ROTATION_REQUESTED = "keys.rotation_requested"
    KEYS_ROTATED = "keys.rotated"
    PAYLOAD_DECODED = "payload.decoded"
    PROVIDER_KEY_CREATED = "provider_key.created"
    PROVIDER_KEY_CHANGED = "provider_key.changed"
    PROVIDER_KEY_TESTED = "provider_key.tested"
    PROVIDER_KEY_REVOKED = "provider_key.revoked"
    ROUTING_CHANGED = "providers.routing_changed"
    BUDGET_CHANGED = "providers.budget_changed"
    BUDGET_SOFT_REACHED = "providers.budget_soft_reached"
    CLASSIFICATION_WORKFLOW_CREATED = "classification.workflow_created"
    CLASSIFICATION_VERSION_CREATED = "classification.version_created"
    CLASSIFICATION_VERSION_ACTIVATED = "classification.version_activated"
    CLASSIFICATION_WORKFLOW_ARCHIVED = "classification.workflow_archived"
    CLASSIFICATION_REVIEWED = "classification.reviewed"
    WEBHOOK_CREATED = "webhook.created"
    WEBHOOK_CHANGED = "webhook.changed"
    WEBHOOK_SECRET_ROTATED = "webhook.secret_rotated"  # noqa: S105  # a name, not a secret
    WEBHOOK_REMOVED = "webhook.removed"
    MESSAGE_REPLAYED = "message.replayed"
    PROVIDER_DEGRADED = "providers.degraded"
    EXPIRED_CLEANED_UP = "expired.cleaned_up"
    WORKFLOW_CREATED = "workflow.created"
    WORKFLOW_VERSION_CREATED = "workflow.version_created"
    WORKFLOW_ARCHIVED = "workflow.archived"
    WORKFLOW_SHARED = "workflow.shared"
    WORKFLOW_EXECUTED = "workflow.executed"
    APPROVAL_OPENED = "approval.opened"
    APPROVAL_STAGE_OPENED = "approval.stage_opened"
    APPROVAL_DECIDED = "approval.decided"
    APPROVAL_REVOKED = "approval.revoked"
    APPROVAL_DELEGATED = "approval.delegated"
    APPROVAL_DELEGATION_ENDED = "approval.delegation_ended"
    APPROVAL_REASSIGNED = "approval.reassigned"
    APPROVAL_APPROVER_ADDED = "approval.approver_added"
    APPROVAL_APPROVER_REMOVED = "approval.approver_removed"
    APPROVAL_APPROVER_LEFT = "approval.approver_left"
    APPROVAL_MEMBERS_CHANGED = "approval.members_changed"
    APPROVAL_REVISED = "approval.revised"
    APPROVAL_REMINDED = "approval.reminded"
    APPROVAL_ESCALATED = "approval.escalated"
    APPROVAL_HELD = "approval.held"
    APPROVAL_EXPIRED = "approval.expired"
    APPROVAL_STAGE_CLOSED = "approval.stage_closed"
    APPROVAL_COMPLETED = "approval.completed"
    APPROVAL_REFUSED = "approval.refused"
    APPROVAL_COMMENTED = "approval.commented"
    APPROVAL_TOKEN_ISSUED = "approval.token_issued"  # noqa: S105  # a name, not a token


class ActorKind(StrEnum):
    """Who did it."""

    USER = "user"
    API_KEY = "api_key"
    SYSTEM = "system"
    ANONYMOUS = "anonymous"


@dataclass(frozen=True)
class Actor:
    """Who acts, and from where. `person_id` is the user behind it: an API key's maker, a log-in's account."""

    kind: ActorKind
    id: str | None = None
    person_id: str | None = None
    request_id: str | None = None
    address: str | None = field(default=None, repr=False)


SYSTEM = Actor(ActorKind.SYSTEM)


@dataclass(frozen=True)
class AuditEvent:
    """One event as it is stored. `origin` is the client's address under the person's own key; `details` is JSON.

    `at_us` counts microseconds since 1970, as exactly as it is stored, also when somebody made a year 20,000 of it.
    """

    organisation_id: str
    sequence: int
    at_us: int
    actor_kind: str
    actor_id: str | None
    person_id: str | None
    action: str
    subject_type: str | None
    subject_id: str | None
    request_id: str | None
    origin: str | None
    details: str
    previous_hash: str


@dataclass(frozen=True)
class ChainedEvent:
    """An event with the hash that is stored beside it."""

    event: AuditEvent
    hash: str


def canonical_json(value: Mapping[str, Any]) -> str:
    """The one spelling of a JSON object: sorted keys, no spaces, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _encode(value: str | int | None) -> bytes:
    """A mark, a length and the bytes: no two lists of values have the same encoding."""
    if value is None:
        return b"-"
    raw = str(value).encode("utf-8", "surrogatepass")
    return (b"i" if isinstance(value, int) else b"s") + len(raw).to_bytes(8, "big") + raw


def encode(values: Iterable[str | int | None]) -> bytes:
    """Unambiguous bytes for a list of values."""
    return b"".join(_encode(value) for value in values)


def microseconds(instant: datetime) -> int:
    """An instant as a whole number, whatever the zone it is shown in."""
    return (instant - _EPOCH) // timedelta(microseconds=1)


def instant_of(at_us: int) -> datetime | None:
    """The instant again; None when no calendar of ours reaches it."""
    try:
        return _EPOCH + timedelta(microseconds=at_us)
    except OverflowError:
        return None


def event_hash(event: AuditEvent) -> str:
    """SHA-256 over everything that the event says, the hash before it included."""
    values = (
        event.organisation_id,
        event.sequence,
        event.at_us,
        event.actor_kind,
        event.actor_id,
        event.person_id,
        event.action,
        event.subject_type,
        event.subject_id,
        event.request_id,
        event.origin,
        event.details,
        event.previous_hash,
    )
    return hashlib.sha256(_PREFIX + encode(values)).hexdigest()


class FaultKind(StrEnum):
    """What is wrong with a chain."""

    MISSING = "missing"
    ALTERED = "altered"
    UNLINKED = "unlinked"
    MISPLACED = "misplaced"
    TRUNCATED = "truncated"
    HEAD_DIFFERS = "head_differs"
    ANCHOR_DIFFERS = "anchor_differs"
    ANCHOR_FORGED = "anchor_forged"


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong, and where."""

    kind: FaultKind
    sequence: int
    detail: str


@dataclass(frozen=True)
class Verdict:
    """What became of verifying a chain. At most 100 faults are named; all are counted."""

    organisation_id: str
    event_count: int
    last_sequence: int
    last_hash: str
    anchored_sequence: int
    fault_count: int
    faults: tuple[Fault, ...] = ()

    @property
    def is_sound(self) -> bool:
        """Whether nothing speaks against the chain."""
        return self.fault_count == 0


class ChainVerifier:
    """Takes the events of one organisation in the order of their sequence; constant memory."""

    def __init__(
        self, organisation_id: str, anchors: Iterable[Anchor] = (), cut: Anchor | None = None
    ) -> None:
        self._organisation_id, self._cut = organisation_id, cut
        self._anchors = {anchor.sequence: anchor for anchor in anchors}
        self._expected, self._previous = 1, GENESIS
        self._event_count = self._fault_count = 0
        self._faults: list[Fault] = []

    def report(self, kind: FaultKind, sequence: int, detail: str) -> None:
        """Count a fault that was found elsewhere, such as an anchor that is not ours."""
        self._fault_count += 1
        if len(self._faults) < _FAULTS_NAMED:
            self._faults.append(Fault(kind, sequence, detail))

    def add(self, stored: ChainedEvent) -> None:
        """Hold one event against those before it."""
        event = stored.event
        if not self._event_count and self._cut is not None:
            self._begin(event, self._cut)
        self._event_count += 1
        if event.sequence < self._expected:
            self.report(
                FaultKind.MISPLACED, event.sequence, f"event {event.sequence} has no place in the chain"
            )
            return
        if event.sequence > self._expected:
            self._miss(self._expected, event.sequence - 1)
        elif event.previous_hash != self._previous:
            detail = f"event {event.sequence} does not follow from the one before it"
            self.report(FaultKind.UNLINKED, event.sequence, detail)
        if self._cut is not None and event.sequence == self._cut.sequence and stored.hash != self._cut.hash:
            detail = f"event {event.sequence} is not the one up to which the trail was cut for its age"
            self.report(FaultKind.ANCHOR_DIFFERS, event.sequence, detail)
        if event_hash(event) != stored.hash:
            detail = f"event {event.sequence} is not what was recorded"
            self.report(FaultKind.ALTERED, event.sequence, detail)
        anchor = self._anchors.get(event.sequence)
        if anchor is not None and anchor.hash != stored.hash:
            detail = f"event {event.sequence} is not the one that was anchored at {anchor.at.isoformat()}"
            self.report(FaultKind.ANCHOR_DIFFERS, event.sequence, detail)
        self._expected, self._previous = event.sequence + 1, stored.hash

    def _begin(self, first: AuditEvent, cut: Anchor) -> None:
        """Begin where the deletion of what is old has come to: not after the cut, and not before it unlinked."""
        if first.sequence > cut.sequence:
            self._expected, self._previous = cut.sequence + 1, cut.hash
        elif first.sequence > 1:
            # What it follows from is gone; that it is right shows at the cut.
            self._expected, self._previous = first.sequence, first.previous_hash

    def _miss(self, first: int, last: int) -> None:
        which = f"event {first} is" if first == last else f"events {first} to {last} are"
        self.report(FaultKind.MISSING, first, f"{which} missing")

    def conclude(self, head_sequence: int | None, head_hash: str | None) -> Verdict:
        """Hold the end of the chain against its head and its newest anchor. None: there is no head."""
        last = self._expected - 1
        anchored = max(self._anchors, default=0)
        if anchored > last:
            detail = f"the chain ends at {last}, but event {anchored} was anchored: its end was cut off"
            self.report(FaultKind.TRUNCATED, last + 1, detail)
        if head_sequence is None:
            if last:
                self.report(FaultKind.HEAD_DIFFERS, last, "the head of the chain is missing")
        elif head_sequence > last:
            detail = f"the chain ends at {last}, but its head is {head_sequence}: its end was cut off"
            self.report(FaultKind.TRUNCATED, last + 1, detail)
        elif (head_sequence, head_hash) != (last, self._previous):
            self.report(FaultKind.HEAD_DIFFERS, last, f"the head of the chain is not event {last}")
        return Verdict(
            organisation_id=self._organisation_id,
            event_count=self._event_count,
            last_sequence=last,
            last_hash=self._previous,
            anchored_sequence=anchored,
            fault_count=self._fault_count,
            faults=tuple(self._faults),
        )
