"""What the workflow that carries out document workflows is told, and what its steps give and get."""

from enum import StrEnum
from typing import Any

from pydantic import Field

from perdure.schemas.base import Contract, Instant
from perdure.schemas.operations import OperationError, OperationInput, StatusChange


class ExecutionStepState(StrEnum):
    """Where a step of an execution stands."""

    PENDING = "pending"
    RUNNING = "running"
    WAITING = "waiting"
    WAITING_APPROVAL = "waiting_approval"
    COMPLETED = "completed"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"
    COMPENSATED = "compensated"


class StepJob(Contract):
    """One visit of a step that has an effect or reads texts. `execution_id:step_id:visit` is the stable id of it."""

    organisation_id: str
    operation_id: str
    operation_kind: str = "run_document_workflow"
    execution_id: str
    step_id: str = Field(description="The step's id; within a loop with its entry: `each[3].classify`.")
    visit: int = 1
    type: str = Field(description="The step's type, such as `classification`.")
    document_id: str | None = None
    settings: dict[str, Any] = Field(default_factory=dict, description="The step's `with`, filled in.")
    input: dict[str, Any] = Field(default_factory=dict, description="The step's `input`, filled in.")
    actor_id: str = ""
    held: dict[str, Any] = Field(
        default_factory=dict, description="For `ask_model_step`: what the step before it has held."
    )

    @property
    def effect_id(self) -> str:
        """The stable id of this effect, the same at each attempt."""
        return f"{self.execution_id}:{self.step_id}:{self.visit}"


class StepOutput(Contract):
    """What a step found out or did; expressions see it as `steps.<id>.…`."""

    output: dict[str, Any] = Field(default_factory=dict)
    held: dict[str, Any] | None = Field(
        default=None, description="A model is to be asked first: `ask_model_step` goes on with this."
    )


class StepRecordRead(Contract):
    """The latest visit of a step in an execution."""

    step_id: str
    type: str
    state: ExecutionStepState
    visit: int = 1
    attempts: int = 1
    started_at: Instant | None = None
    ended_at: Instant | None = None
    input: dict[str, Any] | None = Field(
        default=None,
        description="What the step was told, filled in: its `with` and its `input`, cut where they are long.",
    )
    output: dict[str, Any] | None = None
    error: OperationError | None = None
    approval_id: str | None = None
    operation_id: str | None = Field(default=None, description="The operation that the step waits for.")


class ExecutionRead(Contract):
    """How far an execution is, as the query `execution` answers."""

    execution_id: str
    steps: list[StepRecordRead] = Field(default_factory=list)


class StepsRecord(Contract):
    """Steps of an execution to be written: each replaces what stands under its id, if that is older."""

    organisation_id: str
    operation_id: str
    execution_id: str
    run_id: str
    sequence: int = Field(description="Grows with each record of an execution; an older one changes nothing.")
    steps: list[StepRecordRead] = Field(default_factory=list)
    state: dict[str, Any] | None = Field(
        default=None, description="What the next attempt goes on from; null while it needs none."
    )
    end: StatusChange | None = Field(default=None, description="How the execution ended, when it has.")


class OpenSubWorkflow(Contract):
    """An execution that a step asks for. It is opened once for each `operation_id`."""

    organisation_id: str
    actor_id: str
    parent_operation_id: str
    operation_id: str = Field(description="What the operation of the new execution is to be called.")
    workflow_id: str
    version: int | None = None
    document_id: str | None = None
    input: dict[str, Any] = Field(default_factory=dict)
    depth: int = 1


class RunDocumentWorkflowInput(OperationInput):
    """Input of `RunDocumentWorkflow`. The definition is the version that was asked for, whatever comes after it."""

    execution_id: str
    workflow_definition_id: str = ""
    version: int = 1
    definition: dict[str, Any]
    parameters: dict[str, Any] = Field(default_factory=dict)
    document_id: str | None = None
    document: dict[str, Any] = Field(
        default_factory=dict, description="What expressions see as `document`: title, media_type, version, …"
    )
    input: dict[str, Any] = Field(default_factory=dict)
    depth: int = Field(default=0, description="How many workflows are around this one.")
    state: dict[str, Any] | None = Field(default=None, description="Where a run before left off.")
    steps_in_run: int = Field(default=300, description="Visits after which it goes on as a new run.")


class RunDocumentWorkflowResult(Contract):
    """How an execution ended: what its steps gave, as far as it is not too long, and the state of each."""

    outputs: dict[str, Any] = Field(default_factory=dict)
    steps: dict[str, str] = Field(default_factory=dict)
