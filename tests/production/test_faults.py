"""Parts are killed while a batch runs: every item ends, once, and as it would have ended undisturbed."""

from itertools import pairwise

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHistory

from tests.accounts import Account
from tests.faults.checks import assert_exactly_once, settled, step_reached
from tests.faults.files import archive
from tests.faults.test_killed_servers import test_what_an_api_accepted_before_its_death_is_done_once
from tests.production.production_form import ProductionForm
from workflows import policies
from workflows.client import connect

__all__ = ["test_what_an_api_accepted_before_its_death_is_done_once"]

# From the death to the last item. Seconds on an idle machine: a killed worker's steps wait for their time-outs.
SETTLED_S = 90.0
# The longest of the steps, in the middle of which parts are killed.
STEP = "prepare_page"
PARTS = ("temporal postgres", "temporal", "postgres", "pgbouncer", "s3", "redis")


async def batch_survives(
    installation: ProductionForm, account: Account, *killed: str, files: int = 60
) -> str:
    """Kill these at once while a batch runs; the batch's operation."""
    data, expected = archive(files)
    operation = await account.post("/documents/batch", files={"file": ("reports.zip", data)})
    await step_reached(account, operation["id"], STEP)
    await installation.killed(*killed)
    operation = await settled(account, operation["id"], SETTLED_S)
    await assert_exactly_once(installation, account, operation, expected)
    return str(operation["id"])


@pytest.mark.parametrize("part", ["worker cpu 2", "api 1", *PARTS])
async def test_a_batch_survives_the_death_of_one_part(
    installation: ProductionForm, account: Account, part: str
) -> None:
    await batch_survives(installation, account, part)


async def test_a_batch_survives_the_death_of_everything(
    installation: ProductionForm, account: Account
) -> None:
    await batch_survives(installation, account, "api", "worker io", "worker cpu", *PARTS)


async def test_a_workflow_does_not_wait_long_for_the_worker_that_remembered_it(
    installation: ProductionForm, account: Account
) -> None:
    operation_id = await batch_survives(installation, account, "worker io")
    client = await connect(installation.settings())
    history = await client.get_workflow_handle(operation_id).fetch_history()
    waits = waits_for_the_dead(history)
    assert waits, "no workflow task went to a worker that was dead"
    assert max(waits) < policies.STICKY_TIMEOUT.total_seconds() + 1


def waits_for_the_dead(history: WorkflowHistory) -> list[float]:
    """Seconds for which workflow tasks were kept for a worker that did not fetch them."""
    timed_out = EventType.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT
    return [
        (after.event_time.ToNanoseconds() - before.event_time.ToNanoseconds()) / 1e9
        for before, after in pairwise(history.events)
        if (before.event_type, after.event_type) == (EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED, timed_out)
    ]
