"""Retention on the real servers: what is old goes, and what is needed stays."""

import asyncio
import re
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from fastapi import FastAPI
from sqlalchemy import text
from temporalio.client import Client, ScheduleOverlapPolicy
from temporalio.converter import WorkflowSerializationContext
from temporalio.service import RPCError, RPCStatusCode

from perdure.db.operation_repository import OperationRepository
from perdure.db.session import Database
from perdure.domain.ids import first_id_at, new_id
from perdure.domain.payload_keys import payload_folder
from perdure.domain.retention import DataKind
from perdure.ports.storage import ObjectStore
from perdure.schemas.retention import RetentionReport, RetentionState
from tests.accounts import PASSWORD, Account
from workflows import queues
from workflows.apply_retention import ApplyRetention
from workflows.schedules import RETENTION, ensure_schedules

DAY = timedelta(days=1)


async def a_round(temporal: Client, organisation_id: str, now: datetime | None = None) -> RetentionReport:
    """A round from one organisation on, which is the newest one."""
    state = RetentionState(now=now or datetime.now(UTC), after=organisation_id[:-1])
    return await temporal.execute_workflow(
        ApplyRetention.run, state, id=new_id("ret"), task_queue=queues.IO, task_timeout=timedelta(seconds=2)
    )


async def an_old_operation(database: Database, organisation_id: str, days: int) -> str:
    """An operation that was made and ended so long ago, with steps, items and events."""
    at = datetime.now(UTC) - timedelta(days=days)
    operation_id = first_id_at("op", at)[:-6] + secrets.token_hex(3)
    async with database.transaction(organisation_id) as session:
        await OperationRepository(session).create(
            organisation_id=organisation_id,
            actor_id="usr_test",
            kind="ingest_document",
            summary="Old",
            operation_id=operation_id,
        )
        given = {"id": operation_id, "org": organisation_id, "at": at}
        for statement in (
            "UPDATE operations SET status = 'completed', run_id = 'r', created_at = :at, updated_at = :at, "
            "closed_at = :at WHERE id = :id",
            "INSERT INTO operation_steps (organisation_id, operation_id, run_id, activity_id, name, state, attempts, "
            "started_at) VALUES (:org, :id, 'r', '1', 'x', 'completed', 1, :at)",
            "INSERT INTO operation_items (organisation_id, operation_id, ordinal, name, source, status) "
            "VALUES (:org, :id, 0, 'x', '{}', 'indexed')",
            "INSERT INTO operation_events (organisation_id, operation_id, revision, type, data, created_at) "
            "VALUES (:org, :id, 1, 'step', '{}', :at)",
        ):
            used = {name: value for name, value in given.items() if f":{name}" in statement}
            await session.execute(text(statement), used)
    return operation_id


async def counts(database: Database, organisation_id: str, operation_id: str) -> dict[str, int]:
    found = {}
    async with database.transaction(organisation_id) as session:
        for table, column in (
            ("operations", "id"),
            ("operation_steps", "operation_id"),
            ("operation_items", "operation_id"),
            ("operation_events", "operation_id"),
        ):
            statement = text(f"SELECT count(*) FROM {table} WHERE {column} = :id")
            found[table] = await session.scalar(statement, {"id": operation_id})
    return found


async def test_old_operations_go_with_what_hangs_on_them(
    caller: Account, database: Database, temporal: Client, workers: None
) -> None:
    organisation_id = caller.organisation_id
    old, younger, recent = [
        await an_old_operation(database, organisation_id, days) for days in (400, 200, 10)
    ]
    document = await caller.ingested(json={"text": "Still there."})
    report = await a_round(temporal, caller.organisation_id)
    assert report.deleted["operations"] >= 1
    assert set((await counts(database, organisation_id, old)).values()) == {0}
    # Half a year old: its events have gone, it has not.
    assert await counts(database, organisation_id, younger) == {
        "operations": 1,
        "operation_steps": 1,
        "operation_items": 1,
        "operation_events": 0,
    }
    assert set((await counts(database, organisation_id, recent)).values()) == {1}
    assert (await caller.get(f"/documents/{document['id']}"))["status"] == "indexed"
    (event,) = (await caller.get("/audit", action="retention.applied"))["items"]
    assert (event["actor"]["kind"], event["details"]) == ("system", {"operations": 1})


async def test_an_operation_that_tells_whose_a_document_is_stays(
    caller: Account, database: Database, temporal: Client, workers: None
) -> None:
    organisation_id = caller.organisation_id
    old = await an_old_operation(database, organisation_id, 400)
    document = await caller.ingested(json={"text": "Brought long ago."})
    async with database.transaction(organisation_id) as session:
        await session.execute(text("UPDATE document_versions SET operation_id = :id"), {"id": old})
    await a_round(temporal, caller.organisation_id)
    assert await counts(database, organisation_id, old) == {
        "operations": 1,
        "operation_steps": 0,
        "operation_items": 0,
        "operation_events": 0,
    }
    await caller.ended((await caller.http.delete(f"/api/v1/documents/{document['id']}")).json())
    await a_round(temporal, caller.organisation_id)
    assert (await counts(database, organisation_id, old))["operations"] == 0


async def test_old_idempotency_keys_go_and_can_be_used_again(
    caller: Account, database: Database, temporal: Client, workers: None
) -> None:
    body = {"name": "k", "scopes": ["documents:read"]}
    for key in ("old", "new"):
        await caller.post("/api-keys", 201, json=body, headers={"Idempotency-Key": key})
    async with database.transaction(caller.organisation_id) as session:
        await session.execute(
            text("UPDATE idempotency_keys SET created_at = now() - interval '8 days' WHERE key = 'old'")
        )
    await a_round(temporal, caller.organisation_id)
    await caller.post("/api-keys", 200, json=body, headers={"Idempotency-Key": "new"})
    await caller.post("/api-keys", 201, json=body, headers={"Idempotency-Key": "old"})


async def test_expired_archives_and_forgotten_files_go(
    product: FastAPI, caller: Account, database: Database, temporal: Client
) -> None:
    kept = await caller.ended(await caller.post("/organisation/export"))
    gone = await caller.ended(await caller.post("/organisation/export"))
    async with database.transaction(caller.organisation_id) as session:
        await session.execute(
            text("UPDATE exports SET expires_at = now() WHERE operation_id = :id"), {"id": gone["id"]}
        )
    cut_off = await an_old_operation(database, caller.organisation_id, 3)
    objects: ObjectStore = product.state.objects
    work = f"{caller.organisation_id}/work"
    running = await caller.post("/documents/batch", json={"items": [{"text": f"{n}"} for n in range(50)]})
    await caller.post(f"/operations/{running['id']}/pause")
    for owner in (cut_off, running["id"]):
        await objects.put(f"{work}/{owner}/left.json", b"left behind")
    await a_round(temporal, caller.organisation_id)
    archives = [key async for key in objects.list(f"{caller.organisation_id}/exports")]
    assert archives == [f"{caller.organisation_id}/exports/{kept['id']}.zip"]
    assert [each["id"] for each in (await caller.get("/exports"))["items"]] == [kept["id"]]
    left = {key async for key in objects.list(work)}
    assert f"{work}/{running['id']}/left.json" in left
    assert f"{work}/{cut_off}/left.json" not in left
    await caller.post(f"/operations/{running['id']}/resume")
    await caller.ended(running)


async def test_old_histories_go_with_what_they_keep_outside(
    product: FastAPI, caller: Account, temporal: Client
) -> None:
    operation = await caller.ended(await caller.post("/documents", json={"text": "A history."}))
    running = await caller.post("/documents/batch", json={"items": [{"text": f"{n}"} for n in range(50)]})
    await caller.post(f"/operations/{running['id']}/pause")
    context = WorkflowSerializationContext(namespace="default", workflow_id=operation["workflow_id"])
    await temporal.data_converter.with_context(context).encode([secrets.token_hex(300_000)])
    outside = payload_folder(operation["workflow_id"])
    objects: ObjectStore = product.state.objects
    await a_round(temporal, caller.organisation_id)
    assert len([key async for key in objects.list(outside)]) == 1
    # A month later.
    report = await a_round(temporal, caller.organisation_id, datetime.now(UTC) + 31 * DAY)
    assert report.deleted["histories"] == 1
    assert [key async for key in objects.list(outside)] == []
    async with asyncio.timeout(60):
        while await is_known(temporal, operation["workflow_id"]):  # noqa: ASYNC110  # it is another process's
            await asyncio.sleep(0.2)
    assert await is_known(temporal, running["workflow_id"])
    assert (await caller.get(f"/operations/{operation['id']}"))["status"] == "completed"
    await caller.post(f"/operations/{running['id']}/resume")
    assert (await caller.ended(running))["status"] == "completed"


async def is_known(temporal: Client, workflow_id: str) -> bool:
    try:
        await temporal.get_workflow_handle(workflow_id).describe()
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        return False
    return True


async def test_admins_choose_and_others_do_not(caller: Account, stranger: Account) -> None:
    rules = {rule["kind"]: rule for rule in (await caller.get("/organisation/retention"))["rules"]}
    assert set(rules) == {kind.value for kind in DataKind}
    assert (rules["exports"]["days"], rules["audit_events"]["days"]) == (7, None)
    body = {"rules": {"exports": 3, "operations": None}}
    answer = await caller.http.patch("/api/v1/organisation/retention", json=body)
    assert answer.status_code == 200, answer.text
    changed = {rule["kind"]: rule["days"] for rule in answer.json()["rules"]}
    assert (changed["exports"], changed["operations"], changed["histories"]) == (3, None, 30)
    for wrong, pointer in (
        ({"audit_events": 30}, "/body/rules/audit_events"),
        ({"exports": None}, "/body/rules/exports"),
    ):
        answer = await caller.http.patch("/api/v1/organisation/retention", json={"rules": wrong})
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer)
    key = await caller.post("/api-keys", 201, json={"name": "k", "scopes": ["documents:write"]})
    bearer = {"Authorization": f"Bearer {key['key']}"}
    assert (await caller.http.get("/api/v1/organisation/retention", headers=bearer)).status_code == 403
    theirs = {rule["kind"]: rule["days"] for rule in (await stranger.get("/organisation/retention"))["rules"]}
    assert theirs["exports"] == 7
    (event,) = (await caller.get("/audit", action="retention.changed"))["items"]
    assert event["details"] == {"exports": {"from": 7, "to": 3}, "operations": {"from": 365, "to": None}}
    export = await caller.ended(await caller.post("/organisation/export"))
    (made,) = (await caller.get("/exports"))["items"]
    lasts = datetime.fromisoformat(made["expires_at"]) - datetime.fromisoformat(made["created_at"])
    assert (made["id"], lasts) == (export["id"], timedelta(days=3))


async def test_the_console_shows_and_changes_the_rules(product: FastAPI) -> None:
    transport = httpx.ASGITransport(product, client=("192.0.2.9", 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as browser:
        email = f"{new_id('usr')}@example.com"
        form = {"name": "Ada", "organisation": "Engines", "email": email, "password": PASSWORD}
        assert (await browser.post("/register", data=form)).status_code == 303
        page = await browser.get("/settings/retention")
        assert page.status_code == 200, page.text
        shown = dict(re.findall(r'<input class="input" id="(\w+)" .*value="(\d*)"', page.text))
        assert shown == {
            "operations": "365",
            "operation_events": "30",
            "histories": "30",
            "idempotency_keys": "7",
            "exports": "7",
            "work_files": "1",
            "messages": "90",
            "ai_processing_logs": "400",
            "audit_events": "",
        }
        token = re.search(r'name="csrf_token" value="([^"]+)"', page.text)
        assert token is not None
        changed = {**shown, "audit_events": "400", "operations": "", "csrf_token": token[1]}
        answer = await browser.post("/settings/retention", data=changed)
        assert (answer.status_code, answer.headers["location"]) == (
            303,
            "/settings/retention?notice=retention-changed",
        )
        page = await browser.get(answer.headers["location"])
        again = dict(re.findall(r'<input class="input" id="(\w+)" .*value="(\d*)"', page.text))
        assert (again["audit_events"], again["operations"]) == ("400", "")
        for wrong, why in (("12", "at least 90 days"), ("soon", "Enter whole days")):
            answer = await browser.post("/settings/retention", data={**changed, "audit_events": wrong})
            assert answer.status_code == 422
            assert why in answer.text
            assert f'value="{wrong}"' in answer.text


async def test_the_schedule_is_made_once_and_renewed(temporal: Client, workers: None) -> None:
    handle = temporal.get_schedule_handle(RETENTION)
    try:
        await ensure_schedules(temporal, DAY)
        await ensure_schedules(temporal, DAY)
        described = await handle.describe()
        assert described.schedule.policy.overlap is ScheduleOverlapPolicy.SKIP
        assert described.schedule.policy.catchup_window == DAY
        assert [each.every for each in described.schedule.spec.intervals] == [DAY]
        await handle.pause(note="not this week")
        await ensure_schedules(temporal, 2 * DAY)
        described = await handle.describe()
        assert [each.every for each in described.schedule.spec.intervals] == [2 * DAY]
        assert (described.schedule.state.paused, described.schedule.state.note) == (True, "not this week")
        await handle.unpause()
        await handle.trigger()
        run = await _started(temporal)
        report = await temporal.get_workflow_handle(run, result_type=RetentionReport).result()
        assert report.organisations >= 1
    finally:
        await handle.delete()


async def _started(temporal: Client) -> str:
    async with asyncio.timeout(30):
        while True:
            described = await temporal.get_schedule_handle(RETENTION).describe()
            if described.info.recent_actions:
                action: Any = described.info.recent_actions[-1].action
                return str(action.workflow_id)
            await asyncio.sleep(0.1)
