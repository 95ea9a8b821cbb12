"""Downloads URLs into files, safe against requests into the own network."""

import asyncio
import hashlib
import re
import ssl
import zlib
from email.message import Message
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

import httpx

from perdure import tracing
from perdure.domain.addresses import (
    DEFAULT_PORTS,
    AddressRules,
    Target,
    check_redirect,
    check_url,
)
from perdure.errors import DocumentRejectedError, UpstreamError
from perdure.ports.parsing import Fetched
from perdure.providers.pinned_http import PinnedHttp, inflated, location, unreachable, upstream
from perdure.providers.resolving import Resolve, resolve_by_system
from perdure.settings import MEBIBYTE, Settings

_MAX_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_WORTH_RETRYING = frozenset({408, 425, 429})
_UNSAFE = re.compile(r'[/\\<>:"|?*\x00-\x1f\x7f]')


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
        self._timeout_s = settings.fetch_timeout_s
        self._max_bytes = settings.fetch_max_bytes
        rules = AddressRules.from_setting(settings.fetch_allow_hosts, ports)
        self._http = PinnedHttp(rules, self._timeout_s, resolve=resolve, ssl_context=ssl_context)

    async def aclose(self) -> None:
        """Close the client."""
        await self._http.aclose()

    async def fetch(self, url: str, path: Path) -> Fetched:
        """Download `url` into `path`; on any failure no file is left."""
        target = check_url(url, self._http.rules)
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
            async with self._http.request(target) as response:
                if response.status_code not in _REDIRECTS:
                    _check_status(response, target)
                    return await self._save(response, target, path)
                following = location(response)
            if not following:
                raise unreachable(f"{target.host} redirects without saying where to.")
            target = check_redirect(target, following, self._http.rules)
        raise unreachable(f"The URL redirects more than {_MAX_REDIRECTS} times.")

    async def _save(self, response: httpx.Response, target: Target, path: Path) -> Fetched:
        announced = response.headers.get("content-length", "")
        if announced.isdigit() and int(announced) > self._max_bytes:
            raise self._too_large()
        digest, size = hashlib.sha256(), 0
        with path.open("wb") as output:
            try:
                async for piece in inflated(response):
                    size += len(piece)
                    if size > self._max_bytes:
                        raise self._too_large()
                    digest.update(piece)
                    output.write(piece)
            except (httpx.HTTPError, zlib.error) as error:
                raise upstream(target, error) from error
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
    raise unreachable(f"{said}. Check the URL, and that it needs no login.")


def _file_name(response: httpx.Response, target: Target) -> str | None:
    """The name that the server gives the file, else the last piece of the path; never a path."""
    header = Message()
    header["Content-Disposition"] = response.headers.get("content-disposition", "")
    name = header.get_filename() or unquote(urlsplit(target.path).path.rpartition("/")[2])
    cleaned = _UNSAFE.sub("_", PurePosixPath(name.replace("\\", "/")).name).strip(". ")
    return cleaned[:255] or None
