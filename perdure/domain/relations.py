"""How two memories are related: typed and weighted, from what they say, where they stand and how near they are."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from perdure.domain.attributes import Attribute, Contradiction, contradicts
from perdure.domain.near_duplicates import say_the_same

# Below, two texts are hardly about the same thing; seen with MiniLM.
SIMILAR = 0.6
# What is named in another memory has to do with it from here on.
_MENTIONED = 0.3
# A memory keeps so many relations of each kind, the strongest.
_MOST = 8


class RelationKind(StrEnum):
    """How the first memory stands to the second."""

    SIMILAR = "similar"
    SUPPORTS = "supports"
    CONTRADICTS = "contradicts"
    FOLLOWS = "follows"
    PART_OF = "part_of"
    MENTIONS = "mentions"


@dataclass(frozen=True, slots=True)
class Node:
    """What is known of a memory. `position` counts turns in its session, `whole` names the message or chunk that
    it was cut from.

    `names` are the people, organisations and places in it, in small letters; `of` those whose memory it is: subject
    and speaker, in small letters.
    """

    id: str
    text: str
    said_at: datetime
    session: str | None = None
    position: int | None = None
    whole: str | None = None
    attributes: Sequence[Attribute] = ()
    names: frozenset[str] = frozenset()
    of: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, order=True)
class Relation:
    """From `source` to `target`; `weight` from 0 to 1."""

    source: str
    kind: RelationKind
    target: str
    weight: float
    reason: str = ""


def relations(node: Node, neighbours: Sequence[Node], cosines: Sequence[float]) -> list[Relation]:
    """Relations between a memory and its neighbours, each pair and kind once; `cosines` are to the neighbours.

    The same whichever of two memories is looked at first: `similar` goes from the smaller id to the greater, all
    others from the newer, the part or the one that speaks of the other.
    """
    found = {
        (relation.source, relation.kind, relation.target): relation
        for neighbour, cosine in zip(neighbours, cosines, strict=True)
        if neighbour.id != node.id
        for relation in between(node, neighbour, cosine)
    }
    by_kind: dict[RelationKind, list[Relation]] = {}
    for relation in sorted(found.values(), key=lambda one: (-one.weight, one.kind, one.source, one.target)):
        of_kind = by_kind.setdefault(relation.kind, [])
        if len(of_kind) < _MOST:
            of_kind.append(relation)
    return sorted(relation for of_kind in by_kind.values() for relation in of_kind)


def between(one: Node, other: Node, cosine: float) -> Iterable[Relation]:
    """All relations of two memories; `cosine` is of their vectors."""
    older, newer = sorted((one, other), key=lambda node: (node.said_at, node.position or 0, node.id))
    weight = round(max(0.0, min(1.0, cosine)), 4)
    replaced = contradicts(older.attributes, newer.attributes)
    if replaced is not None:
        yield Relation(newer.id, RelationKind.CONTRADICTS, older.id, 1.0, replaced.reason)
    elif agreed := _agreed(older, newer):
        yield Relation(newer.id, RelationKind.SUPPORTS, older.id, max(weight, 0.8), agreed)
    elif cosine >= SIMILAR and say_the_same(older.text, newer.text, cosine):
        yield Relation(newer.id, RelationKind.SUPPORTS, older.id, weight, "says the same")
    if cosine >= SIMILAR and replaced is None:
        first, second = sorted((one.id, other.id))
        yield Relation(first, RelationKind.SIMILAR, second, weight)
    yield from _placed(one, other)
    if cosine >= _MENTIONED:
        yield from _mentioned(one, other, weight)
        yield from _mentioned(other, one, weight)


def _agreed(older: Node, newer: Node) -> str:
    """What both state of the same property; empty for nothing."""
    for now in newer.attributes:
        for before in older.attributes:
            if (
                now.polarity
                and before.polarity
                and (now.name, now.kind, now.value) == (before.name, before.kind, before.value)
                and now.subject.casefold() == before.subject.casefold()
            ):
                return Contradiction(now.subject, now.name, before.words, now.words).whose
    return ""


def _placed(one: Node, other: Node) -> Iterable[Relation]:
    if one.whole is not None and one.whole == other.whole:
        first, second = sorted((one, other), key=lambda node: (node.position or 0, node.id))
        yield Relation(second.id, RelationKind.PART_OF, first.id, 1.0)
    elif (
        one.session is not None
        and one.session == other.session
        and one.position is not None
        and other.position is not None
        and abs(one.position - other.position) == 1
    ):
        first, second = sorted((one, other), key=lambda node: node.position or 0)
        yield Relation(second.id, RelationKind.FOLLOWS, first.id, 1.0)


def _mentioned(one: Node, other: Node, weight: float) -> Iterable[Relation]:
    """One names somebody whose memory the other is, and who is not its own."""
    named = sorted((one.names & other.of) - one.of)
    if named:
        yield Relation(one.id, RelationKind.MENTIONS, other.id, weight, ", ".join(named))
