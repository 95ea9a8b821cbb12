"""PgBouncer in transaction mode before the application's database."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from perdure.embedded import ports
from tests.production.postgres_servers import PostgresServer

# Fewer than the clients that come at once, so that they do share.
SERVER_CONNECTIONS = 12
_KEEPS_STATEMENTS_SINCE = (1, 21)


def binary() -> str:
    """PgBouncer's command, which Debian keeps where only root looks."""
    found = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    assert found is not None, "no `pgbouncer` command: scripts/production_parts.sh says what to install"
    return found


def keeps_statements() -> bool:
    """Whether this PgBouncer can follow prepared statements from one connection of the server to another."""
    said = subprocess.run([binary(), "--version"], capture_output=True, text=True, check=True).stdout
    version = re.search(r"(\d+)\.(\d+)", said)
    assert version is not None, said
    return (int(version[1]), int(version[2])) >= _KEEPS_STATEMENTS_SINCE


@dataclass(frozen=True)
class Pooler:
    """One PgBouncer, and how to reach databases through it."""

    command: tuple[str, ...]
    port: int
    passwords: dict[str, str]
    system_user: str | None

    def url(self, role: str, database: str) -> str:
        """Address of a database through the pooler."""
        return f"postgresql://{role}:{self.passwords[role]}@{ports.LOOPBACK}:{self.port}/{database}"

    async def answers(self, role: str, database: str) -> bool:
        """Whether a query gets through to the server."""
        try:
            connection = await asyncpg.connect(self.url(role, database), statement_cache_size=0, timeout=3)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
            return False
        try:
            return bool(await connection.fetchval("SELECT true", timeout=3))
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
            return False
        finally:
            connection.terminate()


def prepared(
    directory: Path,
    server: PostgresServer,
    passwords: dict[str, str],
    size: int = SERVER_CONNECTIONS,
    statements: int = 0,
) -> Pooler:
    """Write its configuration: `size` connections of the server, each with so many prepared statements."""
    directory.mkdir(mode=0o700)
    (port,) = ports.unused(1)
    users, configuration = directory / "users.txt", directory / "pgbouncer.ini"
    users.write_text("".join(f'"{role}" "{password}"\n' for role, password in passwords.items()))
    configuration.write_text(
        f"""
[databases]
* = host={ports.LOOPBACK} port={server.port}

[pgbouncer]
listen_addr = {ports.LOOPBACK}
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {users}
pool_mode = transaction
default_pool_size = {size}
max_client_conn = 500
# A server that was away is asked again at once, not after a quarter of a minute.
server_login_retry = 1
query_wait_timeout = 30
{f"max_prepared_statements = {statements}" if keeps_statements() else ""}
"""
    )
    if server.system_user is not None:
        for path in (directory, users, configuration):
            shutil.chown(path, server.system_user, server.system_user)
    return Pooler((binary(), str(configuration)), port, passwords, server.system_user)
