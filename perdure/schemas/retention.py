"""For how long an organisation keeps what, and what retention has deleted."""

from pydantic import Field

from perdure.domain.retention import DataKind
from perdure.schemas.base import Contract, Instant, RequestBody


class RetentionRuleRead(Contract):
    """For how long one kind of data is kept."""

    kind: DataKind
    days: int | None = Field(description="Null: for as long as the organisation.")
    default_days: int | None = Field(description="What holds when nothing was chosen.")
    least_days: int
    most_days: int | None = Field(description="Null: there is no most, and it may be kept for ever.")
    covers: str = Field(description="What belongs to this kind.")


class RetentionRead(Contract):
    """For how long the organisation keeps each kind of data."""

    rules: list[RetentionRuleRead]


class RetentionUpdate(RequestBody):
    """Choose for some kinds; the others stay as they are."""

    rules: dict[DataKind, int | None] = Field(
        min_length=1, description="Days by kind; null keeps it for as long as the organisation."
    )


class RetentionJob(Contract):
    """Delete what is too old at this instant, in organisations after one."""

    now: Instant
    after: str = ""


class RetentionPage(Contract):
    """What was deleted, by kind; `after` is where to go on, null at the end."""

    deleted: dict[str, int] = Field(default_factory=dict)
    organisations: int = 0
    refused: list[str] = Field(default_factory=list)
    after: str | None = None


class RetentionState(Contract):
    """How far a round is; set when the workflow continues as new."""

    now: Instant
    after: str = ""
    deleted: dict[str, int] = Field(default_factory=dict)
    organisations: int = 0
    refused: list[str] = Field(default_factory=list)


class RetentionReport(Contract):
    """What a round of retention deleted."""

    at: Instant = Field(description="The instant that ages were counted from.")
    organisations: int = Field(default=0, description="Organisations that were gone through.")
    deleted: dict[str, int] = Field(default_factory=dict, description="How much of each kind went.")
    refused: list[str] = Field(
        default_factory=list,
        description="Organisations whose audit trail is not sound: nothing of it was deleted. At most 100.",
    )


class SweepJob(Contract):
    """Look after organisations, after one."""

    now: Instant
    after: str = ""


class SweepPage(Contract):
    """What was found or taken away, by kind; `after` is where to go on, null at the end."""

    counted: dict[str, int] = Field(default_factory=dict)
    organisations: int = 0
    after: str | None = None


class SweepState(Contract):
    """How far a round is; set when the workflow continues as new."""

    now: Instant
    after: str = ""
    counted: dict[str, int] = Field(default_factory=dict)
    organisations: int = 0


class SweepReport(Contract):
    """What a round came to."""

    at: Instant
    organisations: int = 0
    counted: dict[str, int] = Field(default_factory=dict)
