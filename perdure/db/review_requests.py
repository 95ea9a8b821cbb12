"""Results of classification that go to people: where their workflow says so, an approval is opened for each."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from perdure.db.approvals import ApprovalRepository
from perdure.db.models import (
    ClassificationBatchRow,
    ClassificationResultRow,
    OperationRow,
    WorkflowApprovalRow,
)
from perdure.domain.approval_forms import MAX_CHOICES
from perdure.domain.deciding import ResultStatus, Stage
from perdure.domain.sentiment import Feeling
from perdure.errors import NotFoundError
from perdure.schemas.approval_requests import MAX_EVIDENCE, Evidence, OpenApproval
from perdure.schemas.classification import Definition, Questions, leaves_of

LABEL, LABELS = "label", "labels"
_MOST_EVIDENCE = 4_000


def answers_of(definition: Definition) -> list[str]:
    """The labels that a reviewer may choose from."""
    category = definition.category()
    if category is not None:
        return leaves_of(category.labels)
    asks_sentiment = any(stage.task is Stage.SENTIMENT for stage in definition.stages)
    return [one.value for one in Feeling] if asks_sentiment else []


def with_labels(policy: dict[str, Any], definition: Definition, suggested: str | None) -> dict[str, Any]:
    """The policy whose stages ask for the label, each beside what they ask for already."""
    names, category = answers_of(definition), definition.category()
    field: dict[str, Any]
    if category is not None and category.multi_label and len(names) <= MAX_CHOICES:
        name, field = LABELS, {"type": "array", "items": {"type": "string", "enum": names}}
    else:
        name, field = LABEL, {"type": "string", "enum": names}
        if len(names) > MAX_CHOICES:
            field = {"type": "string", "maxLength": 200}
        if suggested is not None:
            field["default"] = suggested
    field["title"] = "What it is"
    return {**policy, "stages": [_asking(stage, name, field) for stage in policy["stages"]]}


def _asking(stage: dict[str, Any], name: str, field: dict[str, Any]) -> dict[str, Any]:
    form = stage.get("form") or {"type": "object"}
    if name in form.get("properties", {}):
        return stage
    properties = {name: field, **form.get("properties", {})}
    required = list(dict.fromkeys([name, *form.get("required", [])]))
    return {**stage, "form": {**form, "properties": properties, "required": required}}


class ReviewRequests:
    """Opens approvals in the transaction that hands results to people."""

    def __init__(self, session: AsyncSession, organisation_id: str) -> None:
        self._session, self._organisation_id = session, organisation_id

    async def open(self, operation_id: str, ordinals: Sequence[int]) -> None:
        """One for each result that has none yet. A document that is gone by now needs no answer."""
        if not ordinals:
            return
        batch = await self._session.get(ClassificationBatchRow, operation_id)
        operation = await self._session.get(OperationRow, operation_id)
        if batch is None or operation is None:
            return
        questions = Questions.model_validate(batch.definition)
        if questions.review is None:
            return
        approvals = ApprovalRepository(self._session, self._organisation_id)
        for row in await self._unasked(operation_id, ordinals):
            try:
                await approvals.open(_wanted(row, operation, questions, questions.review.policy))
            except NotFoundError:
                continue

    async def _unasked(self, operation_id: str, ordinals: Sequence[int]) -> Sequence[ClassificationResultRow]:
        result = ClassificationResultRow
        asked = select(WorkflowApprovalRow.id).where(WorkflowApprovalRow.result_id == result.id)
        statement = (
            select(result)
            .where(result.operation_id == operation_id, result.ordinal.in_(ordinals))
            .where(result.status == ResultStatus.OPEN.value, ~asked.exists())
            .order_by(result.ordinal)
            .execution_options(populate_existing=True)
        )
        return (await self._session.scalars(statement)).all()


def _wanted(
    row: ClassificationResultRow, operation: OperationRow, questions: Questions, policy: dict[str, Any]
) -> OpenApproval:
    category = row.stages.get("category") or {}
    suggested = row.label if row.label in answers_of(questions) else None
    told = [f"{one['label']} ({one['confidence']:.0%})" for one in category.get("alternatives", [])]
    first = f"Suggested: {suggested} ({row.confidence or 0.0:.0%})." if suggested else "Nothing is suggested."
    summary = f"{first} Next: {', '.join(told)}." if told else first
    evidence = [
        Evidence(text=one["text"][:_MOST_EVIDENCE], label="evidence", start=one["start"], end=one["end"])
        for one in category.get("evidence", [])
    ]
    if row.content:
        evidence.insert(0, Evidence(text=row.content[:_MOST_EVIDENCE], label="text", start=0))
    return OpenApproval(
        organisation_id=row.organisation_id,
        actor_id=operation.actor_id,
        title=f"Which label fits? {row.external_id or row.document_id or row.id}"[:200],
        summary=summary[:20_000],
        document_id=row.document_id,
        evidence=evidence[:MAX_EVIDENCE],
        policy=with_labels(policy, questions, suggested),
        operation_id=operation.id,
        operation_kind=operation.kind,
        result_id=row.id,
    )
