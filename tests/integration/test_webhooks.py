"""Endpoints, deliveries and rounds over HTTP, on the whole product."""

import asyncio
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text
from temporalio.client import Client
from temporalio.testing import ActivityEnvironment

from activities.monitoring import MonitoringActivities
from perdure.db.keyring import Keyring
from perdure.db.messages import MessageRepository
from perdure.db.provider_budgets import ProviderBudgetRepository
from perdure.db.session import Database
from perdure.domain.budgets import Budget
from perdure.domain.ids import new_id
from perdure.master_keys import load_master_keys
from perdure.schemas.messages import Channel, LetterKind, MessageNew
from perdure.schemas.retention import SweepJob, SweepReport, SweepState
from perdure.settings import Settings
from tests.accounts import PASSWORD, Account
from tests.delivering import Outbox
from tests.row_factory import RowFactory, table
from workflows import queues
from workflows.monitor_ai_processing import CleanupExpiredWorkflows, MonitorAIProcessing

# A name that no resolver knows (RFC 6761): attempts fail without any network.
NOWHERE = "https://hooks.perdure.invalid/events?token=hidden"
ENDPOINT = {"name": "billing", "url": NOWHERE, "events": ["approval.completed", "provider.degraded"]}


async def until(caller: Account, message_id: str, is_so: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The delivery once it is so."""
    async with asyncio.timeout(60):
        while True:
            found = await caller.get(f"/webhooks/deliveries/{message_id}")
            if is_so(found):
                return found
            await asyncio.sleep(0.05)


def is_tried(delivery: dict[str, Any]) -> bool:
    return bool(delivery["attempts"] >= 1)


async def test_an_endpoint_from_its_making_to_its_end(caller: Account, stranger: Account) -> None:
    made = await caller.post("/webhooks/endpoints", 201, json=ENDPOINT, headers={"Idempotency-Key": "one"})
    assert made["secret"].startswith("whsec_")
    assert made["url"] == "https://hooks.perdure.invalid/events?…"
    again = await caller.post("/webhooks/endpoints", 200, json=ENDPOINT, headers={"Idempotency-Key": "one"})
    assert (again["id"], again["secret"]) == (made["id"], None)
    other = {**ENDPOINT, "url": "https://other.invalid/"}
    await caller.post("/webhooks/endpoints", 409, json=other, headers={"Idempotency-Key": "one"})
    (listed,) = (await caller.get("/webhooks/endpoints"))["items"]
    assert "secret" not in listed
    assert "hidden" not in str(listed)
    path = f"/webhooks/endpoints/{made['id']}"
    await stranger.get(path, 404)

    delivery = await caller.post(f"{path}/test")
    failed = await until(caller, delivery["id"], is_tried)
    assert (failed["status"], failed["kind"]) == ("waiting", "test")
    assert failed["last_error"].startswith("It ")
    assert failed["tries"][0]["ok"] is False
    assert (await caller.get(path))["failures"] >= 1
    await caller.post(f"/webhooks/deliveries/{delivery['id']}/replay")
    assert len((await until(caller, delivery["id"], is_tried))["tries"]) >= 2
    await stranger.post(f"/webhooks/deliveries/{delivery['id']}/replay", 404)

    rotated = await caller.post(f"{path}/secret", 200, json={"overlap_hours": 2})
    assert rotated["secret"] not in {made["secret"], None}
    assert rotated["previous_secret_until"] is not None
    answer = await caller.http.patch(f"/api/v1{path}", json={"is_active": False, "events": ["test"]})
    assert (answer.json()["is_active"], answer.json()["events"]) == (False, ["test"])
    await caller.post(f"{path}/test", 409)
    assert (await caller.http.delete(f"/api/v1{path}")).status_code == 204
    await caller.get(path, 404)
    await caller.post(f"/webhooks/deliveries/{delivery['id']}/replay")
    dead = await until(caller, delivery["id"], lambda found: bool(found["status"] == "dead"))
    assert "removed" in dead["last_error"]
    actions = [event["action"] for event in (await caller.get("/audit", subject=made["id"]))["items"]]
    assert actions == ["webhook.removed", "webhook.changed", "webhook.secret_rotated", "webhook.created"]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({**ENDPOINT, "url": "http://hooks.example.com/"}, "/body/url"),
        ({**ENDPOINT, "url": "https://169.254.169.254/"}, "/body/url"),
        ({**ENDPOINT, "url": "https://localhost/"}, "/body/url"),
        ({**ENDPOINT, "secret": "short"}, "/body/secret"),
        ({**ENDPOINT, "kind": "slack", "secret": "whsec_" + "a" * 44}, "/body/secret"),
        ({**ENDPOINT, "events": ["everything"]}, "/body/events/0"),
        ({**ENDPOINT, "events": []}, "/body/events"),
    ],
)
async def test_what_cannot_be_an_endpoint_is_refused_at_its_place(
    caller: Account, body: dict[str, Any], pointer: str
) -> None:
    answer = await caller.http.post("/api/v1/webhooks/endpoints", json=body)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer)


async def test_only_owners_and_administrators_have_endpoints(caller: Account) -> None:
    key = await caller.post("/api-keys", 201, json={"name": "k", "scopes": ["webhooks:read"]})
    bearer = {"Authorization": f"Bearer {key['key']}"}
    assert (await caller.http.get("/api/v1/webhooks/endpoints", headers=bearer)).status_code == 200
    answer = await caller.http.post("/api/v1/webhooks/endpoints", json=ENDPOINT, headers=bearer)
    assert answer.status_code == 403


async def test_a_letter_that_was_committed_is_taken_up_and_waits_for_a_mail_server(
    caller: Account, database: Database
) -> None:
    async with database.transaction(caller.organisation_id) as session:
        message_id = await MessageRepository(session, caller.organisation_id).add(
            MessageNew(
                effect="one",
                channel=Channel.EMAIL,
                kind=LetterKind.NOTIFICATION.value,
                recipient="email:ada@example.org",
                body={"subject": "Hello", "text": "A text."},
            )
        )
    await until(caller, message_id, lambda found: "PERDURE_SMTP_URL" in str(found["last_error"]))
    found = await caller.get("/webhooks/deliveries", status="waiting")
    assert [each["id"] for each in found["items"]] == [message_id]
    assert (await caller.get("/webhooks/deliveries", status="sent"))["items"] == []


async def test_a_budget_that_is_reached_is_told_once(
    caller: Account, database: Database, settings: Settings
) -> None:
    outbox = Outbox(database, Keyring(load_master_keys(settings)), caller.organisation_id)
    endpoint = await caller.post(
        "/webhooks/endpoints", 201, json={**ENDPOINT, "events": ["budget.soft_reached"]}
    )
    async with database.transaction(caller.organisation_id) as session:
        budgets = ProviderBudgetRepository(session, caller.organisation_id)
        await budgets.put(Budget(Decimal(1), None))
        for _ in range(3):
            await budgets.spend(Decimal(2))
    (told,) = (await caller.get("/webhooks/deliveries", endpoint_id=endpoint["id"]))["items"]
    row = await outbox.row(told["id"])
    assert row.kind == "budget.soft_reached"
    assert '"soft_usd":"1.00"' in (row.body or "")


async def a_round(temporal: Client, workflow: type[Any], organisation_id: str) -> SweepReport:
    """A round from one organisation on, which is the newest one."""
    state = SweepState(now=datetime.now(UTC), after=organisation_id[:-1])
    report: SweepReport = await temporal.execute_workflow(
        workflow.run, state, id=new_id("rnd"), task_queue=queues.IO, task_timeout=timedelta(seconds=2)
    )
    return report


async def test_a_provider_that_fails_is_told_of_once(
    caller: Account, database: Database, temporal: Client
) -> None:
    await caller.post("/webhooks/endpoints", 201, json=ENDPOINT)
    async with database.transaction(caller.organisation_id) as session:
        factory = RowFactory(session, caller.organisation_id)
        for number in range(10):
            await factory.new_row(
                table("ai_processing_logs"),
                provider="openai",
                at=datetime.now(UTC) - timedelta(minutes=1),
                outcome="unavailable" if number < 5 else "ok",
            )
    assert (await a_round(temporal, MonitorAIProcessing, caller.organisation_id)).counted["told"] == 1
    again = await a_round(temporal, MonitorAIProcessing, caller.organisation_id)
    assert again.counted.get("found", 0) >= 1
    (event,) = (await caller.get("/audit", action="providers.degraded"))["items"]
    assert event["details"]["finding"] == "errors"
    kinds = sorted(each["kind"] for each in (await caller.get("/webhooks/deliveries"))["items"])
    assert kinds == ["alert", "provider.degraded"]


async def test_what_a_terminated_workflow_left_open_is_ended(
    caller: Account, database: Database, temporal: Client
) -> None:
    endpoint = await caller.post("/webhooks/endpoints", 201, json=ENDPOINT)
    await caller.post(f"/webhooks/endpoints/{endpoint['id']}/secret", 200, json={})
    long_ago = datetime.now(UTC) - timedelta(hours=1)
    async with database.transaction(caller.organisation_id) as session:
        await session.execute(text("UPDATE webhook_endpoints SET previous_until = now()"))
        factory = RowFactory(session, caller.organisation_id)
        operation = await factory.new_row(
            table("operations"), kind="request_approval", status="cancelled", closed_at=long_ago
        )
        approval = await factory.new_row(
            table("workflow_approvals"), operation_id=operation["id"], status="pending", closed_at=None
        )
    report = await a_round(temporal, CleanupExpiredWorkflows, caller.organisation_id)
    assert report.counted["approvals"] >= 1
    assert report.counted["webhook_secrets"] >= 1
    async with database.transaction(caller.organisation_id) as session:
        found = (
            await session.execute(
                text("SELECT status, outcome FROM workflow_approvals WHERE id = :id"), {"id": approval["id"]}
            )
        ).one()
    assert tuple(found) == ("closed", "cancelled")
    assert (await caller.get(f"/webhooks/endpoints/{endpoint['id']}"))["previous_secret_until"] is None


async def test_a_round_goes_through_all_organisations(
    database: Database, caller: Account, stranger: Account
) -> None:
    monitoring = MonitoringActivities(database.transaction)
    job = SweepJob(now=datetime.now(UTC), after=min(caller.organisation_id, stranger.organisation_id)[:-1])
    page = await ActivityEnvironment().run(monitoring.clean_up_expired, job)
    assert page.organisations >= 2
    assert page.after is None


async def test_the_console_shows_the_secret_once_and_sends_again(product: FastAPI) -> None:
    transport = httpx.ASGITransport(product, client=("192.0.2.11", 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as browser:
        email = f"{new_id('usr')}@example.com"
        form = {"name": "Ada", "organisation": "Engines", "email": email, "password": PASSWORD}
        assert (await browser.post("/register", data=form)).status_code == 303
        page = await browser.get("/settings/webhooks")
        assert page.status_code == 200, page.text
        assert "There is no mail server" in page.text
        found = re.search(r'name="csrf_token" value="([^"]+)"', page.text)
        assert found is not None
        token = {"csrf_token": found[1]}
        given = {
            **token,
            "kind": "webhook",
            "name": "billing",
            "url": NOWHERE,
            "events": "approval.completed",
        }
        wrong = await browser.post("/settings/webhooks", data={**given, "url": "http://localhost/"})
        assert wrong.status_code == 422
        assert 'value="http://localhost/"' in wrong.text
        made = await browser.post("/settings/webhooks", data=given)
        assert made.status_code == 200, made.text
        assert "whsec_" in made.text
        shown = (await browser.get("/settings/webhooks")).text
        assert "whsec_" not in shown
        assert "token=hidden" not in shown
        endpoint = re.search(r"/settings/webhooks/(whe_\w+)/test", shown)
        assert endpoint is not None
        base = f"/settings/webhooks/{endpoint[1]}"
        for action, notice, data in (
            ("test", "test-sent", {}),
            ("switch", "switched-off", {"on": "false"}),
            ("switch", "switched-on", {"on": "true"}),
        ):
            answer = await browser.post(f"{base}/{action}", data={**token, **data})
            assert answer.headers["location"] == f"/settings/webhooks?notice={notice}"
        assert "whsec_" in (await browser.post(f"{base}/secret", data=token)).text
        shown = (await browser.get("/settings/webhooks")).text
        assert re.search(r"/settings/webhooks/deliveries/(msg_\w+)/replay", shown) is not None
        removed = await browser.post(f"{base}/remove", data=token)
        assert removed.headers["location"] == "/settings/webhooks?notice=endpoint-removed"
        gone = await browser.get("/settings/webhooks?status=waiting")
        assert "a removed endpoint" in gone.text or "No messages" in gone.text
