"""What a step of a document workflow remembers: an operation of its own, which is waited for."""

from temporalio import activity
from temporalio.client import Client, WorkflowFailureError
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError

from activities.starting import TASK_TIMEOUT, found_by
from activities.step_texts import settled
from perdure.db.memory_acceptance import accept_memory
from perdure.db.models import OperationRow
from perdure.db.operation_repository import OperationRepository, input_fields, workflow_id
from perdure.db.session import Transaction
from perdure.domain.ids import derived_id
from perdure.ports.models import EmbeddingModel
from perdure.schemas.memories import MemoryCreate, RememberInput, RememberResult
from perdure.schemas.operations import TERMINAL, OperationStatus
from perdure.schemas.workflow_executions import StepJob, StepOutput

# By name, because activities import no workflows.
REMEMBER = "Remember"
# An operation that failed is not gone on with: so many take its place at most.
_MOST_TRIES = 1_000


class StepMemories:
    """Accepts what is to be remembered under an id that follows from the step's, so that a second run finds it."""

    def __init__(self, transaction: Transaction, model: EmbeddingModel) -> None:
        self._transaction, self._model = transaction, model

    async def remember(self, job: StepJob) -> StepOutput:
        """Remember the step's text, and wait until it is written."""
        row = await self._accepted(job, self._asked(job))
        result = await _written(row)
        return StepOutput(
            output={
                "memory_id": next(iter(result.memory_ids), None),
                "memory_ids": result.memory_ids,
                "new": result.remembered + result.corrected > 0,
                "operation_id": row.id,
            }
        )

    def _asked(self, job: StepJob) -> MemoryCreate:
        given = {name: job.settings[name] for name in ("space", "subject") if job.settings.get(name)}
        found_in = {"execution_id": job.execution_id, "step_id": job.step_id}
        if job.document_id is not None:
            found_in["document_id"] = job.document_id
        body = {"content": job.settings.get("text"), "metadata": found_in, **given}
        return settled(MemoryCreate, job, body, {"content": "text"})

    async def _accepted(self, job: StepJob, body: MemoryCreate) -> OperationRow:
        async with self._transaction(job.organisation_id) as session:
            operations = OperationRepository(session)
            causing = await operations.get(job.operation_id)
            actor_id = job.actor_id or (causing.actor_id if causing else job.operation_id)
            for number in range(_MOST_TRIES):
                operation_id = derived_id("op", job.operation_id, f"{job.effect_id}:{number}")
                row = await operations.get(operation_id)
                if row is None:
                    return await accept_memory(
                        session, job.organisation_id, actor_id, body, self._model, operation_id
                    )
                if OperationStatus(row.status) not in TERMINAL or row.status == OperationStatus.COMPLETED:
                    return row
        raise ApplicationError("it failed too often", type="conflict", non_retryable=True)


async def _written(row: OperationRow) -> RememberResult:
    """The result of the operation. Started here, because somebody waits; the outbox would, too."""
    if row.result is not None:
        return RememberResult.model_validate(row.result)
    client: Client = activity.client()
    try:
        await client.start_workflow(
            REMEMBER,
            RememberInput.model_validate(input_fields(row)),
            id=workflow_id(row.id, row.attempt),
            task_queue=activity.info().task_queue,
            task_timeout=TASK_TIMEOUT,
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            search_attributes=found_by(row.organisation_id, row.kind, row.subject_id),
            static_summary=row.summary,
        )
    except WorkflowAlreadyStartedError:
        activity.logger.debug("%s runs already", row.id)
    handle = client.get_workflow_handle(workflow_id(row.id, row.attempt), result_type=RememberResult)
    try:
        result: RememberResult = await handle.result()
    except WorkflowFailureError as error:
        cause = error.cause
        said = cause if isinstance(cause, ApplicationError) else None
        raise ApplicationError(
            f"What was to be remembered was not (operation {row.id}): {said.message if said else cause}",
            type=said.type if said and said.type else "internal-error",
            non_retryable=True,
        ) from error
    return result
