"""An organisation of the run's own, and its end."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx

from perdure.api_client import ApiClient

_SCOPES = ("documents:read", "documents:write", "search:read", "operations:read", "operations:write")


@dataclass(frozen=True)
class Account:
    """Somebody with an organisation, and a key for requests."""

    url: str
    organisation_id: str
    key: str
    name: str
    login: dict[str, str]

    @asynccontextmanager
    async def http(self) -> AsyncIterator[httpx.AsyncClient]:
        """A client that gives up soon: what it asks is asked again."""
        limits = httpx.Limits(max_connections=64)
        timeout = httpx.Timeout(15, connect=3)
        headers = {"Authorization": f"Bearer {self.key}"}
        async with httpx.AsyncClient(
            base_url=self.url, headers=headers, timeout=timeout, trust_env=False, limits=limits
        ) as http:
            yield http

    async def erase(self) -> str:
        """Have the organisation erased; the id of the operation that does it."""
        async with ApiClient(self.url, "") as api:
            granted = await api.call("POST", "/auth/login", json=self.login)
        async with ApiClient(self.url, str(granted["access_token"])) as api:
            started = await api.call("POST", "/organisation/erasure", json={"confirm": self.name})
        return str(started["receipt_url"])


async def register(url: str) -> Account:
    """Make an organisation that nobody else is in."""
    name = f"Chaos {secrets.token_hex(4)}"
    login = {"email": f"chaos-{secrets.token_hex(8)}@perdure.example", "password": secrets.token_urlsafe(18)}
    async with ApiClient(url, "") as api:
        granted = await api.call(
            "POST", "/auth/register", json={**login, "name": "Chaos", "organisation": name}
        )
    async with ApiClient(url, str(granted["access_token"])) as api:
        key = await api.call("POST", "/api-keys", json={"name": "chaos", "scopes": list(_SCOPES)})
    return Account(url, str(granted["organisation"]["id"]), str(key["key"]), name, login)
