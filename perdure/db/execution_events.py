"""Tells programs, and the batch that it belongs to, that an execution of a document workflow has ended."""

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from perdure.db.messages import MessageRepository
from perdure.db.models import OperationRow, WorkflowExecutionRow
from perdure.schemas.messages import EventType
from perdure.schemas.operations import OperationStatus

KIND = "run_document_workflow"
_EVENTS = {
    OperationStatus.COMPLETED.value: EventType.WORKFLOW_COMPLETED,
    OperationStatus.FAILED.value: EventType.WORKFLOW_FAILED,
    OperationStatus.EXPIRED.value: EventType.WORKFLOW_FAILED,
}


# The batch itself may have ended long before: cancelled, or because only people were waited for.
_SETTLE_ITEM = text(
    """
    UPDATE operation_items SET
        status = CASE WHEN CAST(:status AS text) = 'completed' THEN 'executed' ELSE 'failed' END,
        reason = CAST(:reason AS text), detail = CAST(:detail AS text), updated_at = now()
    WHERE operation_id = :batch_id AND ordinal = :ordinal
        AND (status IN ('executing', 'waiting_approval')
            OR (status = 'failed' AND CAST(:status AS text) = 'completed'))
    """
)


async def publish_end(session: AsyncSession, operation: OperationRow) -> None:
    """Once for each attempt; programs are told nothing of other kinds, nor of executions that were cancelled."""
    if operation.kind != KIND:
        return
    statement = select(WorkflowExecutionRow).where(WorkflowExecutionRow.operation_id == operation.id)
    execution = await session.scalar(statement)
    if execution is not None and execution.batch_id is not None:
        await _settle_item(session, operation, execution)
    event = _EVENTS.get(operation.status)
    if event is None:
        return
    data = {
        "operation_id": operation.id,
        "execution_id": execution.id if execution else None,
        "workflow_id": execution.workflow_id if execution else None,
        "version": execution.version if execution else None,
        "document_id": execution.document_id if execution else None,
        "status": operation.status,
        "reason": (operation.error or {}).get("type"),
    }
    messages = MessageRepository(session, operation.organisation_id)
    await messages.publish(f"{event.value}:{operation.id}:{operation.attempt}", event, data)


async def _settle_item(
    session: AsyncSession, operation: OperationRow, execution: WorkflowExecutionRow
) -> None:
    """What became of a document of a batch is what became of its execution."""
    error = operation.error or {}
    await session.execute(
        _SETTLE_ITEM,
        {
            "batch_id": execution.batch_id,
            "ordinal": execution.ordinal,
            "status": operation.status,
            "reason": error.get("type"),
            "detail": error.get("detail"),
        },
    )
