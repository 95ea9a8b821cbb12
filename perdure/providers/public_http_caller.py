"""Requests of workflows to other programs: into the open internet, with limits of size and time."""

import asyncio
import ssl
import zlib
from email.message import Message

import httpx

from perdure import tracing
from perdure.domain.addresses import DEFAULT_PORTS, AddressRules, Target, check_url
from perdure.errors import DocumentRejectedError, UpstreamError
from perdure.ports.http import HttpAnswer, HttpCall
from perdure.providers.pinned_http import PinnedHttp, inflated, location, upstream
from perdure.providers.resolving import Resolve, resolve_by_system

MAX_BODY = 256 * 1024
TIMEOUT_S = 30.0
_WORTH_RETRYING = frozenset({408, 425, 429})


class PublicHttpCaller:
    """See `perdure.ports.http.HttpCaller`. `resolve`, `ports` and `ssl_context` are for tests.

    The operator's exceptions are `PERDURE_FETCH_ALLOW_HOSTS`.
    """

    def __init__(
        self,
        allowed_hosts: str,
        *,
        timeout_s: float = TIMEOUT_S,
        resolve: Resolve = resolve_by_system,
        ports: frozenset[int] = DEFAULT_PORTS,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self._timeout_s = timeout_s
        rules = AddressRules.from_setting(allowed_hosts, ports)
        self._http = PinnedHttp(rules, timeout_s, resolve=resolve, ssl_context=ssl_context)

    async def aclose(self) -> None:
        """Close the client."""
        await self._http.aclose()

    async def call(self, call: HttpCall) -> HttpAnswer:
        """See the port."""
        target = check_url(call.url, self._http.rules)
        try:
            with tracing.span("call"):
                async with asyncio.timeout(self._timeout_s):
                    return await self._call(target, call)
        except TimeoutError as error:
            msg = f"{target.host} did not answer within {self._timeout_s:g} seconds."
            raise UpstreamError(msg) from error

    async def _call(self, target: Target, call: HttpCall) -> HttpAnswer:
        async with self._http.request(target, call.method, call.headers, call.content) as response:
            code = response.status_code
            if code >= 500 or code in _WORTH_RETRYING:
                said = f"{target.host} answered {code} {response.reason_phrase}".strip()
                raise UpstreamError(f"{said}.")
            body = bytearray()
            try:
                async for piece in inflated(response):
                    body += piece
                    if len(body) > MAX_BODY:
                        raise DocumentRejectedError(
                            "too_large", f"{target.host} answers more than {MAX_BODY // 1024} KiB, the limit."
                        )
            except (httpx.HTTPError, zlib.error) as error:
                raise upstream(target, error) from error
            header = Message()
            header["Content-Type"] = response.headers.get("content-type", "application/octet-stream")
            return HttpAnswer(code, header.get_content_type(), bytes(body), location(response))
