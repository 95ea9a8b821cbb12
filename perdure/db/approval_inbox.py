"""Lists of approvals: what waits for somebody, the next due first, and what the organisation asks for."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, Select, and_, func, not_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute, defer

from perdure.db.models import ApprovalAssigneeRow, WorkflowApprovalRow
from perdure.domain.approval_effects import Outcome
from perdure.domain.approval_state import Status
from perdure.schemas.approval_requests import ApprovalSummary

_NEVER = "never"


@dataclass(frozen=True)
class InboxFilter:
    """Which approvals a reader wants. `people`: those that wait for one of these names of the same person."""

    people: tuple[str, ...] = ()
    status: str | None = None
    overdue: bool | None = None
    requester: str | None = None
    document: str | None = None
    execution: str | None = None


@dataclass(frozen=True)
class DuePlace:
    """A place in a list whose order is: next due first, without a deadline last."""

    due_at: datetime | None
    approval_id: str

    def __str__(self) -> str:
        return f"{self.due_at.isoformat() if self.due_at else _NEVER} {self.approval_id}"

    @classmethod
    def read(cls, text: str) -> "DuePlace | None":
        """The place again; None when it is none."""
        due, _, approval_id = text.partition(" ")
        try:
            due_at = None if due == _NEVER else datetime.fromisoformat(due)
        except ValueError:
            return None
        if not approval_id or (due_at is not None and due_at.tzinfo is None):
            return None
        return cls(due_at, approval_id)


@dataclass(frozen=True)
class Waiting:
    """An approval in a list. `due_at`: by when this person is to answer."""

    row: WorkflowApprovalRow
    stage: str | None
    due_at: datetime | None

    def read(self, now: datetime) -> ApprovalSummary:
        """The approval as a list shows it."""
        row, is_open = self.row, self.row.closed_at is None
        return ApprovalSummary(
            id=row.id,
            operation_id=row.operation_id,
            title=row.title,
            status=Status(row.status),
            outcome=Outcome(row.outcome) if row.outcome else None,
            requester=row.requester,
            document_id=row.document_id,
            execution_id=row.execution_id,
            step_id=row.step_id,
            stage=self.stage if is_open else None,
            due_at=self.due_at,
            overdue=is_open and self.due_at is not None and self.due_at < now,
            sequence=row.sequence,
            created_at=row.created_at,
            closed_at=row.closed_at,
        )

    @property
    def place(self) -> DuePlace:
        """Where it stands in the inbox."""
        return DuePlace(self.due_at, self.row.id)


_Listed = Select[WorkflowApprovalRow, str | None, datetime | None]
_DueAt = ColumnElement[datetime | None] | InstrumentedAttribute[datetime | None]


def _listed(due_at: _DueAt) -> _Listed:
    """What lists show: of states, which may be long, the open stage only."""
    row = WorkflowApprovalRow
    stage = row.state[("stages", "-1", "id")].astext
    return select(row, stage, due_at).options(
        defer(row.state), defer(row.policy), defer(row.evidence), defer(row.summary)
    )


class ApprovalInbox:
    """Reads lists of the session's organisation."""

    def __init__(self, session: AsyncSession, organisation_id: str) -> None:
        self._session, self._organisation_id = session, organisation_id

    async def waiting(
        self, wanted: InboxFilter, *, after: DuePlace | None, limit: int, now: datetime | None = None
    ) -> Sequence[Waiting]:
        """What waits for somebody, the next due first; each once, whatever the names and seats are."""
        assignee = ApprovalAssigneeRow
        asked = (
            select(assignee.approval_id, func.min(assignee.due_at).label("due_at"))
            .where(assignee.organisation_id == self._organisation_id, assignee.person.in_(wanted.people))
            .group_by(assignee.approval_id)
            .subquery()
        )
        statement = (
            _listed(asked.c.due_at)
            .join(asked, asked.c.approval_id == WorkflowApprovalRow.id)
            .where(*self._conditions(wanted), *self._bounds(asked.c.due_at, wanted, after, now))
            .order_by(asked.c.due_at.asc().nulls_last(), WorkflowApprovalRow.id)
            .limit(limit)
        )
        return await self._read(statement)

    async def open(
        self, wanted: InboxFilter, *, after: DuePlace | None, limit: int, now: datetime | None = None
    ) -> Sequence[Waiting]:
        """What is open, whoever it waits for, the next due first."""
        row = WorkflowApprovalRow
        statement = (
            _listed(row.due_at)
            .where(*self._conditions(wanted), *self._bounds(row.due_at, wanted, after, now))
            .where(row.closed_at.is_(None))
            .order_by(row.due_at.asc().nulls_last(), row.id)
            .limit(limit)
        )
        return await self._read(statement)

    async def newest(self, wanted: InboxFilter, *, after: str | None, limit: int) -> Sequence[Waiting]:
        """All requests, the newest first."""
        row = WorkflowApprovalRow
        statement = _listed(row.due_at).where(*self._conditions(wanted)).order_by(row.id.desc()).limit(limit)
        if after is not None:
            statement = statement.where(row.id < after)
        return await self._read(statement)

    async def of_execution(self, execution_id: str) -> Sequence[str]:
        """Ids of the approvals that an execution asked for."""
        row = WorkflowApprovalRow
        statement = select(row.id).where(row.execution_id == execution_id).order_by(row.id)
        return list(await self._session.scalars(statement))

    async def _read(self, statement: _Listed) -> Sequence[Waiting]:
        rows = await self._session.execute(statement)
        return [Waiting(row, stage, due_at) for row, stage, due_at in rows]

    def _conditions(self, wanted: InboxFilter) -> list[ColumnElement[bool]]:
        row = WorkflowApprovalRow
        given = (
            (row.status, wanted.status),
            (row.requester, wanted.requester),
            (row.document_id, wanted.document),
            (row.execution_id, wanted.execution),
        )
        own = row.organisation_id == self._organisation_id
        return [own, *(column == value for column, value in given if value is not None)]

    @staticmethod
    def _bounds(
        due_at: _DueAt,
        wanted: InboxFilter,
        after: DuePlace | None,
        now: datetime | None,
    ) -> list[ColumnElement[bool]]:
        found: list[ColumnElement[bool]] = []
        if wanted.overdue is not None:
            is_late = due_at < (now or datetime.now(UTC))
            found.append(is_late if wanted.overdue else or_(due_at.is_(None), not_(is_late)))
        if after is not None:
            later = WorkflowApprovalRow.id > after.approval_id
            if after.due_at is None:
                found.append(and_(due_at.is_(None), later))
            else:
                same = and_(due_at == after.due_at, later)
                found.append(or_(due_at > after.due_at, due_at.is_(None), same))
        return found
