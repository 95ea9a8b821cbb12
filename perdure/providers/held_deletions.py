"""Deletions in a directory of objects; while a backup copies it, what is deleted is set aside until it is copied.

A backup needs every object that its snapshot of the database knows, those included that were deleted a moment later.
Both sides lock the directory itself, so that no deletion that looked before the backup began ends after it.
"""

import contextlib
import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from perdure.errors import ConflictError, UnavailableError

HELD = ".held"
_DONE = ".held-done"
_PATIENCE_S = 30.0


class HeldDeletions:
    """The deletions of one directory; any number of processes may delete, one at a time may hold."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._held = root / HELD

    @contextmanager
    def turn(self) -> Iterator[Callable[[str], None] | None]:
        """For the time of a deletion: how to set a key aside while somebody holds; None to delete."""
        try:
            lock = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            yield None
            return
        try:
            fcntl.flock(lock, fcntl.LOCK_SH)
            yield self._set_aside if self._is_held() else None
        finally:
            os.close(lock)

    def _is_held(self) -> bool:
        """Whether who made the folder still runs: the kernel lets go of the lock of a process that was killed."""
        try:
            lock = os.open(self._held, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(lock)
        return False

    def _set_aside(self, key: str) -> None:
        place = self._held / key
        place.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            (self._root / key).replace(place)

    @contextmanager
    def held(self) -> Iterator[Path]:
        """Have deletions set aside below the folder that is given; they are done at the end. Blocking."""
        with self._alone():
            if self._is_held():
                msg = f"another backup of {self._root} is under way: wait for its end"
                raise ConflictError(msg)
            self._let_go()  # of a backup that was killed
            self._held.mkdir(mode=0o700)
            lock = os.open(self._held, os.O_RDONLY | os.O_DIRECTORY)
            fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            yield self._held
        finally:
            with self._alone():
                self._let_go()
            os.close(lock)
            shutil.rmtree(self._root / _DONE, ignore_errors=True)

    def _let_go(self) -> None:
        # A rename, because deletions wait for it; what it moved is removed when they no longer do.
        if self._held.exists():
            shutil.rmtree(self._root / _DONE, ignore_errors=True)
            self._held.rename(self._root / _DONE)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """While no deletion is under way."""
        self._root.mkdir(parents=True, exist_ok=True)
        lock = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY)
        deadline = time.monotonic() + _PATIENCE_S
        try:
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError as error:
                    if time.monotonic() > deadline:
                        msg = f"a deletion in {self._root} has not ended for {_PATIENCE_S:.0f} s: try again later"
                        raise UnavailableError(msg) from error
                    time.sleep(0.01)
            yield
        finally:
            os.close(lock)
