"""Erasure and export of what is known of a person, or of a whole organisation."""

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from perdure.schemas.base import Contract, Id, Instant, RequestBody
from perdure.schemas.operations import OperationInput, OperationRead, Subject


class SubjectType(StrEnum):
    """Whose data."""

    USER = "user"
    ORGANISATION = "organisation"


class OrganisationErasureCreate(RequestBody):
    """Erase the caller's organisation with everything in it. Nothing brings it back."""

    confirm: Annotated[str, StringConstraints(min_length=1, max_length=200)] = Field(
        description="Name of the organisation, exactly as it is: the proof that it is meant."
    )


class Amounts(Contract):
    """How much, by where it lies."""

    rows: dict[str, int] = Field(default_factory=dict, description="Rows by table.")
    objects: dict[str, int] = Field(default_factory=dict, description="Stored objects by folder.")
    histories: int = Field(default=0, description="Workflow executions in Temporal.")
    anonymised: dict[str, int] = Field(
        default_factory=dict, description="Rows by table in which only the link to the person went."
    )

    @property
    def total(self) -> int:
        """All of it that goes."""
        return sum(self.rows.values()) + sum(self.objects.values()) + self.histories

    def or_more(self, other: "Amounts") -> "Amounts":
        """For each place the larger of both amounts."""
        return Amounts(
            rows=_larger(self.rows, other.rows),
            objects=_larger(self.objects, other.objects),
            histories=max(self.histories, other.histories),
            anonymised=_larger(self.anonymised, other.anonymised),
        )


def _larger(one: dict[str, int], other: dict[str, int]) -> dict[str, int]:
    return {key: max(one.get(key, 0), other.get(key, 0)) for key in sorted(one.keys() | other.keys())}


class Kept(Contract):
    """What is not erased, and why."""

    what: str = Field(description="Name of the table.")
    reason: str


class ErasureReport(Contract):
    """What went, and what stays."""

    gone: Amounts
    kept: list[Kept] = Field(default_factory=list)


class ErasureStarted(OperationRead):
    """The operation, and where its receipt will be: also when the caller's own account is gone with it."""

    receipt_url: str = Field(description="Works without logging in, for whoever has it.")


class ReceiptRead(Contract):
    """What became of an erasure. It outlives what was erased."""

    operation_id: str
    organisation_id: str
    subject: Subject
    status: Literal["running", "completed"]
    started_at: Instant
    completed_at: Instant | None = None
    report: ErasureReport | None = None
    signature: str | None = Field(
        default=None, description="HMAC-SHA-256 over the receipt with the installation's secret."
    )
    verified: bool = Field(description="Whether the signature fits: the receipt is as it was written.")


class DeleteUserDataInput(OperationInput):
    """Input of `DeleteUserData`: whose data go is the operation's subject."""

    subject_type: SubjectType
    user_id: Id | None = Field(default=None, description="Absent: the whole organisation.")


class ErasureJob(Contract):
    """One step of an erasure; everything else it finds in the erasure's record."""

    organisation_id: str
    operation_id: str
    user_id: str | None = None


class ErasurePage(Contract):
    """What one step of an erasure did; `more` when it is to be called again."""

    done: int = 0
    more: bool = False


class DeleteUserDataResult(Contract):
    """What went, and what stays."""

    subject: Subject
    report: ErasureReport


class ExportPosition(Contract):
    """Where the reading of tables goes on: after a primary key; the piece that comes has this number."""

    table: str
    number: int = 0
    after: list[Any] | None = None


class ExportPart(Contract):
    """A stored piece of a table."""

    table: str
    number: int
    rows: int
    size_bytes: int
    unreadable: int = Field(default=0, description="Encrypted values that no key opens.")


class ExportUserDataInput(OperationInput):
    """Input of `ExportUserData`: whose data are exported is the operation's subject."""

    subject_type: SubjectType
    user_id: Id | None = Field(default=None, description="Absent: the whole organisation.")
    total: int = Field(default=0, description="Rows to read; set when the workflow continues as new.")
    parts: list[ExportPart] = Field(default_factory=list)
    position: ExportPosition | None = None


class ExportJob(Contract):
    """One step of an export."""

    organisation_id: str
    operation_id: str
    user_id: str | None = None
    created_at: Instant


class ExportPlan(Contract):
    """How much there is."""

    rows: int = 0


class ExportRowsJob(ExportJob):
    """Read on from a position; none is the beginning."""

    position: ExportPosition | None = None
    done: int = 0
    total: int = 0


class ExportPage(Contract):
    """What was stored, and where to go on; no position is the end."""

    part: ExportPart | None = None
    position: ExportPosition | None = None


class ArchivedExport(Contract):
    """The archive as it was stored."""

    size_bytes: int
    sha256: str
    rows: dict[str, int] = Field(default_factory=dict)
    files: int = 0
    missing: int = 0


class ArchiveJob(ExportJob):
    """Make one archive of the stored pieces and of the files."""

    parts: list[ExportPart] = Field(default_factory=list)
    archived: ArchivedExport | None = None


class ExportUserDataResult(Contract):
    """The archive, and until when it can be had."""

    subject: Subject
    export_id: str = Field(description="For `GET /api/v1/exports/{export_id}/content`.")
    size_bytes: int
    sha256: str
    rows: dict[str, int] = Field(default_factory=dict, description="Rows by table.")
    files: int = Field(default=0, description="Originals, parsed texts and other stored files.")
    missing: int = Field(default=0, description="Files that rows name and the store does not have.")
    expires_at: Instant


class ExportRead(Contract):
    """An archive of exported data."""

    id: str = Field(description="The operation that made it.")
    subject: Subject
    size_bytes: int
    sha256: str
    created_at: Instant
    expires_at: Instant = Field(description="From then on it cannot be had any more, and is deleted.")
