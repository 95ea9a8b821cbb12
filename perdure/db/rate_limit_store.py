"""Rate limits in PostgreSQL: one statement for whatever a process has let through since the last one."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import CursorResult, TextClause, text
from sqlalchemy.exc import SQLAlchemyError

from perdure.db.session import Database
from perdure.errors import UnavailableError

# In the order of the keys, so that two processes never wait for each other.
_BOOK = text(
    """
    INSERT INTO rate_limits AS held (key, booked_until)
    SELECT asked.key, statement_timestamp() + asked.us * interval '1 microsecond'
    FROM unnest(CAST(:keys AS text[]), CAST(:us AS bigint[])) AS asked (key, us) ORDER BY asked.key
    ON CONFLICT (key) DO UPDATE SET
        booked_until = GREATEST(held.booked_until, statement_timestamp())
            + (EXCLUDED.booked_until - statement_timestamp())
    RETURNING key, CAST(EXTRACT(EPOCH FROM booked_until - statement_timestamp()) * 1000000 AS bigint) AS ahead_us
    """
)
_SWEEP = text(
    "DELETE FROM rate_limits WHERE key IN (SELECT key FROM rate_limits WHERE booked_until < now() "
    "ORDER BY key FOR UPDATE SKIP LOCKED)"
)


class PostgresRateStore:
    """See `RateStore`. The table is unlogged: writing it costs no wait for the disk, and a crash empties it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def book(self, booked_us: Mapping[str, int]) -> dict[str, int]:
        """See `RateStore`."""
        rows = await self._execute(_BOOK, keys=list(booked_us), us=list(booked_us.values()))
        return {row.key: row.ahead_us for row in rows}

    async def sweep(self) -> None:
        """See `RateStore`."""
        await self._execute(_SWEEP)

    async def _execute(self, statement: TextClause, **values: Any) -> CursorResult[Any]:
        """Without a transaction around it: one round trip."""
        try:
            async with self._database.engine.connect() as connection:
                autocommit = await connection.execution_options(isolation_level="AUTOCOMMIT")
                return await autocommit.execute(statement, values)
        except (SQLAlchemyError, OSError) as error:
            msg = f"the database does not keep the rate limits: {error}"
            raise UnavailableError(msg) from error

    async def aclose(self) -> None:
        """The pool is the application's."""
