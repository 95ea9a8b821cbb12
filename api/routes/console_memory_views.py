"""What the templates of the memory explorer are given: memories, answers and versions with their looks."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from pydantic import BaseModel

from api.routes.console_search import Piece
from api.routes.console_words import Look, words
from perdure.domain.memories import MemoryKind
from perdure.domain.recall_ranking import RecallMode
from perdure.schemas.memories import (
    MemoryRead,
    MemoryVersionRead,
    RecallHit,
    RecallOutcome,
    RelatedMemory,
    SessionRecall,
)
from perdure.schemas.search import ScoreTerm

Body = TypeVar("Body", bound=BaseModel)

KIND_LOOKS: dict[str, Look] = {
    MemoryKind.EVIDENCE: Look("Evidence", "quote", "neutral"),
    MemoryKind.FACT: Look("Fact", "check", "info"),
    MemoryKind.PREFERENCE: Look("Preference", "heart", "violet"),
    MemoryKind.EVENT: Look("Event", "calendar", "warning"),
    MemoryKind.INSIGHT: Look("Insight", "bulb", "success"),
    MemoryKind.SUMMARY: Look("Summary", "layers", "info"),
}
KIND_LABELS = {kind.value: KIND_LOOKS[kind].label for kind in MemoryKind}

# A relation from the memory that is looked at, and the other way round.
RELATION_WORDS: dict[str, tuple[str, str]] = {
    "similar": ("Similar to", "Similar to"),
    "supports": ("Supports", "Supported by"),
    "contradicts": ("Contradicts", "Contradicted by"),
    "follows": ("Follows", "Followed by"),
    "part_of": ("Of one message with", "Of one message with"),
    "mentions": ("Mentions", "Mentioned by"),
}
RELATION_TONES: dict[str, str] = {
    "similar": "info",
    "supports": "success",
    "contradicts": "danger",
    "follows": "neutral",
    "part_of": "violet",
    "mentions": "warning",
}

MODES: dict[str, str] = {
    RecallMode.HYBRID: "All that is known",
    RecallMode.DENSE: "Meaning only",
    RecallMode.KEYWORD: "Words only",
    RecallMode.FUSION: "Rank fusion",
}

_TERMS: dict[str, tuple[str, str]] = {
    "meaning": ("Meaning", "how close its meaning is to the question"),
    "meaning before": ("Meaning of the turn before", "the turn said just before it"),
    "meaning after": ("Meaning of the turn after", "the turn said just after it"),
    "words": ("Words", "how many of the telling words it holds"),
    "words before": ("Words of the turn before", "the turn said just before it"),
    "words after": ("Words of the turn after", "the turn said just after it"),
    "best neighbour": ("Better neighbour", "the better of the turns beside it"),
    "passage": ("Passage", "the turns around it"),
    "session": ("Conversation", "how good its conversation is as a whole"),
    "speaker": ("Speaker", "said by somebody whom the question names"),
    "subject": ("Subject", "about somebody whom the question names"),
    "period": ("Period", "said in, or speaking of, the time that the question names"),
    "dated": ("Date", "it says when, and the question asks when"),
    "substance": ("Substance", "how much it states"),
    "change": ("Change", "it speaks of a change, where the question asks for what holds now"),
    "newer": ("Newer", "another one says otherwise, and the newer one comes first"),
    "recency": ("Recency", "newer, where the question asks for what holds now"),
    "importance": ("Importance", "how much it matters"),
}
# Smaller parts do not show at three digits.
_LEAST_PART = 0.0005

_COMPARED = (
    "content",
    "kind",
    "valid_from",
    "valid_to",
    "expires_at",
    "confidence",
    "importance",
    "tags",
    "metadata",
)
_FIELD_NAMES = {"valid_from": "true from", "valid_to": "true until", "expires_at": "expiry"}


@dataclass(frozen=True)
class Part:
    """A part of a recall score: `share` is of the whole score, for the bar."""

    name: str
    value: float
    share: float
    detail: str
    hint: str


@dataclass(frozen=True)
class MemoryView:
    """A memory in a list or on its page."""

    memory: MemoryRead

    @property
    def look(self) -> Look:
        """Its kind as a badge."""
        return KIND_LOOKS[self.memory.kind]

    @property
    def state(self) -> Look | None:
        """What is unusual about it: a current memory that holds has no badge."""
        now = datetime.now(UTC)
        if self.memory.retired_at is not None:
            return Look("Replaced", "layers", "warning")
        if self.memory.expires_at is not None and self.memory.expires_at <= now:
            return Look("Expired", "hourglass", "neutral")
        if self.memory.valid_to is not None and self.memory.valid_to <= now:
            return Look("No longer true", "minus-circle", "warning")
        return None

    @property
    def can_change(self) -> bool:
        """Whether it can be corrected: of what was replaced, only what replaced it can."""
        return self.memory.retired_at is None

    @property
    def title(self) -> str:
        """Its beginning, for the title of its page."""
        return shortened(self.memory.content, 60)

    @property
    def people(self) -> list[str]:
        """Speaker and subject, one of them where they are the same."""
        return list(dict.fromkeys(filter(None, (self.memory.speaker, self.memory.subject))))


@dataclass(frozen=True)
class RecallView:
    """A memory that answers, as the page shows it."""

    hit: RecallHit

    @property
    def look(self) -> Look:
        """Its kind as a badge."""
        return KIND_LOOKS[self.hit.kind]

    @property
    def share(self) -> float:
        """The score as a bar, 0 to 1."""
        return min(1.0, max(0.0, self.hit.score))

    @property
    def people(self) -> list[str]:
        """Speaker and subject, one of them where they are the same."""
        return list(dict.fromkeys(filter(None, (self.hit.speaker, self.hit.subject))))

    @property
    def parts(self) -> list[Part]:
        """The parts of the score, the largest first."""
        told = [term for term in self.hit.terms if abs(term.value) >= _LEAST_PART]
        return [_part(term, self.hit.score) for term in sorted(told, key=lambda term: -term.value)]


@dataclass(frozen=True)
class RelationView:
    """What a memory is connected with."""

    number: int
    related: RelatedMemory

    @property
    def label(self) -> str:
        """How they are connected, as a beginning of a sentence."""
        return RELATION_WORDS[self.related.relation][self.related.direction == "in"]

    @property
    def tone(self) -> str:
        """The colour of its line in the drawing."""
        return RELATION_TONES[self.related.relation]

    @property
    def name(self) -> str:
        """For those who hear it."""
        said = shortened(self.related.content, 100)
        return f"{self.number}: {self.label} “{said}”"


@dataclass(frozen=True)
class MemoryVersionView:
    """A version, and what became different with it."""

    version: MemoryVersionRead
    changed: str
    changed_by: str | None
    is_current: bool

    @property
    def look(self) -> Look:
        """Its kind."""
        return KIND_LOOKS[self.version.kind]


@dataclass(frozen=True)
class Answered:
    """A question of a session, with the first memories that answered; `more` are not shown."""

    recall: SessionRecall
    hits: Sequence[tuple[MemoryView, float]]
    more: int

    @property
    def mode(self) -> str:
        """How it was ranked."""
        return MODES[self.recall.mode]

    @property
    def outcome(self) -> str:
        """In words."""
        return OUTCOMES[self.recall.outcome]


OUTCOMES: dict[str, str] = {
    RecallOutcome.FOUND: "Found",
    RecallOutcome.NOTHING_RELEVANT: "Nothing relevant",
    RecallOutcome.NOTHING_STORED: "Nothing stored",
}


def _part(term: ScoreTerm, score: float) -> Part:
    name, hint = _TERMS.get(term.name, (words(term.name), ""))
    share = min(1.0, max(0.0, term.value / score)) if score > 0 else 0.0
    return Part(name, term.value, share, f"{term.raw:.2f} of {term.weight:.3f}", hint)


def relation_views(related: Sequence[RelatedMemory], numbers: dict[str, int]) -> list[RelationView]:
    """All relations, under the numbers that the drawing has."""
    return [RelationView(numbers[item.id], item) for item in related]


def version_views(versions: Sequence[MemoryVersionRead], names: dict[str, str]) -> list[MemoryVersionView]:
    """Versions, newest first. What is said of a change stands with the version that it made."""
    older: list[MemoryVersionRead | None] = [*versions[1:], None]
    return [
        MemoryVersionView(
            version,
            changed=_changed(before, version) if before else "",
            changed_by=names.get(before.changed_by or "", before.changed_by) if before else None,
            is_current=version.retired_at is None,
        )
        for version, before in zip(versions, older, strict=True)
    ]


def reasons(versions: Sequence[MemoryVersionRead]) -> dict[int, str]:
    """Why a version was made, by its number: the one before it knows."""
    return {version.version + 1: version.reason for version in versions if version.reason}


def _changed(before: MemoryVersionRead, after: MemoryVersionRead) -> str:
    names = [name for name in _COMPARED if getattr(before, name) != getattr(after, name)]
    return ", ".join(_FIELD_NAMES.get(name, name) for name in names)


def marked(text: str, start: int, end: int) -> list[Piece]:
    """A text of which one stretch is marked."""
    start, end = max(0, start), min(len(text), end)
    pieces = [
        Piece(text[:start], marked=False),
        Piece(text[start:end], marked=True),
        Piece(text[end:], marked=False),
    ]
    return [piece for piece in pieces if piece.text]


def shortened(text: str, characters: int) -> str:
    """The beginning of a text, cut between words."""
    line = " ".join(text.split())
    if len(line) <= characters:
        return line
    return f"{line[: characters - 1].rsplit(' ', 1)[0]}…"


def given_instant(text: str) -> str | None:
    """What a field for date and time sent, as an instant in UTC; nothing for an empty one."""
    text = text.strip()
    return (text if text.endswith("Z") else f"{text}Z") if text else None


def field_instant(moment: datetime | None) -> str:
    """An instant as a field for date and time takes it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M") if moment else ""


def without_empty(model: type[Body], **values: Any) -> Body:
    """A body of what was given; empty fields are left to their defaults."""
    return model.model_validate({name: value for name, value in values.items() if value not in (None, "")})
