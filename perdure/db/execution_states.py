"""Where executions that failed left off: with the operation's input, which is what a next attempt starts with."""

import json
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

_KEEP = text(
    """
    UPDATE operations SET input = jsonb_set(input, '{state}', CAST(:state AS jsonb)) WHERE id = :operation_id
    """
)


class ExecutionStates:
    """States of executions of the session's organisation."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def keep(self, operation_id: str, state: dict[str, Any]) -> None:
        """Have the next attempt go on from here."""
        await self._session.execute(_KEEP, {"operation_id": operation_id, "state": json.dumps(state)})
