"""What becomes of a request whose workflow ended without saying so: terminated from outside, or never begun."""

from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncSession

from perdure.db.approval_effects import ApprovalEffects
from perdure.db.approvals import ApprovalRepository, held_state
from perdure.domain.approval_effects import Outcome
from perdure.domain.approval_events import Cancelled
from perdure.domain.approval_policies import kept_policy
from perdure.domain.approval_state import Status
from perdure.domain.approvals import advance
from perdure.schemas.approvals import effect_json


async def end_approval(session: AsyncSession, organisation_id: str, operation_id: str) -> None:
    """End the request of an operation, if it has one that is open, and say so to who was asked."""
    approvals = ApprovalRepository(session, organisation_id)
    row = await approvals.of_operation(operation_id, lock=True)
    if row is None or row.closed_at is not None:
        return
    state = held_state(row)
    if state is None:
        row.status, row.outcome = Status.CLOSED.value, Outcome.CANCELLED.value
        row.closed_at = datetime.now(UTC)
        return
    policy = kept_policy(row.policy)
    ended = Cancelled(key="ended", by="system", administrator=True)
    step = advance(policy, state, ended, datetime.now(UTC))
    await approvals.write(row, policy, step.state)
    effects = ApprovalEffects(session, organisation_id, row)
    for effect in step.effects:
        effects.do(effect_json(effect), None)
    await effects.conclude()
