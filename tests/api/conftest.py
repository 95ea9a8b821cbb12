"""The HTTP application without its processes around it: real database, no network."""

import itertools
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
from argon2 import PasswordHasher
from fastapi import Depends, FastAPI
from temporalio.client import Client

from api import dependencies, problems
from api.approvals import Approvals
from api.middleware import RequestMiddleware
from api.operations import Operations
from api.routes import api_keys, auth, members, organisation
from api.sessions import CSRF_HEADER
from perdure.db.session import Database
from perdure.domain.ids import new_id
from perdure.domain.passwords import Passwords
from perdure.ports.rate_limits import RateStore
from perdure.secret_key import load_secret_key
from perdure.settings import Settings

BASE = "http://perdure.test"
PASSWORD = "a fine password"

_addresses = itertools.count(1)


@dataclass(frozen=True)
class Account:
    """Someone who is registered and logged in."""

    http: httpx.AsyncClient
    email: str
    user_id: str
    organisation_id: str
    access_token: str
    refresh_token: str

    async def make_key(self, *scopes: str) -> str:
        """A fresh API key with these scopes."""
        answer = await self.http.post("/api/v1/api-keys", json={"name": "test", "scopes": list(scopes)})
        assert answer.status_code == 201, answer.text
        key: str = answer.json()["key"]
        return key


ClientFactory = Callable[..., httpx.AsyncClient]
Browsers = Callable[[], Awaitable[httpx.AsyncClient]]


def quick_passwords() -> Passwords:
    """Real argon2id, with parameters that take a millisecond."""
    return Passwords(PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))


@pytest.fixture(scope="session", autouse=True)
def plain_logs() -> None:
    """Without this, structlog paints every traceback with all its variables."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.format_exc_info,
            structlog.processors.KeyValueRenderer(),
        ]
    )


@pytest.fixture(scope="session")
def api_settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    home: Path = tmp_path_factory.mktemp("home")
    return Settings(home=home, max_json_bytes=256 * 1024)


@asynccontextmanager
async def application_of(
    database: Database, settings: Settings, rate_store: RateStore | None = None
) -> AsyncIterator[FastAPI]:
    """One API process, without the routes that need more than the database."""
    application = FastAPI(title="Perdure", dependencies=[Depends(dependencies.limit_open_routes)])
    problems.install(application)
    authenticator = dependencies.install(
        application, settings, database, passwords=quick_passwords(), rate_store=rate_store
    )
    # Temporal is asked for nothing: no approval is open here.
    temporal = await Client.connect("127.0.0.1:1", lazy=True)
    operations = Operations(database, temporal, settings, application.state.metrics)
    application.state.approvals = Approvals(database, temporal, operations, load_secret_key(settings))
    for module in (auth, members, organisation, api_keys):
        application.include_router(module.router)
    application.add_middleware(RequestMiddleware, settings=settings)
    yield application
    await authenticator.aclose()
    await application.state.rate_limits.aclose()
    await application.state.logins.aclose()


@pytest.fixture(scope="session")
async def app(database: Database, api_settings: Settings) -> AsyncIterator[FastAPI]:
    async with application_of(database, api_settings) as application:
        yield application


@pytest.fixture
async def clients(app: FastAPI) -> AsyncIterator[ClientFactory]:
    """Makes HTTP clients, each with an address of its own, so that tests do not share limits."""
    opened: list[httpx.AsyncClient] = []

    def make(token: str | None = None, **options: Any) -> httpx.AsyncClient:
        number = next(_addresses)
        address = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        transport = httpx.ASGITransport(app=app, client=(address, 40_000))
        http = httpx.AsyncClient(
            transport=transport, base_url="http://perdure.test", headers=headers, **options
        )
        opened.append(http)
        return http

    yield make
    for http in opened:
        await http.aclose()


@pytest.fixture
def http(clients: ClientFactory) -> httpx.AsyncClient:
    """A client without credentials."""
    return clients()


@dataclass(frozen=True)
class Accounts:
    """Registers people."""

    clients: ClientFactory

    async def __call__(self, organisation: str = "Test") -> Account:
        email = f"{new_id('usr')}@example.com"
        body = {"email": email, "password": PASSWORD, "name": "Ada", "organisation": organisation}
        answer = await self.clients().post("/api/v1/auth/register", json=body)
        assert answer.status_code == 201, answer.text
        return self.logged_in(email, answer.json())

    def logged_in(self, email: str, grant: dict[str, Any]) -> Account:
        """The account behind what register or log-in answered."""
        return Account(
            http=self.clients(grant["access_token"]),
            email=email,
            user_id=grant["user"]["id"],
            organisation_id=grant["organisation"]["id"],
            access_token=grant["access_token"],
            refresh_token=grant["refresh_token"],
        )

    async def join(self, owner: Account, role: str) -> Account:
        """Someone with this role in the owner's organisation, logged in there."""
        person = await self()
        added = await owner.http.post("/api/v1/members", json={"email": person.email, "role": role})
        assert added.status_code == 201, added.text
        body = {"email": person.email, "password": PASSWORD, "organisation_id": owner.organisation_id}
        answer = await self.clients().post("/api/v1/auth/login", json=body)
        assert answer.status_code == 200, answer.text
        return self.logged_in(person.email, answer.json())


@pytest.fixture
def register(clients: ClientFactory) -> Accounts:
    """Makes accounts, each the owner of an organisation of its own."""
    return Accounts(clients)


@pytest.fixture
async def owner(register: Accounts) -> Account:
    return await register()


@pytest.fixture
async def browsers(product: FastAPI) -> AsyncIterator[Browsers]:
    """Opens browsers of people who have just registered, each in an organisation of their own."""
    opened: list[httpx.AsyncClient] = []

    async def one() -> httpx.AsyncClient:
        transport = httpx.ASGITransport(product, client=(f"192.0.2.{90 + len(opened)}", 1))
        http = httpx.AsyncClient(transport=transport, base_url=BASE, timeout=60)
        opened.append(http)
        email = f"{new_id('usr')}@example.com"
        form = {"email": email, "password": PASSWORD, "name": "Ada", "organisation": "x"}
        assert (await http.post("/register", data=form)).status_code == 303
        found = re.search(r'name="csrf-token" content="([^"]+)"', (await http.get("/workflows")).text)
        assert found is not None
        http.headers[CSRF_HEADER] = found[1]
        return http

    yield one
    for http in opened:
        await http.aclose()


@pytest.fixture
async def browser(browsers: Browsers) -> httpx.AsyncClient:
    """The browser of one such person."""
    return await browsers()
