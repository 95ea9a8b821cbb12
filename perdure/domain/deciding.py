"""When an answer is sure enough, and what becomes of one that is not."""

import hashlib
from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol

from perdure.domain.risk_coverage import ENOUGH_REVIEWED, threshold_for

# The confidences of fewer answers say little about those that come.
ENOUGH_CONFIDENCES = 50
# One answer of so many only measures: it never becomes an example.
_FROZEN_OF = 5


class Stage(StrEnum):
    """What can be asked about a text."""

    CATEGORY = "category"
    SENTIMENT = "sentiment"
    ENTITIES = "entities"
    SUMMARY = "summary"


class Below(StrEnum):
    """What happens to an answer that is less sure than asked for."""

    NEXT_STAGE = "next_stage"
    ESCALATE_TO_LLM = "escalate_to_llm"
    HUMAN_REVIEW = "human_review"


class Decision(StrEnum):
    """Who decides: the answer is sure enough, or a person is asked."""

    AUTO = "auto"
    HUMAN_REVIEW = "human_review"


class ResultStatus(StrEnum):
    """Life of a result: `scored` waits for the rest of its batch, `escalated` for a model, `open` for a person."""

    QUEUED = "queued"
    SCORED = "scored"
    ESCALATED = "escalated"
    DECIDED = "decided"
    OPEN = "open"
    REVIEWED = "reviewed"
    FAILED = "failed"


class AskedStage(Protocol):
    """What is asked at one stage, as far as decisions go."""

    @property
    def task(self) -> Stage: ...

    @property
    def threshold(self) -> float | None: ...

    @property
    def target_accuracy(self) -> float | None: ...

    @property
    def below(self) -> Below: ...


class Asked(Protocol):
    """Stages in their order, and from which confidence on each is sure."""

    @property
    def stages(self) -> Sequence[AskedStage]: ...

    @property
    def sure_from(self) -> Sequence[float | None]: ...


def sure_from(
    stage: AskedStage, reviewed: Sequence[tuple[float, bool]] = (), unreviewed: Sequence[float] = ()
) -> float | None:
    """From which confidence on a stage's answer is decided automatically; None is always.

    Of a target accuracy: with enough reviewed answers it is theirs, else it follows from the confidences of answers
    like these, which are calibrated. Where too few are known, an answer has to be as sure as the target by itself.
    """
    if stage.target_accuracy is None:
        return stage.threshold
    if len(reviewed) < ENOUGH_REVIEWED and len(unreviewed) < ENOUGH_CONFIDENCES:
        return stage.target_accuracy
    return threshold_for(stage.target_accuracy, reviewed=reviewed, unreviewed=unreviewed).value


def is_sure(confidence: float, threshold: float | None) -> bool:
    """Whether an answer is decided automatically."""
    return threshold is None or confidence >= threshold


def follows(
    questions: Asked, place: int, confidence: float, *, asked: bool, calibrated: bool | None = None
) -> ResultStatus | int:
    """What becomes of an answer of the category stage at `place`: decided, open, escalated, or the next stage's place.

    `asked` is whether a model was asked: nobody is asked twice. `calibrated` is None where the built-in method has
    answered; of a model's answer, whether people's answers have shown what its confidence is worth. Nothing else
    says how many of a model's answers are right: a target accuracy is not met by what it says of itself.
    """
    stage = questions.stages[place]
    sure = is_sure(confidence, questions.sure_from[place])
    if calibrated is not None and stage.target_accuracy is not None:
        sure = calibrated and confidence >= stage.target_accuracy
    if sure:
        return ResultStatus.DECIDED
    if stage.below is Below.ESCALATE_TO_LLM and not asked:
        return ResultStatus.ESCALATED
    if stage.below is Below.NEXT_STAGE:
        following = next_category(questions, place + 1)
        if following is not None:
            return following
    return ResultStatus.OPEN


def next_category(questions: Asked, place: int = 0) -> int | None:
    """The place of the first category stage from one on."""
    found = (n for n, stage in enumerate(questions.stages) if n >= place and stage.task is Stage.CATEGORY)
    return next(found, None)


def decision_of(status: ResultStatus) -> Decision | None:
    """Who decides a result of this status."""
    return {
        ResultStatus.DECIDED: Decision.AUTO,
        ResultStatus.OPEN: Decision.HUMAN_REVIEW,
        ResultStatus.REVIEWED: Decision.HUMAN_REVIEW,
    }.get(status)


def text_digest(text: str) -> str:
    """By which the same text is known again."""
    return hashlib.sha256(" ".join(text.split()).casefold().encode()).hexdigest()


def is_frozen(digest: str) -> bool:
    """Whether a reviewed text only measures: by its digest, so that no text is ever on both sides."""
    return int(digest[:8], 16) % _FROZEN_OF == 0
