"""The diagram of a workflow as SVG, in layers from top to bottom; the same definition is always the same drawing.

Each step has a class of its state, so that an execution is the same drawing in other colours; colours are attributes,
which a page's style sheet may replace. Nothing in it is script or style, and all text is escaped.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

from perdure.domain.workflow_definitions import Step, StepType, WorkflowDefinition, graph_of
from perdure.domain.workflow_graph import Edge, Graph

_WIDTH, _HEIGHT, _ACROSS, _DOWN, _MARGIN = 180, 52, 28, 56, 24
_PASSING = 12
_SWEEPS = 6
_LABEL = 24
STATES = ("pending", "running", "waiting", "completed", "failed", "skipped", "cancelled")
# Attributes, not a style sheet: no page of ours allows one within a drawing. The sheet of a page goes before them.
_FONT = 'font-family="system-ui,sans-serif"'
_RECT = 'stroke-width="1.5"'
_PLAIN = ("#fff", "#475569", "")
_COLOURS: Mapping[str, tuple[str, str, str]] = {
    "running": ("#dbeafe", "#1d4ed8", ""),
    "waiting": ("#fef3c7", "#b45309", ""),
    "completed": ("#dcfce7", "#15803d", ""),
    "failed": ("#fee2e2", "#b91c1c", ""),
    "skipped": ("#f1f5f9", "#94a3b8", ' stroke-dasharray="3 3"'),
    "cancelled": ("#f1f5f9", "#94a3b8", ' stroke-dasharray="3 3"'),
}
_NAME = f' fill="#0f172a" font-size="13" {_FONT}'
_TYPE = f' fill="#475569" font-size="11" {_FONT}'
_LINE = ' fill="none" stroke="#64748b"'
_DASHED = ' stroke-dasharray="5 4"'
_BESIDE = f'{_TYPE} paint-order="stroke" stroke="#fff" stroke-width="3"'


@dataclass(frozen=True, slots=True)
class StepView:
    """How a step is doing in an execution."""

    state: str = "pending"
    duration_seconds: float | None = None


def diagram(definition: WorkflowDefinition, views: Mapping[str, StepView] | None = None) -> str:
    """Draw a definition, or with views an execution of it."""
    graph = graph_of(definition.steps)
    drawing = _Drawing(graph)
    steps = {step.id: step for step in definition.steps}
    lines = [drawing.line(edge) for edge in graph.edges]
    boxes = [_box(steps[name], drawing.places[name], views) for name in graph.steps]
    # Room at the left for lines that lead back.
    width, height = drawing.width + 2 * _MARGIN, drawing.height
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{-_MARGIN} 0 {width} {height}" '
        f'width="{width}" height="{height}" role="img" aria-labelledby="workflow-title">'
        f'<title id="workflow-title">{escape(definition.name)}</title>'
        '<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
        'orient="auto"><path d="M0 0L8 4L0 8z" fill="#64748b"/></marker></defs>'
        f"{''.join(lines)}{''.join(boxes)}</svg>"
    )


class _Drawing:
    """Where everything stands. A line that passes layers has a place of its own in each, so that it crosses no step."""

    def __init__(self, graph: Graph) -> None:
        self._back = graph.back_edges()
        layers = graph.layers()
        level = {step: number for number, layer in enumerate(layers) for step in layer}
        self._ways: dict[Edge, list[str]] = {}
        for number, edge in enumerate(graph.edges):
            if edge not in self._back:
                between = range(level[edge.source] + 1, level[edge.target])
                passed = [f"{number}:{passing}" for passing in between]
                self._ways[edge] = [edge.source, *passed, edge.target]
                for passing, name in zip(between, passed, strict=True):
                    layers[passing].append(name)
        layers = _sorted(layers, self._ways.values())
        widths = [sum(_wide(name) + _ACROSS for name in layer) - _ACROSS for layer in layers]
        self.width = max(widths, default=0)
        self.height = 2 * _MARGIN + len(layers) * (_HEIGHT + _DOWN) - _DOWN
        self.places: dict[str, tuple[int, int]] = {}
        for number, layer in enumerate(layers):
            x = (self.width - widths[number]) // 2
            for name in layer:
                self.places[name] = (x, _MARGIN + number * (_HEIGHT + _DOWN))
                x += _wide(name) + _ACROSS

    def line(self, edge: Edge) -> str:
        """An edge, with its label beside it."""
        if edge in self._back:
            return self._line_back(edge)
        way = [(self.places[name][0] + _wide(name) // 2, self.places[name][1]) for name in self._ways[edge]]
        path = f"M{way[0][0]} {way[0][1] + _HEIGHT}"
        for (from_x, from_y), (to_x, to_y) in pairwise(way):
            middle = (from_y + _HEIGHT + to_y) // 2
            path += f"C{from_x} {middle} {to_x} {middle} {to_x} {to_y}"
            if (to_x, to_y) != way[-1]:
                path += f"V{to_y + _HEIGHT}"
        (start_x, start_y), (next_x, _) = way[:2]
        kind = "edge error" if edge.label in {"on error", "compensate"} else "edge"
        # Two thirds of the way, where lines out of one step are apart; outside of what goes left and what goes right.
        x, y = (start_x + 2 * next_x) // 3, start_y + _HEIGHT + _DOWN * 2 // 3
        left = next_x <= start_x and x > _LABEL * 6
        beside = x - 6 if left else x + 6
        return self._drawn(kind, path, edge.label, beside, y, "end" if left else "start")

    def _line_back(self, edge: Edge) -> str:
        (from_x, from_y), (to_x, to_y) = self.places[edge.source], self.places[edge.target]
        start_y, end_y = from_y + _HEIGHT // 2, to_y + _HEIGHT // 2
        side = min(from_x, to_x) - _MARGIN
        path = f"M{from_x} {start_y}C{side} {start_y} {side} {end_y} {to_x} {end_y}"
        return self._drawn("edge back", path, edge.label, side + 8, (start_y + end_y) // 2)

    def _drawn(self, kind: str, path: str, label: str, x: int, y: int, anchor: str = "start") -> str:
        line = _LINE + (_DASHED if kind != "edge" else "")
        text = (
            f'<text x="{x}" y="{y}" text-anchor="{anchor}"{_BESIDE}>{_short(label)}</text>' if label else ""
        )
        return f'<g class="{kind}"><path d="{path}" marker-end="url(#arrow)"{line}/>{text}</g>'


def _wide(name: str) -> int:
    return _PASSING if ":" in name else _WIDTH


def _sorted(layers: list[list[str]], ways: Iterable[Sequence[str]]) -> list[list[str]]:
    """Layers sorted by the middle of what is beside them, down and up, so that few lines cross."""
    above: dict[str, list[str]] = {name: [] for layer in layers for name in layer}
    below: dict[str, list[str]] = {name: [] for layer in layers for name in layer}
    for way in ways:
        for upper, lower in pairwise(way):
            above[lower].append(upper)
            below[upper].append(lower)
    for sweep in range(_SWEEPS):
        down = sweep % 2 == 0
        near, beside = (above, -1) if down else (below, 1)
        for level in range(1, len(layers)) if down else range(len(layers) - 2, -1, -1):
            place = {name: number for number, name in enumerate(layers[level + beside])}
            layers[level] = _by_middle(layers[level], near, place)
    return layers


def _by_middle(
    layer: Sequence[str], near: Mapping[str, Sequence[str]], beside: Mapping[str, int]
) -> list[str]:
    def middle(place: int, name: str) -> tuple[float, int]:
        there = [beside[one] for one in near[name]]
        return (sum(there) / len(there) if there else float(place), place)

    keys = {name: middle(place, name) for place, name in enumerate(layer)}
    return sorted(layer, key=keys.__getitem__)


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
    fill, stroke, dashes = _COLOURS.get(state, _PLAIN)
    rect = f' fill="{fill}" stroke="{stroke}" {_RECT}{dashes}'
    spoken = escape(f"{step.name or step.id}: {kind}{f', {state}' if state else ''}")
    return (
        f'<g class="step {step.type} {state}" data-step="{escape(step.id)}"><title>{spoken}</title>'
        f'<rect x="{x}" y="{y}" width="{_WIDTH}" height="{_HEIGHT}" rx="{radius}"{rect}/>'
        f'<text x="{x + _WIDTH // 2}" y="{y + 23}" text-anchor="middle"{_NAME}>{_short(step.name or step.id)}</text>'
        f'<text class="type" x="{x + _WIDTH // 2}" y="{y + 40}" text-anchor="middle"{_TYPE}>'
        f"{escape(kind)}</text></g>"
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
