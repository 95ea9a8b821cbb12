"""Which words of a passage answer a query: the same word, or another form of it."""

import re
from dataclasses import dataclass
from typing import Any

import snowballstemmer

_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)?")

# Too common to point at anything, in English; other languages lose little by missing here.
_COMMON_WORDS = """
a about all also an and any are as at be been but by can did do does for from had has have he her
his how i if in into is it its may me more much must my no not of on or our she should so some than
that the their them then there these they this those to up us was we were what when where which who
why will with would you your
"""
COMMON_WORDS = frozenset(_COMMON_WORDS.split())


@dataclass(frozen=True)
class Piece:
    """A stretch of text, marked or not."""

    text: str
    marked: bool


def _stem(word: str, stemmer: Any) -> str:
    folded = word.casefold().replace("\u2019", "'").removesuffix("'s")
    return str(stemmer.stemWord(folded))


def query_stems(query: str, language: str = "english") -> frozenset[str]:
    """Stems of the words of a query that say something; of all its words when none does."""
    stemmer = snowballstemmer.stemmer(language)
    found = _WORD.findall(query)
    telling = [word for word in found if word.casefold() not in COMMON_WORDS] or found
    return frozenset(_stem(word, stemmer) for word in telling)


def highlight(text: str, query: str, language: str = "english") -> list[Piece]:
    """Cut a passage into pieces, those that answer the query marked; joined they are the passage."""
    wanted = query_stems(query, language)
    stemmer = snowballstemmer.stemmer(language)
    pieces: list[Piece] = []
    end = 0
    for match in _WORD.finditer(text):
        if _stem(match.group(), stemmer) not in wanted:
            continue
        if match.start() > end:
            pieces.append(Piece(text[end : match.start()], marked=False))
        pieces.append(Piece(match.group(), marked=True))
        end = match.end()
    if end < len(text):
        pieces.append(Piece(text[end:], marked=False))
    return pieces
