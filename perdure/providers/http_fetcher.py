"""Downloads URLs into files, safe against requests into the own network."""

import asyncio
import contextlib
import hashlib
import re
import socket
import ssl
import zlib
from collections.abc import AsyncIterator
from email.message import Message
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

import httpx

from perdure import tracing
from perdure.domain.addresses import (
    DEFAULT_PORTS,
    AddressRules,
    Target,
    check_addresses,
    check_redirect,
    check_url,
)
from perdure.errors import DocumentRejectedError, UpstreamError
from perdure.ports.parsing import Fetched
from perdure.providers.resolving import Resolve, resolve_by_system
from perdure.settings import MEBIBYTE, Settings

_MAX_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_WORTH_RETRYING = frozenset({408, 425, 429})
_CONNECT_TIMEOUT_S = 10.0
_PIECE = 64 * 1024
_LOCATION = "perdure.location"
_UNSAFE = re.compile(r'[/\\<>:"|?*\x00-\x1f\x7f]')


async def _set_location_aside(response: httpx.Response) -> None:
    """Keep where a redirect leads from httpx, which reads it before we do and fails on what is no URL."""
    response.extensions[_LOCATION] = response.headers.pop("location", "")


class HttpFetcher:
    """Resolves each host once, checks all of its addresses, and connects to one of those and no other.

    `ports` and `resolve` are for tests; the operator's exceptions are `PERDURE_FETCH_ALLOW_HOSTS`.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        resolve: Resolve = resolve_by_system,
        ports: frozenset[int] = DEFAULT_PORTS,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self._rules = AddressRules.from_setting(settings.fetch_allow_hosts, ports)
        self._timeout_s = settings.fetch_timeout_s
        self._max_bytes = settings.fetch_max_bytes
        self._resolve = resolve
        self._client = httpx.AsyncClient(
            verify=ssl_context or True,
            trust_env=False,  # a proxy would resolve names again, behind our back
            follow_redirects=False,
            timeout=httpx.Timeout(self._timeout_s, connect=_CONNECT_TIMEOUT_S),
            # connections are kept by address, and two names may share one: none is used twice
            limits=httpx.Limits(max_keepalive_connections=0),
            headers={"User-Agent": "Perdure/0.1", "Accept": "*/*", "Accept-Encoding": "identity"},
            event_hooks={"response": [_set_location_aside]},
        )

    async def aclose(self) -> None:
        """Close the client."""
        await self._client.aclose()

    async def fetch(self, url: str, path: Path) -> Fetched:
        """Download `url` into `path`; on any failure no file is left."""
        target = check_url(url, self._rules)
        try:
            with tracing.span("fetch"):
                async with asyncio.timeout(self._timeout_s):
                    return await self._fetch(target, path)
        except TimeoutError as error:
            _remove(path)
            msg = f"{target.host} did not deliver within {self._timeout_s:g} seconds; it is tried again."
            raise UpstreamError(msg) from error
        except BaseException:
            _remove(path)
            raise

    async def _fetch(self, target: Target, path: Path) -> Fetched:
        for _ in range(_MAX_REDIRECTS + 1):
            async with self._request(target) as response:
                if response.status_code not in _REDIRECTS:
                    _check_status(response, target)
                    return await self._save(response, target, path)
                location = str(response.extensions.get(_LOCATION, ""))
            if not location:
                raise _unreachable(f"{target.host} redirects without saying where to.")
            target = check_redirect(target, location, self._rules)
        raise _unreachable(f"The URL redirects more than {_MAX_REDIRECTS} times.")

    @contextlib.asynccontextmanager
    async def _request(self, target: Target) -> AsyncIterator[httpx.Response]:
        addresses = check_addresses(target, await self._addresses(target), self._rules)
        failure: Exception | None = None
        for address in addresses:
            host = f"[{address}]" if ":" in address else address
            request = self._client.build_request(
                "GET",
                httpx.URL(f"{target.scheme}://{host}:{target.port}{target.path}"),
                headers={"Host": target.authority},
                extensions={"sni_hostname": target.host},
            )
            try:
                response = await self._client.send(request, stream=True)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                failure = error
                continue
            except httpx.HTTPError as error:
                raise _upstream(target, error) from error
            try:
                yield response
            finally:
                await response.aclose()
            return
        if isinstance(failure, httpx.ConnectError) and "CERTIFICATE_VERIFY_FAILED" in str(failure):
            raise _unreachable(
                f"The certificate of {target.host} is not valid for it: {failure}"
            ) from failure
        raise _upstream(target, failure or OSError("no address")) from failure

    async def _addresses(self, target: Target) -> list[str]:
        try:
            addresses = await self._resolve(target.host, target.port)
        except socket.gaierror as error:
            if error.errno == socket.EAI_AGAIN:
                raise _upstream(target, error) from error
            raise _unreachable(f"The host {target.host} does not exist. Check the URL.") from error
        except UnicodeError as error:
            raise _unreachable(f"The host {target.host} is no valid name. Check the URL.") from error
        if not addresses:
            raise _unreachable(f"The host {target.host} has no address. Check the URL.")
        return addresses

    async def _save(self, response: httpx.Response, target: Target, path: Path) -> Fetched:
        announced = response.headers.get("content-length", "")
        if announced.isdigit() and int(announced) > self._max_bytes:
            raise self._too_large()
        digest, size = hashlib.sha256(), 0
        with path.open("wb") as output:
            try:
                async for piece in _decoded(response):
                    size += len(piece)
                    if size > self._max_bytes:
                        raise self._too_large()
                    digest.update(piece)
                    output.write(piece)
            except (httpx.HTTPError, zlib.error) as error:
                raise _upstream(target, error) from error
        return Fetched(
            path=path,
            size_bytes=size,
            sha256=digest.hexdigest(),
            content_type=response.headers.get("content-type"),
            file_name=_file_name(response, target),
            final_url=target.url,
        )

    def _too_large(self) -> DocumentRejectedError:
        return DocumentRejectedError(
            "too_large",
            f"The URL delivers more than {self._max_bytes // MEBIBYTE} MB, the limit. Ask the operator to "
            "raise PERDURE_FETCH_MAX_BYTES.",
        )


async def _decoded(response: httpx.Response) -> AsyncIterator[bytes]:
    """The body in bounded pieces: a compressed one is inflated step by step, never at once."""
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding in {"", "identity"}:
        async for piece in response.aiter_raw(_PIECE):
            yield piece
        return
    if encoding not in {"gzip", "x-gzip", "deflate"}:
        raise _unreachable(f"The server sends {encoding!r} encoded data although plain data was asked for.")
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


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)


def _check_status(response: httpx.Response, target: Target) -> None:
    code = response.status_code
    if code == 200:
        return
    said = f"{target.host} answered {code} {response.reason_phrase}".strip()
    if code >= 500 or code in _WORTH_RETRYING:
        msg = f"{said}; it is tried again."
        raise UpstreamError(msg)
    raise _unreachable(f"{said}. Check the URL, and that it needs no login.")


def _unreachable(detail: str) -> DocumentRejectedError:
    return DocumentRejectedError("source_unreachable", detail)


def _upstream(target: Target, error: Exception) -> UpstreamError:
    return UpstreamError(
        f"{target.host} cannot be reached ({error or type(error).__name__}); it is tried again."
    )


def _file_name(response: httpx.Response, target: Target) -> str | None:
    """The name that the server gives the file, else the last piece of the path; never a path."""
    header = Message()
    header["Content-Disposition"] = response.headers.get("content-disposition", "")
    name = header.get_filename() or unquote(urlsplit(target.path).path.rpartition("/")[2])
    cleaned = _UNSAFE.sub("_", PurePosixPath(name.replace("\\", "/")).name).strip(". ")
    return cleaned[:255] or None
