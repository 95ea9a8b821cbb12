"""The Temporal dev server, tuned: where its binary comes from, how it is started, when it is ready."""

import asyncio
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import httpx
import structlog

from perdure.embedded import loopback
from perdure.embedded.ports import LOOPBACK
from perdure.errors import UnavailableError

_logger = structlog.get_logger("perdure.temporal")

CLI_VERSION = "v1.5.1"
CLI_MODULE = f"github.com/temporalio/cli/cmd/temporal@{CLI_VERSION}"
# The SDK is not imported here: only workers and API load it.
DOWNLOAD = (sys.executable, "-m", "workflows.download_cli")
DOWNLOAD_TIMEOUT_S = 120.0
NAMESPACE = "default"
RETENTION = timedelta(days=7)

SEARCH_ATTRIBUTES = {
    "PerdureOrg": "Keyword",
    "PerdureKind": "Keyword",
    "PerdureStatus": "Keyword",
    "PerdureSubject": "Keyword",
}

# Untuned, one shard polls 20 times a second, which paces every hop of a workflow at 50 ms.
_DYNAMIC_CONFIG = {
    "history.transferProcessorMaxPollRPS": 2000,
    "history.timerProcessorMaxPollRPS": 2000,
    "history.visibilityProcessorMaxPollRPS": 2000,
    # A history that is to be deleted waits for the queues to note how far they are: untuned, half a minute.
    "history.transferProcessorUpdateAckInterval": '"5s"',
    "history.visibilityProcessorUpdateAckInterval": '"5s"',
    # Workflows kept in memory. Untuned, 128,000, each for an hour: the server grows with every operation.
    "history.hostLevelCacheMaxSize": 1000,
    # A worker that ends a workflow task gets the activities of its own queue in the answer, without a poll.
    "system.enableActivityEagerExecution": "true",
}
# Untuned, SQLite syncs a rollback journal at each commit: 5 workflows a second instead of 31.
_SQLITE_PRAGMAS = {"journal_mode": "wal", "synchronous": "1"}
# The list of workflows comes with 45 indexes, one for each attribute that anybody might make: each start and end of a
# workflow updates them all, and nothing else is written meanwhile. Those of our own attributes and these serve the
# queries of Perdure, of schedules and of the UI; by what the others are for, a workflow is found all the same.
_LIST = "executions_visibility"
_INDEXES = "SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = ? AND sql IS NOT NULL"
# So long another process that writes the file is waited for.
_LOCKED_S = 5.0
_KEPT_INDEXES = frozenset(
    (
        *("default_idx", "by_workflow_id", "by_workflow_type", "by_status", "by_execution_time"),
        *("by_parent_workflow_id", "by_root_workflow_id", "by_task_queue"),
        *("by_temporal_namespace_division", "by_temporal_scheduled_by_id", "by_temporal_schedule_paused"),
        *("by_temporal_worker_deployment", "by_temporal_worker_deployment_version"),
    )
)

TUNED_FLAGS: tuple[tuple[str, str], ...] = (
    *(("--dynamic-config-value", f"{key}={value}") for key, value in _DYNAMIC_CONFIG.items()),
    *(("--sqlite-pragma", f"{key}={value}") for key, value in _SQLITE_PRAGMAS.items()),
    *(("--search-attribute", f"{name}={kind}") for name, kind in SEARCH_ATTRIBUTES.items()),
)


@dataclass(frozen=True)
class TemporalPorts:
    """Where a server listens, always on loopback."""

    grpc: int
    ui: int
    http: int
    metrics: int

    @property
    def address(self) -> str:
        """What clients connect to."""
        return f"{LOOPBACK}:{self.grpc}"

    @property
    def ui_url(self) -> str:
        """The web UI."""
        return f"http://{LOOPBACK}:{self.ui}"

    @property
    def http_url(self) -> str:
        """The HTTP form of the gRPC API."""
        return f"http://{LOOPBACK}:{self.http}"


def find_binary(home: Path) -> Path | None:
    """A `temporal` on PATH, else the one built into `<home>/bin`."""
    on_path = shutil.which("temporal")
    if on_path:
        return Path(on_path)
    built = home / "bin" / "temporal"
    return built if os.access(built, os.X_OK) else None


def build_binary(home: Path, report: Callable[[str], None]) -> Path:
    """Build the CLI with Go into `<home>/bin`, once; `report` gets one line per package that is compiled."""
    go = shutil.which("go")
    if go is None:
        msg = (
            "no `temporal` command, no way to download it, and no Go to build it: install the Temporal CLI, "
            "or Go 1.24 or newer, or set TEMPORAL_ADDRESS to a running server"
        )
        raise UnavailableError(msg)
    directory = home / "bin"
    directory.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "GOBIN": str(directory)}
    lines: list[str] = []
    with subprocess.Popen(  # noqa: S603  # fixed arguments
        [go, "install", "-v", CLI_MODULE],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        for line in process.stdout or ():
            lines.append(line.rstrip())
            report(line.rstrip())
    binary = directory / "temporal"
    if process.returncode != 0 or not os.access(binary, os.X_OK):
        tail = "\n".join(lines[-5:])
        msg = f"`go install {CLI_MODULE}` failed with exit code {process.returncode}:\n{tail}"
        raise UnavailableError(msg)
    return binary


def download_binary(home: Path, command: Sequence[str] = DOWNLOAD) -> Path | None:
    """Have the SDK download the CLI into `<home>/bin`, once; None when its download cannot be reached."""
    directory = home / "bin"
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="temporal-", dir=directory) as downloads:
        try:
            subprocess.run(  # noqa: S603  # fixed arguments
                [*command, downloads], check=True, capture_output=True, timeout=DOWNLOAD_TIMEOUT_S
            )
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
            return None  # Go builds it then; where there is no Go either, the message names all ways
        for found in Path(downloads).glob("temporal-*"):
            if os.access(found, os.X_OK):
                return found.replace(directory / "temporal")
    return None


def ensure_binary(home: Path, report: Callable[[str], None], download: Sequence[str] = DOWNLOAD) -> Path:
    """Find the CLI, or download it, or build it, which takes minutes on a machine that never did."""
    return find_binary(home) or download_binary(home, download) or build_binary(home, report)


def server_command(
    binary: Path, ports: TemporalPorts, database: Path | None, codec_endpoint: str | None = None
) -> list[str]:
    """The command line; without `database` the state is gone when the server ends.

    `codec_endpoint` is where pages of the UI have payloads decrypted.
    """
    command = [str(binary), "server", "start-dev", "--namespace", NAMESPACE, "--log-level", "warn"]
    command += ["--ip", LOOPBACK, "--ui-ip", LOOPBACK]
    command += ["--port", str(ports.grpc), "--ui-port", str(ports.ui)]
    command += ["--http-port", str(ports.http), "--metrics-port", str(ports.metrics)]
    if database is not None:
        command += ["--db-filename", str(database)]
    if codec_endpoint is not None:
        command += ["--ui-codec-endpoint", codec_endpoint]
    for flag, value in TUNED_FLAGS:
        if database is not None or flag != "--sqlite-pragma":
            command += [flag, value]
    return command


def missing_flags(command: Sequence[str]) -> list[str]:
    """Tuned flags that a running server's command line lacks."""
    given = set(pairwise(command))
    return [f"{flag} {value}" for flag, value in TUNED_FLAGS if (flag, value) not in given]


async def wait_until_ready(http_url: str, timeout_s: float = 30.0) -> None:
    """Return once the namespace is served; then closed workflows are kept for `RETENTION`."""
    try:
        async with asyncio.timeout(timeout_s):
            while not await answers(http_url):  # noqa: ASYNC110  # polling is all there is
                await asyncio.sleep(0.05)
    except TimeoutError as error:
        msg = f"the Temporal server at {http_url} did not become ready in {timeout_s:.0f} s"
        raise UnavailableError(msg) from error
    await set_retention(http_url)


def _namespace_url(http_url: str) -> str:
    return f"{http_url}/api/v1/namespaces/{NAMESPACE}"


async def answers(http_url: str) -> bool:
    """Whether the server serves the namespace."""
    return await loopback.answers(_namespace_url(http_url))


async def set_retention(http_url: str) -> None:
    """Keep closed workflows for `RETENTION`; the dev server's own choice is a day."""
    body = {"config": {"workflowExecutionRetentionTtl": f"{int(RETENTION.total_seconds())}s"}}
    async with loopback.client() as client:
        answer = await client.post(f"{_namespace_url(http_url)}/update", json=body)
    if answer.is_error:
        msg = f"Temporal refused to set the retention: {answer.text}"
        raise UnavailableError(msg)


async def drop_unused_indexes(database: Path, http_url: str) -> int:
    """Drop what only slows writing down from the file of a running server; how many indexes there were.

    A file that somebody else holds for long stays as it is, until the next start.
    """
    async with loopback.client() as client:
        answer = (await client.get(_namespace_url(http_url))).raise_for_status()
    columns: Mapping[str, str] = answer.json()["config"]["customSearchAttributeAliases"]
    kept = _KEPT_INDEXES | {f"by_{column[:-2].lower()}_{column[-2:]}" for column in columns}
    return await asyncio.to_thread(_drop_indexes_but, kept, database)


def _drop_indexes_but(kept: Collection[str], database: Path) -> int:
    """One after the other: each is a moment in which the server waits."""
    dropped = 0
    try:
        with closing(sqlite3.connect(database, timeout=_LOCKED_S, isolation_level=None)) as connection:
            for (name,) in connection.execute(_INDEXES, (_LIST,)).fetchall():
                if name not in kept:
                    connection.execute(f'DROP INDEX "{name}"')
                    dropped += 1
    except sqlite3.OperationalError as error:
        _logger.warning("unused_indexes_stay", file=str(database), error=str(error))
    return dropped


async def is_polled(http_url: str, task_queue: str) -> bool:
    """Whether a worker asks for the activities of this queue."""
    parameters = {"taskQueueType": "TASK_QUEUE_TYPE_ACTIVITY"}
    async with loopback.client() as client:
        try:
            answer = await client.get(
                f"{_namespace_url(http_url)}/task-queues/{task_queue}", params=parameters
            )
        except httpx.HTTPError:
            return False
    return answer.is_success and bool(answer.json().get("pollers"))
