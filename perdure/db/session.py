"""Connections and transactions; each belongs to one organisation, or to none and sees no tenant row."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol

from sqlalchemy import text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.ext.asyncio import (
    AsyncConnection,
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)

from perdure import tracing
from perdure.db.outcomes import Observer, noted

_ENTER = text("SELECT set_config('app.organisation', :organisation_id, true)")
_ENTER_QUICKLY = text(
    "SELECT set_config('app.organisation', :organisation_id, true), set_config('synchronous_commit', 'off', true)"
)


async def enter(session: AsyncSession, organisation_id: str) -> None:
    """Go on as an organisation in a transaction that began as none, once it is known which."""
    await session.execute(_ENTER, {"organisation_id": organisation_id})


class Transaction(Protocol):
    """Opens a transaction as an organisation; commits at the end, rolls back on an error."""

    def __call__(
        self, organisation_id: str | None, *, durable: bool = True
    ) -> AbstractAsyncContextManager[AsyncSession]:
        """`None` is for global tables only: no tenant row is visible.

        Without `durable` the commit does not wait for the disk: a crash of the database server may forget the
        last moment of it, never half of it. For what is written again anyway, such as a working status.
        """


def engine_url(url: str) -> URL:
    """Accept `postgres://`, `postgresql://` and driver-qualified addresses; the driver is always asyncpg."""
    return make_url(url.replace("postgres://", "postgresql://", 1)).set(drivername="postgresql+asyncpg")


class Database:
    """A pool of connections as the app role, safe behind a transaction-pooling PgBouncer."""

    def __init__(self, url: str, pool_size: int = 10) -> None:
        self.engine: AsyncEngine = create_async_engine(
            engine_url(url),
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_pre_ping=False,
            pool_recycle=1800,
            hide_parameters=True,
            connect_args={"server_settings": {"application_name": "perdure"}},
        )
        self._each_by_itself = self.engine.execution_options(isolation_level="AUTOCOMMIT")
        self._sessions = async_sessionmaker(self.engine, expire_on_commit=False, autoflush=False)
        self._observer: Observer | None = None

    def observe(self, observer: Observer) -> None:
        """Report outcomes of transactions from now on."""
        self._observer = observer

    @asynccontextmanager
    async def transaction(
        self, organisation_id: str | None, *, durable: bool = True
    ) -> AsyncIterator[AsyncSession]:
        """See `Transaction`. `set_config(…, true)` ends with it, so a pooled connection leaks nothing."""
        async with self._sessions() as session:
            with tracing.span("database", **{"db.system.name": "postgresql"}):
                async with session.begin():
                    if organisation_id is not None:
                        enter = _ENTER if durable else _ENTER_QUICKLY
                        await session.execute(enter, {"organisation_id": organisation_id})
                    yield session
            if self._observer is not None:
                for outcome in noted(session):
                    self._observer(outcome)

    @asynccontextmanager
    async def statement(self) -> AsyncIterator[AsyncConnection]:
        """A connection on which every statement is a transaction of its own, as no organisation."""
        with tracing.span("database", **{"db.system.name": "postgresql"}):
            async with self._each_by_itself.connect() as connection:
                yield connection

    async def aclose(self) -> None:
        """Close all connections."""
        await self.engine.dispose()
