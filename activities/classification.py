"""Classification: pages of texts are answered here, by a model at a provider, or by a person."""

import asyncio
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from temporalio import activity

from activities.category_prompts import category_prompt, read_category
from activities.failures import failures
from activities.language_models import Answered, ModelCall, RoutedLanguageModels
from activities.text_stages import TextStages, labels_of
from perdure.db.classification_results import ClassificationResults, Item, Outcome
from perdure.db.classification_workflows import ClassificationWorkflows, LearntExample
from perdure.db.session import Transaction
from perdure.domain.calibration import Calibration, log_odds
from perdure.domain.deciding import ENOUGH_CONFIDENCES, follows, next_category
from perdure.domain.ids import made_at
from perdure.domain.risk_coverage import threshold_for
from perdure.errors import (
    NotFoundError,
    PerdureError,
    ProviderReason,
    ProvidersFailedError,
    ProviderUnavailableError,
)
from perdure.ports.models import EmbeddingCall
from perdure.schemas.classification import (
    MAX_ITEMS,
    CategoryRead,
    ClassifiedPage,
    ClassifyBatchResult,
    ClassifyDocumentResult,
    ClassifyJob,
    ClassifySettle,
    ItemReason,
    Questions,
    ResultStatus,
    StageGiven,
    StagesRead,
    TokensRead,
)

PURPOSE = "classification"
# Calls of one page that are under way at once.
AT_ONCE = 8
_DOCUMENTS_AT_ONCE = 16
_TEXTS_AT_ONCE = 250
# So few at last, that both cores end together and little is left to be written then.
_LAST_TEXTS = 50
# Nobody looks at the progress of a page more often.
_TOLD_EVERY_S = 0.25
# What is wrong with one text, and not with the providers.
_OF_THE_TEXT = {
    ProviderReason.REFUSED: ItemReason.CONTENT_REFUSED,
    ProviderReason.MALFORMED: ItemReason.BAD_ANSWER,
    ProviderReason.INVALID_REQUEST: ItemReason.PROVIDER_FAILED,
}


@dataclass(frozen=True)
class _Asked:
    """What is asked about the texts of a page that wait."""

    questions: Questions
    learnt: Sequence[LearntExample]
    items: Sequence[Item]


class ClassificationTextActivities:
    """What takes the embedding model. Each is safe to run twice: what has an answer keeps it."""

    def __init__(self, transaction: Transaction, stages: TextStages) -> None:
        self._transaction, self._stages = transaction, stages

    @activity.defn
    async def classify_page(self, job: ClassifyJob) -> ClassifiedPage:
        """Answer the texts of a page, part by part. A second run finds those answered that were written."""
        with failures():
            asked = await self._asked(job)
            parts = deque(_parts(asked.items))
            told = time.monotonic()

            async def answer_some() -> None:
                nonlocal told
                while parts:
                    outcomes = await self._outcomes(job, asked, parts.popleft())
                    async with self._transaction(job.organisation_id) as session:
                        results = ClassificationResults(session, job.organisation_id)
                        await results.write(job.operation_id, outcomes)
                        # That the page is done tells the workflow.
                        if parts and time.monotonic() >= told + _TOLD_EVERY_S:
                            told = time.monotonic()
                            await results.record_progress(job.operation_id)

            # While the texts of two are embedded, those of the third are told their labels and written.
            under_way = [asyncio.create_task(answer_some()) for _ in range(3)]
            try:
                await asyncio.gather(*under_way)
            finally:
                for one in under_way:
                    one.cancel()
            async with self._transaction(job.organisation_id) as session:
                return await _counted(ClassificationResults(session, job.organisation_id), job)

    @activity.defn
    async def classify_text(self, job: ClassifyJob) -> ClassifyDocumentResult:
        """Answer the one text of an operation. A second run finds it answered."""
        with failures():
            asked = await self._asked(job)
            outcomes = await self._outcomes(job, asked, asked.items)
            async with self._transaction(job.organisation_id) as session:
                results = ClassificationResults(session, job.organisation_id)
                await results.write(job.operation_id, outcomes)
                return await _concluded(results, job)

    async def _asked(self, job: ClassifyJob) -> _Asked:
        async with self._transaction(job.organisation_id) as session:
            results = ClassificationResults(session, job.organisation_id)
            questions = await _questions(results, job)
            items = await results.waiting(job.operation_id, job.first, job.last, ResultStatus.QUEUED)
            workflows = ClassificationWorkflows(session, job.organisation_id)
            learnt = (
                await workflows.learnt(questions.workflow_id, questions.learnt_until)
                if questions.workflow_id
                else []
            )
        return _Asked(questions, learnt, items)

    async def _outcomes(self, job: ClassifyJob, asked: _Asked, items: Sequence[Item]) -> list[Outcome]:
        call = EmbeddingCall(job.organisation_id, PURPOSE, job.operation_id, job.operation_kind)
        read = await _read(self._transaction, job, items)
        return await self._stages.answer(call, asked.questions, asked.learnt, read, made_at(job.operation_id))


async def _read(transaction: Transaction, job: ClassifyJob, items: Sequence[Item]) -> Sequence[Item]:
    """The items with the texts of their documents."""
    if not any(one.document for one in items):
        return items
    async with transaction(job.organisation_id) as session:
        return await ClassificationResults(session, job.organisation_id).with_texts(items)


def _parts(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    """Of documents few at once: each may be long. Texts of like length together: they are embedded quicker.

    The longest come first, and the last parts are small: nothing is embedded beside the end of the last one.
    """
    if any(one.document for one in items):
        for first in range(0, len(items), _DOCUMENTS_AT_ONCE):
            yield items[first : first + _DOCUMENTS_AT_ONCE]
        return
    left = sorted(items, key=lambda one: -len(one.text or ""))
    while left:
        half = len(left) // 2
        at_once = len(left) if half < _LAST_TEXTS else min(half, _TEXTS_AT_ONCE)
        yield left[:at_once]
        left = left[at_once:]


class ClassificationActivities:
    """What needs the database, or a model at a provider. Each is safe to run twice."""

    def __init__(self, transaction: Transaction, models: RoutedLanguageModels) -> None:
        self._transaction, self._models = transaction, models

    @activity.defn
    async def ask_model(self, job: ClassifyJob) -> ClassifiedPage:
        """Ask a model about the texts of a page that wait for one; each answer is written at once.

        Counts are those of the whole batch. A second run asks about those that have none yet. What hinders all of
        them, such as a budget that is used up, is raised when the answers under way are written: nothing is lost,
        and nothing is paid for twice.
        """
        with failures():
            async with self._transaction(job.organisation_id) as session:
                results = ClassificationResults(session, job.organisation_id)
                questions = await _questions(results, job)
                items = await results.waiting(job.operation_id, job.first, job.last, ResultStatus.ESCALATED)
            if items:
                await self._ask_all(job, questions, items)
            async with self._transaction(job.organisation_id) as session:
                whole = job.model_copy(update={"first": 0, "last": MAX_ITEMS})
                return await _counted(ClassificationResults(session, job.organisation_id), whole)

    @activity.defn
    async def decide_batch(self, job: ClassifyJob) -> ClassifiedPage:
        """Find from which confidence on the batch's answers reach the target, and decide them.

        A second run finds them decided.
        """
        with failures():
            async with self._transaction(job.organisation_id) as session:
                results = ClassificationResults(session, job.organisation_id)
                questions = await _questions(results, job)
                place = next_category(questions)
                scored = await results.scored(job.operation_id)
                if place is not None and scored:
                    target = questions.stages[place].target_accuracy or 0.0
                    enough = len(scored) >= ENOUGH_CONFIDENCES
                    sure_from = threshold_for(target, unreviewed=scored).value if enough else target
                    await results.decide(job.operation_id, sure_from)
                return await _counted(results, job)

    @activity.defn
    async def conclude_text(self, job: ClassifyJob) -> ClassifyDocumentResult:
        """What became of the one text of an operation."""
        with failures():
            async with self._transaction(job.organisation_id) as session:
                return await _concluded(ClassificationResults(session, job.organisation_id), job)

    @activity.defn
    async def summarise_classification(self, job: ClassifyJob) -> ClassifyBatchResult:
        """Count what became of a batch."""
        async with self._transaction(job.organisation_id) as session:
            return await ClassificationResults(session, job.organisation_id).summary(job.operation_id)

    @activity.defn
    async def settle_classification(self, job: ClassifySettle) -> None:
        """End what has no answer yet. A second run finds nothing."""
        async with self._transaction(job.organisation_id) as session:
            results = ClassificationResults(session, job.organisation_id)
            await results.settle(job.operation_id, job.reason, job.detail)

    async def _ask_all(self, job: ClassifyJob, questions: Questions, items: Sequence[Item]) -> None:
        slots = asyncio.Semaphore(AT_ONCE)
        hindered: list[Exception] = []

        async def ask(item: Item) -> None:
            async with slots:
                if hindered:
                    return
                (read,) = await _read(self._transaction, job, [item])
                try:
                    outcome = await Conversation(self._models, job, questions, read).outcome()
                except Exception as error:
                    hindered.append(error)
                    raise
                async with self._transaction(job.organisation_id) as session:
                    await ClassificationResults(session, job.organisation_id).write(
                        job.operation_id, [outcome]
                    )

        ended = await asyncio.gather(*(ask(item) for item in items), return_exceptions=True)
        raised = [one for one in ended if isinstance(one, BaseException)]
        if raised:
            raise raised[0]


@dataclass
class _Spent:
    """What the answers to one text took."""

    tokens: TokensRead = field(default_factory=TokensRead)
    cost: Decimal | None = Decimal(0)
    provider: str = "local"
    model: str | None = None

    def add(self, answered: Answered) -> None:
        usage = answered.generation.usage
        self.tokens = TokensRead(
            input=self.tokens.input + usage.input,
            output=self.tokens.output + usage.output,
            cached=self.tokens.cached + usage.cached,
        )
        known = self.cost is not None and answered.cost is not None
        self.cost = (self.cost or Decimal(0)) + (answered.cost or Decimal(0)) if known else None
        self.provider, self.model = answered.provider.value, answered.model


class Conversation:
    """One text, and the stages that are left for it."""

    def __init__(
        self, models: RoutedLanguageModels, job: ClassifyJob, questions: Questions, item: Item
    ) -> None:
        self._models, self._job, self._questions, self._item = models, job, questions, item
        self._held: dict[str, Any] = item.held or {}
        self._spent = _Spent()
        self._raw: float | None = None

    async def outcome(self) -> Outcome:
        """Stage by stage, until one is sure, or a person is asked, or nothing can be said."""
        place = int(self._held["place"])
        ask = True
        while True:
            stage = self._questions.stages[place]
            category, failed = await self._asked(stage, place) if ask else (self._local(place), None)
            if category is None:
                return self._refused(failed)
            status = (
                ResultStatus.OPEN
                if failed is not None and stage.provider == "local"
                else follows(
                    self._questions,
                    place,
                    category.confidence,
                    asked=ask,
                    calibrated=None if category.provider == "local" else category.is_calibrated,
                )
            )
            if isinstance(status, ResultStatus) and status is not ResultStatus.ESCALATED:
                return self._answered(status, category)
            if isinstance(status, int):
                place = status
                ask = self._questions.stages[place].provider != "local"
            else:
                ask = True

    async def _asked(self, stage: StageGiven, place: int) -> tuple[CategoryRead | None, PerdureError | None]:
        """A model's answer; else what the stage falls back to, and why. What may pass is raised."""
        text = self._item.text or ""
        is_escalation = stage.provider == "local"
        asked = [one for one in (stage.provider, *stage.fallbacks) if one != "local"]
        call = ModelCall(
            organisation_id=self._job.organisation_id,
            operation_id=self._job.operation_id,
            operation_kind=self._job.operation_kind,
            purpose=PURPOSE,
            schema_required=True,
            providers=asked,
            model=stage.model,
        )
        try:
            answered = await self._models.generate(call, category_prompt(stage, text))
        except (ProvidersFailedError, ProviderUnavailableError) as error:
            nobody = isinstance(error, ProviderUnavailableError)
            if "local" in stage.fallbacks or (is_escalation and nobody) or _is_of_the_text(error):
                return self._local(place), error
            raise
        self._spent.add(answered)
        category = read_category(stage, answered.generation.value, text)
        update: dict[str, Any] = {"provider": answered.provider.value, "model": answered.model}
        self._raw = log_odds(category.confidence)
        known = self._questions.model_calibrations.get(f"{answered.provider.value}/{answered.model}")
        if known is not None:
            calibrated = Calibration.from_json(known).confidence(self._raw)
            update |= {"confidence": calibrated, "is_calibrated": True}
        return category.model_copy(update=update), None

    def _local(self, place: int) -> CategoryRead | None:
        said = self._held.get("said", {}).get(str(place))
        return CategoryRead.model_validate(said["category"]) if said else None

    def _answered(self, status: ResultStatus, category: CategoryRead) -> Outcome:
        if status is ResultStatus.DECIDED and self._held.get("person"):
            status = ResultStatus.OPEN
        stages = StagesRead.model_validate({**self._item.stages, "category": category})
        return Outcome(
            self._item.ordinal,
            status,
            stages=stages,
            label=category.label,
            labels=labels_of(category),
            confidence=category.confidence,
            raw=None if category.provider == "local" else self._raw,
            provider=self._spent.provider,
            model=self._spent.model,
            tokens=self._spent.tokens,
            cost=self._spent.cost,
        )

    def _refused(self, error: PerdureError | None) -> Outcome:
        return Outcome(
            self._item.ordinal,
            ResultStatus.FAILED,
            stages=StagesRead.model_validate(self._item.stages),
            provider=self._spent.provider,
            model=self._spent.model,
            tokens=self._spent.tokens,
            cost=self._spent.cost,
            reason=_reason(error),
            detail=str(error) if error else "no stage could answer",
        )


def _is_of_the_text(error: PerdureError) -> bool:
    reasons = error.reasons if isinstance(error, ProvidersFailedError) else ()
    return bool(reasons) and all(reason in _OF_THE_TEXT for reason in reasons)


def _reason(error: PerdureError | None) -> ItemReason:
    reasons = error.reasons if isinstance(error, ProvidersFailedError) else ()
    return next((_OF_THE_TEXT[one] for one in reasons if one in _OF_THE_TEXT), ItemReason.PROVIDER_FAILED)


async def _questions(results: ClassificationResults, job: ClassifyJob) -> Questions:
    questions = await results.questions(job.operation_id)
    if questions is None:
        raise NotFoundError(f"nothing is known any more of what operation {job.operation_id} was to classify")
    return questions


async def _counted(results: ClassificationResults, job: ClassifyJob) -> ClassifiedPage:
    done, scored, escalated = await results.counts(job.operation_id, job.first, job.last)
    return ClassifiedPage(done=done, scored=scored, escalated=escalated)


async def _concluded(results: ClassificationResults, job: ClassifyJob) -> ClassifyDocumentResult:
    found = await results.of_operation(job.operation_id)
    if found is None:
        raise NotFoundError(f"the result of operation {job.operation_id} was deleted")
    return ClassifyDocumentResult(
        result_id=found.id,
        status=found.status,
        decision=found.decision,
        reason=found.reason,
        detail=found.detail,
    )
