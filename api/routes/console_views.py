"""What the console's templates are given: API resources with their looks, ready to be shown."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from api.routes.console_words import (
    DOCUMENT_LOOKS,
    ITEM_LOOKS,
    OPERATION_LOOKS,
    STAGES,
    STEP_LOOKS,
    Look,
    duration,
    kind_icon,
    kind_label,
    media_type_icon,
    media_type_name,
    words,
)
from perdure.domain.roles import Scope
from perdure.schemas.documents import SETTLED, DocumentRead, VersionRead
from perdure.schemas.operations import (
    TERMINAL,
    ItemRead,
    OperationError,
    OperationRead,
    OperationStatus,
    StepRead,
    StepState,
)
from perdure.schemas.reasons import Explanation, explain

RETRYABLE = frozenset({OperationStatus.FAILED, OperationStatus.CANCELLED, OperationStatus.EXPIRED})

# The tiles of the dashboard; each is a link to the list with that status.
TILES = (
    OperationStatus.RUNNING,
    OperationStatus.PAUSED,
    OperationStatus.FAILED,
    OperationStatus.COMPLETED,
)


_OUTCOMES = {
    "classify_batch": ("/classification/batches/{}", "tag", "Results"),
    "classify_document": ("/classification/batches/{}", "tag", "The answer"),
    "export_user_data": ("/settings/privacy/exports/{}/download", "download", "Download the archive"),
    "forget": ("/memories/forget/{}", "check-circle", "Receipt"),
    "import_memories": ("/memories/browse", "bookmark", "Browse memories"),
    "remember": ("/memories/browse", "bookmark", "Browse memories"),
    "request_approval": ("/approvals/of/{}", "hand", "The request"),
    "run_document_workflow": ("/workflows/executions/of/{}", "workflow", "Its steps"),
    "run_workflow_batch": ("/workflows/executions?batch_id={}", "workflow", "The executions"),
}
# Whose pages show how far they are, too.
_SEEN_AT_WORK = frozenset({"request_approval", "run_document_workflow", "run_workflow_batch"})


@dataclass(frozen=True)
class Viewer:
    """Who looks at the page."""

    user_id: str
    name: str
    email: str
    organisation: str
    csrf_token: str
    scopes: frozenset[str]

    @property
    def initials(self) -> str:
        """Up to two letters for the avatar."""
        parts = self.name.split() or [self.email]
        return "".join(part[0] for part in (parts if len(parts) == 1 else [parts[0], parts[-1]])).upper()

    @property
    def may_write(self) -> bool:
        """Whether the buttons that change documents and operations are shown."""
        return Scope.DOCUMENTS_WRITE in self.scopes

    @property
    def may_remember(self) -> bool:
        """Whether memories can be added, corrected and forgotten."""
        return Scope.MEMORIES_WRITE in self.scopes

    @property
    def may_classify(self) -> bool:
        """Whether texts can be classified, and workflows changed."""
        return Scope.CLASSIFICATION_WRITE in self.scopes

    @property
    def may_review(self) -> bool:
        """Whether answers that are not sure can be decided."""
        return Scope.CLASSIFICATION_REVIEW in self.scopes

    @property
    def may_write_workflows(self) -> bool:
        """Whether document workflows can be made, changed and shared."""
        return Scope.WORKFLOWS_WRITE in self.scopes

    @property
    def may_execute_workflows(self) -> bool:
        """Whether document workflows can be executed, and executions steered."""
        return Scope.WORKFLOWS_EXECUTE in self.scopes

    @property
    def may_administer(self) -> bool:
        """Whether members can be changed."""
        return Scope.MEMBERS_WRITE in self.scopes

    @property
    def may_decide(self) -> bool:
        """Whether what holds for the whole organisation can be changed."""
        return Scope.ORGANISATION_WRITE in self.scopes

    @property
    def may_see_providers(self) -> bool:
        """Whether the pages of providers and routing are shown."""
        return Scope.PROVIDERS_READ in self.scopes

    @property
    def may_see_secrets(self) -> bool:
        """Whether the page of secrets is shown."""
        return Scope.SECRETS_READ in self.scopes

    @property
    def may_see_usage(self) -> bool:
        """Whether usage and budget are shown."""
        return Scope.USAGE_READ in self.scopes

    @property
    def may_see_webhooks(self) -> bool:
        """Whether the page of notifications is shown."""
        return Scope.WEBHOOKS_READ in self.scopes

    @property
    def may_audit(self) -> bool:
        """Whether the audit trail is shown."""
        return Scope.AUDIT_READ in self.scopes


@dataclass(frozen=True)
class Notice:
    """A message that appears once, in the corner."""

    text: str
    tone: str = "success"


@dataclass(frozen=True)
class Tile:
    """A count on the dashboard."""

    status: str
    label: str
    icon: str
    tone: str
    count: int


@dataclass(frozen=True)
class OperationView:
    """An operation in a list or on its page."""

    operation: OperationRead
    title: str

    @property
    def look(self) -> Look:
        """Its status as a badge. A batch is completed with whatever came of its items."""
        if self.operation.status is OperationStatus.COMPLETED and self.failed_items:
            return Look(f"Completed, {self.failed_items:,} failed", "alert", "warning")
        return OPERATION_LOOKS[self.operation.status]

    @property
    def kind(self) -> str:
        """Its kind in words."""
        return kind_label(self.operation.kind)

    @property
    def icon(self) -> str:
        """The icon of its kind."""
        return kind_icon(self.operation.kind)

    @property
    def is_open(self) -> bool:
        """Whether it can still change by itself."""
        return self.operation.status not in TERMINAL

    @property
    def step(self) -> str | None:
        """The step in work, in words."""
        return words(self.operation.progress.step) if self.operation.progress.step else None

    @property
    def percent(self) -> int:
        """Progress, rounded down, so that 100 means done."""
        progress = self.operation.progress
        return 100 * progress.done // progress.total if progress.total else 0

    @property
    def duration(self) -> str | None:
        """How long it took; an open one shows none, since it would change with each look."""
        if self.is_open:
            return None
        return duration(self.operation.updated_at - self.operation.created_at)

    @property
    def failed_items(self) -> int:
        """Items of an ended batch that could be worked on again."""
        result = self.operation.result or {}
        if self.is_open:
            return 0
        if self.operation.kind == "classify_batch":
            return int(result.get("failed", 0))
        outcomes = result.get("outcomes")
        if not isinstance(outcomes, dict):
            return 0
        return sum(outcomes.get(status, 0) for status in ("failed", "quarantined"))

    @property
    def outcome(self) -> tuple[str, str, str] | None:
        """The page of what came of it, where that is more than figures: address, icon and words."""
        is_there = self.operation.status is OperationStatus.COMPLETED or self.operation.kind in _SEEN_AT_WORK
        if not is_there:
            return None
        found = _OUTCOMES.get(self.operation.kind)
        return (found[0].format(self.operation.id), *found[1:]) if found else None

    @property
    def verbs(self) -> tuple[str, ...]:
        """What can be done to it now."""
        status = self.operation.status
        if status in RETRYABLE or self.failed_items:
            return ("retry",)
        if status in TERMINAL:
            return ()
        return ("resume", "cancel") if status is OperationStatus.PAUSED else ("pause", "cancel")


@dataclass(frozen=True)
class StepView:
    """A step of an operation."""

    name: str
    look: Look
    attempts: int
    duration: str | None
    started_at: datetime | None
    error: OperationError | None
    is_failed: bool


@dataclass(frozen=True)
class ItemView:
    """An item of a batch."""

    ordinal: int
    name: str
    look: Look
    document_id: str | None
    why: Explanation | None
    updated_at: datetime


@dataclass(frozen=True)
class DocumentView:
    """A document in a list or on its page."""

    document: DocumentRead

    @property
    def look(self) -> Look:
        """Its status as a badge."""
        return DOCUMENT_LOOKS[self.document.status]

    @property
    def icon(self) -> str:
        """The icon of its type."""
        return media_type_icon(self.document.media_type)

    @property
    def type_name(self) -> str | None:
        """Its type in a word."""
        return media_type_name(self.document.media_type)

    @property
    def is_open(self) -> bool:
        """Whether it is still on its way."""
        return self.document.status not in SETTLED

    @property
    def stage(self) -> int:
        """How far it is, of `stages`."""
        return STAGES.index(self.document.status) if self.document.status in STAGES else 0

    @property
    def stages(self) -> int:
        """Number of stages until it is indexed."""
        return len(STAGES) - 1

    @property
    def why(self) -> Explanation | None:
        """Why it is not wholly indexed, and what to do."""
        return explain(self.document.reason)


@dataclass(frozen=True)
class VersionView:
    """A version of a document."""

    number: int
    look: Look
    created_at: datetime


def step_view(step: StepRead) -> StepView:
    """Show a step; one that runs has no duration yet."""
    length = step.ended_at - step.started_at if step.ended_at and step.started_at else None
    return StepView(
        name=words(step.name),
        look=STEP_LOOKS[step.state],
        attempts=step.attempts,
        duration=duration(length) if length is not None else None,
        started_at=step.started_at,
        error=step.error,
        is_failed=step.state is StepState.FAILED,
    )


def item_view(item: ItemRead) -> ItemView:
    """Show an item of a batch."""
    return ItemView(
        ordinal=item.ordinal,
        name=item.name,
        look=ITEM_LOOKS[item.status],
        document_id=item.document_id,
        why=explain(item.reason) or (Explanation(item.detail, "") if item.detail else None),
        updated_at=item.updated_at,
    )


def version_view(version: VersionRead) -> VersionView:
    """Show a version."""
    return VersionView(version.version, DOCUMENT_LOOKS[version.status], version.created_at)


def tiles(counts: Mapping[str, int]) -> list[Tile]:
    """The dashboard's counts."""
    looks = [(status, OPERATION_LOOKS[status]) for status in TILES]
    return [
        Tile(status.value, look.label, look.icon, look.tone, counts.get(status.value, 0))
        for status, look in looks
    ]


def digest(parts: Iterable[object]) -> str:
    """Fingerprint of what a list shows: a poll that finds the same one is answered with nothing."""
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()[:16]


def operations_digest(views: Sequence[OperationView], counts: Mapping[str, int]) -> str:
    """Fingerprint of a list of operations."""
    return digest(
        [*(f"{v.operation.id} {v.operation.updated_at} {v.operation.status}" for v in views), counts]
    )


def documents_digest(views: Sequence[DocumentView]) -> str:
    """Fingerprint of a list of documents."""
    return digest(f"{v.document.id} {v.document.updated_at} {v.document.status}" for v in views)
