"""Document workflows and executions of them, as HTTP sees them."""

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from perdure.schemas.base import Contract, Id, Instant, RequestBody
from perdure.schemas.operations import OperationError, OperationInput, OperationStatus, Progress
from perdure.schemas.workflow_executions import RunDocumentWorkflowInput, StepRecordRead

MAX_DOCUMENTS = 10_000
MAX_INPUT_BYTES = 64 * 1024

Note = Annotated[str, StringConstraints(max_length=1_000)]


class FaultRead(Contract):
    """One mistake in a definition."""

    pointer: str = Field(description="JSON pointer into the definition, such as `/steps/3/when`.")
    detail: str = Field(description="What is wrong there and what to do about it.")


class ValidationRead(Contract):
    """What is wrong with a definition: all of it at once."""

    valid: bool
    faults: list[FaultRead] = Field(default_factory=list)
    steps: int = Field(default=0, description="How many steps it has, those of loops included.")


class ParameterRead(Contract):
    """A value that whoever executes a workflow, or makes one out of a template, may give."""

    name: str
    type: str
    required: bool = False
    default: Any = None
    description: str = ""


class DocumentWorkflowRead(Contract):
    """A stored workflow by its newest version."""

    id: str
    name: str
    description: str = ""
    version: int = Field(description="The newest; executions take it unless they name another.")
    steps: int = Field(description="How many steps it has, those of loops included.")
    template: str | None = Field(default=None, description="The template that it was made of.")
    executions: int = Field(default=0, description="How many there were.")
    open_executions: int = Field(default=0, description="How many have not ended.")
    created_at: Instant
    updated_at: Instant
    archived_at: Instant | None = None


class DocumentWorkflowVersionRead(Contract):
    """A version of a workflow; it never changes."""

    version: int
    sha256: str = Field(description="Of the definition as canonical JSON.")
    steps: int
    note: str | None = None
    created_by: str | None = None
    created_at: Instant


class DocumentWorkflowVersionDetail(DocumentWorkflowVersionRead):
    """A version with what it says."""

    workflow_id: str
    definition: dict[str, Any]


class DocumentWorkflowDetail(DocumentWorkflowRead):
    """A workflow with what its newest version says."""

    sha256: str = Field(description="Of the newest version's definition as canonical JSON.")
    parameters: list[ParameterRead] = Field(default_factory=list)
    definition: dict[str, Any]


class ChangeRead(Contract):
    """One difference between two versions."""

    difference: str = Field(description="`added`, `removed`, `changed`, or `moved` among other steps.")
    place: str = Field(
        description="Where: a JSON pointer in which steps have their ids, such as `/steps/ask/with`."
    )
    before: Any = None
    after: Any = None


class WorkflowDifference(Contract):
    """What is different between two versions, step by step."""

    # `from` is a word of the language.
    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True, serialize_by_alias=True)

    workflow_id: str
    from_version: int = Field(alias="from")
    to_version: int = Field(alias="to")
    changes: list[ChangeRead]


class TemplateRead(Contract):
    """A workflow that is ready but for some values."""

    name: str = Field(description="As it stands in the path, such as `invoice-approval`.")
    title: str
    description: str
    parameters: list[ParameterRead]
    definition: dict[str, Any]


class TemplateUse(RequestBody):
    """Values for a template, and what the workflow made of it is to be called."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)] | None = (
        Field(default=None, description="Default: the template's title.")
    )
    parameters: dict[str, Any] = Field(default_factory=dict)


class ShareCreate(RequestBody):
    """How long a link to a definition is to be good."""

    expires_in_hours: int = Field(default=72, ge=1, le=24 * 90)
    version: int | None = Field(default=None, ge=1, le=1_000_000, description="Default: the newest.")


class ShareRead(Contract):
    """A signed link: whoever has it may copy this version into their own organisation until it expires."""

    link: str
    workflow_id: str
    version: int
    expires_at: Instant


class WorkflowImport(RequestBody):
    """A definition from elsewhere: the document that an export gave, or a link that another organisation shared."""

    link: Annotated[str, StringConstraints(min_length=1, max_length=4_000)] | None = None
    definition: dict[str, Any] | Annotated[str, StringConstraints(min_length=1)] | None = Field(
        default=None, description="As an object, or as text in YAML."
    )
    name: Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)] | None = (
        Field(default=None, description="Default: the name that it has.")
    )
    replace: dict[str, Any] = Field(
        default_factory=dict,
        max_length=200,
        description="What is to stand elsewhere than where it came from: JSON pointers into the definition, with "
        'values, such as `{"/steps/2/with/policy/stages/0/approvers/0": {"role": "approver"}}`.',
    )

    @model_validator(mode="after")
    def _one(self) -> "WorkflowImport":
        if (self.link is None) == (self.definition is None):
            msg = "give exactly one of link and definition"
            raise ValueError(msg)
        return self


class ExecutionCreate(RequestBody):
    """What to execute a workflow on: a document, many, or nothing but an input."""

    document_id: Id | None = None
    document_ids: list[Id] | None = Field(default=None, min_length=1, max_length=MAX_DOCUMENTS)
    input: dict[str, Any] = Field(
        default_factory=dict, description="What expressions see as `input`; at most 64 KiB."
    )
    parameters: dict[str, Any] = Field(default_factory=dict)
    version: int | None = Field(default=None, ge=1, le=1_000_000, description="Default: the newest.")
    concurrency: int = Field(
        default=10, ge=1, le=100, description="Of many documents, how many are worked on at once."
    )

    @model_validator(mode="after")
    def _one(self) -> "ExecutionCreate":
        if self.document_id is not None and self.document_ids is not None:
            msg = "give document_id or document_ids, not both"
            raise ValueError(msg)
        if self.document_ids is not None and len(set(self.document_ids)) < len(self.document_ids):
            msg = "document_ids name a document twice"
            raise ValueError(msg)
        return self


class WorkflowExecutionRead(Contract):
    """An execution of a workflow. Its operation has the same status and steps, and is steered by the same verbs."""

    id: str
    operation_id: str
    batch_id: str | None = Field(default=None, description="The operation that executes it among others.")
    workflow_id: str
    workflow_name: str
    version: int
    document_id: str | None = None
    status: OperationStatus
    progress: Progress
    attempt: int = 1
    error: OperationError | None = None
    created_at: Instant
    updated_at: Instant
    closed_at: Instant | None = None


class WorkflowExecutionDetail(WorkflowExecutionRead):
    """An execution with what its steps did."""

    input: dict[str, Any] = Field(default_factory=dict)
    parameters: dict[str, Any] = Field(default_factory=dict)
    steps: list[StepRecordRead] = Field(default_factory=list)
    outputs: dict[str, Any] = Field(default_factory=dict)


class ExecutionFilter(Contract):
    """Which executions to list."""

    workflow_id: str | None = None
    document_id: str | None = None
    batch_id: str | None = None
    operation_id: str | None = None
    status: OperationStatus | None = None


class BatchItemStatus(StrEnum):
    """What became of a document among many; `failed` is that of all batches."""

    EXECUTED = "executed"
    WAITING_APPROVAL = "waiting_approval"


class RunWorkflowBatchInput(OperationInput):
    """Input of `RunWorkflowBatch`. What to execute it on are the operation's items."""

    workflow_definition_id: str
    version: int
    total: int = Field(ge=1, le=MAX_DOCUMENTS)
    concurrency: int = Field(default=10, ge=1, le=100)
    look_every: timedelta = timedelta(seconds=2)
    look_at_least_every: timedelta = timedelta(minutes=1)
    starts_in_run: int = Field(
        default=400, ge=1, description="Executions after which it goes on as a new run."
    )


class RunWorkflowBatchResult(Contract):
    """How many documents had which outcome. Those that wait for people go on by themselves."""

    total: int
    outcomes: dict[str, int]


class WindowJob(Contract):
    """Which of a batch's documents are to be executed next: as many as fit."""

    organisation_id: str
    operation_id: str
    concurrency: int
    most: int = Field(description="No more than so many at once, whatever fits.")


class ExecutionStart(Contract):
    """An execution that was accepted and is to be started."""

    workflow_id: str = Field(description="Under which it runs.")
    summary: str
    job: RunDocumentWorkflowInput


class BatchEnd(Contract):
    """A batch that ends before all is done, and why."""

    organisation_id: str
    operation_id: str
    reason: str
    detail: str


class OpenExecutions(Contract):
    """Workflows of a batch that run, to be cancelled."""

    workflow_ids: list[str] = Field(default_factory=list)


class Window(Contract):
    """What a batch is to start now, and how far it is."""

    starts: list[ExecutionStart] = Field(default_factory=list)
    done: int
    total: int
    open_operations: int = Field(description="How many have started and neither ended nor wait for people.")
    queued: int = Field(description="How many have not been started.")
