"""Makes valid rows for any tenant table out of the models alone, so that a new table needs no new test code."""

import itertools
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from pgvector.sqlalchemy import HALFVEC
from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Float,
    Integer,
    LargeBinary,
    Numeric,
    SmallInteger,
    Table,
    Text,
    func,
)
from sqlalchemy.dialects.postgresql import JSONB, TSVECTOR, insert
from sqlalchemy.ext.asyncio import AsyncSession

from perdure.db.models import Row
from perdure.domain.ids import new_id

_numbers = itertools.count(1)

# A new column type gets a line here; a missing one fails loudly.
_VALUES: tuple[tuple[type, Any], ...] = (
    (TSVECTOR, lambda: func.to_tsvector("word")),
    (JSONB, dict),
    (ARRAY, list),
    (HALFVEC, lambda: [0.5] * 384),
    (Date, lambda: date(2026, 11, 1)),
    (DateTime, lambda: datetime.now(UTC)),
    (Boolean, lambda: False),
    (SmallInteger, lambda: 1),
    (BigInteger, lambda: next(_numbers)),
    (Integer, lambda: next(_numbers)),
    (Float, lambda: 0.5),
    (Numeric, lambda: Decimal("0.01")),
    (LargeBinary, lambda: b"bytes"),
    (Text, lambda: new_id("tst")),
)

# Where any value of the type will not do. Operations are closed, so that no reconciler takes them up.
_EXAMPLES: dict[str, Any] = {
    "memberships.role": "viewer",
    "api_keys.scopes": ["documents:read"],
    "data_keys.retired_at": datetime.now(UTC),  # or the start would miss its master key
    "organisation_secrets.kind": "provider_key",
    "provider_keys.sealed": b"bytes",
    "provider_keys.provider": "openai",
    "provider_routes.capability": "generate",
    "provider_routes.strategy": "order",
    "ai_processing_logs.outcome": "ok",
    "operations.kind": "ingest_document",
    "operations.status": "completed",
    "operations.run_id": "run",
    "operations.closed_at": datetime.now(UTC),
    "operation_steps.state": "completed",
    "operation_items.status": "indexed",
    "operation_events.type": "status",
    "exports.expires_at": datetime(2100, 1, 1, tzinfo=UTC),
    "documents.status": "indexed",
    "document_versions.status": "indexed",
    "document_versions.object_key": "originals/none",
    "document_versions.number": 1,
    "documents.version": 1,
    "spaces.embedding_model": "all-MiniLM-L6-v2",
    "spaces.embedding_dimension": 384,
    "chunk_embeddings.model": "all-MiniLM-L6-v2",
    "chunk_embeddings.dimension": 384,
    "chunks.ordinal": 0,
    "classification_workflows.active_version": 1,
    "classification_workflows.latest_version": 1,
    "classification_versions.version": 1,
    "classification_versions.definition": {"stages": [{"task": "entities"}]},
    "classification_batches.definition": {"stages": [{"task": "sentiment"}], "sure_from": [None]},
    "classification_results.ordinal": 0,
    "classification_results.status": "decided",
    "document_workflows.version": 1,
    "document_workflow_versions.version": 1,
    "document_workflow_versions.steps": 1,
    "document_workflow_versions.definition": {
        "name": "Keep",
        "steps": [{"id": "keep", "type": "remember", "with": {"text": "x"}}],
    },
    "workflow_executions.version": 1,
    "workflow_execution_steps.step_id": "keep",
    "workflow_execution_steps.state": "completed",
    "workflow_execution_steps.record": {"step_id": "keep", "type": "remember", "state": "completed"},
    "workflow_step_answers.step_id": "keep",
    "workflow_step_answers.visit": 1,
    "workflow_step_answers.output": {"answer": "Keep."},
    "memories.kind": "evidence",
    "memories.source": {"type": "message", "id": "msg_0"},
    "memory_embeddings.model": "all-MiniLM-L6-v2",
    "memory_embeddings.dimension": 384,
    "memory_changes.action": "updated",
    "memory_evolutions.stages": ["update"],
    "memory_evolution_stages.stage": "update",
    "memory_evolution_settings.insights": "propose",
    "memory_proposals.action": "derive",
    "memory_proposals.kind": "insight",
    "memory_proposals.status": "declined",
    "profile_entries.section": "context",
    "memory_recalls.mode": "hybrid",
    "memory_recalls.outcome": "found",
    "workflow_approvals.status": "closed",
    "workflow_approvals.policy": {
        "stages": [{"id": "first", "approvers": [{"role": "approver"}], "rule": "any"}]
    },
    "workflow_approvals.closed_at": datetime.now(UTC),
    "workflow_approvals.evidence": [],
    "workflow_approvals.revision": "0" * 64,
    "approval_assignees.standing": "asked",
    "webhook_endpoints.kind": "webhook",
    "webhook_endpoints.is_active": False,
    "messages.channel": "email",
    "messages.status": "sent",
    "audit_events.sequence": 1_000_000,
    "audit_events.details": "{}",
}


def value_for(column: Column[Any]) -> Any:
    """Some valid value of the column's type."""
    for kind, make in _VALUES:
        if isinstance(column.type, kind):
            return make()
    msg = f"tests/row_factory.py knows no value for {column}: {column.type!r}; add a line to _VALUES"
    raise NotImplementedError(msg)


@dataclass
class RowFactory:
    """Rows of one organisation. Parents that a foreign key needs are made on the way, once for each table."""

    session: AsyncSession
    organisation_id: str
    made: dict[str, dict[str, Any]] = field(default_factory=dict)

    async def row(self, table: Table) -> dict[str, Any]:
        """The organisation's row in the table, made at the first call."""
        if table.name not in self.made:
            self.made[table.name] = await self.new_row(table)
        return self.made[table.name]

    async def new_row(self, table: Table, **given: Any) -> dict[str, Any]:
        """Insert one more row; returns its primary key and what was inserted."""
        if table.name == "organisations":
            return {"id": self.organisation_id}
        values = await self.values(table) | given
        statement = insert(table).values(**values).returning(*table.primary_key.columns)
        key = (await self.session.execute(statement)).mappings().one()
        return values | dict(key)

    async def values(self, table: Table) -> dict[str, Any]:
        """Values for every column that must have one."""
        values: dict[str, Any] = {}
        for column in table.columns:
            if (known := _EXAMPLES.get(f"{table.name}.{column.name}")) is not None:
                values[column.name] = known
            elif column.name in {"organisation_id", "active_organisation_id"}:
                values[column.name] = self.organisation_id
            elif column.nullable or (column.server_default is not None and not column.primary_key):
                continue
            elif column.foreign_keys:
                target = next(iter(column.foreign_keys)).column
                values[column.name] = (await self.row(target.table))[target.name]
            else:
                values[column.name] = value_for(column)
        return values


def table(name: str) -> Table:
    """A table of the models by name."""
    return Row.metadata.tables[name]
