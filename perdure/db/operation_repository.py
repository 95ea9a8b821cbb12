"""Reads and writes operations, their steps, items and events; the caller owns the transaction."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, bindparam, func, select, text, update
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.ext.asyncio import AsyncSession

from perdure.db.execution_events import publish_end
from perdure.db.models import DocumentRow, OperationEventRow, OperationItemRow, OperationRow, OperationStepRow
from perdure.db.outcomes import OperationEnded, note
from perdure.db.statements import FixedStatement, statements_of
from perdure.db.written_values import note_written
from perdure.domain.ids import new_id
from perdure.schemas.documents import DocumentStatus
from perdure.schemas.operations import (
    TERMINAL,
    ItemRead,
    OperationError,
    OperationRead,
    OperationStatus,
    Progress,
    StatusChange,
    StepRead,
    StepState,
    Subject,
)

_RECORD_STARTS = text(
    """
    WITH unstarted AS (
        SELECT o.id, g.run_id
        FROM unnest(CAST(:ids AS text[]), CAST(:attempts AS integer[]), CAST(:run_ids AS text[]))
            AS g (id, attempt, run_id)
        JOIN operations o ON o.id = g.id AND o.attempt = g.attempt AND o.run_id IS NULL
        FOR UPDATE OF o SKIP LOCKED
    )
    UPDATE operations o SET run_id = u.run_id FROM unstarted u WHERE o.id = u.id
    """
)
# One statement, so that a step costs one round trip. Revisions are gapless: the row lock orders the writers.
_RECORD_STEP = text(
    """
    WITH operation AS (
        UPDATE operations SET
            revision = revision + 1,
            updated_at = now(),
            run_id = COALESCE(run_id, :run_id),
            progress_done = GREATEST(progress_done, CAST(:done AS integer)),
            progress_total = GREATEST(progress_total, CAST(:total AS integer)),
            progress_step = CASE WHEN :state IN ('running', 'retrying') OR progress_step IS NULL
                THEN :name ELSE progress_step END,
            status = CASE WHEN status = 'pending' THEN 'running' ELSE status END
        WHERE id = :operation_id AND closed_at IS NULL
        RETURNING organisation_id, id, revision
    ), step AS (
        INSERT INTO operation_steps
            (organisation_id, operation_id, run_id, activity_id, name, state, attempts, started_at, ended_at, error)
        SELECT organisation_id, id, :run_id, :activity_id, :name, :state, :attempts, :started_at, :ended_at, :error
        FROM operation
        ON CONFLICT (operation_id, run_id, activity_id) DO UPDATE SET
            state = EXCLUDED.state, attempts = EXCLUDED.attempts, ended_at = EXCLUDED.ended_at,
            error = EXCLUDED.error
        WHERE operation_steps.attempts <= EXCLUDED.attempts AND operation_steps.state <> 'completed'
        RETURNING 1
    )
    INSERT INTO operation_events (organisation_id, operation_id, revision, type, data)
    SELECT organisation_id, id, revision, 'step', :data FROM operation
    """
).bindparams(bindparam("error", type_=JSONB), bindparam("data", type_=JSONB))


# One round trip for all of it. With the end of an operation, its steps end whose own end could not be written: the
# database was down at that moment.
_TELL = FixedStatement(
    """
    WITH written AS (
        UPDATE operations SET
            status = :status, attempt = :attempt, run_id = :run_id, result = CAST(:result AS jsonb),
            error = CAST(:error AS jsonb),
            progress_done = :progress_done, progress_total = :progress_total, progress_step = :progress_step,
            revision = :revision, updated_at = :updated_at, closed_at = :closed_at
        WHERE id = :operation_id
    ), ended AS (
        UPDATE operation_steps SET state = :ended_as, ended_at = COALESCE(ended_at, now())
        WHERE CAST(:ended_as AS text) IS NOT NULL AND operation_id = :operation_id AND run_id = :run_id
            AND state IN ('running', 'retrying')
    )
    INSERT INTO operation_events (organisation_id, operation_id, revision, type, data)
    VALUES (:organisation_id, :operation_id, :revision, 'operation', CAST(:data AS jsonb))
    """
)
_TOLD = (
    *("status", "attempt", "run_id", "result", "error", "progress_done", "progress_total", "progress_step"),
    *("revision", "updated_at", "closed_at"),
)


# The row, and what time it was when it was locked: after all who wrote it before.
LockedOperation = tuple[OperationRow, datetime]


@dataclass(frozen=True)
class StepRecord:
    """What a worker saw of one activity."""

    operation_id: str
    run_id: str
    activity_id: str
    step: StepRead
    progress: Progress | None = None


@dataclass(frozen=True)
class StartedRun:
    """A workflow that Temporal holds for an attempt of an operation."""

    operation_id: str
    attempt: int
    run_id: str


def pending_operation(accepted: datetime, *, run_id: str | None = None, **fields: Any) -> OperationRow:
    """The row of an operation that was just accepted, as it would be read again."""
    return OperationRow(
        **fields,
        status=OperationStatus.PENDING.value,
        attempt=1,
        run_id=run_id,
        progress_done=0,
        progress_total=0,
        progress_step=None,
        result=None,
        error=None,
        revision=0,
        created_at=accepted,
        updated_at=accepted,
        closed_at=None,
    )


def workflow_id(operation_id: str, attempt: int) -> str:
    """Workflow ids are fixed before the start, so that starting twice is harmless; a retry is a new workflow."""
    return operation_id if attempt == 1 else f"{operation_id}.{attempt}"


def operation_of(workflow_id_: str) -> str:
    """The operation that a workflow id belongs to."""
    return workflow_id_.partition(".")[0]


def attempt_of(workflow_id_: str | None) -> int:
    """Which attempt of its operation a workflow id names; the first without one."""
    _, _, number = (workflow_id_ or "").partition(".")
    return int(number) if number.isdecimal() else 1


def ui_url(base: str, namespace: str, row: OperationRow) -> str:
    """Address of the operation in the Temporal UI."""
    url = f"{base.rstrip('/')}/namespaces/{namespace}/workflows/{workflow_id(row.id, row.attempt)}"
    return f"{url}/{row.run_id}/history" if row.run_id else url


def subject_of(row: OperationRow) -> Subject | None:
    """What the operation is about."""
    return Subject(type=row.subject_type, id=row.subject_id) if row.subject_type and row.subject_id else None


def input_fields(row: OperationRow) -> dict[str, Any]:
    """The fields of the workflow's input: the same whenever they are read."""
    return {
        **row.input,
        "operation_id": row.id,
        "organisation_id": row.organisation_id,
        "actor_id": row.actor_id,
        "kind": row.kind,
        "subject": subject_of(row),
        "created_at": row.created_at,
        "attempt": row.attempt,
    }


def to_read(row: OperationRow, temporal_ui_url: str | None = None) -> OperationRead:
    """Render a row as the API answers it."""
    return OperationRead(
        id=row.id,
        kind=row.kind,
        status=OperationStatus(row.status),
        progress=Progress(done=row.progress_done, total=row.progress_total, step=row.progress_step),
        workflow_id=workflow_id(row.id, row.attempt),
        run_id=row.run_id,
        temporal_ui_url=temporal_ui_url,
        subject=subject_of(row),
        attempt=row.attempt,
        created_at=row.created_at,
        updated_at=row.updated_at,
        result=row.result,
        error=OperationError.model_validate(row.error) if row.error else None,
    )


class OperationRepository:
    """Operations of the organisation of the session."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def create(
        self,
        *,
        organisation_id: str,
        actor_id: str,
        kind: str,
        summary: str,
        subject: Subject | None = None,
        input: dict[str, Any] | None = None,
        total: int = 0,
        operation_id: str | None = None,
    ) -> OperationRow:
        """Insert a pending operation; from the commit on, it will be started, whatever dies."""
        statement = (
            insert(OperationRow)
            .values(
                id=operation_id or new_id("op"),
                organisation_id=organisation_id,
                actor_id=actor_id,
                kind=kind,
                status=OperationStatus.PENDING.value,
                subject_type=subject.type if subject else None,
                subject_id=subject.id if subject else None,
                summary=summary,
                input=input or {},
                progress_total=total,
            )
            .returning(OperationRow)
        )
        return (await self._session.scalars(statement)).one()

    async def get(self, operation_id: str) -> OperationRow | None:
        """One operation, or None."""
        return await self._session.get(OperationRow, operation_id)

    async def by_id(self, operation_ids: Collection[str]) -> dict[str, OperationRow]:
        """Some operations, by id."""
        statement = select(OperationRow).where(OperationRow.id.in_(operation_ids))
        return {row.id: row for row in await self._session.scalars(statement)}

    async def list(
        self,
        *,
        kind: str | None = None,
        status: str | None = None,
        subject: str | None = None,
        after: str | None = None,
        limit: int = 50,
    ) -> Sequence[OperationRow]:
        """Newest first; `after` is the id that the page before ended with."""
        statement = select(OperationRow).order_by(OperationRow.id.desc()).limit(limit)
        if kind is not None:
            statement = statement.where(OperationRow.kind == kind)
        if status is not None:
            statement = statement.where(OperationRow.status == status)
        if subject is not None:
            statement = statement.where(OperationRow.subject_id == subject)
        if after is not None:
            statement = statement.where(OperationRow.id < after)
        return (await self._session.scalars(statement)).all()

    async def counts(self) -> dict[str, int]:
        """Operations by status."""
        rows = await self._session.execute(
            select(OperationRow.status, func.count()).group_by(OperationRow.status)
        )
        return dict(rows.all())

    async def steps(self, operation_id: str, *, skip: int = 0, limit: int = 200) -> Sequence[StepRead]:
        """Steps in the order in which they started."""
        statement = (
            select(OperationStepRow)
            .where(OperationStepRow.operation_id == operation_id)
            .order_by(OperationStepRow.started_at, OperationStepRow.run_id, OperationStepRow.activity_id)
            .offset(skip)
            .limit(limit)
        )
        return [
            StepRead(
                name=row.name,
                state=StepState(row.state),
                attempts=row.attempts,
                started_at=row.started_at,
                ended_at=row.ended_at,
                error=OperationError.model_validate(row.error) if row.error else None,
            )
            for row in await self._session.scalars(statement)
        ]

    async def items(
        self, operation_id: str, *, status: str | None = None, after: int = -1, limit: int = 50
    ) -> Sequence[ItemRead]:
        """Items by ordinal, from `after` on; one that is called by its document's id has the document's title."""
        statement = (
            select(OperationItemRow, DocumentRow.title)
            .outerjoin(
                DocumentRow,
                and_(DocumentRow.id == OperationItemRow.document_id, DocumentRow.id == OperationItemRow.name),
            )
            .where(OperationItemRow.operation_id == operation_id, OperationItemRow.ordinal > after)
            .order_by(OperationItemRow.ordinal)
            .limit(limit)
        )
        if status is not None:
            statement = statement.where(OperationItemRow.status == status)
        return [
            ItemRead(
                ordinal=row.ordinal,
                name=title or row.name,
                status=row.status,
                document_id=row.document_id,
                reason=row.reason,
                detail=row.detail,
                updated_at=row.updated_at,
            )
            for row, title in await self._session.execute(statement)
        ]

    async def events(self, operation_id: str, after: int, limit: int = 200) -> Sequence[OperationEventRow]:
        """Events after a revision, oldest first."""
        statement = (
            select(OperationEventRow)
            .where(OperationEventRow.operation_id == operation_id, OperationEventRow.revision > after)
            .order_by(OperationEventRow.revision)
            .limit(limit)
        )
        return (await self._session.scalars(statement)).all()

    async def record_starts(self, runs: Sequence[StartedRun]) -> None:
        """Note that Temporal holds the workflows. What somebody else is writing just now is left to them."""
        await self._session.execute(
            _RECORD_STARTS,
            {
                "ids": [run.operation_id for run in runs],
                "attempts": [run.attempt for run in runs],
                "run_ids": [run.run_id for run in runs],
            },
        )

    async def record_trace(self, operation_id: str, trace_parent: str) -> None:
        """Note which trace the workflow belongs to."""
        await self._session.execute(
            update(OperationRow).where(OperationRow.id == operation_id).values(trace_parent=trace_parent)
        )

    async def forget_run(self, operation_id: str, run_id: str) -> None:
        """Note that Temporal does not hold the workflow after all: the outbox starts it again."""
        await self._session.execute(
            update(OperationRow)
            .where(OperationRow.id == operation_id, OperationRow.run_id == run_id)
            .values(run_id=None)
        )

    async def record_step(self, record: StepRecord) -> None:
        """Write a step's state. A late report of an older attempt changes nothing."""
        step = record.step.model_dump(mode="json")
        await self._session.execute(
            _RECORD_STEP,
            {
                "operation_id": record.operation_id,
                "run_id": record.run_id,
                "activity_id": record.activity_id,
                "name": record.step.name,
                "state": record.step.state.value,
                "attempts": record.step.attempts,
                "started_at": record.step.started_at,
                "ended_at": record.step.ended_at,
                "error": step["error"],
                "data": step,
                "done": record.progress.done if record.progress else 0,
                "total": record.progress.total if record.progress else 0,
            },
        )

    async def record_status(
        self, change: StatusChange, locked: LockedOperation | None = None, *, attempt: int | None = None
    ) -> OperationRow | None:
        """Write a status. A closed run stays as it closed; another run (retry, reset) opens the operation again.

        `locked`: the row, where it is locked already. `attempt`: whose status it is; what an earlier one than the
        present says comes too late, and None is returned.
        """
        locked = locked or await self._locked(change.operation_id)
        if locked is None or _is_late(locked[0], attempt):
            return None
        row, now = locked
        if row.closed_at is not None and row.run_id == change.run_id:
            return None
        told: dict[str, Any] = {
            "status": change.status.value,
            "run_id": change.run_id,
            "result": change.result,
            "error": change.error.model_dump(mode="json") if change.error else None,
        }
        if change.progress is not None:
            told["progress_done"] = max(change.progress.done, row.progress_done)
            told["progress_total"] = max(change.progress.total, row.progress_total)
            told["progress_step"] = change.progress.step or row.progress_step
        is_over = change.status in TERMINAL
        is_done = change.status is OperationStatus.COMPLETED
        steps = (StepState.COMPLETED if is_done else StepState.CANCELLED) if is_over else None
        await self._tell(row, now, told, closed=is_over, steps=steps)
        if is_over:
            reason = change.error.type if change.error else ""
            note(self._session, OperationEnded(row.kind, row.status, reason))
            await publish_end(self._session, row)
        return row

    async def conclude(
        self, change: StatusChange, attempt: int, locked: LockedOperation | None = None
    ) -> None:
        """Write a status that the workflow of an attempt tells, and end what was under way when it was not completed.

        `locked`: the row, where it is locked already.
        """
        locked = locked or await self._locked(change.operation_id)
        if locked is None or _is_late(locked[0], attempt):
            return
        await self.record_status(change, locked)
        if change.status in TERMINAL and change.status is not OperationStatus.COMPLETED:
            is_cancelled = change.status is OperationStatus.CANCELLED
            state = StepState.CANCELLED if is_cancelled else StepState.FAILED
            await self.close_steps(change.operation_id, state)

    async def record_progress(self, operation_id: str, done: int, total: int) -> None:
        """Write how many of how many items are settled."""
        locked = await self._locked(operation_id)
        if locked is None or locked[0].closed_at is not None:
            return
        row, now = locked
        await self._tell(row, now, {"progress_done": done, "progress_total": total})

    async def reopen(self, operation_id: str) -> OperationRow | None:
        """Make an operation that failed, wholly or in items, pending again as its next attempt; else None."""
        locked = await self._locked(operation_id)
        if locked is None or locked[0].closed_at is None:
            return None
        row, now = locked
        if row.status == OperationStatus.COMPLETED.value and not await self._has_failed_items(operation_id):
            return None
        told = {"status": OperationStatus.PENDING.value, "attempt": row.attempt + 1}
        await self._tell(row, now, {**told, "run_id": None, "error": None, "result": None})
        return row

    async def _has_failed_items(self, operation_id: str) -> bool:
        statement = select(OperationItemRow.ordinal).where(
            OperationItemRow.operation_id == operation_id,
            OperationItemRow.status.in_([DocumentStatus.FAILED.value, DocumentStatus.QUARANTINED.value]),
        )
        return (await self._session.execute(statement.limit(1))).first() is not None

    async def _locked(self, operation_id: str) -> LockedOperation | None:
        """The row, which nobody else writes until the end."""
        statement = (
            select(OperationRow, func.clock_timestamp())
            .where(OperationRow.id == operation_id)
            .with_for_update(of=OperationRow)
        )
        found = (await self._session.execute(statement)).one_or_none()
        return None if found is None else (found[0], found[1])

    async def _tell(
        self,
        row: OperationRow,
        now: datetime,
        changed: Mapping[str, Any],
        *,
        closed: bool = False,
        steps: StepState | None = None,
    ) -> None:
        """Write what is changed, and say so; `steps`: what becomes of those that are under way."""
        # Not set as attributes: the session would look for what there is left to write.
        closed_at = now if closed else None
        note_written(
            row, {**changed, "updated_at": now, "closed_at": closed_at, "revision": row.revision + 1}
        )
        told = {name: getattr(row, name) for name in _TOLD}
        await (await statements_of(self._session)).rows(
            _TELL,
            {
                **told,
                "result": None if row.result is None else json.dumps(row.result),
                "error": None if row.error is None else json.dumps(row.error),
                "organisation_id": row.organisation_id,
                "operation_id": row.id,
                "data": json.dumps(to_read(row).model_dump(mode="json")),
                "ended_as": steps.value if steps else None,
            },
        )

    async def close_steps(self, operation_id: str, state: StepState) -> None:
        """End the steps that were under way when an operation was stopped from outside."""
        await self._session.execute(
            update(OperationStepRow)
            .where(
                OperationStepRow.operation_id == operation_id,
                OperationStepRow.state.in_([StepState.RUNNING.value, StepState.RETRYING.value]),
            )
            .values(state=state.value, ended_at=func.now())
        )


def _is_late(row: OperationRow, attempt: int | None) -> bool:
    return attempt is not None and attempt < row.attempt
