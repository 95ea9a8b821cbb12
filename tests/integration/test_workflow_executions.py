"""Executions over HTTP: on an input, on a document, on many; steered by the verbs of operations; nobody else's."""

from typing import Any

from tests.accounts import Account

PATH = "/ai/workflows"
SAID = {"id": "said", "type": "transform", "with": {"set": {"title": "document.title", "n": "input.n"}}}
COUNTED = {"id": "counted", "type": "transform", "with": {"set": {"n": "input.n + parameters.more"}}}
LONG = {"id": "long", "type": "wait", "with": {"for": "1 day"}}


async def made(account: Account, *steps: dict[str, Any], **fields: Any) -> str:
    name = fields.pop("name", "Executed")
    stored = await account.post(PATH, 201, json={"name": name, "steps": [*steps], **fields})
    identifier: str = stored["id"]
    return identifier


async def documents(account: Account, count: int) -> list[str]:
    found = [
        await account.ingested(json={"text": f"Letter {number}.", "title": f"L{number}"})
        for number in range(count)
    ]
    return [one["id"] for one in found]


async def execution_of(account: Account, operation: dict[str, Any]) -> dict[str, Any]:
    (listed,) = (await account.get(f"{PATH}/executions", operation_id=operation["id"]))["items"]
    return await account.get(f"{PATH}/executions/{listed['id']}")


async def test_an_execution_on_an_input_tells_what_its_steps_did(caller: Account, stranger: Account) -> None:
    parameters = {"more": {"type": "number", "default": 1}}
    workflow = await made(caller, COUNTED, parameters=parameters)
    path = f"{PATH}/{workflow}/execute"
    headers = {"Idempotency-Key": "once"}
    body = {"input": {"n": 2}, "parameters": {"more": 3}}
    operation = await caller.post(path, json=body, headers=headers)
    assert (operation["kind"], operation["subject"]["id"]) == ("run_document_workflow", workflow)
    assert (await caller.post(path, 200, json=body, headers=headers))["id"] == operation["id"]
    await caller.post(path, 409, json={"input": {"n": 9}}, headers=headers)
    ended = await caller.ended(operation)
    assert ended["status"] == "completed", ended
    execution = await execution_of(caller, operation)
    (step,) = execution["steps"]
    assert (step["step_id"], step["state"], step["output"]) == ("counted", "completed", {"n": 5})
    assert (execution["input"], execution["parameters"]) == ({"n": 2}, {"more": 3})
    assert execution["outputs"] == {"counted": {"n": 5}}
    drawn = await caller.http.get(f"/api/v1{PATH}/executions/{execution['id']}/diagram")
    assert 'class="step transform completed"' in drawn.text
    for said in ("", "/diagram"):
        await stranger.get(f"{PATH}/executions/{execution['id']}{said}", 404)
    for verb in ("pause", "resume", "cancel", "retry"):
        await stranger.post(f"{PATH}/executions/{execution['id']}/{verb}", 404)
        await caller.post(f"{PATH}/executions/{execution['id']}/{verb}", 409)
    (listed,) = (await caller.get(PATH))["items"]
    assert (listed["executions"], listed["open_executions"]) == (1, 0)


async def test_what_cannot_be_executed_is_refused_before_anything_is_written(caller: Account) -> None:
    workflow = await made(caller, COUNTED, parameters={"more": {"type": "number", "required": True}})
    path = f"{PATH}/{workflow}/execute"
    missing = await caller.post(path, 422, json={})
    assert [error["pointer"] for error in missing["errors"]] == ["/body/parameters/more"]
    given = {"parameters": {"more": 1}}
    nobody = "doc_" + "0" * 26
    await caller.post(path, 404, json={**given, "document_id": nobody})
    many = await caller.post(path, 422, json={**given, "document_ids": [nobody]})
    assert [error["pointer"] for error in many["errors"]] == ["/body/document_ids/0"]
    refused: tuple[dict[str, Any], ...] = (
        {"document_ids": []},
        {"document_ids": [nobody, nobody]},
        {"document_id": nobody, "document_ids": [nobody]},
        {"input": {"text": "x" * 70_000}},
        {"parameters": {"more": "x"}},
        {"version": 0},
        {"unheard_of": 1},
    )
    for body in refused:
        await caller.post(path, 422, json={**given, **body})
    await caller.post(path, 404, json={**given, "version": 2})
    assert (await caller.get(f"{PATH}/executions"))["items"] == []


async def test_an_execution_is_paused_resumed_and_cancelled_in_a_wait(caller: Account) -> None:
    workflow = await made(caller, LONG)
    operation = await caller.post(f"{PATH}/{workflow}/execute", json={})
    await caller.until(operation, {"running"})
    (listed,) = (await caller.get(f"{PATH}/executions", workflow_id=workflow))["items"]
    path = f"{PATH}/executions/{listed['id']}"
    paused = await caller.post(f"{path}/pause")
    await caller.until(paused, {"paused"})
    await caller.until(await caller.post(f"{path}/resume"), {"running"})
    (shown,) = (await caller.get(path))["steps"]
    assert (shown["step_id"], shown["state"]) == ("long", "waiting")
    cancelled = await caller.ended(await caller.post(f"{path}/cancel"))
    assert cancelled["status"] == "cancelled"
    assert [one["id"] for one in (await caller.get(f"{PATH}/executions", status="cancelled"))["items"]] == [
        listed["id"]
    ]


async def test_a_running_execution_keeps_its_version_and_a_failed_one_is_retried(caller: Account) -> None:
    broken = {"id": "broken", "type": "transform", "with": {"set": {"n": "input.missing"}}}
    workflow = await made(
        caller,
        COUNTED,
        broken | {"needs": ["counted"]},
        parameters={"more": {"type": "number", "default": 1}},
    )
    operation = await caller.post(f"{PATH}/{workflow}/execute", json={"input": {"n": 1}})
    await caller.http.put(f"/api/v1{PATH}/{workflow}", json={"name": "Executed", "steps": [SAID]})
    failed = await caller.ended(operation)
    assert failed["status"] == "failed"
    execution = await execution_of(caller, operation)
    states = {step["step_id"]: step["state"] for step in execution["steps"]}
    assert (execution["version"], states) == (1, {"counted": "completed", "broken": "failed"})
    again = await caller.ended(await caller.post(f"{PATH}/executions/{execution['id']}/retry"))
    assert (again["status"], again["attempt"]) == ("failed", 2)


async def test_many_documents_have_an_execution_each_and_nobody_waits_for_people(caller: Account) -> None:
    ids = await documents(caller, 3)
    workflow = await made(caller, SAID)
    body = {"document_ids": ids, "input": {"n": 1}, "concurrency": 2}
    batch = await caller.post(f"{PATH}/{workflow}/execute", json=body)
    assert (batch["kind"], batch["progress"]["total"]) == ("run_workflow_batch", 3)
    ended = await caller.ended(batch)
    assert (ended["status"], ended["result"]) == ("completed", {"total": 3, "outcomes": {"executed": 3}})
    items = (await caller.get(f"/operations/{batch['id']}/items"))["items"]
    assert [(item["document_id"], item["status"]) for item in items] == [(one, "executed") for one in ids]
    listed = (await caller.get(f"{PATH}/executions", batch_id=batch["id"]))["items"]
    assert {one["document_id"] for one in listed} == set(ids)
    assert {one["status"] for one in listed} == {"completed"}
    (of_one,) = (await caller.get(f"{PATH}/executions", document_id=ids[0]))["items"]
    shown = await caller.get(f"{PATH}/executions/{of_one['id']}")
    assert shown["outputs"]["said"] == {"title": "L0", "n": 1}
    policy = {
        "stages": [{"id": "one", "approvers": [{"role": "owner"}], "rule": "any"}],
        "separation_of_duties": {"requester": False},
    }
    ask = {"id": "ask", "type": "approval", "with": {"policy": policy, "title": "Yes?"}}
    asking = await made(caller, ask, name="Asking")
    waiting = await caller.ended(
        await caller.post(f"{PATH}/{asking}/execute", json={"document_ids": ids, "concurrency": 1})
    )
    assert waiting["result"]["outcomes"] == {"waiting_approval": 3}
    for one in (await caller.get(f"{PATH}/executions", workflow_id=asking))["items"]:
        await caller.ended(await caller.post(f"{PATH}/executions/{one['id']}/cancel"))
    # The batch has ended; what became of its documents since then is told all the same.
    items = (await caller.get(f"/operations/{waiting['id']}/items"))["items"]
    assert [(item["status"], item["reason"]) for item in items] == [("failed", "cancelled")] * 3


async def test_a_batch_is_retried_where_its_executions_failed(caller: Account) -> None:
    ids = await documents(caller, 2)
    second = {"set": {"n": "document.title == 'L1' ? input.missing : 1"}}
    workflow = await made(
        caller, SAID, {"id": "some", "type": "transform", "with": second, "needs": ["said"]}
    )
    body = {"document_ids": ids, "input": {"n": 1}}
    ended = await caller.ended(await caller.post(f"{PATH}/{workflow}/execute", json=body))
    assert (ended["status"], ended["result"]["outcomes"]) == ("completed", {"executed": 1, "failed": 1})
    again = await caller.ended(await caller.post(f"/operations/{ended['id']}/retry"))
    assert (again["attempt"], again["result"]["outcomes"]) == (2, {"executed": 1, "failed": 1})
    listed = (await caller.get(f"{PATH}/executions", batch_id=ended["id"]))["items"]
    operations = [await caller.get(f"/operations/{one['operation_id']}") for one in listed]
    assert {one["subject"]["id"]: one["attempt"] for one in operations} == {ids[0]: 1, ids[1]: 2}


async def test_a_cancelled_batch_starts_nothing_more_and_cancels_what_runs(caller: Account) -> None:
    ids = await documents(caller, 3)
    workflow = await made(caller, LONG)
    batch = await caller.post(f"{PATH}/{workflow}/execute", json={"document_ids": ids, "concurrency": 1})
    await caller.until(batch, {"running"})
    ended = await caller.ended(await caller.post(f"/operations/{batch['id']}/cancel"))
    assert ended["status"] == "cancelled"
    for one in (await caller.get(f"{PATH}/executions", batch_id=batch["id"]))["items"]:
        done = await caller.ended({"id": one["operation_id"]})
        assert done["status"] == "cancelled"
    items = (await caller.get(f"/operations/{batch['id']}/items"))["items"]
    assert [(item["status"], item["reason"]) for item in items] == [("failed", "cancelled")] * 3
