"""Executions of document workflows, one by one and among others; the caller owns the transaction."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import DateTime, Row, Select, bindparam, func, select, text, update
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.ext.asyncio import AsyncSession

from perdure.db.arrays import any_of
from perdure.db.models import (
    DocumentRow,
    DocumentWorkflowRow,
    DocumentWorkflowVersionRow,
    OperationItemRow,
    OperationRow,
    WorkflowExecutionRow,
    WorkflowExecutionStepRow,
)
from perdure.db.operation_repository import (
    OperationRepository,
    input_fields,
    pending_operation,
    workflow_id,
)
from perdure.domain.ids import new_id
from perdure.schemas.base import rfc3339
from perdure.schemas.document_workflows import (
    BatchEnd,
    ExecutionFilter,
    ExecutionStart,
    Window,
    WindowJob,
    WorkflowExecutionDetail,
    WorkflowExecutionRead,
)
from perdure.schemas.documents import DocumentStatus
from perdure.schemas.operations import OperationError, OperationStatus, Progress, StatusChange, Subject
from perdure.schemas.workflow_executions import RunDocumentWorkflowInput, StepRecordRead, StepsRecord

KIND = "run_document_workflow"
BATCH_KIND = "run_workflow_batch"
# What a started item is called until its execution ends or waits for people.
EXECUTING = "executing"
_TITLE = 80
_BUSY = (OperationStatus.PENDING.value, OperationStatus.RUNNING.value, OperationStatus.PAUSED.value)

# One round trip. What the operation was given is read back as everybody else will read it.
_ACCEPT = (
    text(
        """
        WITH operation AS (
            INSERT INTO operations
                (id, organisation_id, actor_id, kind, status, subject_type, subject_id, summary, input, run_id)
            VALUES (:operation_id, :organisation_id, :actor_id, :kind, 'pending', :subject_type, :subject_id,
                :summary, :input, :run_id)
            RETURNING created_at, input
        ), execution AS (
            INSERT INTO workflow_executions
                (id, organisation_id, operation_id, batch_id, ordinal, workflow_id, version, document_id)
            VALUES (:execution_id, :organisation_id, :operation_id, :batch_id, :ordinal, :workflow_id, :version,
                :document_id)
        )
        SELECT created_at, input FROM operation
        """
    )
    .bindparams(bindparam("input", type_=JSONB))
    .columns(created_at=DateTime(timezone=True), input=JSONB)
)
# An execution that has completed asks no model any more: what was answered stands in what its steps gave.
_RECORD_STEPS = text(
    """
    WITH forgotten AS (
        DELETE FROM workflow_step_answers WHERE :is_completed AND execution_id = :execution_id
    )
    INSERT INTO workflow_execution_steps AS s (organisation_id, execution_id, step_id, state, sequence, record)
    SELECT e.organisation_id, e.id, g.step_id, g.state, :sequence, g.record
    FROM jsonb_to_recordset(CAST(:steps AS jsonb)) AS g (step_id text, state text, record jsonb)
    JOIN workflow_executions e ON e.id = :execution_id
    ON CONFLICT (execution_id, step_id) DO UPDATE SET
        state = EXCLUDED.state, sequence = EXCLUDED.sequence, updated_at = now(),
        -- A new run of the workflow does not hold what the same visit got and gave.
        record = CASE WHEN s.record -> 'visit' = EXCLUDED.record -> 'visit' THEN
            EXCLUDED.record
            || CASE WHEN EXCLUDED.record ->> 'input' IS NULL
                THEN jsonb_build_object('input', s.record -> 'input') ELSE '{}' END
            || CASE WHEN EXCLUDED.record ->> 'output' IS NULL
                THEN jsonb_build_object('output', s.record -> 'output') ELSE '{}' END
            ELSE EXCLUDED.record END
    WHERE s.sequence < EXCLUDED.sequence
    """
)
# What became of the documents of a batch is what became of their executions.
_SETTLE = text(
    """
    UPDATE operation_items i SET
        status = CASE o.status WHEN 'completed' THEN 'executed' WHEN 'waiting_approval' THEN 'waiting_approval'
            WHEN 'failed' THEN 'failed' WHEN 'cancelled' THEN 'failed' WHEN 'expired' THEN 'failed'
            ELSE 'executing' END,
        reason = o.error ->> 'type', detail = o.error ->> 'detail', document_id = e.document_id, updated_at = now()
    FROM workflow_executions e JOIN operations o ON o.id = e.operation_id
    WHERE e.batch_id = :batch_id AND i.operation_id = :batch_id AND i.ordinal = e.ordinal
        AND i.status IN ('executing', 'waiting_approval')
        AND i.status IS DISTINCT FROM CASE o.status WHEN 'completed' THEN 'executed'
            WHEN 'waiting_approval' THEN 'waiting_approval' WHEN 'failed' THEN 'failed'
            WHEN 'cancelled' THEN 'failed' WHEN 'expired' THEN 'failed' ELSE 'executing' END
    """
)
# Whose document went meanwhile, its execution went with it.
_SETTLE_GONE = text(
    """
    UPDATE operation_items i SET status = 'failed', reason = 'document_not_found',
        detail = 'the document was deleted', updated_at = now()
    WHERE i.operation_id = :batch_id AND i.status IN ('executing', 'waiting_approval')
        AND NOT EXISTS (SELECT FROM workflow_executions e WHERE e.batch_id = :batch_id AND e.ordinal = i.ordinal)
    """
)


@dataclass(frozen=True)
class Execution:
    """What an execution is to be of, on and with."""

    workflow_id: str
    version: int
    name: str
    definition: Mapping[str, Any]
    parameters: Mapping[str, Any]
    input: Mapping[str, Any]
    # How many executions it is within.
    depth: int = 0


def execution_of(
    row: DocumentWorkflowRow,
    version: DocumentWorkflowVersionRow,
    parameters: Mapping[str, Any],
    given: Mapping[str, Any],
) -> Execution:
    """An execution of a stored version."""
    return Execution(row.id, version.version, row.name, version.definition, parameters, given)


def document_seen(row: DocumentRow) -> dict[str, Any]:
    """What expressions see as `document`: never its text."""
    return {
        "id": row.id,
        "title": row.title,
        "external_id": row.external_id,
        "media_type": row.media_type,
        "language": row.language,
        "size_bytes": row.size_bytes,
        "sha256": row.sha256,
        "page_count": row.page_count,
        "version": row.version,
        "metadata": row.metadata_,
        "created_at": rfc3339(row.created_at),
    }


class WorkflowExecutions:
    """Executions of one organisation."""

    def __init__(self, session: AsyncSession, organisation_id: str) -> None:
        self._session, self._organisation_id = session, organisation_id

    async def accept(
        self,
        actor_id: str,
        execution: Execution,
        document: DocumentRow | None,
        *,
        operation_id: str | None = None,
        batch: tuple[str, int] | None = None,
        run_id: str | None = None,
    ) -> OperationRow:
        """An execution and its operation, which from the commit on will be started; with a run id, by somebody else.

        The row is in no session.
        """
        execution_id = new_id("exe")
        fields: dict[str, Any] = {
            "organisation_id": self._organisation_id,
            "actor_id": actor_id,
            "kind": KIND,
            "subject_type": "document_workflow" if document is None else "document",
            "subject_id": execution.workflow_id if document is None else document.id,
            "summary": f"Execute {execution.name[:_TITLE]}"
            + (f" on {document.title[:_TITLE]}" if document is not None else ""),
        }
        given = {
            "execution_id": execution_id,
            "workflow_definition_id": execution.workflow_id,
            "version": execution.version,
            "definition": dict(execution.definition),
            "parameters": dict(execution.parameters),
            "input": dict(execution.input),
            "document_id": document.id if document is not None else None,
            "document": document_seen(document) if document is not None else {},
            "depth": execution.depth,
        }
        identifier = operation_id or new_id("op")
        values = {
            **fields,
            "operation_id": identifier,
            "run_id": run_id,
            "input": given,
            "execution_id": execution_id,
            "batch_id": batch[0] if batch else None,
            "ordinal": batch[1] if batch else None,
            "workflow_id": execution.workflow_id,
            "version": execution.version,
            "document_id": given["document_id"],
        }
        accepted = (await self._session.execute(_ACCEPT, values)).one()
        return pending_operation(
            accepted.created_at,
            id=identifier,
            **fields,
            input=accepted.input,
            run_id=run_id,
            trace_parent=None,
        )

    # Reading

    async def get(self, execution_id: str) -> WorkflowExecutionDetail | None:
        """One execution with what its steps did, as far as it was written."""
        found = (
            await self._session.execute(_joined().where(WorkflowExecutionRow.id == execution_id))
        ).first()
        if found is None:
            return None
        operation: OperationRow = found[1]
        result = operation.result or {}
        return WorkflowExecutionDetail(
            **_read(found).model_dump(),
            input=operation.input.get("input", {}),
            parameters=operation.input.get("parameters", {}),
            steps=await self.steps(execution_id),
            outputs=result.get("outputs", {}),
        )

    async def definition(self, execution_id: str) -> dict[str, Any] | None:
        """What an execution was told to do."""
        version = DocumentWorkflowVersionRow
        statement = (
            select(version.definition)
            .join(
                WorkflowExecutionRow,
                (WorkflowExecutionRow.workflow_id == version.workflow_id)
                & (WorkflowExecutionRow.version == version.version),
            )
            .where(WorkflowExecutionRow.id == execution_id)
        )
        found: dict[str, Any] | None = await self._session.scalar(statement)
        return found

    async def operation_of(self, execution_id: str) -> str | None:
        """The operation of an execution."""
        statement = select(WorkflowExecutionRow.operation_id).where(WorkflowExecutionRow.id == execution_id)
        found: str | None = await self._session.scalar(statement)
        return found

    async def list(
        self, wanted: ExecutionFilter, *, after: str | None = None, limit: int = 50
    ) -> Sequence[WorkflowExecutionRead]:
        """Executions, newest first."""
        execution = WorkflowExecutionRow
        statement = _joined().order_by(execution.id.desc()).limit(limit)
        for column, value in (
            (execution.workflow_id, wanted.workflow_id),
            (execution.document_id, wanted.document_id),
            (execution.batch_id, wanted.batch_id),
            (execution.operation_id, wanted.operation_id),
            (OperationRow.status, wanted.status.value if wanted.status else None),
        ):
            if value is not None:
                statement = statement.where(column == value)
        if after is not None:
            statement = statement.where(execution.id < after)
        return [_read(found) for found in await self._session.execute(statement)]

    async def steps(self, execution_id: str) -> Sequence[StepRecordRead]:
        """What the steps of an execution did, in the order in which they started."""
        statement = (
            select(WorkflowExecutionStepRow.record)
            .where(WorkflowExecutionStepRow.execution_id == execution_id)
            .order_by(
                WorkflowExecutionStepRow.record["started_at"].astext.nulls_last(),
                WorkflowExecutionStepRow.step_id,
            )
        )
        return [StepRecordRead.model_validate(one) for one in await self._session.scalars(statement)]

    async def documents(self, document_ids: Sequence[str]) -> dict[str, DocumentRow]:
        """Those of these documents that are there."""
        statement = select(DocumentRow).where(DocumentRow.id == any_of(document_ids))
        return {row.id: row for row in await self._session.scalars(statement)}

    # What the workflow says

    async def record(self, record: StepsRecord, attempt: int) -> None:
        """Write what steps did in an attempt. An older record that comes late changes nothing."""
        steps = [
            {"step_id": step.step_id, "state": step.state.value, "record": step.model_dump(mode="json")}
            for step in record.steps
        ]
        is_completed = record.end is not None and record.end.status is OperationStatus.COMPLETED
        await self._session.execute(
            _RECORD_STEPS,
            {
                "execution_id": record.execution_id,
                "sequence": record.sequence,
                "steps": json.dumps(steps),
                "is_completed": is_completed,
            },
        )
        if record.end is None:
            await self._begun(record, attempt)

    async def _begun(self, record: StepsRecord, attempt: int) -> None:
        """An execution that begins with a wait has no activity yet that would say that it runs."""
        status = await self._session.scalar(
            select(OperationRow.status).where(OperationRow.id == record.operation_id)
        )
        if status == OperationStatus.PENDING.value:
            await OperationRepository(self._session).record_status(
                StatusChange(
                    organisation_id=record.organisation_id,
                    operation_id=record.operation_id,
                    run_id=record.run_id,
                    status=OperationStatus.RUNNING,
                ),
                attempt=attempt,
            )

    # Many documents

    async def accept_batch(
        self,
        actor_id: str,
        execution: Execution,
        documents: Sequence[DocumentRow],
        concurrency: int,
        operation_id: str,
    ) -> OperationRow:
        """The operation that executes a workflow on many documents, a few at once."""
        operation = await OperationRepository(self._session).create(
            organisation_id=self._organisation_id,
            actor_id=actor_id,
            kind=BATCH_KIND,
            summary=f"Execute {execution.name[:_TITLE]} on {len(documents)} documents",
            subject=Subject(type="document_workflow", id=execution.workflow_id),
            operation_id=operation_id,
            total=len(documents),
            input={
                "workflow_definition_id": execution.workflow_id,
                "version": execution.version,
                "total": len(documents),
                "concurrency": concurrency,
                "parameters": dict(execution.parameters),
                "given": dict(execution.input),
            },
        )
        rows = [
            {
                "organisation_id": self._organisation_id,
                "operation_id": operation.id,
                "ordinal": ordinal,
                "name": document.title[:_TITLE],
                "source": {"document_id": document.id},
                "status": DocumentStatus.QUEUED.value,
            }
            for ordinal, document in enumerate(documents)
        ]
        await self._session.execute(insert(OperationItemRow), rows)
        return operation

    async def open_window(self, job: WindowJob) -> Window:
        """Settle what has ended, and accept the next executions of a batch, as many as fit.

        Who asks twice gets the next ones: what was accepted is started from the outbox if by nobody else.
        """
        batch = await self._session.get(OperationRow, job.operation_id, with_for_update=True)
        if batch is None:
            return Window(done=0, total=0, open_operations=0, queued=0)
        await self._settle(batch.id)
        busy = await self._busy(batch.id)
        room = max(0, min(job.concurrency - busy, job.most))
        starts = await self._accept_next(batch, room) if room else ()
        counts = await self._counts(batch.id)
        queued = counts.get(DocumentStatus.QUEUED.value, 0)
        total = sum(counts.values())
        done = total - queued - counts.get(EXECUTING, 0)
        await OperationRepository(self._session).record_progress(batch.id, done, total)
        return Window(
            starts=list(starts), done=done, total=total, open_operations=busy + len(starts), queued=queued
        )

    async def outcomes(self, batch_id: str) -> dict[str, int]:
        """How many documents of a batch have which outcome."""
        await self._settle(batch_id)
        return await self._counts(batch_id)

    async def end_batch(self, end: BatchEnd) -> Sequence[str]:
        """Settle what was not started; the workflows of what was, and has not ended, to be cancelled."""
        await self._settle(end.operation_id)
        await self._session.execute(
            update(OperationItemRow)
            .where(
                OperationItemRow.operation_id == end.operation_id,
                OperationItemRow.status == DocumentStatus.QUEUED.value,
            )
            .values(
                status=DocumentStatus.FAILED.value,
                reason=end.reason,
                detail=end.detail,
                updated_at=func.now(),
            )
        )
        statement = (
            select(OperationRow)
            .join(WorkflowExecutionRow, WorkflowExecutionRow.operation_id == OperationRow.id)
            .where(WorkflowExecutionRow.batch_id == end.operation_id, OperationRow.closed_at.is_(None))
            .order_by(OperationRow.id)
        )
        rows = (await self._session.scalars(statement)).all()
        operations = OperationRepository(self._session)
        for row in rows:
            if row.run_id is None:
                # The outbox would start it; if it was started just now, its own run says how it ends.
                await operations.record_status(
                    StatusChange(
                        organisation_id=row.organisation_id,
                        operation_id=row.id,
                        run_id="",
                        status=OperationStatus.CANCELLED,
                        error=OperationError(type=end.reason, detail=end.detail),
                    )
                )
        return [workflow_id(row.id, row.attempt) for row in rows]

    async def _settle(self, batch_id: str) -> None:
        await self._session.execute(_SETTLE, {"batch_id": batch_id})
        await self._session.execute(_SETTLE_GONE, {"batch_id": batch_id})

    async def _busy(self, batch_id: str) -> int:
        statement = (
            select(func.count())
            .select_from(WorkflowExecutionRow)
            .join(OperationRow, OperationRow.id == WorkflowExecutionRow.operation_id)
            .where(WorkflowExecutionRow.batch_id == batch_id, OperationRow.status.in_(_BUSY))
        )
        return int(await self._session.scalar(statement) or 0)

    async def _counts(self, batch_id: str) -> dict[str, int]:
        rows = await self._session.execute(
            select(OperationItemRow.status, func.count())
            .where(OperationItemRow.operation_id == batch_id)
            .group_by(OperationItemRow.status)
        )
        return dict(rows.all())

    async def _accept_next(self, batch: OperationRow, room: int) -> Sequence[ExecutionStart]:
        items = (
            await self._session.scalars(
                select(OperationItemRow)
                .where(
                    OperationItemRow.operation_id == batch.id,
                    OperationItemRow.status == DocumentStatus.QUEUED.value,
                )
                .order_by(OperationItemRow.ordinal)
                .limit(room)
            )
        ).all()
        version = await self._session.get(
            DocumentWorkflowVersionRow, (batch.input["workflow_definition_id"], batch.input["version"])
        )
        workflow = await self._session.get(DocumentWorkflowRow, batch.input["workflow_definition_id"])
        starts: list[ExecutionStart] = []
        for item in items:
            document = await self._session.get(DocumentRow, item.source["document_id"])
            item.updated_at = (await self._session.execute(select(func.now()))).scalar_one()
            if document is None or version is None or workflow is None:
                item.status = DocumentStatus.FAILED.value
                item.reason, item.detail = "document_not_found", "the document was deleted"
                continue
            item.status, item.document_id = EXECUTING, document.id
            execution = execution_of(workflow, version, batch.input["parameters"], batch.input["given"])
            operation = await self._accepted(batch, item.ordinal, execution, document)
            starts.append(_start(operation))
        await self._session.flush()
        return starts

    async def _accepted(
        self, batch: OperationRow, ordinal: int, execution: Execution, document: DocumentRow
    ) -> OperationRow:
        """The operation for a document: what failed before is opened again, with what it had done."""
        before = await self._session.scalar(
            select(WorkflowExecutionRow.operation_id).where(
                WorkflowExecutionRow.batch_id == batch.id, WorkflowExecutionRow.ordinal == ordinal
            )
        )
        if before is not None:
            operations = OperationRepository(self._session)
            again = await operations.reopen(before) or await operations.get(before)
            if again is not None:
                return again
        return await self.accept(batch.actor_id, execution, document, batch=(batch.id, ordinal))


def _start(operation: OperationRow) -> ExecutionStart:
    return ExecutionStart(
        workflow_id=workflow_id(operation.id, operation.attempt),
        summary=operation.summary,
        job=RunDocumentWorkflowInput.model_validate(input_fields(operation)),
    )


def _joined() -> Select[WorkflowExecutionRow, OperationRow, str]:
    return (
        select(WorkflowExecutionRow, OperationRow, DocumentWorkflowRow.name)
        .join(OperationRow, OperationRow.id == WorkflowExecutionRow.operation_id)
        .join(DocumentWorkflowRow, DocumentWorkflowRow.id == WorkflowExecutionRow.workflow_id)
    )


def _read(found: Row[WorkflowExecutionRow, OperationRow, str]) -> WorkflowExecutionRead:
    execution, operation, name = found
    return WorkflowExecutionRead(
        id=execution.id,
        operation_id=operation.id,
        batch_id=execution.batch_id,
        workflow_id=execution.workflow_id,
        workflow_name=name,
        version=execution.version,
        document_id=execution.document_id,
        status=OperationStatus(operation.status),
        progress=Progress(
            done=operation.progress_done, total=operation.progress_total, step=operation.progress_step
        ),
        attempt=operation.attempt,
        error=OperationError.model_validate(operation.error) if operation.error else None,
        created_at=execution.created_at,
        updated_at=operation.updated_at,
        closed_at=operation.closed_at,
    )
