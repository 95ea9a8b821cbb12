"""Rules of retention, and the deletion of what is old, in batches; the caller owns the transaction."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import CursorResult, delete, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from perdure.db.models import AuditEventRow, ExportRow, OperationRow, RetentionRuleRow, Row
from perdure.db.personal_data import Fate, plan_of
from perdure.domain.ids import first_id_at
from perdure.domain.retention import RETENTION, DataKind, Rules

BATCH_ROWS = 2_000
BATCH_OPERATIONS = 200

# Ids tell when something was made: the index of the primary key finds what is old.
_OLD_EVENTS = text(
    """
    DELETE FROM operation_events WHERE (operation_id, revision) IN (
        SELECT e.operation_id, e.revision FROM operation_events e JOIN operations o ON o.id = e.operation_id
        WHERE e.operation_id < :first_id AND e.created_at < :before AND o.closed_at < :before LIMIT :batch
    )
    """
)
_OLD_KEYS = text(
    """
    DELETE FROM idempotency_keys WHERE (organisation_id, key) IN (
        SELECT organisation_id, key FROM idempotency_keys WHERE created_at < :before LIMIT :batch
    )
    """
)
_OLD_MESSAGES = text(
    """
    DELETE FROM messages WHERE id IN (
        SELECT id FROM messages WHERE id < :first_id AND status <> 'waiting' LIMIT :batch
    )
    """
)
_OLD_CALLS = text(
    """
    DELETE FROM ai_processing_logs WHERE id IN (
        SELECT id FROM ai_processing_logs WHERE organisation_id = :organisation_id AND at < :before LIMIT :batch
    )
    """
)
_CHILDREN = ("operation_events", "operation_items", "operation_steps")
_TRIM = text("SELECT trim_audit_events(:up_to, :batch)")
_ORGANISATIONS = text("SELECT id FROM find_organisations(:after, :limit)")


def _holders() -> Sequence[str]:
    """Tables whose rows need the operation that made them: it says whose they are. Evidence does not hold it."""
    return [
        table.name
        for table in Row.metadata.sorted_tables
        if "operation_id" in table.columns
        and not table.columns["operation_id"].foreign_keys
        and table.name != "idempotency_keys"
        and plan_of(table).with_organisation is not Fate.KEPT
    ]


def _held() -> str:
    return " OR ".join(
        f"EXISTS (SELECT FROM {table} held WHERE held.operation_id = o.id)" for table in _holders()
    )


class RetentionRepository:
    """Rules and old rows of the session's organisation."""

    def __init__(self, session: AsyncSession, organisation_id: str) -> None:
        self._session, self._organisation_id = session, organisation_id

    async def rules(self) -> Rules:
        """What the organisation has chosen; kinds that this version does not know are passed over."""
        rows = await self._session.scalars(
            select(RetentionRuleRow).where(RetentionRuleRow.organisation_id == self._organisation_id)
        )
        known = set(DataKind)
        return Rules({DataKind(row.kind): row.days for row in rows if row.kind in known})

    async def change(self, rules: Mapping[DataKind, int | None]) -> None:
        """Choose for some kinds."""
        for kind, days in rules.items():
            statement = insert(RetentionRuleRow).values(
                organisation_id=self._organisation_id, kind=kind.value, days=days
            )
            await self._session.execute(
                statement.on_conflict_do_update(
                    index_elements=["organisation_id", "kind"],
                    set_={"days": days, "updated_at": func.now()},
                )
            )

    async def lifetime(self, kind: DataKind) -> timedelta:
        """For how long a kind is kept that is never kept for ever."""
        days = (await self.rules()).days(kind)
        return timedelta(days=days if days is not None else RETENTION[kind].most_days or 1)

    async def delete_events(self, before: datetime) -> int:
        """Delete a batch of old events of operations that ended; how many."""
        return await self._delete(
            _OLD_EVENTS, before=before, first_id=first_id_at("op", before), batch=BATCH_ROWS
        )

    async def delete_keys(self, before: datetime) -> int:
        """Delete a batch of old idempotency keys; how many."""
        return await self._delete(_OLD_KEYS, before=before, batch=BATCH_ROWS)

    async def delete_messages(self, before: datetime) -> int:
        """Delete a batch of old messages that wait no more; how many."""
        return await self._delete(_OLD_MESSAGES, first_id=first_id_at("msg", before), batch=BATCH_ROWS)

    async def delete_calls(self, before: datetime) -> int:
        """Delete a batch of old records of calls; how many."""
        return await self._delete(
            _OLD_CALLS, organisation_id=self._organisation_id, before=before, batch=BATCH_ROWS
        )

    async def delete_operations(self, before: datetime, after: str) -> tuple[int, str | None]:
        """Delete a batch of operations that ended, with all that hangs on them; how many, and where the next begins.

        Of those that are held by what they made, only what hangs on them goes. `after` is the id that the batch
        before ended with; the second value is None after the last batch.
        """
        statement = (
            select(OperationRow.id)
            .where(
                OperationRow.organisation_id == self._organisation_id,
                OperationRow.id > after,
                OperationRow.id < first_id_at("op", before),
                OperationRow.closed_at < before,
            )
            .order_by(OperationRow.id)
            .limit(BATCH_OPERATIONS)
        )
        ids = list(await self._session.scalars(statement))
        for table in _CHILDREN:
            await self._delete(text(f"DELETE FROM {table} WHERE operation_id = ANY(:ids)"), ids=ids)
        count = await self._delete(
            text(f"DELETE FROM operations o WHERE o.id = ANY(:ids) AND NOT ({_held()})"), ids=ids
        )
        return count, ids[-1] if len(ids) == BATCH_OPERATIONS else None

    async def ended(self, ids: Sequence[str], before: datetime) -> set[str]:
        """Those of some operations that ended before an instant, or of which nothing is known any more."""
        statement = text(
            """
            SELECT id FROM unnest(CAST(:ids AS text[])) AS id WHERE NOT EXISTS (
                SELECT FROM operations o WHERE o.id = id.id AND (o.closed_at IS NULL OR o.closed_at >= :before)
            )
            """
        )
        return set(await self._session.scalars(statement, {"ids": list(ids), "before": before}))

    async def delete_exports(self, ids: Sequence[str]) -> None:
        """Forget archives that are deleted."""
        await self._session.execute(delete(ExportRow).where(ExportRow.operation_id.in_(ids)))

    async def last_event_before(self, before: datetime) -> AuditEventRow | None:
        """The newest event that is old enough to go; never the end of the trail."""
        own = AuditEventRow.organisation_id == self._organisation_id
        last = select(func.max(AuditEventRow.sequence)).where(own).scalar_subquery()
        statement = (
            select(AuditEventRow)
            .where(
                own,
                AuditEventRow.at < before,
                # The database lets nothing younger go, whatever the clock of a worker says.
                AuditEventRow.at < func.now() - timedelta(days=RETENTION[DataKind.AUDIT_EVENTS].least_days),
                AuditEventRow.sequence < last,
            )
            .order_by(AuditEventRow.sequence.desc())
            .limit(1)
        )
        return (await self._session.scalars(statement)).one_or_none()

    async def trim_trail(self, up_to: int) -> int:
        """Delete a batch of the oldest events; how many. What is younger than 90 days the database keeps."""
        return int(await self._session.scalar(_TRIM, {"up_to": up_to, "batch": BATCH_ROWS}) or 0)

    async def _delete(self, statement: Any, **values: Any) -> int:
        result: CursorResult[Any] = await self._session.execute(statement, values)  # type: ignore[assignment]  # of a DELETE
        return result.rowcount


async def organisations(session: AsyncSession, after: str, limit: int) -> Sequence[str]:
    """Ids of all organisations, page by page; works without an organisation."""
    return (await session.scalars(_ORGANISATIONS, {"after": after, "limit": limit})).all()
