"""Long waits, on the test server that skips time."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select, text
from temporalio import activity
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities.retention import RetentionActivities
from perdure.audit_anchors import AuditAnchors
from perdure.db.models import IdempotencyKeyRow, OperationEventRow, OperationRow
from perdure.db.operation_repository import OperationRepository
from perdure.db.retention_repository import RetentionRepository
from perdure.db.session import Database
from perdure.domain.audit_anchors import AnchorSigner
from perdure.domain.ids import new_id
from perdure.domain.retention import DataKind
from perdure.embedded import postgres
from perdure.providers.obstore_object_store import ObstoreObjectStore
from perdure.schemas.operations import OperationStatus, StatusChange
from perdure.schemas.retention import RetentionReport
from tests.sealed_secrets import a_database
from tests.workflows.toy import Count, CountActivities, CountInput
from worker import sandbox
from workflows import queues
from workflows.apply_retention import ApplyRetention

pytestmark = pytest.mark.time_skipping


class Statuses:
    """Remembers what it is asked to record."""

    def __init__(self) -> None:
        self.recorded: list[str] = []

    @activity.defn
    async def record_status(self, change: StatusChange) -> None:
        """Remember."""
        self.recorded.append(change.status.value)


async def test_an_operation_may_be_paused_for_thirty_days(environment: WorkflowEnvironment) -> None:
    counting, statuses = CountActivities(), Statuses()
    async with Worker(
        environment.client,
        task_queue="toy",
        workflows=[Count],
        activities=[counting.count_one, counting.settle_count, statuses.record_status],
        workflow_runner=sandbox(),
    ):
        job = CountInput(
            operation_id="op_1",
            organisation_id="org_1",
            actor_id="usr_1",
            kind="count",
            created_at=datetime.now(UTC),
        )
        before = await environment.get_current_time()
        handle = await environment.client.start_workflow(
            Count.run, job, id="op_1", task_queue="toy", start_signal="pause"
        )
        await environment.sleep(timedelta(days=30))
        assert counting.counted == []
        await handle.signal("resume")
        await handle.result()
        assert await environment.get_current_time() - before >= timedelta(days=30)
    assert counting.counted == [1, 2, 3]
    assert statuses.recorded == ["paused", "running", "completed"]


@pytest.fixture
async def own_database(embedded_postgres: postgres.EmbeddedPostgres) -> AsyncIterator[Database]:
    """Rounds of next year would take what others of this run still need."""
    async with a_database(embedded_postgres) as database:
        yield database


async def _with_old_things(database: Database, organisation_id: str) -> None:
    """An operation that has just ended, its event, and an idempotency key. Temporal's list is not asked for."""
    async with database.transaction(organisation_id) as session:
        await session.execute(
            text("INSERT INTO organisations (id, name) VALUES (:id, 'A')"), {"id": organisation_id}
        )
        operations = OperationRepository(session)
        row = await operations.create(
            organisation_id=organisation_id, actor_id="usr_1", kind="count", summary="Count"
        )
        session.add(IdempotencyKeyRow(organisation_id=organisation_id, key="k", request_sha256="x"))
        await operations.record_status(
            StatusChange(
                organisation_id=organisation_id,
                operation_id=row.id,
                run_id="run",
                status=OperationStatus.COMPLETED,
            )
        )
        await RetentionRepository(session, organisation_id).change({DataKind.HISTORIES: None})


async def test_each_kind_goes_when_its_time_is_over(
    environment: WorkflowEnvironment, own_database: Database
) -> None:
    organisation_id = new_id("org")
    await _with_old_things(own_database, organisation_id)
    objects = ObstoreObjectStore.from_url("memory://")
    anchors = AuditAnchors(objects, AnchorSigner(b"a secret of the tests, long enough"))
    retention = RetentionActivities(own_database.transaction, objects, anchors)

    async def left() -> list[int]:
        async with own_database.transaction(organisation_id) as session:
            return [
                (await session.execute(select(func.count()).select_from(row))).scalar_one()
                for row in (OperationRow, OperationEventRow, IdempotencyKeyRow)
            ]

    async with Worker(
        environment.client,
        task_queue=queues.IO,
        workflows=[ApplyRetention],
        activities=[retention.sweep_log_ins, retention.sweep_organisations],
        workflow_runner=sandbox(),
    ):
        reports: list[RetentionReport] = []
        for days, expected in ((0, [1, 1, 1]), (8, [1, 1, 0]), (23, [1, 0, 0]), (340, [0, 0, 0])):
            await environment.sleep(timedelta(days=days))
            round_of = f"round-{len(reports)}"
            with environment.auto_time_skipping_disabled():  # a round takes no months
                reports.append(
                    await environment.client.execute_workflow(
                        ApplyRetention.run, id=round_of, task_queue=queues.IO
                    )
                )
            assert await left() == expected, days
    assert [report.deleted for report in reports] == [
        {},
        {"idempotency_keys": 1},
        {"operation_events": 1},
        {"operations": 1},
    ]
    assert reports[-1].at - reports[0].at >= timedelta(days=371)
    assert {report.organisations for report in reports} == {1}
