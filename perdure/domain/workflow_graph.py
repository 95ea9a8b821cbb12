"""The graph of a workflow definition: what follows what, what can be reached, and where it goes in circles."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Edge:
    """`target` may run after `source`: because it needs it, or because it is sent there (then with a label)."""

    source: str
    target: str
    label: str = ""
    needed: bool = True


@dataclass(frozen=True, slots=True)
class Graph:
    """Steps in the order of the definition, the first being where it starts."""

    steps: tuple[str, ...]
    edges: tuple[Edge, ...]

    def reachable(self) -> set[str]:
        """Steps that can run: the first, those that are sent to, and those whose needs can all run."""
        needs: dict[str, set[str]] = {step: set() for step in self.steps}
        following: dict[str, list[Edge]] = {step: [] for step in self.steps}
        for edge in self.edges:
            following[edge.source].append(edge)
            if edge.needed:
                needs[edge.target].add(edge.source)
        found: set[str] = set()
        at_hand = list(self.steps[:1])
        while at_hand:
            step = at_hand.pop()
            if step in found:
                continue
            found.add(step)
            at_hand.extend(
                edge.target for edge in following[step] if not edge.needed or needs[edge.target] <= found
            )
        return found

    def before(self) -> dict[str, set[str]]:
        """For each step, all that may have run before it."""
        sources: dict[str, list[str]] = {step: [] for step in self.steps}
        for edge in self.edges:
            sources[edge.target].append(edge.source)
        return {step: _closure(step, sources) for step in self.steps}

    def circles(self) -> list[tuple[str, ...]]:
        """Groups of steps that come around to themselves, each in the order of the definition."""
        following: dict[str, list[str]] = {step: [] for step in self.steps}
        for edge in self.edges:
            following[edge.source].append(edge.target)
        groups = _strongly_connected(self.steps, following)
        order = {step: index for index, step in enumerate(self.steps)}
        found = [
            tuple(sorted(group, key=order.__getitem__))
            for group in groups
            if len(group) > 1 or group[0] in following[group[0]]
        ]
        return sorted(found, key=lambda group: order[group[0]])

    def layers(self) -> list[list[str]]:
        """Steps by the longest way to them; edges back to what came before are left out."""
        back = self.back_edges()
        sources: dict[str, list[str]] = {step: [] for step in self.steps}
        following: dict[str, list[str]] = {step: [] for step in self.steps}
        for edge in self.edges:
            if edge not in back:
                sources[edge.target].append(edge.source)
                following[edge.source].append(edge.target)
        depth = dict.fromkeys(self.steps, 0)
        left = {step: len(sources[step]) for step in self.steps}
        at_hand = [step for step in self.steps if not left[step]]
        for step in at_hand:
            for target in following[step]:
                depth[target] = max(depth[target], depth[step] + 1)
                left[target] -= 1
                if not left[target]:
                    at_hand.append(target)
        layers: list[list[str]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
        for step in self.steps:
            layers[depth[step]].append(step)
        return layers

    def back_edges(self) -> set[Edge]:
        """Edges that close a circle, going through the definition in its order."""
        following: dict[str, list[Edge]] = {step: [] for step in self.steps}
        for edge in self.edges:
            following[edge.source].append(edge)
        back: set[Edge] = set()
        done: set[str] = set()
        for start in self.steps:
            if start in done:
                continue
            path, on_path = [(start, iter(following[start]))], {start}
            while path:
                step, edges = path[-1]
                taken = next(edges, None)
                if taken is None:
                    path.pop()
                    on_path.discard(step)
                    done.add(step)
                elif taken.target in on_path:
                    back.add(taken)
                elif taken.target not in done:
                    path.append((taken.target, iter(following[taken.target])))
                    on_path.add(taken.target)
        return back


def _closure(start: str, sources: Mapping[str, Sequence[str]]) -> set[str]:
    found: set[str] = set()
    at_hand = list(sources[start])
    while at_hand:
        step = at_hand.pop()
        if step not in found:
            found.add(step)
            at_hand.extend(sources[step])
    return found


def _strongly_connected(steps: Iterable[str], following: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """Tarjan's algorithm, without recursion."""
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    on_stack: set[str] = set()
    groups: list[list[str]] = []
    for start in steps:
        if start in number:
            continue
        number[start] = low[start] = len(number)
        stack.append(start)
        on_stack.add(start)
        work = [(start, iter(following[start]))]
        while work:
            step, targets = work[-1]
            target = next(targets, None)
            if target is None:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[step])
                if low[step] == number[step]:
                    group: list[str] = []
                    while not group or group[-1] != step:
                        group.append(stack.pop())
                        on_stack.discard(group[-1])
                    groups.append(group)
            elif target not in number:
                number[target] = low[target] = len(number)
                stack.append(target)
                on_stack.add(target)
                work.append((target, iter(following[target])))
            elif target in on_stack:
                low[step] = min(low[step], number[target])
    return groups
