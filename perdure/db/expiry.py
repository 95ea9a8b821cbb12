"""Takes away what can have no effect any more and nobody ended; the caller owns the transaction."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import CursorResult, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from perdure.db.approvals import ApprovalRepository, held_state
from perdure.db.models import OperationRow, WorkflowApprovalRow
from perdure.domain.approval_effects import Outcome
from perdure.domain.approval_events import Cancelled
from perdure.domain.approval_policies import kept_policy
from perdure.domain.approval_state import Status
from perdure.domain.approvals import advance

# Whoever ends regularly has said so long before.
_SILENT_FOR = timedelta(minutes=5)
_BATCH = 200
_BY = "system"

_STEPS = text(
    """
    UPDATE workflow_execution_steps s SET state = 'cancelled', updated_at = now(),
        record = jsonb_set(s.record, '{state}', '"cancelled"')
    FROM workflow_executions e JOIN operations o ON o.id = e.operation_id
    WHERE e.id = s.execution_id AND o.closed_at < now() - CAST(:silent_for AS interval)
        AND s.state IN ('running', 'waiting', 'waiting_approval')
    """
)
_SECRETS = text(
    """
    UPDATE webhook_endpoints SET sealed_previous_secret = NULL, previous_until = NULL
    WHERE previous_until < now()
    """
)


class ExpiryRepository:
    """What the session's organisation has left behind."""

    def __init__(self, session: AsyncSession, organisation_id: str) -> None:
        self._session, self._organisation_id = session, organisation_id

    async def sweep(self, now: datetime) -> dict[str, int]:
        """How many of what were taken away; what is none is left out."""
        swept = {
            "approvals": await self._approvals(now),
            "steps": await self._run(_STEPS, silent_for=_SILENT_FOR),
            "webhook_secrets": await self._run(_SECRETS),
        }
        return {what: count for what, count in swept.items() if count}

    async def _approvals(self, now: datetime) -> int:
        """Close requests whose workflow was terminated from outside, which told them nothing."""
        statement = (
            select(WorkflowApprovalRow)
            .join(OperationRow, OperationRow.id == WorkflowApprovalRow.operation_id)
            .where(
                WorkflowApprovalRow.organisation_id == self._organisation_id,
                WorkflowApprovalRow.closed_at.is_(None),
                OperationRow.closed_at < func.now() - _SILENT_FOR,
            )
            .limit(_BATCH)
            .with_for_update(of=WorkflowApprovalRow, skip_locked=True)
        )
        rows = (await self._session.scalars(statement)).all()
        for row in rows:
            state = held_state(row)
            if state is None:
                row.status, row.outcome, row.closed_at = Status.CLOSED.value, Outcome.CANCELLED.value, now
                continue
            policy = kept_policy(row.policy)
            event = Cancelled(key=f"{_BY}:{row.id}", by=_BY, administrator=True)
            approvals = ApprovalRepository(self._session, self._organisation_id)
            await approvals.write(row, policy, advance(policy, state, event, max(now, state.at)).state)
        return len(rows)

    async def _run(self, statement: Any, **values: Any) -> int:
        result: CursorResult[Any] = await self._session.execute(statement, values)  # type: ignore[assignment]  # of a change
        return result.rowcount
