"""An outline of a text: sentences of it that open a topic, decide something, or say what is to be done."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class OutlineItem:
    """A sentence at `[start, end)` of the text; `at_seconds` where a transcript says when it was spoken."""

    text: str
    start: int
    end: int
    at_seconds: int | None = None
    speaker: str | None = None


@dataclass(frozen=True, slots=True)
class Outline:
    """Items in the order of the text. Found by cue words and headings: an outline, no summary in other words."""

    topics: Sequence[OutlineItem]
    decisions: Sequence[OutlineItem]
    actions: Sequence[OutlineItem]
