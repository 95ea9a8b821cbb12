"""A client that spreads its requests over several API processes, as a load balancer does."""

import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import httpx

from perdure.domain.ids import new_id
from tests.accounts import PASSWORD, Account


class Balanced(httpx.AsyncBaseTransport):
    """Each request to the next process; to another one when nobody listens there. Sent requests are not repeated."""

    def __init__(self, urls: Sequence[str]) -> None:
        self._targets = [httpx.URL(url) for url in urls]
        self._next = itertools.cycle(range(len(urls)))
        self._transport = httpx.AsyncHTTPTransport(limits=httpx.Limits(max_connections=100))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        first = next(self._next)
        targets = self._targets[first:] + self._targets[:first]
        for target in targets[:-1]:
            request.url = request.url.copy_with(host=target.host, port=target.port)
            try:
                return await self._transport.handle_async_request(request)
            except httpx.ConnectError:
                continue
        request.url = request.url.copy_with(host=targets[-1].host, port=targets[-1].port)
        return await self._transport.handle_async_request(request)

    async def aclose(self) -> None:
        await self._transport.aclose()


@asynccontextmanager
async def account_at(urls: Sequence[str]) -> AsyncIterator[Account]:
    """Register an organisation at a product with these API processes."""
    transport = Balanced(urls)
    async with httpx.AsyncClient(transport=transport, base_url=urls[0], timeout=30) as http:
        person = {"email": f"{new_id('usr')}@example.com", "password": PASSWORD, "name": "Ada"}
        answer = await http.post("/api/v1/auth/register", json={**person, "organisation": "Production"})
        assert answer.status_code == 201, answer.text
        http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        yield Account(http, answer.json()["organisation"]["id"])
