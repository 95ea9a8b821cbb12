"""The processes of a running `perdure up`, and what can be done to them."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from perdure.embedded import clocks, loopback
from perdure.embedded.processes import alive
from perdure.embedded.stack_files import StackFiles
from perdure.errors import ConflictError, UnavailableError

BACK_WITHIN_S = 120.0
_SLOW_STOPPED_S, _SLOW_RUNNING_S = 0.08, 0.02
_PROGRAMS = ("perdure.providers.parse_child", "api.serve", "/worker.py")


@dataclass(frozen=True)
class RunningStack:
    """A stack by its home; each question reads its files again, because parts are started again all the time."""

    home: Path

    @classmethod
    def at(cls, home: Path) -> "RunningStack":
        """ConflictError when nothing runs there."""
        if not StackFiles(home).is_locked():
            msg = f"nothing runs from {home}: start it with `perdure up`, or set PERDURE_HOME"
            raise ConflictError(msg)
        return cls(home)

    @property
    def url(self) -> str:
        """Where the API is."""
        return str(StackFiles(self.home).read_state()["url"])

    def names(self) -> tuple[str, ...]:
        """Parts that run here; what is configured by an address does not, and is left alone."""
        return tuple(record.name for record in StackFiles(self.home).leftovers())

    def pid(self, name: str) -> int:
        """Process id of a part; 0 while there is none."""
        records = StackFiles(self.home).leftovers()
        return next((record.pid for record in records if record.name == name and record.find()), 0)

    def supervisor(self) -> int:
        """Process id of `perdure up`."""
        return int(str(StackFiles(self.home).read_state()["pid"]))

    def release(self) -> None:
        """Undo what a run that was itself killed may have left: parts that are frozen, may write no file, or have a
        clock of their own."""
        for name in self.names():
            if clocks.Clock(self.home, name).leave():
                self.kill([name])
        for pid in (pid for name in self.names() for pid in _tree(self.pid(name))):
            _send(pid, signal.SIGCONT)
            if sys.platform == "linux" and (process := alive(pid)) is not None:
                with contextlib.suppress(psutil.Error):
                    ceiling = process.rlimit(psutil.RLIMIT_FSIZE)[1]
                    process.rlimit(psutil.RLIMIT_FSIZE, (ceiling, ceiling))

    def kill(self, names: Iterable[str]) -> dict[str, int]:
        """End parts at once, as the kernel does when memory runs out; who they were."""
        before = {name: self.pid(name) for name in names}
        for pid in before.values():
            _send(pid, signal.SIGKILL)
        return before

    async def replaced(self, before: dict[str, int]) -> float:
        """When the last of the killed parts had been started again, in seconds since the epoch."""
        deadline = time.monotonic() + BACK_WITHIN_S
        while any(self.pid(name) in {0, pid} for name, pid in before.items()):
            if time.monotonic() > deadline:
                msg = f"{', '.join(before)} was not started again within {BACK_WITHIN_S:.0f} s"
                raise UnavailableError(msg)
            await asyncio.sleep(0.03)
        # Not when the kernel says that it was created: that is counted from a boot time in whole seconds.
        return time.time()

    async def ready(self) -> None:
        """Wait until the API says that everything answers."""
        deadline = time.monotonic() + BACK_WITHIN_S
        while not await loopback.answers(f"{self.url}/health/ready"):
            if time.monotonic() > deadline:
                msg = f"the API was not ready again within {BACK_WITHIN_S:.0f} s"
                raise UnavailableError(msg)
            await asyncio.sleep(0.1)

    @asynccontextmanager
    async def frozen(self, names: Iterable[str]) -> AsyncIterator[None]:
        """SIGSTOP for the time of the block, children included."""
        pids = [pid for name in names for pid in _tree(self.pid(name))]
        try:
            for pid in pids:
                _send(pid, signal.SIGSTOP)
            yield
        finally:
            for pid in reversed(pids):
                _send(pid, signal.SIGCONT)

    async def slow(self, name: str, seconds: float) -> None:
        """Let a server run a fifth of the time, in slices: each of its answers comes late, as over a slow network."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            async with self.frozen([name]):
                await asyncio.sleep(_SLOW_STOPPED_S)
            await asyncio.sleep(_SLOW_RUNNING_S)

    @asynccontextmanager
    async def full_disk(self) -> AsyncIterator[None]:
        """Let API and workers write no file for the time of the block (RLIMIT_FSIZE); Linux alone can do that."""
        if sys.platform != "linux":
            yield
            return
        processes = [alive(self.pid(name)) for name in self.names() if name not in {"postgres", "temporal"}]
        limited: list[tuple[psutil.Process, tuple[int, int]]] = []
        try:
            for process in processes:
                if process is not None:
                    before = process.rlimit(psutil.RLIMIT_FSIZE)
                    process.rlimit(psutil.RLIMIT_FSIZE, (0, before[1]))
                    limited.append((process, before))
            yield
        finally:
            for process, before in limited:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.rlimit(psutil.RLIMIT_FSIZE, before)

    @asynccontextmanager
    async def own_clock(self, name: str) -> AsyncIterator[clocks.Clock]:
        """Start a part anew with a clock of its own, and with the machine's again in the end."""
        clock = clocks.Clock(self.home, name)
        clock.set(0)
        try:
            await self.replaced(self.kill([name]))
            await self.ready()
            if not clocks.is_had_by(self.pid(name)):
                msg = f"{name} did not get a clock of its own; was `perdure up` started by an older version?"
                raise UnavailableError(msg)
            yield clock
        finally:
            clock.leave()
            before = self.kill([name])
            await self.replaced(before)
            clocks.forget(before[name])

    def leaked(self) -> list[str]:
        """Processes of this home that hang under no part: what a killed one left behind."""
        known = set(_tree(self.supervisor()))
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.pid in known or not _is_of(process, self.home):
                    continue
                found.append(f"pid {process.pid}: {' '.join(process.cmdline())[:160]}")
        return found

    def temporal_http(self) -> str | None:
        """The HTTP form of the embedded Temporal's API, which its command line names."""
        process = alive(self.pid("temporal"))
        command = process.cmdline() if process else []
        return (
            f"http://127.0.0.1:{command[command.index('--http-port') + 1]}"
            if "--http-port" in command
            else None
        )

    async def workflows(self, organisation_id: str) -> dict[str, list[str]]:
        """Statuses of all runs of an organisation, by workflow id, as Temporal lists them."""
        base, token = self.temporal_http(), ""
        found: dict[str, list[str]] = {}
        async with loopback.client(10) as http:
            while True:
                answer = await http.get(
                    f"{base}/api/v1/namespaces/default/workflows",
                    params={
                        "query": f'PerdureOrg = "{organisation_id}"',
                        "pageSize": 1000,
                        "nextPageToken": token,
                    },
                )
                if answer.is_error:
                    raise httpx.ReadError(answer.text)
                page = answer.json()
                for each in page.get("executions", ()):
                    status = str(each["status"]).removeprefix("WORKFLOW_EXECUTION_STATUS_").lower()
                    found.setdefault(each["execution"]["workflowId"], []).append(status)
                token = page.get("nextPageToken", "")
                if not token:
                    return found


def _is_of(process: psutil.Process, home: Path) -> bool:
    """Whether it is a part of this home, or the child that parses for a worker."""
    if process.status() == psutil.STATUS_ZOMBIE:
        return False
    command = process.cmdline()
    if str(home / "temporal" / "temporal.db") in command:
        return True
    # Backends of PostgreSQL, too: they work in its directory, and outlive a killed postmaster for a moment.
    if Path(process.cwd()).is_relative_to(home / "postgres"):
        return True
    ours = any(argument.endswith(_PROGRAMS) for argument in command)
    return ours and process.environ().get("PERDURE_HOME") == str(home)


def _send(pid: int, number: int) -> None:
    if pid:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _tree(pid: int) -> list[int]:
    process = alive(pid) if pid else None
    if process is None:
        return []
    with contextlib.suppress(psutil.NoSuchProcess):
        return [pid, *(child.pid for child in process.children(recursive=True))]
    return []
