"""What several memories have in common, said with their own sentences: an insight cites, it invents nothing."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import snowballstemmer

from perdure.domain.highlighting import COMMON_WORDS
from perdure.domain.near_duplicates import say_the_same
from perdure.domain.sentences import sentences

# A single exchange is no habit: several memories, of several days or sessions.
LEAST = 3
# Sentences that are cited, and words that name the matter.
_CITED = 3
_THEMES = 2
_LONGEST = 240
_FEWEST_WORDS = 4
# What half of the memories speak of is the matter of all.
_COMMON = 0.5
_WORD = re.compile(r"[^\W\d_]+(?:['\u2019-][^\W\d_]+)*")
_PALE = """
really just like get got go going went come came one day days week time today yesterday last next new now still even
ever never always much many lot lots thing things something anything everything nothing way good great nice well back
first little bit make made making take took think thought know see saw say said tell told feel felt want need try look
sure yes yeah oh hey hi thanks thank maybe actually finally also too while around though since already soon again don't
can't i'm i've i'll it's that's you're let's we're didn't doesn't wasn't isn't there's he's she's they're what's
"""
_PALE_WORDS = frozenset(_PALE.split()) | COMMON_WORDS


@dataclass(frozen=True, slots=True)
class Source:
    """A memory that an insight may rest on."""

    id: str
    text: str
    said_at: datetime
    session: str | None = None


@dataclass(frozen=True, slots=True)
class Insight:
    """What holds of several memories. Every sentence in quotation marks stands in one of them, word for word."""

    content: str
    memory_ids: tuple[str, ...]
    confidence: float
    reason: str


@dataclass(frozen=True, slots=True)
class _Sentence:
    text: str
    memory: int
    stems: frozenset[str]


def insight(memories: Sequence[Source], subject: str = "") -> Insight | None:
    """What memories of one subject have in common; None where that is nothing, or all is one statement repeated.

    The frame is: subject, how often, from when to when, which matter; then the sentences that speak of it most.
    """
    memories = sorted(memories, key=lambda memory: (memory.said_at, memory.id))
    stemmer = snowballstemmer.stemmer("english")
    words = [_words(memory.text, stemmer) for memory in memories]
    themes = _themes(words, len(memories))
    if len(memories) < LEAST or not themes:
        return None
    about = [n for n, found in enumerate(words) if not themes.keys().isdisjoint(found)]
    occasions = {memories[n].session or memories[n].said_at.date().isoformat() for n in about}
    if len(about) < LEAST or len(occasions) < 2:
        return None
    cited = _cited(memories, about, themes, stemmer)
    if len(cited) < 2:
        return None
    named = [_written(theme, words) for theme in themes]
    first, last = memories[about[0]].said_at.date(), memories[about[-1]].said_at.date()
    who = f"{subject}: " if subject else ""
    quotes = " ".join(f"\u201c{sentence.text}\u201d" for sentence in cited)
    content = f"{who}{', '.join(named)} \u2014 {len(about)} times, {first} to {last}: {quotes}"
    return Insight(
        content=content,
        memory_ids=tuple(memories[n].id for n in about),
        confidence=_confidence(len(about), len(memories), len(occasions), len(cited)),
        reason=f"{len(about)} of {len(memories)} memories from {len(occasions)} occasions speak of {', '.join(named)}",
    )


def _words(text: str, stemmer: Any) -> dict[str, str]:
    """Telling words of a text, by stem."""
    found: dict[str, str] = {}
    for word in _WORD.findall(text):
        lower = word.casefold().replace("\u2019", "'").removesuffix("'s")
        if len(lower) > 2 and lower not in _PALE_WORDS:
            found.setdefault(str(stemmer.stemWord(lower)), word.replace("\u2019", "'").removesuffix("'s"))
    return found


def _themes(words: Sequence[dict[str, str]], count: int) -> dict[str, int]:
    """The stems that most memories share, at least half of them, with how many."""
    shared = Counter(stem for found in words for stem in found)
    most = [
        (stem, times)
        for stem, times in sorted(shared.items(), key=lambda item: (-item[1], -len(item[0]), item[0]))
        if times >= max(LEAST, _COMMON * count)
    ]
    return dict(most[:_THEMES])


def _written(theme: str, words: Sequence[dict[str, str]]) -> str:
    """A theme as it stands in the memories, in its commonest form."""
    forms = Counter(found[theme] for found in words if theme in found)
    return min(forms, key=lambda form: (-forms[form], form))


def _cited(
    memories: Sequence[Source], about: Sequence[int], themes: dict[str, int], stemmer: Any
) -> list[_Sentence]:
    """The most telling sentences, of different memories, none of which repeats another; in the order they were said."""
    offered = [
        _Sentence(sentence.text, n, frozenset(_words(sentence.text, stemmer)))
        for n in about
        for sentence in sentences(memories[n].text)
        if not sentence.asks
        and len(sentence.text) <= _LONGEST
        and len(sentence.text.split()) >= _FEWEST_WORDS
    ]
    common = Counter(stem for sentence in offered for stem in sentence.stems)
    offered = [sentence for sentence in offered if not themes.keys().isdisjoint(sentence.stems)]
    offered.sort(key=lambda one: (-_weight(one, themes, common), one.memory, one.text))
    chosen: list[_Sentence] = []
    for sentence in offered:
        if len(chosen) == _CITED:
            break
        if all(
            sentence.memory != other.memory and not say_the_same(sentence.text, other.text, 1.0)
            for other in chosen
        ):
            chosen.append(sentence)
    return sorted(chosen, key=lambda one: one.memory)


def _weight(sentence: _Sentence, themes: dict[str, int], common: Counter[str]) -> float:
    """How much of the matter is in it: themes, and words that other sentences have, too; long ones no more."""
    shared = sum(common[stem] > 1 for stem in sentence.stems)
    return sum(themes.get(stem, 0) for stem in sentence.stems) + shared / (1 + len(sentence.stems))


def _confidence(about: int, all_of_them: int, occasions: int, cited: int) -> float:
    """Higher with more memories, more occasions and more of the group that speak of it; never sure."""
    share = about / all_of_them
    return round(
        min(0.95, 0.3 + 0.2 * share + 0.05 * min(about, 5) + 0.04 * min(occasions, 4) + 0.01 * cited), 3
    )
