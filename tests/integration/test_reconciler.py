"""The record of an operation is right within a second, whatever happens to its workflow from outside."""

import asyncio
from datetime import timedelta

import pytest
from fastapi import FastAPI
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import Client
from temporalio.service import RPCError

from api.reconciler import _NEWEST_FIRST, FEW, PAGE, Reconciler
from perdure.db.document_repository import DocumentRepository, Source
from perdure.db.models import OperationRow
from perdure.db.operation_repository import OperationRepository, StartedRun
from perdure.domain.ids import new_id
from perdure.schemas.documents import DocumentFields
from perdure.schemas.operations import Subject
from tests.accounts import Account

SLOW = {"items": [{"text": f"Paragraph {number}. " * 40} for number in range(200)]}


async def _paused(caller: Account) -> dict[str, object]:
    """An operation that waits, so that something can be done to its workflow."""
    operation = await caller.post("/documents/batch", json=SLOW)
    await caller.post(f"/operations/{operation['id']}/pause")
    return await caller.until(operation, {"paused"})


async def test_a_terminated_workflow_is_a_cancelled_operation_soon(caller: Account, temporal: Client) -> None:
    operation = await _paused(caller)
    await temporal.get_workflow_handle(str(operation["workflow_id"])).terminate(reason="by hand")
    ended = await caller.until(operation, {"cancelled"}, timeout_s=10)
    assert ended["error"]["type"] == "terminated"
    items = (await caller.get(f"/operations/{operation['id']}/items", limit=200))["items"]
    assert {item["status"] for item in items} <= {"indexed", "failed"}


async def test_a_cancelled_workflow_is_a_cancelled_operation(caller: Account, temporal: Client) -> None:
    operation = await _paused(caller)
    await temporal.get_workflow_handle(str(operation["workflow_id"])).cancel()
    ended = await caller.until(operation, {"cancelled"}, timeout_s=10)
    assert ended["error"]["type"] == "cancelled"


async def test_a_terminated_operation_can_be_retried(caller: Account, temporal: Client) -> None:
    operation = await _paused(caller)
    await temporal.get_workflow_handle(str(operation["workflow_id"])).terminate()
    await caller.until(operation, {"cancelled"}, timeout_s=10)
    again = await caller.ended(await caller.post(f"/operations/{operation['id']}/retry"), 90)
    assert again["status"] == "completed"
    assert sum(again["result"]["outcomes"].values()) == 200


async def test_a_reset_workflow_opens_its_operation_again(caller: Account, temporal: Client) -> None:
    operation = await caller.ended(await caller.post("/documents", json={"text": "To be reset."}))
    history = await temporal.get_workflow_handle(operation["workflow_id"]).fetch_history()
    first_task = next(
        event.event_id
        for event in history.events
        if event.HasField("workflow_task_completed_event_attributes")
    )
    await temporal.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace=temporal.namespace,
            workflow_execution=WorkflowExecution(
                workflow_id=operation["workflow_id"], run_id=operation["run_id"]
            ),
            reason="test",
            workflow_task_finish_event_id=first_task,
            request_id=new_id("req"),
        )
    )
    async with asyncio.timeout(15):
        while True:
            now = await caller.get(f"/operations/{operation['id']}")
            if now["run_id"] != operation["run_id"] and now["status"] == "completed":
                break
            await asyncio.sleep(0.05)


async def test_what_was_committed_but_never_started_is_started(caller: Account, product: FastAPI) -> None:
    """As if the API had been killed between the commit and the start."""
    database, objects = product.state.database, product.state.objects
    key = f"{caller.organisation_id}/originals/left-behind"
    await objects.put(key, b"Left behind in the outbox.")
    operation_id = new_id("op")
    async with database.transaction(caller.organisation_id) as session:
        documents = DocumentRepository(session, caller.organisation_id)
        space = await documents.ensure_space("default", product.state.embedders.default)
        document = await documents.accept(
            DocumentFields(),
            Source(name="left.txt", object_key=key),
            space_id=space.id,
            operation_id=operation_id,
            default_title="Left",
        )
        await OperationRepository(session).create(
            organisation_id=caller.organisation_id,
            actor_id="usr_gone",
            kind="ingest_document",
            summary="Ingest a document",
            subject=Subject(type="document", id=document.document_id),
            input={"document_id": document.document_id, "version_id": document.version_id, "fetch": True},
            operation_id=operation_id,
        )
    ended = await caller.ended({"id": operation_id}, 30)
    assert (ended["status"], ended["result"]["status"]) == ("completed", "indexed")


async def _deletion(caller: Account, product: FastAPI) -> OperationRow:
    """An operation that was committed, and not started."""
    async with product.state.database.transaction(caller.organisation_id) as session:
        return await OperationRepository(session).create(
            organisation_id=caller.organisation_id,
            actor_id="usr_gone",
            kind="delete_document",
            summary="Delete a document",
            input={"document_id": new_id("doc")},
        )


async def test_what_waits_for_its_first_step_gets_its_run_id_and_is_not_started_again(
    caller: Account, product: FastAPI, temporal: Client
) -> None:
    row = await _deletion(caller, product)
    product.state.operations.started.note(StartedRun(row.id, 1, "a-run-that-waits"))
    async with asyncio.timeout(10):
        while True:
            now = await caller.get(f"/operations/{row.id}")
            if now["run_id"] is not None:
                break
            await asyncio.sleep(0.05)
    assert now["run_id"] == "a-run-that-waits"
    with pytest.raises(RPCError, match="not found"):
        await temporal.get_workflow_handle(row.id).describe()


async def test_the_run_of_an_attempt_before_is_no_reason_not_to_start_the_next(
    caller: Account, product: FastAPI, temporal: Client
) -> None:
    row = await _deletion(caller, product)
    product.state.operations.started.note(StartedRun(row.id, 0, "a-run-of-the-past"))
    ended = await caller.ended({"id": row.id}, 30)
    assert ended["run_id"] == (await temporal.get_workflow_handle(row.id).describe()).run_id


async def test_operations_that_cannot_be_started_hold_up_no_other(
    caller: Account, product: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So few are read at once that those would fill the page.
    monkeypatch.setattr("api.reconciler.PAGE", 1)
    document = await caller.ingested(json={"text": "Behind the poisoned ones."})
    async with product.state.database.transaction(caller.organisation_id) as session:
        operations = OperationRepository(session)

        async def create(kind: str, given: dict[str, object]) -> str:
            row = await operations.create(
                organisation_id=caller.organisation_id,
                actor_id="usr_gone",
                kind=kind,
                summary="An operation",
                input=given,
            )
            return row.id

        # A kind of a later release, and an input that its kind does not know.
        await create("forecast_weather", {"sky": "blue"})
        await create("delete_document", {"sky": "blue"})
        good = await create("delete_document", {"document_id": document["id"]})
    assert (await caller.ended({"id": good}, 30))["status"] == "completed"


async def test_a_workflow_that_temporal_lost_is_started_again(
    caller: Account, product: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.reconciler.SILENT_FOR", timedelta(0))
    monkeypatch.setattr("api.reconciler.DEEP_CHECK_EVERY", timedelta(seconds=1))
    document = await caller.ingested(json={"text": "Lost and found."})
    async with product.state.database.transaction(caller.organisation_id) as session:
        operations = OperationRepository(session)
        lost = await operations.create(
            organisation_id=caller.organisation_id,
            actor_id="usr_gone",
            kind="delete_document",
            summary="Delete a document",
            input={"document_id": document["id"]},
        )
        await operations.record_starts([StartedRun(lost.id, 1, "a-run-that-never-was")])
    ended = await caller.ended({"id": lost.id}, 40)
    assert ended["status"] == "completed"
    await caller.get(f"/documents/{document['id']}", 404)


async def test_of_a_page_of_open_operations_those_are_looked_at_that_are_not_listed_as_running(
    caller: Account, product: FastAPI, temporal: Client
) -> None:
    waiting, ended = await _paused(caller), await _paused(caller)
    await temporal.get_workflow_handle(str(ended["workflow_id"])).terminate()
    await caller.until(ended, {"cancelled"}, timeout_s=10)
    reconciler = Reconciler(
        product.state.database, temporal, product.state.operations, product.state.settings
    )
    asked = [str(waiting["id"]), str(ended["id"]), *(new_id("op") for _ in range(PAGE - 2))]
    async with asyncio.timeout(10):
        while await reconciler._running(asked) != {waiting["id"]}:  # noqa: ASYNC110  # polling is all there is
            await asyncio.sleep(0.1)
    assert await reconciler._running([]) == set()
    await caller.post(f"/operations/{waiting['id']}/cancel")


async def test_what_started_or_ended_last_is_listed_first(product: FastAPI, temporal: Client) -> None:
    """The loop reads no further than what it saw before: it must not miss what is new."""
    reconciler = Reconciler(
        product.state.database, temporal, product.state.operations, product.state.settings
    )
    name = new_id("op")
    ids = [f"{name}-{number}" for number in range(5 * FEW)]
    handles = [await temporal.start_workflow("Nothing", id=one, task_queue="nobody") for one in ids]
    try:
        await _until_listed(reconciler, 'ExecutionStatus = "Running"', [*reversed(ids)])
    finally:
        # Ended in another order than that in which they began.
        ends = [*handles[::2], *handles[1::2]]
        for handle in ends:
            await handle.terminate()
    await _until_listed(reconciler, 'ExecutionStatus != "Running"', [handle.id for handle in reversed(ends)])


async def _until_listed(reconciler: Reconciler, query: str, newest_first: list[str]) -> None:
    """Until these are listed, over several pages; newest first, as all the others."""
    async with asyncio.timeout(10):
        while True:
            listed = [info async for info in reconciler._listed(query, first=FEW)]
            ours = [info.execution.workflow_id for info in listed if info.type.name == "Nothing"]
            if len(ours) >= len(newest_first):
                break
            await asyncio.sleep(0.1)
    assert [one for one in ours if one in newest_first] == newest_first
    times = [at for info in listed if (at := _NEWEST_FIRST[query](info)) is not None]
    assert times == sorted(times, reverse=True)
    assert len(times) == len(listed)
