"""Tells programs that an execution of a document workflow has ended, however it came to that."""

from sqlalchemy import select
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


async def publish_end(session: AsyncSession, operation: OperationRow) -> None:
    """Once for each attempt; of other kinds of operations, and of those that were cancelled, nothing is said."""
    event = _EVENTS.get(operation.status)
    if operation.kind != KIND or event is None:
        return
    statement = select(WorkflowExecutionRow).where(WorkflowExecutionRow.operation_id == operation.id)
    execution = await session.scalar(statement)
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
