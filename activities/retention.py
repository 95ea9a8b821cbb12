"""Deleting what is older than its organisation wants to keep it: in small batches, safe to run twice."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime

import structlog
from temporalio import activity

from activities.histories import Histories
from perdure.audit_anchors import AuditAnchors
from perdure.audit_verification import verify_trail
from perdure.db.audit_trail import AuditTrail
from perdure.db.export_repository import ExportRepository
from perdure.db.login_repository import LoginRepository
from perdure.db.operation_repository import operation_of
from perdure.db.retention_repository import RetentionRepository, organisations
from perdure.db.session import Transaction
from perdure.domain.audit import SYSTEM, Action
from perdure.domain.audit_anchors import Anchor
from perdure.domain.exports import archive_key
from perdure.domain.payload_keys import payload_folder
from perdure.domain.retention import DataKind, Rules
from perdure.meanwhile import meanwhile
from perdure.ports.storage import ObjectStore
from perdure.schemas.retention import RetentionJob, RetentionPage

logger = structlog.get_logger("perdure.retention")

# An activity comes back after the organisation in which this time is over.
SWEEP_FOR_S = 30.0
HEARTBEAT_EVERY_S = 2.0
PAGE = 100
OBJECT_PAGE = 500
# What people would ask about; the rest is housekeeping, and too much of it for a trail.
_RECORDED = (DataKind.OPERATIONS, DataKind.HISTORIES, DataKind.EXPORTS, DataKind.AUDIT_EVENTS)


@dataclass
class _Sweep:
    """One organisation, and what has gone of it."""

    organisation_id: str
    rules: Rules
    now: datetime
    deleted: Counter[str] = field(default_factory=Counter)
    is_refused: bool = False

    def before(self, kind: DataKind) -> datetime | None:
        return self.rules.before(kind, self.now)


class RetentionActivities:
    """Side effects of retention. What is gone is not found again, so a second run goes on where the first died."""

    def __init__(self, transaction: Transaction, objects: ObjectStore, anchors: AuditAnchors) -> None:
        self._transaction, self._objects, self._anchors = transaction, objects, anchors

    @activity.defn
    async def sweep_log_ins(self, job: RetentionJob) -> RetentionPage:
        """Delete what log-ins leave behind and can have no effect any more, of all people."""
        async with beating(), self._transaction(None) as session:
            swept = await LoginRepository(session).sweep()
        return RetentionPage(deleted={kind: count for kind, count in swept.items() if count})

    @activity.defn
    async def sweep_organisations(self, job: RetentionJob) -> RetentionPage:
        """Apply the rules of one organisation after the other, for half a minute and to the end of the last one."""
        deadline = time.monotonic() + SWEEP_FOR_S
        deleted: Counter[str] = Counter()
        refused: list[str] = []
        done, after = 0, job.after
        async with beating():
            while True:
                async with self._transaction(None) as session:
                    page = await organisations(session, after, PAGE)
                for organisation_id in page:
                    sweep = await self._sweep(organisation_id, job.now)
                    deleted.update(sweep.deleted)
                    refused.extend([organisation_id] if sweep.is_refused else [])
                    done, after = done + 1, organisation_id
                    if time.monotonic() > deadline:
                        return RetentionPage(
                            deleted=dict(deleted), organisations=done, refused=refused, after=after
                        )
                if len(page) < PAGE:
                    return RetentionPage(deleted=dict(deleted), organisations=done, refused=refused)

    async def _sweep(self, organisation_id: str, now: datetime) -> _Sweep:
        async with self._transaction(organisation_id) as session:
            rules = await RetentionRepository(session, organisation_id).rules()
        sweep = _Sweep(organisation_id, rules, now)
        ways: dict[DataKind, Callable[[_Sweep, datetime], Awaitable[None]]] = {
            DataKind.HISTORIES: self._histories,
            DataKind.OPERATION_EVENTS: self._events,
            DataKind.IDEMPOTENCY_KEYS: self._keys,
            DataKind.WORK_FILES: self._work_files,
            DataKind.OPERATIONS: self._operations,
            DataKind.MESSAGES: self._messages,
            DataKind.AI_PROCESSING_LOGS: self._calls,
            DataKind.AUDIT_EVENTS: self._trail,
        }
        # Each archive knows its own end.
        await self._exports(sweep)
        for kind, way in ways.items():
            before = sweep.before(kind)
            if before is not None:
                await way(sweep, before)
        told = {kind.value: sweep.deleted[kind] for kind in _RECORDED if sweep.deleted[kind]}
        if told:
            async with self._transaction(organisation_id) as session:
                await AuditTrail(session, organisation_id).record(
                    Action.RETENTION_APPLIED, SYSTEM, details=told
                )
        return sweep

    async def _batches(
        self,
        sweep: _Sweep,
        kind: DataKind,
        delete: Callable[[RetentionRepository], Awaitable[int]],
    ) -> None:
        """Delete, a batch a transaction, until nothing is left."""
        while True:
            async with self._transaction(sweep.organisation_id) as session:
                count = await delete(RetentionRepository(session, sweep.organisation_id))
            if not count:
                return
            sweep.deleted[kind] += count

    async def _events(self, sweep: _Sweep, before: datetime) -> None:
        await self._batches(
            sweep, DataKind.OPERATION_EVENTS, lambda retention: retention.delete_events(before)
        )

    async def _keys(self, sweep: _Sweep, before: datetime) -> None:
        await self._batches(sweep, DataKind.IDEMPOTENCY_KEYS, lambda retention: retention.delete_keys(before))

    async def _messages(self, sweep: _Sweep, before: datetime) -> None:
        await self._batches(sweep, DataKind.MESSAGES, lambda retention: retention.delete_messages(before))

    async def _calls(self, sweep: _Sweep, before: datetime) -> None:
        await self._batches(
            sweep, DataKind.AI_PROCESSING_LOGS, lambda retention: retention.delete_calls(before)
        )

    async def _operations(self, sweep: _Sweep, before: datetime) -> None:
        after: str | None = ""
        while after is not None:
            async with self._transaction(sweep.organisation_id) as session:
                retention = RetentionRepository(session, sweep.organisation_id)
                count, after = await retention.delete_operations(before, after)
            sweep.deleted[DataKind.OPERATIONS] += count

    async def _exports(self, sweep: _Sweep) -> None:
        while True:
            async with self._transaction(sweep.organisation_id) as session:
                expired = await ExportRepository(session, sweep.organisation_id).expired(sweep.now, PAGE)
            if not expired:
                return
            # Archives first: if this dies half-way, the second run still finds their rows.
            await self._objects.delete([archive_key(sweep.organisation_id, each) for each in expired])
            async with self._transaction(sweep.organisation_id) as session:
                await RetentionRepository(session, sweep.organisation_id).delete_exports(expired)
            sweep.deleted[DataKind.EXPORTS] += len(expired)

    async def _work_files(self, sweep: _Sweep, before: datetime) -> None:
        """What lies in the folders of operations that have ended."""
        prefix = f"{sweep.organisation_id}/work"
        async for page in self._pages(prefix):
            owners = {key: operation_of(key.split("/")[2]) for key in page}
            ended = await self._ended(sweep, sorted(set(owners.values())), before)
            unused = [key for key in page if owners[key] in ended]
            await self._objects.delete(unused)
            sweep.deleted[DataKind.WORK_FILES] += len(unused)

    async def _pages(self, prefix: str) -> AsyncIterator[list[str]]:
        page: list[str] = []
        async for key in self._objects.list(prefix):
            page.append(key)
            if len(page) == OBJECT_PAGE:
                yield page
                page = []
        if page:
            yield page

    async def _ended(self, sweep: _Sweep, ids: Sequence[str], before: datetime) -> set[str]:
        async with self._transaction(sweep.organisation_id) as session:
            return await RetentionRepository(session, sweep.organisation_id).ended(ids, before)

    async def _histories(self, sweep: _Sweep, before: datetime) -> None:
        """Histories of ended operations, with what they keep outside, which nobody would find without them."""
        histories = Histories(activity.client(), sweep.organisation_id)

        async def ended(ids: Iterable[str]) -> set[str]:
            return await self._ended(sweep, sorted(ids), before)

        async for execution in histories.closed_before(before, ended):
            await self._objects.delete(
                [key async for key in self._objects.list(payload_folder(execution.id))]
            )
            await histories.delete(execution)
            sweep.deleted[DataKind.HISTORIES] += 1

    async def _trail(self, sweep: _Sweep, before: datetime) -> None:
        """Cut off the beginning of the audit trail, once it is found sound, and vouch for where it begins then."""
        organisation_id = sweep.organisation_id
        async with self._transaction(organisation_id) as session:
            last = await RetentionRepository(session, organisation_id).last_event_before(before)
        if last is None:
            return
        verdict = await verify_trail(self._transaction, self._anchors, organisation_id)
        if not verdict.is_sound:
            # What goes now could not be looked into any more.
            logger.error("audit_trail_not_sound", organisation_id=organisation_id, faults=verdict.fault_count)
            sweep.is_refused = True
            return
        cut = Anchor(organisation_id, last.sequence, last.hash, last.at)
        await self._anchors.write_cut(cut)
        async with self._transaction(organisation_id) as session:
            await AuditTrail(session, organisation_id).record(
                Action.AUDIT_TRIMMED, SYSTEM, details={"up_to": cut.sequence, "hash": cut.hash}
            )
        await self._batches(
            sweep, DataKind.AUDIT_EVENTS, lambda retention: retention.trim_trail(cut.sequence)
        )


def beating() -> AbstractAsyncContextManager[None]:
    """Heartbeats by itself: there is no operation whose steps would be recorded, which does it elsewhere."""
    return meanwhile(_beat())


async def _beat() -> None:
    while True:
        activity.heartbeat()
        await asyncio.sleep(HEARTBEAT_EVERY_S)
