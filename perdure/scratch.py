"""Where a process keeps its temporary files, so that the next one can delete what a killed one left behind."""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PREFIX = "perdure-worker-"
_LOCK = ".lock"


@contextmanager
def scratch_directory(base: Path | None = None) -> Iterator[Path]:
    """A folder of this process alone, deleted at its end; those of processes that were killed go first.

    Beside the folder lies a file that its process holds locked: the kernel lets go of it however the process ends.
    """
    base = base or Path(tempfile.gettempdir())
    remove_abandoned(base)
    lock_path, lock = _new_lock(base)
    folder = lock_path.with_suffix("")
    try:
        folder.mkdir(mode=0o700)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        lock_path.unlink(missing_ok=True)
        os.close(lock)


def remove_abandoned(base: Path) -> int:
    """Delete the folders whose processes are gone, and return how many."""
    removed = 0
    for lock_path in base.glob(f"{PREFIX}*{_LOCK}"):
        with contextlib.suppress(OSError):
            lock = os.open(lock_path, os.O_RDWR | os.O_NOFOLLOW)
            try:
                if os.fstat(lock).st_uid == os.getuid():
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(lock_path.with_suffix(""), ignore_errors=True)
                    lock_path.unlink()
                    removed += 1
            finally:
                os.close(lock)
    return removed


def _new_lock(base: Path) -> tuple[Path, int]:
    while True:
        lock, name = tempfile.mkstemp(prefix=PREFIX, suffix=_LOCK, dir=base)
        fcntl.flock(lock, fcntl.LOCK_EX)
        with contextlib.suppress(FileNotFoundError):
            if os.stat(name).st_ino == os.fstat(lock).st_ino:
                return Path(name), lock
        os.close(lock)  # swept away between the two lines above: take another
