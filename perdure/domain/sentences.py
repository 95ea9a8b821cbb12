"""Where the sentences of a text begin and end."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_END = re.compile(
    r"[.!?\u2026\u3002\uff01\uff1f\u061f]+[\"'\u2019\u201d)\]]*(?=\s|$)|[\u3002\uff01\uff1f]|\n+"
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
    """The sentences in order; a full stop after an abbreviation or an initial ends none."""
    return list(_sentences(text))


def _sentences(text: str) -> Iterator[Sentence]:
    begin = 0
    for match in _END.finditer(text):
        if match.group() == "." and _ABBREVIATION.search(text, max(begin, match.start() - 8), match.start()):
            continue
        yield from _stripped(text, begin, match.end())
        begin = match.end()
    yield from _stripped(text, begin, len(text))


def _stripped(text: str, start: int, end: int) -> Iterator[Sentence]:
    found = text[start:end]
    stripped = found.strip()
    if stripped:
        start += len(found) - len(found.lstrip())
        yield Sentence(stripped, start, start + len(stripped))
