"""`/api/v1/approvals/{id}/…`: deciding, and changing who decides. What is refused says why and changes nothing."""

import asyncio
import hashlib
import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any
from uuid import uuid4

from fastapi import APIRouter, Request, status
from sqlalchemy.exc import DBAPIError
from starlette.responses import JSONResponse
from temporalio.service import RPCError

from api import problems
from api.actors import ActorDependency
from api.approval_people import Naming, called, is_administrator, person_named
from api.approvals import found, missing
from api.dependencies import ApprovalsDependency, DatabaseDependency, Principal, require
from api.idempotency import IdempotencyKey, IdempotentRequest
from api.made_here import made_here
from api.problems import problem_responses
from api.routes.approvals import ApprovalId
from perdure.db.approvals import ApprovalRepository, SpokenOf, spoken_of
from perdure.db.audit_trail import AuditTrail
from perdure.domain import approval_events as events
from perdure.domain.approval_answers import unusable
from perdure.domain.approval_refusals import Refusal
from perdure.domain.approval_voices import voice_of
from perdure.domain.audit import Action
from perdure.domain.decision_tokens import SIGNAL
from perdure.errors import FieldError, InvalidInputError, PerdureError
from perdure.schemas.approval_commands import (
    ApproverCreate,
    ApproverRemoval,
    BulkDecision,
    BulkDecisionCreate,
    BulkDecisionItem,
    BulkDecisionRead,
    CommentCreate,
    DelegationEnd,
    ReassignmentCreate,
)
from perdure.schemas.approval_requests import (
    ApprovalAnswered,
    CommentRead,
    DecisionCreate,
    DecisionTokenCreate,
    DecisionTokenRead,
    DelegationCreate,
)
from perdure.schemas.operations import Subject
from perdure.settings import Settings

router = APIRouter(prefix="/api/v1/approvals", tags=["approvals"], responses=problem_responses(404, 409))
bulk = APIRouter(prefix="/api/v1/approvals", tags=["approvals"], responses=problem_responses())

Approver = Annotated[Principal, require("approvals:write")]
Asker = Annotated[Principal, require("approvals:request")]

# Decisions of one request that are told at the same time.
BULK_AT_ONCE = 8
# Where the `temporal` command looks when it is told no address.
_COMMAND_LOOKS_AT = "127.0.0.1:7233"
# A delegation that begins or ends further away is a slip of the pen, and leaves the calendar.
FIRST_YEAR, LAST_YEAR = 2000, 2200


@dataclass(frozen=True)
class Speaking:
    """Somebody who tells an approval something. `by`: their name in it; `named`: whom they name."""

    by: str
    user: str
    key: str
    is_administrator: bool
    named: str
    spoken: SpokenOf


class Telling:
    """Tells an approval something for the caller, once per Idempotency-Key."""

    def __init__(
        self,
        approvals: ApprovalsDependency,
        database: DatabaseDependency,
        actor: ActorDependency,
        key: IdempotencyKey,
    ) -> None:
        self._approvals, self._database, self._actor = approvals, database, actor
        self.key = key or uuid4().hex

    async def speaking(
        self, caller: Principal, approval_id: str, naming: Naming | None = None, key: str | None = None
    ) -> Speaking:
        """As whom the caller speaks; NotFoundError where their organisation has no such approval."""
        spoken = await spoken_of(self._database, caller.organisation_id, approval_id, caller.user_id)
        if spoken is None:
            raise missing(approval_id)
        names = called(caller.user_id, spoken.email)
        named = ""
        if naming is not None:
            async with self._database.transaction(caller.organisation_id) as session:
                named = await person_named(session, caller, naming, _outside(spoken.policy))
        return Speaking(
            by=voice_of(spoken.state, names) if spoken.state is not None else names[0],
            user=names[0],
            key=key or self.key,
            is_administrator=is_administrator(caller),
            named=named,
            spoken=spoken,
        )

    async def tell(
        self, caller: Principal, approval_id: str, event: events.Event, speaking: Speaking
    ) -> ApprovalAnswered:
        """The answer; a refusal is raised as the problem that it is."""
        return await self._approvals.tell(
            caller.organisation_id, approval_id, event, self._actor, speaking.spoken
        )

    async def decide(
        self, caller: Principal, approval_id: str, body: DecisionCreate, key: str | None = None
    ) -> ApprovalAnswered:
        """Decide, on what the caller saw or on what is there now."""
        _check_form(body)
        speaking = await self.speaking(caller, approval_id, key=key)
        event = events.Decided(
            key=speaking.key,
            by=speaking.by,
            decision=body.decision,
            revision=body.revision or speaking.spoken.revision,
            revision_is_implied=body.revision is None,
            comment=body.comment,
            form=body.form,
            on_behalf_of=body.on_behalf_of,
            stage=body.stage,
        )
        return await self.tell(caller, approval_id, event, speaking)


TellingDependency = Annotated[Telling, made_here(Telling)]


def _check_form(body: DecisionCreate) -> None:
    fault = unusable(body.form)
    if fault is not None:
        raise InvalidInputError(f"form {fault}.", [FieldError("/body/form", f"{fault}.")])


def _outside(policy: Mapping[str, Any]) -> frozenset[str]:
    """Addresses that the policy itself lets people delegate to."""
    rules = policy.get("delegation")
    listed = rules.get("to") if isinstance(rules, dict) else None
    named = [one.get("email") for one in listed or () if isinstance(one, dict)]
    return frozenset(address.lower() for address in named if isinstance(address, str))


@bulk.post("/decisions", operation_id="decide_many_approvals")
async def decide_many(
    body: BulkDecisionCreate, caller: Approver, telling: TellingDependency
) -> BulkDecisionRead:
    """Decide on many requests. Each counts, or is refused, by itself, under a key that follows from the request's."""
    free = asyncio.Semaphore(BULK_AT_ONCE)

    async def decide(item: BulkDecision) -> BulkDecisionItem:
        async with free:
            return await _decided(item, caller, telling)

    items = await asyncio.gather(*(decide(item) for item in body.items))
    accepted = sum(item.accepted for item in items)
    return BulkDecisionRead(items=items, accepted=accepted, refused=len(items) - accepted)


async def _decided(item: BulkDecision, caller: Principal, telling: Telling) -> BulkDecisionItem:
    try:
        answered = await telling.decide(caller, item.approval_id, item, f"{telling.key}/{item.approval_id}")
    except (PerdureError, RPCError, DBAPIError) as error:
        known = problems.translate(error)
        if known is None:
            raise
        reason = getattr(known, "reason", None)
        return BulkDecisionItem(
            approval_id=item.approval_id,
            status=known.status,
            accepted=False,
            reason=Refusal(reason) if reason else None,
            detail=str(known),
        )
    return BulkDecisionItem(
        approval_id=item.approval_id,
        status=status.HTTP_200_OK,
        accepted=True,
        at=answered.at,
        stage=answered.stage,
        seat=answered.seat,
    )


@router.post("/{approval_id}/decision", operation_id="decide_approval")
async def decide_approval(
    approval_id: ApprovalId, body: DecisionCreate, caller: Approver, telling: TellingDependency
) -> ApprovalAnswered:
    """Decide. The same Idempotency-Key and body have the same answer, however often they are sent."""
    return await telling.decide(caller, approval_id, body)


@router.post("/{approval_id}/revoke", operation_id="revoke_decision")
async def revoke_decision(
    approval_id: ApprovalId, caller: Approver, telling: TellingDependency
) -> ApprovalAnswered:
    """Take your decision back while the stage is open."""
    speaking = await telling.speaking(caller, approval_id)
    event = events.Revoked(key=speaking.key, by=speaking.by)
    return await telling.tell(caller, approval_id, event, speaking)


@router.post("/{approval_id}/delegate", operation_id="delegate_approval")
async def delegate_approval(
    approval_id: ApprovalId, body: DelegationCreate, caller: Approver, telling: TellingDependency
) -> ApprovalAnswered:
    """Let somebody decide for you, in the open stage or the whole request; you may still decide yourself."""
    _check_years(body)
    speaking = await telling.speaking(caller, approval_id, Naming(body.to, "/body/to"))
    event = events.Delegated(
        key=speaking.key,
        by=speaking.by,
        to=speaking.named,
        whole_request=body.whole_request,
        starts_at=body.starts_at,
        ends_at=body.ends_at,
    )
    return await telling.tell(caller, approval_id, event, speaking)


def _check_years(body: DelegationCreate) -> None:
    for name in ("starts_at", "ends_at"):
        at: datetime | None = getattr(body, name)
        if at is not None and not FIRST_YEAR <= at.year <= LAST_YEAR:
            detail = f"{name} must be between the years {FIRST_YEAR} and {LAST_YEAR}."
            raise InvalidInputError(detail, [FieldError(f"/body/{name}", detail)])


@router.post("/{approval_id}/end-delegation", operation_id="end_delegation")
async def end_delegation(
    approval_id: ApprovalId, body: DelegationEnd, caller: Approver, telling: TellingDependency
) -> ApprovalAnswered:
    """Decide for yourself alone again. What was decided for you stands."""
    speaking = await telling.speaking(caller, approval_id)
    event = events.DelegationEnded(key=speaking.key, by=speaking.by, to=body.to)
    return await telling.tell(caller, approval_id, event, speaking)


@router.post("/{approval_id}/reassign", operation_id="reassign_approval")
async def reassign_approval(
    approval_id: ApprovalId, body: ReassignmentCreate, caller: Approver, telling: TellingDependency
) -> ApprovalAnswered:
    """Give your seat to somebody else; an administrator gives any, by its id."""
    speaking = await telling.speaking(caller, approval_id, Naming(body.to, "/body/to"))
    event = events.Reassigned(
        key=speaking.key,
        by=speaking.by if body.seat is None else speaking.user,
        to=speaking.named,
        seat=body.seat,
        administrator=speaking.is_administrator,
    )
    return await telling.tell(caller, approval_id, event, speaking)


@router.post("/{approval_id}/add-approver", operation_id="add_approver")
async def add_approver(
    approval_id: ApprovalId, body: ApproverCreate, caller: Approver, telling: TellingDependency
) -> ApprovalAnswered:
    """Ask somebody else, too; for administrators."""
    speaking = await telling.speaking(caller, approval_id, Naming(body.person, "/body/person"))
    event = events.ApproverAdded(
        key=speaking.key,
        by=speaking.user,
        person=speaking.named,
        weight=body.weight,
        administrator=speaking.is_administrator,
    )
    return await telling.tell(caller, approval_id, event, speaking)


@router.post("/{approval_id}/remove-approver", operation_id="remove_approver")
async def remove_approver(
    approval_id: ApprovalId, body: ApproverRemoval, caller: Approver, telling: TellingDependency
) -> ApprovalAnswered:
    """Take a seat away that has not decided and without which the stage can pass; for administrators."""
    speaking = await telling.speaking(caller, approval_id)
    event = events.ApproverRemoved(
        key=speaking.key, by=speaking.user, seat=body.seat, administrator=speaking.is_administrator
    )
    return await telling.tell(caller, approval_id, event, speaking)


@router.post("/{approval_id}/remind", operation_id="remind_approvers")
async def remind_approvers(
    approval_id: ApprovalId, caller: Asker, telling: TellingDependency
) -> ApprovalAnswered:
    """Remind those who have not answered, at most once an hour; for who asked, and administrators."""
    speaking = await telling.speaking(caller, approval_id)
    event = events.ReminderAsked(key=speaking.key, by=speaking.user, administrator=speaking.is_administrator)
    return await telling.tell(caller, approval_id, event, speaking)


@router.post("/{approval_id}/withdraw", operation_id="withdraw_approval")
async def withdraw_approval(
    approval_id: ApprovalId, caller: Asker, telling: TellingDependency
) -> ApprovalAnswered:
    """End the request, whatever was decided; for who asked, and administrators."""
    speaking = await telling.speaking(caller, approval_id)
    event = events.Cancelled(
        key=speaking.key,
        by=speaking.user,
        reason=events.CancelReason.WITHDRAWN,
        administrator=speaking.is_administrator,
    )
    return await telling.tell(caller, approval_id, event, speaking)


@router.post("/{approval_id}/decision-token", operation_id="issue_decision_token")
async def issue_decision_token(
    approval_id: ApprovalId,
    body: DecisionTokenCreate,
    request: Request,
    caller: Approver,
    telling: TellingDependency,
    approvals: ApprovalsDependency,
    actor: ActorDependency,
) -> DecisionTokenRead:
    """A token for one decision of yours, for the signal `decide`: Temporal does not know who signals."""
    speaking = await telling.speaking(caller, approval_id)
    token, claims = await approvals.issue_token(
        caller.organisation_id,
        approval_id,
        speaking.by,
        SIGNAL,
        timedelta(seconds=body.expires_in_s),
        origin=actor,
        decision=body.decision,
        comment=body.comment,
        on_behalf_of=body.on_behalf_of,
        form=body.form,
        revision=body.revision,
    )
    settings: Settings = request.app.state.settings
    return DecisionTokenRead(
        token=token,
        expires_at=claims.expires_at,
        workflow_id=speaking.spoken.workflow_id,
        command=signal_command(speaking.spoken.workflow_id, token, settings),
    )


def signal_command(workflow: str, token: str, settings: Settings) -> str:
    """The command that signals a decision, ready for a shell.

    It names a server on this machine that is not where the command looks by itself. Any other one may have
    another address where the command runs.
    """
    namespace, address = settings.temporal_namespace, settings.temporal_address
    elsewhere = [] if namespace == "default" else ["--namespace", namespace]
    if address.startswith("127.0.0.1:") and address != _COMMAND_LOOKS_AT:
        elsewhere += ["--address", address]
    words = ["temporal", "workflow", "signal", *elsewhere, "--workflow-id", workflow]
    return shlex.join([*words, "--name", "decide", "--input", json.dumps(token)])


@router.post(
    "/{approval_id}/comment",
    status_code=status.HTTP_201_CREATED,
    operation_id="comment_approval",
    response_model=CommentRead,
    responses={200: {"model": CommentRead, "description": "The Idempotency-Key was used before."}},
)
async def comment_approval(
    approval_id: ApprovalId,
    body: CommentCreate,
    caller: Approver,
    database: DatabaseDependency,
    idempotency: IdempotentRequest,
    actor: ActorDependency,
) -> CommentRead | JSONResponse:
    """Say something beside the decisions. It decides nothing, whatever it says."""
    async with database.transaction(caller.organisation_id) as session:
        approvals = ApprovalRepository(session, caller.organisation_id)
        await found(approvals, approval_id)
        before = await idempotency.replay(session, caller.organisation_id, body)
        if before is not None:
            return before
        said = await approvals.comment(approval_id, f"user:{caller.user_id}", body.text)
        await idempotency.remember(session, caller.organisation_id, said.model_dump(mode="json"))
        digest = hashlib.sha256(body.text.encode("utf-8", "surrogatepass")).hexdigest()
        await AuditTrail(session, caller.organisation_id).record(
            Action.APPROVAL_COMMENTED,
            actor,
            subject=Subject(type="approval", id=approval_id),
            details={"comment": said.id, "sha256": digest},
        )
    return said
