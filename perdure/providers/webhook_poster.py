"""Posts events to addresses of other programs: into the open internet, and nowhere else."""

import asyncio
import socket
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import httpx

from perdure import tracing
from perdure.domain.addresses import Target, check_addresses
from perdure.domain.message_kinds import DeliveryFault
from perdure.domain.webhook_addresses import check_webhook_url, webhook_rules
from perdure.errors import DocumentRejectedError, InvalidInputError
from perdure.ports.sending import Attempt
from perdure.providers.certificates import certificate_fault
from perdure.providers.pinned_http import connected, pinned_client
from perdure.providers.resolving import Resolve, resolve_by_system

_TIMEOUT_S = 15.0
_CONNECT_TIMEOUT_S = 5.0
_GONE = 410
_SAY_WHEN = frozenset({429, 503})


class WebhookPoster:
    """Resolves the host of each post once, checks all of its addresses, and connects to one of those.

    `resolve` and `ssl_context` are for tests; the operator's exceptions are `PERDURE_WEBHOOK_ALLOW_HOSTS`.
    """

    def __init__(
        self,
        allowed_hosts: str = "",
        *,
        resolve: Resolve = resolve_by_system,
        ssl_context: ssl.SSLContext | None = None,
        timeout_s: float = _TIMEOUT_S,
    ) -> None:
        self._rules, self._resolve, self._timeout_s = webhook_rules(allowed_hosts), resolve, timeout_s
        self._client = pinned_client(
            timeout_s, _CONNECT_TIMEOUT_S, ssl_context, {"Content-Type": "application/json"}
        )

    async def aclose(self) -> None:
        """Close the client."""
        await self._client.aclose()

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Attempt:
        """See `Poster`."""
        try:
            with tracing.span("post"):
                async with asyncio.timeout(self._timeout_s):
                    return await self._post(url, body, headers)
        except TimeoutError:
            detail = f"It did not answer within {self._timeout_s:g} seconds."
            return Attempt(ok=False, detail=detail, fault=DeliveryFault.TIMED_OUT)
        except (InvalidInputError, DocumentRejectedError) as error:
            return Attempt(ok=False, detail=str(error), fault=DeliveryFault.NOT_ALLOWED)
        except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError) as error:
            if (fault := certificate_fault(error)) is not None:
                detail = f"Its certificate is not trusted: {fault}."
                return Attempt(ok=False, detail=detail, fault=DeliveryFault.UNTRUSTED_CERTIFICATE)
            detail = f"It cannot be reached: {str(error) or type(error).__name__}"[:300]
            return Attempt(ok=False, detail=detail, fault=DeliveryFault.UNREACHABLE)

    async def _post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Attempt:
        target = check_webhook_url(url, self._rules)
        addresses = check_addresses(target, await self._addresses(target), self._rules)
        response = await connected(self._client, target, addresses, "POST", headers, body)
        await response.aclose()
        return _attempt(response)

    async def _addresses(self, target: Target) -> list[str]:
        try:
            found = await self._resolve(target.host, target.port)
        except socket.gaierror as error:
            msg = f"the host {target.host} is not found"
            raise OSError(msg) from error
        return found


def _attempt(response: httpx.Response) -> Attempt:
    code = response.status_code
    if 200 <= code < 300:
        return Attempt(ok=True, detail=f"It answered {code}.")
    refused = DeliveryFault.REFUSED
    if code == _GONE:
        detail = "It answered 410: it wants no more events, and the endpoint is switched off."
        return Attempt(ok=False, detail=detail, is_final=True, is_gone=True, fault=refused)
    if 300 <= code < 400:
        detail = f"It answered {code}: redirects are not followed, so give the address that it leads to."
        return Attempt(ok=False, detail=detail, fault=refused)
    after = _retry_after(response.headers.get("retry-after", "")) if code in _SAY_WHEN else None
    return Attempt(ok=False, detail=f"It answered {code}.", retry_after=after, fault=refused)


def _retry_after(said: str) -> timedelta | None:
    if said.isascii() and said.isdigit():
        return timedelta(seconds=min(int(said), 10**7))
    try:
        at = parsedate_to_datetime(said)
    except ValueError:
        return None
    if at.tzinfo is None:
        return None
    return max(at - datetime.now(UTC), timedelta())
