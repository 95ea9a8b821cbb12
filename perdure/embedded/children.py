"""Child processes that are started again when they die, and are all gone when their parent is."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from perdure.embedded.clocks import Clock
from perdure.embedded.logs import tail
from perdure.embedded.processes import ProcessRecord, Report, tied_to_parent
from perdure.errors import UnavailableError

_FIRST_DELAY_S = 0.2
_LONGEST_DELAY_S = 5.0
# A child that lived this long has started well: the next failure is a new one.
_HEALTHY_AFTER_S = 20.0
# PostgreSQL may need some: the orphans of a killed one hold its memory for a moment.
_DEATHS_BEFORE_READY = 6


@dataclass(frozen=True)
class ChildSpec:
    """How to run one child. `is_ready` is polled after a start; it must be quick and raise nothing."""

    name: str
    command: tuple[str, ...]
    log: Path
    is_ready: Callable[[], Awaitable[bool]]
    environment: Mapping[str, str] = field(default_factory=dict)
    stop_signal: signal.Signals = signal.SIGTERM
    stop_timeout_s: float = 30.0
    user: str | None = None
    directory: Path = Path("/")
    clock: Clock | None = None


class Child:
    """One supervised process in a session of its own, so that Ctrl-C reaches the parent alone."""

    def __init__(self, spec: ChildSpec, report: Report, changed: Callable[[], None]) -> None:
        self.spec = spec
        self._report, self._changed = report, changed
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._deaths = 0
        self.record: ProcessRecord | None = None

    async def start(self, timeout_s: float = 180.0) -> None:
        """Start, return once ready; UnavailableError with the end of its log when it does not get there."""
        self._task = asyncio.create_task(self._keep_running())
        try:
            async with asyncio.timeout(timeout_s):
                while not await self.spec.is_ready():
                    if self._deaths >= _DEATHS_BEFORE_READY:
                        raise UnavailableError(self._failure("keeps ending right after its start"))
                    await asyncio.sleep(0.1)
        except TimeoutError as error:
            raise UnavailableError(self._failure(f"was not ready in {timeout_s:.0f} s")) from error

    def _failure(self, what: str) -> str:
        return f"{self.spec.name} {what}. The end of {self.spec.log}:\n{tail(self.spec.log)}"

    async def _keep_running(self) -> None:
        delay_s = _FIRST_DELAY_S
        while not self._stopping.is_set():
            started = time.monotonic()
            outcome = await self._run_once()
            if self._stopping.is_set():
                return
            self._deaths += 1
            if time.monotonic() - started > _HEALTHY_AFTER_S:
                delay_s = _FIRST_DELAY_S
            self._report(self.spec.name, f"{outcome}; starting it again in {delay_s:.1f} s")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), delay_s)
            delay_s = min(delay_s * 2, _LONGEST_DELAY_S)

    async def _run_once(self) -> str:
        try:
            self._process = await self._spawn()
        except OSError as error:
            return f"cannot be started: {error}"
        self.record = ProcessRecord.of(self.spec.name, self._process.pid, self.spec.stop_signal)
        self._changed()
        return _describe_exit(await self._process.wait())

    async def _spawn(self) -> asyncio.subprocess.Process:
        self.spec.log.parent.mkdir(parents=True, exist_ok=True)
        with self.spec.log.open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *tied_to_parent(self.spec.command, self.spec.user),
                env={**os.environ, **self.spec.environment, **self._of_clock()},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.spec.directory,
                start_new_session=True,
            )

    def _of_clock(self) -> Mapping[str, str]:
        return self.spec.clock.environment() if self.spec.clock is not None else {}

    def interrupt(self) -> None:
        """Ask it to end, and do not start it again."""
        self._stopping.set()
        self._signal(self.spec.stop_signal)

    def kill(self) -> None:
        """End it now."""
        self._stopping.set()
        self._signal(signal.SIGKILL)

    async def stop(self) -> None:
        """Ask it to end; kill it after `stop_timeout_s`."""
        self.interrupt()
        if self._task is None:
            return
        done, _ = await asyncio.wait({self._task}, timeout=self.spec.stop_timeout_s)
        if not done:
            self._report(self.spec.name, f"did not end in {self.spec.stop_timeout_s:.0f} s: killed")
            self._signal(signal.SIGKILL)
        await self._task

    def _signal(self, number: int) -> None:
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)


def _describe_exit(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    return f"was ended by {signal.Signals(-code).name}"
