"""Writes each activity as a step of its operation, from the worker that runs it: one mechanism for all kinds."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError
from temporalio import activity
from temporalio.exceptions import ApplicationError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from activities import carried
from perdure.db.operation_repository import OperationRepository, StepRecord
from perdure.db.session import Transaction
from perdure.schemas.operations import OperationError, Progress, StepRead, StepState

logger = structlog.get_logger()

# A step shorter than this is written once, at its end: half the writes, and nobody could have seen it run.
QUIET = 0.1
HEARTBEAT_EVERY = 2.0
# How far the operation was when the activity was scheduled; `workflows.progress` writes it.
PROGRESS_HEADER = "perdure-progress"

Report = Callable[[StepRecord, str], Awaitable[None]]


class StepRecorder(Interceptor):
    """Worker interceptor: reports steps, heartbeats, and binds the ids that log lines carry."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """See `Interceptor`."""
        return _RecordingInbound(next, self._write)

    async def _write(self, record: StepRecord, organisation_id: str) -> None:
        try:
            async with self._transaction(organisation_id, durable=False) as session:
                await OperationRepository(session).record_step(record)
        except (SQLAlchemyError, OSError) as error:
            # The record of a step is a view; the work itself goes on, and its end is written by the workflow.
            logger.warning("step_not_recorded", step=record.step.name, error=str(error))


class _RecordingInbound(ActivityInboundInterceptor):
    def __init__(self, following: ActivityInboundInterceptor, report: Report) -> None:
        super().__init__(following)
        self._report = report

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        info = activity.info()
        job = input.args[0] if input.args else None
        operation_id = getattr(job, "operation_id", None)
        organisation_id = getattr(job, "organisation_id", None)
        if info.is_local or operation_id is None or organisation_id is None:
            return await super().execute_activity(input)
        structlog.contextvars.bind_contextvars(
            operation_id=operation_id, organisation_id=organisation_id, step=info.activity_type
        )

        started_at = datetime.now(UTC)
        header = input.headers.get(PROGRESS_HEADER)
        progress = activity.payload_converter().from_payload(header, Progress) if header else None

        def record(state: StepState, error: OperationError | None = None) -> StepRecord:
            ended = None if state in {StepState.RUNNING, StepState.RETRYING} else datetime.now(UTC)
            return StepRecord(
                operation_id=operation_id,
                run_id=info.workflow_run_id or "",
                activity_id=info.activity_id,
                progress=progress,
                step=StepRead(
                    name=info.activity_type,
                    state=state,
                    attempts=info.attempt,
                    started_at=started_at,
                    ended_at=ended,
                    error=error,
                ),
            )

        async def watch() -> None:
            await asyncio.sleep(QUIET)
            await self._report(record(StepState.RUNNING), organisation_id)
            while True:
                carrying.beat()
                await asyncio.sleep(HEARTBEAT_EVERY)

        carrying = carried.begin()
        watching = asyncio.create_task(watch())
        try:
            output = await super().execute_activity(input)
        except asyncio.CancelledError:
            await _stop(watching)
            if not activity.is_worker_shutdown():
                await self._report(record(StepState.CANCELLED), organisation_id)
            raise
        except BaseException as error:
            await _stop(watching)
            final = isinstance(error, ApplicationError) and error.non_retryable
            await self._report(
                record(StepState.FAILED if final else StepState.RETRYING, _describe(error)), organisation_id
            )
            logger.warning(
                "step_failed", attempt=info.attempt, final=final, exc_info=not final, error=str(error)
            )
            raise
        await _stop(watching)
        await self._report(record(StepState.COMPLETED), organisation_id)
        return output


async def _stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _describe(error: BaseException) -> OperationError:
    if isinstance(error, ApplicationError):
        return OperationError(type=error.type or "internal-error", detail=error.message)
    return OperationError(type="internal-error", detail=f"{type(error).__name__}: {error}")
