"""The one resource that all work shares: `operation`."""

from enum import StrEnum
from typing import Any

from pydantic import Field

from perdure.schemas.base import Contract, Instant


class OperationStatus(StrEnum):
    """Life of an operation; the last four are terminal."""

    PENDING = "pending"
    RUNNING = "running"
    PAUSED = "paused"
    WAITING_APPROVAL = "waiting_approval"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


TERMINAL = frozenset(
    {OperationStatus.COMPLETED, OperationStatus.FAILED, OperationStatus.CANCELLED, OperationStatus.EXPIRED}
)


class StepState(StrEnum):
    """State of one step; `retrying` means an attempt failed and the next one is due."""

    PENDING = "pending"
    RUNNING = "running"
    RETRYING = "retrying"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Subject(Contract):
    """What an operation is about."""

    type: str = Field(description="Kind of the resource, for example `document`.")
    id: str


class Progress(Contract):
    """How far an operation is; `total` is 0 until it is known."""

    done: int = 0
    total: int = 0
    step: str | None = Field(default=None, description="Name of the step in work.")


class OperationError(Contract):
    """Why an operation or a step failed: a stable type and a sentence that says what to do."""

    type: str
    detail: str
    step: str | None = None


class OperationRead(Contract):
    """The operation as the API and the Temporal query `status` answer it."""

    id: str
    kind: str
    status: OperationStatus
    progress: Progress
    workflow_id: str
    run_id: str | None = None
    temporal_ui_url: str | None = None
    subject: Subject | None = None
    attempt: int = Field(default=1, description="1, and one more for each `retry`.")
    created_at: Instant
    updated_at: Instant
    result: dict[str, Any] | None = None
    error: OperationError | None = None


class StepRead(Contract):
    """One step (Temporal activity) of an operation."""

    name: str
    state: StepState
    attempts: int
    started_at: Instant | None = None
    ended_at: Instant | None = None
    error: OperationError | None = None


class ItemRead(Contract):
    """Outcome of one item of a batch operation."""

    ordinal: int = Field(description="Position in the request, from 0.")
    name: str
    status: str = Field(
        description="`queued`, `failed`, what became of the document, or who decides the label."
    )
    document_id: str | None = None
    reason: str | None = None
    detail: str | None = None
    updated_at: Instant


class OperationInput(Contract):
    """What every workflow is told first: whose operation it is. Inputs of workflows extend it."""

    operation_id: str
    organisation_id: str
    actor_id: str = Field(description="The user or API key that started the operation.")
    kind: str
    subject: Subject | None = None
    created_at: Instant
    attempt: int = 1


class StatusChange(Contract):
    """A change of status that a workflow asks to have recorded."""

    organisation_id: str
    operation_id: str
    run_id: str
    status: OperationStatus
    progress: Progress | None = None
    result: dict[str, Any] | None = None
    error: OperationError | None = None
