"""Approvals for routes, console and CLI: asking for one, telling it what somebody does, and tokens for decisions."""

from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Row, TextClause
from sqlalchemy.ext.asyncio import AsyncSession
from temporalio.client import Client, WorkflowUpdateFailedError, WorkflowUpdateRPCTimeoutOrCancelledError
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from api.authentication import Principal
from api.operations import Accepted, Operations
from perdure.db.approval_effects import ApprovalEffects
from perdure.db.approvals import CHANGED, OPEN, ApprovalRepository, SpokenOf, held_state, spoken_of
from perdure.db.models import OperationRow, WorkflowApprovalRow
from perdure.db.operation_repository import OperationRepository
from perdure.db.session import Database
from perdure.domain.approval_events import (
    ApproverLeft,
    Cancelled,
    CancelReason,
    Decision,
    Event,
    MembersChanged,
    Revised,
)
from perdure.domain.approval_policies import kept_policy
from perdure.domain.approval_proofs import ToldSigner
from perdure.domain.approval_refusals import Refusal, status_of, words_of
from perdure.domain.approval_state import Answer, ApprovalState
from perdure.domain.approvals import advance, digest_of
from perdure.domain.audit import SYSTEM, Action, Actor
from perdure.domain.decision_tokens import LINK, DecisionClaims, DecisionTokens
from perdure.domain.ids import new_id
from perdure.errors import (
    ApprovalRefusedError,
    ConflictError,
    InvalidInputError,
    NotFoundError,
    UnavailableError,
)
from perdure.schemas.approval_requests import (
    ApprovalAnswered,
    ApprovalCreate,
    ApprovalRead,
    ApprovalTold,
    OpenApproval,
    Teller,
)
from perdure.schemas.approvals import event_json
from workflows.request_approval import RequestApproval

logger = structlog.get_logger("perdure.approvals")

_RPC_TIMEOUT = timedelta(seconds=15)
_PAGE = 200


class Approvals:
    """Approvals of the whole installation; each call is made for one organisation."""

    def __init__(self, database: Database, client: Client, operations: Operations, secret: bytes) -> None:
        self._database, self._client, self._operations = database, client, operations
        self._tokens, self._signer = DecisionTokens(secret), ToldSigner(secret)

    async def request(
        self, caller: Principal, body: ApprovalCreate, key: str | None = None, request_sha256: str = ""
    ) -> Accepted:
        """Ask for an approval: an operation of the kind `request_approval`. A key is used once, as everywhere."""

        async def build(session: AsyncSession, operation_id: str) -> OperationRow:
            wanted = OpenApproval(
                organisation_id=caller.organisation_id, actor_id=caller.actor_id, **dict(body)
            )
            approvals = ApprovalRepository(session, caller.organisation_id)
            opened = await approvals.open(wanted, operation_id=operation_id)
            row = await OperationRepository(session).get(opened.operation_id)
            if row is None:
                raise NotFoundError(f"operation {opened.operation_id} is gone")
            return row

        return await self._operations.accept(caller, key, request_sha256, build)

    async def read(self, organisation_id: str, approval_id: str) -> ApprovalRead:
        """One request; NotFoundError when the organisation has none of this id."""
        async with self._database.transaction(organisation_id) as session:
            found = await ApprovalRepository(session, organisation_id).read(approval_id)
        if found is None:
            raise missing(approval_id)
        return found

    async def state(self, organisation_id: str, approval_id: str) -> ApprovalState | None:
        """Where a request stands, as the engine has it; None before its workflow has begun."""
        async with self._database.transaction(organisation_id) as session:
            return held_state(await found(ApprovalRepository(session, organisation_id), approval_id))

    async def tell(
        self,
        organisation_id: str,
        approval_id: str,
        event: Event,
        origin: Actor,
        spoken: SpokenOf | None = None,
    ) -> ApprovalAnswered:
        """Tell a request what somebody does, and who it is; answered when it is kept.

        Raises ApprovalRefusedError with the code of the refusal, which is then on record. The same key and content
        are answered the same again, also when the request has ended. `spoken`: as it was read a moment ago.
        """
        spoken = spoken or await spoken_of(self._database, organisation_id, approval_id)
        if spoken is None:
            raise missing(approval_id)
        if spoken.is_closed:
            return await self._tell_record(organisation_id, approval_id, event, origin)
        if not spoken.is_started:
            await self._operations.launched(organisation_id, spoken.operation_id)
        told = ApprovalTold(event=event_json(event), origin=Teller.of(origin))
        told = told.model_copy(update={"proof": self._signer.sign(approval_id, told.said())})
        handle = self._client.get_workflow_handle(spoken.workflow_id)
        try:
            return await handle.execute_update(
                RequestApproval.tell, told, id=digest_of(event), rpc_timeout=_RPC_TIMEOUT
            )
        except WorkflowUpdateFailedError as failure:
            refused = _refusal_of(failure)
            if refused is None:
                # It ended while this was under way: its record says with what.
                return await self._tell_record(organisation_id, approval_id, event, origin)
            await self._record_refusal(organisation_id, approval_id, event, origin, *refused)
            raise refused_error(*refused) from failure
        except WorkflowUpdateRPCTimeoutOrCancelledError as failure:
            detail = (
                "No worker answered in time, and it may still count: send the same again with the same key."
            )
            raise UnavailableError(detail) from failure
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            return await self._tell_record(organisation_id, approval_id, event, origin)

    async def issue_token(
        self,
        organisation_id: str,
        approval_id: str,
        person: str,
        purpose: str,
        expires_in: timedelta,
        *,
        origin: Actor,
        decision: Decision | None = None,
        comment: str = "",
        on_behalf_of: str | None = None,
        form: dict[str, Any] | None = None,
        revision: str | None = None,
    ) -> tuple[str, DecisionClaims]:
        """A token for one decision of a person's, on `revision`, else on what is shown now; it is recorded."""
        async with self._database.transaction(organisation_id) as session:
            row = await found(ApprovalRepository(session, organisation_id), approval_id)
            if row.closed_at is not None:
                raise refused_error(Refusal.STAGE_CLOSED)
            claims = DecisionClaims(
                id=new_id("dtk"),
                organisation_id=organisation_id,
                approval_id=approval_id,
                person=person,
                purpose=purpose,
                revision=revision or row.revision,
                expires_at=datetime.now(UTC) + expires_in,
                decision=decision,
                comment=comment,
                on_behalf_of=on_behalf_of,
                form=form,
            )
            token = self._tokens.issue(claims)
            effects = ApprovalEffects(session, organisation_id, row)
            said = {"token_id": claims.id, "purpose": purpose, "by": person, "decision": decision}
            effects.note(Action.APPROVAL_TOKEN_ISSUED, origin, said)
            await effects.conclude()
        return token, claims

    async def claims_of(self, token: str, purpose: str = LINK) -> DecisionClaims:
        """What a token says; TokenRefusal for whatever is none of ours, for this purpose, and still good."""
        return self._tokens.read(token, purpose, datetime.now(UTC))

    # What happens to people and documents

    async def follow(self) -> None:
        """Tell open requests what became of their documents and approvers.

        Whoever brought it about may have died before saying so: this looks at what is, and is called again and again.
        """
        async for page in self._pages(CHANGED):
            for row in page:
                await self.follow_one(row.organisation_id, row.id)

    async def follow_members(self) -> None:
        """Tell open requests who has which role, where they do not know it.

        They are told when a role changes. This is for what whoever changed it died before saying.
        """
        async for page in self._pages(OPEN):
            untold: dict[str, list[str]] = {}
            for row in page:
                if not row.knows_members:
                    untold.setdefault(row.organisation_id, []).append(row.id)
            for organisation_id, approval_ids in untold.items():
                await self._tell_roles(organisation_id, approval_ids)

    async def _pages(self, statement: TextClause) -> AsyncIterator[Sequence[Row[Any]]]:
        """What a statement finds after an id, page by page."""
        after = ""
        while True:
            async with self._database.transaction(None) as session:
                rows = (await session.execute(statement, {"after": after, "limit": _PAGE})).all()
            yield rows
            if len(rows) < _PAGE:
                return
            after = rows[-1].id

    async def _tell_roles(self, organisation_id: str, approval_ids: Collection[str]) -> None:
        async with self._database.transaction(organisation_id) as session:
            approvals = ApprovalRepository(session, organisation_id)
            roles = await approvals.roles()
            known = await approvals.known_roles(approval_ids)
        for approval_id, sequence, held in known:
            for event in _roles_changed(sequence, held, roles):
                await self._tell_quietly(organisation_id, approval_id, event)

    async def follow_one(self, organisation_id: str, approval_id: str) -> None:
        """Tell one request what became of its document, of who is asked, and of the label that it asks for."""
        async with self._database.transaction(organisation_id) as session:
            approvals = ApprovalRepository(session, organisation_id)
            row = await approvals.get(approval_id)
            if row is None or row.closed_at is not None:
                return
            shown = await approvals.changed_document(row)
            gone = await approvals.asked_and_gone(approval_id)
            answered = await approvals.is_answered(row)
        events: list[Event] = [
            ApproverLeft(key=f"left {person} {row.sequence}", person=person) for person in gone
        ]
        if row.document_id is not None and shown is None:
            events = [_document_deleted(row)]
        elif answered:
            events = [Cancelled(key=f"answered {row.result_id}", by="system", administrator=True)]
        elif shown is not None and shown.revision != row.revision:
            key = f"revised {row.sequence} {shown.revision}"
            events.append(Revised(key=key, by="system", revision=shown.revision))
        for event in events:
            await self._tell_quietly(organisation_id, approval_id, event)

    async def members_changed(self, organisation_id: str, left: str | None = None) -> None:
        """Tell the organisation's open requests who has which role now, and who has left."""
        after = ""
        while True:
            async with self._database.transaction(organisation_id) as session:
                approvals = ApprovalRepository(session, organisation_id)
                roles = await approvals.roles()
                ids = await approvals.open_ids(after, _PAGE)
                states = {one: row for one in ids if (row := await approvals.get(one)) is not None}
            for approval_id, row in states.items():
                for event in _of_members(row, roles, left):
                    await self._tell_quietly(organisation_id, approval_id, event)
            if len(ids) < _PAGE:
                return
            after = ids[-1]

    async def _tell_quietly(self, organisation_id: str, approval_id: str, event: Event) -> None:
        """Tell what nobody waits for; what ended meanwhile need not know."""
        try:
            await self.tell(organisation_id, approval_id, event, SYSTEM)
        except (ApprovalRefusedError, ConflictError, NotFoundError, UnavailableError, RPCError) as error:
            logger.info("approval_not_told", approval_id=approval_id, kind=event.kind, reason=str(error))

    # What the record answers

    async def _tell_record(
        self, organisation_id: str, approval_id: str, event: Event, origin: Actor
    ) -> ApprovalAnswered:
        """The answer of a request whose workflow has ended: what was accepted is answered again, the rest refused."""
        async with self._database.transaction(organisation_id) as session:
            row = await found(ApprovalRepository(session, organisation_id), approval_id)
        state = held_state(row)
        if state is None or row.closed_at is None:
            # Not begun yet, ended from outside a moment ago, or what was told was lost with a worker's task.
            detail = (
                f"approval {approval_id} does not take this right now: send the same again with the same key"
            )
            raise UnavailableError(detail)
        step = advance(kept_policy(row.policy), state, event, datetime.now(UTC))
        if step.answer.accepted and step.answer.at is not None:
            return _answered(approval_id, step.answer)
        refusal, detail = step.answer.refusal or Refusal.STAGE_CLOSED, step.answer.detail
        await self._record_refusal(organisation_id, approval_id, event, origin, refusal, detail)
        raise refused_error(refusal, detail)

    async def _record_refusal(
        self,
        organisation_id: str,
        approval_id: str,
        event: Event,
        origin: Actor,
        refusal: Refusal,
        _detail: str,
    ) -> None:
        """Keep what was refused in the audit trail, once for each key and content."""
        by = getattr(event, "by", None)
        effect = f"refused {by or ''} {getattr(event, 'key', '')} {digest_of(event)[:16]}"
        async with self._database.transaction(organisation_id) as session:
            approvals = ApprovalRepository(session, organisation_id)
            row = await found(ApprovalRepository(session, organisation_id), approval_id)
            if await approvals.refused(approval_id, effect):
                return
            effects = ApprovalEffects(session, organisation_id, row)
            seen = getattr(event, "revision", row.revision)
            effects.refuse(
                f"{event.kind}:{refusal}",
                origin,
                seen=seen,
                by=by,
                on_behalf_of=getattr(event, "on_behalf_of", None),
            )
            await effects.conclude()


def refused_error(refusal: Refusal, detail: str = "") -> ApprovalRefusedError:
    """A refusal as the problem that it is."""
    return ApprovalRefusedError(refusal.value, detail or words_of(refusal), status_of(refusal))


def _refusal_of(failure: WorkflowUpdateFailedError) -> tuple[Refusal, str] | None:
    """The engine's refusal; None where it was something else that failed."""
    cause = failure.cause
    if not isinstance(cause, ApplicationError):
        return None
    if cause.type == InvalidInputError.slug:
        raise InvalidInputError(cause.message) from failure
    try:
        return Refusal(cause.type or ""), cause.message
    except ValueError:
        return None


def _answered(approval_id: str, answer: Answer) -> ApprovalAnswered:
    said = ApprovalAnswered(approval_id=approval_id, at=answer.at, stage=answer.stage, seat=answer.seat)
    # To the millisecond, as it was said before.
    return ApprovalAnswered.model_validate_json(said.model_dump_json())


def _document_deleted(row: WorkflowApprovalRow) -> Event:
    reason = CancelReason.DOCUMENT_DELETED
    return Cancelled(key=f"deleted {row.document_id}", by="system", reason=reason, administrator=True)


def _of_members(row: WorkflowApprovalRow, roles: dict[str, tuple[str, ...]], left: str | None) -> list[Event]:
    """What a request does not know yet of the members."""
    state = held_state(row)
    if state is None:
        return []
    events: list[Event] = list(_roles_changed(state.sequence, state.roles, roles))
    if left is not None and left not in state.gone:
        events.append(ApproverLeft(key=f"left {left} {state.sequence}", person=left))
    return events


def _roles_changed(
    sequence: int, known: Mapping[str, Sequence[str]], roles: Mapping[str, Sequence[str]]
) -> Iterator[MembersChanged]:
    for role, members in sorted(roles.items()):
        if sorted(members) != list(known.get(role, ())):
            yield MembersChanged(key=f"members {sequence} {role}", role=role, members=tuple(sorted(members)))


async def found(approvals: ApprovalRepository, approval_id: str) -> WorkflowApprovalRow:
    """The request; NotFoundError when the organisation has none of this id."""
    row = await approvals.get(approval_id)
    if row is None:
        raise missing(approval_id)
    return row


def missing(approval_id: str) -> NotFoundError:
    """That there is no such request."""
    return NotFoundError(f"no approval {approval_id}: check the id, or list GET /api/v1/approvals")
