"""A whole product in a home of its own, started the way that people start it: `perdure up` as a process."""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import httpx
import psutil

from perdure.db.session import Database
from perdure.embedded import ports
from perdure.embedded.processes import alive
from perdure.embedded.supervisor import WORKER_QUEUES
from perdure.settings import Settings, home_directory
from tests.embedding import model_directory
from tests.receivers import Mailbox, Receiver

ROOT = Path(__file__).parents[2]
READY_S = 150.0  # seconds on an idle machine; a busy one takes its time
END_S = 75.0
# Of the workers of `hostile_up`.
DRAIN_S = 6.0


class Installed(Protocol):
    """What the checks ask of a product that runs, in whatever form. A name may stand for several processes."""

    home: Path
    temporary: Path

    @property
    def url(self) -> str: ...

    @property
    def worker_count(self) -> int: ...

    def pids_of(self, name: str) -> list[int]: ...

    def parser_children(self) -> dict[int, int]: ...

    def database(self) -> Database: ...

    async def stored(self, organisation_id: str) -> set[str]: ...


class Installation:
    """`perdure up` on one home, again and again; `program` is the module that is run for it."""

    def __init__(self, home: Path, program: str = "perdure.cli") -> None:
        self.home, self._program = home, program
        self.temporary = home / "tmp"
        self.temporary.mkdir(parents=True)
        for shared in (model_directory(), home_directory() / "bin"):
            if shared.is_dir():
                (home / shared.name).symlink_to(shared.resolve())
        self._api, self._temporal, self._ui = ports.unused(3)
        # Who is told of things; down unless a test has them up.
        self.receiver, self.mailbox = Receiver(), Mailbox()
        self._process: subprocess.Popen[bytes] | None = None
        self.output = home / "up.log"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._api}"

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "PERDURE_HOME": str(self.home),
            "PERDURE_API_PORT": str(self._api),
            "PERDURE_TEMPORAL_PORT": str(self._temporal),
            "PERDURE_TEMPORAL_UI_PORT": str(self._ui),
            "PERDURE_PARSE_TIMEOUT_S": "12",
            # Providers are servers of the tests.
            "PERDURE_PROVIDER_PRIVATE_URLS": "true",
            "PERDURE_WEBHOOK_ALLOW_HOSTS": self.receiver.host,
            "PERDURE_SMTP_URL": self.mailbox.url,
            "PERDURE_MAIL_FROM": "perdure@example.org",
            "TMPDIR": str(self.temporary),
        }

    @property
    def worker_count(self) -> int:
        return len(WORKER_QUEUES)

    @property
    def pid(self) -> int:
        """Process id of the supervisor."""
        assert self._process is not None
        return self._process.pid

    async def up(self) -> None:
        """Start, and wait until it says that it is ready."""
        self.output.unlink(missing_ok=True)
        with self.output.open("wb") as output:
            self._process = subprocess.Popen(  # noqa: ASYNC220  # returns at once
                [sys.executable, "-m", self._program, "up", "--no-demo"],
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        # The last line of what it says; that it is ready is the first.
        await eventually(lambda: "Stop Ctrl-C" in self.said() or self._ended(), READY_S)
        assert not self._ended(), self.said()

    def said(self) -> str:
        """What `perdure up` printed, without line breaks: they are where the width of the output wants them."""
        return " ".join(self.output.read_text().split())

    def _ended(self) -> bool:
        return self._process is None or self._process.poll() is not None

    def pid_of(self, name: str) -> int:
        """Process id of a part: `postgres`, `temporal`, `worker io`, `worker cpu`, `api`; 0 while there is none."""
        children = json.loads((self.home / "stack.json").read_text())["children"]
        return sum(child["pid"] for child in children if child["name"] == name)

    def pids_of(self, name: str) -> list[int]:
        """Process ids of a part, which is one process here."""
        return [self.pid_of(name)]

    def kill(self, *names: str) -> None:
        """End parts at once, as the kernel does when memory runs out."""
        for name in names:
            os.kill(self.pid_of(name), signal.SIGKILL)

    async def killed(self, *names: str) -> None:
        """Kill parts and wait until others have taken their places."""
        before: dict[str, int] = {}
        for name in names:
            # It may be on its way up from the death before, or end by itself because of another's.
            await eventually(lambda name=name: self.pid_of(name) != 0, READY_S)  # type: ignore[misc]  # see below
            before[name] = self.pid_of(name)
            with contextlib.suppress(ProcessLookupError):
                os.kill(before[name], signal.SIGKILL)
        for name, pid in before.items():
            await eventually(lambda name=name, pid=pid: self.pid_of(name) not in {0, pid}, READY_S)  # type: ignore[misc]  # defaults bind the loop's values

    async def answers(self) -> None:
        """Wait until the API is ready for work."""
        async with httpx.AsyncClient(trust_env=False) as http, asyncio.timeout(READY_S):
            while True:
                with contextlib.suppress(httpx.TransportError):
                    if (await http.get(f"{self.url}/health/ready")).is_success:
                        return
                await asyncio.sleep(0.1)

    def processes(self) -> list[psutil.Process]:
        """The supervisor and everything below it."""
        supervisor = alive(self.pid)
        return [supervisor, *supervisor.children(recursive=True)] if supervisor else []

    def parser_children(self) -> dict[int, int]:
        """Parser processes of this installation, wherever they hang in the tree, with their parents."""
        return parser_children(self.home)

    async def stored(self, organisation_id: str) -> set[str]:
        """Keys of what an organisation has in the object store, also of what is half there."""
        objects = self.home / "objects"
        files = await asyncio.to_thread(list, (objects / organisation_id).rglob("*"))
        return {str(path.relative_to(objects)) for path in files if path.is_file()}

    def interrupt(self) -> None:
        """Ctrl-C."""
        os.kill(self.pid, signal.SIGINT)

    async def ended(self) -> int:
        """Wait for the end of `perdure up`; its exit code."""
        assert self._process is not None
        code = await asyncio.to_thread(self._process.wait, END_S)
        self._process = None
        return code

    def settings(self) -> Settings:
        """What the processes of the stack are configured with."""
        return Settings(_env_file=self.home / "stack.env", home=self.home)

    def database(self) -> Database:
        """The database, as the app role."""
        return Database(self.settings().database_url, 3)

    def destroy(self) -> None:
        """End what is left, and delete everything."""
        processes = self.processes() if self._process is not None and not self._ended() else []
        if self._process is not None and not self._ended():
            self.interrupt()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(END_S)
        for process in processes:
            with contextlib.suppress(psutil.Error):
                process.kill()
        if "PERDURE_TEST_KEEP" not in os.environ:
            shutil.rmtree(self.home.parent, ignore_errors=True)


def parser_children(home: Path) -> dict[int, int]:
    """Parser processes of a product whose homes lie here, with their parents."""
    found: dict[int, int] = {}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if (
                "perdure.providers.parse_child" in process.cmdline()
                and Path(process.environ().get("PERDURE_HOME", "/")).is_relative_to(home)
                and process.status() != psutil.STATUS_ZOMBIE
            ):
                found[process.pid] = process.ppid()
    return found


async def eventually(condition: Callable[[], bool], timeout_s: float = 20.0, pause_s: float = 0.05) -> None:
    """Wait until a condition on other processes holds."""
    deadline = time.monotonic() + timeout_s
    while not condition():  # what is waited for happens in other processes
        assert time.monotonic() < deadline, f"not within {timeout_s:.0f} s"
        await asyncio.sleep(pause_s)
