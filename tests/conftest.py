"""Fixtures that many folders share. Each test makes its own organisation, so tests run in any order."""

import asyncio
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from fastapi import FastAPI
from sqlalchemy import text
from temporalio.client import Client

from perdure.db import migrate
from perdure.db.session import Database
from perdure.domain.ids import new_id
from perdure.embedded import ports, postgres, temporal_server
from perdure.settings import Settings, home_directory
from tests.accounts import Account, quick_logins, registered
from tests.embedding import model_directory
from workflows import queues
from workflows.client import connect


@pytest.fixture(scope="session")
def embedded_postgres() -> Iterator[postgres.EmbeddedPostgres]:
    """A real PostgreSQL of this test run alone, migrated to head."""
    directory = Path(tempfile.mkdtemp(prefix="perdure-test-"))
    server = postgres.start(directory / "postgres")
    asyncio.run(migrate.upgrade(server.url(postgres.OWNER_ROLE), postgres.APP_ROLE))
    yield server
    postgres.stop(directory / "postgres")
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
async def database(embedded_postgres: postgres.EmbeddedPostgres) -> AsyncIterator[Database]:
    """The app's connection pool, as the app role."""
    database = Database(embedded_postgres.url(postgres.APP_ROLE))
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
def temporal_database() -> Iterator[Path]:
    """The file in which the Temporal server of this test run keeps everything."""
    directory = Path(tempfile.mkdtemp(prefix="perdure-test-"))
    yield directory / "temporal.db"
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session", name="temporal_server")
def running_temporal_server(temporal_database: Path) -> Iterator[str]:
    """Address of a tuned Temporal dev server of this test run alone, its state in a file."""
    binary = temporal_server.find_binary(home_directory())
    if binary is None:
        pytest.fail("no `temporal` command: `make test` builds it into .perdure/bin")
    listening = temporal_server.TemporalPorts(*ports.unused(4))
    command = temporal_server.server_command(binary, listening, temporal_database)
    with (
        (temporal_database.parent / "temporal.log").open("wb") as log,
        subprocess.Popen(command, stdout=log, stderr=log) as process,
    ):
        try:
            asyncio.run(temporal_server.wait_until_ready(listening.http_url))
            yield listening.address
        finally:
            process.terminate()


@pytest.fixture(scope="session")
def settings(
    embedded_postgres: postgres.EmbeddedPostgres,
    temporal_server: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Settings:
    """Settings of a whole product on the real servers of this test run."""
    home = tmp_path_factory.mktemp("product")
    (home / "models").symlink_to(model_directory().resolve())
    return Settings(
        home=home,
        database_url=embedded_postgres.url(postgres.APP_ROLE),
        temporal_address=temporal_server,
        fetch_allow_hosts="",
        reconcile_interval_s=0.2,
    )


@pytest.fixture(scope="session")
async def temporal(settings: Settings) -> Client:
    """A client with the product's data converter."""
    return await connect(settings)


@pytest.fixture(scope="session")
async def workers(settings: Settings, temporal: Client) -> AsyncIterator[None]:
    """Workers of all queues, in this process."""
    import worker  # noqa: PLC0415

    async with AsyncExitStack() as stack:
        dependencies = worker.Dependencies(settings, stack)
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
