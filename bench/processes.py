"""`perdure up` as a user runs it, in a process of its own."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from perdure.embedded import ports
from perdure.embedded.processes import tied_to_parent

START_TIMEOUT_S = 180.0
STOP_TIMEOUT_S = 90.0
POLL_S = 0.02


@dataclass
class Up:
    """A running `perdure up`."""

    process: Process
    url: str
    started: float
    lines: list[tuple[float, str]] = field(default_factory=list)

    async def ready(self) -> float:
        """Seconds from the start until the API says that everything is ready."""
        async with httpx.AsyncClient(timeout=5) as http, asyncio.timeout(START_TIMEOUT_S):
            while True:
                self._check()
                with contextlib.suppress(httpx.TransportError):
                    if (await http.get(f"{self.url}/health/ready")).is_success:
                        return time.monotonic() - self.started
                await asyncio.sleep(POLL_S)

    async def says(self, text: str) -> float:
        """Seconds from the start until a line with this text was printed."""
        async with asyncio.timeout(START_TIMEOUT_S):
            while True:
                for at, line in self.lines:
                    if text in line:
                        return at
                self._check()
                await asyncio.sleep(POLL_S)

    def _check(self) -> None:
        if self.process.returncode is not None:
            said = "\n".join(line for _at, line in self.lines[-20:])
            msg = f"`perdure up` ended with exit code {self.process.returncode}:\n{said}"
            raise RuntimeError(msg)

    async def stop(self) -> None:
        """Ctrl-C; kill it when that takes too long."""
        if self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(signal.SIGINT)
        try:
            await asyncio.wait_for(self.process.wait(), STOP_TIMEOUT_S)
        except TimeoutError:
            self.process.kill()
            await self.process.wait()


@asynccontextmanager
async def perdure_up(home: Path, *options: str) -> AsyncIterator[Up]:
    """Start it, and stop it in the end."""
    api, temporal, ui = ports.unused(3)
    environment = {
        **os.environ,
        "PERDURE_HOME": str(home),
        "PERDURE_API_PORT": str(api),
        "PERDURE_TEMPORAL_PORT": str(temporal),
        "PERDURE_TEMPORAL_UI_PORT": str(ui),
        "PYTHONUNBUFFERED": "1",
        "COLUMNS": "200",
    }
    command = tied_to_parent((str(Path(sys.executable).parent / "perdure"), "up", *options), None)
    started = time.monotonic()
    process = await asyncio.create_subprocess_exec(
        *command, env=environment, stdout=PIPE, stderr=asyncio.subprocess.STDOUT, start_new_session=True
    )
    up = Up(process, f"http://127.0.0.1:{api}", started)
    reading = asyncio.create_task(_read(up))
    try:
        yield up
    finally:
        await up.stop()
        await reading


async def _read(up: Up) -> None:
    assert up.process.stdout is not None
    async for line in up.process.stdout:
        up.lines.append((time.monotonic() - up.started, line.decode("utf-8", "replace").rstrip()))
