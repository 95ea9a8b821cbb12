"""OpenTelemetry spans, where the usual variables name an exporter; else nothing happens, and nothing is loaded.

Spans carry ids, kinds and counts: no titles, no texts, and of an error its class only.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from perdure import __version__
from perdure.errors import ConfigurationError
from perdure.settings import Settings

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Tracer

Attribute = str | int | float | bool

_PARENT = "traceparent"
_LAST_EXPORT_S = 3.0


class _Tracing:
    """What tracing of this process is made of; like logging, there is one."""

    tracer: "Tracer | None" = None
    provider: "TracerProvider | None" = None


def start(settings: Settings, service: str) -> None:
    """Export spans from now on, when the environment asks for it. `OTEL_SERVICE_NAME` overrides `service`."""
    if not settings.tracing or _Tracing.tracer is not None:
        return
    if settings.otlp_protocol not in {"", "http/protobuf"}:
        msg = (
            f"OTEL_EXPORTER_OTLP_PROTOCOL is {settings.otlp_protocol!r}: Perdure speaks http/protobuf, which "
            "collectors take at port 4318"
        )
        raise ConfigurationError(msg)
    # Ten megabytes and some hundred milliseconds, for those who trace.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    ours = Resource({"service.name": service, "service.namespace": "perdure", "service.version": __version__})
    resource = ours.merge(OTELResourceDetector().detect())
    _Tracing.provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    _Tracing.provider.add_span_processor(BatchSpanProcessor(_discreet(OTLPSpanExporter())))
    _Tracing.tracer = _Tracing.provider.get_tracer("perdure", __version__)


def stop() -> None:
    """Send what is left, and export no more; a collector that does not answer is waited for but briefly."""
    provider, _Tracing.provider, _Tracing.tracer = _Tracing.provider, None, None
    if provider is not None:
        ending = threading.Thread(target=provider.shutdown, daemon=True)
        ending.start()
        ending.join(_LAST_EXPORT_S)


def tracer() -> "Tracer | None":
    """What makes spans, while tracing is on."""
    return _Tracing.tracer


@contextmanager
def span(name: str, **attributes: Attribute) -> Iterator[None]:
    """A span around a call to a database or a provider, where a request or an activity is being traced."""
    if _Tracing.tracer is None:
        yield
        return
    from opentelemetry.trace import SpanKind, get_current_span  # noqa: PLC0415  # loaded by `start`

    if not get_current_span().get_span_context().is_valid:
        yield  # housekeeping, many times a second
        return
    with _Tracing.tracer.start_as_current_span(name, kind=SpanKind.CLIENT, attributes=attributes):
        yield


def current() -> str | None:
    """The present span as a W3C `traceparent`; None while nothing is traced."""
    if _Tracing.tracer is None:
        return None
    from opentelemetry.trace.propagation.tracecontext import (  # noqa: PLC0415  # loaded by `start`
        TraceContextTextMapPropagator,
    )

    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)
    return carrier.get(_PARENT)


@contextmanager
def continued(trace_parent: str | None) -> Iterator[None]:
    """Spans inside belong to the trace of `trace_parent`: what was accepted earlier, or by another process."""
    if _Tracing.tracer is None or trace_parent is None:
        yield
        return
    from opentelemetry import context  # noqa: PLC0415  # loaded by `start`
    from opentelemetry.trace.propagation.tracecontext import (  # noqa: PLC0415  # loaded by `start`
        TraceContextTextMapPropagator,
    )

    token = context.attach(TraceContextTextMapPropagator().extract({_PARENT: trace_parent}))
    try:
        yield
    finally:
        context.detach(token)


def _discreet(exporter: "SpanExporter") -> "SpanExporter":
    """Messages of errors name files and quote texts: their class is all that leaves."""
    from opentelemetry.sdk.trace import Event, ReadableSpan  # noqa: PLC0415  # loaded by `start`
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult  # noqa: PLC0415
    from opentelemetry.trace import Status  # noqa: PLC0415

    def stripped(span: ReadableSpan) -> ReadableSpan:
        events = [
            Event(
                event.name,
                {"exception.type": str((event.attributes or {}).get("exception.type"))},
                event.timestamp,
            )
            for event in span.events
        ]
        return ReadableSpan(
            name=span.name,
            context=span.get_span_context(),
            parent=span.parent,
            resource=span.resource,
            attributes=span.attributes,
            events=events,
            links=span.links,
            kind=span.kind,
            status=Status(span.status.status_code),
            start_time=span.start_time,
            end_time=span.end_time,
            instrumentation_scope=span.instrumentation_scope,
        )

    class Discreet(SpanExporter):
        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            return exporter.export([stripped(span) for span in spans])

        def shutdown(self) -> None:
            exporter.shutdown()

        def force_flush(self, timeout_millis: int = 30_000) -> bool:
            return exporter.force_flush(timeout_millis)

    return Discreet()
