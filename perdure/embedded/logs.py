"""Log files of the child processes."""

from pathlib import Path

_TAIL_BYTES = 8192


def tail(log: Path, lines: int = 15) -> str:
    """The last lines of a log file."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _TAIL_BYTES))
            return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])
    except OSError:
        return "(there is no log)"


def rotate(log: Path, max_bytes: int, keep: int = 3) -> None:
    """Move a log that has grown too large to `.1`, that one to `.2`, and so on."""
    if not log.exists() or log.stat().st_size <= max_bytes:
        return
    for number in range(keep - 1, 0, -1):
        older = log.with_name(f"{log.name}.{number}")
        if older.exists():
            older.replace(log.with_name(f"{log.name}.{number + 1}"))
    log.replace(log.with_name(f"{log.name}.1"))
