"""Fixtures that many folders share. Each test makes its own organisation, so tests run in any order."""

import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import hypothesis
import pytest
import structlog
from fastapi import FastAPI
from sqlalchemy import text
from temporalio.client import Client

from perdure.db.session import Database
from perdure.domain.ids import new_id
from perdure.settings import Settings
from tests.accounts import Account, quick_logins, registered
from tests.form import PRODUCTION
from workflows import queues
from workflows.client import connect

# How long it takes to make up a value says what else the machine does, and nothing of the code.
hypothesis.settings.register_profile(
    "any machine", suppress_health_check=[hypothesis.HealthCheck.too_slow], deadline=None
)
hypothesis.settings.load_profile("any machine")

# Not to `sys.stdout`: what a command prints is read there, while other tasks of the tests go on.
structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.__stderr__))

# Where the database, Temporal and the objects are.
pytest_plugins = ["tests.production.fixtures" if PRODUCTION else "tests.embedded_fixtures"]


@pytest.fixture(scope="session")
async def database(database_url: str) -> AsyncIterator[Database]:
    """The app's connection pool, as the app role."""
    database = Database(database_url)
    yield database
    await database.aclose()


@pytest.fixture
async def organisation_id(database: Database) -> str:
    """A fresh organisation with nothing in it."""
    organisation_id = new_id("org")
    async with database.transaction(organisation_id) as session:
        await session.execute(
            text("INSERT INTO organisations (id, name) VALUES (:id, 'Test')"), {"id": organisation_id}
        )
    return organisation_id


@pytest.fixture(scope="session")
async def temporal(settings: Settings) -> Client:
    """A client with the product's data converter."""
    return await connect(settings)


@pytest.fixture(scope="session")
async def workers(settings: Settings, temporal: Client) -> AsyncIterator[None]:
    """Workers of all queues, in this process. Providers that they ask are servers of tests, on this machine."""
    import worker  # noqa: PLC0415

    reaching_in = settings.model_copy(update={"provider_private_urls": True})
    async with AsyncExitStack() as stack:
        dependencies = worker.Dependencies(reaching_in, stack)
        for running in worker.build_workers(temporal, dependencies, queues.ALL):
            await stack.enter_async_context(running)
        yield


@pytest.fixture(scope="session")
async def product(settings: Settings, workers: None) -> AsyncIterator[FastAPI]:
    """The application with everything behind it."""
    from api.app import create_app  # noqa: PLC0415

    app = create_app(settings)
    async with app.router.lifespan_context(app):
        app.state.logins = quick_logins(app)
        yield app


@pytest.fixture
async def caller(product: FastAPI) -> AsyncIterator[Account]:
    """Somebody who has just registered an organisation of their own."""
    async with registered(product) as account:
        yield account


@pytest.fixture
async def stranger(product: FastAPI) -> AsyncIterator[Account]:
    """Somebody of another organisation."""
    async with registered(product) as account:
        yield account
