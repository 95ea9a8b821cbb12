"""Counters and gauges of the API process."""

import json

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.process_collector import ProcessCollector

from perdure import __version__
from perdure.db.outcomes import OperationEnded, Outcome
from workflows.sdk_metrics import DOCUMENTS_SETTLED, OPERATIONS_CLOSED

# A second series for each, of when it began: nobody asks for it.
disable_created_metrics()  # type: ignore[no-untyped-call]  # the library has no types


class Metrics:
    """One registry per application, so that tests do not share counts."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.requests = Counter(
            "perdure_http_requests",
            "Answered requests.",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "perdure_http_request_seconds",
            "Time to the end of the answer.",
            ["method", "route"],
            registry=self.registry,
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
        )
        self.operations = Counter(
            "perdure_operations_accepted", "Operations accepted.", ["kind"], registry=self.registry
        )
        self.refused = Counter(
            "perdure_rate_limited", "Requests over a rate limit.", ["policy"], registry=self.registry
        )
        self.untold = Counter(
            "perdure_rate_store_failures",
            "Times that the store of the rate limits did not answer.",
            registry=self.registry,
        )
        self.closed = Counter(
            OPERATIONS_CLOSED, "Operations that ended.", ["kind", "status", "reason"], registry=self.registry
        )
        self.settled = Counter(
            DOCUMENTS_SETTLED,
            "Documents that were indexed, or will not be.",
            ["status", "reason"],
            registry=self.registry,
        )
        self._watch()

    def _watch(self) -> None:
        """Gauges of the installation, the same from every API process: take `max`, never `sum`."""
        self.open = self._gauge(
            "perdure_operations_open", "Operations that have not ended.", "kind", "status"
        )
        self.stuck = self._gauge(
            "perdure_operations_stuck",
            "Operations without any progress for PERDURE_STUCK_AFTER_S, though nobody holds them.",
            "kind",
            "status",
        )
        self.oldest = self._gauge(
            "perdure_operations_oldest_age_seconds", "Age of the oldest that has not ended.", "kind", "status"
        )
        self.backlog = self._gauge(
            "perdure_task_queue_backlog_tasks", "Tasks that no worker has taken yet.", "queue", "work"
        )
        self.backlog_age = self._gauge(
            "perdure_task_queue_backlog_age_seconds", "How long the oldest of them waits.", "queue", "work"
        )
        self.pollers = self._gauge(
            "perdure_task_queue_pollers", "Workers that asked for work within five minutes.", "queue", "work"
        )
        self.messages_waiting = self._gauge(
            "perdure_messages_waiting", "Letters and webhooks that are still to be delivered.", "channel"
        )
        self.messages_oldest = self._gauge(
            "perdure_messages_oldest_waiting_age_seconds", "Age of the oldest of them.", "channel"
        )
        self.messages_dead = self._gauge(
            "perdure_messages_dead",
            "Letters and webhooks that were given up, as long as they are kept.",
            "channel",
        )
        self.part_up = self._gauge("perdure_part_up", "1 when the part answers the API, else 0.", "part")
        self.observed_at = self._gauge(
            "perdure_observed_timestamp_seconds", "When all of these gauges were last looked up."
        )
        self._gauge("perdure_build_info", "1, for the version in its label.", "version").labels(
            __version__
        ).set(1)

    def _gauge(self, name: str, meaning: str, *labels: str) -> Gauge:
        return Gauge(name, meaning, labels, registry=self.registry)

    def count_outcome(self, outcome: Outcome) -> None:
        """One that this process committed; workers count theirs by the same names."""
        if isinstance(outcome, OperationEnded):
            self.closed.labels(outcome.kind, outcome.status, outcome.reason).inc()
        else:
            self.settled.labels(outcome.status, outcome.reason).inc()

    def count(self, method: str, route: str, status: int, seconds: float) -> None:
        """One answered request; 499 when the client was gone before the answer."""
        self.requests.labels(method, route, str(status)).inc()
        self.seconds.labels(method, route).observe(seconds)

    def to_json(self, more: str = "") -> str:
        """Samples, and those of `more` in Prometheus text, as a JSON object of lists."""
        samples: dict[str, list[dict[str, object]]] = {}
        for family in (*self.registry.collect(), *text_string_to_metric_families(more)):
            for sample in family.samples:
                samples.setdefault(sample.name, []).append({"labels": sample.labels, "value": sample.value})
        return json.dumps(samples)
