"""What happens around every request: id, log line, security headers, body limits, last resort for errors.

Plain ASGI; add it last, so that it is outermost:

    app.add_middleware(RequestMiddleware, settings=settings, upload_paths=(r"/api/v1/documents",))
"""

import re
import time
from collections.abc import Sequence

import numpy as np
import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from ulid import ULID

from api import problems
from api.metrics import Metrics
from api.rate_limits import fields_of
from perdure.errors import MalformedRequestError, PayloadTooLargeError, PerdureError
from perdure.settings import Settings

REQUEST_ID_HEADER = "X-Request-ID"
MAX_JSON_DEPTH = 64

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = (
    ("content-security-policy", CONTENT_SECURITY_POLICY),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "camera=(), geolocation=(), microphone=()"),
)
_HSTS = ("strict-transport-security", "max-age=31536000; includeSubDomains")

_USABLE_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_OPENING = ord("[")
_STRIDE = 1024 * 1024
_ONE_KIND = bytes.maketrans(b"{}", b"[]")
# The closing quote may be missing: else each quote of an endless string would be scanned to the end again.
_JSON_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_QUIET = ("/health", "/metrics", "/static")

_log = structlog.get_logger("perdure.api")


def is_deeper_than(body: bytes, limit: int) -> bool:
    """Whether JSON nests deeper than `limit`. What is not JSON is left to the parser.

    Every pass runs in C, and none depends on how the brackets lie: strings out, all but brackets out, then the
    highest sum of +1 for each opening and -1 for each closing one, a mebibyte at a time.
    """
    if body.count(b"[") + body.count(b"{") <= limit:
        return False
    brackets = _JSON_STRING.sub(b"", body).translate(_ONE_KIND, _NOT_BRACKETS)
    depth = 0
    for start in range(0, len(brackets), _STRIDE):
        opens = np.frombuffer(brackets, np.uint8, min(_STRIDE, len(brackets) - start), start) == _OPENING
        depths = np.cumsum(opens.astype(np.int8) * 2 - 1, dtype=np.int64) + depth
        if depths.max() > limit:
            return True
        depth = int(depths[-1])
    return False


class _Body:
    """Watches a request body pass: size while it streams, depth when a JSON one is complete."""

    def __init__(self, receive: Receive, *, max_bytes: int | None, is_json: bool) -> None:
        self._receive, self._max_bytes, self._is_json = receive, max_bytes, is_json
        self._size = 0
        self._chunks: list[bytes] = []

    async def __call__(self) -> Message:
        message = await self._receive()
        if message["type"] != "http.request":
            return message
        chunk: bytes = message.get("body", b"")
        self._size += len(chunk)
        if self._max_bytes is not None and self._size > self._max_bytes:
            raise too_large(self._max_bytes)
        if self._is_json:
            self._chunks.append(chunk)
            if not message.get("more_body", False):
                chunks, self._chunks = self._chunks, []
                if is_deeper_than(b"".join(chunks), MAX_JSON_DEPTH):
                    detail = (
                        f"The JSON nests deeper than {MAX_JSON_DEPTH} levels; flatten it and send it again."
                    )
                    raise MalformedRequestError(detail)
        return message


def too_large(max_bytes: int) -> PayloadTooLargeError:
    """The error for a body over the limit."""
    detail = (
        f"The body is larger than {max_bytes} bytes (PERDURE_MAX_JSON_BYTES); split it, or send files as "
        "multipart uploads."
    )
    return PayloadTooLargeError(detail)


class RequestMiddleware:
    """See the module. `upload_paths`: regular expressions of paths that stream bodies other than JSON."""

    def __init__(self, app: ASGIApp, settings: Settings, upload_paths: Sequence[str] = ()) -> None:
        self._app = app
        self._max_bytes = settings.max_json_bytes
        self._headers = _HEADERS + ((_HSTS,) if settings.secure_cookies else ())
        self._uploads = re.compile("|".join(f"(?:{path})" for path in upload_paths)) if upload_paths else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given = headers.get(REQUEST_ID_HEADER, "")
        request_id = given if _USABLE_ID.fullmatch(given) else str(ULID()).lower()
        scope.setdefault("state", {})["request_id"] = request_id
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        await _Exchange(scope, send, request_id, self._headers).run(
            self._app, receive, limit=self._limit(scope, headers), headers=headers
        )

    def _limit(self, scope: Scope, headers: Headers) -> int | None:
        streams = self._uploads is not None and self._uploads.fullmatch(scope["path"]) is not None
        return None if streams and not _is_json(headers) else self._max_bytes


class _Exchange:
    """One request and its answer."""

    def __init__(self, scope: Scope, send: Send, request_id: str, headers: Sequence[tuple[str, str]]) -> None:
        self._scope, self._send_on, self._request_id, self._headers = scope, send, request_id, headers
        self._status: int | None = None
        self._started_at = time.perf_counter()

    async def run(self, app: ASGIApp, receive: Receive, *, limit: int | None, headers: Headers) -> None:
        try:
            declared = headers.get("content-length", "0")
            if limit is not None and declared.isdigit() and int(declared) > limit:
                await self._answer(too_large(limit), receive)
                return
            body = _Body(receive, max_bytes=limit, is_json=_is_json(headers))
            await app(self._scope, body, self._send)
        except PerdureError as error:
            await self._answer(error, receive)
        except Exception as error:  # noqa: BLE001  # the process boundary: logged there, answered as a 500
            await self._answer(error, receive)
        finally:
            self._record()

    async def _answer(self, error: Exception, receive: Receive) -> None:
        response = problems.respond(error, self._scope)
        if self._status is None:
            await response(self._scope, receive, self._send)
        else:
            raise error  # it has begun: only a broken connection tells the client that it is incomplete

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            headers = MutableHeaders(scope=message)
            for name, value in self._headers:
                headers.setdefault(name, value)
            if self._scope["path"].startswith("/api/"):
                headers.setdefault("cache-control", "no-store")
            verdict = self._scope.get("state", {}).get("rate_verdict")
            if verdict is not None:
                headers.update(fields_of(verdict))
            headers[REQUEST_ID_HEADER] = self._request_id
        await self._send_on(message)

    def _record(self) -> None:
        """One log line, and the metrics when there are any."""
        path: str = self._scope["path"]
        seconds = time.perf_counter() - self._started_at
        write = _log.debug if path.startswith(_QUIET) else _log.info
        write(
            "request",
            method=self._scope["method"],
            path=problems.loggable(path),
            status=self._status,
            duration_ms=round(seconds * 1000, 1),
        )
        metrics: Metrics | None = getattr(self._scope["app"].state, "metrics", None)
        if metrics is not None:
            # The template, not the path: an id in a label would make a series of its own.
            route = getattr(self._scope.get("route"), "path", "unmatched")
            metrics.count(self._scope["method"], route, self._status or 499, seconds)


def _is_json(headers: Headers) -> bool:
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    return media_type == "application/json" or media_type.endswith("+json")
