"""What is different between two versions of a workflow definition, step by step, as it is written."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from perdure.domain.json_objects import escaped

_MISSING = object()


class Difference(StrEnum):
    """What became of something."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    MOVED = "moved"
    """The same step stands elsewhere among the others."""


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. Steps are named by their ids, so that they keep their places when others come before."""

    difference: Difference
    place: str
    before: Any = None
    after: Any = None


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Change, ...]:
    """All differences between two definitions, in the order of the later one; what was removed ends its list."""
    return tuple(_differ(before, after, ""))


def _differ(before: Any, after: Any, place: str) -> Iterator[Change]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in dict.fromkeys((*after, *before)):
            inner = f"{place}/{escaped(str(key))}"
            yield from _compare(before.get(key, _MISSING), after.get(key, _MISSING), inner)
    elif _are_named(before) and _are_named(after):
        yield from _differ_named(before, after, place)
    elif not _same(before, after):
        yield Change(Difference.CHANGED, place, before, after)


def _compare(before: Any, after: Any, place: str) -> Iterator[Change]:
    if before is _MISSING:
        yield Change(Difference.ADDED, place, after=after)
    elif after is _MISSING:
        yield Change(Difference.REMOVED, place, before=before)
    else:
        yield from _differ(before, after, place)


def _differ_named(
    before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]], place: str
) -> Iterator[Change]:
    old = {str(one["id"]): one for one in before}
    new = {str(one["id"]): one for one in after}
    stayed = _longest_common([name for name in old if name in new], [name for name in new if name in old])
    for name, one in new.items():
        inner = f"{place}/{escaped(name)}"
        if name not in old:
            yield Change(Difference.ADDED, inner, after=one)
            continue
        if name not in stayed:
            yield Change(Difference.MOVED, inner, list(old).index(name), list(new).index(name))
        yield from _differ(old[name], one, inner)
    for name, one in old.items():
        if name not in new:
            yield Change(Difference.REMOVED, f"{place}/{escaped(name)}", before=one)


def _are_named(value: Any) -> bool:
    """Whether it is a list of objects with ids of their own."""
    if not isinstance(value, list) or not all(isinstance(one, Mapping) and "id" in one for one in value):
        return False
    return len({str(one["id"]) for one in value}) == len(value)


def _same(before: Any, after: Any) -> bool:
    """Equal as JSON: true is not 1."""
    return (
        type(before) is type(after) and before == after if isinstance(before, bool | int) else before == after
    )


def _longest_common(old: list[str], new: list[str]) -> set[str]:
    """The most names that stand in the same order in both: those that did not move."""
    place = {name: index for index, name in enumerate(old)}
    ends: list[str] = []
    previous: dict[str, str | None] = {}
    for name in new:
        low, high = 0, len(ends)
        while low < high:
            middle = (low + high) // 2
            low, high = (middle + 1, high) if place[ends[middle]] < place[name] else (low, middle)
        previous[name] = ends[low - 1] if low else None
        ends[low : low + 1] = [name]
    kept: set[str] = set()
    at: str | None = ends[-1] if ends else None
    while at is not None:
        kept.add(at)
        at = previous[at]
    return kept
