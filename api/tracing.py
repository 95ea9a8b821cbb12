"""A span for every request; its workflow and activities belong to the same trace. See `perdure.tracing`."""

import structlog
from opentelemetry.trace import SpanKind, StatusCode, Tracer, format_trace_id
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Of what callers send along, the trace alone: baggage would go on into the headers of workflows.
_propagator = TraceContextTextMapPropagator()
_UNTRACED = ("/health", "/metrics", "/static")


class TracingMiddleware:
    """Plain ASGI, inside of `RequestMiddleware`, whose log lines carry the id of the trace."""

    def __init__(self, app: ASGIApp, tracer: Tracer) -> None:
        self._app, self._tracer = app, tracer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(_UNTRACED):
            await self._app(scope, receive, send)
            return
        method: str = scope["method"]
        with self._tracer.start_as_current_span(
            method,
            context=_propagator.extract(Headers(scope=scope)),
            kind=SpanKind.SERVER,
            attributes={"http.request.method": method, "perdure.request_id": scope["state"]["request_id"]},
        ) as span:
            structlog.contextvars.bind_contextvars(trace_id=format_trace_id(span.get_span_context().trace_id))

            async def watch(message: Message) -> None:
                if message["type"] == "http.response.start":
                    span.set_attribute("http.response.status_code", message["status"])
                    if message["status"] >= 500:
                        span.set_status(StatusCode.ERROR)
                await send(message)

            try:
                await self._app(scope, receive, watch)
            finally:
                # The template, not the path: known once it was routed, and without anything that a caller chose.
                route = getattr(scope.get("route"), "path", None)
                if route is not None:
                    span.update_name(f"{method} {route}")
                    span.set_attribute("http.route", route)
