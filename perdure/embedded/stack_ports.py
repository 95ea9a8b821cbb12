"""Where the parts of a stack listen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from perdure.embedded import ports
from perdure.embedded.processes import Report
from perdure.embedded.temporal_server import TemporalPorts
from perdure.settings import Settings


@dataclass(frozen=True)
class StackPorts:
    """Where the parts listen; decided once, so that a part that dies comes back in the same place."""

    api: int
    temporal: TemporalPorts
    worker_metrics: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def configured(cls, settings: Settings) -> "StackPorts":
        """What the settings ask for."""
        return cls(settings.api_port, TemporalPorts(settings.temporal_port, settings.temporal_ui_port, 0, 0))

    @classmethod
    def choose(cls, settings: Settings, report: Report, worker_queues: Sequence[str] = ()) -> "StackPorts":
        """The configured ports, or the next free ones."""
        taken: set[int] = set()

        def choose(part: str, wanted: int, host: str = ports.LOOPBACK) -> int:
            port = ports.next_free(wanted, taken, host)
            taken.add(port)
            if port != wanted:
                report(part, f"port {wanted} is busy, taking {port}")
            return port

        api = choose("api", settings.api_port, settings.api_host)
        if settings.temporal_address:
            of_workers = ports.unused(len(worker_queues), taken)
            worker_metrics = dict(zip(worker_queues, of_workers, strict=True))
            return replace(cls.configured(settings), api=api, worker_metrics=worker_metrics)
        grpc = choose("temporal", settings.temporal_port)
        ui = choose("temporal ui", settings.temporal_ui_port)
        # Any will do for these, but those above: nobody listens there yet.
        http, metrics, *of_workers = ports.unused(2 + len(worker_queues), taken)
        worker_metrics = dict(zip(worker_queues, of_workers, strict=True))
        return cls(api, TemporalPorts(grpc, ui, http, metrics), worker_metrics)
