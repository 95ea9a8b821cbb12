"""A worker for the toy kind, and a way to start it as the API starts every kind."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from temporalio.client import Client, WorkflowHandle
from temporalio.common import SearchAttributePair, TypedSearchAttributes
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities.operations import OperationActivities
from activities.starting import ORGANISATION
from activities.steps import StepRecorder
from perdure.db.models import OperationRow
from perdure.db.operation_repository import OperationRepository
from perdure.db.session import Database
from perdure.errors import PerdureError
from tests.time_skipping import time_skipping
from tests.workflows.toy import Count, CountActivities, CountInput
from worker import sandbox
from workflows.progress import ProgressReporter


@dataclass
class Toy:
    """A started count."""

    operation_id: str
    organisation_id: str
    handle: WorkflowHandle[Count, object]
    database: Database

    async def row(self) -> OperationRow:
        """The operation's record."""
        async with self.database.transaction(self.organisation_id) as session:
            row = await OperationRepository(session).get(self.operation_id)
            assert row is not None
            return row


StartToy = Callable[..., Awaitable[Toy]]


@pytest.fixture(scope="session")
async def counting(temporal: Client, database: Database) -> AsyncIterator[CountActivities]:
    """The toy's activities, served."""
    activities = CountActivities()
    async with Worker(
        temporal,
        task_queue="toy",
        workflows=[Count],
        activities=[
            activities.count_one,
            activities.settle_count,
            OperationActivities(database.transaction).record_status,
        ],
        workflow_runner=sandbox(),
        interceptors=[StepRecorder(database.transaction), ProgressReporter()],
        workflow_failure_exception_types=[PerdureError],
    ):
        yield activities


@pytest.fixture
async def start_toy(
    temporal: Client, database: Database, organisation_id: str, counting: CountActivities
) -> StartToy:
    """Accepts and starts a count."""
    counting.counted.clear()
    counting.settled.clear()

    async def start(**given: object) -> Toy:
        async with database.transaction(organisation_id) as session:
            row = await OperationRepository(session).create(
                organisation_id=organisation_id, actor_id="usr_test", kind="count", summary="Count"
            )
        counting.watched = row.id
        job = CountInput(
            operation_id=row.id,
            organisation_id=organisation_id,
            actor_id="usr_test",
            kind="count",
            created_at=datetime.now(UTC),
            **given,
        )
        attributes = TypedSearchAttributes([SearchAttributePair(ORGANISATION, organisation_id)])
        handle = await temporal.start_workflow(
            Count.run, job, id=row.id, task_queue="toy", search_attributes=attributes, static_summary="Count"
        )
        return Toy(row.id, organisation_id, handle, database)

    return start


@pytest.fixture
async def environment() -> AsyncIterator[WorkflowEnvironment]:
    """A server that skips time."""
    async with time_skipping() as environment:
        yield environment
