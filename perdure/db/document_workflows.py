"""Document workflows and their versions; the caller owns the transaction."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import case, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from perdure.db.arrays import any_of
from perdure.db.models import (
    ClassificationWorkflowRow,
    DocumentWorkflowRow,
    DocumentWorkflowVersionRow,
    OperationRow,
    WorkflowExecutionRow,
)
from perdure.domain.ids import new_id
from perdure.domain.workflow_definitions import Step, WorkflowDefinition
from perdure.schemas.document_workflows import (
    DocumentWorkflowDetail,
    DocumentWorkflowRead,
    DocumentWorkflowVersionDetail,
    DocumentWorkflowVersionRead,
    ParameterRead,
)

_MEMBERS = text("SELECT user_id FROM memberships WHERE user_id = ANY(CAST(:ids AS text[]))")


def digest(definition: Mapping[str, Any]) -> str:
    """SHA-256 of a definition as canonical JSON: what says the same has the same."""
    spelled = json.dumps(definition, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(spelled.encode("utf-8", "surrogatepass")).hexdigest()


def count_steps(steps: Sequence[Step]) -> int:
    """How many steps there are, those of loops included."""
    return sum(1 + count_steps(step.body) for step in steps)


class DocumentWorkflows:
    """Workflows of one organisation."""

    def __init__(self, session: AsyncSession, organisation_id: str) -> None:
        self._session, self._organisation_id = session, organisation_id

    async def get(self, workflow_id: str, *, lock: bool = False) -> DocumentWorkflowRow | None:
        """One workflow."""
        return await self._session.get(DocumentWorkflowRow, workflow_id, with_for_update=lock or None)

    async def named(self, name: str) -> DocumentWorkflowRow | None:
        """The workflow of a name, unless it is archived."""
        statement = select(DocumentWorkflowRow).where(
            DocumentWorkflowRow.name == name, DocumentWorkflowRow.archived_at.is_(None)
        )
        return (await self._session.scalars(statement)).one_or_none()

    async def create(
        self,
        given: Mapping[str, Any],
        understood: WorkflowDefinition,
        user_id: str | None,
        *,
        note: str | None = None,
        template: str | None = None,
    ) -> DocumentWorkflowRow:
        """A workflow with its first version."""
        statement = (
            insert(DocumentWorkflowRow)
            .values(
                id=new_id("dwf"),
                organisation_id=self._organisation_id,
                name=understood.name,
                description=understood.description,
                version=1,
                template=template,
                created_by=user_id,
            )
            .returning(DocumentWorkflowRow)
        )
        row = (await self._session.scalars(statement)).one()
        await self._add_version(row, given, understood, user_id, note)
        return row

    async def add_version(
        self,
        row: DocumentWorkflowRow,
        given: Mapping[str, Any],
        understood: WorkflowDefinition,
        user_id: str | None,
        note: str | None,
    ) -> None:
        """The next version of a workflow that is locked; it counts from now on, for what is started from now on."""
        row.version += 1
        row.name, row.description = understood.name, understood.description
        row.updated_at = (await self._session.execute(select(func.now()))).scalar_one()
        await self._session.flush()
        await self._add_version(row, given, understood, user_id, note)

    async def _add_version(
        self,
        row: DocumentWorkflowRow,
        given: Mapping[str, Any],
        understood: WorkflowDefinition,
        user_id: str | None,
        note: str | None,
    ) -> None:
        await self._session.execute(
            insert(DocumentWorkflowVersionRow).values(
                workflow_id=row.id,
                version=row.version,
                organisation_id=self._organisation_id,
                definition=dict(given),
                sha256=digest(given),
                steps=count_steps(understood.steps),
                note=note,
                created_by=user_id,
            )
        )

    async def version(self, workflow_id: str, version: int) -> DocumentWorkflowVersionRow | None:
        """One version."""
        return await self._session.get(DocumentWorkflowVersionRow, (workflow_id, version))

    async def versions(
        self, workflow_id: str, *, before: int | None = None, limit: int = 50
    ) -> Sequence[DocumentWorkflowVersionRow]:
        """Versions, newest first."""
        version = DocumentWorkflowVersionRow
        statement = (
            select(version)
            .where(version.workflow_id == workflow_id)
            .order_by(version.version.desc())
            .limit(limit)
        )
        if before is not None:
            statement = statement.where(version.version < before)
        return (await self._session.scalars(statement)).all()

    async def archive(self, workflow_id: str) -> None:
        """Take a workflow out of use; its executions go on, and stay. A second time changes nothing."""
        row = DocumentWorkflowRow
        await self._session.execute(
            update(row)
            .where(row.id == workflow_id, row.archived_at.is_(None))
            .values(archived_at=func.now(), updated_at=func.now())
        )

    async def list(
        self, *, archived: bool = False, after: str | None = None, limit: int = 50
    ) -> Sequence[DocumentWorkflowRead]:
        """Workflows, newest first."""
        statement = select(DocumentWorkflowRow).order_by(DocumentWorkflowRow.id.desc()).limit(limit)
        if not archived:
            statement = statement.where(DocumentWorkflowRow.archived_at.is_(None))
        if after is not None:
            statement = statement.where(DocumentWorkflowRow.id < after)
        return await self.read((await self._session.scalars(statement)).all())

    async def read(self, rows: Sequence[DocumentWorkflowRow]) -> Sequence[DocumentWorkflowRead]:
        """Workflows as the API shows them."""
        ids = [row.id for row in rows]
        execution, version = WorkflowExecutionRow, DocumentWorkflowVersionRow
        counted = await self._session.execute(
            select(
                execution.workflow_id,
                func.count(),
                func.count(case((OperationRow.closed_at.is_(None), 1))),
            )
            .join(OperationRow, OperationRow.id == execution.operation_id)
            .where(execution.workflow_id == any_of(ids))
            .group_by(execution.workflow_id)
        )
        counts = {workflow_id: (total, still_open) for workflow_id, total, still_open in counted}
        sized = await self._session.execute(
            select(version.workflow_id, version.steps)
            .join(
                DocumentWorkflowRow,
                (DocumentWorkflowRow.id == version.workflow_id)
                & (DocumentWorkflowRow.version == version.version),
            )
            .where(version.workflow_id == any_of(ids))
        )
        steps = dict(sized.all())
        return [
            DocumentWorkflowRead(
                id=row.id,
                name=row.name,
                description=row.description,
                version=row.version,
                steps=steps.get(row.id, 0),
                template=row.template,
                executions=counts.get(row.id, (0, 0))[0],
                open_executions=counts.get(row.id, (0, 0))[1],
                created_at=row.created_at,
                updated_at=row.updated_at,
                archived_at=row.archived_at,
            )
            for row in rows
        ]

    async def detail(self, row: DocumentWorkflowRow) -> DocumentWorkflowDetail:
        """A workflow with what its newest version says."""
        (read,) = await self.read([row])
        newest = await self.version(row.id, row.version)
        definition = newest.definition if newest else {}
        return DocumentWorkflowDetail(
            **read.model_dump(),
            sha256=newest.sha256 if newest else "",
            parameters=parameters_of(definition),
            definition=definition,
        )

    async def members(self, user_ids: Sequence[str]) -> set[str]:
        """Those of these people who are members."""
        return set((await self._session.scalars(_MEMBERS, {"ids": list(user_ids)})).all())

    async def usable(self, workflow_ids: Sequence[str]) -> set[str]:
        """Those of these document workflows and classification workflows that are there and not archived."""
        found: set[str] = set()
        for row in (DocumentWorkflowRow, ClassificationWorkflowRow):
            statement = select(row.id).where(row.id == any_of(workflow_ids), row.archived_at.is_(None))
            found |= set((await self._session.scalars(statement)).all())
        return found


def version_read(row: DocumentWorkflowVersionRow) -> DocumentWorkflowVersionRead:
    """A version as the API shows it in a list."""
    return DocumentWorkflowVersionRead(
        version=row.version,
        sha256=row.sha256,
        steps=row.steps,
        note=row.note,
        created_by=row.created_by,
        created_at=row.created_at,
    )


def version_detail(row: DocumentWorkflowVersionRow) -> DocumentWorkflowVersionDetail:
    """A version with what it says."""
    return DocumentWorkflowVersionDetail(
        **version_read(row).model_dump(), workflow_id=row.workflow_id, definition=row.definition
    )


def parameters_of(definition: Mapping[str, Any]) -> list[ParameterRead]:
    """The parameters of a definition that was understood once."""
    given: Mapping[str, Any] = definition.get("parameters") or {}
    return [
        ParameterRead(
            name=name,
            type=str(one.get("type", "string")),
            required=bool(one.get("required", False)),
            default=one.get("default"),
            description=str(one.get("description") or ""),
        )
        for name, one in given.items()
    ]
