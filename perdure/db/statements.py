"""Statements that never change: compiled once, and handed to the driver as they are.

SQLAlchemy looks up each statement that it is given, converts each value by the type of its parameter and each row by
those of its columns, through several layers; for a statement that runs often, that takes longer than what the driver
does. What is made for the occasion, such as a filter, still goes through it.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

import asyncpg
from sqlalchemy import ClauseElement, Executable, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.orm import SessionTransaction

_DIALECT = postgresql.asyncpg.dialect()  # type: ignore[no-untyped-call]
_BEGIN = text("SELECT")
_KEPT = "statements"


class FixedStatement:
    """A statement with named parameters; its values are as the driver takes them, its rows as the driver gives them."""

    def __init__(self, statement: str | ClauseElement) -> None:
        compiled: Any = (text(statement) if isinstance(statement, str) else statement).compile(
            dialect=_DIALECT
        )
        self.text: str = compiled.string
        self._names: Sequence[str] = compiled.positiontup or ()
        # Limits and the like, which stand in the statement itself.
        self._constants = {name: value for name, value in compiled.params.items() if value is not None}

    def arguments(self, values: Mapping[str, object]) -> list[object]:
        """Values by position. KeyError for a parameter without a value."""
        return [values[name] if name in values else self._constants[name] for name in self._names]


class Statements:
    """Runs statements on a connection, in the transaction that is open on it; else each by itself."""

    def __init__(
        self, connection: AsyncConnection, driver: asyncpg.Connection, *, begins: bool = False
    ) -> None:
        """`begins`: whether the first one begins the transaction of the connection where nothing has yet."""
        self._connection, self._driver, self._begins = connection, driver, begins

    def _is_to_begin(self) -> bool:
        return self._begins and not self._driver.is_in_transaction()

    async def rows(
        self, statement: FixedStatement | Executable, values: Mapping[str, object]
    ) -> Sequence[Any]:
        """All rows, as tuples. DBAPIError for what the server or the driver refuses."""
        if not isinstance(statement, FixedStatement):
            result = await self._connection.execute(statement, values)
            return result.all() if result.returns_rows else ()
        arguments = statement.arguments(values)
        if self._is_to_begin():
            result = await self._connection.exec_driver_sql(statement.text, tuple(arguments))
            return result.all() if result.returns_rows else ()
        try:
            return await self._driver.fetch(statement.text, *arguments)
        except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise refused(error, self._driver, statement.text) from error

    async def each(self, statement: FixedStatement, values: Iterable[Mapping[str, object]]) -> None:
        """Run it once for each of the values, all in one round trip; what it answers is not read."""
        arguments = [statement.arguments(one) for one in values]
        if self._is_to_begin():
            await self._connection.execute(_BEGIN)
        try:
            await self._driver.executemany(statement.text, arguments)
        except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise refused(error, self._driver, statement.text) from error


async def statements_of(session: AsyncSession) -> Statements:
    """What runs statements in the transaction of a session."""
    kept: tuple[SessionTransaction, Statements] | None = session.info.get(_KEPT)
    if kept is not None and kept[0] is session.sync_session.get_transaction():
        return kept[1]
    connection = await session.connection()
    driver = cast("asyncpg.Connection", (await connection.get_raw_connection()).driver_connection)
    statements = Statements(connection, driver, begins=True)
    # Asked for by each part of what a transaction does, and 0.1 ms to put together.
    session.info[_KEPT] = (session.sync_session.get_transaction(), statements)
    return statements


def refused(
    error: asyncpg.PostgresError | asyncpg.InterfaceError,
    driver: asyncpg.Connection,
    statement: str | None = None,
) -> DBAPIError:
    """What the driver raised, as SQLAlchemy raises it; values are not told."""
    return DBAPIError(statement, None, error, hide_parameters=True, connection_invalidated=driver.is_closed())
