"""What people do with an approval beside deciding, and many decisions at once."""

from typing import Annotated

from pydantic import Field, StringConstraints, model_validator

from perdure.domain.approval_refusals import Refusal
from perdure.schemas.approval_requests import DecisionCreate, Person
from perdure.schemas.base import Contract, Id, Instant, RequestBody

MAX_BULK = 100
SeatId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]{1,40}/[0-9]{1,6}$")]


class DelegationEnd(RequestBody):
    """Decide for yourself again."""

    to: Person = Field(description="Who decides for you now.")


class ReassignmentCreate(RequestBody):
    """Give a seat to somebody else."""

    to: Person = Field(description="Who is to decide; an administrator may name an address outside, too.")
    seat: SeatId | None = Field(
        default=None, description="The seat, for an administrator; yours, if it is missing."
    )


class ApproverCreate(RequestBody):
    """Ask somebody else, too."""

    person: Person
    weight: int = Field(default=1, ge=1, le=1_000, description="What the vote weighs under a weighted rule.")


class ApproverRemoval(RequestBody):
    """Ask somebody no more."""

    seat: SeatId


class CommentCreate(RequestBody):
    """Say something beside the decisions."""

    text: str = Field(min_length=1, max_length=4_000, pattern=r"\S")


class BulkDecision(DecisionCreate):
    """One decision of many."""

    approval_id: Id


class BulkDecisionCreate(RequestBody):
    """Decide on many requests, each by itself: what is refused keeps nothing else from counting."""

    items: list[BulkDecision] = Field(min_length=1, max_length=MAX_BULK)

    @model_validator(mode="after")
    def _check_named_once(self) -> "BulkDecisionCreate":
        named = [item.approval_id for item in self.items]
        if len(set(named)) < len(named):
            msg = "each approval may be named once"
            raise ValueError(msg)
        return self


class BulkDecisionItem(Contract):
    """What became of one decision."""

    approval_id: str
    status: int = Field(description="The HTTP status that it would have had alone.")
    accepted: bool
    reason: Refusal | None = Field(default=None, description="Why it was refused.")
    detail: str = ""
    at: Instant | None = None
    stage: str | None = None
    seat: str | None = None


class BulkDecisionRead(Contract):
    """What became of each, in the order of the request."""

    items: list[BulkDecisionItem]
    accepted: int
    refused: int
