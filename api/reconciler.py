"""Keeps the record of operations true: starts what was accepted, notices what ended without saying so.

Runs in every API process, because the reader of a status is there; every action is idempotent, so several may run.
"""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

import structlog
from sqlalchemy import func, select, text
from sqlalchemy.exc import SQLAlchemyError
from temporalio.api.workflow.v1 import WorkflowExecutionInfo
from temporalio.api.workflowservice.v1 import ListWorkflowExecutionsRequest
from temporalio.client import (
    Client,
    WorkflowExecutionDescription,
    WorkflowExecutionStatus,
    WorkflowFailureError,
)
from temporalio.service import RPCError, RPCStatusCode

from activities.starting import ORGANISATION
from api.approvals import Approvals
from api.message_starter import MessageStarter
from api.operations import Operations
from perdure.db.approval_ending import end_approval
from perdure.db.approvals import CHILD
from perdure.db.classification_results import ClassificationResults
from perdure.db.document_repository import DocumentRepository
from perdure.db.models import OperationRow
from perdure.db.operation_repository import OperationRepository, StartedRun, operation_of, workflow_id
from perdure.db.session import Database
from perdure.errors import PerdureError, UnavailableError
from perdure.schemas.documents import Reason
from perdure.schemas.operations import OperationError, OperationStatus, StatusChange, StepState
from perdure.settings import Settings
from workflows.operation import describe_failure

logger = structlog.get_logger("perdure.reconciler")

# Visibility is written a moment after the fact.
OVERLAP = timedelta(seconds=3)
UNSTARTED_AFTER = timedelta(seconds=2)
DEEP_CHECK_EVERY = timedelta(seconds=15)
# How soon open requests for approval hear of what nobody told them.
FOLLOW_EVERY = timedelta(seconds=3)
# How soon all that is open is looked at: also what is listed as running, and what waits for people.
EVERYTHING_EVERY = timedelta(minutes=5)
SILENT_FOR = timedelta(seconds=10)
POISONED_FOR = timedelta(minutes=1)
# What looks at all that is open rests this many times as long as it took: so much may wait for people, for days.
RESTS = 20
_OUTAGE_S = 5.0
PAGE = 200
FEW = 3

# What changed lately comes first, whatever the store of the lists: asked for by its time instead, most of them read
# through all that ever ended, twice a second.
_NEWEST_FIRST: Mapping[str, Callable[[WorkflowExecutionInfo], datetime | None]] = {
    # Newer servers also have workflows that are paused: neither running nor ended, and listed before what has ended.
    'ExecutionStatus != "Running"': lambda info: (
        info.close_time.ToDatetime(UTC) if info.HasField("close_time") else None
    ),
    'ExecutionStatus = "Running"': lambda info: info.start_time.ToDatetime(UTC),
}

_UNSTARTED = text("SELECT id, organisation_id FROM find_unstarted_operations(:age, :limit)")
_OPEN = text("SELECT id, organisation_id, status, updated_at FROM find_open_operations(:after, :limit)")

_ENDS = {
    WorkflowExecutionStatus.TERMINATED: (
        OperationStatus.CANCELLED,
        Reason.TERMINATED,
        "The workflow was terminated from outside Perdure (Temporal UI or CLI); retry the operation to run it again.",
    ),
    WorkflowExecutionStatus.TIMED_OUT: (
        OperationStatus.EXPIRED,
        Reason.EXPIRED,
        "The workflow ran into its time limit; retry the operation to run it again.",
    ),
    WorkflowExecutionStatus.CANCELED: (
        OperationStatus.CANCELLED,
        Reason.CANCELLED,
        "The operation was cancelled.",
    ),
}

# What passes, and is waited for.
OUTAGES = (RPCError, SQLAlchemyError, OSError, UnavailableError)


@dataclass(frozen=True)
class _Run:
    """One run of a workflow, as Temporal lists it."""

    workflow_id: str
    run_id: str
    status: WorkflowExecutionStatus | None
    organisation_id: str | None = None

    @classmethod
    def listed(cls, info: WorkflowExecutionInfo) -> "_Run":
        """One of a list."""
        found = info.search_attributes.indexed_fields.get(ORGANISATION.name)
        return cls(
            info.execution.workflow_id,
            info.execution.run_id,
            WorkflowExecutionStatus(info.status) if info.status else None,
            None if found is None else str(json.loads(found.data)),
        )

    @classmethod
    def described(cls, description: WorkflowExecutionDescription) -> "_Run":
        """One that was asked for."""
        return cls(description.id, description.run_id, description.status)


def rest_after(took_s: float, every_s: float, rests: int) -> float:
    """Seconds until the next round. A process that was held up in one does not rest for hours."""
    return max(every_s, rests * min(took_s, every_s))


class Reconciler:
    """Loops in the background of the API: what is due at once waits for none that looks at all that is open."""

    def __init__(
        self,
        database: Database,
        client: Client,
        operations: Operations,
        settings: Settings,
        approvals: Approvals | None = None,
    ) -> None:
        self._database, self._client, self._operations = database, client, operations
        self._messages = MessageStarter(database, client)
        self._approvals = approvals
        self._interval = timedelta(seconds=settings.reconcile_interval_s)
        self._seen: dict[str, datetime] = {}
        # Of the clock that measures spans: one that people set may jump, and nobody would look for as long.
        self._not_before: dict[str, float] = {}

    async def run(self) -> None:
        """Until cancelled. An outage of Temporal or the database is waited for."""
        async with asyncio.TaskGroup() as loops:
            loops.create_task(self._again(self.tick, lambda: self._interval))
            loops.create_task(self._again(self._look_at_silent, lambda: DEEP_CHECK_EVERY, rests=RESTS))
            loops.create_task(self._again(self._look_at_everything, lambda: EVERYTHING_EVERY, rests=RESTS))
            if self._approvals is not None:
                for follow in (self._approvals.follow, self._approvals.follow_members):
                    loops.create_task(self._again(follow, lambda: FOLLOW_EVERY, rests=RESTS))

    async def _again(
        self, work: Callable[[], Awaitable[None]], every: Callable[[], timedelta], *, rests: int = 0
    ) -> None:
        while True:
            began = time.monotonic()
            rest_s = every().total_seconds()
            try:
                await self._by_itself(work.__qualname__, work)
                rest_s = rest_after(time.monotonic() - began, rest_s, rests)
            except OUTAGES as error:
                logger.warning("reconciler_waits", error=f"{type(error).__name__}: {error}"[:300])
                rest_s = max(1.0, min(rest_s, _OUTAGE_S))
            await asyncio.sleep(rest_s)

    async def _by_itself(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """What one operation or workflow is to blame for stops no other, and is tried again after a while."""
        now = time.monotonic()
        if now < self._not_before.get(name, now):
            return
        try:
            await work()
            self._not_before.pop(name, None)
        except OUTAGES:
            raise
        except Exception:
            # The loop outlives whatever it meets, and says what that was.
            logger.exception("not_reconciled", what=name)
            self._not_before[name] = now + POISONED_FOR.total_seconds()

    async def tick(self) -> None:
        """One round of what is due at once: the outbox, and what closed or started lately."""
        await self._start_unstarted()
        await self._messages.tick()
        await self._look_at_recent()

    async def _start_unstarted(self) -> None:
        # What cannot be started comes first, and is read again each time.
        limit = PAGE + len(self._not_before)
        async with self._database.transaction(None) as session:
            rows = (await session.execute(_UNSTARTED, {"age": UNSTARTED_AFTER, "limit": limit})).all()
        started: dict[str, list[StartedRun]] = {}
        for operation_id, organisation_id in rows:
            run = self._operations.started.take(operation_id)
            if run is not None:
                started.setdefault(organisation_id, []).append(run)
            else:
                await self._by_itself(operation_id, partial(self._start, operation_id, organisation_id))
        for organisation_id, runs in started.items():
            await self._record_starts(organisation_id, runs)

    async def _start(self, operation_id: str, organisation_id: str) -> None:
        async with self._database.transaction(organisation_id) as session:
            row = await OperationRepository(session).get(operation_id)
        if row is not None and row.run_id is None and row.closed_at is None:
            logger.info("operation_started_from_outbox", operation_id=operation_id)
            await self._operations.launch(row)
            run = self._operations.started.take(operation_id)
            if run is not None:
                await self._record_starts(organisation_id, [run])

    async def _record_starts(self, organisation_id: str, runs: Sequence[StartedRun]) -> None:
        async with self._database.transaction(organisation_id, durable=False) as session:
            await OperationRepository(session).record_starts(runs)

    async def _look_at_recent(self) -> None:
        now = datetime.now(UTC)
        since = now - OVERLAP
        self._seen = {key: at for key, at in self._seen.items() if at > now - 3 * OVERLAP}
        fresh: dict[str, list[_Run]] = {}
        for query, changed_at in _NEWEST_FIRST.items():
            async with aclosing(self._listed(query, first=FEW)) as listed:
                async for info in listed:
                    at = changed_at(info)
                    if at is not None and at < since:
                        break
                    key = f"{info.execution.run_id}:{info.status}"
                    if at is None or key in self._seen:
                        continue
                    run = _Run.listed(info)
                    if run.organisation_id is not None:
                        self._seen[key] = now
                        fresh.setdefault(run.organisation_id, []).append(run)
        for organisation_id, runs in fresh.items():
            await self._by_itself(organisation_id, partial(self._compare_all, organisation_id, runs))

    async def _listed(self, query: str, first: int = PAGE) -> AsyncGenerator[WorkflowExecutionInfo]:
        """What Temporal lists, as it is sent: most was seen before, and to read all of it keeps callers waiting.

        `first`: how many are asked for at first; then, more and more.
        """
        request = ListWorkflowExecutionsRequest(
            namespace=self._client.namespace, page_size=first, query=query
        )
        while True:
            answer = await self._client.workflow_service.list_workflow_executions(request, retry=True)
            for info in answer.executions:
                yield info
            if not answer.next_page_token:
                return
            request.next_page_token = answer.next_page_token
            request.page_size = min(8 * request.page_size, PAGE)

    async def _compare_all(self, organisation_id: str, runs: Sequence[_Run]) -> None:
        ids = {operation_of(run.workflow_id) for run in runs}
        async with self._database.transaction(organisation_id) as session:
            rows = await OperationRepository(session).by_id(ids)
        for run in runs:
            row = rows.get(operation_of(run.workflow_id))
            if row is not None:
                await self._by_itself(run.workflow_id, partial(self._compare, run, row))

    async def _look_at_silent(self) -> None:
        """Operations whose end was missed, because no API ran or visibility forgot it."""
        await self._look_at_open(is_listed=True)

    async def _look_at_everything(self) -> None:
        """The list of what runs may be wrong for longer, so it is not always asked."""
        await self._look_at_open(is_listed=False)

    async def _look_at_open(self, *, is_listed: bool) -> None:
        """Open operations that are silent; `is_listed` leaves out those that Temporal lists as running."""
        async with self._database.transaction(None) as session:
            now = (await session.execute(select(func.now()))).scalar_one()
        after = ""
        while True:
            async with self._database.transaction(None) as session:
                rows = (await session.execute(_OPEN, {"after": after, "limit": PAGE})).all()
            silent: dict[str, list[str]] = {}
            for operation_id, organisation_id, status, updated_at in rows:
                # People take days, and what ends meanwhile is seen as it does.
                waits = status == OperationStatus.WAITING_APPROVAL.value
                if updated_at < now - SILENT_FOR and not (waits and is_listed):
                    silent.setdefault(organisation_id, []).append(operation_id)
            for organisation_id, operation_ids in silent.items():
                looking = partial(self._look_at_all, organisation_id, operation_ids, is_listed=is_listed)
                await self._by_itself(f"{organisation_id}:silent:{is_listed}", looking)
            if len(rows) < PAGE:
                return
            after = rows[-1][0]

    async def _look_at_all(
        self, organisation_id: str, operation_ids: Sequence[str], *, is_listed: bool
    ) -> None:
        async with self._database.transaction(organisation_id) as session:
            rows = await OperationRepository(session).by_id(operation_ids)
        workflows = {workflow_id(row.id, row.attempt): row for row in rows.values()}
        running = await self._running(workflows) if is_listed else set[str]()
        for name, row in workflows.items():
            if name not in running:
                await self._by_itself(row.id, partial(self._look_at, row.id, organisation_id))

    async def _running(self, workflow_ids: Iterable[str]) -> set[str]:
        """Those that Temporal lists as running."""
        names = ", ".join(f'"{name}"' for name in workflow_ids)
        if not names:
            return set()
        query = f'ExecutionStatus = "Running" AND WorkflowId IN ({names})'
        return {info.execution.workflow_id async for info in self._listed(query)}

    async def _look_at(self, operation_id: str, organisation_id: str) -> None:
        async with self._database.transaction(organisation_id) as session:
            row = await OperationRepository(session).get(operation_id)
        if row is None or row.run_id is None:
            return
        handle = self._client.get_workflow_handle(workflow_id(row.id, row.attempt))
        try:
            await self._compare(_Run.described(await handle.describe()), row)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            if row.run_id.startswith(CHILD):
                await self._look_at_child(row)
                return
            logger.warning("workflow_lost_starting_again", operation_id=operation_id)
            async with self._database.transaction(organisation_id) as session:
                await OperationRepository(session).forget_run(operation_id, row.run_id)

    async def _look_at_child(self, row: OperationRow) -> None:
        """What another workflow has not started yet ends with that one."""
        parent_id = (row.run_id or "").removeprefix(CHILD)
        async with self._database.transaction(row.organisation_id) as session:
            parent = await OperationRepository(session).get(parent_id)
        if parent is None or parent.closed_at is not None:
            error = OperationError(type=Reason.CANCELLED.value, detail="What asked for it has ended.")
            status, reason = OperationStatus.CANCELLED, Reason.CANCELLED
            await self._write(row, "", status, error=error, reason=reason)

    async def _compare(self, run: _Run, row: OperationRow) -> None:
        """Bring the record in line with one run, if that run is the operation's present one."""
        if run.status is None or run.workflow_id != workflow_id(row.id, row.attempt):
            return
        if run.status is WorkflowExecutionStatus.RUNNING:
            if row.closed_at is not None and row.run_id != run.run_id:
                await self._write(row, run.run_id, OperationStatus.RUNNING)
            return
        if run.status is WorkflowExecutionStatus.CONTINUED_AS_NEW:
            return
        if row.closed_at is not None and row.run_id == run.run_id:
            return
        newest = await self._client.get_workflow_handle(run.workflow_id).describe()
        if newest.run_id != run.run_id:
            # Reset: the old run was terminated, a new one goes on under the same id.
            if newest.status is WorkflowExecutionStatus.RUNNING and row.run_id != newest.run_id:
                await self._write(row, newest.run_id, OperationStatus.RUNNING)
            return
        await self._close(run, row)

    async def _close(self, run: _Run, row: OperationRow) -> None:
        logger.info("operation_closed_from_outside", operation_id=row.id, status=str(run.status))
        if run.status in _ENDS:
            status, reason, detail = _ENDS[run.status]
            error = OperationError(type=reason.value, detail=detail)
            await self._write(row, run.run_id, status, error=error, reason=reason)
            return
        handle = self._client.get_workflow_handle(run.workflow_id, run_id=run.run_id)
        try:
            result = await handle.result(follow_runs=False)
        except UnavailableError:
            raise
        except (WorkflowFailureError, PerdureError) as failure:
            # One of ours: what the workflow left cannot be decrypted any more.
            cause = failure.cause if isinstance(failure, WorkflowFailureError) else failure
            error = describe_failure(cause, None)
            failed = OperationStatus.FAILED
            await self._write(row, run.run_id, failed, error=error, reason=Reason.INTERNAL_ERROR)
            return
        await self._write(row, run.run_id, OperationStatus.COMPLETED, result=result)

    async def _write(
        self,
        row: OperationRow,
        run_id: str,
        status: OperationStatus,
        *,
        error: OperationError | None = None,
        reason: Reason | None = None,
        result: dict[str, object] | None = None,
    ) -> None:
        """Write what became of a run of the attempt that the row was read in; it may have been retried since."""
        organisation_id, operation_id = row.organisation_id, row.id
        change = StatusChange(
            organisation_id=organisation_id,
            operation_id=operation_id,
            run_id=run_id,
            status=status,
            error=error,
            result=result,
        )
        async with self._database.transaction(organisation_id) as session:
            operations = OperationRepository(session)
            written = await operations.record_status(change, attempt=row.attempt)
            if written is None or error is None or reason is None:
                return
            await operations.close_steps(operation_id, StepState.CANCELLED)
            documents = DocumentRepository(session, organisation_id)
            await documents.settle_all(operation_id, reason, error.detail)
            results = ClassificationResults(session, organisation_id)
            await results.settle(operation_id, reason.value, error.detail)
            await end_approval(session, organisation_id, operation_id)
