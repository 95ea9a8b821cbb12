"""Temporal's SQLite file, copied as it was at one moment while the server writes to it."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from perdure.errors import UnavailableError

_PAGES_AT_ONCE = 1000
_BUSY_TIMEOUT_S = 30.0


@contextmanager
def moment(database: Path) -> Iterator[sqlite3.Connection]:
    """Hold the file as it is now, for `copy`. Blocking, but the server is not held up: it logs ahead."""
    with closing(
        sqlite3.connect(database, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    ) as connection:
        # What begins here is a read transaction; without one, the copy begins anew at each write of the server.
        connection.execute("BEGIN")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        yield connection


def copy(held: sqlite3.Connection, target: Path) -> None:
    """Write the moment into one file, which needs no log beside it. Blocking."""
    with closing(sqlite3.connect(target, isolation_level=None)) as connection:
        held.backup(connection, pages=_PAGES_AT_ONCE, sleep=0.0)
        connection.execute("PRAGMA journal_mode=delete")
        (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        msg = f"the copy of Temporal's file is damaged ({found}): check the file that is in use with `perdure doctor`"
        raise UnavailableError(msg)
    target.chmod(0o600)
