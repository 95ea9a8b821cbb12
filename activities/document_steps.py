"""Steps of document workflows that read texts or have an effect. What a text says is material, never an instruction."""

from collections.abc import Mapping
from dataclasses import dataclass

from temporalio import activity

from activities.failures import failures
from activities.language_models import RoutedLanguageModels
from activities.step_analysis import StepAnalysis, ask_about_text
from activities.step_classification import StepClassification, ask_about_label
from activities.step_memories import StepMemories
from activities.step_notifications import notified
from activities.step_requests import opened_headers, requested
from perdure.db.keyring import Keyring
from perdure.db.session import Transaction
from perdure.db.step_answers import StepAnswers
from perdure.domain.workflow_definitions import StepType
from perdure.ports.http import HttpCaller
from perdure.schemas.workflow_executions import StepJob, StepOutput


@dataclass(frozen=True)
class StepActivity:
    """The activity of a step: takes a `StepJob`, gives a `StepOutput`. Models that run here are on the queue `cpu`."""

    name: str
    computes: bool = False


STEP_ACTIVITIES: Mapping[StepType, StepActivity] = {
    StepType.CLASSIFICATION: StepActivity("classify_step", computes=True),
    StepType.ANALYSIS: StepActivity("analyse_step", computes=True),
    StepType.HTTP: StepActivity("http_step"),
    StepType.REMEMBER: StepActivity("remember_step"),
    StepType.NOTIFICATION: StepActivity("notify_step"),
}
# Runs after one of them whose output has `held`, with the same job and `held` as it is; its output is the step's.
ASK_MODEL = StepActivity("ask_model_step")


class DocumentTextStepActivities:
    """Steps that take a model that runs here. They write nothing: a second run reads the same again."""

    def __init__(self, classification: StepClassification, analysis: StepAnalysis) -> None:
        self._classification, self._analysis = classification, analysis

    @activity.defn
    async def classify_step(self, job: StepJob) -> StepOutput:
        """Tell the labels of a text; `held` when a model at a provider is to be asked, too."""
        with failures():
            return await self._classification.answer(job)

    @activity.defn
    async def analyse_step(self, job: StepJob) -> StepOutput:
        """Sum up, find entities, judge, or find what answers a question; `held` when a model has to word it."""
        with failures():
            return await self._analysis.answer(job)


class DocumentStepActivities:
    """Steps that need the database, a provider, or another program."""

    def __init__(
        self,
        transaction: Transaction,
        models: RoutedLanguageModels,
        caller: HttpCaller,
        memories: StepMemories,
        keyring: Keyring,
    ) -> None:
        self._transaction, self._models, self._keyring = transaction, models, keyring
        self._caller, self._memories = caller, memories

    @activity.defn
    async def ask_model_step(self, job: StepJob) -> StepOutput:
        """Ask a model what a step before has held. A second run finds the answer of the first one."""
        with failures():
            async with self._transaction(job.organisation_id) as session:
                before = await StepAnswers(session).of(job)
            if before is not None:
                return StepOutput(output=before)
            ask = ask_about_label if job.type == StepType.CLASSIFICATION else ask_about_text
            answered = await ask(self._transaction, self._models, job)
            async with self._transaction(job.organisation_id) as session:
                await StepAnswers(session).keep(job, answered.output)
            return answered

    @activity.defn
    async def http_step(self, job: StepJob) -> StepOutput:
        """Make a request. A second run makes it again with the same idempotency key."""
        with failures():
            secrets = await opened_headers(self._transaction, self._keyring, job)
            return await requested(self._caller, job, secrets)

    @activity.defn
    async def remember_step(self, job: StepJob) -> StepOutput:
        """Remember a text. A second run finds the operation of the first one, and waits for it."""
        with failures():
            return await self._memories.remember(job)

    @activity.defn
    async def notify_step(self, job: StepJob) -> StepOutput:
        """Write messages to people and programs. A second run finds them written."""
        with failures():
            return await notified(self._transaction, self._keyring, job)
