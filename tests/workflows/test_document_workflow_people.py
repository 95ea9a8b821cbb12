"""Steps that wait for people and for workflows of their own, and executions that are cancelled.

They have a server of their own: the one that skips time skips none any more after these.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowFailureError
from temporalio.testing import WorkflowEnvironment

from perdure.schemas.approval_requests import ApprovalTold
from perdure.schemas.operations import OperationStatus
from perdure.schemas.workflow_executions import StepJob
from tests.time_skipping import time_skipping
from tests.workflows.executing import (
    POLICY,
    Handle,
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
from workflows.request_approval import RequestApproval
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


async def test_a_workflow_within_a_workflow(environment: WorkflowEnvironment, steps: Steps) -> None:
    steps.workflows["dwf_inner"] = flow(http("inner", input={"text": "${input.name}"}))
    definition = flow(
        {
            "id": "sub",
            "type": "sub_workflow",
            "with": {"workflow_id": "dwf_inner", "input": {"name": "${input.who}"}},
        },
        http("end", "sub", input={"text": "${steps.sub.outputs.inner.n}"}),
    )
    result = await carried_out(environment, steps, definition, input={"who": "Ann"})
    assert [job.input for job in steps.jobs] == [{"text": "Ann"}, {"text": 1}]
    assert result.outputs["sub"]["steps"] == {"inner": "completed"}


async def test_a_workflow_that_starts_itself_comes_to_an_end(
    environment: WorkflowEnvironment, steps: Steps
) -> None:
    steps.workflows["dwf_self"] = flow(
        {"id": "sub", "type": "sub_workflow", "with": {"workflow_id": "dwf_self"}}
    )
    error = await refused(environment, steps, steps.workflows["dwf_self"])
    assert error.type == "too-deep"
    assert len(steps.opened) == 5


ASKED = flow(
    http("one"),
    {
        "id": "ask",
        "type": "approval",
        "needs": ["one"],
        "with": {"policy": POLICY, "title": "Pay ${steps.one.n}?"},
        "input": {"total": "${steps.one.n}"},
    },
    {
        "id": "yes",
        "type": "condition",
        "needs": ["ask"],
        "with": {"if": "steps.ask.approved", "then": "pay", "else": "file"},
    },
    http("pay"),
    http("file"),
)


@pytest.mark.parametrize(("decision", "effect"), [("approve", "pay:1"), ("reject", "file:1")])
async def test_people_decide(
    environment: WorkflowEnvironment, steps: Steps, decision: str, effect: str
) -> None:
    async with steps.serving(environment.client):
        handle = await started(environment.client, execution(ASKED))
        await until(lambda: status_is(handle, OperationStatus.WAITING_APPROVAL))
        await decide(environment.client, handle, decision)
        result = await handle.result()
    assert steps.effects == ["one:1", effect]
    assert result.outputs["ask"]["decided_by"] == ["user:ann"]
    (asked,) = steps.asked
    assert (asked.title, asked.step_id, asked.visit) == ("Pay 1?", "ask", 1)
    assert [(one.label, one.text) for one in asked.evidence] == [("total", "1")]
    assert steps.statuses[-1] == "completed"


@pytest.mark.parametrize(
    ("said", "authors"),
    [("usr_ann", ["usr_ann"]), (["usr_ann", None], ["usr_ann"]), (None, []), (7, ["7"]), ([7], ["7"])],
)
async def test_whoever_is_said_to_be_an_author_is_handed_on(
    environment: WorkflowEnvironment, steps: Steps, said: Any, authors: list[str]
) -> None:
    definition = flow(
        {"id": "ask", "type": "approval", "with": {"policy": POLICY}, "input": {"authors": "${input.by}"}}
    )
    async with steps.serving(environment.client):
        handle = await started(environment.client, execution(definition, input={"by": said}))
        await until(lambda: bool(steps.asked))
        await handle.cancel()
        with pytest.raises(WorkflowFailureError):
            await handle.result()
    assert steps.asked[0].authors == authors


async def test_who_was_asked_is_told_when_the_execution_is_cancelled(
    environment: WorkflowEnvironment, steps: Steps
) -> None:
    async with steps.serving(environment.client):
        handle = await started(environment.client, execution(ASKED))
        await until(lambda: status_is(handle, OperationStatus.WAITING_APPROVAL))
        request = await asked_by(handle, environment.client)
        await handle.cancel()
        with pytest.raises(WorkflowFailureError):
            await handle.result()
        assert (await request.describe()).status is WorkflowExecutionStatus.CANCELED


async def test_a_step_that_takes_too_long_fails(environment: WorkflowEnvironment, steps: Steps) -> None:
    # So short, because the server skips no time while a workflow waits for another.
    ask = {
        "id": "ask",
        "type": "approval",
        "timeout": "1 seconds",
        "with": {"policy": POLICY},
        "on_error": "continue",
    }
    result = await carried_out(
        environment, steps, flow(ask, http("end", "ask", when='steps.ask.error.type == "timeout"'))
    )
    assert result.steps == {"ask": "failed", "end": "completed"}


async def asked_by(handle: Handle, client: Client) -> Any:
    seen = await handle.query(RunDocumentWorkflow.execution)
    (operation_id,) = [one.operation_id for one in seen.steps if one.operation_id]
    return client.get_workflow_handle_for(RequestApproval.run, operation_id)


async def decide(client: Client, handle: Handle, decision: str) -> None:
    request = await asked_by(handle, client)
    event = {
        "kind": "decided",
        "key": "k",
        "by": "user:ann",
        "decision": decision,
        "revision": "a" * 64,
        "comment": "Because.",
    }
    await until(lambda: _opened(request))
    await request.execute_update(RequestApproval.tell, ApprovalTold(event=event))


async def _opened(request: Any) -> bool:
    return (await request.describe()).status is WorkflowExecutionStatus.RUNNING


async def test_a_cancelled_execution_undoes_what_it_did(
    environment: WorkflowEnvironment, steps: Steps
) -> None:
    begun = asyncio.Event()

    async def hang(job: StepJob) -> dict[str, Any]:
        begun.set()
        await asyncio.Event().wait()
        return {}

    steps.does |= {"send": hang, "refund": failing()}
    definition = flow(
        http("book", compensate="unbook"),
        http("pay", "book", compensate="refund"),
        {"id": "note", "type": "wait", "needs": ["book"], "with": {"for": "30 days"}},
        http("send", "pay", compensate="recall"),
        http("unbook", input={"of": "${steps.book.n}"}),
        http("refund"),
        http("recall"),
    )
    async with steps.serving(environment.client):
        handle = await started(environment.client, execution(definition))
        await asyncio.wait_for(begun.wait(), 20)
        await until(lambda: is_at(handle, "note", "waiting"))
        await handle.cancel()
        with pytest.raises(WorkflowFailureError):
            await handle.result()
        assert (await handle.describe()).status is WorkflowExecutionStatus.CANCELED
    # Nobody knows how far `send` came: what undoes it is called, too.
    assert steps.effects == ["book:1", "pay:1", "send:1", "recall:1", "refund:1", "unbook:1"]
    assert steps.jobs[-1].input == {"of": 1}
    written = steps.written()
    assert (written["book"], written["pay"], written["refund"]) == ("compensated", "completed", "failed")
    assert (written["send"], written["note"]) == ("compensated", "cancelled")
    assert steps.statuses == ["cancelled"]


async def test_a_step_that_ran_several_times_is_undone_as_often(
    environment: WorkflowEnvironment, steps: Steps
) -> None:
    begun = asyncio.Event()

    async def hang(job: StepJob) -> dict[str, Any]:
        begun.set()
        await asyncio.Event().wait()
        return {}

    async def unbook(job: StepJob) -> dict[str, Any]:
        return {} if job.input["of"] != 2 else await failing()(job)

    steps.does |= {"send": hang, "unbook": unbook}
    definition = flow(
        http("book", compensate="unbook", max_visits=3),
        {
            "id": "more",
            "type": "condition",
            "needs": ["book"],
            "with": {"if": "steps.book.n < 3", "then": "book", "else": "send"},
        },
        http("send"),
        http("unbook", input={"of": "${steps.book.n}"}),
    )
    async with steps.serving(environment.client):
        handle = await started(environment.client, execution(definition, steps_in_run=2))
        await asyncio.wait_for(begun.wait(), 20)
        await environment.client.get_workflow_handle(handle.id).cancel()
        with pytest.raises(WorkflowFailureError):
            await handle.result()
    assert steps.effects == [
        *("book:1", "book:2", "book:3", "send:1"),
        *("unbook:1", "unbook:2", "unbook:3"),
    ]
    assert [job.input["of"] for job in steps.jobs[-3:]] == [3, 2, 1]
    # One of the three could not be undone.
    assert steps.written()["book"] == "completed"


async def test_what_a_loop_did_is_undone_the_last_entry_first(
    environment: WorkflowEnvironment, steps: Steps
) -> None:
    begun = asyncio.Event()

    async def hang(job: StepJob) -> dict[str, Any]:
        if job.input["of"] == "c":
            begun.set()
            await asyncio.Event().wait()
        return {"key": job.input["of"].upper()}

    steps.does["pay"] = hang
    body = [
        http("pay", input={"of": "${item}"}, compensate="refund"),
        http("refund", input={"of": "${item}", "key": '${steps.pay.done ? steps.pay.key : "?"}'}),
    ]
    each = {"items": "input.names", "max_items": 5, "concurrency": 1, "steps": body}
    definition = flow(
        {"id": "first", "type": "for_each", "with": {**each, "items": '["x", "y"]'}},
        {"id": "each", "type": "for_each", "needs": ["first"], "with": each},
    )
    async with steps.serving(environment.client):
        job = execution(definition, input={"names": ["a", "b", "c"]}, steps_in_run=3)
        handle = await started(environment.client, job)
        await asyncio.wait_for(begun.wait(), 20)
        await environment.client.get_workflow_handle(handle.id).cancel()
        with pytest.raises(WorkflowFailureError):
            await handle.result()
    undone = [job for job in steps.jobs if job.step_id.endswith("refund")]
    assert [(one.step_id, one.input["key"]) for one in undone] == [
        ("each[2].refund", "?"),
        ("each[1].refund", "B"),
        ("each[0].refund", "A"),
        ("first[1].refund", "Y"),
        ("first[0].refund", "X"),
    ]
    assert steps.written()["each[0].pay"] == "compensated"
