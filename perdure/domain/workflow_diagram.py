"""The diagram of a workflow as SVG, in layers from top to bottom; the same definition is always the same drawing.

Each step has a class of its state, so that an execution is the same drawing in other colours; colours, too, are in a
style sheet of its own that a page may replace. Nothing in it is script, and all text is escaped.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from perdure.domain.workflow_definitions import Step, StepType, WorkflowDefinition, graph_of
from perdure.domain.workflow_graph import Edge, Graph

_WIDTH, _HEIGHT, _ACROSS, _DOWN, _MARGIN = 180, 52, 28, 56, 24
_SWEEPS = 6
_LABEL = 24
STATES = ("pending", "running", "waiting", "completed", "failed", "skipped", "cancelled")
_STYLE = (
    ".step rect{fill:#fff;stroke:#475569;stroke-width:1.5}.step text{fill:#0f172a;font:13px system-ui,sans-serif}"
    ".step .type{fill:#475569;font-size:11px}.edge path{fill:none;stroke:#64748b;stroke-width:1.5}"
    ".edge text{fill:#475569;font:11px system-ui,sans-serif}.edge.back path,.edge.error path{stroke-dasharray:5 4}"
    ".running rect{fill:#dbeafe;stroke:#1d4ed8}.waiting rect{fill:#fef3c7;stroke:#b45309}"
    ".completed rect{fill:#dcfce7;stroke:#15803d}.failed rect{fill:#fee2e2;stroke:#b91c1c}"
    ".skipped rect,.cancelled rect{fill:#f1f5f9;stroke:#94a3b8;stroke-dasharray:3 3}"
)


@dataclass(frozen=True, slots=True)
class StepView:
    """How a step is doing in an execution."""

    state: str = "pending"
    duration_seconds: float | None = None


def diagram(definition: WorkflowDefinition, views: Mapping[str, StepView] | None = None) -> str:
    """Draw a definition, or with views an execution of it."""
    graph = graph_of(definition.steps)
    places = _places(graph)
    steps = {step.id: step for step in definition.steps}
    width = max((x for x, _ in places.values()), default=0) + _WIDTH + _MARGIN
    height = max((y for _, y in places.values()), default=0) + _HEIGHT + _MARGIN
    back = graph.back_edges()
    lines = [_edge(edge, places, edge in back) for edge in graph.edges]
    boxes = [_box(steps[name], places[name], views) for name in graph.steps]
    title = escape(definition.name)
    # Room at the left for lines that lead back.
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{-_MARGIN} 0 {width + _MARGIN} {height}" '
        f'width="{width + _MARGIN}" height="{height}" role="img" aria-labelledby="workflow-title">'
        f'<title id="workflow-title">{title}</title><style>{_STYLE}</style>'
        '<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
        'orient="auto"><path d="M0 0L8 4L0 8z" fill="#64748b"/></marker></defs>'
        f"{''.join(lines)}{''.join(boxes)}</svg>"
    )


def _places(graph: Graph) -> dict[str, tuple[int, int]]:
    """Where each step stands: its layer, and in it near what it is connected with."""
    layers = _ordered(graph)
    widest = max((len(layer) for layer in layers), default=0)
    places: dict[str, tuple[int, int]] = {}
    for level, layer in enumerate(layers):
        free = (widest - len(layer)) * (_WIDTH + _ACROSS) // 2
        for index, step in enumerate(layer):
            x = _MARGIN + free + index * (_WIDTH + _ACROSS)
            places[step] = (x, _MARGIN + level * (_HEIGHT + _DOWN))
    return places


def _ordered(graph: Graph) -> list[list[str]]:
    """Layers whose steps are sorted by the middle of their neighbours, down and up, so that few lines cross."""
    layers = graph.layers()
    sources: dict[str, list[str]] = {step: [] for step in graph.steps}
    targets: dict[str, list[str]] = {step: [] for step in graph.steps}
    for edge in graph.edges:
        sources[edge.target].append(edge.source)
        targets[edge.source].append(edge.target)
    for sweep in range(_SWEEPS):
        down = sweep % 2 == 0
        near = sources if down else targets
        for level in range(1, len(layers)) if down else range(len(layers) - 2, -1, -1):
            beside = {step: place for place, step in enumerate(layers[level - 1 if down else level + 1])}
            layers[level] = _by_middle(layers[level], near, beside)
    return layers


def _by_middle(
    layer: Sequence[str], near: Mapping[str, Sequence[str]], beside: Mapping[str, int]
) -> list[str]:
    def middle(place: int, step: str) -> tuple[float, int]:
        there = [beside[one] for one in near[step] if one in beside]
        return (sum(there) / len(there) if there else float(place), place)

    keys = {step: middle(place, step) for place, step in enumerate(layer)}
    return sorted(layer, key=keys.__getitem__)


def _edge(edge: Edge, places: Mapping[str, tuple[int, int]], back: bool) -> str:
    (from_x, from_y), (to_x, to_y) = places[edge.source], places[edge.target]
    kind = "edge back" if back else "edge error" if edge.label in {"on error", "compensate"} else "edge"
    if back:
        start_y, end_y = from_y + _HEIGHT // 2, to_y + _HEIGHT // 2
        side = min(from_x, to_x) - _MARGIN
        path = f"M{from_x} {start_y}C{side} {start_y} {side} {end_y} {to_x} {end_y}"
        label_x, label_y = side + 4, (start_y + end_y) // 2
    else:
        start_x, end_x = from_x + _WIDTH // 2, to_x + _WIDTH // 2
        start_y = from_y + _HEIGHT
        middle = (start_y + to_y) // 2
        path = f"M{start_x} {start_y}C{start_x} {middle} {end_x} {middle} {end_x} {to_y}"
        label_x, label_y = (start_x + end_x) // 2 + 4, middle
    label = f'<text x="{label_x}" y="{label_y}">{_short(edge.label)}</text>' if edge.label else ""
    return f'<g class="{kind}"><path d="{path}" marker-end="url(#arrow)"/>{label}</g>'


def _box(step: Step, place: tuple[int, int], views: Mapping[str, StepView] | None) -> str:
    x, y = place
    view = (views or {}).get(step.id) or StepView()
    state = view.state if views is not None and view.state in STATES else ""
    kind = step.type.value.replace("_", " ")
    if step.type is StepType.FOR_EACH:
        kind += f" · {len(step.body)} steps"
    if view.duration_seconds is not None:
        kind += f" · {_duration(view.duration_seconds)}"
    radius = _HEIGHT // 2 if step.type in {StepType.CONDITION, StepType.ROUTING} else 8
    spoken = escape(f"{step.name or step.id}: {kind}{f', {state}' if state else ''}")
    return (
        f'<g class="step {step.type} {state}" data-step="{escape(step.id)}"><title>{spoken}</title>'
        f'<rect x="{x}" y="{y}" width="{_WIDTH}" height="{_HEIGHT}" rx="{radius}"/>'
        f'<text x="{x + _WIDTH // 2}" y="{y + 23}" text-anchor="middle">{_short(step.name or step.id)}</text>'
        f'<text class="type" x="{x + _WIDTH // 2}" y="{y + 40}" text-anchor="middle">{escape(kind)}</text></g>'
    )


def _short(text: str) -> str:
    return escape(text if len(text) <= _LABEL else f"{text[: _LABEL - 1]}…")


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes = int(seconds // 60)
    if minutes < 60:
        return f"{minutes} min"
    hours = minutes // 60
    return f"{hours} h" if hours < 48 else f"{hours // 24} d"
