"""Any definition is carried out: branches, loops, waits, failures, people, and what comes in between."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from temporalio.testing import WorkflowEnvironment

from perdure.schemas.operations import OperationStatus
from perdure.schemas.workflow_executions import StepJob
from tests.time_skipping import time_skipping
from tests.workflows.executing import (
    Steps,
    carried_out,
    execution,
    failing,
    flow,
    http,
    is_at,
    refused,
    started,
    status_is,
    until,
)
from workflows.run_document_workflow import RunDocumentWorkflow

pytestmark = pytest.mark.time_skipping


@pytest.fixture(scope="module")
async def environment() -> AsyncIterator[WorkflowEnvironment]:
    """One server for all of these."""
    async with time_skipping() as environment:
        yield environment


@pytest.fixture
def steps() -> Steps:
    return Steps()


async def test_what_steps_give_leads_to_what_comes_after(
    environment: WorkflowEnvironment, steps: Steps
) -> None:
    async def classify(job: StepJob) -> dict[str, Any]:
        return {"label": "invoice", "total": 1200}

    steps.does["classify"] = classify
    definition = flow(
        {"id": "classify", "type": "classification", "with": {"labels": ["invoice", "letter"]}},
        {
            "id": "gross",
            "type": "transform",
            "needs": ["classify"],
            "with": {"set": {"sum": "steps.classify.total * 1.5"}},
        },
        {
            "id": "kind",
            "type": "routing",
            "needs": ["gross"],
            "with": {
                "branches": [{"when": 'steps.classify.label == "invoice"', "goto": "dear"}],
                "default": "file",
            },
        },
        {
            "id": "dear",
            "type": "condition",
            "with": {"if": "steps.gross.sum > parameters.limit", "then": "pay", "else": "file"},
        },
        http("pay", input={"text": "Pay ${steps.gross.sum} of ${document.title}, ${input.who}"}),
        http("file"),
        parameters={"limit": {"type": "number", "default": 1000}},
    )
    result = await carried_out(
        environment,
        steps,
        definition,
        document_id="doc_1",
        document={"title": "lease.pdf"},
        input={"who": "Ann"},
    )
    assert steps.effects == ["classify:1", "pay:1"]
    assert steps.jobs[1].input == {"text": "Pay 1800 of lease.pdf, Ann"}
    assert steps.jobs[1].document_id == "doc_1"
    assert result.outputs["gross"] == {"sum": 1800.0}
    assert result.steps == {
        **dict.fromkeys(("classify", "gross", "kind", "dear", "pay"), "completed"),
        "file": "skipped",
    }
    assert steps.written() == result.steps
    assert steps.statuses == ["completed"]


async def test_a_short_execution_is_written_once_with_its_end(
    environment: WorkflowEnvironment, steps: Steps
) -> None:
    await carried_out(environment, steps, flow(http("one"), http("two", "one")))

    (record,) = steps.records
    assert record.end is not None
    assert (record.end.status, steps.written()) == ("completed", {"one": "completed", "two": "completed"})
    assert record.end.progress is not None
    assert (record.end.progress.done, record.end.progress.total) == (2, 2)


async def test_branches_run_side_by_side_and_meet(environment: WorkflowEnvironment, steps: Steps) -> None:
    both = asyncio.Event()

    async def meet(job: StepJob) -> dict[str, Any]:
        if steps.under_way[job.execution_id] == 2:
            both.set()
        await asyncio.wait_for(both.wait(), 20)
        return {}

    steps.does |= {"left": meet, "right": meet}
    definition = flow(
        {"id": "fork", "type": "parallel", "with": {"branches": ["left", "right"]}},
        http("left"),
        http("right"),
        {"id": "both", "type": "join", "needs": ["left", "right"]},
        http("end", "both"),
    )
    result = await carried_out(environment, steps, definition)
    assert set(result.steps.values()) == {"completed"}
    assert steps.effects[-1] == "end:1"


async def test_a_model_is_asked_what_a_step_has_held(environment: WorkflowEnvironment, steps: Steps) -> None:
    async def classify(job: StepJob) -> dict[str, Any]:
        return {"held": {"ask": "letter"}}

    steps.does["classify"] = classify
    definition = flow({"id": "classify", "type": "classification", "with": {"labels": ["letter", "invoice"]}})
    result = await carried_out(environment, steps, definition)
    assert result.outputs == {"classify": {"label": "letter"}}


LOOP = {
    "id": "each",
    "type": "for_each",
    "with": {
        "items": "input.lines",
        "max_items": 20,
        "concurrency": 3,
        "steps": [
            {"id": "big", "type": "condition", "with": {"if": "item.sum > 10", "then": "pay"}},
            http("pay", input={"text": "${index}: ${item.sum}"}),
        ],
    },
}


async def test_a_loop_goes_over_entries_a_few_at_once(environment: WorkflowEnvironment, steps: Steps) -> None:
    lines = [{"sum": number} for number in range(5, 17)]
    result = await carried_out(environment, steps, flow(LOOP, http("end", "each")), input={"lines": lines})
    paid = [job for job in steps.jobs if job.step_id != "end"]
    assert sorted(job.input["text"] for job in paid) == sorted(f"{n}: {n + 5}" for n in range(6, 12))
    assert {job.step_id for job in paid} == {f"each[{n}].pay" for n in range(6, 12)}
    assert steps.most_at_once <= 3
    output = result.outputs["each"]
    assert (output["count"], output["truncated"]) == (12, False)
    assert output["results"][0] == {"big": {"value": False}}


async def test_a_loop_that_is_too_long_fails_and_says_so(
    environment: WorkflowEnvironment, steps: Steps
) -> None:
    error = await refused(environment, steps, flow(LOOP), input={"lines": [{"sum": 1}] * 21})
    assert error.type == "expression-failed"
    assert "has 21 entries; max_items allows 20" in error.message


async def test_thousands_of_entries_that_are_only_computed_hold_nobody_up(
    environment: WorkflowEnvironment, steps: Steps
) -> None:
    body = [{"id": "next", "type": "transform", "with": {"set": {"n": "index + 1"}}}]
    loop = {"items": "input.n", "max_items": 10_000, "concurrency": 20, "steps": body}
    definition = flow({"id": "each", "type": "for_each", "with": loop})
    result = await carried_out(environment, steps, definition, input={"n": [1] * 2_000}, steps_in_run=100_000)
    assert result.outputs["each"]["count"] == 2_000


async def test_a_failure_is_tried_again_in_its_place(environment: WorkflowEnvironment, steps: Steps) -> None:
    steps.does["two"] = failing()
    definition = flow(http("one"), http("two", "one"), http("three", "two"))
    error = await refused(environment, steps, definition)
    assert (error.type, error.message) == ("broken", "It broke.")
    assert steps.written() == {"one": "completed", "two": "failed"}
    assert steps.statuses == ["failed"]
    steps.does.clear()
    result = await carried_out(environment, steps, definition, state=steps.state(), attempt=2)
    assert steps.effects == ["one:1", "two:1", "two:1", "three:1"]
    assert set(result.steps.values()) == {"completed"}
    assert result.outputs["one"] == {"n": 1}


async def test_only_what_failed_in_a_loop_is_tried_again(
    environment: WorkflowEnvironment, steps: Steps
) -> None:
    async def pay(job: StepJob) -> dict[str, Any]:
        if job.step_id == "each[2].pay":
            await failing()(job)
        return {"paid": job.step_id}

    steps.does["pay"] = pay
    lines = [{"sum": 20} for _ in range(6)]
    error = await refused(environment, steps, flow(LOOP), input={"lines": lines})
    assert error.message == "each[2].pay: It broke."
    before = set(steps.effects)
    steps.does.clear()
    steps.jobs.clear()
    result = await carried_out(environment, steps, flow(LOOP), input={"lines": lines}, state=steps.state())
    assert result.outputs["each"]["count"] == 6
    assert "each[2].pay:1" in steps.effects
    assert "each[0].pay:1" in before
    assert "each[0].pay:1" not in steps.effects


async def test_a_condition_that_has_no_value_is_a_failure_of_its_step(
    environment: WorkflowEnvironment, steps: Steps
) -> None:
    definition = flow(
        http("read"),
        {
            "id": "dear",
            "type": "condition",
            "needs": ["read"],
            "with": {"if": "steps.read.total > 3", "then": "pay"},
        },
        http("pay"),
    )
    error = await refused(environment, steps, definition)
    assert error.type == "expression-failed"
    assert "'total', which is not there" in error.message
    assert steps.written()["dear"] == "failed"


async def test_handlers_of_errors_see_what_happened(environment: WorkflowEnvironment, steps: Steps) -> None:
    steps.does |= {"try_it": failing("http-status", "It answered 500."), "and_this": failing()}
    definition = flow(
        http("try_it", on_error={"goto": "rescue"}),
        http("never", "try_it"),
        http("rescue", input={"why": "${steps.try_it.error.detail}"}),
        http("and_this", "rescue", on_error="continue"),
        http("end", "and_this", when="steps.and_this.failed && steps.and_this.error.type == 'broken'"),
    )
    result = await carried_out(environment, steps, definition)
    assert steps.effects == ["try_it:1", "rescue:1", "and_this:1", "end:1"]
    assert steps.jobs[1].input == {"why": "It answered 500."}
    assert (result.steps["try_it"], result.steps["never"]) == ("failed", "skipped")


async def test_a_way_back_runs_steps_again_with_other_effects(
    environment: WorkflowEnvironment, steps: Steps
) -> None:
    definition = flow(
        http("ask", max_visits=3),
        {
            "id": "enough",
            "type": "condition",
            "needs": ["ask"],
            "with": {"if": "steps.ask.n >= 5", "then": "end", "else": "more"},
        },
        http("more"),
        {
            "id": "back",
            "type": "routing",
            "needs": ["more"],
            "with": {"branches": [{"when": "true", "goto": "ask"}]},
        },
        http("end"),
    )
    await carried_out(environment, steps, definition)
    assert steps.effects == ["ask:1", "more:1", "ask:2", "more:2", "ask:3", "end:1"]


async def test_a_step_that_is_visited_too_often_is_the_one_that_failed(
    environment: WorkflowEnvironment, steps: Steps
) -> None:
    definition = flow(
        {"id": "draft", "type": "transform", "max_visits": 2, "with": {"set": {"n": "1"}}},
        {"id": "again", "type": "condition", "needs": ["draft"], "with": {"if": "true", "then": "draft"}},
    )
    error = await refused(environment, steps, definition)
    assert error.type == "too-many-visits"
    assert steps.written() == {"draft": "failed", "again": "completed"}
    (draft,) = [step for step in steps.records[-1].steps if step.step_id == "draft"]
    assert draft.error is not None
    assert (draft.error.type, draft.error.step, draft.visit) == ("too-many-visits", "draft", 2)


async def test_a_loop_that_is_gone_through_again_has_other_effects(
    environment: WorkflowEnvironment, steps: Steps
) -> None:
    definition = flow(
        {
            "id": "each",
            "type": "for_each",
            "max_visits": 2,
            "with": {"items": "[1, 2]", "max_items": 2, "concurrency": 1, "steps": [http("do")]},
        },
        {"id": "enough", "type": "condition", "needs": ["each"], "with": {"if": "false", "else": "more"}},
        http("more", max_visits=2, on_error="continue"),
        {
            "id": "back",
            "type": "condition",
            "needs": ["more"],
            "with": {"if": "steps.more.n > 3", "else": "each"},
        },
    )
    await carried_out(environment, steps, definition)
    assert steps.effects == [
        *("each[0].do:1", "each[1].do:1", "more:1"),
        *("each[0].do:10001", "each[1].do:10001", "more:2"),
    ]


async def test_what_a_step_was_told_is_shown(environment: WorkflowEnvironment, steps: Steps) -> None:
    told = http(
        "one", input={"of": "${input.name}"}, **{"with": {"url": "https://example.com/${input.name}"}}
    )
    await carried_out(environment, steps, flow(told), input={"name": "x"})
    (record,) = steps.records
    assert record.steps[0].input == {"with": {"url": "https://example.com/x"}, "input": {"of": "x"}}


async def test_waiting_for_a_month_takes_a_month(environment: WorkflowEnvironment, steps: Steps) -> None:
    now = await environment.get_current_time()
    definition = flow(
        {"id": "month", "type": "wait", "with": {"for": "30 days"}},
        {"id": "date", "type": "wait", "needs": ["month"], "with": {"until": "${input.until}"}},
        {"id": "past", "type": "wait", "needs": ["date"], "with": {"until": "2001-01-01"}},
        http("end", "past"),
    )
    until_date = now + timedelta(days=40)
    result = await carried_out(environment, steps, definition, input={"until": until_date.isoformat()})
    assert set(result.steps.values()) == {"completed"}
    seen = {step.step_id: step for record in steps.records for step in record.steps}
    month, date = seen["month"], seen["date"]
    assert month.started_at is not None
    assert month.ended_at is not None
    assert date.ended_at is not None
    assert timedelta() <= month.ended_at - month.started_at - timedelta(days=30) < timedelta(minutes=5)
    assert timedelta() <= date.ended_at - until_date < timedelta(minutes=5)


@pytest.mark.parametrize("until", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
async def test_a_date_beyond_the_calendar_is_a_failure_of_its_step(
    environment: WorkflowEnvironment, steps: Steps, until: str
) -> None:
    definition = flow({"id": "rest", "type": "wait", "with": {"until": until}})
    error = await refused(environment, steps, definition)
    assert error.type == "invalid-input"
    assert until in error.message
    assert steps.written() == {"rest": "failed"}


async def test_a_pause_stops_the_clock_of_a_wait(environment: WorkflowEnvironment, steps: Steps) -> None:
    definition = flow(
        http("one"),
        {"id": "day", "type": "wait", "needs": ["one"], "with": {"for": "1 day"}},
        http("two", "day"),
    )
    async with steps.serving(environment.client):
        handle = await started(environment.client, execution(definition))
        await until(lambda: is_at(handle, "day", "waiting"))
        await handle.signal(RunDocumentWorkflow.pause)
        await until(lambda: status_is(handle, OperationStatus.PAUSED))
        await environment.sleep(timedelta(days=3))
        assert steps.effects == ["one:1"]
        await handle.signal(RunDocumentWorkflow.resume)
        resumed_at = await environment.get_current_time()
        await handle.result()
        assert await environment.get_current_time() - resumed_at > timedelta(hours=23)
    assert steps.statuses == ["paused", "running", "completed"]


async def test_a_pause_comes_before_the_next_step(environment: WorkflowEnvironment, steps: Steps) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def wait(job: StepJob) -> dict[str, Any]:
        begun.set()
        await asyncio.wait_for(go_on.wait(), 20)
        return {}

    steps.does["one"] = wait
    async with steps.serving(environment.client):
        handle = await started(environment.client, execution(flow(http("one"), http("two", "one"))))
        await asyncio.wait_for(begun.wait(), 20)
        await handle.signal(RunDocumentWorkflow.pause)
        await until(lambda: status_is(handle, OperationStatus.PAUSED))
        go_on.set()
        await until(lambda: is_at(handle, "one", "completed"))
        assert steps.effects == ["one:1"]
        await handle.signal(RunDocumentWorkflow.resume)
        await handle.result()
    assert steps.effects == ["one:1", "two:1"]


async def test_a_long_execution_goes_on_as_a_new_run(environment: WorkflowEnvironment, steps: Steps) -> None:
    lines = [{"sum": 20} for _ in range(12)]
    definition = flow(
        {"id": "fork", "type": "parallel", "with": {"branches": ["each", "later"]}},
        LOOP,
        {"id": "later", "type": "wait", "with": {"for": "30 days"}},
        http("end", "each", "later", input={"n": "${steps.each.count}"}),
    )
    async with steps.serving(environment.client):
        job = execution(definition, input={"lines": lines}, steps_in_run=4)
        handle = await started(environment.client, job)
        first = handle.first_execution_run_id
        result = await handle.result()
        assert (await handle.describe()).run_id != first
    later = [step for record in steps.records for step in record.steps if step.step_id == "later"][-1]
    assert later.started_at is not None
    assert later.ended_at is not None
    assert timedelta(days=30) <= later.ended_at - later.started_at < timedelta(days=31)
    assert sorted(steps.effects) == sorted([*(f"each[{n}].pay:1" for n in range(12)), "end:1"])
    assert steps.jobs[-1].input == {"n": 12}
    assert result.outputs["each"]["count"] == 12
    assert set(result.steps.values()) == {"completed"}


async def test_no_entry_of_a_long_loop_is_left_behind_as_running(
    environment: WorkflowEnvironment, steps: Steps
) -> None:
    definition = flow(
        {
            "id": "each",
            "type": "for_each",
            "with": {
                "items": "input.entries",
                "max_items": 60,
                "concurrency": 10,
                "steps": [http("one"), http("two", "one")],
            },
        }
    )
    await carried_out(environment, steps, definition, input={"entries": list(range(60))}, steps_in_run=25)

    written = steps.written()
    assert len({record.run_id for record in steps.records}) > 1
    assert any(name.startswith("each[") and int(name[5:7].strip("]")) >= 20 for name in written)
    assert set(written.values()) == {"completed"}


async def test_a_workflow_within_it_keeps_nobody_waiting(
    environment: WorkflowEnvironment, steps: Steps
) -> None:
    decided = asyncio.Event()

    async def decide(job: StepJob) -> dict[str, Any]:
        await asyncio.wait_for(decided.wait(), 20)
        return {}

    steps.does["decide"] = decide
    steps.workflows["inner"] = flow(http("decide"))
    names = [f"step{number}" for number in range(8)]
    definition = flow(
        {"id": "fork", "type": "parallel", "with": {"branches": ["inner", "first"]}},
        {"id": "inner", "type": "sub_workflow", "with": {"workflow_id": "inner"}},
        http("first"),
        *(http(name, before) for before, name in zip(["first", *names], names, strict=False)),
        http("last", "inner", names[-1]),
    )
    async with steps.serving(environment.client):
        handle = await started(environment.client, execution(definition, steps_in_run=3))
        await until(lambda: f"{names[-1]}:1" in steps.effects)
        assert "last:1" not in steps.effects
        decided.set()
        result = await asyncio.wait_for(handle.result(), 30)
    assert set(result.steps.values()) == {"completed"}


async def test_a_step_that_gives_too_much_fails(environment: WorkflowEnvironment, steps: Steps) -> None:
    async def much(job: StepJob) -> dict[str, Any]:
        return {"body": "x" * 300_000}

    steps.does["read"] = much
    error = await refused(environment, steps, flow(http("read")))
    assert error.type == "output-too-large"
    assert "more than 256 KiB" in error.message


async def test_attempts_are_counted_as_the_step_says(environment: WorkflowEnvironment, steps: Steps) -> None:
    async def twice(job: StepJob) -> dict[str, Any]:
        if len(steps.jobs) < 3:
            raise ConnectionError
        return {}

    steps.does["read"] = twice
    step = http("read", retry={"attempts": 3, "wait": "1 seconds"})
    result = await carried_out(environment, steps, flow(step))
    assert result.steps == {"read": "completed"}
    assert steps.effects == ["read:1"] * 3
