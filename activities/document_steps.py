"""Steps of document workflows that read texts or have an effect. What a text says is material, never an instruction."""

from collections.abc import Mapping
from dataclasses import dataclass

from perdure.domain.workflow_definitions import StepType


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
