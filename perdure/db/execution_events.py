"""Tells programs, and the batch that it belongs to, that an execution of a document workflow has ended."""

from sqlalchemy import false, select, text
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
    event = _EVENTS.get(operation.status)
    messages = MessageRepository(session, operation.organisation_id)
    is_heard = messages.is_heard(event) if event is not None else false()
    statement = select(WorkflowExecutionRow, is_heard).where(
        WorkflowExecutionRow.operation_id == operation.id
    )
    found = (await session.execute(statement)).one_or_none()
    execution = found[0] if found is not None else None
    if execution is not None and execution.batch_id is not None:
        await _settle_item(session, operation, execution)
    if event is None or (found is not None and not found[1]):
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
