"""How good a version of a classification workflow is on what people have answered: its frozen set."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from sqlalchemy import text

from perdure.db.classification_workflows import ClassificationWorkflows, LearntExample, version_read
from perdure.db.label_sets import LabelSets
from perdure.db.models import ClassificationVersionRow, ClassificationWorkflowRow
from perdure.db.session import Transaction
from perdure.domain.calibration import Calibration, expected_calibration_error, reliability
from perdure.domain.classification import scores_of_many
from perdure.domain.deciding import is_sure, next_category
from perdure.domain.risk_coverage import clopper_pearson, curve
from perdure.errors import NotFoundError
from perdure.ports.models import EmbeddingCall
from perdure.schemas.classification import (
    Comparison,
    Definition,
    QualityRead,
    Questions,
    ReliabilityBin,
    RiskCoveragePoint,
)

_PURPOSE = "classification quality"
_RAWS = text(
    """
    SELECT r.raw, v.labels[1] = r.stages -> 'category' ->> 'label' AS is_right
    FROM classification_results r JOIN classification_reviews v ON v.result_id = r.id
    WHERE r.workflow_id = :workflow_id AND r.raw IS NOT NULL AND r.provider = 'local'
    ORDER BY r.id DESC LIMIT 2000
    """
)


@dataclass(frozen=True)
class Measured:
    """Answers to the frozen set: how sure each is, and whether a person says the same."""

    confidences: Sequence[float]
    right: Sequence[bool]

    @property
    def accuracy(self) -> float | None:
        """The share that is right; None of nothing."""
        return sum(self.right) / len(self.right) if self.right else None


class ClassificationQuality:
    """Measures versions. Reviewed texts are known by their vectors: only labels are embedded."""

    def __init__(self, transaction: Transaction, label_sets: LabelSets) -> None:
        self._transaction, self._label_sets = transaction, label_sets

    async def quality(self, organisation_id: str, workflow_id: str, number: int | None) -> QualityRead:
        """All that is known of a version; of the active one without a number."""
        async with self._transaction(organisation_id) as session:
            workflows = ClassificationWorkflows(session, organisation_id)
            row = await workflows.get(workflow_id)
            if row is None:
                raise NotFoundError(
                    f"no workflow {workflow_id}: check the id, or list GET /api/v1/ai/classification/workflows"
                )
            version = await self._version(workflows, row, number or row.active_version)
            versions = await workflows.versions(workflow_id)
            questions = await workflows.asked(version)
            automatic = await workflows.automatic_share(workflow_id, version.version)
        measured = await self._measured(organisation_id, version)
        found = len(measured.right)
        interval = clopper_pearson(sum(measured.right), found) if found else (None, None)
        place = next_category(questions)
        threshold = questions.sure_from[place] if place is not None else None
        return QualityRead(
            version=version.version,
            n=found,
            n_sure=sum(is_sure(confidence, threshold) for confidence in measured.confidences),
            accuracy=measured.accuracy,
            accuracy_low=interval[0],
            accuracy_high=interval[1],
            ece=expected_calibration_error(measured.confidences, measured.right) if found else None,
            reliability=[
                ReliabilityBin(confidence=one.confidence, accuracy=one.accuracy, count=one.count)
                for one in (reliability(measured.confidences, measured.right) if found else [])
            ],
            risk_coverage=[
                RiskCoveragePoint(coverage=one.coverage, accuracy=one.accuracy, threshold=one.threshold)
                for one in curve(measured.confidences, measured.right)
            ],
            target_accuracy=questions.stages[place].target_accuracy if place is not None else None,
            threshold=threshold,
            automatic_share=automatic,
            history=[version_read(one, row.active_version) for one in versions],
        )

    async def compare(
        self, organisation_id: str, row: ClassificationWorkflowRow, candidate: ClassificationVersionRow
    ) -> Comparison:
        """A version beside the active one, on the frozen set as it is now."""
        async with self._transaction(organisation_id) as session:
            workflows = ClassificationWorkflows(session, organisation_id)
            active = await self._version(workflows, row, row.active_version)
        after = await self._measured(organisation_id, candidate)
        before = await self._measured(organisation_id, active)
        return Comparison(
            n=len(after.right),
            accuracy=after.accuracy,
            before=before.accuracy,
            before_version=active.version,
            at=datetime.now(UTC),
        )

    async def calibration(self, organisation_id: str, workflow_id: str) -> dict[str, float] | None:
        """Fitted to what people have answered; None while they are too few to tell."""
        async with self._transaction(organisation_id) as session:
            rows = (await session.execute(_RAWS, {"workflow_id": workflow_id})).all()
        fitted = Calibration.fitted([row.raw for row in rows], [bool(row.is_right) for row in rows])
        return dict(fitted.to_json()) if fitted.answers else None

    @staticmethod
    async def _version(
        workflows: ClassificationWorkflows, row: ClassificationWorkflowRow, number: int
    ) -> ClassificationVersionRow:
        version = await workflows.version(row.id, number)
        if version is None:
            raise NotFoundError(
                f"workflow {row.id} has no version {number}; it has 1 to {row.latest_version}"
            )
        return version

    async def _measured(self, organisation_id: str, version: ClassificationVersionRow) -> Measured:
        definition = Definition.model_validate(version.definition)
        questions = Questions(**definition.model_dump(), calibration=version.calibration)
        place = next_category(questions)
        if place is None or questions.stages[place].provider != "local":
            return Measured([], [])
        async with self._transaction(organisation_id) as session:
            workflows = ClassificationWorkflows(session, organisation_id)
            learnt = await workflows.learnt(version.workflow_id, version.learnt_until)
            frozen = [
                one
                for one in await workflows.frozen(version.workflow_id)
                if one.vector_model == self._label_sets.model
            ]
        if not frozen:
            return Measured([], [])
        stage = questions.stages[place]
        call = EmbeddingCall(organisation_id, _PURPOSE)
        prototypes = await self._label_sets.prototypes(call, questions, stage, learnt)
        vectors = np.stack([one.vector for one in frozen])
        scored = scores_of_many(prototypes, vectors, applies_from=stage.applies_from)
        right = [
            _same([one.label for one in answer.labels] if stage.multi_label else [answer.label], example)
            for answer, example in zip(scored, frozen, strict=True)
        ]
        return Measured([one.confidence for one in scored], right)


def _same(labels: Sequence[str], example: LearntExample) -> bool:
    return set(labels) == set(example.labels)
