"""Classification as a step of a document workflow: labels of its own, or those of a classification workflow."""

from collections.abc import Mapping
from typing import Any

from activities.classification import PURPOSE, Conversation
from activities.language_models import RoutedLanguageModels
from activities.step_texts import settled, step_text
from activities.text_stages import TextStages
from perdure.db.classification_results import Item, Outcome
from perdure.db.classification_workflows import ClassificationWorkflows, LearntExample, questions_of
from perdure.db.session import Transaction
from perdure.domain.deciding import ResultStatus
from perdure.domain.ids import made_at
from perdure.domain.outlines import line_of
from perdure.errors import DocumentRejectedError, NotFoundError
from perdure.ports.models import EmbeddingCall
from perdure.schemas.classification import ClassifyJob, Questions, StepQuestions
from perdure.schemas.workflow_executions import StepJob, StepOutput

# More of what a text names is not told to the steps after.
MOST_ENTITIES = 500
# A summary is inserted into titles, letters and memories.
MOST_SUMMARY = 4_000
_PARTS = ("topics", "decisions", "actions")
_SETTINGS = ("labels", "workflow_id", "stages", "multi_label", "applies_from", "threshold")


class StepClassification:
    """Answers by what runs here, and says what a model is to be asked about."""

    def __init__(self, transaction: Transaction, stages: TextStages) -> None:
        self._transaction, self._stages = transaction, stages

    async def answer(self, job: StepJob) -> StepOutput:
        """The labels of the step's text."""
        read = await step_text(self._transaction, job)
        questions, learnt = await _asked(self._transaction, job, None)
        call = EmbeddingCall(job.organisation_id, PURPOSE, job.operation_id, job.operation_kind)
        accepted_at = made_at(job.operation_id)
        (outcome,) = await self._stages.answer(call, questions, learnt, [read.item], accepted_at)
        output = _output(outcome, questions)
        if outcome.status is not ResultStatus.ESCALATED:
            return output
        stages = outcome.stages.model_dump(mode="json", exclude_none=True)
        held = {
            "task": "classification",
            "held": outcome.held,
            "stages": stages,
            "version": questions.version,
        }
        return output.model_copy(update={"held": held})


async def ask_about_label(transaction: Transaction, models: RoutedLanguageModels, job: StepJob) -> StepOutput:
    """The same by a model; what is held says which stage is to be asked, and what to fall back to."""
    read = await step_text(transaction, job)
    questions, _ = await _asked(transaction, job, job.held.get("version"))
    item = Item(
        0, "", read.item.content, read.item.given, read.item.document, job.held["held"], job.held["stages"]
    )
    work = ClassifyJob(
        organisation_id=job.organisation_id,
        operation_id=job.operation_id,
        operation_kind=job.operation_kind,
    )
    return _output(await Conversation(models, work, questions, item).outcome(), questions)


async def _asked(
    transaction: Transaction, job: StepJob, number: int | None
) -> tuple[Questions, list[LearntExample]]:
    """What the step asks, and what reviewers have answered; by the version with a number, else by the active one."""
    given = {name: job.settings[name] for name in _SETTINGS if job.settings.get(name) is not None}
    asks = settled(StepQuestions, job, given)
    if asks.workflow_id is None:
        return questions_of(asks.definition()), []
    async with transaction(job.organisation_id) as session:
        workflows = ClassificationWorkflows(session, job.organisation_id)
        if number is None:
            version = await workflows.active(asks.workflow_id)
        else:
            found = await workflows.version(asks.workflow_id, number)
            if found is None:
                raise NotFoundError(f"workflow {asks.workflow_id} was deleted while step {job.step_id} ran")
            version = found
        questions = await workflows.asked(version)
        return questions, await workflows.learnt(asks.workflow_id, questions.learnt_until)


def _output(outcome: Outcome, questions: Questions) -> StepOutput:
    if outcome.status is ResultStatus.FAILED:
        reason = outcome.reason.value if outcome.reason else "internal_error"
        raise DocumentRejectedError(reason, outcome.detail or "no stage could answer")
    stages = outcome.stages.model_dump(mode="json", exclude_none=True)
    category = stages.get("category") or {}
    told: dict[str, Any] = {
        "label": outcome.label,
        "labels": list(outcome.labels),
        "confidence": outcome.confidence,
        "sure": outcome.status is ResultStatus.DECIDED,
        "alternatives": category.get("alternatives", []),
        "path": category.get("path", []),
        "evidence": category.get("evidence", []),
        "provider": outcome.provider,
        "model": outcome.model,
        "cost": None if outcome.cost is None else float(outcome.cost),
    }
    if questions.workflow_id is not None:
        told |= {"workflow_id": questions.workflow_id, "version": questions.version}
    if "sentiment" in stages:
        told["sentiment"] = stages["sentiment"]
    if "summary" in stages:
        told |= told_outline(stages["summary"])
    if "entities" in stages:
        told["entities"] = stages["entities"][:MOST_ENTITIES]
    return StepOutput(output=told)


def told_outline(found: Mapping[str, Any]) -> dict[str, Any]:
    """An outline as expressions see it: its sentences as one text, a line each, in their order, and its parts."""
    parts = {name: found[name] for name in _PARTS}
    items = sorted((one for part in parts.values() for one in part), key=lambda one: int(one["start"]))
    opened = {one.get("opening") for one in items}
    lines = [line_of(one) for one in items if " ".join(one["text"].split()) not in opened]
    said = ""
    for sentence in dict.fromkeys(lines):
        if len(said) + len(sentence) >= MOST_SUMMARY:
            break
        said += f"{sentence}\n"
    return {"summary": said.rstrip("\n"), "outline": parts}
