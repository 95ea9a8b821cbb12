"""Erasing what is known of a person or an organisation: rows, objects, histories."""

import asyncio
import hashlib
import time
from collections import Counter
from typing import Any

from temporalio import activity

from activities.evolution_schedules import end_schedule
from activities.failures import failures
from activities.histories import Histories
from activities.personal_objects import PersonalObjects, folder_of
from perdure.db.audit_trail import AuditTrail
from perdure.db.erasure_repository import ErasureRepository, PersonalData, Scope, kept
from perdure.db.evolution_runs import EvolutionRuns
from perdure.db.identity_repository import IdentityRepository
from perdure.db.operation_repository import workflow_id
from perdure.db.personal_data import Fate
from perdure.db.session import Transaction
from perdure.domain.audit import Action, Actor, ActorKind, canonical_json
from perdure.domain.payload_keys import payload_folder
from perdure.domain.signatures import Signer
from perdure.errors import ConflictError, NotFoundError, UnavailableError
from perdure.ports.storage import ObjectStore
from perdure.schemas.base import rfc3339
from perdure.schemas.privacy import Amounts, DeleteUserDataResult, ErasureJob, ErasurePage, ErasureReport

# An activity that deletes rows comes back after so long, so that its progress is seen.
ROWS_FOR_S = 30.0
# A server deletes a history once its queues have noted how far they are: half a minute, if nobody tuned them.
HISTORIES_FOR_S = 120.0
LOOK_EVERY_S = 0.5
REASON = "Its data are being erased."


class ErasureActivities:
    """Side effects of an erasure. Each is safe to run twice: what is gone is not found again."""

    def __init__(self, transaction: Transaction, objects: ObjectStore, receipts: Signer) -> None:
        self._transaction, self._objects, self._receipts = transaction, objects, receipts

    @activity.defn
    async def begin_erasure(self, job: ErasureJob) -> ErasurePage:
        """Note whose data go and how much there is, and let nobody of them in. A second run finds the note."""
        with failures():
            async with self._transaction(job.organisation_id) as session:
                erasures = ErasureRepository(session, job.organisation_id)
                scope = await erasures.scope(job.operation_id, job.user_id)
                data = PersonalData(session, scope)
                if await erasures.get(job.operation_id) is None:
                    owners = await IdentityRepository(session).lock_owners(job.organisation_id)
                    if owners == {job.user_id}:
                        detail = (
                            "this is the last owner: make someone else an owner, or erase the organisation"
                        )
                        raise ConflictError(detail)
                    await erasures.begin(scope, await _count_rows(data, scope))
                await data.end_access()
        return ErasurePage()

    @activity.defn
    async def end_work(self, job: ErasureJob) -> ErasurePage:
        """End the operations that are open, in the record first: what is closed there nobody starts again."""
        histories = Histories(activity.client(), job.organisation_id)
        if job.user_id is None:
            async with self._transaction(job.organisation_id) as session:
                spaces = await EvolutionRuns(session, job.organisation_id).scheduled()
            for space_id in spaces:
                await end_schedule(activity.client(), space_id)
        done = 0
        while True:
            async with self._transaction(job.organisation_id) as session:
                scope = await ErasureRepository(session, job.organisation_id).scope(
                    job.operation_id, job.user_id
                )
                rows = await PersonalData(session, scope).close_operations()
            if not rows:
                return ErasurePage(done=done)
            for row in rows:
                await histories.terminate(workflow_id(row.id, row.attempt), REASON)
            done += len(rows)

    @activity.defn
    async def take_inventory(self, job: ErasureJob) -> ErasurePage:
        """Note all that there is now. A second run, when some of it is gone, notes nothing less."""
        found = await self._count(job)
        async with self._transaction(job.organisation_id) as session:
            total = await ErasureRepository(session, job.organisation_id).add_found(job.operation_id, found)
        return ErasurePage(done=total.total)

    @activity.defn
    async def erase_histories(self, job: ErasureJob) -> ErasurePage:
        """End and delete all workflow executions with what they keep outside, and wait until none is listed."""
        with failures():
            histories = Histories(activity.client(), job.organisation_id)
            deadline = time.monotonic() + HISTORIES_FOR_S
            asked: set[str] = set()
            while True:
                left = 0
                async for execution in self._histories(job):
                    left += 1
                    if execution.run_id not in asked:
                        # What it kept outside goes first: later nobody knows that it is this one's.
                        await self._objects.delete(
                            [key async for key in self._objects.list(payload_folder(execution.id))]
                        )
                        await histories.delete(execution)
                        asked.add(execution.run_id)
                if not left:
                    return ErasurePage(done=len(asked))
                if time.monotonic() > deadline:
                    msg = f"Temporal still lists {left} histories that it was told to delete"
                    raise UnavailableError(msg)
                await asyncio.sleep(LOOK_EVERY_S)

    @activity.defn
    async def erase_objects(self, job: ErasureJob) -> ErasurePage:
        """Delete stored objects, page by page."""
        done = 0
        async for page in PersonalObjects(self._transaction, self._objects, await self._scope(job)).pages():
            await self._objects.delete(page)
            done += len(page)
        return ErasurePage(done=done)

    @activity.defn
    async def erase_rows(self, job: ErasureJob) -> ErasurePage:
        """Delete rows for half a minute, each batch in a transaction of its own."""
        scope = await self._scope(job)
        deadline = time.monotonic() + ROWS_FOR_S
        done = 0
        while time.monotonic() < deadline:
            async with self._transaction(job.organisation_id) as session:
                data = PersonalData(session, scope)
                count = await data.delete_documents() if scope.person is not None else 0
                count = count or await data.delete_batch()
                if count == 0:
                    if scope.person is not None:
                        await data.anonymise()
                        await data.forget_words()
                    return ErasurePage(done=done)
            done += count
        return ErasurePage(done=done, more=True)

    @activity.defn
    async def look_again(self, job: ErasureJob) -> ErasurePage:
        """Count what is left."""
        return ErasurePage(done=(await self._count(job)).total)

    @activity.defn
    async def conclude_erasure(self, job: ErasureJob) -> DeleteUserDataResult:
        """Sign the receipt, record it in the audit trail, and delete the organisation's own row if that is meant.

        One transaction; a second run finds the receipt.
        """
        with failures():
            async with self._transaction(job.organisation_id) as session:
                erasures = ErasureRepository(session, job.organisation_id)
                row = await erasures.get(job.operation_id, lock=True)
                if row is None:
                    raise NotFoundError(f"there is no record of the erasure {job.operation_id}")
                scope = await erasures.scope(job.operation_id, job.user_id)
                if row.receipt is not None:
                    report = ErasureReport.model_validate(row.receipt["report"])
                    return DeleteUserDataResult(subject=scope.subject, report=report)
                report = ErasureReport(gone=Amounts.model_validate(row.found), kept=kept(scope))
                if scope.person is None:
                    await erasures.delete_organisation()
                now = await erasures.now()
                receipt: dict[str, Any] = {
                    "operation_id": job.operation_id,
                    "organisation_id": job.organisation_id,
                    "subject": scope.subject.model_dump(mode="json"),
                    "started_at": rfc3339(row.started_at),
                    "completed_at": rfc3339(now),
                    "report": report.model_dump(mode="json"),
                }
                await erasures.complete(job.operation_id, now, receipt, self._receipts.sign(receipt))
                sha256 = hashlib.sha256(canonical_json(receipt).encode()).hexdigest()
                await AuditTrail(session, job.organisation_id).record(
                    Action.ERASURE_COMPLETED,
                    Actor(ActorKind.SYSTEM, job.operation_id),
                    subject=scope.subject,
                    details={"operation_id": job.operation_id, "receipt_sha256": sha256},
                )
            return DeleteUserDataResult(subject=scope.subject, report=report)

    async def _scope(self, job: ErasureJob) -> Scope:
        async with self._transaction(job.organisation_id) as session:
            return await ErasureRepository(session, job.organisation_id).scope(job.operation_id, job.user_id)

    async def _histories(self, job: ErasureJob) -> Any:
        scope = await self._scope(job)

        async def own(ids: Any) -> set[str]:
            if scope.person is None:
                return set(ids) - {job.operation_id}
            async with self._transaction(job.organisation_id) as session:
                return await PersonalData(session, scope).own_operations(ids)

        async for execution in Histories(activity.client(), job.organisation_id).of_operations(own):
            yield execution

    async def _count(self, job: ErasureJob) -> Amounts:
        scope = await self._scope(job)
        async with self._transaction(job.organisation_id) as session:
            rows = await _count_rows(PersonalData(session, scope), scope)
        folders: Counter[str] = Counter()
        async for page in PersonalObjects(self._transaction, self._objects, scope).pages():
            folders.update(map(folder_of, page))
        histories = 0
        async for _ in self._histories(job):
            histories += 1
        return rows.model_copy(update={"objects": dict(sorted(folders.items())), "histories": histories})


async def _count_rows(data: PersonalData, scope: Scope) -> Amounts:
    anonymised = await data.count(Fate.ANONYMISED) if scope.person is not None else {}
    return Amounts(rows=await data.count(), anonymised=anonymised)
