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


class ExportUserDataInput(OperationInput):
    """Input of `ExportUserData`: whose data are exported is the operation's subject."""

    subject_type: SubjectType
    user_id: Id | None = Field(default=None, description="Absent: the whole organisation.")
    plan: dict[str, Any] | None = None
