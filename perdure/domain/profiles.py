"""What a memory adds to the profile of somebody: a fact, a preference, or only context."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from perdure.domain.attributes import Attribute, attributes
from perdure.domain.memories import MemoryKind
from perdure.domain.preferences import who_prefer

SHOWN_FACTS = 50
SHOWN_PREFERENCES = 25
SHOWN_RECENT = 20
SHOWN_RELATIONS = 20
# What is longer is a passage of a document; its first sentences tell enough.
_LOOKED_AT = 4_000
_LIKING = re.compile(r"favou?rite|prefer|liking", re.IGNORECASE)


class Section(StrEnum):
    """Where a memory stands in a profile. In `context` stands every one; the others say more."""

    FACT = "fact"
    PREFERENCE = "preference"
    CONTEXT = "context"


@dataclass(frozen=True, slots=True, order=True)
class Entry:
    """One memory in one profile. `attribute`: what has one value at a time, such as where somebody lives, or empty."""

    subject: str
    section: Section
    attribute: str = ""


def entries(content: str, kind: str, subject: str, speaker: str | None) -> list[Entry]:
    """Where a memory stands in the profiles of its subject and of its speaker, each place once.

    A turn of a conversation tells a fact only where its words state one. Of anybody but these two it tells nothing
    here: a name in a text may be that of several people.
    """
    names = {name for name in (subject, speaker) if name}
    if not names:
        return []
    spelled: dict[str, set[str]] = {}
    for name in names:
        spelled.setdefault(name.casefold(), set()).add(name)
    told = content[:_LOOKED_AT]
    who_speaks = speaker or subject
    stated = {
        (name, _single(each), each.name)
        for each in attributes(told, who_speaks)
        for name in spelled.get(each.subject.casefold(), ())
    }
    found = {Entry(name, Section.CONTEXT) for name in names}
    if kind in {MemoryKind.FACT, MemoryKind.PREFERENCE}:
        about = subject or who_speaks
        section = Section(kind)
        found |= {Entry(about, section, single) for who, single, _ in stated if who == about} or {
            Entry(about, section)
        }
    else:
        found |= {
            Entry(who, Section.PREFERENCE if _LIKING.search(name) else Section.FACT, single)
            for who, single, name in stated
        }
        found |= {
            Entry(name, Section.PREFERENCE)
            for who in who_prefer(told, who_speaks)
            for name in spelled.get(who.casefold(), ())
        }
    return sorted(found)


def _single(stated: Attribute) -> str:
    """The name of an attribute where the newest statement takes the place of all others, else empty."""
    is_the_only_one = stated.polarity and not stated.weak
    is_over = not stated.polarity and not stated.value
    return stated.name if is_the_only_one or is_over else ""


@dataclass(frozen=True, slots=True)
class Statement:
    """A memory, as far as a profile shows it."""

    memory_id: str
    content: str
    kind: str
    attribute: str
    valid_from: datetime
    recorded_at: datetime
    score: float


def current(statements: Iterable[Statement], limit: int) -> list[Statement]:
    """Of each attribute the newest statement only, and each memory and each text once; surest and newest first.

    `statements` come newest first.
    """
    told: set[tuple[str, str]] = set()
    kept: dict[str, Statement] = {}
    for statement in statements:
        tells = {("memory", statement.memory_id), ("text", statement.content.casefold())}
        if statement.attribute:
            tells.add(("attribute", statement.attribute))
        if told.isdisjoint(tells):
            kept[statement.memory_id] = statement
        told |= tells
    return sorted(kept.values(), key=lambda statement: -statement.score)[:limit]
