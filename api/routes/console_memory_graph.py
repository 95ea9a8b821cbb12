"""Where the circles and lines of a drawn neighbourhood of memories go; templates make SVG of them."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from perdure.schemas.memories import RelatedMemory

SIZE = 360
# More would touch each other; the list beside the drawing has all.
MOST_NODES = 16

_CENTRE = SIZE / 2
_CENTRE_RADIUS = 26.0
_NODE_RADIUS = 17.0
_RING = SIZE / 2 - _NODE_RADIUS - 5
# An arrow's head stands before the circle, not in it.
_HEAD = 5.0
# How far a line between two neighbours bends towards the middle.
_BEND = 0.45
# Lines that would come nearer to the middle than this go around it.
_CLEAR = 70.0


@dataclass(frozen=True)
class Node:
    """A neighbour: a circle with its number in the list."""

    id: str
    number: int
    relation: str
    x: float
    y: float


@dataclass(frozen=True)
class Edge:
    """A line of a relation; `path` is what SVG calls `d`, it ends at the circles."""

    relation: str
    path: str
    weight: float
    is_directed: bool


@dataclass(frozen=True)
class Graph:
    """A memory in the middle and its neighbours around it."""

    nodes: Sequence[Node]
    edges: Sequence[Edge]
    left_out: int

    @property
    def size(self) -> int:
        """Width and height of the drawing."""
        return SIZE

    @property
    def centre(self) -> float:
        """Where the memory itself is, on both axes."""
        return _CENTRE

    @property
    def centre_radius(self) -> float:
        """Of the memory itself."""
        return _CENTRE_RADIUS

    @property
    def node_radius(self) -> float:
        """Of a neighbour."""
        return _NODE_RADIUS


# Relations that lead somewhere; the others hold both ways.
_DIRECTED = frozenset({"supports", "follows", "part_of", "mentions"})


def numbered(related: Iterable[RelatedMemory]) -> dict[str, int]:
    """Neighbours in the order in which they are listed, each with one number, however often it is related."""
    numbers: dict[str, int] = {}
    for item in related:
        numbers.setdefault(item.id, len(numbers) + 1)
    return numbers


def draw(related: Sequence[RelatedMemory], among: Mapping[str, Sequence[RelatedMemory]]) -> Graph:
    """Lay a neighbourhood out. `among` says what the neighbours are related with in their turn."""
    numbers = numbered(related)
    shown = list(numbers)[:MOST_NODES]
    first = {item.id: item for item in reversed(related)}
    nodes = [_node(first[id_], numbers[id_], place, len(shown)) for place, id_ in enumerate(shown)]
    edges = [_spoke(node, first[node.id]) for node in nodes]
    edges += _chords({node.id: node for node in nodes}, among)
    return Graph(nodes, edges, len(numbers) - len(shown))


def _node(item: RelatedMemory, number: int, place: int, count: int) -> Node:
    angle = 2 * math.pi * place / count - math.pi / 2
    x, y = _CENTRE + _RING * math.cos(angle), _CENTRE + _RING * math.sin(angle)
    return Node(item.id, number, item.relation, round(x, 1), round(y, 1))


def _spoke(node: Node, item: RelatedMemory) -> Edge:
    dx, dy = (node.x - _CENTRE) / _RING, (node.y - _CENTRE) / _RING
    inner = _CENTRE + dx * _CENTRE_RADIUS, _CENTRE + dy * _CENTRE_RADIUS
    outer = node.x - dx * _NODE_RADIUS, node.y - dy * _NODE_RADIUS
    directed = item.relation in _DIRECTED
    if item.direction == "out":
        end = (outer[0] - dx * _HEAD, outer[1] - dy * _HEAD) if directed else outer
        start = inner
    else:
        start = outer
        end = (inner[0] + dx * _HEAD, inner[1] + dy * _HEAD) if directed else inner
    path = f"M{start[0]:.1f} {start[1]:.1f}L{end[0]:.1f} {end[1]:.1f}"
    return Edge(item.relation, path, item.weight, directed)


def _chords(nodes: Mapping[str, Node], among: Mapping[str, Sequence[RelatedMemory]]) -> list[Edge]:
    """Lines between neighbours, one for each pair: the first that is told of, which is the strongest."""
    seen: set[frozenset[str]] = set()
    edges: list[Edge] = []
    for source, items in among.items():
        for item in items:
            pair = frozenset((source, item.id))
            if source not in nodes or item.id not in nodes or len(pair) < 2 or pair in seen:
                continue
            seen.add(pair)
            edges.append(_chord(nodes[source], nodes[item.id], item))
    return edges


def _chord(one: Node, other: Node, item: RelatedMemory) -> Edge:
    bent = _bent(one, other)
    start, end = _at_border(one, bent), _at_border(other, bent)
    path = f"M{start[0]:.1f} {start[1]:.1f}Q{bent[0]:.1f} {bent[1]:.1f} {end[0]:.1f} {end[1]:.1f}"
    return Edge(item.relation, path, item.weight, is_directed=False)


def _bent(one: Node, other: Node) -> tuple[float, float]:
    """Where a line between two neighbours is drawn to: towards the middle, but never through the memory there."""
    middle = (one.x + other.x) / 2, (one.y + other.y) / 2
    away = math.hypot(middle[0] - _CENTRE, middle[1] - _CENTRE)
    if away > _CLEAR:
        return middle[0] + (_CENTRE - middle[0]) * _BEND, middle[1] + (_CENTRE - middle[1]) * _BEND
    dx, dy = other.x - one.x, other.y - one.y
    length = math.hypot(dx, dy) or 1.0
    return middle[0] - dy / length * 2 * _CLEAR, middle[1] + dx / length * 2 * _CLEAR


def _at_border(node: Node, towards: Sequence[float]) -> tuple[float, float]:
    dx, dy = towards[0] - node.x, towards[1] - node.y
    length = math.hypot(dx, dy) or 1.0
    return node.x + dx / length * _NODE_RADIUS, node.y + dy / length * _NODE_RADIUS
