"""`run_workflow_batch`: a document workflow on up to 10,000 documents, a few at once, each an operation of its own."""

import asyncio
from contextlib import suppress

from temporalio import workflow
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import FailureError, WorkflowAlreadyStartedError

with workflow.unsafe.imports_passed_through():
    from activities.execution_batches import ExecutionBatchActivities
    from activities.starting import TASK_TIMEOUT, found_by
    from perdure.schemas.document_workflows import (
        BatchEnd,
        ExecutionStart,
        RunWorkflowBatchInput,
        RunWorkflowBatchResult,
        Window,
        WindowJob,
    )
    from perdure.schemas.operations import OperationError, OperationInput
    from workflows import policies

from workflows.operation import Operation

# Started at once; the payloads of as many definitions pass through one activity.
MOST_AT_ONCE = 20


@workflow.defn
class RunWorkflowBatch(Operation):
    """Start as many executions as fit, wait until one has ended or waits for people, and start the next.

    Executions outlive this one: what waits for people for days does not keep the others waiting.
    """

    def __init__(self) -> None:
        super().__init__()
        self._ended = 0

    @workflow.run
    async def run(self, job: RunWorkflowBatchInput) -> RunWorkflowBatchResult:
        return await self.perform(job, lambda: self._execute(job))

    async def _execute(self, job: RunWorkflowBatchInput) -> RunWorkflowBatchResult:
        window_job = WindowJob(
            organisation_id=job.organisation_id,
            operation_id=job.operation_id,
            concurrency=job.concurrency,
            most=MOST_AT_ONCE,
        )
        started = quiet = 0
        while True:
            seen = self._ended
            window = await self.step(ExecutionBatchActivities.open_executions, window_job, policies.IO)
            self.report(done=window.done, total=window.total)
            await asyncio.gather(*(self._start(start) for start in window.starts))
            started += len(window.starts)
            if not window.queued and not window.open_operations:
                break
            quiet = 0 if window.starts else quiet + 1
            if not _has_room(window, job):
                await self._look_again(job, seen, quiet)
            if started >= job.starts_in_run or workflow.info().is_continue_as_new_suggested():
                # A pause that has come meanwhile is not lost.
                while self._paused or not workflow.all_handlers_finished():
                    await self.unpaused()
                    await workflow.wait_condition(workflow.all_handlers_finished)
                workflow.continue_as_new(job)
        return await self.step(ExecutionBatchActivities.summarise_executions, window_job, policies.IO)

    async def _start(self, start: ExecutionStart) -> None:
        try:
            handle = await workflow.start_child_workflow(
                "RunDocumentWorkflow",
                start.job,
                id=start.workflow_id,
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                parent_close_policy=workflow.ParentClosePolicy.ABANDON,
                task_timeout=TASK_TIMEOUT,
                search_attributes=found_by(
                    start.job.organisation_id,
                    start.job.kind,
                    start.job.subject.id if start.job.subject else None,
                ),
                static_summary=start.summary,
            )
        except WorkflowAlreadyStartedError:
            workflow.logger.info("%s runs already", start.workflow_id)
        else:
            handle.add_done_callback(self._note_end)

    def _note_end(self, execution: "asyncio.Task[object]") -> None:
        """Look soon. How it ended stands in its operation."""
        self._ended += 1
        if not execution.cancelled():
            execution.exception()

    async def _look_again(self, job: RunWorkflowBatchInput, seen: int, quiet: int) -> None:
        """Wait until an execution has ended, or for a while: what waits for people, or began before, tells nobody."""
        pause = min(job.look_every * 2 ** min(quiet, 20), job.look_at_least_every)
        with suppress(TimeoutError):
            await workflow.wait_condition(lambda: self._ended != seen, timeout=pause)

    async def settle(self, job: OperationInput, error: OperationError) -> None:
        """Start nothing more, and cancel what runs."""
        end = BatchEnd(
            organisation_id=job.organisation_id,
            operation_id=job.operation_id,
            reason=error.type,
            detail=error.detail,
        )
        found = await workflow.execute_activity_method(
            ExecutionBatchActivities.end_executions, end, **policies.IO
        )
        for identifier in found.workflow_ids:
            # What has just ended is not there any more.
            with suppress(FailureError):
                await workflow.get_external_workflow_handle(identifier).cancel()


def _has_room(window: Window, job: RunWorkflowBatchInput) -> bool:
    return window.queued > 0 and window.open_operations < job.concurrency
