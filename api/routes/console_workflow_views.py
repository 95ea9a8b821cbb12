"""What the pages of document workflows show: a definition and its diagram, an execution and its steps."""

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup

from api.routes.console_charts import percent
from api.routes.console_views import RETRYABLE
from api.routes.console_words import OPERATION_LOOKS, Look, count, duration, words
from perdure.domain.workflow_definitions import (
    OnError,
    ParameterType,
    Step,
    StepType,
    WorkflowDefinition,
)
from perdure.domain.workflow_diagram import StepView, diagram
from perdure.domain.workflow_diff import Difference
from perdure.schemas.document_workflows import ChangeRead, ParameterRead, WorkflowExecutionRead
from perdure.schemas.operations import TERMINAL, OperationStatus
from perdure.schemas.workflow_executions import ExecutionStepState, StepRecordRead

STEP_ICONS: Mapping[str, str] = {
    StepType.CLASSIFICATION: "tag",
    StepType.ANALYSIS: "bulb",
    StepType.TRANSFORM: "pencil",
    StepType.ROUTING: "route",
    StepType.CONDITION: "route",
    StepType.PARALLEL: "layers",
    StepType.JOIN: "layers",
    StepType.FOR_EACH: "refresh",
    StepType.APPROVAL: "hand",
    StepType.NOTIFICATION: "mail",
    StepType.HTTP: "external",
    StepType.WAIT: "hourglass",
    StepType.SUB_WORKFLOW: "workflow",
    StepType.REMEMBER: "bookmark",
    StepType.COMPRESS: "archive",
}

STEP_STATE_LOOKS: Mapping[str, Look] = {
    ExecutionStepState.PENDING: Look("Pending", "clock", "neutral"),
    ExecutionStepState.RUNNING: Look("Running", "loader", "info", spins=True),
    ExecutionStepState.WAITING: Look("Waiting", "hourglass", "warning"),
    ExecutionStepState.WAITING_APPROVAL: Look("Waiting for approval", "hand", "violet"),
    ExecutionStepState.COMPLETED: Look("Completed", "check", "success"),
    ExecutionStepState.FAILED: Look("Failed", "x", "danger"),
    ExecutionStepState.SKIPPED: Look("Passed over", "skip", "neutral"),
    ExecutionStepState.CANCELLED: Look("Cancelled", "minus-circle", "neutral"),
    ExecutionStepState.COMPENSATED: Look("Taken back", "undo", "neutral"),
}

DIFFERENCE_LOOKS: Mapping[str, Look] = {
    Difference.ADDED: Look("Added", "plus", "success"),
    Difference.REMOVED: Look("Removed", "minus-circle", "danger"),
    Difference.CHANGED: Look("Changed", "pencil", "info"),
    Difference.MOVED: Look("Moved", "arrow-down", "neutral"),
}

# The states that a drawing has, of those that a step can be in.
_DRAWN: Mapping[str, str] = {
    ExecutionStepState.WAITING_APPROVAL: "waiting",
    ExecutionStepState.COMPENSATED: "cancelled",
}
# For how many hours a link may be good.
EXPIRIES = {24: "1 day", 72: "3 days", 168: "1 week", 720: "30 days", 2160: "90 days"}
# Turns of a loop that a page lists; those that failed come first.
MOST_TURNS = 50
_MOST_JSON = 20_000
# How wide a drawing is that can be read when it is made to fit a column; `workflows.css` knows the least.
_FITTING = range(352, 561)


def drawn(definition: WorkflowDefinition, views: Mapping[str, StepView] | None = None) -> Markup:
    """The diagram as part of a page, which has its own colours; one that is not wide may be made smaller to fit."""
    drawing = diagram(definition, views)
    width = re.search(r' width="(\d+)"', drawing)
    if width and int(width[1]) in _FITTING:
        drawing = drawing.replace("<svg ", '<svg class="fits" ', 1)
    return Markup(drawing)  # noqa: S704  # nosec B704  # it escapes all texts


def shown_json(value: Any) -> str:
    """A value as people read it; a long one is cut."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return text if len(text) <= _MOST_JSON else f"{text[:_MOST_JSON]}\n… {len(text) - _MOST_JSON:,} more"


@dataclass(frozen=True)
class DefinitionStep:
    """A step of a definition, and those that it runs for each entry."""

    step: Step
    body: tuple["DefinitionStep", ...] = ()
    titles: Mapping[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """Its name, or its id in words."""
        return _title(self.step)

    @property
    def icon(self) -> str:
        """The icon of its type."""
        return STEP_ICONS[self.step.type]

    @property
    def kind(self) -> str:
        """Its type in words."""
        return words(self.step.type.value)

    @property
    def facts(self) -> list[str]:
        """What else is to be known of it, in words."""
        step, facts = self.step, []
        if step.needs:
            facts.append(f"after {', '.join(self._quoted(need) for need in step.needs)}")
        if step.when:
            facts.append(f"when {step.when}")
        facts += [f"{label or 'then'} → {self._quoted(target)}" for label, target in step.sends]
        if step.on_error is OnError.CONTINUE:
            facts.append("goes on after an error")
        if step.max_visits is not None:
            facts.append(f"at most {count(step.max_visits, 'visit')}")
        return facts

    def _quoted(self, step_id: str) -> str:
        return f"“{self.titles.get(step_id, step_id)}”"


def _title(step: Step) -> str:
    return step.name or words(step.id)


def definition_steps(steps: Sequence[Step]) -> list[DefinitionStep]:
    """The steps of a definition in their order."""
    titles = {step.id: _title(step) for step in steps}
    return [DefinitionStep(step, tuple(definition_steps(step.body)), titles) for step in steps]


_HINTS: Mapping[str, str] = {
    ParameterType.DURATION: "A time such as 3 days, 8 business hours or 30 minutes.",
    ParameterType.USER: "The id of a member, or their e-mail address.",
    ParameterType.ROLE: "A role of your organisation, such as approver.",
    ParameterType.EMAIL: "An e-mail address.",
}
_FIELD_TYPES: Mapping[str, str] = {
    ParameterType.NUMBER: "number",
    ParameterType.INTEGER: "number",
    ParameterType.EMAIL: "email",
}


@dataclass(frozen=True)
class ParameterField:
    """A parameter of a template or of a workflow as a field of a form."""

    parameter: ParameterRead
    value: str = ""
    fault: str = ""

    @property
    def name(self) -> str:
        """The name of the field."""
        return f"parameter-{self.parameter.name}"

    @property
    def label(self) -> str:
        """The parameter's name in words."""
        return words(self.parameter.name)

    @property
    def hint(self) -> str:
        """What it is, and what can be given."""
        return " ".join(filter(None, (self.parameter.description, _HINTS.get(self.parameter.type, ""))))

    @property
    def type(self) -> str:
        """The type of the field."""
        return _FIELD_TYPES.get(self.parameter.type, "text")

    @property
    def is_flag(self) -> bool:
        """Whether it is ticked, not written."""
        return self.parameter.type == ParameterType.BOOLEAN


def parameter_fields(parameters: Iterable[ParameterRead]) -> list[ParameterField]:
    """Fields with what holds when nobody changes it."""
    return [ParameterField(one, "" if one.default is None else _given(one.default)) for one in parameters]


def _given(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def parameters_given(
    parameters: Iterable[ParameterRead], given: Mapping[str, str], error: Exception | None = None
) -> tuple[dict[str, Any], list[ParameterField]]:
    """What a form says, as values of their types, and its fields with what is wrong; what is no number stays text."""
    faults = {one.pointer.rpartition("/")[2]: one.detail for one in getattr(error, "errors", ())}
    values: dict[str, Any] = {}
    fields: list[ParameterField] = []
    for parameter in parameters:
        text = given.get(f"parameter-{parameter.name}", "").strip()
        fields.append(ParameterField(parameter, text, faults.get(parameter.name, "")))
        if parameter.type == ParameterType.BOOLEAN:
            values[parameter.name] = text == "true"
        elif text:
            values[parameter.name] = _typed(parameter.type, text)
    return values, fields


def _typed(kind: str, text: str) -> Any:
    if kind not in {ParameterType.NUMBER, ParameterType.INTEGER}:
        return text
    try:
        number = int(text) if kind == ParameterType.INTEGER or text.lstrip("-").isdigit() else float(text)
    except ValueError:
        return text
    return number if math.isfinite(number) else text


@dataclass(frozen=True)
class ChangeView:
    """A difference between two versions."""

    change: ChangeRead

    @property
    def look(self) -> Look:
        """What became of it, as a badge."""
        return DIFFERENCE_LOOKS[self.change.difference]

    @property
    def place(self) -> str:
        """Where, without the first stroke."""
        return self.change.place.lstrip("/").replace("/", " / ") or "the definition"

    @property
    def before(self) -> str | None:
        """What it was."""
        return None if self._lacks(Difference.ADDED) else _plainly(self.change.before)

    @property
    def after(self) -> str | None:
        """What it is."""
        return None if self._lacks(Difference.REMOVED) else _plainly(self.change.after)

    def _lacks(self, difference: Difference) -> bool:
        return self.change.difference in {difference, Difference.MOVED}


def _plainly(value: Any) -> str:
    return value if isinstance(value, str) else shown_json(value)


@dataclass(frozen=True)
class StepRecordView:
    """What a step did in an execution; `turns` are the steps that it ran for each entry of its list."""

    record: StepRecordRead
    definition: DefinitionStep | None = None
    turns: tuple["StepRecordView", ...] = field(default=())

    @property
    def id(self) -> str:
        """What addresses it in the page."""
        return "step-" + self.record.step_id.replace("[", "-").replace("]", "").replace(".", "-")

    @property
    def title(self) -> str:
        """Its name; within a loop with its entry."""
        if self.definition is None:
            return self.record.step_id
        turn = self.record.step_id.rpartition("[")[2].partition("]")[0]
        return f"{self.definition.title} {turn}" if turn.isdigit() else self.definition.title

    @property
    def icon(self) -> str:
        """The icon of its type."""
        return STEP_ICONS.get(self.record.type, "activity")

    @property
    def kind(self) -> str:
        """Its type in words."""
        return words(self.record.type)

    @property
    def look(self) -> Look:
        """Its state."""
        return STEP_STATE_LOOKS[self.record.state]

    @property
    def is_failed(self) -> bool:
        """Whether it can be tried again."""
        return self.record.state is ExecutionStepState.FAILED

    @property
    def is_pending(self) -> bool:
        """Whether it has not begun."""
        return self.record.state is ExecutionStepState.PENDING

    @property
    def seconds(self) -> float | None:
        """How long it took; one that runs has no figure, which would change with each look."""
        started, ended = self.record.started_at, self.record.ended_at
        return (ended - started).total_seconds() if started and ended else None

    @property
    def duration(self) -> str | None:
        """The same in words."""
        started, ended = self.record.started_at, self.record.ended_at
        return duration(ended - started) if started and ended else None

    @property
    def gist(self) -> str | None:
        """What came of it, in a few words."""
        return gist(self.record.type, self.record.output)

    @property
    def given(self) -> str | None:
        """What it was told, filled in; before it begins, what the definition says."""
        if self.record.input:
            return shown_json(self.record.input)
        if self.definition is None:
            return None
        step = self.definition.step
        told = {
            **({"with": dict(step.settings)} if step.settings else {}),
            **({"input": dict(step.input)} if step.input else {}),
        }
        return shown_json(told) if told else None

    @property
    def output(self) -> str | None:
        """What it gave."""
        return shown_json(self.record.output) if self.record.output else None


def gist(kind: str, output: Mapping[str, Any] | None) -> str | None:
    """What a step found out, as far as it can be said in a line."""
    said: str | None = None
    match kind, output or {}:
        case StepType.CLASSIFICATION, {"label": str(label), "confidence": int() | float() as sure}:
            said = f"{label}, {percent(sure)}"
        case StepType.CLASSIFICATION, {"label": str(label)}:
            said = label
        case StepType.APPROVAL, {"outcome": str(outcome)}:
            said = words(outcome)
        case StepType.HTTP, {"status": int(status)}:
            said = f"Status {status}"
        case StepType.ANALYSIS, {"answer": str(text)} | {"summary": str(text)}:
            said = text
        case StepType.NOTIFICATION, {"messages": list(messages)}:
            said = count(len(messages), "message")
    return said and _cut(said)


def _cut(text: str) -> str:
    return text if len(text) <= 160 else f"{text[:159]}…"


@dataclass(frozen=True)
class ExecutionView:
    """An execution in a list or on its page."""

    read: WorkflowExecutionRead
    document_title: str | None = None

    @property
    def title(self) -> str:
        """What it works on, by name."""
        if self.document_title:
            return self.document_title
        what = "on a document that is deleted" if self.read.document_id else "without a document"
        return f"{self.read.workflow_name}, {what}"

    @property
    def look(self) -> Look:
        """Its status as a badge."""
        return OPERATION_LOOKS[self.read.status]

    @property
    def is_open(self) -> bool:
        """Whether it can still change by itself."""
        return self.read.status not in TERMINAL

    @property
    def duration(self) -> str | None:
        """How long it took; an open one shows none, since it would change with each look."""
        closed = self.read.closed_at
        return duration(closed - self.read.created_at) if closed and not self.is_open else None

    @property
    def verbs(self) -> tuple[str, ...]:
        """What can be done to it now."""
        if self.read.status in RETRYABLE:
            return ("retry",)
        if not self.is_open:
            return ()
        return ("resume", "cancel") if self.read.status is OperationStatus.PAUSED else ("pause", "cancel")

    @property
    def percent(self) -> int:
        """Progress, rounded down, so that 100 means done."""
        progress = self.read.progress
        return 100 * progress.done // progress.total if progress.total else 0


def step_views(
    definition: WorkflowDefinition | None, records: Sequence[StepRecordRead]
) -> list[StepRecordView]:
    """All steps of a definition in its order; those that have not begun, too. Turns are below their loop."""
    defined = definition_steps(definition.steps) if definition else []
    by_id = {record.step_id: record for record in records if "[" not in record.step_id}
    turns: dict[str, list[StepRecordView]] = {}
    bodies = {inner.step.id: inner for step in defined for inner in _within(step)}
    for record in records:
        if "[" in record.step_id:
            loop, last = record.step_id.partition("[")[0], record.step_id.rpartition(".")[2]
            turns.setdefault(loop, []).append(StepRecordView(record, bodies.get(last)))
    found = [
        StepRecordView(
            by_id.pop(step.step.id, _not_begun(step.step)),
            step,
            tuple(_first(turns.pop(step.step.id, []))),
        )
        for step in defined
    ]
    return [*found, *(StepRecordView(record) for record in by_id.values())]


def _within(step: DefinitionStep) -> Iterable[DefinitionStep]:
    for inner in step.body:
        yield inner
        yield from _within(inner)


def _first(turns: Sequence[StepRecordView]) -> list[StepRecordView]:
    return sorted(turns, key=lambda turn: not turn.is_failed)[:MOST_TURNS]


def _not_begun(step: Step) -> StepRecordRead:
    return StepRecordRead(step_id=step.id, type=step.type.value, state=ExecutionStepState.PENDING)


def execution_diagram(definition: WorkflowDefinition, steps: Iterable[StepRecordView]) -> Markup:
    """The diagram of a definition in the colours of an execution."""
    views = {
        step.record.step_id: StepView(_DRAWN.get(step.record.state, step.record.state.value), step.seconds)
        for step in steps
    }
    return drawn(definition, views)
