"""When two memories say the same in other words: near in meaning, and nothing in which they differ matters."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import snowballstemmer

from perdure.domain.highlighting import COMMON_WORDS

# Below, texts are about the same thing at most. Between the two, words must be shared as well.
NEAR = 0.62
VERY_NEAR = 0.8
_SHARED = 0.3
# Vectors compared at once.
_BLOCK = 1024

_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)*")
_NUMBERS = {
    "one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7", "eight": "8",
    "nine": "9", "ten": "10", "eleven": "11", "twelve": "12",
}  # fmt: skip
_NEGATIONS = frozenset(
    ("not", "no", "never", "none", "nobody", "nothing", "without", "neither", "nor", "cannot")
)
_GREETINGS = frozenset(("hey", "hi", "hello", "well", "oh", "so", "wow", "yes", "yeah", "thanks", "please"))
# Words that may differ without much of a difference: what is stated with them is said by the others.
_LIGHT = """
able absolutely actually again age ago alone already always anyway around away back become been began begin begun
best book booked btw call called came come currently daily date day days dear definitely ever every everyone exactly
exist favorite favourite feel felt finally find finish finished found gave get getting give glad go goes going gone
good got great guess happen happened happy hear heard home honestly just keep kept kind know known lately let like
liked literally little live lived lives living long look lot love made make making matter mean moment month morning
mornings moved much name named nice nowadays often once own part people person place play playing prefer preferred
pretty put quite rather really recently remember right said say see seem since soon sort start started stay still
stuff suppose sure take taken taking tell thing think thought time times today told together took truly try turn
two unfortunately usually very want wanted way week went whole will word work working year years yet
deadline deliver depart departs due leave leaves leaving fly flying flight wake wakes up each kid kids child children
family job colour color study studies studying student university learn learning learnt hike hiking broke broken
break drive driving car buy bought purchase purchased purchasing afraid scared fear terrified allergic allergy
must need needs should could would has having meet met meeting see saw visit visited join joined member
"""
_MONTHS = """
january february march april june july august september october november december
monday tuesday wednesday thursday friday saturday sunday
"""
_CALENDAR = frozenset(_MONTHS.split())


@dataclass(frozen=True, slots=True)
class Statement:
    """What is compared of a text."""

    words: frozenset[str]
    """Stems of the words that say something."""
    names: frozenset[str]
    numbers: frozenset[str]
    negated: bool
    asks: bool


@lru_cache(maxsize=8192)
def statement(text: str) -> Statement:
    """Take a text apart. Names are words with a capital inside of a sentence, and days and months."""
    stemmer = snowballstemmer.stemmer("english")
    words, names, numbers, negated = set(), set(), set(), False
    for match in _WORD.finditer(text):
        word = match.group().replace("\u2019", "'")
        lower = word.casefold().removesuffix("'s")
        number = _NUMBERS.get(lower, lower if lower[0].isdigit() else "")
        negated = negated or lower in _NEGATIONS or lower.endswith("n't")
        if number and lower != "one":
            numbers.add(number)
        elif lower in COMMON_WORDS or lower in _GREETINGS or lower in _NEGATIONS or "'" in lower:
            continue
        elif lower in _CALENDAR or (word[0].isupper() and not _begins(text, match.start())):
            names.add(lower)
        else:
            words.add(str(stemmer.stemWord(lower)))
    return Statement(
        frozenset(words), frozenset(names), frozenset(numbers), negated, text.rstrip().endswith("?")
    )


def _begins(text: str, at: int) -> bool:
    """Whether a sentence begins here."""
    before = text[:at].rstrip(" \t\n\"'(\u201c\u2018")
    return not before or before[-1] in ".!?:;\u2026-"


def say_the_same(first: str, second: str, cosine: float) -> bool:
    """Whether two texts of the same subject say the same. `cosine` is of their vectors."""
    if first.split() == second.split():
        return True
    one, other = statement(first), statement(second)
    if (
        cosine < NEAR
        or one.negated != other.negated
        or one.asks != other.asks
        or one.numbers != other.numbers
    ):
        return False
    if _strange(one, other) or _strange(other, one):
        return False
    if _heavy(one.words - other.words) and _heavy(other.words - one.words):
        return False  # each states what the other does not
    union = len(one.words | other.words)
    shared = len(one.words & other.words) / union if union else 1.0
    anchored = bool(one.names | one.numbers)
    return cosine >= VERY_NEAR or shared >= _SHARED or (anchored and bool(one.words & other.words))


@lru_cache(maxsize=1)
def _light() -> frozenset[str]:
    stemmer = snowballstemmer.stemmer("english")
    return frozenset(str(stemmer.stemWord(word)) for word in _LIGHT.split())


def _heavy(words: frozenset[str]) -> frozenset[str]:
    return words - _light()


def _strange(one: Statement, other: Statement) -> frozenset[str]:
    """Names that the other does not know, not even at the beginning of a sentence."""
    stemmer = snowballstemmer.stemmer("english")
    return frozenset(
        name for name in one.names - other.names if str(stemmer.stemWord(name)) not in other.words
    )


def near_duplicates(texts: Sequence[str], vectors: npt.NDArray[np.float32]) -> list[list[int]]:
    """Groups of two and more texts that say the same, each with its first text first; rows of one subject.

    A text joins the first group whose first text it repeats, so that no chain of small steps makes one group of
    texts that differ.
    """
    groups: dict[int, list[int]] = {}
    leaders: list[int] = []
    for start in range(0, len(texts), _BLOCK):
        block = vectors[start : start + _BLOCK]
        cosines = block @ vectors[: start + len(block)].T
        for row in range(start, start + len(block)):
            near = [leader for leader in leaders if cosines[row - start, leader] >= NEAR]
            near.sort(key=lambda leader: (-cosines[row - start, leader], leader))
            for leader in near:
                if say_the_same(texts[leader], texts[row], float(cosines[row - start, leader])):
                    groups[leader].append(row)
                    break
            else:
                leaders.append(row)
                groups[row] = [row]
    return [group for group in groups.values() if len(group) > 1]
