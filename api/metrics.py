"""Counters and gauges of the API process."""

import json

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.process_collector import ProcessCollector


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

    def count(self, method: str, route: str, status: int, seconds: float) -> None:
        """One answered request; 499 when the client was gone before the answer."""
        self.requests.labels(method, route, str(status)).inc()
        self.seconds.labels(method, route).observe(seconds)

    def to_json(self) -> str:
        """Samples as a JSON object of lists."""
        samples: dict[str, list[dict[str, object]]] = {}
        for family in self.registry.collect():
            for sample in family.samples:
                samples.setdefault(sample.name, []).append({"labels": sample.labels, "value": sample.value})
        return json.dumps(samples)
