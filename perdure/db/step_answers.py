"""Answers of models that steps of executions were given: what was paid for is not asked for again."""

import json
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from perdure.db.models import WorkflowStepAnswerRow
from perdure.schemas.workflow_executions import StepJob

# Of an execution that is gone there is nothing to be kept.
_KEEP = text(
    """
    INSERT INTO workflow_step_answers (organisation_id, execution_id, step_id, visit, output)
    SELECT e.organisation_id, e.id, :step_id, :visit, CAST(:output AS jsonb)
    FROM workflow_executions e WHERE e.id = :execution_id
    ON CONFLICT (execution_id, step_id, visit) DO NOTHING
    """
)


class StepAnswers:
    """Answers of the session's organisation, by execution, step and visit."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def of(self, job: StepJob) -> dict[str, Any] | None:
        """What the same visit of the step was answered before."""
        row = WorkflowStepAnswerRow
        found: dict[str, Any] | None = await self._session.scalar(
            select(row.output).where(
                row.execution_id == job.execution_id, row.step_id == job.step_id, row.visit == job.visit
            )
        )
        return found

    async def keep(self, job: StepJob, output: dict[str, Any]) -> None:
        """Keep an answer; the first one stays."""
        await self._session.execute(
            _KEEP,
            {
                "execution_id": job.execution_id,
                "step_id": job.step_id,
                "visit": job.visit,
                "output": json.dumps(output),
            },
        )
