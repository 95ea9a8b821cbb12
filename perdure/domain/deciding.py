"""When an answer is sure enough, and what becomes of one that is not."""

import hashlib
from collections.abc import Sequence

from perdure.domain.risk_coverage import ENOUGH_REVIEWED, threshold_for
from perdure.schemas.classification import Below, Decision, Questions, ResultStatus, Stage, StageGiven

# The confidences of fewer answers say little about those that come.
ENOUGH_CONFIDENCES = 50
# One answer of so many only measures: it never becomes an example.
_FROZEN_OF = 5


def sure_from(
    stage: StageGiven, reviewed: Sequence[tuple[float, bool]] = (), unreviewed: Sequence[float] = ()
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


def follows(questions: Questions, place: int, confidence: float, *, asked: bool) -> ResultStatus | int:
    """What becomes of an answer of the category stage at `place`: decided, open, escalated, or the next stage's place.

    `asked` is whether a model has given it: nobody is asked twice.
    """
    stage = questions.stages[place]
    if is_sure(confidence, questions.sure_from[place]):
        return ResultStatus.DECIDED
    if stage.below is Below.ESCALATE_TO_LLM and not asked:
        return ResultStatus.ESCALATED
    if stage.below is Below.NEXT_STAGE:
        following = next_category(questions, place + 1)
        if following is not None:
            return following
    return ResultStatus.OPEN


def next_category(questions: Questions, place: int = 0) -> int | None:
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
