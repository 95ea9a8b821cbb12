"""Among memories that answer a question, the newer statement of a fact comes before the older one."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from perdure.domain.attributes import Attribute, Contradiction, attributes, contradicts
from perdure.domain.recall_query import RecallQuery

# Longer texts state more than one fact: an outdated one does not make the rest of them worse.
_LONGEST = 400


@dataclass(frozen=True, slots=True)
class Statement:
    """A memory of which it is asked whether it still holds; `said_at` is when it became true."""

    text: str
    of: str
    """Who says it, else whom it is about."""
    said_at: datetime | None


@dataclass(frozen=True, slots=True)
class Superseded:
    """Places of an older statement and of the newer one that contradicts it."""

    older: int
    newer: int
    contradiction: Contradiction


def superseded(query: RecallQuery, statements: Sequence[Statement]) -> list[Superseded]:
    """Which of some statements others of them replace; none when the question is about a time or the older fact.

    Everything that contradicts a statement and is newer is told, the oldest first.
    """
    if query.periods or query.asks_when or query.asks_before:
        return []
    stated = [
        (place, one, _stated(one.text, one.of))
        for place, one in enumerate(statements)
        if one.said_at is not None and len(one.text) <= _LONGEST
    ]
    stated = sorted((one for one in stated if one[2]), key=_by_time)
    found = []
    for nth, (older, before, was) in enumerate(stated):
        for newer, after, holds in stated[nth + 1 :]:
            if before.said_at != after.said_at and (contradiction := contradicts(was, holds)):
                if _asked_for(contradiction.older, query.text) and not _asked_for(
                    contradiction.newer, query.text
                ):
                    break  # the question names the older fact: it is about that
                found.append(Superseded(older, newer, contradiction))
    return found


def _by_time(one: tuple[int, Statement, tuple[Attribute, ...]]) -> tuple[float, int]:
    place, statement, _ = one
    return (statement.said_at.timestamp() if statement.said_at else 0.0, place)


@lru_cache(maxsize=8192)
def _stated(text: str, of: str) -> tuple[Attribute, ...]:
    return tuple(attributes(text, of))


def _asked_for(value: str, query: str) -> bool:
    return bool(value) and re.search(rf"\b{re.escape(value)}\b", query, re.IGNORECASE) is not None
