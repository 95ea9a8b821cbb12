"""Notes outside of the database how far each audit trail has come, so that what is cut off its end is missed."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy.exc import SQLAlchemyError

from perdure.audit_anchors import AuditAnchors
from perdure.db.audit_trail import AuditTrail, heads_since
from perdure.db.session import Database
from perdure.domain.audit_anchors import Anchor
from perdure.errors import UnavailableError

logger = structlog.get_logger("perdure.audit")

# What a process that was killed did not get to; older ends were anchored, or will be with their next event.
LOOK_BACK = timedelta(days=30)
# A trail's time is read before its transaction commits.
OVERLAP = timedelta(minutes=1)
LAST_CHANCE_S = 5.0


class Anchorer:
    """A loop in the background of the API, and a last round when it ends; several may run."""

    def __init__(self, database: Database, anchors: AuditAnchors, interval_s: float) -> None:
        self._database, self._anchors, self._interval_s = database, anchors, interval_s
        self._written: dict[str, Anchor] = {}
        self._since = datetime.now(UTC) - LOOK_BACK

    async def run(self) -> None:
        """Until cancelled. What an outage prevents is done in a later round."""
        while True:
            await self._try()
            await asyncio.sleep(self._interval_s)

    async def finish(self) -> None:
        """What was recorded since the last round."""
        try:
            async with asyncio.timeout(LAST_CHANCE_S):
                await self._try()
        except TimeoutError:
            logger.warning("audit_anchors_not_finished")

    async def _try(self) -> None:
        try:
            await self.anchor()
        except (SQLAlchemyError, OSError, UnavailableError) as error:
            logger.warning("anchorer_waits", error=f"{type(error).__name__}: {error}"[:300])

    async def anchor(self) -> int:
        """One round; how many anchors were written."""
        written = 0
        async with self._database.transaction(None) as session:
            heads = [head async for head in heads_since(session, self._since)]
        for head in heads:
            last = self._written.get(head.organisation_id)
            if head.sequence == 0 or (last is not None and last.sequence == head.sequence):
                continue
            if last is not None and not await self._grew_from(last, head):
                logger.error("audit_trail_contradicts_its_anchor", organisation_id=head.organisation_id)
                continue
            await self._anchors.write(replace(head, at=datetime.now(UTC)))
            self._written[head.organisation_id] = head
            written += 1
        if heads:
            self._since = max(head.at for head in heads) - OVERLAP
        return written

    async def _grew_from(self, last: Anchor, head: Anchor) -> bool:
        """Whether the trail still holds what was anchored: else the anchor must stay as it is."""
        if head.sequence < last.sequence:
            return False
        async with self._database.transaction(head.organisation_id) as session:
            return await AuditTrail(session, head.organisation_id).hash_at(last.sequence) == last.hash
