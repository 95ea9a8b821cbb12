"""An outline of a text: sentences of it that open a topic, decide something, or say what is to be done."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

from perdure.domain.outline_cues import ACTIONS, DECIDED, DECISIONS, SUBJECT, TO_DO, TOPICS, UNDECIDED
from perdure.domain.sentences import Sentence, sentences

MOST_TOPICS, MOST_DECISIONS, MOST_ACTIONS = 20, 30, 50
# Without headings and cues, the beginnings of so many paragraphs.
_OPENINGS = 5
# What is longer is a passage without full stops.
_LONGEST = 600
_LONGEST_HEADING, _MOST_WORDS = 90, 10
_TIME = r"(?:(?P<hours%d>[0-9]{1,2}):)?(?P<minutes%d>[0-9]{1,3}):(?P<seconds%d>[0-5][0-9])(?:[.,][0-9]{1,3})?"
_SPEAKER = r"(?P<speaker%d>[^\W\d_][\w.'\u2019 -]{0,39}?)"
# [00:12:34] Ann: …, 00:12 Ann: …, Ann (00:12:34): …, Ann: …, and the times of subtitles
_SPOKEN = re.compile(
    rf"[\[(]?{_TIME % (1, 1, 1)}[\])]?(?:\s?-->\s?[0-9:.,]+)?(?:\s?[-\u2013]\s?)?\s*(?:"
    rf"{_SPEAKER % 1}\s?:(?=\s|\Z)\s*)?"
    rf"|{_SPEAKER % 2}\s?[\[(]{_TIME % (2, 2, 2)}[\])]\s?:?\s*|{_SPEAKER % 3}:\s+"
)
_BULLET = re.compile(r"(?:[-*\u2022\u2013+]|\(?[0-9a-z]{1,2}[.)])\s+")
_NUMBER = re.compile(r"(?:(?:TOP|Item)\s)?[0-9]{1,2}\.|[a-z][.)]")
_BOX = re.compile(r"(?:[-*]\s+)?\[[ xX]\]\s+")
_HEADING = re.compile(r"#{1,6}\s+(?=\S)")
_NUMBERED = re.compile(
    r"(?:(?:top|item|agenda item|punkt|point)\s)?[0-9]{1,2}(?:\.[0-9]{1,2}){0,2}[.):]?\s+(?=[^\W\d_])",
    re.IGNORECASE,
)
# Words before a colon that are no speakers.
_NO_SPEAKER = re.compile(
    r"(?:https?|note|hinweis|example|date|time|place|attendees|present|from|to|cc|sent|subject|re)\Z",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class OutlineItem:
    """A sentence at `[start, end)` of the text; `at_seconds` where a transcript says when it was spoken.

    Of a heading, `opening` is the first sentence below it.
    """

    text: str
    start: int
    end: int
    at_seconds: int | None = None
    speaker: str | None = None
    opening: str | None = None


@dataclass(frozen=True, slots=True)
class Outline:
    """Items in the order of the text. Found by cue words and headings: an outline, no summary in other words."""

    topics: Sequence[OutlineItem]
    decisions: Sequence[OutlineItem]
    actions: Sequence[OutlineItem]


@dataclass
class _Reading:
    """Where in the text the reader is: who speaks since when, and under what heading."""

    at_seconds: int | None = None
    speaker: str | None = None
    list_of: str | None = None
    is_below_heading: bool = False
    found: dict[str, list[OutlineItem]] = field(
        default_factory=lambda: {"topics": [], "decisions": [], "actions": []}
    )

    def add(self, kind: str, sentence: Sentence) -> None:
        item = OutlineItem(sentence.text, sentence.start, sentence.end, self.at_seconds, self.speaker)
        self.found[kind].append(item)

    def open(self, sentence: Sentence) -> None:
        """Take it for what the heading before it is about."""
        if self.is_below_heading and len(sentence.text) <= _LONGEST:
            topics = self.found["topics"]
            topics[-1] = replace(topics[-1], opening=" ".join(sentence.text.split()))
        self.is_below_heading = False


def outline(text: str) -> Outline:
    """Topics, decisions and actions of a text in English, German, French, Spanish, Italian, Portuguese or Dutch."""
    reading = _Reading()
    said = _numbered(text, sentences(text))
    for sentence in said:
        _read(text, sentence, reading)
    if not reading.found["topics"]:
        listed = {one.start for items in reading.found.values() for one in items}
        for sentence in _openings(text, said):
            if sentence.start in listed:
                continue
            reading.at_seconds = reading.speaker = None
            reading.add("topics", sentence)
    found = reading.found
    return Outline(
        found["topics"][:MOST_TOPICS], found["decisions"][:MOST_DECISIONS], found["actions"][:MOST_ACTIONS]
    )


def line_of(item: Mapping[str, Any]) -> str:
    """An item, as it was kept, on one line: a heading with what it is about."""
    return " ".join(": ".join(filter(None, (item["text"], item.get("opening")))).split())


def _numbered(text: str, said: Sequence[Sentence]) -> list[Sentence]:
    """The sentences, with the number of an item before what it numbers."""
    joined: list[Sentence] = []
    for sentence in said:
        number = joined[-1] if joined else None
        if number and _NUMBER.fullmatch(number.text) and "\n" not in text[number.end : sentence.start]:
            joined[-1] = Sentence(text[number.start : sentence.end], number.start, sentence.end)
        else:
            joined.append(sentence)
    return joined


def _read(text: str, sentence: Sentence, reading: _Reading) -> None:
    before = text[max(0, sentence.start - 8) : sentence.start]
    begins_line = sentence.start == 0 or "\n" in before
    in_list = reading.list_of is not None and before.count("\n") == 1 and _BULLET.match(sentence.text)
    if begins_line and not in_list and (heading := _heading(text, sentence)):
        reading.at_seconds = reading.speaker = None
        reading.list_of = _list_of(heading.text)
        reading.is_below_heading = reading.list_of is None
        if reading.is_below_heading:
            reading.add("topics", heading)
        return
    if begins_line:
        sentence = _spoken(sentence, reading)
    box = _BOX.match(sentence.text)
    bullet = _BULLET.match(sentence.text)
    if mark := box or bullet:
        sentence = _from(sentence, mark.end())
    reading.open(sentence)
    if not sentence.text or len(sentence.text) > _LONGEST:
        return
    kind = "actions" if box else (reading.list_of if bullet else None)
    if not bullet and reading.list_of and begins_line and not box:
        reading.list_of = None
    if kind is None:
        kind = _by_cue(sentence)
    if kind:
        reading.add(kind, sentence)


def _by_cue(sentence: Sentence) -> str | None:
    said = sentence.text
    before, colon, _ = said.partition(":")
    if colon and (listed := _list_of(before)):
        return listed
    if DECISIONS.search(said) and not UNDECIDED.search(said) and not sentence.asks:
        return "decisions"
    if ACTIONS.search(said):
        return "actions"
    return "topics" if TOPICS.search(said) else None


def _heading(text: str, sentence: Sentence) -> Sentence | None:
    """A heading without its marks: a subject's, Markdown's, or a short line with a number, a colon or in capitals."""
    said = sentence.text
    if mark := SUBJECT.match(said) or _HEADING.match(said):
        return _from(sentence, mark.end())
    ends_line = sentence.end >= len(text) or text[sentence.end] in "\r\n"
    words = len(said.split())
    if not ends_line or len(said) > _LONGEST_HEADING or words > _MOST_WORDS or said[-1] in ".!?,;":
        return None
    if number := _NUMBERED.match(said):
        return _from(sentence, number.end())
    if said.endswith(":") and not _BULLET.match(said):
        bare = said[:-1].rstrip()
        return Sentence(bare, sentence.start, sentence.start + len(bare)) if bare else None
    return sentence if _list_of(said) or (said.isupper() and words > 1) else None


def _list_of(heading: str) -> str | None:
    bare = heading.strip(" *_:#")
    if DECIDED.fullmatch(bare):
        return "decisions"
    return "actions" if TO_DO.fullmatch(bare) else None


def _spoken(sentence: Sentence, reading: _Reading) -> Sentence:
    """The sentence without who says it when; these are noted."""
    match = _SPOKEN.match(sentence.text)
    if match is None:
        return sentence
    speaker = match["speaker1"] or match["speaker2"] or match["speaker3"]
    if speaker and (len(speaker.split()) > 4 or _NO_SPEAKER.match(speaker) or _list_of(speaker)):
        return sentence
    for at in (1, 2):
        if match[f"seconds{at}"]:
            hours = int(match[f"hours{at}"] or 0)
            reading.at_seconds = (hours * 60 + int(match[f"minutes{at}"])) * 60 + int(match[f"seconds{at}"])
    if speaker:
        if match["speaker3"]:
            reading.at_seconds = None
        reading.speaker = speaker.strip()
    return _from(sentence, match.end())


def _from(sentence: Sentence, at: int) -> Sentence:
    rest = sentence.text[at:]
    start = sentence.start + at + len(rest) - len(rest.lstrip())
    return Sentence(rest.strip(), start, start + len(rest.strip()))


def _openings(text: str, said: Sequence[Sentence]) -> list[Sentence]:
    """The first sentences of paragraphs, spread over the text."""
    first = [
        after for before, after in pairwise([Sentence("", 0, 0), *said])
        if (not before.text or text.count("\n", before.end, after.start) > 1) and len(after.text) <= _LONGEST
    ]  # fmt: skip
    step = max(1, -(-len(first) // _OPENINGS))
    return first[::step]
