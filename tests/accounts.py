"""People of the tests, each with an organisation of their own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx
from argon2 import PasswordHasher
from fastapi import FastAPI

from api.logins import Logins
from perdure.domain.ids import new_id
from perdure.domain.login_limits import AttemptPolicy, LoginLimits
from perdure.domain.passwords import Passwords
from perdure.domain.tokens import AccessTokens
from perdure.secret_key import load_secret_key

PASSWORD = "a fine password"
TERMINAL = {"completed", "failed", "cancelled", "expired"}


def quick_logins(app: FastAPI) -> Logins:
    """Real argon2id, with parameters that take a millisecond."""
    state = app.state
    passwords = Passwords(PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
    # All people of the tests come from one address.
    crowd = AttemptPolicy(100_000, timedelta(hours=1), timedelta(minutes=1), timedelta(hours=1))
    limits = LoginLimits(registration=crowd)
    return Logins(state.database, AccessTokens(load_secret_key(state.settings)), passwords, limits)


@dataclass(frozen=True)
class Account:
    """A registered user with a client that is logged in."""

    http: httpx.AsyncClient
    organisation_id: str

    async def post(self, path: str, status: int = 202, **body: Any) -> dict[str, Any]:
        """POST that must answer with a status; its JSON."""
        answer = await self.http.post(f"/api/v1{path}", **body)
        assert answer.status_code == status, answer.text
        answered: dict[str, Any] = answer.json()
        return answered

    async def get(self, path: str, expected: int = 200, **parameters: Any) -> dict[str, Any]:
        """GET that must answer with a status; its JSON."""
        answer = await self.http.get(f"/api/v1{path}", params=parameters)
        assert answer.status_code == expected, answer.text
        answered: dict[str, Any] = answer.json()
        return answered

    async def ended(self, operation: dict[str, Any], timeout_s: float = 60.0) -> dict[str, Any]:
        """The operation once it is terminal."""
        return await self.until(operation, TERMINAL, timeout_s)

    async def until(
        self, operation: dict[str, Any], statuses: set[str], timeout_s: float = 60.0
    ) -> dict[str, Any]:
        """The operation once it has one of these statuses."""
        async with asyncio.timeout(timeout_s):
            while True:
                now = await self.get(f"/operations/{operation['id']}")
                if now["status"] in statuses:
                    return now
                await asyncio.sleep(0.03)

    async def ingested(self, **request: Any) -> dict[str, Any]:
        """The document of an accepted request, once its operation ended."""
        operation = await self.ended(await self.post("/documents", **request))
        return await self.get(f"/documents/{operation['subject']['id']}")


@asynccontextmanager
async def registered(app: FastAPI) -> AsyncIterator[Account]:
    """Register, and log in."""
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", timeout=60) as http:
        person = {
            "email": f"{new_id('usr')}@example.com",
            "password": PASSWORD,
            "name": "Ada",
            "organisation": "Analytical Engines",
        }
        answer = await http.post("/api/v1/auth/register", json=person)
        assert answer.status_code == 201, answer.text
        http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        yield Account(http, answer.json()["organisation"]["id"])
