"""`perdure up`: starts the whole product on one machine, keeps it running, and takes it down in order.

Order up: PostgreSQL, Temporal and the model side by side; migrations; workers and API. Order down: API,
workers, Temporal, PostgreSQL. What is configured by an address (`DATABASE_URL`, `TEMPORAL_ADDRESS`) is not
started.
"""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType

from perdure.embedded import loopback, postgres, schema, temporal_server
from perdure.embedded.children import Child, ChildSpec
from perdure.embedded.clocks import Clock, leave_all
from perdure.embedded.logs import rotate, tail
from perdure.embedded.ports import LOOPBACK
from perdure.embedded.processes import Report, end_leftovers
from perdure.embedded.stack_files import StackFiles, write_private
from perdure.embedded.stack_ports import StackPorts
from perdure.errors import UnavailableError
from perdure.master_key_file import key_file_path, makes_key_file
from perdure.providers.obstore_object_store import remove_unfinished
from perdure.settings import MEBIBYTE, Settings

WORKER_QUEUES = ("io", "cpu")
_LOG_BYTES = 16 * MEBIBYTE
_ROOT = Path(__file__).parents[2]

# What stands on what: taken down from the last to the first.
_POSTGRES, _TEMPORAL, _WORKERS, _API = range(4)


@dataclass(frozen=True)
class Programs:
    """Command lines of what the supervisor runs but does not know; options are added to them."""

    worker: tuple[str, ...] = (sys.executable, str(_ROOT / "worker.py"))
    api: tuple[str, ...] = (sys.executable, "-m", "api.serve")
    migrate: tuple[str, ...] = (sys.executable, "-m", "perdure.cli", "migrate")
    export_model: tuple[str, ...] = (sys.executable, "-m", "perdure.providers.minilm_export")


class Stack:
    """The running product. Use as an async context manager: leaving it takes everything down."""

    def __init__(self, settings: Settings, report: Report, programs: Programs | None = None) -> None:
        self.settings = settings
        self._programs = programs or Programs()
        self.files = StackFiles(settings.home)
        self._report = report
        self._tiers: tuple[list[Child], ...] = ([], [], [], [])
        self._ports = StackPorts.configured(settings)
        self.environment: dict[str, str] = {}
        self.timings: dict[str, float] = {}
        self.made_master_key = False

    @property
    def url(self) -> str:
        """Where the API and the console are, seen from this machine."""
        host = "127.0.0.1" if self.settings.api_host in {"0.0.0.0", "::"} else self.settings.api_host  # noqa: S104  # compared, not bound
        return f"http://{host}:{self._ports.api}"

    @property
    def temporal_ui_url(self) -> str:
        """Where the Temporal UI is."""
        if self.settings.temporal_address:
            return self.settings.temporal_ui_url
        return self._ports.temporal.ui_url

    @property
    def metrics_urls(self) -> dict[str, str]:
        """What Prometheus may scrape, by part."""
        workers = {
            f"worker {queue}": f"http://{LOOPBACK}:{port}/metrics"
            for queue, port in self._ports.worker_metrics.items()
        }
        return {"api": f"{self.url}/metrics", **workers}

    async def __aenter__(self) -> "Stack":
        self.files.lock()
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def _start(self) -> None:
        await asyncio.to_thread(end_leftovers, self.files.leftovers(), self._report)
        leave_all(self.settings.home)
        for log in self.files.logs.glob("*.log"):
            rotate(log, _LOG_BYTES)
        if not self.settings.object_store_url:
            await asyncio.to_thread(remove_unfinished, self.settings.home / "objects")
        self._ports = StackPorts.choose(self.settings, self._report, WORKER_QUEUES)
        self.environment = self._addresses()
        await _together(
            self._start_database(), self._start_temporal(), self._step("model", self._ensure_model)
        )
        self.files.write_environment(self.environment)
        key_file = key_file_path(self.settings)
        is_first = makes_key_file(self.settings) and not key_file.exists()
        workers = [self._child(_WORKERS, self._worker_spec(queue)) for queue in WORKER_QUEUES]
        children = [*workers, self._child(_API, self._api_spec())]
        await _together(*(self._step(child.spec.name, child.start) for child in children))
        self.made_master_key = is_first and key_file.exists()

    async def _step(self, name: str, action: Callable[[], Awaitable[None]]) -> None:
        started = time.monotonic()
        self._report(name, "starting")
        await action()
        self.timings[name] = time.monotonic() - started
        self._report(name, f"ready in {self.timings[name]:.1f} s")

    def _child(self, tier: int, spec: ChildSpec) -> Child:
        child = Child(spec, self._report, self._write_state)
        self._tiers[tier].append(child)
        return child

    def _addresses(self) -> dict[str, str]:
        settings, listening = self.settings, self._ports.temporal
        values = {
            "PERDURE_HOME": str(settings.home),
            "DATABASE_URL": settings.database_url,
            "DATABASE_OWNER_URL": settings.database_owner_url,
            "TEMPORAL_ADDRESS": settings.temporal_address or listening.address,
            "TEMPORAL_NAMESPACE": settings.temporal_namespace,
            "TEMPORAL_UI_URL": self.temporal_ui_url,
            "OBJECT_STORE_URL": settings.objects_url,
            "PERDURE_PUBLIC_URL": settings.public_url or self.url,
            "PERDURE_MASTER_KEY_FILE": str(settings.master_key_file or ""),
        }
        return {name: value for name, value in values.items() if value}

    async def _start_database(self) -> None:
        if not self.settings.database_url:
            await self._step("postgres", self._start_postgres)
            await self._migrate_embedded(self.environment["DATABASE_OWNER_URL"])
        elif self.settings.database_owner_url:
            await self._step("migrations", self._migrate)
        else:
            self._report("migrations", "not run: DATABASE_OWNER_URL is not set")

    async def _migrate_embedded(self, owner_url: str) -> None:
        record = self.settings.home / "schema.json"
        if schema.is_current(record, await schema.revision(owner_url)):
            self._report("migrations", "ready, nothing to do")
            return
        await self._step("migrations", self._migrate)
        schema.remember(record, await schema.revision(owner_url))

    async def _start_postgres(self) -> None:
        cluster = await asyncio.to_thread(postgres.prepare, self.settings.home / "postgres")
        # One that outlived its supervisor and is in no list of ours.
        await asyncio.to_thread(postgres.stop, cluster.data_directory)
        spec = ChildSpec(
            name="postgres",
            command=tuple(cluster.command),
            log=self.files.logs / "postgres.log",
            is_ready=cluster.answers,
            stop_signal=signal.SIGINT,
            user=cluster.system_user,
        )
        await self._child(_POSTGRES, spec).start()
        host = str(cluster.socket_directory)
        await postgres.ensure_database(host, postgres.DATABASE)
        server = postgres.EmbeddedPostgres(host, cluster.data_directory, pid=0)
        self.environment["DATABASE_URL"] = server.url(postgres.APP_ROLE)
        self.environment["DATABASE_OWNER_URL"] = server.url(postgres.OWNER_ROLE)

    async def _migrate(self) -> None:
        # In a process of its own, whose memory goes back to the system.
        await self._run_once("migrations", *self._programs.migrate)

    async def _ensure_model(self) -> None:
        directory = str(self.settings.model_directory)
        await self._run_once("model", *self._programs.export_model, directory)

    async def _run_once(self, name: str, *command: str) -> None:
        log_path = self.files.logs / f"{name}.log"
        log_path.parent.mkdir(parents=True, exist_ok=True)
        with log_path.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdout=log,
                stderr=log,
                env={**os.environ, **self.environment},
                cwd=_ROOT,
            )
            try:
                code = await process.wait()
            except asyncio.CancelledError:
                process.kill()
                await process.wait()
                raise
        if code != 0:
            msg = f"{name} failed with exit code {code}. The end of {log_path}:\n{tail(log_path)}"
            raise UnavailableError(msg)

    async def _start_temporal(self) -> None:
        if not self.settings.temporal_address:
            await self._step("temporal", self._start_temporal_server)

    async def _start_temporal_server(self) -> None:
        binary = await asyncio.to_thread(
            temporal_server.ensure_binary,
            self.settings.home,
            lambda line: self._report("temporal", f"building: {line}", passing=True),
        )
        database = self.settings.home / "temporal" / "temporal.db"
        database.parent.mkdir(parents=True, exist_ok=True)
        listening = self._ports.temporal
        codec_endpoint = f"{self.environment['PERDURE_PUBLIC_URL'].rstrip('/')}/codec"
        spec = ChildSpec(
            name="temporal",
            command=tuple(temporal_server.server_command(binary, listening, database, codec_endpoint)),
            log=self.files.logs / "temporal.log",
            # Of its heap little is in use: collected at half the growth, an idle one takes 45 MB less.
            environment={"GOGC": os.environ.get("GOGC", "50")},
            is_ready=lambda: temporal_server.answers(listening.http_url),
            stop_timeout_s=10.0,
        )
        await self._child(_TEMPORAL, spec).start()
        await temporal_server.set_retention(listening.http_url)
        await temporal_server.drop_unused_indexes(database, listening.http_url)

    def _worker_spec(self, queue: str) -> ChildSpec:
        return ChildSpec(
            name=f"worker {queue}",
            command=(*self._programs.worker, "--queues", queue),
            log=self.files.logs / f"worker-{queue}.log",
            environment={
                **self._app_environment(),
                "PERDURE_WORKER_METRICS_ADDRESS": f"{LOOPBACK}:{self._ports.worker_metrics[queue]}",
            },
            directory=_ROOT,
            clock=Clock(self.settings.home, f"worker {queue}"),
            is_ready=lambda: self._is_polled(queue),
            stop_timeout_s=60.0,
        )

    async def _is_polled(self, queue: str) -> bool:
        if self.settings.temporal_address:
            # That one may have no HTTP address; `/health/ready` of the API looks through its own connection.
            return True
        return await temporal_server.is_polled(self._ports.temporal.http_url, queue)

    def _api_spec(self) -> ChildSpec:
        host = self.settings.api_host
        command = (*self._programs.api, "--host", host, "--port", str(self._ports.api))
        return ChildSpec(
            name="api",
            command=command,
            log=self.files.logs / "api.log",
            environment=self._app_environment(),
            directory=_ROOT,
            clock=Clock(self.settings.home, "api"),
            is_ready=lambda: loopback.answers(f"{self.url}/health/ready"),
            stop_timeout_s=30.0,
        )

    def _app_environment(self) -> dict[str, str]:
        # Each thread that allocates gets an arena of its own from glibc, and keeps what it once needed.
        arenas = {"MALLOC_ARENA_MAX": os.environ.get("MALLOC_ARENA_MAX", "2")}
        # Without bytecode, the sandbox compiles the workflows anew for each that runs: a third of a batch's speed.
        bytecode = {"PYTHONDONTWRITEBYTECODE": ""}
        # The owner may do anything to the schema: the app never learns its address.
        return {**arenas, **bytecode, **self.environment, "DATABASE_OWNER_URL": ""}

    def _write_state(self) -> None:
        records = [child.record for tier in reversed(self._tiers) for child in tier if child.record]
        state = {
            "pid": os.getpid(),
            "url": self.url,
            "temporal_ui_url": self.temporal_ui_url,
            "logs": str(self.files.logs),
            "metrics": self.metrics_urls,
            "children": [asdict(record) for record in records],
        }
        write_private(self.files.state, json.dumps(state, indent=2) + "\n")

    async def stop(self) -> None:
        """Take everything down in order: what serves callers first, what holds state last."""
        for tier in reversed(self._tiers):
            for child in tier:
                self._report(child.spec.name, "stopping")
            await asyncio.gather(*(child.stop() for child in tier))
            for child in tier:
                self._report(child.spec.name, "stopped")
            tier.clear()
        self.files.clear()
        self.files.unlock()

    def kill(self) -> None:
        """End everything now; the next start recovers."""
        for tier in self._tiers:
            for child in tier:
                child.kill()


async def _together(*actions: Coroutine[None, None, None]) -> None:
    """Run side by side; the first failure cancels the others and is raised as it is."""
    try:
        async with asyncio.TaskGroup() as group:
            for action in actions:
                group.create_task(action)
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
