"""One ingest is one trace, from the request through the workflow to the database, and says nothing of its content."""

import asyncio
import secrets
from dataclasses import dataclass, field

import pytest
from temporalio.api.common.v1 import Header, Payload, WorkflowExecution
from temporalio.api.workflowservice.v1 import SignalWorkflowExecutionRequest

from perdure.embedded.temporal_server import NAMESPACE
from tests.accounts import Account
from tests.observability.collector import Collector, Span
from tests.observability.conftest import Observed
from workflows.client import connect

SECRET = "Zanzibar"
ACCEPTED = "POST /api/v1/documents"
COMPLETED = "CompleteWorkflow:IngestDocument"


@dataclass(frozen=True)
class Caller:
    """Somebody who traces their own calls."""

    trace_id: str = field(default_factory=lambda: secrets.token_hex(16))

    @property
    def headers(self) -> dict[str, str]:
        return {"traceparent": f"00-{self.trace_id}-00f067aa0ba902b7-01"}


async def trace_with(collector: Collector, caller: Caller, *names: str) -> list[Span]:
    """The spans of a caller's trace, once it has these; each process sends its own, when it likes."""
    async with asyncio.timeout(60):
        while True:
            spans = collector.trace(caller.trace_id)
            if set(names) <= {span.name for span in spans}:
                return spans
            await asyncio.sleep(0.1)


def ancestors(span: Span, spans: list[Span]) -> list[str]:
    """Names from the span's parent up to the request."""
    by_id = {each.span_id: each for each in spans}
    names = []
    while span.parent_id in by_id:
        span = by_id[span.parent_id]
        names.append(span.name)
    return names


async def test_an_ingest_is_one_trace_from_the_request_to_the_database(
    account: Account, collector: Collector
) -> None:
    page = f"<h1>{SECRET}</h1><p>{SECRET} has a harbour, and the harbour has a lighthouse.</p>"
    caller = Caller()
    upload = {"file": (f"{SECRET}.html", page, "text/html")}
    document = await account.ingested(files=upload, headers=caller.headers)
    assert document["status"] == "indexed"
    activities = [f"RunActivity:{name}" for name in ("parse_document", "embed_document", "index_document")]
    spans = await trace_with(collector, caller, ACCEPTED, COMPLETED, "parse", "embed", *activities)

    by_name = {span.name: span for span in spans}
    assert by_name[ACCEPTED].service == "perdure-api"
    assert by_name[ACCEPTED].attributes["http.response.status_code"] == 202
    assert by_name["RunWorkflow:IngestDocument"].service == "perdure-worker"
    assert ancestors(by_name["RunWorkflow:IngestDocument"], spans) == [
        "StartWorkflow:IngestDocument",
        ACCEPTED,
    ]
    for activity in activities:
        above = ancestors(by_name[activity], spans)
        start = activity.replace("Run", "Start")
        assert above == [start, "StartWorkflow:IngestDocument", ACCEPTED]
    inside = {(span.name, *ancestors(span, spans)[:1]) for span in spans}
    assert {
        ("database", ACCEPTED),
        ("parse", "RunActivity:parse_document"),
        ("embed", "RunActivity:embed_document"),
        ("database", "RunActivity:index_document"),
    } <= inside


async def test_spans_say_nothing_of_what_documents_say_or_are_called(
    account: Account, collector: Collector
) -> None:
    address = f"http://127.0.0.1:9/{SECRET}.pdf"
    caller = Caller()
    body = {"url": address, "title": f"About {SECRET}"}
    accepted = await account.post("/documents", json=body, headers=caller.headers)
    ended = await account.ended(accepted)
    assert SECRET in (await account.get(f"/documents/{ended['subject']['id']}"))["title"]
    await trace_with(collector, caller, ACCEPTED, COMPLETED, "RunActivity:fetch_document")
    await account.post("/search", 200, json={"query": f"What is in {SECRET}?"})
    await asyncio.sleep(1)
    assert not [body for body in collector.bodies if SECRET.encode() in body]


async def test_a_trace_goes_on_in_the_workflow_that_another_process_starts(
    account: Account, collector: Collector, observed: Observed
) -> None:
    # Temporal is gone when the document is accepted: the outbox starts the workflow when it is back.
    observed.kill("temporal")
    caller = Caller()
    body = {"text": "The tide is low at noon."}
    operation = await account.post("/documents", json=body, headers=caller.headers)
    assert operation["status"] == "pending"
    assert (await account.ended(operation, 90))["status"] == "completed"
    await trace_with(collector, caller, ACCEPTED, COMPLETED)


@pytest.mark.parametrize("path", ["/health/live", "/metrics"])
async def test_what_load_balancers_ask_for_is_not_traced(
    account: Account, collector: Collector, path: str
) -> None:
    before = len(collector.spans)
    assert (await account.http.get(path)).is_success
    await asyncio.sleep(1)
    asked = [span.name for span in collector.spans[before:] if path in span.name]
    assert asked == []


@pytest.mark.parametrize(
    "trace",
    [
        Payload(metadata={"encoding": b"json/plain"}, data=b"rubbish"),
        Payload(metadata={"encoding": b"json/plain"}, data=b'["traceparent"]'),
        Payload(metadata={"encoding": b"json/plain"}, data=b'{"traceparent": 7}'),
        Payload(metadata={"encoding": b"binary/unheard-of"}, data=b"{}"),
    ],
)
async def test_a_signal_with_a_trace_that_cannot_be_read_is_taken(
    account: Account, observed: Observed, trace: Payload
) -> None:
    operation = await account.post("/documents", json={"url": "http://localhost/nobody-listens.pdf"})
    await account.until(operation, {"running"})
    client = await connect(observed.settings())
    await client.workflow_service.signal_workflow_execution(
        SignalWorkflowExecutionRequest(
            namespace=NAMESPACE,
            workflow_execution=WorkflowExecution(workflow_id=operation["workflow_id"]),
            signal_name="pause",
            header=Header(fields={"_tracer-data": trace}),
        )
    )
    await account.until(operation, {"paused"})
    await account.post(f"/operations/{operation['id']}/cancel")
    assert (await account.ended(operation))["status"] == "cancelled"
