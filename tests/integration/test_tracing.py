"""Spans leave for a collector that the usual variables name, without what errors say; else nothing is even loaded."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from perdure import tracing
from perdure.errors import ConfigurationError
from perdure.settings import Settings
from tests.observability.collector import Collector, collecting

TITLE = "Letter of resignation"

PRODUCT = """
import sys
from api.app import create_app
from perdure import tracing
from perdure.settings import Settings
from workflows.client import connect
import asyncio
settings = Settings(temporal_address="127.0.0.1:1", secret_key="x" * 32, master_keys="k1:" + "A" * 43 + "=")
tracing.start(settings, "perdure-api")
create_app(settings)
asyncio.run(connect(settings, lazy=True))
print(*sorted(name for name in sys.modules if name.startswith("opentelemetry")))
"""
WORKER = (
    "import sys, worker; print(*sorted(name for name in sys.modules if name.startswith('opentelemetry')))"
)


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with collecting() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        yield collector
        tracing.stop()


def fail_while_traced() -> None:
    tracer = tracing.tracer()
    assert tracer is not None
    with tracer.start_as_current_span("request"), tracing.span("database", rows=3):
        raise ValueError(TITLE)


def test_an_error_leaves_with_its_class_and_without_its_message(collector: Collector) -> None:
    tracing.start(Settings(), "perdure-test")
    with pytest.raises(ValueError, match=TITLE):
        fail_while_traced()
    tracing.stop()
    request, database = sorted(collector.spans, key=lambda span: span.name, reverse=True)
    assert (request.name, request.failed, request.service) == ("request", True, "perdure-test")
    assert (database.name, database.parent_id, database.attributes) == (
        "database",
        request.span_id,
        {"rows": 3},
    )
    sent = b"".join(collector.bodies)
    assert b"ValueError" in sent
    assert TITLE.encode() not in sent


def test_housekeeping_that_no_request_asked_for_makes_no_spans(collector: Collector) -> None:
    tracing.start(Settings(), "perdure-test")
    with tracing.span("database"):
        assert tracing.current() is None
    tracing.stop()
    assert collector.spans == []


def test_what_was_accepted_earlier_goes_on_in_its_trace(collector: Collector) -> None:
    tracing.start(Settings(), "perdure-test")
    tracer = tracing.tracer()
    assert tracer is not None
    with tracer.start_as_current_span("request"):
        kept = tracing.current()
    with tracing.continued(kept), tracer.start_as_current_span("start"):
        pass
    tracing.stop()
    request, start = sorted(collector.spans, key=lambda span: span.name)
    assert (start.trace_id, start.parent_id) == (request.trace_id, request.span_id)


@pytest.mark.parametrize(
    ("variables", "traces"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://collector:4318/v1/traces"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318", "OTEL_SDK_DISABLED": "true"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318", "OTEL_TRACES_EXPORTER": "none"}, False),
    ],
)
def test_the_usual_variables_decide(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], traces: bool
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert Settings().tracing is traces


def test_a_protocol_that_is_not_spoken_is_refused(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    with pytest.raises(ConfigurationError, match="http/protobuf"):
        tracing.start(Settings(), "perdure-test")


def loaded(script: str) -> set[str]:
    """What of OpenTelemetry a process of ours loads that is not told to trace."""
    command = [sys.executable, "-c", script]
    ended = subprocess.run(command, check=True, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    return set(ended.stdout.split())


def test_a_worker_that_does_not_trace_loads_nothing_of_opentelemetry() -> None:
    assert loaded(WORKER) == set()


def test_an_api_that_does_not_trace_loads_neither_the_sdk_nor_an_exporter() -> None:
    # FastAPI loads the interfaces, whatever it is told.
    heavy = ("opentelemetry.sdk", "opentelemetry.exporter", "opentelemetry.proto", "opentelemetry.semconv")
    assert [name for name in loaded(PRODUCT) if name.startswith(heavy)] == []
