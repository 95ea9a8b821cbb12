"""Accepting, starting and steering operations; routes, console and reconciler share it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.service import RPCError, RPCStatusCode

from api.authentication import Principal
from api.idempotency import claim
from api.metrics import Metrics
from api.started_runs import StartedRuns
from perdure import tracing
from perdure.db.approval_ending import end_approval
from perdure.db.audit_trail import AuditTrail
from perdure.db.classification_results import ClassificationResults
from perdure.db.document_repository import DocumentRepository
from perdure.db.models import OperationRow
from perdure.db.operation_repository import OperationRepository, StartedRun, to_read, ui_url, workflow_id
from perdure.db.quota_repository import QuotaRepository
from perdure.db.session import Database
from perdure.domain.audit import Action, Actor
from perdure.domain.ids import new_id
from perdure.domain.quotas import Quota
from perdure.errors import (
    BudgetReachedError,
    ConflictError,
    NotFoundError,
    PerdureError,
    ProvidersFailedError,
    ProviderUnavailableError,
    UnavailableError,
)
from perdure.schemas.documents import Reason
from perdure.schemas.operations import (
    TERMINAL,
    OperationError,
    OperationRead,
    OperationStatus,
    StatusChange,
    Subject,
)
from perdure.settings import Settings
from workflows.client import start_operation

logger = structlog.get_logger("perdure.api")

# How long a verb waits for its effect before it answers with what is.
# What another budget, key or routing may put right.
_OF_MODELS = {kind.slug for kind in (BudgetReachedError, ProvidersFailedError, ProviderUnavailableError)}
_MOST_WOKEN = 200
EFFECT_TIMEOUT_S = 1.0
EFFECT_POLL_S = 0.02
# How long a caller who asks for it waits for an operation to end.
RESULT_TIMEOUT_S = 30.0
RPC_TIMEOUT = timedelta(seconds=3)

Build = Callable[[AsyncSession, str], Awaitable[OperationRow]]
BuildAtOnce = Callable[[AsyncConnection, str, str | None], Awaitable[OperationRow | None]]


@dataclass(frozen=True)
class Accepted:
    """An accepted operation; `replayed` when the Idempotency-Key had started it before."""

    operation: OperationRead
    replayed: bool


class Operations:
    """Operations of the whole installation; each call is made for one caller."""

    def __init__(self, database: Database, client: Client, settings: Settings, metrics: Metrics) -> None:
        self._database, self._client, self._settings = database, client, settings
        self._metrics = metrics
        self.started = StartedRuns()

    def read(self, row: OperationRow) -> OperationRead:
        """Render with the address in the Temporal UI."""
        return to_read(row, ui_url(self._settings.temporal_ui_url, self._settings.temporal_namespace, row))

    async def accept(
        self,
        caller: Principal,
        key: str | None,
        request_sha256: str,
        build: Build,
        build_at_once: BuildAtOnce | None = None,
        *,
        counts: bool = True,
    ) -> Accepted:
        """Commit what `build` writes, then start the workflow: from the commit on nothing is lost.

        If this process dies in between, or Temporal is down, the reconciler starts the workflow later.
        `build_at_once` is tried first where there is no key to claim: one statement, which is its own transaction;
        it leaves organisations with quotas to `build`. Without `counts`, no quota of operations stands in the way:
        for what takes things away, and for what everybody has a right to.
        """
        operation_id = new_id("op")
        trace_parent = tracing.current()
        if key is None and build_at_once is not None:
            async with self._database.statement() as connection:
                written = await build_at_once(connection, operation_id, trace_parent)
            if written is not None:
                return await self._accepted(written)
        async with self._database.transaction(caller.organisation_id) as session:
            if key is not None:
                seen = await claim(session, caller.organisation_id, key, request_sha256, operation_id)
                if seen is not None:
                    return Accepted(
                        self.read(await self._row(session, seen.operation_id or "")), replayed=True
                    )
            if counts:
                await QuotaRepository(session, caller.organisation_id).admit({Quota.OPERATIONS_PER_DAY: 1})
            row = await build(session, operation_id)
            await self._record_trace(session, row, trace_parent)
        return await self._accepted(row)

    async def _accepted(self, row: OperationRow) -> Accepted:
        self._metrics.operations.labels(row.kind).inc()
        await self.launch(row)
        return Accepted(self.read(row), replayed=False)

    async def wait(self, organisation_id: str, operation_id: str) -> OperationRead | None:
        """The operation once it has ended; None when that takes longer than a request may wait."""
        handle = await self._handle(organisation_id, operation_id)
        if not await self._ends(handle):
            return None
        operation = await self.get(organisation_id, operation_id)
        return operation if operation.status in TERMINAL else None

    async def ends(self, organisation_id: str, operation: OperationRead) -> bool:
        """Whether an operation, just accepted, ends while a request may wait; for who reads more than its record."""
        if operation.run_id is None:
            return await self._ends(await self._handle(organisation_id, operation.id))
        return await self._ends(self._client.get_workflow_handle(operation.workflow_id))

    @staticmethod
    async def _ends(handle: WorkflowHandle[Any, Any]) -> bool:
        try:
            await asyncio.wait_for(handle.result(), RESULT_TIMEOUT_S)
        except WorkflowFailureError:
            pass  # its record says why
        except (TimeoutError, RPCError):
            return False
        return True

    async def once(
        self,
        caller: Principal,
        key: str | None,
        request_sha256: str,
        operation_id: str,
        act: Callable[[], Awaitable[OperationRead]],
    ) -> Accepted:
        """Steer an operation once per Idempotency-Key; a failure frees the key."""
        if key is None:
            return Accepted(await act(), replayed=False)
        async with self._database.transaction(caller.organisation_id) as session:
            await self._row(session, operation_id)
            seen = await claim(session, caller.organisation_id, key, request_sha256, operation_id)
            if seen is not None:
                return Accepted(self.read(await self._row(session, seen.operation_id or "")), replayed=True)
            return Accepted(await act(), replayed=False)

    async def launch(self, row: OperationRow) -> None:
        """Start the workflow if it is not started; a failure leaves it to the reconciler.

        Nobody waits for the run id to be written: the worker that runs the first step does that.
        """
        try:
            with tracing.continued(row.trace_parent):
                row.run_id = await start_operation(self._client, row)
            self.started.note(StartedRun(row.id, row.attempt, row.run_id))
        except (RPCError, UnavailableError) as error:  # Temporal, or the store that a large input goes to
            logger.warning("operation_not_started_yet", operation_id=row.id, error=str(error))
        except PerdureError as error:  # the input itself: starting it again would end the same way
            logger.warning("operation_cannot_start", operation_id=row.id, error=str(error))
            await self._fail_unstarted(row, error)

    async def launched(self, organisation_id: str, operation_id: str) -> OperationRow:
        """The operation, its workflow started if only the outbox knows of it yet."""
        async with self._database.transaction(organisation_id) as session:
            row = await self._row(session, operation_id)
        if row.run_id is None:
            await self.launch(row)
        return row

    async def _fail_unstarted(self, row: OperationRow, error: PerdureError) -> None:
        change = StatusChange(
            organisation_id=row.organisation_id,
            operation_id=row.id,
            run_id=row.run_id or "",
            status=OperationStatus.FAILED,
            error=OperationError(type=error.slug, detail=str(error)),
        )
        async with self._database.transaction(row.organisation_id) as session:
            await OperationRepository(session).record_status(change)
            documents = DocumentRepository(session, row.organisation_id)
            await documents.settle_all(row.id, Reason.INTERNAL_ERROR, str(error))
            results = ClassificationResults(session, row.organisation_id)
            await results.settle(row.id, Reason.INTERNAL_ERROR.value, str(error))
            await end_approval(session, row.organisation_id, row.id)

    @staticmethod
    async def _record_trace(session: AsyncSession, row: OperationRow, trace_parent: str | None) -> None:
        """Keep the trace of a request, for whoever starts the workflow."""
        if trace_parent is not None:
            await OperationRepository(session).record_trace(row.id, trace_parent)
            row.trace_parent = trace_parent

    async def get(self, organisation_id: str, operation_id: str) -> OperationRead:
        """One operation; NotFoundError when the organisation has none of this id."""
        async with self._database.transaction(organisation_id) as session:
            return self.read(await self._row(session, operation_id))

    async def pause(self, organisation_id: str, operation_id: str) -> OperationRead:
        """Start no further activity."""
        return await self._signal(organisation_id, operation_id, "pause", OperationStatus.PAUSED)

    async def resume(self, organisation_id: str, operation_id: str) -> OperationRead:
        """Go on."""
        return await self._signal(organisation_id, operation_id, "resume", OperationStatus.RUNNING)

    async def wake(self, organisation_id: str) -> None:
        """Let what models keep waiting look again at once; whoever is not reached does it by itself, later."""
        async with self._database.transaction(organisation_id) as session:
            paused = await OperationRepository(session).list(status=OperationStatus.PAUSED, limit=_MOST_WOKEN)
        for row in paused:
            if row.error is not None and row.error.get("type") in _OF_MODELS:
                handle = self._client.get_workflow_handle(workflow_id(row.id, row.attempt))
                try:
                    await handle.signal("resume", rpc_timeout=RPC_TIMEOUT)
                except RPCError as error:
                    logger.warning("operation_not_woken", operation_id=row.id, error=str(error))

    async def cancel(self, organisation_id: str, operation_id: str, actor: Actor) -> OperationRead:
        """Stop for good; what is indexed stays."""
        operation = await self.get(organisation_id, operation_id)
        if operation.status is OperationStatus.CANCELLED:
            return operation
        self._refuse_closed(operation, "cancel")
        async with self._database.transaction(organisation_id) as session:
            trail = AuditTrail(session, organisation_id)
            await self._record(trail, Action.OPERATION_CANCELLED, actor, operation)
        handle = await self._handle(organisation_id, operation_id)
        await self._tell(handle.cancel(rpc_timeout=RPC_TIMEOUT), operation)
        return await self._until(organisation_id, operation_id, OperationStatus.CANCELLED)

    async def retry(self, organisation_id: str, operation_id: str, actor: Actor) -> OperationRead:
        """Run a failed operation again: what is done stays done, failed items are worked on again."""
        trace_parent = tracing.current()
        async with self._database.transaction(organisation_id) as session:
            operations = OperationRepository(session)
            found = await self._row(session, operation_id)
            row = await operations.reopen(operation_id)
            if row is None:
                detail = (
                    f"operation {operation_id} is {found.status} and has no failed item; "
                    "only what failed, was cancelled or expired can be retried"
                )
                raise ConflictError(detail)
            await DocumentRepository(session, organisation_id).requeue(operation_id)
            await ClassificationResults(session, organisation_id).requeue(operation_id)
            await self._record_trace(session, row, trace_parent)
            trail = AuditTrail(session, organisation_id)
            await self._record(trail, Action.OPERATION_RETRIED, actor, self.read(row))
        await self.launch(row)
        return self.read(row)

    async def _signal(
        self, organisation_id: str, operation_id: str, signal: str, wanted: OperationStatus
    ) -> OperationRead:
        operation = await self.get(organisation_id, operation_id)
        if operation.status is wanted:
            return operation
        self._refuse_closed(operation, signal)
        handle = await self._handle(organisation_id, operation_id)
        await self._tell(handle.signal(signal, rpc_timeout=RPC_TIMEOUT), operation)
        return await self._until(organisation_id, operation_id, wanted)

    @staticmethod
    async def _record(trail: AuditTrail, action: Action, actor: Actor, operation: OperationRead) -> None:
        await trail.record(
            action,
            actor,
            subject=Subject(type="operation", id=operation.id),
            details={"kind": operation.kind, "attempt": operation.attempt},
        )

    @staticmethod
    def _refuse_closed(operation: OperationRead, verb: str) -> None:
        if operation.status in TERMINAL:
            detail = f"operation {operation.id} is {operation.status.value}: there is nothing left to {verb}"
            raise ConflictError(detail)

    @staticmethod
    async def _tell(call: Awaitable[None], operation: OperationRead) -> None:
        try:
            await call
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                detail = f"operation {operation.id} has just ended: read it again"
                raise ConflictError(detail) from error
            raise

    async def _handle(self, organisation_id: str, operation_id: str) -> WorkflowHandle[object, object]:
        row = await self.launched(organisation_id, operation_id)
        return self._client.get_workflow_handle(workflow_id(row.id, row.attempt))

    async def _until(self, organisation_id: str, operation_id: str, wanted: OperationStatus) -> OperationRead:
        for _ in range(int(EFFECT_TIMEOUT_S / EFFECT_POLL_S)):
            operation = await self.get(organisation_id, operation_id)
            if operation.status is wanted or operation.status in TERMINAL:
                return operation
            await asyncio.sleep(EFFECT_POLL_S)
        return operation

    @staticmethod
    async def _row(session: AsyncSession, operation_id: str) -> OperationRow:
        row = await OperationRepository(session).get(operation_id)
        if row is None:
            raise NotFoundError(f"no operation {operation_id}: check the id, or list GET /api/v1/operations")
        return row
