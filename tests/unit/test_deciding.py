"""When an answer is sure enough, and what becomes of one that is not."""

from typing import Any

import pytest

from perdure.domain.deciding import (
    decision_of,
    follows,
    is_frozen,
    is_sure,
    next_category,
    sure_from,
    text_digest,
)
from perdure.schemas.classification import (
    Below,
    ClassificationCreate,
    Decision,
    Questions,
    ResultStatus,
    Stage,
    StageGiven,
)

LABELS = [{"name": "a"}, {"name": "b"}]


def stage(**fields: Any) -> StageGiven:
    return StageGiven.model_validate({"task": "category", "labels": LABELS, **fields})


def questions(*stages: StageGiven, sure: float | None = 0.8) -> Questions:
    return Questions(stages=list(stages), sure_from=[sure for _ in stages])


def test_without_a_threshold_everything_is_sure() -> None:
    assert sure_from(stage()) is None
    assert is_sure(0.0, None)
    assert (is_sure(0.8, 0.8), is_sure(0.79, 0.8)) == (True, False)
    assert sure_from(stage(threshold=0.3)) == 0.3


def test_a_target_of_which_little_is_known_is_the_threshold() -> None:
    assert sure_from(stage(target_accuracy=0.9), [(0.9, True)] * 20, [0.9] * 20) == 0.9


def test_a_target_follows_from_calibrated_confidences() -> None:
    confidences = [0.99] * 60 + [0.6] * 60
    assert sure_from(stage(target_accuracy=0.95), unreviewed=confidences) == 0.99
    assert sure_from(stage(target_accuracy=0.75), unreviewed=confidences) == 0.6


def test_reviewed_answers_say_more_than_confidences() -> None:
    reviewed = [(0.9, True)] * 80 + [(0.5, False)] * 40
    assert sure_from(stage(target_accuracy=0.95), reviewed, [0.5] * 100) == 0.9


@pytest.mark.parametrize(
    ("below", "confidence", "asked", "outcome"),
    [
        (Below.HUMAN_REVIEW, 0.9, False, ResultStatus.DECIDED),
        (Below.HUMAN_REVIEW, 0.7, False, ResultStatus.OPEN),
        (Below.ESCALATE_TO_LLM, 0.7, False, ResultStatus.ESCALATED),
        (Below.ESCALATE_TO_LLM, 0.7, True, ResultStatus.OPEN),
        (Below.ESCALATE_TO_LLM, 0.9, False, ResultStatus.DECIDED),
        (Below.NEXT_STAGE, 0.7, False, 2),
        (Below.NEXT_STAGE, 0.9, False, ResultStatus.DECIDED),
    ],
)
def test_what_becomes_of_an_answer(
    below: Below, confidence: float, asked: bool, outcome: ResultStatus | int
) -> None:
    asks = questions(stage(below=below), StageGiven(task=Stage.ENTITIES), stage())
    assert follows(asks, 0, confidence, asked=asked) == outcome


def test_after_the_last_stage_a_person_is_asked() -> None:
    asks = questions(stage(below=Below.NEXT_STAGE))
    assert follows(asks, 0, 0.1, asked=False) is ResultStatus.OPEN
    assert next_category(questions(StageGiven(task=Stage.SUMMARY))) is None


def test_who_decides() -> None:
    assert decision_of(ResultStatus.DECIDED) is Decision.AUTO
    assert decision_of(ResultStatus.OPEN) is Decision.HUMAN_REVIEW
    assert decision_of(ResultStatus.FAILED) is None


def test_one_text_in_five_is_frozen_and_always_the_same_ones() -> None:
    digests = [text_digest(f"Text {number}") for number in range(2_000)]
    share = sum(map(is_frozen, digests)) / len(digests)
    assert 0.17 < share < 0.23  # three standard deviations around one in five
    assert text_digest("  A  text\n") == text_digest("a TEXT")


@pytest.mark.parametrize(
    ("calibrated", "confidence", "expected"),
    [
        (
            None,
            0.85,
            ResultStatus.DECIDED,
        ),  # the built-in method: from where its own answers reach the target
        (False, 0.999, ResultStatus.OPEN),
        (True, 0.89, ResultStatus.OPEN),
        (True, 0.9, ResultStatus.DECIDED),
    ],
)
def test_what_a_model_says_of_itself_never_meets_a_target(
    calibrated: bool | None, confidence: float, expected: ResultStatus
) -> None:
    asks = questions(stage(target_accuracy=0.9))
    assert follows(asks, 0, confidence, asked=True, calibrated=calibrated) is expected


def test_a_threshold_is_compared_with_what_a_model_says() -> None:
    asks = questions(stage(threshold=0.8))
    assert follows(asks, 0, 0.8, asked=True, calibrated=False) is ResultStatus.DECIDED
    assert follows(asks, 0, 0.7, asked=True, calibrated=True) is ResultStatus.OPEN


def test_from_where_a_label_applies_is_for_several_labels() -> None:
    assert stage(multi_label=True, applies_from=0.2).applies_from == 0.2
    with pytest.raises(ValueError, match="`applies_from` is for `multi_label`"):
        stage(applies_from=0.2)
    with pytest.raises(ValueError, match="`applies_from` is for the stage 'category'"):
        ClassificationCreate(text="A text.", labels=LABELS, applies_from=0.2)
    several = ClassificationCreate(text="A text.", labels=LABELS, multi_label=True, applies_from=0.2)
    assert several.definition().stages[0].applies_from == 0.2
