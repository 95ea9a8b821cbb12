"""What a question to memory says besides its words: who it is about, and when."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from perdure.domain.clean_text import without_accents
from perdure.domain.time_words import Period, time_words

_WORD = re.compile(r"[^\W_]+(?:['\u2019-][^\W_]+)*")
_POSSESSIVE = re.compile(r"['\u2019]s?$")
_BRACKETS = re.compile(r"\([^)]*\)")
_TITLES = frozenset(
    ("mr", "mrs", "ms", "mx", "dr", "prof", "hon", "sir", "dame", "the", "honourable", "right")
)
# Of a name, its beginning counts when it has so many letters: "Mel" for Melanie.
_SHORTEST_NICKNAME = 3
# Words that questions are made of, and that names begin with.
_NO_NICKNAMES = frozenset(
    ("will", "may", "can", "art", "don", "has", "how", "who", "was", "are", "and", "any", "she", "her", "his")
)
# Names that are other words, too: in small letters, alone and without 's they are taken for these.
_NAMES_AND_WORDS = frozenset(
    "will may can art don mark bill rose grace faith hope joy pat sue drew jack frank rich june april august dawn guy "  # noqa: SIM905  # a list reads worse
    "gene dean miles chase hunter penny ivy lily robin iris amber violet daisy olive ginger pearl ruby max victor "
    "sandy nick rob chip skip wade grant lance pierce reed cliff dale forest heath lane brook summer autumn melody "
    "harmony charity star sky mercy major royal king duke earl baron price page young old long short love cook baker "
    "carter mason taylor hill wood woods field bell ball stone rivers moss bush".split()
)
# "the professor" is no name, whoever is called Professor F.
_ARTICLES = frozenset(("a", "an", "the", "my", "your", "his", "her", "our", "their", "this", "that"))
_ASKS_WHEN = re.compile(
    r"\b(?:when|(?:what|which) (?:date|day|month|year|time)|how (?:long|recently|often))\b",
    re.IGNORECASE,
)
_ASKS_NOW = re.compile(
    r"\b(?:now|current(?:ly)?|nowadays|these days|at present|at the moment|presently|still|any ?more|latest|newest"
    r"|most recent(?:ly)?|lately|today|as of now|by now|meanwhile|in the end|eventually|end(?:ed)? up|switch(?:ed)?"
    r"|instead|chang(?:e|ed) to|up to date)\b",
    re.IGNORECASE,
)
_ASKS_BEFORE = re.compile(
    r"\b(?:used to|before|previous(?:ly)?|former(?:ly)?|original(?:ly)?|at first|first|initially|earlier|once|back then"
    r"|in the past|formerly|no longer|old|ex|until|all the|ever)\b",
    re.IGNORECASE,
)
# In the present tense, which is used of habits and of what always was, too.
_ASKS_PRESENT = re.compile(
    r"^(?:what|who|where|which|how)\b(?!.*\b(?:did|was|were|had|when|(?:has|have)\b.*\bbeen|ever)\b)"
    r".*(?:\b(?:is|are|does|do|has|have)\b|\w['\u2019]s\b)",
    re.IGNORECASE | re.DOTALL,
)
_PRESENT = 0.15
# What holds now is told as a change, more often than not: so it is asked for as one.
_CHANGED = "I've changed it: {} Not any more, it's something new from now on."


@dataclass(frozen=True, slots=True)
class RecallQuery:
    """A question taken apart. `meaning` is what is embedded and whose words are looked for."""

    text: str
    meaning: str
    people: tuple[str, ...] = ()
    """Known speakers and subjects that are named, as they are known; in the order of the question."""
    periods: tuple[Period, ...] = ()
    asks_when: bool = False
    asks_before: bool = False
    present: float = 0.0
    """How far it asks for what holds now, rather than for what was or always is."""

    @property
    def embedded(self) -> str:
        """What is compared with memories in meaning."""
        return _CHANGED.format(self.meaning) if self.present == 1 else self.meaning


def analyse(query: str, people: Sequence[str], now: datetime) -> RecallQuery:
    """Take a question apart. `people` are the speakers and subjects of the space, `now` when it is asked."""
    named = _named(query, people)
    meaning = _without(query, [(start, end) for start, end, _ in named])
    spoken_of = tuple(dict.fromkeys(period for word in time_words(query, now) for period in word.periods))
    asks_when, asks_before = bool(_ASKS_WHEN.search(query)), bool(_ASKS_BEFORE.search(query))
    present = 0.0
    if not asks_before:
        timeless = asks_when or spoken_of or not _ASKS_PRESENT.search(query)
        present = 1.0 if _ASKS_NOW.search(query) else 0.0 if timeless else _PRESENT
    return RecallQuery(
        text=query,
        meaning=meaning if _WORD.search(meaning) else query,
        people=tuple(dict.fromkeys(person for _, _, found in named for person in found)),
        periods=spoken_of,
        asks_when=asks_when,
        asks_before=asks_before,
        present=present,
    )


class _People:
    """Known people by what they may be called."""

    def __init__(self, people: Sequence[str]) -> None:
        self.whole: dict[str, list[tuple[list[str], str]]] = {}
        self.part: dict[str, dict[str, None]] = {}
        for person in people:
            parts = _parts(person)
            if not parts:
                continue
            self.whole.setdefault(parts[0], []).append((parts, person))
            for part in parts:
                if len(part) >= _SHORTEST_NICKNAME and part.isalpha():
                    self.part.setdefault(part, {})[person] = None

    def at(self, words: Sequence[str], *, beginnings: bool = True) -> tuple[int, list[str]]:
        """How many of the words are a name, and of whom: by whole name, else by a part of it, else by its beginning."""
        whole = [
            (len(parts), who)
            for parts, who in self.whole.get(words[0], [])
            if list(words[: len(parts)]) == parts
        ]
        if whole:
            longest = max(length for length, _ in whole)
            return longest, [who for length, who in whole if length == longest]
        who = self.part.get(words[0]) or (self._beginning(words[0]) if beginnings else {})
        return (1, list(who)) if who else (0, [])

    def _beginning(self, word: str) -> dict[str, None]:
        """The one person of whose name this is the beginning."""
        if len(word) < _SHORTEST_NICKNAME or word in _NO_NICKNAMES:
            return {}
        people: dict[str, None] = {}
        for part, who in self.part.items():
            if part.startswith(word):
                people |= who
        return people if len(people) == 1 else {}


@lru_cache(maxsize=32)
def _known(people: tuple[str, ...]) -> _People:
    return _People(people)


def _named(query: str, people: Sequence[str]) -> list[tuple[int, int, list[str]]]:
    """Where people are named, and who each may be. A name has a capital, unless at most the first letter has."""
    matches = list(_WORD.finditer(query))
    words = [_bare(match.group()) for match in matches]
    capitals = sum(character.isupper() for character in query)
    cased = capitals > (query.lstrip()[:1].isupper())
    known = _known(tuple(people))
    found: list[tuple[int, int, list[str]]] = []
    at = 0
    while at < len(words):
        length = 0
        who: list[str] = []
        said = matches[at].group()
        if said[0].isupper():
            length, who = known.at(words[at:])
        elif not cased:
            length, who = known.at(words[at:], beginnings=not capitals)
            article = at > 0 and words[at - 1] in _ARTICLES
            if length == 1 and (article or (words[at] in _NAMES_AND_WORDS and said == words[at])):
                length, who = 0, []
        if who:
            found.append((matches[at].start(), matches[at + length - 1].end(), who))
        at += length or 1
    return found


def _parts(person: str) -> list[str]:
    words = [_bare(word) for word in _WORD.findall(_BRACKETS.sub(" ", person))]
    return [word for word in words if word not in _TITLES] or words


def _bare(word: str) -> str:
    """Without the possessive, capitals and accents: who asks for Jose may mean José."""
    bare = _POSSESSIVE.sub("", word).casefold()
    if bare.isascii():
        return bare
    return without_accents(bare)


def _without(text: str, spans: Iterable[tuple[int, int]]) -> str:
    """The text without some words, and without what joined them."""
    kept, end = "", 0
    for start, after in spans:
        kept += text[end:start] + "\0"
        end = after
    kept += text[end:]
    kept = re.sub(r"\0\s*(?:,|and|or|&)\s*(?=\0)", "", kept)
    kept = re.sub(r"\0+(?:['\u2019]s?)?", " ", kept)
    return re.sub(r"\s+([?.!,;:])", r"\1", re.sub(r"\s+", " ", kept)).strip(" ,;:")
