"""Deletes stored bytes that nothing refers to: those of requests whose API process died before it had accepted them.

What Temporal kept outside of its histories goes the same way; see `payload_sweeper`.
"""

import asyncio
import re
from collections import defaultdict
from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy.exc import SQLAlchemyError
from temporalio.client import Client
from temporalio.service import RPCError

from api.payload_sweeper import PayloadSweeper
from perdure.db.object_repository import ObjectRepository
from perdure.db.session import Database
from perdure.domain.ids import made_at
from perdure.errors import UnavailableError
from perdure.ports.storage import ObjectStore

logger = structlog.get_logger("perdure.sweeper")

# A request that is still being read stores its bytes under a name that is as old as the request.
UNUSED_FOR = timedelta(hours=24)
EVERY = timedelta(hours=24)
FIRST_AFTER = timedelta(minutes=2)
PAGE = 1000

# Other names are given by rows that exist before the bytes do.
_KEY = re.compile(r"(?P<organisation>org_[0-9a-z]{26})/originals/(?P<id>(?:obj|ver)_[0-9a-z]{26})")


class Sweeper:
    """A loop in the background of the API; several may run."""

    def __init__(self, database: Database, objects: ObjectStore, client: Client) -> None:
        self._database, self._objects = database, objects
        self._payloads = PayloadSweeper(database, objects, client)

    async def run(self) -> None:
        """Until cancelled. What an outage prevents is done the next day."""
        await asyncio.sleep(FIRST_AFTER.total_seconds())
        while True:
            try:
                await self.sweep(UNUSED_FOR)
                await self._payloads.sweep(UNUSED_FOR)
            except (SQLAlchemyError, OSError, RPCError, UnavailableError) as error:
                logger.warning("sweeper_waits", error=f"{type(error).__name__}: {error}"[:300])
            await asyncio.sleep(EVERY.total_seconds())

    async def sweep(self, unused_for: timedelta) -> int:
        """Delete what has been of no use for so long; how many objects that were."""
        before = datetime.now(UTC) - unused_for
        found: defaultdict[str, list[str]] = defaultdict(list)
        deleted = await self._objects.delete_unfinished(unused_for)
        async for key in self._objects.list(""):
            match = _KEY.fullmatch(key)
            if match is None or made_at(match["id"]) > before:
                continue
            keys = found[match["organisation"]]
            keys.append(key)
            if len(keys) == PAGE:
                deleted += await self._delete_unused(match["organisation"], found.pop(match["organisation"]))
        for organisation_id, keys in found.items():
            deleted += await self._delete_unused(organisation_id, keys)
        if deleted:
            logger.info("unused_objects_deleted", count=deleted)
        return deleted

    async def _delete_unused(self, organisation_id: str, keys: list[str]) -> int:
        async with self._database.transaction(organisation_id) as session:
            unused = list(await ObjectRepository(session).unused(keys))
        await self._objects.delete(unused)
        return len(unused)
