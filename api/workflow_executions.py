"""Executions of stored workflows: on a document, on many, or on an input alone; routes and console use it."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncSession
from temporalio.client import Client
from temporalio.exceptions import TemporalError

from api.authentication import Principal
from api.operations import Accepted, Operations
from api.workflow_library import found, refuse_archived, version_of
from perdure.db.audit_trail import AuditTrail
from perdure.db.document_workflows import DocumentWorkflows
from perdure.db.models import DocumentRow, OperationRow
from perdure.db.quota_repository import QuotaRepository
from perdure.db.session import Database
from perdure.db.workflow_executions import WorkflowExecutions, execution_of
from perdure.domain.audit import Action, Actor
from perdure.domain.quotas import Quota
from perdure.domain.workflow_definitions import Parameter, ParameterType, WorkflowDefinition, bind
from perdure.domain.workflow_diagram import StepView
from perdure.errors import ConflictError, FieldError, InvalidInputError, NotFoundError, PerdureError
from perdure.schemas.base import storable
from perdure.schemas.document_workflows import (
    MAX_INPUT_BYTES,
    ExecutionCreate,
    ExecutionFilter,
    WorkflowExecutionDetail,
    WorkflowExecutionRead,
)
from perdure.schemas.documents import DocumentStatus
from perdure.schemas.operations import TERMINAL, Subject
from perdure.schemas.workflow_executions import ExecutionRead, ExecutionStepState, StepRecordRead

logger = structlog.get_logger("perdure.api")

LOOK_TIMEOUT = timedelta(seconds=1)
_SEARCHABLE = frozenset((DocumentStatus.INDEXED.value, DocumentStatus.PARTIAL.value))
_NAMED = 10
_DRAWN: Mapping[ExecutionStepState, str] = {
    ExecutionStepState.WAITING_APPROVAL: "waiting",
    ExecutionStepState.COMPENSATED: "cancelled",
}


class Executions:
    """Executions of the whole installation; each call is made for one caller."""

    def __init__(self, database: Database, operations: Operations, client: Client) -> None:
        self._database, self._operations, self._client = database, operations, client

    async def execute(
        self,
        caller: Principal,
        actor: Actor,
        workflow_id: str,
        body: ExecutionCreate,
        *,
        key: str | None = None,
        request_sha256: str = "",
    ) -> Accepted:
        """Accept an execution, or the operation that executes it on many documents, a few at once."""
        given = _checked_input(body.input)

        async def build(session: AsyncSession, operation_id: str) -> OperationRow:
            workflows = DocumentWorkflows(session, caller.organisation_id)
            row = await found(workflows, workflow_id)
            refuse_archived(row)
            version = await version_of(workflows, row, body.version)
            parameters = bind(_open(version.definition), storable(body.parameters), "/body/parameters")
            execution = execution_of(row, version, parameters, given)
            executions = WorkflowExecutions(session, caller.organisation_id)
            named = body.document_ids or ([body.document_id] if body.document_id else [])
            documents = await _documents(executions, named, is_many=body.document_ids is not None)
            if body.document_ids is not None:
                await QuotaRepository(session, caller.organisation_id).admit(
                    {Quota.OPERATIONS_PER_DAY: len(documents) + 1}
                )
                operation = await executions.accept_batch(
                    caller.actor_id, execution, documents, body.concurrency, operation_id
                )
            else:
                operation = await executions.accept(
                    caller.actor_id, execution, documents[0] if documents else None, operation_id=operation_id
                )
            await AuditTrail(session, caller.organisation_id).record(
                Action.WORKFLOW_EXECUTED,
                actor,
                subject=Subject(type="document_workflow", id=row.id),
                details={
                    "version": version.version,
                    "operation": operation_id,
                    "documents": len(documents),
                },
            )
            return operation

        return await self._operations.accept(caller, key, request_sha256, build)

    async def list(
        self, caller: Principal, wanted: ExecutionFilter, *, after: str | None = None, limit: int = 50
    ) -> Sequence[WorkflowExecutionRead]:
        """Executions, newest first."""
        async with self._database.transaction(caller.organisation_id) as session:
            executions = WorkflowExecutions(session, caller.organisation_id)
            return await executions.list(wanted, after=after, limit=limit)

    async def of_operation(self, caller: Principal, operation_id: str) -> WorkflowExecutionRead | None:
        """The execution that an operation is."""
        async with self._database.transaction(caller.organisation_id) as session:
            executions = WorkflowExecutions(session, caller.organisation_id)
            listed = await executions.list(ExecutionFilter(operation_id=operation_id), limit=1)
        return listed[0] if listed else None

    async def operation_id(self, caller: Principal, execution_id: str) -> str:
        """The operation by which an execution is steered."""
        async with self._database.transaction(caller.organisation_id) as session:
            executions = WorkflowExecutions(session, caller.organisation_id)
            operation_id = await executions.operation_of(execution_id)
        if operation_id is None:
            raise _missing(execution_id)
        return operation_id

    async def get(self, caller: Principal, execution_id: str) -> WorkflowExecutionDetail:
        """One execution with its steps: as they are while it runs, as they were when it ended."""
        async with self._database.transaction(caller.organisation_id) as session:
            detail = await WorkflowExecutions(session, caller.organisation_id).get(execution_id)
        if detail is None:
            raise _missing(execution_id)
        if detail.status in TERMINAL:
            return detail
        live = await self._live(caller, detail)
        return detail.model_copy(update={"steps": _merged(detail.steps, live)})

    async def definition(self, caller: Principal, execution_id: str) -> dict[str, Any]:
        """What an execution was told to do."""
        async with self._database.transaction(caller.organisation_id) as session:
            definition = await WorkflowExecutions(session, caller.organisation_id).definition(execution_id)
        if definition is None:
            raise _missing(execution_id)
        return definition

    async def _live(self, caller: Principal, detail: WorkflowExecutionDetail) -> Sequence[StepRecordRead]:
        """What the workflow says of its steps; nothing when it cannot be asked now."""
        operation = await self._operations.get(caller.organisation_id, detail.operation_id)
        if operation.run_id is None:
            return ()
        handle = self._client.get_workflow_handle(operation.workflow_id)
        try:
            answer: ExecutionRead = await handle.query(
                "execution", result_type=ExecutionRead, rpc_timeout=LOOK_TIMEOUT
            )
        except (TemporalError, PerdureError) as error:
            # No worker runs, or it has just ended: what was written is shown.
            logger.info("execution_not_asked", execution_id=detail.id, error=type(error).__name__)
            return ()
        return answer.steps


def views_of(steps: Iterable[StepRecordRead]) -> dict[str, StepView]:
    """How a drawing shows steps; within loops, none does."""
    views: dict[str, StepView] = {}
    for step in steps:
        took = step.ended_at - step.started_at if step.started_at and step.ended_at else None
        views[step.step_id] = StepView(
            _DRAWN.get(step.state, step.state.value), took.total_seconds() if took is not None else None
        )
    return views


def _merged(written: Sequence[StepRecordRead], live: Sequence[StepRecordRead]) -> Sequence[StepRecordRead]:
    """What is written has outputs; what is live is newer."""
    merged = {step.step_id: step for step in written}
    for step in live:
        before = merged.get(step.step_id)
        if before is not None and before.visit == step.visit:
            kept = {"input": step.input or before.input, "output": step.output or before.output}
            merged[step.step_id] = step.model_copy(update=kept)
        else:
            merged[step.step_id] = step
    return list(merged.values())


def _open(definition: Mapping[str, Any]) -> WorkflowDefinition:
    """A definition that was understood once, with its parameters alone."""
    given: Mapping[str, Any] = definition.get("parameters") or {}
    parameters = tuple(
        Parameter(name, ParameterType(one["type"]), one.get("default"), bool(one.get("required", False)))
        for name, one in given.items()
    )
    return WorkflowDefinition(str(definition.get("name", "")), (), parameters)


def _checked_input(given: Mapping[str, Any]) -> dict[str, Any]:
    try:
        size = len(json.dumps(given, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace"))
    except ValueError:
        detail = "holds a number that JSON does not know (NaN or Infinity)"
        raise InvalidInputError(f"The input {detail}.", [FieldError("/body/input", detail)]) from None
    if size > MAX_INPUT_BYTES:
        detail = f"has {size} bytes; at most {MAX_INPUT_BYTES} are allowed: put more into a document"
        raise InvalidInputError(f"The input {detail}.", [FieldError("/body/input", detail)])
    return dict(given)


async def _documents(
    executions: WorkflowExecutions, ids: Sequence[str], *, is_many: bool
) -> Sequence[DocumentRow]:
    """Documents in the order in which they were named; all of them have to be there, with a text."""
    rows = await executions.documents(ids) if ids else {}
    field = "document_ids" if is_many else "document_id"
    missing = [(place, one) for place, one in enumerate(ids) if one not in rows]
    if missing and not is_many:
        raise NotFoundError(f"no document {ids[0]}: check the id, or list GET /api/v1/documents")
    if missing:
        detail = f"{len(missing)} of {len(ids)} documents are not there; the first is {missing[0][1]}"
        errors = [
            FieldError(f"/body/{field}/{place}", f"{one}: no document of this id")
            for place, one in missing[:_NAMED]
        ]
        raise InvalidInputError(detail, errors)
    unread = [one for one in ids if rows[one].status not in _SEARCHABLE and not rows[one].chunk_count]
    if unread:
        row = rows[unread[0]]
        detail = (
            f"{len(unread)} of {len(ids)} documents have no text yet; {row.id} is {row.status}: "
            "wait until it is indexed, or look at why it is not"
        )
        raise ConflictError(detail)
    return [rows[one] for one in ids]


def _missing(execution_id: str) -> NotFoundError:
    return NotFoundError(
        f"no execution {execution_id}: check the id, or list GET /api/v1/ai/workflows/executions"
    )
