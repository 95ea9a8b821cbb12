"""Where the SDK's figures are served, and what is said when they cannot be."""

import socket
import urllib.request

import pytest

from perdure.db.outcomes import DocumentSettled, OperationEnded
from perdure.embedded import ports
from perdure.errors import ConfigurationError, UnavailableError
from workflows.sdk_metrics import ClientFigures, metered_runtime, outcome_counters


@pytest.mark.parametrize(
    "address", ["localhost:9464", ":9464", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:70000"]
)
def test_an_address_that_is_none_is_named_with_the_setting(address: str) -> None:
    with pytest.raises(ConfigurationError, match="PERDURE_WORKER_METRICS_ADDRESS"):
        metered_runtime(address)


def test_a_port_that_is_taken_is_no_fault_of_the_settings() -> None:
    with socket.create_server((ports.LOOPBACK, 0)) as taken:
        address = f"{ports.LOOPBACK}:{taken.getsockname()[1]}"
        with pytest.raises(UnavailableError, match=address):
            metered_runtime(address)


def test_outcomes_are_counted_beside_the_figures_of_the_sdk() -> None:
    (port,) = ports.unused(1)
    runtime = metered_runtime(f"{ports.LOOPBACK}:{port}")
    count = outcome_counters(runtime.metric_meter)
    for outcome in (
        OperationEnded("ingest_document", "failed", "corrupt"),
        DocumentSettled("indexed"),
        DocumentSettled("indexed"),
    ):
        count(outcome)
    with urllib.request.urlopen(f"http://{ports.LOOPBACK}:{port}/metrics") as answer:  # loopback
        shown = answer.read().decode().splitlines()
    assert (
        'perdure_operations_closed_total{kind="ingest_document",reason="corrupt",status="failed"} 1' in shown
    )
    assert 'perdure_documents_settled_total{reason="",status="indexed"} 2' in shown


def test_a_process_with_metrics_of_its_own_reads_them_from_loopback() -> None:
    figures = ClientFigures()
    figures.runtime.metric_meter.create_counter("tests_run", "Tests.").add(1)
    assert "tests_run_total 1" in figures.text().splitlines()
