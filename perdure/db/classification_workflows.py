"""Classification workflows, their versions, and what people have answered; the caller owns the transaction."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import case, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from perdure.db.models import (
    ClassificationBatchRow,
    ClassificationExampleRow,
    ClassificationResultRow,
    ClassificationReviewRow,
    ClassificationVersionRow,
    ClassificationWorkflowRow,
    OperationRow,
)
from perdure.db.vector_bytes import from_bytes
from perdure.domain.calibration import Calibration
from perdure.domain.deciding import Below, is_frozen, next_category, sure_from, text_digest
from perdure.domain.ids import new_id
from perdure.errors import ConflictError, NotFoundError
from perdure.ports.models import Vectors
from perdure.schemas.classification import (
    Comparison,
    Definition,
    Questions,
    ResultStatus,
    Stage,
    VersionRead,
    WorkflowRead,
)

# Reviewed answers that a frozen set, or a set of examples, is made of: the newest.
MOST_EXAMPLES = 2_000
# Confidences of so many answers tell how sure answers are.
MOST_CONFIDENCES = 2_000
SHOWN_LABELS = 100

_CONFIDENCES = text(
    """
    SELECT r.confidence, v.labels[1] = r.stages -> 'category' ->> 'label' AS is_right, v.result_id IS NOT NULL AS seen
    FROM classification_results r LEFT JOIN classification_reviews v ON v.result_id = r.id
    WHERE r.workflow_id = :workflow_id AND r.version = :version AND r.confidence IS NOT NULL
        AND r.provider = 'local'
    ORDER BY r.id DESC LIMIT :limit
    """
)
# What models said of themselves, and whether people say the same: of the newest answers of each.
_MODELS = text(
    """
    SELECT model, raw, is_right FROM (
        SELECT r.provider || '/' || r.model AS model, r.raw,
            v.labels[1] IS NOT DISTINCT FROM r.stages -> 'category' ->> 'label' AS is_right,
            row_number() OVER (PARTITION BY r.provider, r.model ORDER BY r.id DESC) AS n
        FROM classification_results r JOIN classification_reviews v ON v.result_id = r.id
        WHERE r.workflow_id = :workflow_id AND r.provider <> 'local' AND r.model IS NOT NULL AND r.raw IS NOT NULL
    ) newest WHERE n <= :limit
    """
)


@dataclass(frozen=True)
class LearntExample:
    """A text whose labels a person has told, by its vector."""

    id: str
    labels: Sequence[str]
    vector: Vectors
    vector_model: str


class ClassificationWorkflows:
    """Workflows of one organisation."""

    def __init__(self, session: AsyncSession, organisation_id: str) -> None:
        self._session, self._organisation_id = session, organisation_id

    async def get(self, workflow_id: str, *, lock: bool = False) -> ClassificationWorkflowRow | None:
        """One workflow."""
        return await self._session.get(ClassificationWorkflowRow, workflow_id, with_for_update=lock or None)

    async def named(self, name: str) -> ClassificationWorkflowRow | None:
        """The workflow of a name, unless it is archived."""
        statement = select(ClassificationWorkflowRow).where(
            ClassificationWorkflowRow.name == name, ClassificationWorkflowRow.archived_at.is_(None)
        )
        return (await self._session.scalars(statement)).one_or_none()

    async def create(
        self, name: str, description: str, definition: Definition, user_id: str | None
    ) -> ClassificationWorkflowRow:
        """A workflow with its first version, which is active."""
        row = (
            await self._session.scalars(
                insert(ClassificationWorkflowRow)
                .values(
                    id=new_id("clw"),
                    organisation_id=self._organisation_id,
                    name=name,
                    description=description,
                    active_version=1,
                    latest_version=1,
                    created_by=user_id,
                )
                .returning(ClassificationWorkflowRow)
            )
        ).one()
        await self._add_version(row.id, 1, definition, user_id, activated_at=func.now())
        return row

    async def add_version(
        self, row: ClassificationWorkflowRow, prepared: ClassificationVersionRow
    ) -> ClassificationVersionRow:
        """The next version of a workflow, which is not active yet."""
        row.latest_version = prepared.version
        row.updated_at = await self.now()
        prepared.organisation_id = self._organisation_id
        self._session.add(prepared)
        await self._session.flush()
        await self._session.refresh(prepared)
        return prepared

    async def now(self) -> datetime:
        """The transaction's time: what was answered until then is seen in it."""
        return (await self._session.execute(select(func.now()))).scalar_one()

    async def _add_version(
        self, workflow_id: str, version: int, definition: Definition, user_id: str | None, **values: Any
    ) -> ClassificationVersionRow:
        statement = (
            insert(ClassificationVersionRow)
            .values(
                workflow_id=workflow_id,
                version=version,
                organisation_id=self._organisation_id,
                definition=definition.model_dump(mode="json"),
                created_by=user_id,
                **values,
            )
            .returning(ClassificationVersionRow)
        )
        return (await self._session.scalars(statement)).one()

    async def version(self, workflow_id: str, version: int) -> ClassificationVersionRow | None:
        """One version."""
        return await self._session.get(ClassificationVersionRow, (workflow_id, version))

    async def active(self, workflow_id: str) -> ClassificationVersionRow:
        """The version that is in use; NotFoundError without the workflow, ConflictError when it is archived."""
        row = await self.get(workflow_id)
        version = await self.version(row.id, row.active_version) if row else None
        if row is None or version is None:
            raise NotFoundError(
                f"no workflow {workflow_id}: check the id, or list GET /api/v1/ai/classification/workflows"
            )
        if row.archived_at is not None:
            raise ConflictError(f"workflow {row.id} is archived: choose another one, or make a new one")
        return version

    async def versions(self, workflow_id: str) -> Sequence[ClassificationVersionRow]:
        """All versions, newest first."""
        statement = (
            select(ClassificationVersionRow)
            .where(ClassificationVersionRow.workflow_id == workflow_id)
            .order_by(ClassificationVersionRow.version.desc())
        )
        return (await self._session.scalars(statement)).all()

    async def activate(
        self, row: ClassificationWorkflowRow, version: int, comparison: Comparison, *, forced: bool
    ) -> None:
        """Classify with a version from now on."""
        row.active_version = version
        row.updated_at = await self.now()
        await self._session.flush()
        await self._session.execute(
            update(ClassificationVersionRow)
            .where(
                ClassificationVersionRow.workflow_id == row.id, ClassificationVersionRow.version == version
            )
            .values(activated_at=func.now(), forced=forced, comparison=comparison.model_dump(mode="json"))
        )

    async def archive(self, workflow_id: str) -> None:
        """Take a workflow out of use; its results stay. A second time changes nothing."""
        await self._session.execute(
            update(ClassificationWorkflowRow)
            .where(
                ClassificationWorkflowRow.id == workflow_id, ClassificationWorkflowRow.archived_at.is_(None)
            )
            .values(archived_at=func.now(), updated_at=func.now())
        )

    async def read(self, rows: Sequence[ClassificationWorkflowRow]) -> list[WorkflowRead]:
        """Workflows as the API shows them."""
        ids = [row.id for row in rows]
        result = ClassificationResultRow
        counted = await self._session.execute(
            select(
                result.workflow_id,
                func.count(),
                func.count(case((result.status == ResultStatus.OPEN.value, 1))),
            )
            .where(result.workflow_id.in_(ids))
            .group_by(result.workflow_id)
        )
        counts = {workflow_id: (total, waiting) for workflow_id, total, waiting in counted}
        version = ClassificationVersionRow
        active = {
            one.workflow_id: Definition.model_validate(one.definition)
            for one in await self._session.scalars(
                select(version)
                .join(
                    ClassificationWorkflowRow,
                    (ClassificationWorkflowRow.id == version.workflow_id)
                    & (ClassificationWorkflowRow.active_version == version.version),
                )
                .where(version.workflow_id.in_(ids))
            )
        }
        return [_workflow(row, active[row.id], *counts.get(row.id, (0, 0))) for row in rows]

    async def asked(self, row: ClassificationVersionRow, *, is_batch: bool = False) -> Questions:
        """What a version asks, with the thresholds that its target accuracies amount to now."""
        definition = Definition.model_validate(row.definition)
        reviewed: list[tuple[float, bool]] = []
        unreviewed: list[float] = []
        if any(stage.target_accuracy is not None for stage in definition.stages):
            reviewed, unreviewed = await self.confidences(row.workflow_id, row.version)
        questions = questions_of(definition, reviewed, unreviewed, is_batch=is_batch)
        return questions.model_copy(
            update={
                "workflow_id": row.workflow_id,
                "version": row.version,
                "learnt_until": row.learnt_until,
                "calibration": row.calibration,
                "model_calibrations": await self._model_calibrations(definition, row.workflow_id),
            }
        )

    async def _model_calibrations(
        self, definition: Definition, workflow_id: str
    ) -> dict[str, dict[str, float]]:
        """Of the models that may be asked: what their confidences have been worth, where enough people have told."""
        stages = definition.stages
        if all(
            one.provider == "local" and not one.fallbacks and one.below is not Below.ESCALATE_TO_LLM
            for one in stages
        ):
            return {}
        seen: defaultdict[str, list[tuple[float, bool]]] = defaultdict(list)
        asked = {"workflow_id": workflow_id, "limit": MOST_EXAMPLES}
        for one in await self._session.execute(_MODELS, asked):
            seen[one.model].append((one.raw, bool(one.is_right)))
        fitted = {
            name: Calibration.fitted([raw for raw, _ in pairs], [right for _, right in pairs])
            for name, pairs in seen.items()
        }
        return {name: dict(one.to_json()) for name, one in fitted.items() if one.answers}

    async def confidences(
        self, workflow_id: str, version: int
    ) -> tuple[list[tuple[float, bool]], list[float]]:
        """How sure the newest answers of a version were: those that people have answered, and all."""
        rows = (
            await self._session.execute(
                _CONFIDENCES, {"workflow_id": workflow_id, "version": version, "limit": MOST_CONFIDENCES}
            )
        ).all()
        reviewed = [(row.confidence, bool(row.is_right)) for row in rows if row.seen]
        return reviewed, [row.confidence for row in rows]

    async def learnt(self, workflow_id: str, until: datetime | None) -> list[LearntExample]:
        """What reviewers had answered at an instant and is no part of the frozen set, the newest first."""
        return [] if until is None else await self._examples(workflow_id, frozen=False, until=until)

    async def frozen(self, workflow_id: str) -> list[LearntExample]:
        """The frozen set."""
        return await self._examples(workflow_id, frozen=True)

    async def _examples(
        self, workflow_id: str, *, frozen: bool, until: datetime | None = None
    ) -> list[LearntExample]:
        row = ClassificationExampleRow
        statement = (
            select(row.id, row.labels, row.vector, row.vector_model)
            .where(row.workflow_id == workflow_id, row.is_frozen.is_(frozen))
            .order_by(row.id.desc())
            .limit(MOST_EXAMPLES)
        )
        if until is not None:
            statement = statement.where(row.created_at <= until)
        return [
            LearntExample(one.id, one.labels, from_bytes(one.vector), one.vector_model)
            for one in await self._session.execute(statement)
        ]

    async def automatic_share(self, workflow_id: str, version: int) -> float | None:
        """Of the answers of a version, how many were decided automatically."""
        result = ClassificationResultRow
        total, automatic = (
            await self._session.execute(
                select(func.count(result.decision), func.count(case((result.decision == "auto", 1)))).where(
                    result.workflow_id == workflow_id, result.version == version
                )
            )
        ).one()
        return automatic / total if total else None

    async def list(
        self, *, archived: bool = False, after: str | None = None, limit: int = 50
    ) -> list[WorkflowRead]:
        """Workflows, newest first."""
        statement = (
            select(ClassificationWorkflowRow).order_by(ClassificationWorkflowRow.id.desc()).limit(limit)
        )
        if not archived:
            statement = statement.where(ClassificationWorkflowRow.archived_at.is_(None))
        if after is not None:
            statement = statement.where(ClassificationWorkflowRow.id < after)
        return await self.read((await self._session.scalars(statement)).all())


class Reviews:
    """What people answer."""

    def __init__(self, session: AsyncSession, organisation_id: str) -> None:
        self._session, self._organisation_id = session, organisation_id

    async def lock(self, result_id: str) -> tuple[ClassificationResultRow, Questions] | None:
        """A result and what was asked about it; nobody else answers until the transaction ends."""
        row = await self._session.get(ClassificationResultRow, result_id, with_for_update=True)
        asked = await self._session.get(ClassificationBatchRow, row.operation_id) if row else None
        return None if row is None or asked is None else (row, Questions.model_validate(asked.definition))

    async def write(
        self, row: ClassificationResultRow, labels: Sequence[str], comment: str | None, actor_id: str
    ) -> ClassificationReviewRow:
        """Write an answer; a later one takes its place."""
        row.status, row.decision = ResultStatus.REVIEWED.value, "human_review"
        row.label, row.labels = (labels[0] if labels else None), list(labels)
        await self._session.flush()
        values = {"labels": list(labels), "comment": comment, "reviewed_by": actor_id}
        statement = (
            insert(ClassificationReviewRow)
            .values(result_id=row.id, organisation_id=self._organisation_id, **values)
            .on_conflict_do_update(index_elements=["result_id"], set_={**values, "reviewed_at": func.now()})
            .returning(ClassificationReviewRow)
            .execution_options(populate_existing=True)
        )
        return (await self._session.scalars(statement)).one()

    async def learn(self, row: ClassificationResultRow, labels: Sequence[str], content: str) -> None:
        """Make an answer an example of its workflow, or part of what it is measured by."""
        if row.workflow_id is None or row.vector is None or row.vector_model is None or not content.strip():
            return
        operation = await self._session.get(OperationRow, row.operation_id)
        digest = text_digest(content)
        values = {
            "labels": list(labels),
            "content": content,
            "vector": row.vector,
            "vector_model": row.vector_model,
            "document_id": row.document_id,
            "actor_id": operation.actor_id if operation else "",
        }
        await self._session.execute(
            insert(ClassificationExampleRow)
            .values(
                id=new_id("cle"),
                organisation_id=self._organisation_id,
                workflow_id=row.workflow_id,
                sha256=digest,
                is_frozen=is_frozen(digest),
                **values,
            )
            # With a new id, because what was made of the old answer is known by it.
            .on_conflict_do_update(
                index_elements=["workflow_id", "sha256"],
                set_={**values, "id": new_id("cle"), "created_at": func.now()},
            )
        )


def questions_of(
    definition: Definition,
    reviewed: Sequence[tuple[float, bool]] = (),
    unreviewed: Sequence[float] = (),
    *,
    is_batch: bool = False,
) -> Questions:
    """What a definition asks. A batch's own answers tell best from which confidence on they are right often enough."""
    asks = Questions(
        **definition.model_dump(),
        sure_from=[sure_from(one, reviewed, unreviewed) for one in definition.stages],
    )
    first = next_category(asks)
    if not is_batch or first is None:
        return asks
    stage = asks.stages[first]
    deferred = (
        stage.target_accuracy is not None
        and stage.provider == "local"
        and stage.below.value != "next_stage"
        and not reviewed
    )
    return asks.model_copy(update={"is_deferred": deferred})


def version_read(row: ClassificationVersionRow, active: int) -> VersionRead:
    """A version as the API shows it."""
    definition = Definition.model_validate(row.definition)
    return VersionRead(
        version=row.version,
        is_active=row.version == active,
        stages=definition.stages,
        region=definition.region,
        language=definition.language,
        review=definition.review,
        note=row.note,
        learnt=row.learnt,
        comparison=Comparison.model_validate(row.comparison) if row.comparison else None,
        forced=row.forced,
        created_by=row.created_by,
        created_at=row.created_at,
        activated_at=row.activated_at,
    )


def _workflow(
    row: ClassificationWorkflowRow, definition: Definition, results: int, waiting: int
) -> WorkflowRead:
    category = next((one for one in definition.stages if one.task is Stage.CATEGORY), None)
    return WorkflowRead(
        id=row.id,
        name=row.name,
        description=row.description,
        version=row.active_version,
        latest_version=row.latest_version,
        labels=[label.name for label in category.labels[:SHOWN_LABELS]] if category else [],
        results=results,
        open_reviews=waiting,
        created_at=row.created_at,
        updated_at=row.updated_at,
        archived_at=row.archived_at,
    )
