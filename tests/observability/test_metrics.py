"""Every process shows what docs/operations.md promises, by these names, and the figures are true."""

import asyncio
import json
import re

import pytest
from temporalio.client import Client

from perdure.embedded.temporal_server import NAMESPACE
from tests.accounts import Account
from tests.faults.conftest import account_at
from tests.observability.conftest import Observed
from tests.observability.expositions import documented, kinds, scrape
from workflows.client import connect


def value(text: str, sample: str) -> float:
    """The value of one sample, 0 when there is none; labels in the order of the text."""
    found = re.search(rf"^{re.escape(sample)} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0.0


@pytest.fixture(scope="module")
async def eventful(observed: Observed) -> None:
    """Once, what shows in metrics only when it happens: requests and workflow tasks that fail."""
    await observed.answers()
    client = await connect(observed.settings())
    # No worker knows it: its tasks fail until somebody ends it.
    handle = await client.start_workflow("Unknown", id="unknown", task_queue="io")
    await asyncio.sleep(1)
    await handle.terminate()
    await observed.killed("temporal")
    await observed.answers()
    async with account_at(observed.url) as account:
        await request_that_fails(account, client, observed)


async def request_that_fails(account: Account, client: Client, observed: Observed) -> None:
    """The API asks something of a workflow that has ended, before the reconciler sees that it has."""
    async with asyncio.timeout(60):
        while "temporal_request_failure_total" not in kinds((await scrape(observed))["api"]):
            operation = await account.post("/documents", json={"url": "http://localhost/nobody-listens.pdf"})
            await account.until(operation, {"running"})
            await client.get_workflow_handle(operation["workflow_id"]).terminate()
            await account.http.post(f"/api/v1/operations/{operation['id']}/pause")


async def settled(observed: Observed, part: str, name: str) -> str:
    """The text of a part once it shows a name."""
    async with asyncio.timeout(60):
        while True:
            text = (await scrape(observed))[part]
            if name in kinds(text):
                return text
            await asyncio.sleep(0.5)


async def test_every_metric_of_ours_is_documented_and_every_documented_one_is_shown(
    eventful: None, account: Account, observed: Observed
) -> None:
    await account.ended(await account.post("/documents", json={"text": "The valve is open."}))
    await account.post("/documents", json={"url": "http://localhost/nobody-listens.pdf"})
    await settled(observed, "worker io", "temporal_workflow_task_execution_failed_total")
    await settled(observed, "worker io", "temporal_activity_execution_failed_total")
    shown: dict[str, tuple[str, set[str]]] = {}
    for part, text in (await scrape(observed)).items():
        for name, kind in kinds(text).items():
            shown.setdefault(name, (kind, set()))[1].add(part.split()[0])
    promised = documented()
    assert {name for name in shown if name.startswith("perdure_")} <= set(promised)
    wrong = {
        name: (kind, where)
        for name, (kind, where) in promised.items()
        if name not in shown or shown[name][0] != kind or not where <= shown[name][1]
    }
    assert wrong == {}


async def test_workers_count_what_became_of_documents_and_operations(
    account: Account, observed: Observed
) -> None:
    indexed = 'perdure_documents_settled_total{reason="",status="indexed"}'
    failed = 'perdure_documents_settled_total{reason="forbidden_address",status="failed"}'
    closed = 'perdure_operations_closed_total{kind="ingest_document",reason="",status="completed"}'
    ended_badly = (
        'perdure_operations_closed_total{kind="ingest_document",reason="forbidden_address",status="failed"}'
    )
    samples = indexed, failed, closed, ended_badly
    before = (await scrape(observed))["worker io"]
    await account.ended(await account.post("/documents", json={"text": f"Pump {account.organisation_id}"}))
    await account.ended(await account.post("/documents", json={"url": "http://127.0.0.1:9/none.pdf"}))
    await asyncio.sleep(0.5)  # it counts when the caller can see the end already
    after = (await scrape(observed))["worker io"]
    assert [value(after, sample) - value(before, sample) for sample in samples] == [1, 1, 1, 1]


async def test_schedule_to_start_has_buckets_from_hundredths_of_seconds_to_an_hour(
    account: Account, observed: Observed
) -> None:
    await account.ended(await account.post("/documents", json={"text": f"Motor {account.organisation_id}"}))
    text = (await scrape(observed))["worker io"]
    name = "temporal_activity_schedule_to_start_latency_seconds"
    bounds = re.findall(
        rf'^{name}_bucket{{namespace="{NAMESPACE}",task_queue="io",le="(\S+)"}}', text, re.MULTILINE
    )
    assert (bounds[0], bounds[-2:]) == ("0.01", ["3600", "+Inf"])
    assert value(text, f'{name}_count{{namespace="{NAMESPACE}",task_queue="io"}}') > 0


async def test_the_api_shows_queues_and_parts(account: Account, observed: Observed) -> None:
    async with asyncio.timeout(30):
        while True:
            text = (await scrape(observed))["api"]
            if value(text, 'perdure_task_queue_pollers{queue="cpu",work="activity"}'):
                break
            await asyncio.sleep(1)
    for part in ("database", "temporal", "storage"):
        assert value(text, f'perdure_part_up{{part="{part}"}}') == 1
    for queue, work in (("io", "activity"), ("io", "workflow"), ("cpu", "activity")):
        assert f'perdure_task_queue_backlog_tasks{{queue="{queue}",work="{work}"}}' in text
        assert f'perdure_task_queue_backlog_age_seconds{{queue="{queue}",work="{work}"}}' in text
    answer = await account.http.get("/metrics", headers={"Accept": "application/json"})
    assert {"temporal_request_total", "perdure_part_up"} <= set(json.loads(answer.text))
