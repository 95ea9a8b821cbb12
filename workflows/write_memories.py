"""The one writer of a subject of a space: no two requests about the same subject are ever written at once."""

import asyncio

from temporalio import workflow
from temporalio.exceptions import FailureError

with workflow.unsafe.imports_passed_through():
    from activities.memories import MemoryActivities
    from perdure.schemas.memories import WriteJob, WriteMemoriesInput, WriteRequest
    from workflows import policies

# Requests that are written together; more wait for the next turn.
TOGETHER = 50


@workflow.defn
class WriteMemories:
    """Write what it is told of, tell those who wait, and end when nobody does. It is no operation of its own."""

    def __init__(self) -> None:
        self._requests: list[WriteRequest] = []

    @workflow.signal
    def write(self, request: WriteRequest) -> None:
        """A request is prepared; its operation waits."""
        self._requests.append(request)

    @workflow.run
    async def run(self, job: WriteMemoriesInput) -> None:
        self._requests[:0] = job.requests
        while self._requests:
            batch, self._requests = self._requests[:TOGETHER], self._requests[TOGETHER:]
            workflow.set_current_details(f"{len(batch)} requests in work, {len(self._requests)} wait")
            task = WriteJob(
                organisation_id=job.organisation_id,
                space_id=job.space_id,
                operation_ids=[request.operation_id for request in batch],
            )
            written = await workflow.execute_activity_method(
                MemoryActivities.write_memories, task, **policies.IO
            )
            await asyncio.gather(
                *(_tell(request, written.outcomes.get(request.operation_id)) for request in batch)
            )
            if self._requests and workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new(job.model_copy(update={"requests": self._requests}))


async def _tell(request: WriteRequest, result: object) -> None:
    """An operation that was cancelled meanwhile hears nothing."""
    try:
        await workflow.get_external_workflow_handle(request.workflow_id).signal("written", result)
    except FailureError:
        workflow.logger.info("nobody waits for %s any more", request.operation_id)
