"""What the pages of document workflows show of definitions and executions."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from api.routes.console_rendering import STATIC_FOLDER
from api.routes.console_workflow_views import (
    DIFFERENCE_LOOKS,
    MOST_TURNS,
    STEP_ICONS,
    STEP_STATE_LOOKS,
    ChangeView,
    ExecutionView,
    definition_steps,
    drawn,
    execution_diagram,
    gist,
    parameters_given,
    shown_json,
    step_views,
)
from perdure.domain.workflow_definitions import StepType
from perdure.domain.workflow_diff import Difference
from perdure.domain.workflow_reading import parse_definition
from perdure.schemas.document_workflows import ChangeRead, ParameterRead, WorkflowExecutionRead
from perdure.schemas.operations import OperationStatus, Progress
from perdure.schemas.workflow_executions import ExecutionStepState, StepRecordRead
from tests.workflow_definitions import INVOICES, step

BEGAN = datetime(2026, 11, 21, 9, tzinfo=UTC)
PARAMETERS = [
    ParameterRead(name="limit", type="number"),
    ParameterRead(name="days", type="integer"),
    ParameterRead(name="loud", type="boolean"),
    ParameterRead(name="who", type="user", required=True),
]


def record(step_id: str, state: str = "completed", kind: str = "remember", **more: Any) -> StepRecordRead:
    return StepRecordRead(step_id=step_id, type=kind, state=ExecutionStepState(state), **more)


def execution(status: OperationStatus, **more: Any) -> ExecutionView:
    read = WorkflowExecutionRead(
        id="exe_1",
        operation_id="op_1",
        workflow_id="dwf_1",
        workflow_name="Invoices",
        version=1,
        status=status,
        progress=Progress(done=1, total=3),
        created_at=BEGAN,
        updated_at=BEGAN,
        **more,
    )
    return ExecutionView(read)


def test_every_type_and_state_has_an_icon_that_is_there() -> None:
    icons = (STATIC_FOLDER / "img" / "icons.svg").read_text()
    looks = [
        *(STEP_STATE_LOOKS[state] for state in ExecutionStepState),
        *(DIFFERENCE_LOOKS[one] for one in Difference),
    ]
    for name in [*(STEP_ICONS[kind] for kind in StepType), *(look.icon for look in looks)]:
        assert f'<symbol id="{name}"' in icons


def test_a_diagram_in_a_page_brings_no_style_of_its_own() -> None:
    definition = parse_definition({"name": "<i>x</i>", "steps": [step("a", name="<b>bold</b>")]})
    shown = drawn(definition)
    assert "<style" not in shown
    assert "style=" not in shown
    assert "<b>" not in shown
    assert "<i>" not in shown


@pytest.mark.parametrize(("across", "fits"), [(1, False), (2, True), (8, False)])
def test_only_drawings_that_stay_readable_are_made_smaller(across: int, fits: bool) -> None:
    steps = [step("a"), *(step(f"b{number}", "a") for number in range(across))]
    assert ('class="fits"' in drawn(parse_definition({"name": "x", "steps": steps}))) is fits


def test_steps_that_have_not_begun_are_shown_and_turns_stand_below_their_loop() -> None:
    definition = parse_definition(INVOICES)
    views = step_views(
        definition,
        [
            record("classify", kind="classification", output={"label": "invoice", "confidence": 0.5}),
            record("each_line", "failed", "for_each"),
            *(record(f"each_line[{turn}].keep") for turn in range(MOST_TURNS)),
            record("each_line[77].tell", "failed", "notification"),
            record("gone"),
        ],
    )
    assert [view.record.step_id for view in views] == [*(one["id"] for one in INVOICES["steps"]), "gone"]
    shown = {view.record.step_id: view for view in views}
    assert shown["classify"].gist == "invoice, 50 %"
    assert shown["file"].is_pending
    turns = shown["each_line"].turns
    assert len(turns) == MOST_TURNS
    assert turns[0].title == "Tell 77"
    assert turns[0].is_failed
    assert len({view.id for view in (*views, *turns)}) == len(views) + len(turns)
    assert '"email"' in str(turns[0].given)


def test_a_diagram_of_an_execution_has_its_states() -> None:
    definition = parse_definition(INVOICES)
    views = step_views(
        definition,
        [
            record("classify", started_at=BEGAN, ended_at=BEGAN + timedelta(seconds=90)),
            record("approve", "waiting_approval"),
            record("file", "compensated"),
        ],
    )
    shown = execution_diagram(definition, views)
    assert 'class="step classification completed"' in shown
    assert "1 min" in shown
    assert 'class="step approval waiting"' in shown
    assert 'class="step remember cancelled"' in shown
    assert 'class="step analysis pending"' in shown


def test_what_leads_where_is_said_in_words() -> None:
    steps = {view.step.id: view for view in definition_steps(parse_definition(INVOICES).steps)}
    assert steps["kind"].facts == [
        "after “Classify”",
        'steps.classify.label == "invoice" → “Extract”',
        "default → “File”",
    ]
    assert "on error → “File”" in steps["extract"].facts
    assert [inner.title for inner in steps["each_line"].body] == ["Keep", "Tell"]


@pytest.mark.parametrize(
    ("kind", "output", "said"),
    [
        ("classification", {"label": "invoice"}, "invoice"),
        ("approval", {"outcome": "changes_requested"}, "Changes requested"),
        ("http", {"status": 503}, "Status 503"),
        ("analysis", {"summary": "x" * 500}, "x" * 159 + "…"),
        ("analysis", {"fields": {}}, None),
        ("notification", {"messages": ["msg_1"]}, "1 message"),
        ("classification", None, None),
    ],
)
def test_what_came_of_a_step_is_said_in_a_line(kind: str, output: Any, said: str | None) -> None:
    assert gist(kind, output) == said


def test_values_of_a_form_have_their_types() -> None:
    values, fields = parameters_given(
        PARAMETERS,
        {"parameter-limit": "12.5", "parameter-days": "3", "parameter-loud": "true", "parameter-who": " "},
    )
    assert values == {"limit": 12.5, "days": 3, "loud": True}
    assert [field.value for field in fields] == ["12.5", "3", "true", ""]
    values, _ = parameters_given(PARAMETERS, {"parameter-limit": "many", "parameter-days": "-2"})
    assert values == {"limit": "many", "days": -2, "loud": False}


def test_what_can_be_done_depends_on_the_status() -> None:
    verbs = {status: execution(status).verbs for status in OperationStatus}
    assert verbs[OperationStatus.RUNNING] == verbs[OperationStatus.WAITING_APPROVAL] == ("pause", "cancel")
    assert verbs[OperationStatus.PAUSED] == ("resume", "cancel")
    assert verbs[OperationStatus.FAILED] == ("retry",)
    assert verbs[OperationStatus.COMPLETED] == ()
    closed = BEGAN + timedelta(minutes=2)
    assert execution(OperationStatus.COMPLETED, closed_at=closed).duration == "2 min 0 s"
    assert execution(OperationStatus.RUNNING).duration is None
    assert execution(OperationStatus.RUNNING).title == "Invoices, without a document"
    assert execution(OperationStatus.RUNNING, document_id="doc_1").title.endswith("that is deleted")


def test_a_difference_shows_what_was_and_what_is() -> None:
    changed = ChangeView(ChangeRead(difference="changed", place="/steps/a/with/text", before="x", after=[1]))
    assert (changed.place, changed.before, changed.after) == ("steps / a / with / text", "x", "[\n  1\n]")
    added = ChangeView(ChangeRead(difference="added", place="/steps/b", after={"id": "b"}))
    assert added.before is None
    moved = ChangeView(ChangeRead(difference="moved", place="/steps/c", before=1, after=2))
    assert moved.before is moved.after is None


def test_long_values_are_cut() -> None:
    assert len(shown_json(["x" * 50_000])) < 21_000
