"""What every kind of operation gets from the base class, on a real dev server and a real database."""

import asyncio
from datetime import UTC, datetime

import pytest
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import ApplicationError, CancelledError

from perdure.db.operation_repository import OperationRepository, StepRecord
from perdure.schemas.operations import OperationRead, StepRead, StepState
from tests.workflows.conftest import StartToy, Toy
from tests.workflows.toy import Count, CountActivities


async def _until_status(toy: Toy, status: str) -> None:
    async with asyncio.timeout(10):
        while (await toy.row()).status != status:  # noqa: ASYNC110  # the record is in another process's hands
            await asyncio.sleep(0.02)


async def test_the_record_follows_the_workflow_to_its_end(start_toy: StartToy) -> None:
    toy = await start_toy(goal=2)
    await toy.handle.result()
    row = await toy.row()
    assert (row.status, row.result, row.progress_done, row.progress_total) == (
        "completed",
        {"reached": 2},
        2,
        2,
    )
    assert row.run_id == toy.handle.first_execution_run_id
    assert row.closed_at is not None


async def test_the_record_shows_the_progress_while_it_runs(start_toy: StartToy) -> None:
    toy = await start_toy(goal=4, pause_s=0.4)
    async with asyncio.timeout(10):
        while (await toy.row()).progress_done < 2:  # noqa: ASYNC110  # the record is in another process's hands
            await asyncio.sleep(0.02)
    row = await toy.row()
    assert (row.status, row.progress_total) == ("running", 4)
    assert row.progress_done < 4
    await toy.handle.result()


async def test_each_activity_is_a_step_with_its_times(start_toy: StartToy) -> None:
    toy = await start_toy(goal=2, pause_s=0.15)
    await toy.handle.result()
    async with toy.database.transaction(toy.organisation_id) as session:
        steps = await OperationRepository(session).steps(toy.operation_id)
    assert [(step.name, step.state, step.attempts) for step in steps] == [("count_one", "completed", 1)] * 2
    for step in steps:
        assert step.started_at is not None
        assert step.ended_at is not None
        assert (step.ended_at - step.started_at).total_seconds() >= 0.15


async def test_a_step_whose_end_was_never_written_ends_with_its_operation(start_toy: StartToy) -> None:
    toy = await start_toy(goal=1, pause_s=0.5)
    run_id = toy.handle.first_execution_run_id or ""
    lost = StepRead(name="lost", state=StepState.RUNNING, attempts=1, started_at=datetime.now(UTC))
    async with toy.database.transaction(toy.organisation_id) as session:
        await OperationRepository(session).record_step(StepRecord(toy.operation_id, run_id, "99", lost))
    await toy.handle.result()
    async with toy.database.transaction(toy.organisation_id) as session:
        steps = await OperationRepository(session).steps(toy.operation_id)
    assert {step.name: step.state for step in steps} == {"lost": "completed", "count_one": "completed"}
    assert all(step.ended_at is not None for step in steps)


async def test_an_outage_is_retried_and_shown(start_toy: StartToy, counting: CountActivities) -> None:
    counting.outages = 1
    toy = await start_toy(goal=1)
    await toy.handle.result()
    async with toy.database.transaction(toy.organisation_id) as session:
        repository = OperationRepository(session)
        (step,) = await repository.steps(toy.operation_id)
        events = await repository.events(toy.operation_id, 0)
    assert (step.state, step.attempts) == ("completed", 2)
    retrying = [event.data for event in events if event.data.get("state") == "retrying"]
    assert [data["error"]["detail"] for data in retrying] == ["ConnectionError: the abacus is away"]


async def test_events_are_numbered_without_gaps(start_toy: StartToy) -> None:
    toy = await start_toy(goal=5)
    await toy.handle.result()
    async with toy.database.transaction(toy.organisation_id) as session:
        events = await OperationRepository(session).events(toy.operation_id, 0)
    assert [event.revision for event in events] == list(range(1, len(events) + 1))
    assert events[-1].data["status"] == "completed"


async def test_the_query_answers_the_operation(start_toy: StartToy) -> None:
    toy = await start_toy(goal=1)
    await toy.handle.result()
    answer = await toy.handle.query(Count.status)
    assert isinstance(answer, OperationRead)
    assert (answer.id, answer.kind, answer.status, answer.result) == (
        toy.operation_id,
        "count",
        "completed",
        {"reached": 1},
    )


async def test_pause_starts_nothing_further_and_resume_goes_on(
    start_toy: StartToy, counting: CountActivities
) -> None:
    toy = await start_toy(goal=4, pause_s=0.2)
    await toy.handle.signal("pause")
    await _until_status(toy, "paused")
    await asyncio.sleep(0.4)
    before = len(counting.counted)
    await asyncio.sleep(0.6)
    assert len(counting.counted) == before < 4
    await toy.handle.signal("resume")
    await toy.handle.result()
    assert counting.counted == [1, 2, 3, 4]


async def test_search_attributes_and_details_make_the_temporal_ui_readable(
    start_toy: StartToy, temporal: Client
) -> None:
    toy = await start_toy(goal=1, fail_at=1)
    with pytest.raises(WorkflowFailureError):
        await toy.handle.result()
    description = await temporal.get_workflow_handle(toy.operation_id).describe()
    assert await description.static_summary() == "Count"
    assert {pair.key.name: pair.value for pair in description.typed_search_attributes}[
        "PerdureStatus"
    ] == "failed"


async def test_a_failure_names_type_detail_and_step(start_toy: StartToy, counting: CountActivities) -> None:
    toy = await start_toy(goal=3, fail_at=2)
    with pytest.raises(WorkflowFailureError) as failure:
        await toy.handle.result()
    assert isinstance(failure.value.cause, ApplicationError)
    assert failure.value.cause.type == "broken-abacus"
    row = await toy.row()
    assert row.status == "failed"
    assert row.error == {"type": "broken-abacus", "detail": "the abacus broke", "step": "count_one"}
    assert counting.settled == [toy.operation_id]


async def test_a_cancelled_operation_is_settled_and_recorded(
    start_toy: StartToy, counting: CountActivities
) -> None:
    toy = await start_toy(goal=50, pause_s=0.2)
    await _until_status(toy, "running")
    await toy.handle.cancel()
    with pytest.raises(WorkflowFailureError) as failure:
        await toy.handle.result()
    assert isinstance(failure.value.cause, CancelledError)
    assert (await toy.row()).status == "cancelled"
    assert counting.settled == [toy.operation_id]


async def test_a_paused_operation_can_be_cancelled(start_toy: StartToy) -> None:
    toy = await start_toy(goal=3, pause_s=0.1)
    await toy.handle.signal("pause")
    await _until_status(toy, "paused")
    await toy.handle.cancel()
    with pytest.raises(WorkflowFailureError):
        await toy.handle.result()
    assert (await toy.row()).status == "cancelled"


async def test_an_operation_that_meets_its_budget_pauses_with_the_reason_and_goes_on_when_resumed(
    start_toy: StartToy, counting: CountActivities
) -> None:
    toy = await start_toy(over_budget=1, goal=3, looks_again_s=3600)
    await _until_status(toy, "paused")
    row = await toy.row()
    assert row.error == {
        "type": "budget-reached",
        "detail": "nothing is left to count with",
        "step": "count_one",
    }
    answer = await toy.handle.query(Count.status)
    assert isinstance(answer, OperationRead)
    assert (answer.status, answer.error and answer.error.type) == ("paused", "budget-reached")
    await toy.handle.signal("resume")
    await toy.handle.result()
    assert counting.counted == [1, 2, 3]
    row = await toy.row()
    assert (row.status, row.error) == ("completed", None)


async def test_an_operation_that_meets_its_budget_looks_again_by_itself(
    start_toy: StartToy, counting: CountActivities
) -> None:
    toy = await start_toy(over_budget=3, goal=2, looks_again_s=0.05)
    await toy.handle.result()
    assert counting.counted == [1, 2]
    assert (await toy.row()).error is None


async def test_somebody_may_pause_what_its_budget_holds_and_resume_lets_both_go(
    start_toy: StartToy, counting: CountActivities
) -> None:
    toy = await start_toy(over_budget=1, goal=2, looks_again_s=3600)
    await _until_status(toy, "paused")
    await toy.handle.signal("pause")
    await toy.handle.signal("resume")
    await toy.handle.result()
    assert counting.counted == [1, 2]


async def test_what_its_budget_holds_can_be_cancelled(start_toy: StartToy) -> None:
    toy = await start_toy(over_budget=1, goal=2, looks_again_s=3600)
    await _until_status(toy, "paused")
    await toy.handle.cancel()
    with pytest.raises(WorkflowFailureError):
        await toy.handle.result()
    row = await toy.row()
    assert (row.status, row.error and row.error["type"]) == ("cancelled", "cancelled")
