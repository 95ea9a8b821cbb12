"""One ingest is one trace, from the request through the workflow to the database, and says nothing of its content."""

import asyncio

import pytest

from tests.accounts import Account
from tests.observability.collector import Collector, Span
from tests.observability.conftest import Observed

SECRET = "Zanzibar"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
ACCEPTED = "POST /api/v1/documents"


async def trace_with(collector: Collector, *names: str) -> list[Span]:
    """The latest trace of an upload, once it has spans of these names."""
    async with asyncio.timeout(30):
        while True:
            spans = collector.trace_of(ACCEPTED)
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
    document = await account.ingested(files={"file": (f"{SECRET}.html", page, "text/html")})
    assert document["status"] == "indexed"
    spans = await trace_with(collector, "CompleteWorkflow:IngestDocument")

    by_name = {span.name: span for span in spans}
    assert by_name[ACCEPTED].service == "perdure-api"
    assert by_name[ACCEPTED].attributes["http.response.status_code"] == 202
    assert by_name["RunWorkflow:IngestDocument"].service == "perdure-worker"
    assert ancestors(by_name["RunWorkflow:IngestDocument"], spans) == [
        "StartWorkflow:IngestDocument",
        ACCEPTED,
    ]
    for activity in ("parse_document", "embed_document", "index_document"):
        above = ancestors(by_name[f"RunActivity:{activity}"], spans)
        assert above == [f"StartActivity:{activity}", "StartWorkflow:IngestDocument", ACCEPTED]
    inside = {(span.name, ancestors(span, spans)[0]) for span in spans if span.parent_id}
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
    accepted = await account.post("/documents", json={"url": address, "title": f"About {SECRET}"})
    ended = await account.ended(accepted)
    assert SECRET in (await account.get(f"/documents/{ended['subject']['id']}"))["title"]
    spans = await trace_with(collector, "CompleteWorkflow:IngestDocument")
    assert "RunActivity:fetch_document" in {span.name for span in spans}
    await account.post("/search", 200, json={"query": f"What is in {SECRET}?"})
    await asyncio.sleep(1)
    assert not [body for body in collector.bodies if SECRET.encode() in body]


async def test_a_trace_goes_on_in_the_workflow_that_another_process_starts(
    account: Account, collector: Collector, observed: Observed
) -> None:
    # Temporal is gone when the document is accepted: the outbox starts the workflow when it is back.
    observed.kill("temporal")
    caller = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}
    operation = await account.post("/documents", json={"text": "The tide is low at noon."}, headers=caller)
    assert operation["status"] == "pending"
    assert (await account.ended(operation, 90))["status"] == "completed"
    async with asyncio.timeout(30):
        while True:
            seen = {(span.name, span.trace_id) for span in collector.spans}
            if ("CompleteWorkflow:IngestDocument", TRACE) in seen:
                return
            await asyncio.sleep(0.1)


@pytest.mark.parametrize("path", ["/health/live", "/metrics"])
async def test_what_load_balancers_ask_for_is_not_traced(
    account: Account, collector: Collector, path: str
) -> None:
    before = len(collector.spans)
    assert (await account.http.get(path)).is_success
    await asyncio.sleep(1)
    asked = [span.name for span in collector.spans[before:] if path in span.name]
    assert asked == []
