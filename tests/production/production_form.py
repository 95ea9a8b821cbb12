"""The product on production parts: several API and worker processes that share nothing but these parts.

It answers what the tests of `tests/faults` ask an installation of `perdure up`.
"""

import asyncio
import os
import signal
import sys

from perdure.db.session import Database
from perdure.embedded import loopback, ports, postgres
from perdure.embedded.children import Child, ChildSpec
from perdure.embedded.ports import LOOPBACK
from perdure.embedded.supervisor import WORKER_QUEUES
from perdure.providers.obstore_object_store import ObstoreObjectStore
from perdure.settings import Settings
from tests.faults.installation import READY_S, ROOT, parser_children
from tests.production.infrastructure import Infrastructure

NAMESPACE = "perdure"
# Of each kind, so that what one does the other has to know.
_PROCESSES = 2
SEARCHES_A_MINUTE = 60


def pid_of(child: Child) -> int:
    """Process id; 0 while there is none."""
    return child.record.pid if child.record is not None else 0


class ProductionForm:
    """Two API processes and two workers for each queue. Each has a home of its own, as if on its own machine."""

    def __init__(self, infrastructure: Infrastructure) -> None:
        self.infrastructure = infrastructure
        self.home = infrastructure.home / "product"
        self.temporary = self.home / "tmp"
        self.temporary.mkdir(parents=True)
        self._api_ports = ports.unused(_PROCESSES)
        self._children: dict[str, list[Child]] = {}

    @property
    def environment(self) -> dict[str, str]:
        """Where things are, and nothing of a home: see `_home_of`."""
        return {
            **os.environ,
            **self.infrastructure.environment(postgres.DATABASE, NAMESPACE),
            "PERDURE_HOME": str(self.home),
            "PERDURE_RATE_LIMITS": f"search={SEARCHES_A_MINUTE}",
            "PERDURE_PARSE_TIMEOUT_S": "12",
            "TMPDIR": str(self.temporary),
        }

    async def up(self) -> None:
        """Migrate, start all processes, and wait until they serve."""
        await asyncio.gather(self.infrastructure.temporal.register(NAMESPACE), self._migrate())
        for number, port in enumerate(self._api_ports, 1):
            command = (sys.executable, "-m", "api.serve", "--host", LOOPBACK, "--port", str(port))
            self._add("api", number, command)
        for queue in WORKER_QUEUES:
            for number in range(1, _PROCESSES + 1):
                self._add(f"worker {queue}", number, (sys.executable, "worker.py", "--queues", queue))
        await asyncio.gather(*(child.start() for children in self._children.values() for child in children))

    async def _migrate(self) -> None:
        owner = {"DATABASE_OWNER_URL": self.infrastructure.owner_url()}
        code, said = await self.ran("-m", "perdure.cli", "migrate", **owner)
        assert code == 0, said

    async def ran(self, *arguments: str, **environment: str) -> tuple[int, str]:
        """Run Python with the environment of the processes: exit code and output."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, *arguments),
            env={**self.environment, **environment},
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await process.communicate()
        return process.returncode or 0, said.decode()

    def _add(self, name: str, number: int, command: tuple[str, ...]) -> None:
        async def serves() -> bool:
            return await self._serves(name, number)

        spec = ChildSpec(
            name=f"{name} {number}",
            command=command,
            log=self.infrastructure.home / "logs" / f"{name.replace(' ', '-')}-{number}.log",
            environment={**self.environment, "PERDURE_HOME": str(self.home / f"{name}-{number}")},
            directory=ROOT,
            is_ready=serves,
            stop_timeout_s=60.0,
        )
        self._children.setdefault(name, []).append(Child(spec, self.infrastructure.report, lambda: None))

    async def _serves(self, name: str, number: int) -> bool:
        if name == "api":
            return await loopback.answers(f"{self.urls[number - 1]}/health/ready")
        queue = name.removeprefix("worker ")
        return pid_of(self._children[name][number - 1]) in await self.infrastructure.temporal.pollers(
            NAMESPACE, queue
        )

    @property
    def urls(self) -> list[str]:
        """Addresses of the API processes."""
        return [f"http://{LOOPBACK}:{port}" for port in self._api_ports]

    @property
    def url(self) -> str:
        """Address of one of them."""
        return self.urls[0]

    @property
    def worker_count(self) -> int:
        return _PROCESSES * len(WORKER_QUEUES)

    def _named(self, name: str) -> list[Child]:
        """One process by its whole name, or all of its kind; or a part of the infrastructure."""
        ours = [child for children in self._children.values() for child in children]
        named = [child for child in ours if name in {child.spec.name, child.spec.name.rpartition(" ")[0]}]
        return named or [self.infrastructure.child(name)]

    def pids_of(self, name: str) -> list[int]:
        """Process ids; 0 for one that is not there."""
        return [pid_of(child) for child in self._named(name)]

    def pid_of(self, name: str) -> int:
        """Process id of the first one of that name."""
        return self.pids_of(name)[0]

    def kill(self, *names: str) -> None:
        """End all of these names at once, as the kernel does when memory runs out."""
        for pid in [pid for name in names for pid in self.pids_of(name)]:
            os.kill(pid, signal.SIGKILL)

    async def killed(self, *names: str) -> None:
        """Kill, and wait until others have taken their places and serve."""
        before = [(child, pid_of(child)) for name in names for child in self._named(name)]
        for _, pid in before:
            os.kill(pid, signal.SIGKILL)
        async with asyncio.timeout(READY_S):
            for child, pid in before:
                while pid_of(child) in {0, pid} or not await child.spec.is_ready():  # noqa: ASYNC110  # other processes
                    await asyncio.sleep(0.1)

    async def answers(self) -> None:
        """Wait until every API process is ready for work."""
        async with asyncio.timeout(READY_S):
            for url in self.urls:
                while not await loopback.answers(f"{url}/health/ready"):  # noqa: ASYNC110  # another process
                    await asyncio.sleep(0.1)

    def parser_children(self) -> dict[int, int]:
        """Parser processes of all workers, wherever they hang in the tree, with their parents."""
        return parser_children(self.home)

    def settings(self) -> Settings:
        """What the processes are configured with, but for their homes."""
        return self.infrastructure.settings(postgres.DATABASE, NAMESPACE, home=self.home)

    def database(self) -> Database:
        """The database, as the app role, through the pooler."""
        return Database(self.settings().database_url, 2)

    async def stored(self, organisation_id: str) -> set[str]:
        """Keys of what an organisation has in the bucket, and names of what is half there."""
        objects = ObstoreObjectStore.from_url(self.settings().objects_url)
        keys = {key async for key in objects.list(organisation_id)}
        return keys | {str(path) for path in self.infrastructure.s3.unfinished()}

    async def down(self) -> None:
        """Drain and end all processes."""
        for name in ("api", *(name for name in self._children if name != "api")):
            await asyncio.gather(*(child.stop() for child in self._children.get(name, [])))
