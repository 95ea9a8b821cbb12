"""Figures that the Temporal SDK keeps by itself, at an address for Prometheus, and ours beside them in a worker."""

import http.client
from ipaddress import ip_address

import structlog
from temporalio.common import MetricMeter
from temporalio.runtime import PrometheusConfig, Runtime, TelemetryConfig

from perdure.db.outcomes import Observer, OperationEnded, Outcome
from perdure.embedded import ports
from perdure.errors import ConfigurationError, UnavailableError

logger = structlog.get_logger("perdure.api")

# Theirs end at ten seconds or know nothing between one and ten: too coarse for a queue that should be empty.
_LATENCY_BUCKETS_S = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600)
_LATENCIES = (
    "activity_schedule_to_start_latency",
    "activity_execution_latency",
    "workflow_task_schedule_to_start_latency",
    "workflow_task_execution_latency",
    "workflow_endtoend_latency",
    "request_latency",
)

OPERATIONS_CLOSED = "perdure_operations_closed"
DOCUMENTS_SETTLED = "perdure_documents_settled"


_SCRAPE_TIMEOUT_S = 2.0
_TRIES = 5


def metered_runtime(address: str) -> Runtime:
    """A runtime whose figures are at `http://<address>/metrics`; UnavailableError when the port is taken."""
    metrics = PrometheusConfig(
        bind_address=_checked(address),
        counters_total_suffix=True,
        unit_suffix=True,
        durations_as_seconds=True,
        histogram_bucket_overrides={f"temporal_{name}": _LATENCY_BUCKETS_S for name in _LATENCIES},
    )
    try:
        return Runtime(telemetry=TelemetryConfig(metrics=metrics, attach_service_name=False))
    except ValueError as error:
        raise UnavailableError(f"no metrics can be served at {address}: {error}") from error


def _checked(address: str) -> str:
    host, _, port = address.rpartition(":")
    try:
        ip_address(host.strip("[]"))
        is_valid = 0 < int(port) < 65_536
    except ValueError:
        is_valid = False
    if not is_valid:
        msg = (
            f"PERDURE_WORKER_METRICS_ADDRESS is {address!r}: it takes an IP address and a port, for example "
            "0.0.0.0:9464"
        )
        raise ConfigurationError(msg)
    return address


class ClientFigures:
    """A runtime of a process that has metrics of its own: `text` is what it adds to them."""

    def __init__(self) -> None:
        for tries_left in reversed(range(_TRIES)):
            (self._port,) = ports.unused(1)
            try:
                self.runtime = metered_runtime(f"{ports.LOOPBACK}:{self._port}")
            except UnavailableError:
                if tries_left == 0:
                    raise  # somebody else took the port, again and again
            else:
                return

    def text(self) -> str:
        """Prometheus text, empty when there is none to be had; blocks for a moment."""
        connection = http.client.HTTPConnection(ports.LOOPBACK, self._port, timeout=_SCRAPE_TIMEOUT_S)
        try:
            connection.request("GET", "/metrics")
            return connection.getresponse().read().decode()
        except (OSError, http.client.HTTPException) as error:
            logger.warning("client_figures_not_read", error=str(error))
            return ""
        finally:
            connection.close()


def outcome_counters(meter: MetricMeter) -> Observer:
    """Counts outcomes in a worker, by the names that the API counts its own by."""
    operations = meter.create_counter(OPERATIONS_CLOSED, "Operations that ended.")
    documents = meter.create_counter(DOCUMENTS_SETTLED, "Documents that were indexed, or will not be.")

    def count(outcome: Outcome) -> None:
        labels = {"status": outcome.status, "reason": outcome.reason}
        if isinstance(outcome, OperationEnded):
            operations.add(1, {"kind": outcome.kind, **labels})
        else:
            documents.add(1, labels)

    return count
