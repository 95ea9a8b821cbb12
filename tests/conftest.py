"""Fixtures that many folders share. Each test makes its own organisation, so tests run in any order."""

import asyncio
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from perdure.db import migrate
from perdure.db.session import Database
from perdure.domain.ids import new_id
from perdure.embedded import ports, postgres, temporal_server
from perdure.settings import home_directory


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


@pytest.fixture(scope="session", name="temporal_server")
def running_temporal_server() -> Iterator[str]:
    """Address of a tuned Temporal dev server of this test run alone, its state in a file."""
    binary = temporal_server.find_binary(home_directory())
    if binary is None:
        pytest.fail("no `temporal` command: `make test` builds it into .perdure/bin")
    directory = Path(tempfile.mkdtemp(prefix="perdure-test-"))
    listening = temporal_server.TemporalPorts(*ports.unused(4))
    command = temporal_server.server_command(binary, listening, directory / "temporal.db")
    with (
        (directory / "temporal.log").open("wb") as log,
        subprocess.Popen(command, stdout=log, stderr=log) as process,
    ):
        try:
            asyncio.run(temporal_server.wait_until_ready(listening.http_url))
            yield listening.address
        finally:
            process.terminate()
    shutil.rmtree(directory, ignore_errors=True)
