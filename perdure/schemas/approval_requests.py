"""Requests for approval: what is asked for over HTTP, what the workflow is told and tells, what is shown."""

import re
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AfterValidator, Field, StringConstraints

from perdure.domain.approval_effects import Outcome
from perdure.domain.approval_events import Decision
from perdure.domain.approval_policies import EMAIL
from perdure.domain.approval_refusals import Refusal
from perdure.domain.approval_state import Closing, Hold, Status
from perdure.domain.audit import Actor, ActorKind
from perdure.domain.clean_text import is_blank, one_line
from perdure.schemas.base import Contract, GivenInstant, Id, Instant, RequestBody, Sha256
from perdure.schemas.operations import OperationInput

KIND = "request_approval"
MAX_EVIDENCE = 50
MAX_COMMENT = 4_000


def _title(value: str) -> str:
    title = one_line(value)
    if is_blank(title):
        msg = "must not be blank"
        raise ValueError(msg)
    return title


Title = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(_title)]
PERSON = re.compile(rf"^(user:usr_[0-9a-z]{{26}}|email:{EMAIL.pattern})$")
Person = Annotated[
    str,
    StringConstraints(pattern=PERSON.pattern, max_length=262),
]


class Evidence(Contract):
    """A passage that speaks for or against, as it is shown beside the decision."""

    text: str = Field(min_length=1, max_length=4_000, description="The passage itself, or what was found.")
    label: str = Field(default="", max_length=200, description="What it shows, such as `total`.")
    start: int | None = Field(default=None, ge=0, description="Where it begins in the document's text.")
    end: int | None = Field(default=None, ge=0)
    page: int | None = Field(default=None, ge=1)


class ApprovalCreate(RequestBody):
    """Ask for an approval."""

    title: Title
    summary: str = Field(default="", max_length=20_000)
    document_id: Id | None = Field(
        default=None, description="The document that is decided on; its newest version is what is shown."
    )
    evidence: list[Evidence] = Field(default=[], max_length=MAX_EVIDENCE)
    policy: dict[str, Any] = Field(description="Who is asked, in which order, and what makes it pass.")
    authors: list[Person] = Field(
        default=[],
        max_length=100,
        description="Who wrote it; where duties are separated, they do not decide.",
    )


class AskedRead(Contract):
    """Somebody who is asked and has not answered."""

    person: str
    stage: str
    seat: str | None = Field(default=None, description="Null for who stands in for all who are silent.")
    standing: str = Field(description="`asked`, `delegate` or `stands_in`.")
    since: Instant
    due_at: Instant | None = None


class VoteRead(Contract):
    """A decision that counts."""

    decision: Decision
    by: str
    on_behalf_of: str | None = None
    at: Instant
    comment: str = ""
    form: dict[str, Any] | None = None
    revision: Sha256
    veto: bool = False
    stands_in: bool = False


class SeatRead(Contract):
    """One vote of a stage, and who may cast it."""

    id: str
    principal: str
    people: list[str]
    weight: int = 1
    may_veto: bool = False
    required: bool = False
    vote: VoteRead | None = None


class ApprovalStageRead(Contract):
    """A stage of the policy; those that were not opened have no seats."""

    id: str
    name: str = ""
    state: str = Field(description="`waiting`, `open`, `approved` or `rejected`.")
    opened_at: Instant | None = None
    due_at: Instant | None = None
    closed_at: Instant | None = None
    closed_by: Closing | None = None
    hold: Hold | None = None
    seats: list[SeatRead] = Field(default=[])
    escalated_to: list[str] = Field(default=[])
    form: dict[str, Any] | None = Field(default=None, description="JSON Schema of what an approver fills in.")
    may_abstain: bool = True
    may_request_changes: bool = True


class DelegationRead(Contract):
    """Who may decide for whom."""

    by: str
    to: str
    stage: str | None = None
    starts_at: Instant
    ends_at: Instant


class CommentRead(Contract):
    """What somebody said beside a decision."""

    id: str
    by: str
    text: str
    created_at: Instant


class ApprovalSummary(Contract):
    """A request in a list."""

    id: str
    operation_id: str
    title: str
    status: Status
    outcome: Outcome | None = None
    requester: str
    document_id: str | None = None
    execution_id: str | None = None
    step_id: str | None = None
    stage: str | None = Field(default=None, description="The stage that is open.")
    due_at: Instant | None = None
    overdue: bool = False
    sequence: int
    created_at: Instant
    closed_at: Instant | None = None


class ApprovalRead(ApprovalSummary):
    """A request with all that can be known about it."""

    summary: str = ""
    document_version: int | None = None
    document_title: str | None = None
    revision: Sha256 = Field(description="SHA-256 of what is shown; a decision names it.")
    evidence: list[Evidence] = Field(default=[])
    policy: dict[str, Any]
    closed_by: Closing | None = None
    round: int = 1
    stages: list[ApprovalStageRead] = Field(default=[])
    asked: list[AskedRead] = Field(default=[])
    delegations: list[DelegationRead] = Field(default=[])
    comments: list[CommentRead] = Field(default=[])


class DecisionCreate(RequestBody):
    """Decide. Without a revision, on the one that is shown now."""

    decision: Decision
    comment: str = Field(default="", max_length=MAX_COMMENT)
    form: dict[str, Any] | None = None
    on_behalf_of: Person | None = None
    stage: str | None = Field(default=None, max_length=40)
    revision: Sha256 | None = Field(default=None, description="SHA-256 of what was shown to you.")


class DelegationCreate(RequestBody):
    """Let somebody decide for you."""

    to: Person
    whole_request: bool = False
    starts_at: GivenInstant | None = None
    ends_at: GivenInstant | None = None


class Teller(Contract):
    """Who told it and from where, as the audit trail has it."""

    kind: ActorKind
    id: str | None = None
    person_id: str | None = None
    request_id: str | None = None
    address: str | None = None

    @classmethod
    def of(cls, actor: Actor) -> "Teller":
        """The same, as JSON holds it."""
        return cls(
            kind=actor.kind,
            id=actor.id,
            person_id=actor.person_id,
            request_id=actor.request_id,
            address=actor.address,
        )

    def actor(self) -> Actor:
        """The same, as the audit trail takes it."""
        return Actor(self.kind, self.id, self.person_id, self.request_id, self.address)


class ApprovalTold(Contract):
    """What the workflow is told: an event of the engine as JSON, and by whom."""

    event: dict[str, Any]
    origin: Teller | None = None
    proof: str = Field(default="", description="That we tell it: Temporal does not say who sends an update.")

    def said(self) -> dict[str, Any]:
        """What is proven."""
        return self.model_dump(mode="json", exclude={"proof"})


class ApprovalAnswered(Contract):
    """The answer; the same again for the same key."""

    approval_id: str
    accepted: bool = True
    at: Instant | None = None
    stage: str | None = None
    seat: str | None = None
    refusal: Refusal | None = Field(default=None, description="Why it was refused; null when it counts.")
    detail: str = ""


class OpenApproval(Contract):
    """An approval that a step of an execution, or a person, asks for. It is opened once for each `key`."""

    organisation_id: str
    actor_id: str = Field(description="The user or API key that the request is made by.")
    title: str
    summary: str = ""
    document_id: str | None = None
    evidence: list[Evidence] = Field(default=[])
    policy: dict[str, Any]
    authors: list[str] = Field(default=[])
    operation_id: str = Field(default="", description="The operation that asks.")
    operation_kind: str = ""
    execution_id: str | None = None
    step_id: str | None = None
    visit: int = 1
    result_id: str | None = Field(default=None, description="The classification that a label is asked for.")


class RequestApprovalInput(OperationInput):
    """Input of `RequestApproval`. `state` is there when it goes on after continue-as-new."""

    approval_id: str
    policy: dict[str, Any]
    opened: dict[str, Any] = Field(description="The engine's event `opened`.")
    gone: list[str] = Field(default=[], description="Who is named and has left the organisation.")
    state: dict[str, Any] | None = None
    signals: int = Field(default=0, description="How many signals came in the runs before.")
    most_told: int = Field(default=1_000, description="After so many updates and signals it goes on afresh.")


class ApprovalOpened(Contract):
    """An approval whose workflow is to be run, under the operation's id."""

    approval_id: str
    operation_id: str
    input: RequestApprovalInput


class ApprovalResult(Contract):
    """How an approval ended. `decided_by` and `form` are those of the decision that was last."""

    approval_id: str
    outcome: Outcome
    approved: bool
    closed_by: Closing
    decided_by: list[str] = Field(default=[])
    comment: str = ""
    form: dict[str, Any] | None = None


class TokenPurpose(StrEnum):
    """What a decision token is good for."""

    LINK = "link"
    SIGNAL = "signal"


class DecisionTokenCreate(RequestBody):
    """A token for one decision of the caller's, for a signal to the workflow."""

    decision: Decision
    comment: str = Field(default="", max_length=1_000)
    form: dict[str, Any] | None = None
    on_behalf_of: Person | None = None
    revision: Sha256 | None = Field(default=None, description="SHA-256 of what was shown to you.")
    expires_in_s: int = Field(default=600, ge=10, le=7 * 86_400)


class DecisionTokenRead(Contract):
    """A token, and how to use it."""

    token: str
    expires_at: Instant
    workflow_id: str
    signal: str = "decide"
    command: str = Field(description="The ready `temporal workflow signal` command.")
