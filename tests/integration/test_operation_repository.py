"""What becomes of an operation is written by one after the other, and the times say so."""

import asyncio
from datetime import datetime

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from perdure.db.models import (
    DocumentWorkflowRow,
    MessageRow,
    OperationEventRow,
    OperationStepRow,
    WebhookEndpointRow,
    WorkflowExecutionRow,
)
from perdure.db.operation_repository import OperationRepository, attempt_of, workflow_id
from perdure.db.session import Database
from perdure.domain.ids import new_id
from perdure.schemas.operations import OperationStatus, StatusChange

_WAITING = text("SELECT count(*) FROM pg_locks WHERE pid = :pid AND NOT granted")
_ME = select(func.pg_backend_pid())


async def _operation(database: Database, organisation_id: str) -> str:
    async with database.transaction(organisation_id) as session:
        return await _created(session, organisation_id, "ingest_document")


async def _created(session: AsyncSession, organisation_id: str, kind: str) -> str:
    row = await OperationRepository(session).create(
        organisation_id=organisation_id, actor_id="usr_somebody", kind=kind, summary="Work"
    )
    return row.id


def _change(organisation_id: str, operation_id: str, status: OperationStatus) -> StatusChange:
    return StatusChange(
        organisation_id=organisation_id, operation_id=operation_id, run_id="run", status=status
    )


async def test_who_waited_for_the_row_writes_a_later_time(database: Database, organisation_id: str) -> None:
    operation_id = await _operation(database, organisation_id)
    pid = asyncio.get_running_loop().create_future()

    async def end() -> datetime:
        async with database.transaction(organisation_id) as session:
            pid.set_result(await session.scalar(_ME))
            change = _change(organisation_id, operation_id, OperationStatus.COMPLETED)
            row = await OperationRepository(session).record_status(change)
            assert row is not None
            return row.updated_at

    async with database.transaction(organisation_id) as session:
        change = _change(organisation_id, operation_id, OperationStatus.RUNNING)
        await OperationRepository(session).record_status(change)
        ending = asyncio.create_task(end())
        waiting = await pid
        async with asyncio.timeout(60):
            while not await session.scalar(_WAITING, {"pid": waiting}):  # noqa: ASYNC110  # another process's lock
                await asyncio.sleep(0.01)
        before = (await session.execute(select(func.clock_timestamp()))).scalar_one()
    assert await ending > before
    async with database.transaction(organisation_id) as session:
        events = await session.scalars(
            select(OperationEventRow)
            .where(OperationEventRow.operation_id == operation_id)
            .order_by(OperationEventRow.revision)
        )
        told = [(event.revision, event.data["status"]) for event in events]
    assert told == [(1, "running"), (2, "completed")]


async def test_the_end_ends_the_steps_of_its_run_alone(database: Database, organisation_id: str) -> None:
    operation_id = await _operation(database, organisation_id)
    async with database.transaction(organisation_id) as session:
        for run_id, state in (("run", "running"), ("run", "failed"), ("another", "running")):
            session.add(
                OperationStepRow(
                    organisation_id=organisation_id,
                    operation_id=operation_id,
                    run_id=run_id,
                    activity_id=state,
                    name="parse_document",
                    state=state,
                    attempts=1,
                    started_at=await session.scalar(select(func.now())),
                )
            )
        await session.flush()
        operations = OperationRepository(session)
        await operations.record_status(_change(organisation_id, operation_id, OperationStatus.RUNNING))
        assert await _states(session, operation_id) == ["running", "failed", "running"]
        await operations.record_status(_change(organisation_id, operation_id, OperationStatus.COMPLETED))
        assert await _states(session, operation_id) == ["running", "failed", "completed"]


async def test_the_end_of_an_execution_is_told_to_whom_it_concerns(
    database: Database, organisation_id: str
) -> None:
    async with database.transaction(organisation_id) as session:
        workflow_id = new_id("wfl")
        session.add(DocumentWorkflowRow(id=workflow_id, organisation_id=organisation_id, name="W", version=1))
        endpoints = {event: new_id("whk") for event in ("workflow.completed", "workflow.failed")}
        for event, endpoint_id in endpoints.items():
            session.add(
                WebhookEndpointRow(
                    id=endpoint_id,
                    organisation_id=organisation_id,
                    kind="webhook",
                    name=event,
                    shown_url="https://example.org",
                    events=[event],
                )
            )
        await session.flush()
        for status in (OperationStatus.COMPLETED, OperationStatus.CANCELLED):
            operation_id = await _created(session, organisation_id, "run_document_workflow")
            session.add(
                WorkflowExecutionRow(
                    id=new_id("exe"),
                    organisation_id=organisation_id,
                    operation_id=operation_id,
                    workflow_id=workflow_id,
                    version=1,
                )
            )
            await session.flush()
            await OperationRepository(session).record_status(_change(organisation_id, operation_id, status))
        told = await session.execute(select(MessageRow.kind, MessageRow.endpoint_id))
        assert [tuple(row) for row in told] == [("workflow.completed", endpoints["workflow.completed"])]
        await session.rollback()  # nobody is to deliver it


async def _states(session: AsyncSession, operation_id: str) -> list[str]:
    row = OperationStepRow
    statement = (
        select(row.state).where(row.operation_id == operation_id).order_by(row.run_id, row.activity_id)
    )
    return list(await session.scalars(statement))


async def test_what_an_earlier_attempt_says_late_changes_nothing(
    database: Database, organisation_id: str
) -> None:
    operation_id = await _operation(database, organisation_id)
    cancelled = _change(organisation_id, operation_id, OperationStatus.CANCELLED)
    async with database.transaction(organisation_id) as session:
        operations = OperationRepository(session)
        await operations.conclude(cancelled, 1)
        assert await operations.reopen(operation_id) is not None
        assert await operations.record_status(cancelled, attempt=1) is None
        await operations.conclude(cancelled, 1)
    async with database.transaction(organisation_id) as session:
        row = await OperationRepository(session).get(operation_id)
        assert row is not None
        assert (row.status, row.attempt, row.run_id, row.closed_at) == ("pending", 2, None, None)
        await OperationRepository(session).conclude(cancelled, 2)
        assert row.status == "cancelled"


def test_a_workflow_id_names_the_attempt() -> None:
    assert [attempt_of(workflow_id("op_1", attempt)) for attempt in (1, 2, 12)] == [1, 2, 12]
