"""A document workflow as data: steps, what they need, where they lead. `workflow_reading` reads them.

    {"name": "Invoices",
     "parameters": {"limit": {"type": "number", "default": 1000}},
     "steps": [
       {"id": "classify", "type": "classification", "with": {"labels": ["invoice", "other"]}},
       {"id": "kind", "type": "routing", "needs": ["classify"],
        "with": {"branches": [{"when": "steps.classify.sure", "goto": "approve"}], "default": "file"}},
       {"id": "approve", "type": "approval", "with": {"policy": {…}}},
       {"id": "file", "type": "remember", "with": {"text": "${steps.classify.label}"}}]}

It starts with the first step. A step runs when all that it needs is done or was passed over; one that needs nothing
runs when another sends there. A way back is bounded by `max_visits`, going over a list by `max_items`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from perdure.domain.approval_policies import EMAIL
from perdure.domain.business_calendar import parse_span
from perdure.domain.json_objects import Faults
from perdure.domain.workflow_graph import Edge, Graph

MAX_ITEMS = 10_000
SPAN_WORDS = "must be a time such as 90 seconds, 30 minutes or 3 days"


class StepType(StrEnum):
    """What a step does."""

    CLASSIFICATION = "classification"
    ANALYSIS = "analysis"
    TRANSFORM = "transform"
    ROUTING = "routing"
    CONDITION = "condition"
    PARALLEL = "parallel"
    JOIN = "join"
    FOR_EACH = "for_each"
    APPROVAL = "approval"
    NOTIFICATION = "notification"
    HTTP = "http"
    WAIT = "wait"
    SUB_WORKFLOW = "sub_workflow"
    REMEMBER = "remember"
    COMPRESS = "compress"


class OnError(StrEnum):
    """What becomes of a workflow whose step failed for good."""

    FAIL = "fail"
    CONTINUE = "continue"
    GOTO = "goto"


class ParameterType(StrEnum):
    """What a template's parameter can be."""

    STRING = "string"
    NUMBER = "number"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    DURATION = "duration"
    USER = "user"
    ROLE = "role"
    EMAIL = "email"


@dataclass(frozen=True, slots=True)
class Setting:
    """A field of a step's `with`. Kinds are the names of the reader's methods."""

    kind: str
    required: bool = False
    choices: tuple[str, ...] = ()
    most: int = 4_000


SETTINGS: Mapping[StepType, Mapping[str, Setting]] = {
    StepType.CLASSIFICATION: {
        "labels": Setting("listed"),
        "workflow_id": Setting("text"),
        "stages": Setting("listed"),
        "multi_label": Setting("flag"),
        "applies_from": Setting("number"),
        "threshold": Setting("number"),
    },
    StepType.ANALYSIS: {
        "task": Setting(
            "choice",
            required=True,
            choices=("summary", "entities", "sentiment", "question_answering", "extraction"),
        ),
        "question": Setting("text"),
        "schema": Setting("mapping"),
        "text": Setting("text", most=100_000),
    },
    StepType.TRANSFORM: {"set": Setting("assignments", required=True)},
    StepType.ROUTING: {"branches": Setting("branches", required=True), "default": Setting("target")},
    StepType.CONDITION: {
        "if": Setting("expression", required=True),
        "then": Setting("target"),
        "else": Setting("target"),
    },
    StepType.PARALLEL: {"branches": Setting("targets", required=True)},
    StepType.JOIN: {"mode": Setting("choice", choices=("all", "any"))},
    StepType.FOR_EACH: {
        "items": Setting("expression", required=True),
        "max_items": Setting("whole", required=True, most=MAX_ITEMS),
        "concurrency": Setting("whole", most=100),
        "steps": Setting("body", required=True),
    },
    StepType.APPROVAL: {
        "policy": Setting("policy", required=True),
        "title": Setting("text"),
        "summary": Setting("text", most=20_000),
    },
    StepType.NOTIFICATION: {
        "channel": Setting("choice", required=True, choices=("email", "webhook", "slack")),
        "to": Setting("listed"),
        "url": Setting("text"),
        "subject": Setting("text"),
        "body": Setting("text", required=True, most=100_000),
    },
    StepType.HTTP: {
        "method": Setting("choice", choices=("GET", "POST", "PUT", "PATCH", "DELETE")),
        "url": Setting("text", required=True),
        "headers": Setting("mapping"),
        "secret_headers": Setting("mapping"),
        "body": Setting("anything"),
    },
    StepType.WAIT: {"for": Setting("span"), "until": Setting("text")},
    StepType.SUB_WORKFLOW: {
        "workflow_id": Setting("text", required=True),
        "version": Setting("whole", most=1_000_000),
        "input": Setting("mapping"),
    },
    StepType.REMEMBER: {
        "text": Setting("text", required=True, most=100_000),
        "subject": Setting("text"),
        "space": Setting("text"),
    },
    StepType.COMPRESS: {
        "mode": Setting("choice", choices=("conservative", "adaptive", "aggressive", "off")),
    },
}


@dataclass(frozen=True, slots=True)
class Retry:
    """How often a step is tried, and how long it waits in between at first."""

    attempts: int = 3
    wait_seconds: int = 1


@dataclass(frozen=True, slots=True)
class Step:
    """One step. `sends` are the steps that it leads to beside those that need it; `body` is run for each entry."""

    id: str
    type: StepType
    name: str = ""
    needs: tuple[str, ...] = ()
    when: str = ""
    retry: Retry = Retry()
    timeout_seconds: int | None = None
    on_error: OnError = OnError.FAIL
    compensate: str = ""
    max_visits: int | None = None
    input: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    sends: tuple[tuple[str, str], ...] = ()
    body: tuple["Step", ...] = ()

    @property
    def undoes(self) -> bool:
        """Whether it declares a compensation, or a step of its body does."""
        return bool(self.compensate) or any(step.undoes for step in self.body)


@dataclass(frozen=True, slots=True)
class Parameter:
    """What a template leaves open."""

    name: str
    type: ParameterType
    default: Any = None
    required: bool = False


@dataclass(frozen=True, slots=True)
class WorkflowDefinition:
    """A definition that was understood."""

    name: str
    steps: tuple[Step, ...]
    parameters: tuple[Parameter, ...] = ()
    description: str = ""


def graph_of(steps: tuple[Step, ...]) -> Graph:
    """The graph of steps; names that are not there are left out."""
    known = {step.id for step in steps}
    edges: dict[Edge, None] = {}
    for step in steps:
        for need in step.needs:
            if need in known:
                edges[Edge(need, step.id)] = None
        for label, target in step.sends:
            if target in known:
                edges[Edge(step.id, target, label, needed=False)] = None
    return Graph(tuple(known_in_order(steps)), tuple(edges))


def known_in_order(steps: tuple[Step, ...]) -> list[str]:
    """The ids of steps, once each."""
    return list(dict.fromkeys(step.id for step in steps))


_WANTED = {
    ParameterType.STRING: "text",
    ParameterType.NUMBER: "a number",
    ParameterType.INTEGER: "a whole number",
    ParameterType.BOOLEAN: "true or false",
    ParameterType.DURATION: "a time such as 3 days",
    ParameterType.USER: "the id of a member",
    ParameterType.ROLE: "a role such as approver",
    ParameterType.EMAIL: "an e-mail address",
}


def missing_parameter(parameter: Parameter) -> str:
    """What to say of a required parameter without a value."""
    return f"is missing: {_WANTED[parameter.type]}"


def parameter_fault(parameter: Parameter, value: object) -> str | None:
    """What is wrong with a value for a parameter."""
    match parameter.type:
        case ParameterType.BOOLEAN:
            return None if isinstance(value, bool) else "must be true or false"
        case ParameterType.NUMBER | ParameterType.INTEGER:
            whole = parameter.type is ParameterType.INTEGER
            fits = isinstance(value, int if whole else int | float) and not isinstance(value, bool)
            return None if fits else f"must be a {'whole ' if whole else ''}number"
        case ParameterType.DURATION:
            return None if parse_span(value) else SPAN_WORDS
        case ParameterType.EMAIL:
            fits = isinstance(value, str) and EMAIL.fullmatch(value) is not None
            return None if fits else "must be an e-mail address"
        case _:
            return None if isinstance(value, str) and value.strip() else "must be text, and not empty"


def bind(
    definition: WorkflowDefinition, given: Mapping[str, Any], pointer: str = "/parameters"
) -> dict[str, Any]:
    """Values for all parameters; InvalidInputError names each that is missing, unknown or of another type."""
    faults = Faults()
    known = {parameter.name: parameter for parameter in definition.parameters}
    for name in given:
        if name not in known:
            faults.add(f"{pointer}/{name}", f"is no parameter; known are {', '.join(known) or 'none'}")
    bound: dict[str, Any] = {}
    for name, parameter in known.items():
        value = given.get(name, parameter.default)
        if value is None:
            if parameter.required:
                faults.add(f"{pointer}/{name}", missing_parameter(parameter))
        elif fault := parameter_fault(parameter, value):
            faults.add(f"{pointer}/{name}", fault)
        bound[name] = value
    faults.raise_for("set of parameters")
    return bound
