"""Whether a sentence says no more than the texts that it cites: what a model writes is believed only so far."""

import re
import unicodedata
from collections.abc import Iterator, Sequence, Set
from typing import Any

import snowballstemmer

from perdure.domain.highlighting import COMMON_WORDS

# So many of its telling words must stand in what it cites; the others are what saying it shorter takes.
_LEAST_SHARE = 0.7
# Two forms of a word that no stemmer of English knows have so much of their beginning in common.
_ALIKE, _ENDING = 4, 2
# What sentences begin with besides names; any other word with a capital that stands nowhere may be one.
_OPENERS = frozenset(
    (
        *("after", "although", "always", "before", "both", "currently", "during", "each", "every", "few"),
        *("frequently", "many", "most", "now", "occasionally", "often", "once", "one", "over", "recently"),
        *("regularly", "several", "since", "sometimes", "today", "twice", "until", "usually", "while"),
    )
)
_WORD = re.compile(r"[^\W\d_]+(?:['-][^\W\d_]+)*")
_NUMBER = re.compile(r"\d+(?:[.,:/-]\d+)*")
_NEGATION = re.compile(
    r"\b(?:not|no|never|nobody|nothing|none|neither|nor|without|cannot)\b|n't\b", re.IGNORECASE
)
# Control characters, halves of pairs, and what nobody has given a meaning.
_NO_CHARACTERS = frozenset({"Cc", "Cs", "Cn"})
# From here on, scripts write without blanks between words.
_UNSPACED = "\u2e80"


def is_supported(sentence: str, cited: Sequence[str], known: Sequence[str] = ()) -> bool:
    """Whether all numbers and names of a sentence, and most of its telling words, stand in what it cites.

    `known` are names that the sentence may use besides, such as of who speaks. Nothing is denied that no cited text
    denies. A sentence without any telling word says nothing and is not supported.
    """
    sentence, together = _folded(sentence), _folded("\n".join(cited))
    if not set(_NUMBER.findall(sentence)) <= set(_NUMBER.findall(together)):
        return False
    if _NEGATION.search(sentence) and not _NEGATION.search(together):
        return False
    stemmer = snowballstemmer.stemmer("english")
    there = {stem for _, stem in _stems(together, stemmer)}
    names = {stem for name in known for _, stem in _stems(_folded(name), stemmer)}
    telling: set[str] = set()
    for word, stem in _stems(sentence, stemmer):
        if len(word) < 2 or word.casefold() in COMMON_WORDS | _OPENERS or stem in names:
            continue
        if stem not in there and word[0].isupper():
            return False
        telling.add(stem)
    found = sum(stem in there or _is_alike(stem, there) for stem in telling)
    return bool(telling) and found >= _LEAST_SHARE * len(telling)


def readable(text: str) -> str:
    """A model's text as it may be stored: on one line, without what is no character."""
    kept = (each if unicodedata.category(each) not in _NO_CHARACTERS else " " for each in text)
    return " ".join("".join(kept).split())


def _stems(text: str, stemmer: Any) -> Iterator[tuple[str, str]]:
    """Words as they stand there, and what they are compared by."""
    for word in _WORD.findall(text):
        if word[0] >= _UNSPACED:
            yield from ((word, word[at : at + 2]) for at in range(max(len(word) - 1, 1)))
        else:
            for part in word.split("-"):
                yield part, str(stemmer.stemWord(part.casefold().removesuffix("'s")))


def _is_alike(stem: str, there: Set[str]) -> bool:
    beginning = stem[: max(len(stem) - _ENDING, _ALIKE)]
    return len(stem) >= _ALIKE and any(other.startswith(beginning) for other in there)


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).replace("\u2019", "'")
