"""What the forms and pages of classification say: every state has a word, and no form loses what it does not show."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from starlette.datastructures import FormData, UploadFile

from api.routes.console_classification_forms import (
    FormError,
    Values,
    asked_of,
    rule_of,
    stages_of,
    values_of,
    values_of_version,
)
from api.routes.console_classification_views import (
    BELOWS,
    DECISION_LOOKS,
    PROVIDERS,
    RESULT_LOOKS,
    STAGES,
    AnswerView,
    StageView,
    Sure,
    WorkflowVersionView,
    explained,
)
from api.routes.console_rendering import STATIC_FOLDER
from perdure.schemas.classification import (
    Alternative,
    Below,
    CategoryRead,
    ClassificationRead,
    Comparison,
    Decision,
    EntityRead,
    EvidenceRead,
    ItemReason,
    LabelGiven,
    ResultStatus,
    Stage,
    StageGiven,
    StagesRead,
    TokensRead,
    VersionRead,
)
from perdure.schemas.reasons import TEXT_EXPLANATIONS, explain

NOW = datetime.now(UTC)
LABELS = [
    LabelGiven(name="Invoice", description="asks for money", examples=["Please pay."]),
    LabelGiven(name="Reminder", parent="Invoice"),
    LabelGiven(name="Complaint"),
]


def an_answer(**more: Any) -> AnswerView:
    values: dict[str, Any] = {
        **dict.fromkeys(
            ("external_id", "document_id", "workflow_id", "version", "model", "reason", "detail")
        ),
        **dict.fromkeys(("text", "review", "classified_at", "label", "decision")),
        "status": ResultStatus.DECIDED,
        "stages": StagesRead(),
        "labels": [],
        "provider": "local",
        "tokens": TokensRead(),
        "cost": Decimal(0),
        **more,
    }
    return AnswerView(
        ClassificationRead(id="clr_1", operation_id="op_1", ordinal=0, created_at=NOW, **values)
    )


def a_version(stages: list[StageGiven], **more: Any) -> VersionRead:
    values: dict[str, Any] = {
        **dict.fromkeys(("region", "language", "note", "comparison", "created_by", "activated_at")),
        "version": 2,
        "is_active": False,
        "learnt": 0,
        "forced": False,
        "created_at": NOW,
        **more,
    }
    return VersionRead(stages=stages, **values)


# What is shown


def test_every_state_reason_and_choice_has_its_words() -> None:
    assert set(RESULT_LOOKS) == set(ResultStatus)
    assert set(DECISION_LOOKS) == set(Decision)
    assert set(TEXT_EXPLANATIONS) == set(ItemReason)
    assert set(STAGES) == set(Stage)
    assert set(BELOWS) == set(Below)
    assert set(PROVIDERS) == {"local", "openai", "anthropic", "openai_compatible"}


def test_every_icon_of_a_state_is_drawn() -> None:
    icons = (STATIC_FOLDER / "img" / "icons.svg").read_text()
    for look in (*RESULT_LOOKS.values(), *DECISION_LOOKS.values()):
        assert f'id="{look.icon}"' in icons, look


def test_a_reason_is_said_in_plain_words_on_every_page() -> None:
    for reason in ItemReason:
        assert explained(reason.value) == TEXT_EXPLANATIONS[reason]
        assert explain(reason.value) is not None
    assert explained(None) is None


def test_a_confidence_is_never_rounded_up_to_certainty() -> None:
    assert [Sure("x", value).percent for value in (1.0, 0.9999, 0.9, 0.0)] == [
        "100 %",
        "99.9 %",
        "90 %",
        "0 %",
    ]


def test_who_decided_is_said_of_what_is_decided() -> None:
    assert an_answer(decision=Decision.AUTO).look.label == "Decided automatically"
    assert an_answer(status=ResultStatus.OPEN, decision=Decision.HUMAN_REVIEW).waits


def test_a_person_chooses_from_the_answer_and_its_alternatives_each_once() -> None:
    category = CategoryRead(
        label="Invoice",
        confidence=0.6,
        labels=[Alternative(label="Invoice", confidence=0.6), Alternative(label="Order", confidence=0.55)],
        alternatives=[Alternative(label="Order", confidence=0.55), Alternative(label="Spam", confidence=0.1)],
    )
    view = an_answer(stages=StagesRead(category=category))
    assert [sure.label for sure in view.proposed] == ["Invoice", "Order", "Spam"]


def test_no_label_that_applies_is_no_bar() -> None:
    view = an_answer(stages=StagesRead(category=CategoryRead(label=None, confidence=0.2)))
    assert view.sures == []


def test_the_text_is_marked_where_something_was_found() -> None:
    text = "Pay 12 EUR now."
    category = CategoryRead(
        label="Invoice", confidence=0.9, evidence=[EvidenceRead(text=text, start=0, end=15, score=0.5)]
    )
    money = EntityRead(type="money", text="12 EUR", value="12 EUR", start=4, end=10, confidence=0.9)
    view = an_answer(text=text, stages=StagesRead(category=category, entities=[money]))
    (run,) = view.runs
    assert run.is_evidence
    assert [piece.text for piece in run.pieces] == ["Pay ", "12 EUR", " now."]
    assert not view.is_cut


def test_an_outline_is_shown_whatever_form_its_sentences_have() -> None:
    summary = {
        "topics": ["Crane"],
        "decisions": [{"text": "We buy it.", "at_seconds": 754, "speaker": "Ann"}],
        "actions": [],
        "other": [{"text": "x"}],
    }
    (topics, (crane,)), (decisions, (bought,)) = an_answer(stages=StagesRead(summary=summary)).outline
    assert (topics, crane.text, crane.said_at) == ("Topics", "Crane", "")
    assert (decisions, bought.text, bought.said_at) == ("Decisions", "We buy it.", "Ann, 12:34")


def test_what_a_version_changed_is_said_in_points() -> None:
    def change(accuracy: float, before: float | None) -> str | None:
        comparison = Comparison(n=60, accuracy=accuracy, before=before, before_version=1)
        look = WorkflowVersionView(a_version([], comparison=comparison)).change
        return look.label if look else None

    assert [change(0.9, 0.8), change(0.8, 0.825), change(0.8, 0.8), change(0.8, None)] == [
        "+10.0 points",
        "\u22122.5 points",
        "As good",
        None,
    ]


def test_a_rule_is_said_in_a_sentence() -> None:
    stage = StageGiven(task=Stage.CATEGORY, labels=LABELS, target_accuracy=0.95, below=Below.ESCALATE_TO_LLM)
    assert StageView(stage).rule == (
        "95 % right of what is decided automatically; else a language model is asked"
    )
    assert [(line.label.name, line.depth) for line in StageView(stage).labels] == [
        ("Invoice", 0),
        ("Reminder", 1),
        ("Complaint", 0),
    ]


# What a form says


def form(**fields: str | list[str]) -> Values:
    pairs: list[tuple[str, str | UploadFile]] = [
        (name, value)
        for name, given in fields.items()
        for value in (given if isinstance(given, list) else [given])
    ]
    return values_of(FormData(pairs))


def test_labels_stages_and_a_rule_are_asked_as_the_form_says() -> None:
    values = form(
        labels="Invoice: asks for money\r\nOrder",
        stages=["category", "entities"],
        rule="target",
        percent="97,5",
        region="at",
    )
    asked = asked_of(values)
    assert [label.name for label in asked["labels"]] == ["Invoice", "Order"]
    assert asked["stages"] == ["category", "entities"]
    assert asked["target_accuracy"] == pytest.approx(0.975)
    assert asked["region"] == "AT"


def test_a_workflow_leaves_out_what_it_says_itself() -> None:
    values = form(workflow_id="clw_1", labels="a\nb", stages=["category"], rule="threshold", percent="x")
    assert asked_of(values) == {"workflow_id": "clw_1", "region": None}


def test_without_a_category_no_labels_are_asked_for() -> None:
    assert asked_of(form(labels="a\nb", stages="entities", multi_label="true"))["labels"] == []


@pytest.mark.parametrize("values", [form(stages=[]), form(stages="category", labels="a\nb", rule="target")])
def test_what_a_form_leaves_open_is_asked_for(values: Values) -> None:
    with pytest.raises(FormError):
        asked_of(values)


def test_no_rule_is_none() -> None:
    assert rule_of(form(percent="80")) == {}


def test_too_few_labels_are_refused_by_the_schema() -> None:
    with pytest.raises(ValidationError, match="two labels"):
        stages_of(form(labels="Invoice"))


def test_a_new_version_keeps_what_its_form_does_not_show() -> None:
    before = [
        StageGiven(task=Stage.ENTITIES),
        StageGiven(
            task=Stage.CATEGORY,
            labels=LABELS,
            provider="openai",
            model="m",
            fallbacks=["anthropic"],
            threshold=0.8,
        ),
        StageGiven(task=Stage.CATEGORY, labels=LABELS, provider="anthropic"),
        StageGiven(task=Stage.SENTIMENT, threshold=0.6),
    ]
    values = form(
        labels="a\nb", others=["sentiment", "summary"], provider="openai", rule="target", percent="95"
    )
    after = stages_of(values, before)
    assert [stage.task for stage in after] == ["category", "category", "sentiment", "summary"]
    first = after[0]
    assert ([label.name for label in first.labels], first.model, first.fallbacks) == (
        ["a", "b"],
        "m",
        ["anthropic"],
    )
    assert (first.threshold, first.target_accuracy) == (None, 0.95)
    assert after[1:3] == before[2:4]


def test_another_provider_does_not_keep_the_model_of_the_one_before() -> None:
    before = [StageGiven(task=Stage.CATEGORY, labels=LABELS, provider="openai", model="m")]
    (stage,) = stages_of(form(labels="a\nb", provider="local"), before)
    assert (stage.provider, stage.model) == ("local", None)


@given(
    st.sampled_from([{}, {"threshold": 0.8}, {"target_accuracy": 0.955}]),
    st.sampled_from(
        [{}, {"multi_label": True}, {"multi_label": True, "applies_from": 0.255}],
    ),
    st.sampled_from([Below.HUMAN_REVIEW, Below.ESCALATE_TO_LLM]),
    st.sets(st.sampled_from([Stage.SENTIMENT, Stage.ENTITIES, Stage.SUMMARY])),
)
def test_a_form_that_is_sent_as_it_was_shown_changes_nothing(
    rule: dict[str, float], several: dict[str, Any], below: Below, others: set[Stage]
) -> None:
    category = {"task": Stage.CATEGORY, "labels": LABELS, "below": below, **several, **rule}
    stages = [StageGiven.model_validate(category), *(StageGiven(task=task) for task in sorted(others))]
    assert stages_of(values_of_version(a_version(stages)), stages) == stages
