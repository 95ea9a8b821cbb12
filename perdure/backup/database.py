"""The embedded database: dumped at one moment while it serves, and filled from a dump.

As the superuser: row level security is forced on everybody else, the owner of the tables included.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from perdure.embedded import postgres
from perdure.errors import UnavailableError

_SUPERUSER = "postgres"
_COUNTED = ("organisations", "users", "documents", "chunks", "operations")
_OPEN = "SELECT count(*) FROM operations WHERE closed_at IS NULL"
# Building the vector index dominates a restore, and is much slower below the size of its graph.
_RESTORE_OPTIONS = "-c maintenance_work_mem=512MB -c synchronous_commit=off"
_JOBS = "2"


@dataclass(frozen=True)
class Moment:
    """A moment of the database that stays readable as long as its connection."""

    snapshot: str
    server: str
    revision: str | None
    counts: dict[str, int]
    master_key_ids: tuple[str, ...]


@asynccontextmanager
async def moment(socket_directory: str) -> AsyncIterator[Moment]:
    """Hold the database as it is now, for `dump`; writers are not held up."""
    connection = await asyncpg.connect(host=socket_directory, user=_SUPERUSER, database=postgres.DATABASE)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            snapshot = await connection.fetchval("SELECT pg_export_snapshot()")
            tables = {
                row["table_name"]
                for row in await connection.fetch(
                    "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
                )
            }
            counts = {
                table: int(await connection.fetchval(f"SELECT count(*) FROM {table}"))
                for table in _COUNTED
                if table in tables
            }
            if "operations" in tables:
                counts["open_operations"] = int(await connection.fetchval(_OPEN))
            keys = await connection.fetch("SELECT id FROM master_keys") if "master_keys" in tables else []
            revision = (
                await connection.fetchval("SELECT version_num FROM alembic_version")
                if "alembic_version" in tables
                else None
            )
            server = await connection.fetchval("SHOW server_version")
            yield Moment(snapshot, server, revision, counts, tuple(sorted(row["id"] for row in keys)))
    finally:
        await connection.close()


async def dump(socket_directory: str, snapshot: str, target: Path) -> None:
    """Write what the moment holds, in the format of `pg_restore`."""
    # The roles and the extension are made by whoever makes a cluster.
    await _run(
        "pg_dump", "--host", socket_directory, "--username", _SUPERUSER, "--no-password",
        "--format", "custom", "--compress", "gzip:1", "--snapshot", snapshot,
        "--exclude-extension", "vector", "--file", str(target), postgres.DATABASE,
    )  # fmt: skip


async def fill(socket_directory: str, source: Path) -> None:
    """Fill a fresh database; its tables belong to the owner role, as they did."""
    await _run(
        "pg_restore", "--host", socket_directory, "--username", _SUPERUSER, "--no-password",
        "--dbname", postgres.DATABASE, "--jobs", _JOBS, "--exit-on-error", str(source),
    )  # fmt: skip
    connection = await asyncpg.connect(host=socket_directory, user=_SUPERUSER, database=postgres.DATABASE)
    try:
        await connection.execute("ANALYZE", timeout=600)
    finally:
        await connection.close()


async def _run(program: str, *arguments: str) -> None:
    process = await asyncio.create_subprocess_exec(
        str(postgres.binary(program)), *arguments,
        env={**os.environ, "PGOPTIONS": _RESTORE_OPTIONS if program == "pg_restore" else ""},
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        said, _ = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    if process.returncode != 0:
        msg = f"`{program}` failed with exit code {process.returncode}: {said.decode(errors='replace').strip()[-1000:]}"
        raise UnavailableError(msg)
