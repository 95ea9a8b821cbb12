"""Finding, tying and ending processes, sure that they are the right ones."""

import contextlib
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import psutil


class Report(Protocol):
    """Told what happens to a part; what is `passing` is of interest only until the next report."""

    def __call__(self, part: str, what: str, *, passing: bool = False) -> None: ...


@dataclass(frozen=True)
class ProcessRecord:
    """Enough to find a process again and to be sure that it is the same one."""

    name: str
    pid: int
    created_at: float
    stop_signal: int

    @classmethod
    def of(cls, name: str, pid: int, stop_signal: int = signal.SIGTERM) -> "ProcessRecord | None":
        """The record of a process that runs now."""
        process = alive(pid)
        if process is None:
            return None
        with contextlib.suppress(psutil.NoSuchProcess):
            return cls(name, pid, process.create_time(), int(stop_signal))
        return None

    def find(self) -> psutil.Process | None:
        """The process, unless it ended; a later one with the same number is another one."""
        process = alive(self.pid)
        with contextlib.suppress(psutil.NoSuchProcess):
            # Computed from the boot time, which moves when the clock is set.
            if process is not None and abs(process.create_time() - self.created_at) < 2.0:
                return process
        return None

    def signal(self, number: int) -> None:
        """Send a signal, unless it ended."""
        if process := self.find():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)


def alive(pid: int) -> psutil.Process | None:
    """The process of that number; one that ended but was not reaped is no process."""
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process
    except psutil.NoSuchProcess:
        return None


def wait_gone(record: ProcessRecord, timeout_s: float) -> bool:
    """Whether it ended in time. Blocking."""
    deadline = time.monotonic() + timeout_s
    while record.find() is not None:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def tied_to_parent(command: tuple[str, ...], user: str | None) -> tuple[str, ...]:
    """Make the kernel send SIGTERM when the parent dies, where it can; and change the user."""
    # Set by a program, because code of ours between fork and exec could deadlock.
    setpriv = shutil.which("setpriv") if sys.platform == "linux" else None
    if setpriv is None:
        return command
    change = ("--reuid", user, "--regid", user, "--clear-groups") if user is not None else ()
    return (setpriv, "--pdeathsig", "TERM", *change, "--", *command)


def end_leftovers(records: Sequence[ProcessRecord], report: Report, timeout_s: float = 20.0) -> None:
    """End what a killed supervisor left behind, politely first. Blocking."""
    found = [record for record in records if record.find() is not None]
    for record in found:
        report(record.name, f"ending what an earlier run left behind (pid {record.pid})")
        record.signal(record.stop_signal)
    deadline = time.monotonic() + timeout_s
    for record in found:
        if not wait_gone(record, max(0.0, deadline - time.monotonic())):
            record.signal(signal.SIGKILL)
            wait_gone(record, 5.0)
