"""Where the parts of a stack listen."""

from dataclasses import dataclass, replace

from perdure.embedded import ports
from perdure.embedded.processes import Report
from perdure.embedded.temporal_server import TemporalPorts
from perdure.settings import Settings


@dataclass(frozen=True)
class StackPorts:
    """Where the parts listen; decided once, so that a part that dies comes back in the same place."""

    api: int
    temporal: TemporalPorts

    @classmethod
    def configured(cls, settings: Settings) -> "StackPorts":
        """What the settings ask for."""
        return cls(settings.api_port, TemporalPorts(settings.temporal_port, settings.temporal_ui_port, 0, 0))

    @classmethod
    def choose(cls, settings: Settings, report: Report) -> "StackPorts":
        """The configured ports, or the next free ones."""
        taken: set[int] = set()

        def choose(part: str, wanted: int, host: str = ports.LOOPBACK) -> int:
            port = ports.next_free(wanted, frozenset(taken), host)
            taken.add(port)
            if port != wanted:
                report(part, f"port {wanted} is busy, taking {port}")
            return port

        api = choose("api", settings.api_port, settings.api_host)
        if settings.temporal_address:
            return replace(cls.configured(settings), api=api)
        grpc = choose("temporal", settings.temporal_port)
        ui = choose("temporal ui", settings.temporal_ui_port)
        http, metrics = ports.unused(2)
        return cls(api, TemporalPorts(grpc, ui, http, metrics))
