"""Parses files in killable child processes, so that no file can take the worker down with it."""

import asyncio
import contextlib
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import IO

import psutil
from pydantic import BaseModel, ValidationError

import perdure
from perdure import tracing
from perdure.domain import media_types, rejections
from perdure.errors import DocumentRejectedError, UnavailableError
from perdure.ports.parsing import ParseJob
from perdure.providers.parse_child import DEFAULT_PARSER, LENGTH, ChildConfig, encode_job
from perdure.providers.tesseract import find_tesseract
from perdure.schemas.documents import Reason
from perdure.schemas.parsed_text import ParsedText
from perdure.settings import MEBIBYTE, Settings

Outcome = ParsedText | DocumentRejectedError

_WATCH_INTERVAL_S = 0.05
_BATCH_JOBS = 100
_BATCH_FILE_BYTES = 256 * 1024
_FRAME_SLACK_BYTES = 64 * MEBIBYTE
_START_TIMEOUT_S = 30.0
_EXIT_TIMEOUT_S = 2.0


class _Rejected(BaseModel):
    reason: Reason
    detail: str


class _Answer(BaseModel):
    """A frame of a child, which a hostile file may have taken over: believe nothing unchecked."""

    parsed: ParsedText | None = None
    rejected: _Rejected | None = None


class _KilledError(Exception):
    """The child ended, or was ended, while it worked on a job; the rejection says why."""

    def __init__(self, rejection: DocumentRejectedError) -> None:
        super().__init__(rejection.detail)
        self.rejection = rejection


class ParserPool:
    """Up to `parse_children` children, started when needed, used again, ended when idle or hurt.

    `parser` names the function that makes a child's parse function, as `module:name`; tests give their own.
    `tesseract` is the path of the OCR program: None turns OCR off, by default it is looked up on the PATH.
    """

    def __init__(
        self, settings: Settings, *, parser: str = DEFAULT_PARSER, tesseract: str | None = "auto"
    ) -> None:
        self._config = ChildConfig(
            parent=0,  # filled in when a child is started: the worker may fork before
            parser=parser,
            tesseract=find_tesseract() if tesseract == "auto" else tesseract,
            memory_bytes=settings.parse_memory_bytes,
            max_pages=settings.parse_max_pages,
            max_inflated_bytes=settings.parse_max_inflated_bytes,
            max_text_bytes=settings.parse_max_text_bytes,
            timeout_s=settings.parse_timeout_s,
        )
        self._idle_s = settings.parse_child_idle_s
        self._slots = asyncio.Semaphore(settings.parse_children)
        self._idle: list[_Child] = []
        self._all: set[_Child] = set()
        self._retiring: set[asyncio.Task[None]] = set()
        self._closed = False

    @property
    def child_pids(self) -> list[int]:
        """Process ids of the living children."""
        return [child.pid for child in self._all]

    async def parse(self, job: ParseJob) -> ParsedText:
        """Parse one file. DocumentRejectedError with a typed reason for anything the file is to blame for."""
        outcome = (await self._run([job]))[0]
        if isinstance(outcome, DocumentRejectedError):
            raise outcome
        return outcome

    async def parse_many(self, jobs: Sequence[ParseJob]) -> list[Outcome]:
        """Parse all; outcomes stand in the order of the jobs, and one bad file never fails the rest.

        Small plain texts travel a hundred to a round trip; every other file goes on its own.
        """
        small = [index for index, job in enumerate(jobs) if _is_small_text(job)]
        groups = [small[start : start + _BATCH_JOBS] for start in range(0, len(small), _BATCH_JOBS)]
        groups += [[index] for index in sorted(set(range(len(jobs))) - set(small))]
        outcomes: dict[int, Outcome] = {}

        async def run(group: list[int]) -> None:
            outcomes.update(zip(group, await self._run([jobs[index] for index in group]), strict=True))

        async with asyncio.TaskGroup() as tasks:
            for group in groups:
                tasks.create_task(run(group))
        return [outcomes[index] for index in range(len(jobs))]

    async def aclose(self) -> None:
        """End the child processes, also those at work."""
        self._closed = True
        idle, self._idle = self._idle, []
        for child in idle:
            await self._end(child)
        for child in list(self._all):
            await child.kill()  # the one who waits for its answer reads the end of the pipe and reaps it
        if self._retiring:
            await asyncio.gather(*self._retiring)

    async def _run(self, jobs: Sequence[ParseJob]) -> list[Outcome]:
        """Outcomes of jobs that share a round trip. A job that kills its child is answered too."""
        with tracing.span("parse", files=len(jobs)):
            return await self._run_in_child(jobs)

    async def _run_in_child(self, jobs: Sequence[ParseJob]) -> list[Outcome]:
        outcomes: list[Outcome] = []
        async with self._slots:
            while len(outcomes) < len(jobs):
                child = await self._take()
                healthy = False
                try:
                    await child.send(jobs[len(outcomes) :])
                    while len(outcomes) < len(jobs):
                        outcomes.append(await child.receive(jobs[len(outcomes)]))
                    healthy = True
                except _KilledError as killed:
                    if self._closed:
                        raise _shut_down() from killed
                    outcomes.append(killed.rejection)
                finally:
                    # also on cancellation: the child may be in the middle of a job
                    await self._give_back(child, healthy=healthy)
        return outcomes

    async def _take(self) -> "_Child":
        while self._idle and not self._closed:
            child = self._idle.pop()
            child.stop_idling()
            if child.alive:
                return child
            await self._end(child)
        if self._closed:
            raise _shut_down()
        child = _Child(self._config)
        self._all.add(child)
        try:
            await child.start()
        except BaseException:
            await self._end(child)
            raise
        return child

    async def _give_back(self, child: "_Child", *, healthy: bool) -> None:
        # a child that kept more than half of the cap would make the next file pay for this one
        if (
            healthy
            and not self._closed
            and child.alive
            and child.memory_bytes() < self._config.memory_bytes // 2
        ):
            child.idle_for(self._idle_s, lambda: self._retire(child))
            self._idle.append(child)
        else:
            await self._end(child)

    def _retire(self, child: "_Child") -> None:
        if child in self._idle:
            self._idle.remove(child)
            task = asyncio.get_running_loop().create_task(self._end(child))
            self._retiring.add(task)
            task.add_done_callback(self._retiring.discard)

    async def _end(self, child: "_Child") -> None:
        self._all.discard(child)
        await child.end()


class _Child:
    """One child process, its pipes, and the watch over its time and memory."""

    def __init__(self, config: ChildConfig) -> None:
        self._config = config
        self._started: asyncio.subprocess.Process | None = None
        self._complaints: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  # closed in `end`
        self._timer: asyncio.TimerHandle | None = None
        self._peak_bytes = 0

    @property
    def _process(self) -> asyncio.subprocess.Process:
        assert self._started is not None  # noqa: S101  # `start` comes first
        return self._started

    @property
    def pid(self) -> int:
        """Process id; 0 while it is being started."""
        return self._started.pid if self._started else 0

    @property
    def alive(self) -> bool:
        """Whether the process has not ended yet; the event loop learns of an end a little late."""
        if self._started is None or self._started.returncode is not None:
            return False
        try:
            return bool(psutil.Process(self.pid).status() != psutil.STATUS_ZOMBIE)
        except psutil.Error:
            return False

    async def start(self) -> None:
        """Start the process and wait until it is ready for jobs."""
        root = str(Path(perdure.__file__).parent.parent)
        search = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
        self._started = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "perdure.providers.parse_child",
            json.dumps(asdict(self._config) | {"parent": os.getpid()}),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=self._complaints,
            env={**os.environ, "PYTHONPATH": search, "RAYON_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"},
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(_START_TIMEOUT_S):
                await self._read_frame()
        except (asyncio.IncompleteReadError, TimeoutError) as error:
            msg = f"The parser process does not start: {self._last_complaint() or 'no message'}"
            raise UnavailableError(msg) from error

    def memory_bytes(self) -> int:
        """Resident memory of the child and of what it started (Tesseract)."""
        total = 0
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(self.pid)
            total = process.memory_info().rss
            for inner in process.children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    total += inner.memory_info().rss
        self._peak_bytes = max(self._peak_bytes, total)
        return total

    async def send(self, jobs: Sequence[ParseJob]) -> None:
        """Hand over jobs; a child that is gone already shows when its answer is read."""
        body = json.dumps([encode_job(job) for job in jobs]).encode()
        pipe = self._process.stdin
        assert pipe is not None  # noqa: S101  # asked for in `start`
        pipe.write(LENGTH.pack(len(body)) + body)
        with contextlib.suppress(ConnectionError):
            await pipe.drain()

    async def receive(self, job: ParseJob) -> Outcome:
        """The answer to the oldest job sent; _KilledError when the job cost the child its life."""
        reading = asyncio.ensure_future(self._read_frame())
        deadline = time.monotonic() + self._config.timeout_s
        try:
            while not (await asyncio.wait({reading}, timeout=_WATCH_INTERVAL_S))[0]:
                self._check_limits(deadline)
            frame = reading.result()
        except asyncio.IncompleteReadError as error:
            raise await self._cause_of_death() from error
        finally:
            reading.cancel()
        return self._understand(frame, job)

    def _check_limits(self, deadline: float) -> None:
        if time.monotonic() > deadline:
            raise _KilledError(rejections.timed_out(self._config.timeout_s))
        if self.memory_bytes() > self._config.memory_bytes:
            raise self._out_of_memory()

    def _out_of_memory(self) -> _KilledError:
        return _KilledError(rejections.memory_limit(self._config.memory_bytes))

    async def _read_frame(self) -> bytes:
        pipe = self._process.stdout
        assert pipe is not None  # noqa: S101  # asked for in `start`
        (length,) = LENGTH.unpack(await pipe.readexactly(LENGTH.size))
        if length > 4 * self._config.max_text_bytes + _FRAME_SLACK_BYTES:
            raise _garbled()
        return await pipe.readexactly(length)

    def _understand(self, frame: bytes, job: ParseJob) -> Outcome:
        try:
            answer = _Answer.model_validate_json(frame)
        except ValidationError as error:
            raise _garbled() from error
        if answer.rejected is not None:
            return DocumentRejectedError(answer.rejected.reason.value, answer.rejected.detail)
        parsed = answer.parsed
        if parsed is None or "\0" in parsed.text:
            raise _garbled()
        workspace = job.workspace.resolve()
        if not all(Path(one.path).resolve().is_relative_to(workspace) for one in parsed.attachments):
            raise _garbled()
        return parsed

    async def _cause_of_death(self) -> _KilledError:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_EXIT_TIMEOUT_S):
                await self._process.wait()
        complaint = self._last_complaint()
        code = self._process.returncode
        # SIGKILL that we did not send comes from the kernel, which was out of memory
        if (
            code == -signal.SIGKILL
            or "memory allocation" in complaint
            or self._peak_bytes > self._config.memory_bytes
        ):
            return self._out_of_memory()
        how = signal.Signals(-code).name if code is not None and code < 0 else f"exit code {code}"
        return _KilledError(rejections.crashed(how))

    def _last_complaint(self) -> str:
        size = self._complaints.seek(0, os.SEEK_END)
        self._complaints.seek(max(size - 2_000, 0))
        return self._complaints.read().decode("utf-8", "replace").strip()[-500:]

    def idle_for(self, seconds: float, retire: Callable[[], None]) -> None:
        """Call `retire` unless the child gets work within `seconds`."""
        self._timer = asyncio.get_running_loop().call_later(seconds, retire)

    def stop_idling(self) -> None:
        """The child has work again."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _signal(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    async def kill(self) -> None:
        """End the process while somebody else waits for its answer, and wait until it is gone."""
        if self._started is not None:
            self._signal()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_EXIT_TIMEOUT_S):
                    await self._started.wait()

    async def end(self) -> None:
        """Kill the child and all that it started, and reap it. May be called twice."""
        self.stop_idling()
        if self._started is None:
            self._complaints.close()
            return
        self._signal()
        # reads what is left in the pipes, closes them, and collects the exit status
        with contextlib.suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(_EXIT_TIMEOUT_S):
                await self._started.communicate()
        self._complaints.close()


def _shut_down() -> UnavailableError:
    return UnavailableError("The parser is shut down; the document is read again after the restart.")


def _garbled() -> _KilledError:
    return _KilledError(rejections.crashed("it gave an answer that makes no sense"))


def _is_small_text(job: ParseJob) -> bool:
    if job.media_type not in media_types.PLAIN_TEXTS:
        return False
    try:
        return job.path.stat().st_size <= _BATCH_FILE_BYTES
    except OSError:
        return False
