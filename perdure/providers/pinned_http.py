"""HTTP to addresses that were checked: a host is resolved once, and connected to at one of those and no other."""

import contextlib
import socket
import ssl
import zlib
from collections.abc import AsyncIterator, Mapping, Sequence

import httpx

from perdure.domain.addresses import AddressRules, Target, check_addresses
from perdure.errors import DocumentRejectedError, UpstreamError
from perdure.providers.certificates import certificate_fault
from perdure.providers.resolving import Resolve, resolve_by_system

_CONNECT_TIMEOUT_S = 10.0
_LOCATION = "perdure.location"
_PIECE = 64 * 1024


async def _set_location_aside(response: httpx.Response) -> None:
    """Keep where a redirect leads from httpx, which reads it before we do and fails on what is no URL."""
    response.extensions[_LOCATION] = response.headers.pop("location", "")


def location(response: httpx.Response) -> str:
    """Where a redirect leads; nothing follows it by itself."""
    return str(response.extensions.get(_LOCATION, ""))


def pinned_client(
    timeout_s: float,
    connect_timeout_s: float,
    ssl_context: ssl.SSLContext | None,
    headers: Mapping[str, str],
) -> httpx.AsyncClient:
    """A client without proxies, redirects and connections that are kept."""
    return httpx.AsyncClient(
        verify=ssl_context or True,
        trust_env=False,  # a proxy would resolve names again, behind our back
        follow_redirects=False,
        timeout=httpx.Timeout(timeout_s, connect=connect_timeout_s),
        # connections are kept by address, and two names may share one: none is used twice
        limits=httpx.Limits(max_keepalive_connections=0),
        headers={"User-Agent": "Perdure/0.1", **headers},
    )


async def connected(
    client: httpx.AsyncClient,
    target: Target,
    addresses: Sequence[str],
    method: str,
    headers: Mapping[str, str] | None = None,
    content: bytes | None = None,
) -> httpx.Response:
    """The answer of the first address that takes the connection, its body still to be read; else the last failure."""
    failure: httpx.TransportError = httpx.ConnectError("no address")
    for address in addresses:
        host = f"[{address}]" if ":" in address else address
        request = client.build_request(
            method,
            httpx.URL(f"{target.scheme}://{host}:{target.port}{target.path}"),
            headers={**(headers or {}), "Host": target.authority},
            content=content,
            extensions={"sni_hostname": target.host},
        )
        try:
            return await client.send(request, stream=True)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            failure = error
    raise failure


class PinnedHttp:
    """Requests whose failures are errors of ours. `resolve` is for tests."""

    def __init__(
        self,
        rules: AddressRules,
        timeout_s: float,
        *,
        resolve: Resolve = resolve_by_system,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self.rules = rules
        self._resolve = resolve
        self._client = pinned_client(
            timeout_s, _CONNECT_TIMEOUT_S, ssl_context, {"Accept": "*/*", "Accept-Encoding": "identity"}
        )
        self._client.event_hooks = {"response": [_set_location_aside]}

    async def aclose(self) -> None:
        """Close the client."""
        await self._client.aclose()

    @contextlib.asynccontextmanager
    async def request(
        self,
        target: Target,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
    ) -> AsyncIterator[httpx.Response]:
        """The answer, whose body is still to be read. UpstreamError for what may be better later."""
        addresses = check_addresses(target, await self._addresses(target), self.rules)
        try:
            response = await connected(self._client, target, addresses, method, headers, content)
        except httpx.HTTPError as error:
            if (fault := certificate_fault(error)) is not None:
                raise unreachable(
                    f"The certificate of {target.host} is not valid for it: {fault}."
                ) from error
            raise upstream(target, error) from error
        try:
            yield response
        finally:
            await response.aclose()

    async def _addresses(self, target: Target) -> list[str]:
        try:
            addresses = await self._resolve(target.host, target.port)
        except socket.gaierror as error:
            if error.errno == socket.EAI_AGAIN:
                raise upstream(target, error) from error
            raise unreachable(f"The host {target.host} does not exist. Check the URL.") from error
        except UnicodeError as error:
            raise unreachable(f"The host {target.host} is no valid name. Check the URL.") from error
        if not addresses:
            raise unreachable(f"The host {target.host} has no address. Check the URL.")
        return addresses


def unreachable(detail: str) -> DocumentRejectedError:
    """What will never work."""
    return DocumentRejectedError("source_unreachable", detail)


def upstream(target: Target, error: Exception) -> UpstreamError:
    """What may be better later."""
    said = str(error) or type(error).__name__
    return UpstreamError(f"{target.host} cannot be reached ({said}); it is tried again.")


async def inflated(response: httpx.Response) -> AsyncIterator[bytes]:
    """The body in bounded pieces: a compressed one is inflated step by step, never at once."""
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding in {"", "identity"}:
        async for piece in response.aiter_raw(_PIECE):
            yield piece
        return
    if encoding not in {"gzip", "x-gzip", "deflate"}:
        raise unreachable(f"The server sends {encoding!r} encoded data although plain data was asked for.")
    inflater = zlib.decompressobj(wbits=47)  # gzip or zlib, told apart by the header
    async for piece in response.aiter_raw(_PIECE):
        left = piece
        while left:
            yield inflater.decompress(left, _PIECE)
            left = inflater.unconsumed_tail
    yield inflater.flush()
    if not inflater.eof:
        msg = "the compressed data end too early"
        raise zlib.error(msg)
