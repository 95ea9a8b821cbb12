"""Evolution of memories, as HTTP and the workflows see it."""

from typing import Any

from pydantic import Field, field_validator

from perdure.domain.evolution import ChangeAction, EvolutionStage, Insights, ProposalStatus
from perdure.domain.memories import MemoryKind
from perdure.schemas.base import Contract, Instant, RequestBody
from perdure.schemas.documents import SpaceName
from perdure.schemas.operations import OperationInput


class EvolutionCreate(RequestBody):
    """A run of evolution."""

    space: SpaceName = "default"
    stages: list[EvolutionStage] = Field(
        default_factory=lambda: list(EvolutionStage),
        min_length=1,
        max_length=len(EvolutionStage),
        description="Only these, always in the order update, extend, derive, decay.",
    )
    dry_run: bool = Field(default=False, description="Change nothing; report what would be changed.")

    @field_validator("stages")
    @classmethod
    def _in_order(cls, value: list[EvolutionStage]) -> list[EvolutionStage]:
        return [stage for stage in EvolutionStage if stage in value]


class StageReport(Contract):
    """What a stage did."""

    stage: EvolutionStage
    examined: int = Field(description="Memories that it looked at: those that are new since the run before.")
    changed: dict[str, int] = Field(description="Changes by what became of the memory.")
    took_ms: float


class EvolveMemoryResult(Contract):
    """What a run did. No text stands in it."""

    space: str
    dry_run: bool
    stages: list[StageReport]
    junk_rate: float | None = Field(
        description="Share of memories that were duplicates, empty, secret or came back; null: none was looked at."
    )


class EvolutionRead(Contract):
    """A run, and what it has done so far."""

    operation_id: str
    space: str
    started_at: Instant
    ended_at: Instant | None
    dry_run: bool
    stages: list[StageReport]
    junk_rate: float | None
    changes: int


class MemoryChangeRead(Contract):
    """A change of a memory; what a dry run would change has no id."""

    id: str | None
    memory_id: str
    action: ChangeAction
    stage: EvolutionStage | None
    reason: str | None
    operation_id: str | None
    at: Instant
    undone_at: Instant | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    content: str = Field(description="What the memory says now.")


class ProposalRead(Contract):
    """A memory that evolution would make."""

    id: str
    space: str
    action: str
    content: str
    kind: MemoryKind
    subject: str | None
    memory_ids: list[str] = Field(description="What it was drawn from.")
    reason: str
    confidence: float
    status: ProposalStatus
    deadline: Instant
    created_at: Instant
    decided_at: Instant | None
    decided_by: str | None
    memory_id: str | None = Field(description="The memory that was made when it was accepted.")


class EvolutionSettings(RequestBody):
    """How a space evolves."""

    every_hours: int | None = Field(
        default=None, ge=1, le=24 * 365, description="Evolve so often; null: only when asked to."
    )
    insights: Insights = Field(
        default=Insights.PROPOSE,
        description="What becomes of insights: `apply` keeps them, `propose` asks first, `off` makes none.",
    )
    proposal_days: int = Field(
        default=14, ge=1, le=365, description="An undecided proposal expires after so many days."
    )
    decay_half_life_days: float = Field(
        default=180.0, ge=1, le=36_500, description="After so many days without access a memory matters half."
    )


# What workflows and activities tell each other. Texts stay in the database: nothing below holds any.


class EvolveMemoryInput(OperationInput):
    """Input of `EvolveMemory`. How far it is stands in the database."""

    space_id: str
    stages: list[EvolutionStage] = Field(default_factory=lambda: list(EvolutionStage))
    dry_run: bool = False


class EvolutionJob(Contract):
    """A run as its activities know it."""

    organisation_id: str
    operation_id: str
    space_id: str
    stages: list[EvolutionStage] = Field(default_factory=list)
    dry_run: bool = False


class StageJob(Contract):
    """The next page of a stage."""

    organisation_id: str
    operation_id: str
    space_id: str
    stage: EvolutionStage


class EvolutionBegun(Contract):
    """How many memories there are to look at."""

    total: int


class StagePage(Contract):
    """How far a stage is after a page."""

    examined: int
    done: bool


class ProposalBatch(Contract):
    """Proposals of a run that wait for a decision."""

    organisation_id: str
    operation_id: str
    deadline: Instant | None = None


class OpenProposals(Contract):
    """How many proposals of a run wait for a decision, and the earliest end of that."""

    count: int = 0
    deadline: Instant | None = None


class ProposalDecision(Contract):
    """Somebody has decided."""

    proposal_id: str
    decided_by: str


class DecisionJob(Contract):
    """A decision that is to be carried out."""

    organisation_id: str
    operation_id: str
    proposal_id: str
    decided_by: str
    accepted: bool


class ExpiryJob(Contract):
    """Proposals of a run that nobody has decided about in time."""

    organisation_id: str
    operation_id: str
    now: Instant


class ScheduledEvolution(Contract):
    """Input of the workflow that a space's schedule starts."""

    organisation_id: str
    space_id: str


class EvolutionStart(Contract):
    """What a schedule's workflow starts: the input of the operation; none when one runs already."""

    job: EvolveMemoryInput | None = None
    summary: str = ""
