"""The fixtures that say where things are, for embedded parts; `tests/production/fixtures.py` has them for others."""

import asyncio
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from perdure.db import migrate
from perdure.db.session import Database
from perdure.embedded import ports, postgres, temporal_server
from perdure.settings import Settings, home_directory
from tests.embedding import model_directory


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
def database_url(embedded_postgres: postgres.EmbeddedPostgres) -> str:
    """Address of a migrated database, as the app role."""
    return embedded_postgres.url(postgres.APP_ROLE)


@pytest.fixture
async def owner(embedded_postgres: postgres.EmbeddedPostgres) -> AsyncIterator[Database]:
    """The role that owns the tables."""
    database = Database(embedded_postgres.url(postgres.OWNER_ROLE), 2)
    yield database
    await database.aclose()


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
            asyncio.run(temporal_server.drop_unused_indexes(temporal_database, listening.http_url))
            yield listening.address
        finally:
            process.terminate()


@pytest.fixture(scope="session")
def settings(
    database_url: str,
    temporal_server: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Settings:
    """Settings of a whole product on the real servers of this test run."""
    home = tmp_path_factory.mktemp("product")
    (home / "models").symlink_to(model_directory().resolve())
    return Settings(
        home=home,
        database_url=database_url,
        temporal_address=temporal_server,
        fetch_allow_hosts="",
        reconcile_interval_s=0.2,
    )
