"""Approvals: a request is opened, signals are read, and each step is kept with its effects in one transaction."""

import hashlib

from temporalio import activity

from activities.failures import failures
from perdure.db.approval_effects import ApprovalEffects
from perdure.db.approvals import ApprovalRepository
from perdure.db.operation_repository import OperationRepository, attempt_of
from perdure.db.review_decisions import ReviewDecisions
from perdure.db.session import Transaction
from perdure.domain.approval_effects import Entry
from perdure.domain.approval_policies import kept_policy
from perdure.domain.approval_proofs import ToldSigner
from perdure.domain.audit import Actor, ActorKind
from perdure.domain.decision_tokens import SIGNAL, DecisionClaims, DecisionTokens, TokenRefusal
from perdure.errors import NotFoundError
from perdure.schemas.approval_requests import ApprovalOpened, OpenApproval, Teller
from perdure.schemas.approval_transitions import (
    ReadSignal,
    SignalsJob,
    TransitionItem,
    TransitionJob,
    TransitionWritten,
)
from perdure.schemas.approvals import state_of


class ApprovalActivities:
    """Side effects of approvals. Each is safe to run twice."""

    def __init__(self, transaction: Transaction, secret: bytes) -> None:
        self._transaction = transaction
        self._tokens, self._signer = DecisionTokens(secret), ToldSigner(secret)

    @activity.defn
    async def open_approval(self, job: OpenApproval) -> ApprovalOpened:
        """Write a request that a step asks for. A second run finds it by execution, step and visit.

        Its workflow, `RequestApproval`, is then run with `input` under the id `operation_id`.
        """
        with failures():
            async with self._transaction(job.organisation_id) as session:
                return await ApprovalRepository(session, job.organisation_id).open(job)

    @activity.defn
    async def read_signals(self, job: SignalsJob) -> list[ReadSignal]:
        """Read what signals say. It changes nothing; whether a token was used, the engine knows."""
        return [self._read(job, token) for token in job.tokens]

    @activity.defn
    async def record_transition(self, job: TransitionJob) -> TransitionWritten:
        """Keep a step with all its effects, or nothing.

        The record is what counts: where it has gone on, by a run before that could not say so, the step is not
        written, and what is kept is answered. So a second run finds its own step kept.
        """
        with failures():
            async with self._transaction(job.organisation_id) as session:
                approvals = ApprovalRepository(session, job.organisation_id)
                locked = await approvals.lock(job.approval_id)
                if locked is None:
                    raise NotFoundError(f"approval {job.approval_id} was deleted")
                row = locked.row
                if row.sequence != job.base:
                    return TransitionWritten(stored=row.state)
                effects = ApprovalEffects(session, job.organisation_id, row, is_heard=locked.is_heard)
                unproven = [index for index, item in enumerate(job.items) if not self._is_proven(job, item)]
                if unproven:
                    for index in unproven:
                        told = job.items[index].told
                        digest = hashlib.sha256(told.model_dump_json().encode() if told else b"").hexdigest()
                        if not await approvals.happened(row.id, f"unproven:{digest}"):
                            effects.refuse("told:unproven", None)
                    await effects.conclude()
                    return TransitionWritten(unproven=unproven)
                if job.state is not None:
                    await approvals.write(row, kept_policy(row.policy), state_of(job.state))
                ended = job.ending is not None and row.closed_at is not None
                if job.ending is not None and ended:
                    attempt = attempt_of(activity.info().workflow_id)
                    await OperationRepository(session).conclude(job.ending, attempt, locked.operation)
                for item in job.items:
                    await self._carry_out(approvals, effects, row.id, item)
                await effects.conclude()
                is_over = row.result_id is not None and row.closed_at is not None
                if is_over and not await approvals.happened(row.id, "review"):
                    await ReviewDecisions(session, job.organisation_id).conclude(row, state_of(row.state))
        return TransitionWritten(ended=ended)

    @staticmethod
    async def _carry_out(
        approvals: ApprovalRepository, effects: ApprovalEffects, approval_id: str, item: TransitionItem
    ) -> None:
        if item.signal is not None and await approvals.happened(approval_id, f"signal:{item.signal}"):
            return
        origin = item.origin.actor() if item.origin else None
        if item.refusal is not None:
            effects.refuse(f"signal:{item.refusal}", origin)
        for effect in item.effects:
            is_refusal = effect.get("entry") == Entry.REFUSED
            if not (is_refusal and await approvals.refused(approval_id, effect["id"])):
                effects.do(effect, origin)

    def _is_proven(self, job: TransitionJob, item: TransitionItem) -> bool:
        return item.told is None or self._signer.is_ours(job.approval_id, item.told.said(), item.told.proof)

    def _read(self, job: SignalsJob, token: str | None) -> ReadSignal:
        try:
            claims = self._tokens.read(token, SIGNAL, job.at)
        except TokenRefusal as refused:
            return ReadSignal(refusal=refused.code)
        ours = (claims.organisation_id, claims.approval_id) == (job.organisation_id, job.approval_id)
        if not ours or claims.decision is None:
            return ReadSignal(refusal="token_foreign")
        return ReadSignal(event=_decided(claims), origin=_origin(claims))


def _decided(claims: DecisionClaims) -> dict[str, object]:
    return {
        "kind": "decided",
        "key": f"token:{claims.id}",
        "by": claims.person,
        "decision": claims.decision,
        "revision": claims.revision,
        "comment": claims.comment,
        "form": claims.form,
        "on_behalf_of": claims.on_behalf_of,
    }


def _origin(claims: DecisionClaims) -> Teller:
    user_id = claims.person.removeprefix("user:") if claims.person.startswith("user:") else None
    kind = ActorKind.USER if user_id else ActorKind.ANONYMOUS
    return Teller.of(Actor(kind, user_id, user_id))
