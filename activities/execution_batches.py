"""Many executions as one operation: which are started next, and what became of those that were."""

from temporalio import activity

from activities.failures import failures
from perdure.db.session import Transaction
from perdure.db.workflow_executions import WorkflowExecutions
from perdure.schemas.document_workflows import (
    BatchEnd,
    OpenExecutions,
    RunWorkflowBatchResult,
    Window,
    WindowJob,
)


class ExecutionBatchActivities:
    """Side effects on batches of executions. Each is safe to run twice."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    @activity.defn
    async def open_executions(self, job: WindowJob) -> Window:
        """Accept as many executions as fit. A second run accepts fewer; what the first did starts from the outbox."""
        with failures():
            async with self._transaction(job.organisation_id) as session:
                return await WorkflowExecutions(session, job.organisation_id).open_window(job)

    @activity.defn
    async def end_executions(self, end: BatchEnd) -> OpenExecutions:
        """Settle what was not started, and say what is to be cancelled. A second run settles nothing more."""
        with failures():
            async with self._transaction(end.organisation_id) as session:
                found = await WorkflowExecutions(session, end.organisation_id).end_batch(end)
        return OpenExecutions(workflow_ids=list(found))

    @activity.defn
    async def summarise_executions(self, job: WindowJob) -> RunWorkflowBatchResult:
        """Count the documents by outcome."""
        with failures():
            async with self._transaction(job.organisation_id) as session:
                outcomes = await WorkflowExecutions(session, job.organisation_id).outcomes(job.operation_id)
        return RunWorkflowBatchResult(total=sum(outcomes.values()), outcomes=outcomes)
