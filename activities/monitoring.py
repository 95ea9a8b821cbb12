"""Rounds through all organisations: are their providers well, and is there anything that nobody ended?"""

import time
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import datetime

from temporalio import activity

from activities.retention import PAGE, SWEEP_FOR_S, beating
from perdure.db.audit_trail import AuditTrail
from perdure.db.expiry import ExpiryRepository
from perdure.db.provider_health import ProviderHealth
from perdure.db.retention_repository import organisations
from perdure.db.session import Transaction
from perdure.domain.audit import SYSTEM, Action
from perdure.schemas.retention import SweepJob, SweepPage


class MonitoringActivities:
    """Each may run twice: what was told is not told again, and what is gone is not found."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    @activity.defn
    async def monitor_providers(self, job: SweepJob) -> SweepPage:
        """Look at the calls of models of one organisation after the other; tell who should know what is wrong."""
        return await self._round(job, self._monitor)

    @activity.defn
    async def clean_up_expired(self, job: SweepJob) -> SweepPage:
        """Take away in one organisation after the other what can have no effect any more."""
        return await self._round(job, self._clean_up)

    async def _monitor(self, organisation_id: str, now: datetime) -> dict[str, int]:
        async with self._transaction(organisation_id) as session:
            health = ProviderHealth(session, organisation_id)
            found = await health.look(now)
            told = [await health.tell(finding, now) for finding in found]
        return {"found": len(found), "told": sum(told)} if found else {}

    async def _clean_up(self, organisation_id: str, now: datetime) -> dict[str, int]:
        async with self._transaction(organisation_id) as session:
            swept = await ExpiryRepository(session, organisation_id).sweep(now)
            if swept:
                trail = AuditTrail(session, organisation_id)
                await trail.record(Action.EXPIRED_CLEANED_UP, SYSTEM, details=swept)
        return swept

    async def _round(
        self, job: SweepJob, work: Callable[[str, datetime], Awaitable[dict[str, int]]]
    ) -> SweepPage:
        """For half a minute, and to the end of the organisation in which it is over."""
        deadline = time.monotonic() + SWEEP_FOR_S
        counted: Counter[str] = Counter()
        done, after = 0, job.after
        async with beating():
            while True:
                async with self._transaction(None) as session:
                    page = await organisations(session, after, PAGE)
                for organisation_id in page:
                    counted.update(await work(organisation_id, job.now))
                    done, after = done + 1, organisation_id
                    if time.monotonic() > deadline:
                        return SweepPage(counted=dict(counted), organisations=done, after=after)
                if len(page) < PAGE:
                    return SweepPage(counted=dict(counted), organisations=done)
