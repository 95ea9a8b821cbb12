"""The files under `<home>` by which a running stack is found, and by which only one runs."""

import fcntl
import json
import os
from pathlib import Path
from typing import IO

from perdure.embedded.processes import ProcessRecord
from perdure.errors import ConflictError


class StackFiles:
    """The files under `<home>` that tell other processes where things are."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.environment = home / "stack.env"
        self.state = home / "stack.json"
        self.logs = home / "logs"
        self._lock_file = home / "stack.lock"
        self._lock: IO[str] | None = None

    def lock(self) -> None:
        """Keep a second `perdure up` out; ConflictError that says where the first one is."""
        self.home.mkdir(parents=True, exist_ok=True)
        self._lock = self._lock_file.open("a")
        try:
            # The kernel lets go of it when this process ends, however it ends.
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._lock.close()
            state = self.read_state()
            where, pid = state.get("url", "(still starting)"), state.get("pid", "?")
            msg = f"Perdure runs already from {self.home}: {where} (pid {pid})"
            raise ConflictError(msg) from error

    def unlock(self) -> None:
        """Let the next `perdure up` in."""
        if self._lock is not None:
            self._lock.close()

    def is_locked(self) -> bool:
        """Whether a stack runs from here."""
        if not self._lock_file.exists():
            return False
        with self._lock_file.open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                return True
        return False

    def read_state(self) -> dict[str, object]:
        """What the last `perdure up` wrote; empty when there was none or it stopped in order."""
        try:
            state = json.loads(self.state.read_text())
        except (OSError, ValueError):
            return {}
        return state if isinstance(state, dict) else {}

    def leftovers(self) -> list[ProcessRecord]:
        """Children of the last run, in the order in which they should end."""
        children = self.read_state().get("children")
        records: list[ProcessRecord] = []
        for entry in children if isinstance(children, list) else []:
            try:
                records.append(ProcessRecord(**entry))
            except TypeError:
                continue  # written by another version
        return records

    def write_environment(self, values: dict[str, str]) -> None:
        """Write `stack.env`, readable by this user alone."""
        lines = [f"{name}={_quoted(value)}" for name, value in values.items()]
        write_private(self.environment, "\n".join(lines) + "\n")

    def clear(self) -> None:
        """Forget a stack that stopped in order."""
        self.environment.unlink(missing_ok=True)
        self.state.unlink(missing_ok=True)


def _quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def write_private(path: Path, text: str) -> None:
    """Replace a file at once; mode 600 from its first byte."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    unfinished.replace(path)
