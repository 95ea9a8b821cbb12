"""Where the sentences of a text begin and end."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

_END = re.compile(
    r"[.!?\u2026\u3002\uff01\uff1f\u061f]+[\"'\u2019\u201d)\]]*(?=\s|$)|[\u3002\uff01\uff1f]|\n+"
)
# Shorter lines were not broken for want of room, and longer ones are paragraphs.
_NARROWEST, _WIDEST = 45, 160
# How full a line is, with the word that did not fit, of what lines of this text hold.
_FULL = 0.8
_LONGEST_WORD = 20
# Of fewer lines nobody knows what they hold.
_ENOUGH_LINES = 3
_BEGINS_LINE = re.compile(
    r"\s*(?:[-*\u2022\u2013+>|#\[]|\(?[0-9a-zA-Z]{1,3}[.)]\s|[0-9]{1,2}:[0-9]{2}|[^\W\d_][^:\n.]{0,40}:\s|\Z)"
)
_ABBREVIATION = re.compile(r"(?:^|[\s(])(?:St|Dr|Mr|Mrs|Ms|Mt|Prof|Jr|Sr|vs|e\.g|i\.e|approx|No|\w)\Z")


@dataclass(frozen=True, slots=True)
class Sentence:
    """Characters `[start, end)` of a text, without blanks around them."""

    text: str
    start: int
    end: int

    @property
    def asks(self) -> bool:
        """Whether it is a question."""
        return self.text.rstrip("\"'\u2019\u201d)] ").endswith(("?", "\uff1f", "\u061f"))


def sentences(text: str) -> list[Sentence]:
    """The sentences in order.

    A full stop after an abbreviation or an initial ends none, nor does the end of a line that is full, as those of
    letters and PDFs are, where the next one goes on.
    """
    return list(_sentences(text))


def unwrapped(text: str) -> str:
    """The text with blanks for the ends of lines that were merely full; everything stands where it stood."""
    characters = list(text)
    for at in _wrapped(text):
        characters[at] = " "
    return "".join(characters)


def _sentences(text: str) -> Iterator[Sentence]:
    begin = 0
    wrapped = _wrapped(text)
    for match in _END.finditer(text):
        if match.group() == "." and _ABBREVIATION.search(text, max(begin, match.start() - 8), match.start()):
            continue
        if match.start() in wrapped:
            continue
        yield from _stripped(text, begin, match.end())
        begin = match.end()
    yield from _stripped(text, begin, len(text))


def _wrapped(text: str) -> frozenset[int]:
    """Where a line ends only because it was full."""
    if "\n" not in text:
        return frozenset()
    lines = text.split("\n")
    inner = sorted(len(line) for line, following in pairwise(lines) if line.strip() and following.strip())
    width = inner[len(inner) * 9 // 10] if inner else 0
    is_narrow = len(inner) >= _ENOUGH_LINES and width <= _WIDEST
    found: list[int] = []
    at = -1
    for line, following in pairwise(lines):
        at += len(line) + 1
        if not _NARROWEST <= len(line) <= _WIDEST or "|" in line or _BEGINS_LINE.match(following):
            continue
        word = following.split(maxsplit=1)[0]
        is_full = is_narrow and len(line) + 1 + min(len(word), _LONGEST_WORD) >= _FULL * width
        if word[0].islower() or (is_full and (line.rstrip()[-1].isalnum() or line.rstrip()[-1] == ",")):
            found.append(at)
    return frozenset(found)


def _stripped(text: str, start: int, end: int) -> Iterator[Sentence]:
    found = text[start:end]
    stripped = found.strip()
    if stripped:
        start += len(found) - len(found.lstrip())
        yield Sentence(stripped, start, start + len(stripped))
