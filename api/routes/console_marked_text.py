"""A text with what was found in it: evidence and entities as pieces that a template marks, one after another."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise
from operator import attrgetter

from api.routes.console_words import words

# More is not shown: a page of marks is read, a book of them is not.
MOST_CHARACTERS = 20_000

# How types of entities are called and coloured; a word stands beside each colour.
_TYPES: dict[str, tuple[str, str]] = {
    "email": ("E-mail", "info"),
    "url": ("URL", "info"),
    "phone": ("Phone", "info"),
    "iban": ("IBAN", "success"),
    "money": ("Money", "success"),
    "percentage": ("Percentage", "success"),
    "quantity": ("Quantity", "success"),
    "date": ("Date", "warning"),
    "invoice_number": ("Invoice number", "danger"),
    "order_number": ("Order number", "danger"),
    "address": ("Address", "violet"),
    "place": ("Place", "violet"),
    "person": ("Person", "violet"),
    "organisation": ("Organisation", "violet"),
}


@dataclass(frozen=True)
class Entity:
    """Something that was found at a place in a text. `value` is what it means, where that differs."""

    type: str
    start: int
    end: int
    value: str = ""
    confidence: float = 1.0

    @property
    def label(self) -> str:
        """Its type in words."""
        return entity_label(self.type)

    @property
    def tone(self) -> str:
        """Colour of its type."""
        return entity_tone(self.type)


@dataclass(frozen=True)
class Piece:
    """A part of the text that belongs to at most one entity; the last part of one carries its name."""

    text: str
    entity: Entity | None = None
    is_end: bool = False


@dataclass(frozen=True)
class Run:
    """Pieces that are all evidence, or all not."""

    is_evidence: bool
    pieces: Sequence[Piece]


@dataclass(frozen=True)
class LegendEntry:
    """A type of entity and how many of it were found."""

    label: str
    tone: str
    count: int


def entity_label(type_: str) -> str:
    """What a type of entity is called."""
    return _TYPES[type_][0] if type_ in _TYPES else words(type_)


def entity_tone(type_: str) -> str:
    """Colour of a type of entity."""
    return _TYPES[type_][1] if type_ in _TYPES else "neutral"


def legend(entities: Iterable[Entity]) -> list[LegendEntry]:
    """The types that there are, the most frequent first."""
    counts: Mapping[str, int] = Counter(entity.type for entity in entities)
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [LegendEntry(entity_label(type_), entity_tone(type_), count) for type_, count in ranked]


def marked_text(
    text: str,
    entities: Sequence[Entity] = (),
    evidence: Sequence[tuple[int, int]] = (),
    *,
    most: int = MOST_CHARACTERS,
) -> list[Run]:
    """Cut a text where something begins or ends. Of entities that overlap, the shorter one is shown.

    Joined, the pieces are the first `most` characters of the text, whatever the offsets say.
    """
    shown = text[:most]
    length = len(shown)
    named = sorted(
        (entity for entity in entities if 0 <= entity.start < min(entity.end, length)),
        key=lambda entity: (entity.start, entity.end),
    )
    passages = [(start, end) for start, end in evidence if 0 <= start < min(end, length)]
    cuts = sorted(
        {0, length}
        | {min(place, length) for entity in named for place in (entity.start, entity.end)}
        | {min(place, length) for passage in passages for place in passage}
    )
    covered = _union(passages)
    pieces: list[tuple[bool, Piece]] = []
    active: list[Entity] = []
    following = 0
    for start, end in pairwise(cuts):
        while following < len(named) and named[following].start <= start:
            active.append(named[following])
            following += 1
        active = [entity for entity in active if entity.end > start]
        found = min(active, key=lambda entity: (entity.end - entity.start, entity.start), default=None)
        pieces.append((_holds(covered, start), Piece(shown[start:end], found)))
    runs = [
        (is_evidence, _joined(piece for _, piece in group))
        for is_evidence, group in groupby(pieces, key=lambda pair: pair[0])
    ]
    return _labelled(runs)


def _union(passages: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Passages without overlaps, from the first to the last."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(passages):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _holds(covered: list[tuple[int, int]], place: int) -> bool:
    """Whether a place is in a passage. Places only ever grow: what lies behind is dropped."""
    while covered and covered[0][1] <= place:
        covered.pop(0)
    return bool(covered) and covered[0][0] <= place


def _joined(pieces: Iterable[Piece]) -> list[Piece]:
    """Neighbours of one entity made one piece."""
    return [
        Piece("".join(piece.text for piece in group), entity)
        for entity, group in groupby(pieces, key=attrgetter("entity"))
    ]


def _labelled(runs: Sequence[tuple[bool, Sequence[Piece]]]) -> list[Run]:
    """The last piece of each entity is its end, where its name goes."""
    named: set[Entity] = set()
    backwards: list[Run] = []
    for is_evidence, pieces in reversed(runs):
        labelled = []
        for piece in reversed(pieces):
            is_end = piece.entity is not None and piece.entity not in named
            if piece.entity is not None:
                named.add(piece.entity)
            labelled.append(replace(piece, is_end=is_end))
        backwards.append(Run(is_evidence, labelled[::-1]))
    return backwards[::-1]
