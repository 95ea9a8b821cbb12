"""What executions of document workflows have written about their steps, and executions that steps ask for."""

from dataclasses import replace

from temporalio import activity

from activities.failures import failures
from perdure.db.approvals import CHILD
from perdure.db.execution_states import ExecutionStates
from perdure.db.models import DocumentRow, DocumentWorkflowRow, DocumentWorkflowVersionRow
from perdure.db.operation_repository import OperationRepository, attempt_of, input_fields
from perdure.db.session import Transaction
from perdure.db.workflow_executions import WorkflowExecutions, execution_of
from perdure.domain.workflow_reading import parse_definition
from perdure.errors import NotFoundError
from perdure.schemas.workflow_executions import OpenSubWorkflow, RunDocumentWorkflowInput, StepsRecord


class WorkflowExecutionActivities:
    """Side effects of executions beside those of their steps. Each is safe to run twice."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    @activity.defn
    async def record_steps(self, record: StepsRecord) -> None:
        """Write what steps did, how all ended, and what a next attempt goes on from.

        A second run writes the same, or nothing.
        """
        attempt = attempt_of(activity.info().workflow_id)
        async with self._transaction(record.organisation_id) as session:
            await WorkflowExecutions(session, record.organisation_id).record(record, attempt)
            if record.state is not None:
                await ExecutionStates(session).keep(record.operation_id, record.state)
            if record.end is not None:
                await OperationRepository(session).conclude(record.end, attempt)

    @activity.defn
    async def open_sub_workflow(self, job: OpenSubWorkflow) -> RunDocumentWorkflowInput:
        """Write an execution that a step asks for; its workflow is then run under the operation's id.

        A second run finds the operation.
        """
        with failures():
            async with self._transaction(job.organisation_id) as session:
                operations = OperationRepository(session)
                row = await operations.get(job.operation_id)
                if row is None:
                    workflow = await session.get(DocumentWorkflowRow, job.workflow_id)
                    number = job.version or (workflow.version if workflow else 0)
                    version = await session.get(DocumentWorkflowVersionRow, (job.workflow_id, number))
                    if workflow is None or version is None:
                        named = f"{job.workflow_id[:60]!r}" + (f", version {number}" if number else "")
                        raise NotFoundError(
                            f"no workflow {named}: check the id, or list GET /api/v1/ai/workflows"
                        )
                    document = await session.get(DocumentRow, job.document_id) if job.document_id else None
                    known = {one.name for one in parse_definition(version.definition).parameters}
                    parameters = {name: value for name, value in job.input.items() if name in known}
                    execution = execution_of(workflow, version, parameters, job.input)
                    executions = WorkflowExecutions(session, job.organisation_id)
                    # The step starts it, nobody else.
                    row = await executions.accept(
                        job.actor_id,
                        replace(execution, depth=job.depth),
                        document,
                        operation_id=job.operation_id,
                        run_id=f"{CHILD}{job.parent_operation_id}",
                    )
                return RunDocumentWorkflowInput.model_validate(input_fields(row))
