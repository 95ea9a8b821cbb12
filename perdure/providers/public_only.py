"""HTTP for servers of models that an organisation has named: it reaches the open internet, and nothing else."""

from types import ModuleType
from typing import Any

import httpx2

from perdure.domain.addresses import check_addresses, check_url
from perdure.domain.provider_keys import PUBLIC_ONLY
from perdure.errors import DocumentRejectedError
from perdure.providers.resolving import Resolve, resolve_by_system


class PublicOnlyTransport(httpx2.AsyncBaseTransport):
    """Resolves the host of each request once, checks all of its addresses, and connects to one of those."""

    def __init__(self, resolve: Resolve = resolve_by_system) -> None:
        self._resolve = resolve
        # A client of ours has one server: a connection that is kept by its address is used for no other name.
        self._inner = httpx2.AsyncHTTPTransport(trust_env=False)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """See `AsyncBaseTransport`."""
        try:
            target = check_url(str(request.url), PUBLIC_ONLY)
            found = await self._resolve(target.host, target.port)
            addresses = check_addresses(target, found, PUBLIC_ONLY)
        except (DocumentRejectedError, OSError, UnicodeError) as error:
            msg = f"{request.url.host} is not connected to: {error}"
            raise httpx2.ConnectError(msg, request=request) from error
        failure: httpx2.HTTPError = httpx2.ConnectError(f"{target.host} has no address", request=request)
        for address in addresses:
            request.url = request.url.copy_with(host=address)
            request.extensions = {**request.extensions, "sni_hostname": target.host}
            try:
                return await self._inner.handle_async_request(request)
            except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
                failure = error
        raise failure

    async def aclose(self) -> None:
        """Close connections."""
        await self._inner.aclose()


def public_client(sdk: ModuleType) -> Any:
    """The HTTP client of an SDK over it. Redirects are not followed: whom to ask, the address says."""
    return sdk.DefaultAsyncHttpxClient(
        transport=PublicOnlyTransport(), follow_redirects=False, trust_env=False
    )
