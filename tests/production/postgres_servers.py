"""PostgreSQL as others run it: over TCP, with a password for each role, and not as root."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from perdure.embedded import postgres
from perdure.embedded.ports import LOOPBACK

_DEBIAN = Path("/usr/lib/postgresql")
_ACCESS = "local all postgres trust\nhost all all 127.0.0.1/32 scram-sha-256\n"


@dataclass(frozen=True)
class PostgresServer:
    """A cluster that is ready to be served."""

    command: tuple[str, ...]
    directory: Path
    port: int
    system_user: str | None

    def url(self, role: str, password: str, database: str) -> str:
        """Address of a database, past any pooler."""
        return f"postgresql://{role}:{password}@{LOOPBACK}:{self.port}/{database}"

    async def answers(self) -> bool:
        """Whether it takes queries."""
        try:
            connection = await self.administrator()
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
            return False
        await connection.close()
        return True

    async def administrator(self, database: str = "postgres") -> "asyncpg.Connection[asyncpg.Record]":
        """A connection that no password can get: through the socket, which lies in the data directory."""
        return await asyncpg.connect(
            host=str(self.directory), port=self.port, user="postgres", database=database, timeout=5
        )

    async def make(self, database: str, owner: str, passwords: dict[str, str], *extensions: str) -> None:
        """Roles without any power of their own, and a database that one of them owns."""
        connection = await self.administrator()
        try:
            for role, password in passwords.items():
                await connection.execute(
                    f"CREATE ROLE {role} LOGIN NOSUPERUSER NOBYPASSRLS PASSWORD '{password}'"
                )
            await connection.execute(f"CREATE DATABASE {database} OWNER {owner}")
        finally:
            await connection.close()
        connection = await self.administrator(database)
        try:
            for extension in extensions:
                await connection.execute(f"CREATE EXTENSION {extension}")
        finally:
            await connection.close()


def installed() -> Path:
    """Programs of the newest PostgreSQL of Debian, each version in a folder of its own, or of the one on PATH."""
    found = [path.parent for path in _DEBIAN.glob("*/bin/initdb")]
    if found:
        return max(found, key=lambda programs: int(programs.parent.name))
    on_path = shutil.which("initdb")
    assert on_path is not None, "no PostgreSQL: scripts/production_parts.sh says what to install"
    return Path(on_path).resolve().parent


def with_pgvector(directory: Path, port: int) -> PostgresServer:
    """PostgreSQL 18 with pgvector: the binaries of `perdure up`, on TCP."""
    cluster = postgres.prepare(directory)
    server = PostgresServer(tuple(cluster.command), directory, port, cluster.system_user)
    _open_tcp(server)
    return server


def of_the_system(directory: Path, port: int, system_user: str | None) -> PostgresServer:
    """PostgreSQL as Debian packs it, which has what Temporal's visibility store asks for."""
    programs = installed()
    directory.mkdir(mode=0o700)
    if system_user is not None:
        shutil.chown(directory, system_user, system_user)
    initialise = [
        str(programs / "initdb"),
        "--auth=trust",
        "--encoding=utf8",
        "--locale=C.UTF-8",
        "--username=postgres",
    ]
    subprocess.run(
        [*initialise, "-D", str(directory)],
        user=system_user,
        group=system_user,
        extra_groups=[] if system_user else None,
        cwd="/",
        stdout=subprocess.DEVNULL,
        check=True,
    )
    command = (str(programs / "postgres"), "-D", str(directory))
    server = PostgresServer(command, directory, port, system_user)
    _open_tcp(server)
    return server


def _open_tcp(server: PostgresServer) -> None:
    settings = {
        "listen_addresses": LOOPBACK,
        "port": server.port,
        "unix_socket_directories": server.directory,
        "password_encryption": "scram-sha-256",
        "max_connections": 100,
    }
    with (server.directory / "postgresql.conf").open("a") as file:
        file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())
    (server.directory / "pg_hba.conf").write_text(_ACCESS)
