"""Connections and transactions; each belongs to one organisation, or to none and sees no tenant row."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any, Protocol, cast

import asyncpg
import structlog
from sqlalchemy import event, text
from sqlalchemy.engine import URL, Dialect, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import (
    AsyncConnection,
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.pool import AsyncAdaptedQueuePool, ConnectionPoolEntry
from sqlalchemy.util import greenlet_spawn

from perdure import tracing
from perdure.db.outcomes import Observer, noted
from perdure.db.statements import FixedStatement, Statements, refused
from perdure.meanwhile import meanwhile

_logger = structlog.get_logger("perdure.database")

_ENTER = text("SELECT set_config('app.organisation', :organisation_id, true)")
_PING = text("SELECT 1")
_ID = re.compile(r"[A-Za-z0-9_]*")
_NAME = re.compile(r"[a-z_.]+")
_QUICK = {"synchronous_commit": "off"}
_USED_AT = "used_at"
# A connection that nobody needs for so long is closed.
IDLE_S = 60.0


async def enter(session: AsyncSession, organisation_id: str) -> None:
    """Go on as an organisation in a transaction that began as none, once it is known which."""
    await session.execute(_ENTER, {"organisation_id": organisation_id})


class Transaction(Protocol):
    """Opens a transaction as an organisation; commits at the end, rolls back on an error."""

    def __call__(
        self,
        organisation_id: str | None,
        *,
        durable: bool = True,
        settings: Mapping[str, str] | None = None,
    ) -> AbstractAsyncContextManager[AsyncSession]:
        """`None` is for global tables only: no tenant row is visible.

        Without `durable` the commit does not wait for the disk: a crash of the database server may forget the
        last moment of it, never half of it. For what is written again anyway, such as a working status.
        `settings` of PostgreSQL hold in this transaction only.
        """


class QuickTransaction(Protocol):
    """Opens a transaction as `Transaction` does, for statements that never change: without a session."""

    def __call__(
        self,
        organisation_id: str,
        *,
        durable: bool = True,
        settings: Mapping[str, str] | None = None,
    ) -> AbstractAsyncContextManager[Statements]:
        """See `Transaction`."""


def engine_url(url: str) -> URL:
    """Accept `postgres://`, `postgresql://` and driver-qualified addresses; the driver is always asyncpg."""
    return make_url(url.replace("postgres://", "postgresql://", 1)).set(drivername="postgresql+asyncpg")


class _Connection(asyncpg.Connection):
    """Sends, together with the next BEGIN, what the transaction starts with: one round trip less for each."""

    __slots__ = ("first",)
    first: str | None

    async def execute(
        self,
        query: str,
        *args: Any,
        timeout: float | None = None,  # noqa: ASYNC109  # the base class has it
    ) -> str:
        """See `asyncpg.Connection`."""
        first = getattr(self, "first", None)
        if first and query.startswith("BEGIN"):
            self.first = None
            query += f" {first}"
        status: str = await super().execute(query, *args, timeout=timeout)
        return status


def _first_statement(organisation_id: str, settings: Mapping[str, str]) -> str:
    """Written out, because a statement beside others takes no parameters."""
    if not _ID.fullmatch(organisation_id):
        msg = f"{organisation_id!r} is no id"
        raise ValueError(msg)
    for name, value in settings.items():
        if not (_NAME.fullmatch(name) and _ID.fullmatch(value)):
            msg = f"{name} = {value!r} is no setting"
            raise ValueError(msg)
    calls = (
        f"set_config('{name}', '{value}', true)"
        for name, value in {"app.organisation": organisation_id, **settings}.items()
    )
    return f"SELECT {', '.join(calls)};"


_STATEMENTS_KEPT = "prepared_statement_cache_size"
_UNNAMED: Mapping[str, Any] = {
    _STATEMENTS_KEPT: 0,
    "statement_cache_size": 0,
    "prepared_statement_name_func": lambda: "",
}


async def _driver(connection: AsyncConnection) -> _Connection:
    return cast("_Connection", (await connection.get_raw_connection()).driver_connection)


class _Connector:
    """Keeps prepared statements on a server's own connections, and none on those that a pooler lends.

    A pooler such as PgBouncer may run each transaction on another connection of the server, where what was prepared
    before is missing, or is somebody else's. There, a statement has no name and is parsed in the message that runs
    it. The first connection shows which of the two it is: a pooler makes process ids up.
    """

    def __init__(self) -> None:
        self._pooled: bool | None = None

    def connect(
        self, dialect: Dialect, _record: object, arguments: tuple[Any, ...], options: dict[str, Any]
    ) -> DBAPIConnection | None:
        """See `DialectEvents.do_connect`; an address with `prepared_statement_cache_size` decides itself."""
        if _STATEMENTS_KEPT in options:
            options.update({} if options[_STATEMENTS_KEPT] else _UNNAMED)
            return None
        if self._pooled is None:
            # Without a name: behind a pooler it would stay on the connection for whoever has it next.
            connection: Any = dialect.connect(*arguments, **options, **_UNNAMED)
            self._pooled = _is_lent(connection)
            if self._pooled:
                return cast("DBAPIConnection", connection)
            connection.close()
        options.update(_UNNAMED if self._pooled else {})
        return None


def _is_lent(connection: Any) -> bool:
    """Whether somebody stands between us and the server; closes the connection when it cannot say."""
    try:
        cursor = connection.cursor()
        cursor.execute("SELECT pg_backend_pid()")
        (process_id,) = cursor.fetchone()
        cursor.close()
        connection.rollback()
    except BaseException:
        connection.terminate()
        raise
    return bool(process_id != connection.driver_connection.get_server_pid())


class _Pool(AsyncAdaptedQueuePool):
    """Can give back what a burst opened: of itself, a pool only grows."""

    def close_idle(self, before: float) -> int:
        """Close what was not used since then, by the monotonic clock, but for the one that was used last."""
        found = [self._pool.get(block=False) for _ in range(self.checkedin())]
        # The one that was used last was taken out first, and is put back last.
        idle = [record for record in found[1:] if record.info.get(_USED_AT, before) < before]
        for record in reversed(found):
            if record not in idle:
                self._pool.put(record, block=False)
        for record in idle:
            self._dec_overflow()
            record.close()
        return len(idle)


def _note_time(_connection: object, record: ConnectionPoolEntry) -> None:
    record.info[_USED_AT] = time.monotonic()


class Database:
    """A pool of connections as the app role, safe behind a transaction-pooling PgBouncer."""

    def __init__(self, url: str, pool_size: int = 10) -> None:
        self.engine: AsyncEngine = create_async_engine(
            engine_url(url),
            poolclass=_Pool,
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_pre_ping=False,
            pool_recycle=1800,
            # The one that was used last is used next: what a burst opened stays idle, and is closed.
            pool_use_lifo=True,
            hide_parameters=True,
            connect_args={
                "server_settings": {"application_name": "perdure"},
                "connection_class": _Connection,
            },
        )
        event.listen(self.engine.sync_engine, "do_connect", _Connector().connect)
        event.listen(self.engine.sync_engine, "checkin", _note_time)
        self._each_by_itself = self.engine.execution_options(isolation_level="AUTOCOMMIT")
        self._sessions = async_sessionmaker(self.engine, expire_on_commit=False, autoflush=False)
        self._observer: Observer | None = None

    def observe(self, observer: Observer) -> None:
        """Report outcomes of transactions from now on."""
        self._observer = observer

    @asynccontextmanager
    async def transaction(
        self,
        organisation_id: str | None,
        *,
        durable: bool = True,
        settings: Mapping[str, str] | None = None,
    ) -> AsyncIterator[AsyncSession]:
        """See `Transaction`. `set_config(…, true)` ends with it, so a pooled connection leaks nothing."""
        async with self._sessions() as session:
            with tracing.span("database", **{"db.system.name": "postgresql"}):
                async with AsyncExitStack() as stack, session.begin():
                    if organisation_id is not None:
                        held = {**(settings or {}), **({} if durable else _QUICK)}
                        raw = await (await session.connection()).get_raw_connection()
                        connection: Any = raw.driver_connection
                        connection.first = _first_statement(organisation_id, held)
                        # Should no statement follow, the next one to use the connection must not get it.
                        stack.callback(setattr, connection, "first", None)
                    yield session
            if self._observer is not None:
                for outcome in noted(session):
                    self._observer(outcome)

    @asynccontextmanager
    async def quick(
        self,
        organisation_id: str,
        *,
        durable: bool = True,
        settings: Mapping[str, str] | None = None,
    ) -> AsyncIterator[Statements]:
        """See `QuickTransaction`. The driver begins and ends it, so what SQLAlchemy is given runs in a savepoint."""
        first = _first_statement(organisation_id, {**(settings or {}), **({} if durable else _QUICK)})
        with tracing.span("database", **{"db.system.name": "postgresql"}):
            async with self._driven() as (connection, driver):
                driver.first = first
                transaction = driver.transaction()
                try:
                    await transaction.start()
                    yield Statements(connection, driver)
                    if connection.in_transaction():
                        await connection.commit()
                    await transaction.commit()
                except BaseException as error:
                    if connection.in_transaction():
                        await connection.rollback()
                    if not driver.is_closed() and driver.is_in_transaction():
                        await transaction.rollback()
                    if isinstance(error, asyncpg.PostgresError | asyncpg.InterfaceError):
                        raise refused(error, driver) from error
                    raise
                finally:
                    driver.first = None

    async def rows(self, statement: FixedStatement, values: Mapping[str, object]) -> Sequence[Any]:
        """The rows of one statement that is a transaction of its own, in one round trip: as no organisation.

        For functions of the database that enter an organisation themselves.
        """
        with tracing.span("database", **{"db.system.name": "postgresql"}):
            async with self._driven() as (connection, driver):
                return await Statements(connection, driver).rows(statement, values)

    @asynccontextmanager
    async def _driven(self) -> AsyncIterator[tuple[AsyncConnection, _Connection]]:
        """A pooled connection, and the driver's, which is open."""
        async with self.engine.connect() as connection:
            driver = await _driver(connection)
            if driver.is_closed():  # the server was restarted
                await connection.invalidate()
                driver = await _driver(connection)
            try:
                yield connection, driver
            finally:
                # Whoever has it next must meet neither a transaction nor an organisation.
                if driver.is_closed() or driver.is_in_transaction():
                    driver.terminate()
                    await connection.invalidate()

    @asynccontextmanager
    async def statement(self) -> AsyncIterator[AsyncConnection]:
        """A connection on which every statement is a transaction of its own, as no organisation."""
        with tracing.span("database", **{"db.system.name": "postgresql"}):
            async with self._each_by_itself.connect() as connection:
                yield connection

    def kept_small(self) -> AbstractAsyncContextManager[None]:
        """Meanwhile, connections that nobody needed for a minute are closed: each holds 10 MB of the server's.

        One stays, and is replaced when it is old or was cut off: what comes after hours of silence, such as a decision,
        need not wait until there is one again.
        """
        return meanwhile(self._keep_small_forever())

    async def _keep_small_forever(self) -> None:
        while True:
            await asyncio.sleep(IDLE_S / 3)
            await self.close_idle(IDLE_S)
            await self.keep_ready()

    async def keep_ready(self) -> None:
        """Use the connection that is used next: one that is too old is replaced, and one that was cut off noticed."""
        try:
            async with self._each_by_itself.connect() as connection:
                await connection.execute(_PING)
        except (SQLAlchemyError, OSError) as error:
            # Whoever needs it is told; this looks again.
            _logger.info("database_not_reached", error=f"{type(error).__name__}: {error}"[:300])

    async def close_idle(self, after_s: float) -> int:
        """Close the pooled connections that were not used for so long, but for one; how many there were."""
        pool = cast("_Pool", self.engine.sync_engine.pool)
        return await greenlet_spawn(pool.close_idle, time.monotonic() - after_s)

    async def aclose(self) -> None:
        """Close all connections."""
        await self.engine.dispose()
