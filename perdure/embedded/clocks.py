"""Clocks of their own for parts of the stack, which `perdure chaos` sets: by libfaketime, where it is installed."""

import contextlib
import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

# Debian, Fedora, Alpine; of the two libraries the one for programs with threads.
_PLACES = ("usr/lib/*/faketime/libfaketimeMT.so.1", "usr/lib*/faketime/libfaketimeMT.so.1")
_FOLDER = "clocks"
# How often a process looks whether its clock has jumped.
LOOKS_EVERY_S = 1.0


def library() -> Path | None:
    """Where libfaketime is; None where no clock can be moved."""
    if sys.platform != "linux":
        return None
    return next((found for place in _PLACES for found in sorted(Path("/").glob(place))), None)


@dataclass(frozen=True)
class Clock:
    """The clock of one part. While it is taken, whatever is started as that part has it; and it can jump any time.

    What measures spans (CLOCK_MONOTONIC) is left alone, as by a real jump, and so are the times of files.
    """

    home: Path
    part: str

    @property
    def _file(self) -> Path:
        return self.home / _FOLDER / f"{self.part.replace(' ', '-')}.rc"

    def environment(self) -> Mapping[str, str]:
        """What a process needs to have it; nothing when it was not taken."""
        found = library()
        if found is None or not self._file.exists():
            return {}
        return {
            "LD_PRELOAD": str(found),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": f"{LOOKS_EVERY_S:.0f}",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }

    def set(self, ahead_s: float) -> None:
        """Take it, or let it jump: so many seconds ahead of the machine's, or behind."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._file.with_suffix(".new")
        fresh.write_text(f"{ahead_s:+.0f}\n")
        fresh.replace(self._file)

    def leave(self) -> bool:
        """Whatever is started from now on has the machine's; whether it had been taken."""
        try:
            self._file.unlink()
        except FileNotFoundError:
            return False
        return True


def is_had_by(pid: int) -> bool:
    """Whether a process was started with a clock of its own."""
    try:
        return library() is not None and "libfaketime" in Path(f"/proc/{pid}/maps").read_text()
    except OSError:
        return False


def leave_all(home: Path) -> None:
    """Nothing of this home has a clock of its own any more when it is started."""
    shutil.rmtree(home / _FOLDER, ignore_errors=True)


def forget(pid: int) -> None:
    """Take away the memory that libfaketime shared with the children of a process that was killed."""
    if not pid:
        return
    shared = Path("/dev") / "shm"
    for path in (shared / f"sem.faketime_sem_{pid}", shared / f"faketime_shm_{pid}"):
        with contextlib.suppress(FileNotFoundError, PermissionError):
            os.unlink(path)
