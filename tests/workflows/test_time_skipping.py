"""Long waits, on the test server that skips time."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from temporalio import activity
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from perdure.schemas.operations import StatusChange
from tests.workflows.toy import Count, CountActivities, CountInput
from worker import sandbox

TEST_SERVER = Path(__file__).parents[2] / ".tools" / "test-server" / "run"

pytestmark = pytest.mark.time_skipping


class Statuses:
    """Remembers what it is asked to record."""

    def __init__(self) -> None:
        self.recorded: list[str] = []

    @activity.defn
    async def record_status(self, change: StatusChange) -> None:
        """Remember."""
        self.recorded.append(change.status.value)


@pytest.fixture
async def environment() -> AsyncIterator[WorkflowEnvironment]:
    if not TEST_SERVER.exists():
        pytest.fail("no time-skipping server: `make tools` fetches it")
    async with await WorkflowEnvironment.start_time_skipping(
        test_server_existing_path=str(TEST_SERVER), data_converter=pydantic_data_converter
    ) as environment:
        names = ("PerdureOrg", "PerdureKind", "PerdureStatus", "PerdureSubject")
        await environment.client.operator_service.add_search_attributes(
            AddSearchAttributesRequest(
                namespace="default",
                search_attributes=dict.fromkeys(names, IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD),
            )
        )
        yield environment


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
