"""The diagram of a workflow as Mermaid, for documents that draw it themselves; the same states as in SVG."""

import re
from collections.abc import Iterator, Mapping

from perdure.domain.workflow_definitions import Step, StepType, WorkflowDefinition, graph_of
from perdure.domain.workflow_diagram import StepView

_DASHED = frozenset({"on error", "compensate"})
_COLOURS = {
    "running": "fill:#dbeafe,stroke:#1d4ed8",
    "waiting": "fill:#fef3c7,stroke:#b45309",
    "completed": "fill:#dcfce7,stroke:#15803d",
    "failed": "fill:#fee2e2,stroke:#b91c1c",
    "skipped": "fill:#f1f5f9,stroke:#94a3b8",
    "cancelled": "fill:#f1f5f9,stroke:#94a3b8",
}
# What Mermaid or a browser would take for more than text.
_MARKS = re.compile(r"[^\w .,:;!?/+*%=()\[\]{}-]|[\n\r\u2028\u2029]")


def mermaid(definition: WorkflowDefinition, views: Mapping[str, StepView] | None = None) -> str:
    """Draw a definition, or with views an execution of it."""
    return "\n".join(_lines(definition, views)) + "\n"


def _lines(definition: WorkflowDefinition, views: Mapping[str, StepView] | None) -> Iterator[str]:
    yield "flowchart TD"
    for step in definition.steps:
        opened, closed = ("{{", "}}") if step.type in {StepType.CONDITION, StepType.ROUTING} else ("[", "]")
        yield f'  {_name(step.id)}{opened}"{_text(step.name or step.id)}<br/>{_text(_kind(step))}"{closed}'
    for edge in graph_of(definition.steps).edges:
        arrow = "-.->" if edge.label in _DASHED else "-->"
        label = f'|"{_text(edge.label)}"|' if edge.label else ""
        yield f"  {_name(edge.source)} {arrow}{label} {_name(edge.target)}"
    shown = {step.id: (views or {}).get(step.id) for step in definition.steps}
    for state, colours in _COLOURS.items():
        names = [_name(step) for step, view in shown.items() if view is not None and view.state == state]
        if names:
            yield f"  classDef {state} {colours}"
            yield f"  class {','.join(names)} {state}"


def _kind(step: Step) -> str:
    kind = step.type.value.replace("_", " ")
    return f"{kind}, {len(step.body)} steps" if step.type is StepType.FOR_EACH else kind


def _name(step: str) -> str:
    """`end` and its like are words of the language: no id is one of them."""
    return f"s_{step}"


def _text(text: str) -> str:
    return _MARKS.sub(lambda mark: f"#{ord(mark[0])};", text[:80])
