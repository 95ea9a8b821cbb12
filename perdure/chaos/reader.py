"""Reads the database as one organisation, through its deaths."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from sqlalchemy import Row, TextClause
from sqlalchemy.exc import SQLAlchemyError

from perdure.audit_anchors import AuditAnchors
from perdure.audit_verification import verify_trail
from perdure.db.session import Database
from perdure.domain.audit import Verdict
from perdure.errors import UnavailableError

_WITHIN_S = 60.0

Answer = TypeVar("Answer")


class Reader:
    """Asks again until there is an answer: connections of a server that died fail once more each."""

    def __init__(self, url: str, organisation_id: str) -> None:
        self._database, self._organisation_id = Database(url, 4), organisation_id

    async def rows(self, statement: TextClause, values: Mapping[str, Any] | None = None) -> list[Row[Any]]:
        """All rows; UnavailableError when the database does not come back."""

        async def ask() -> list[Row[Any]]:
            async with self._database.transaction(self._organisation_id) as session:
                return list((await session.execute(statement, values or {})).all())

        return await _insist(ask)

    async def value(self, statement: TextClause, values: Mapping[str, Any] | None = None) -> Any:
        """The only column of the only row."""
        ((found,),) = await self.rows(statement, values)
        return found

    async def audit_trail(self, anchors: AuditAnchors) -> Verdict:
        """The organisation's audit trail, held against its hashes and anchors."""
        return await _insist(lambda: verify_trail(self._database.transaction, anchors, self._organisation_id))

    async def aclose(self) -> None:
        """Close its connections."""
        await self._database.aclose()


async def _insist(ask: Callable[[], Awaitable[Answer]]) -> Answer:
    deadline = time.monotonic() + _WITHIN_S
    while True:
        try:
            return await ask()
        except (SQLAlchemyError, OSError) as error:
            if time.monotonic() > deadline:
                msg = f"the database does not answer: {type(error).__name__}"
                raise UnavailableError(msg) from error
        await asyncio.sleep(0.03)
