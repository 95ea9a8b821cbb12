"""What every workflow of Perdure is: an operation that can be paused, queried, cancelled, and that reports its end."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from typing import Any, ClassVar, TypeVar

from temporalio import workflow
from temporalio.common import SearchAttributeKey
from temporalio.exceptions import ActivityError, ApplicationError, FailureError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from pydantic import BaseModel

    from activities.operations import OperationActivities
    from perdure.errors import BudgetReachedError, PerdureError
    from perdure.schemas.operations import (
        TERMINAL,
        OperationError,
        OperationInput,
        OperationRead,
        OperationStatus,
        Progress,
        StatusChange,
    )
    from workflows import policies
    from workflows.policies import ActivityPolicy

Argument = TypeVar("Argument")
Output = TypeVar("Output")
Result = TypeVar("Result", bound=BaseModel)

STATUS_ATTRIBUTE = SearchAttributeKey.for_keyword("PerdureStatus")


def describe_failure(error: BaseException, step: str | None) -> OperationError:
    """Find the type and the sentence in a chain of Temporal failures."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ApplicationError):
            return OperationError(type=cause.type or "internal-error", detail=cause.message, step=step)
        if isinstance(cause, PerdureError):
            return OperationError(type=cause.slug, detail=str(cause), step=step)
        if cause.__cause__ is None:
            break
        cause = cause.__cause__
    return OperationError(type="internal-error", detail=str(cause) or type(cause).__name__, step=step)


def is_failure(error: ActivityError, failure_type: str) -> bool:
    """Whether an activity failed with an error of this type."""
    return isinstance(error.cause, ApplicationError) and error.cause.type == failure_type


class Operation:
    """Base class. A workflow implements `run` as `return await self.perform(job, self._work)`, and that is all."""

    # Failures of a step that pass: it is paused with the reason, and goes on when somebody resumes, or by itself.
    waits_out: ClassVar[frozenset[str]] = frozenset((BudgetReachedError.slug,))

    def __init__(self) -> None:
        self._job: OperationInput | None = None
        self._status = OperationStatus.RUNNING
        self._progress = Progress()
        self._paused = False
        self._held = policies.HELD
        self._holds = 0
        self._resumes = 0
        self._result: dict[str, Any] | None = None
        self._error: OperationError | None = None
        self._updated_at: datetime | None = None
        self._recording = asyncio.Lock()

    @property
    def progress(self) -> Progress:
        """How far it is."""
        return self._progress

    @workflow.signal
    async def pause(self) -> None:
        """Start no further activity until `resume`; what is under way ends."""
        if not self._paused and self._status not in TERMINAL:
            self._paused = True
            await self._change_status(OperationStatus.PAUSED)

    @workflow.signal
    async def resume(self) -> None:
        """Go on after `pause`, or look again whether the budget allows it."""
        self._resumes += 1
        if self._paused and self._status not in TERMINAL:
            self._paused = False
            await self._change_status(self.at_work())

    @workflow.query
    def status(self) -> OperationRead:
        """The operation, as the API shows it."""
        job = self._job
        info = workflow.info()
        return OperationRead(
            id=job.operation_id if job else info.workflow_id,
            kind=job.kind if job else info.workflow_type,
            status=self._status,
            progress=self._progress,
            workflow_id=info.workflow_id,
            run_id=info.run_id,
            subject=job.subject if job else None,
            attempt=job.attempt if job else 1,
            created_at=job.created_at if job else info.start_time,
            updated_at=self._updated_at or info.start_time,
            result=self._result,
            error=self._error,
        )

    async def perform(self, job: OperationInput, work: Callable[[], Awaitable[Result]]) -> Result:
        """Run `work`, and record how it ended before the workflow closes."""
        self._job = job
        self._describe()
        try:
            await self.unpaused()
            result = await work()
        except (FailureError, PerdureError, asyncio.CancelledError) as error:
            cancelled = is_cancelled_exception(error)
            self._error = (
                OperationError(
                    type="cancelled", detail="The operation was cancelled.", step=self._progress.step
                )
                if cancelled
                else describe_failure(error, self._progress.step)
            )
            await self.settle(job, self._error)
            await self._change_status(OperationStatus.CANCELLED if cancelled else OperationStatus.FAILED)
            if cancelled:
                raise
            raise ApplicationError(self._error.detail, type=self._error.type, non_retryable=True) from error
        self._result = result.model_dump(mode="json")
        await self._change_status(self.ended_as(result))
        return result

    def at_work(self) -> OperationStatus:
        """The status while nobody holds it; a workflow that waits for people overrides this."""
        return OperationStatus.RUNNING

    def ended_as(self, _result: BaseModel) -> OperationStatus:
        """The status that a result means; a workflow overrides this whose results are not all successes."""
        return OperationStatus.COMPLETED

    async def settle(self, job: OperationInput, error: OperationError) -> None:
        """Leave the subject in a final state after a failure or a cancellation; a workflow overrides this."""

    async def record(self, change: StatusChange) -> None:
        """Write a status; a workflow overrides this that has more to write with it."""
        await workflow.execute_local_activity_method(
            OperationActivities.record_status, change, **policies.RECORD
        )

    async def step(
        self,
        method: Callable[[Any, Argument], Awaitable[Output]],
        argument: Argument,
        policy: ActivityPolicy,
        *,
        summary: str | None = None,
    ) -> Output:
        """Run one activity as a step, not before the operation is unpaused, and again when what stopped it may pass."""
        held = 0
        while True:
            await self.unpaused()
            self.report(step=method.__name__)
            resumes = self._resumes
            try:
                return await workflow.execute_activity_method(method, argument, summary=summary, **policy)
            except ActivityError as error:
                if not is_cancelled_exception(error):
                    self.report(step=method.__name__)
                reason = describe_failure(error, method.__name__)
                if reason.type not in self.waits_out:
                    raise
            # Who resumed while it ran has mended what it did not see yet.
            if self._resumes == resumes:
                await self._hold(reason, held)
                held += 1

    async def unpaused(self) -> None:
        """Wait until nobody holds the operation."""
        if self._paused or self._holds:
            await workflow.wait_condition(lambda: not self._paused and not self._holds)

    async def _hold(self, reason: OperationError, times: int) -> None:
        """Pause with a reason until somebody resumes, or until it is time to look again."""
        first, longest = self._held
        before = self._resumes
        self._holds += 1
        try:
            self._error = reason
            if self._status != OperationStatus.PAUSED:
                await self._change_status(OperationStatus.PAUSED)
            with suppress(TimeoutError):
                await workflow.wait_condition(
                    lambda: self._resumes != before, timeout=min(first * 2 ** min(times, 20), longest)
                )
        finally:
            self._holds -= 1
            if not self._holds:
                self._error = None
        if not self._holds and not self._paused:
            await self._change_status(self.at_work())

    def report(self, *, step: str | None = None, done: int | None = None, total: int | None = None) -> None:
        """Update what the query `status` and the Temporal UI show."""
        self._progress = Progress(
            done=self._progress.done if done is None else done,
            total=self._progress.total if total is None else total,
            step=step or self._progress.step,
        )
        self._updated_at = workflow.now()
        self._describe()

    def _describe(self) -> None:
        progress = self._progress
        of = f" · {progress.done} of {progress.total}" if progress.total else ""
        step = f" · {progress.step}" if progress.step else ""
        error = f"\n\n{self._error.type}: {self._error.detail}" if self._error else ""
        workflow.set_current_details(f"**{self._status.value}**{step}{of}{error}")

    async def _change_status(self, status: OperationStatus) -> None:
        self._status = status
        self._updated_at = workflow.now()
        self._describe()
        workflow.upsert_search_attributes([STATUS_ATTRIBUTE.value_set(status.value)])
        # A signal may arrive before the first line of `run`.
        await workflow.wait_condition(lambda: self._job is not None)
        async with self._recording:
            if self._job is None or (self._status != status and self._status in TERMINAL):
                return
            change = StatusChange(
                organisation_id=self._job.organisation_id,
                operation_id=self._job.operation_id,
                run_id=workflow.info().run_id,
                status=self._status,
                progress=self._progress,
                result=self._result,
                error=self._error,
            )
            await self.record(change)
        if status in TERMINAL:
            await workflow.wait_condition(workflow.all_handlers_finished)
