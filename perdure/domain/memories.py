"""What a memory is: kinds, when two are the same, and how long input becomes several."""

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from perdure.domain.chunking import Block, Page, Tokens, chunk

_SPACE = re.compile(r"\s+")
# A text without any of these says nothing: blanks, marks and control characters.
_SAYS_SOMETHING = re.compile(r"[^\W_]|[^\x00-\u2bff]|[\u2190-\u2bff]")
# Of a sentence; the exact number is for the index, which weighs by length.
_CHARACTERS_PER_TOKEN = 4
# For whatever the subject is.
ANY_SUBJECT = "*"


class MemoryKind(StrEnum):
    """What a memory is. Evidence was said or written; everything else was drawn from it, or stated so."""

    EVIDENCE = "evidence"
    FACT = "fact"
    PREFERENCE = "preference"
    EVENT = "event"
    INSIGHT = "insight"
    SUMMARY = "summary"


class RetiredFor(StrEnum):
    """Why a memory is not current any more."""

    CORRECTED = "corrected"
    """It was never right: a newer version says what was meant."""
    SUPERSEDED = "superseded"
    """It was right until something newer."""
    DUPLICATE = "duplicate"
    """Another one says the same."""
    OUTDATED = "outdated"
    """It was drawn from memories that have changed."""
    EXPIRED = "expired"
    """It was to be kept until then."""
    ARCHIVED = "archived"
    """Nobody asked for it for long."""
    JUNK = "junk"
    """It says nothing, or what should not be kept."""
    UNDONE = "undone"
    """It was made by a change that was undone."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Characters `[start, end)` of a message."""

    text: str
    start: int
    end: int
    token_count: int


@dataclass(frozen=True)
class _Plain:
    """A text without structure, as `chunk` takes it."""

    text: str
    pages: Sequence[Page] = ()
    blocks: Sequence[Block] = ()


def says_something(text: str) -> bool:
    """Whether there is a letter, a digit or a sign such as an emoji in it."""
    return _SAYS_SOMETHING.search(text) is not None


def pieces(text: str, tokenizer: Tokens, max_tokens: int) -> list[Piece]:
    """A message as memories: itself, or, when it is long, its passages, cut between sentences where there are some."""
    found = [
        Piece(span.text, span.start, span.end, span.token_count)
        for span in chunk(_Plain(text), tokenizer, max_tokens)
    ]
    stripped = text.strip()
    start = text.find(stripped)
    return found or [Piece(stripped, start, start + len(stripped), 1)]


def estimated_tokens(text: str, most: int) -> int:
    """About how many tokens a text has that nobody has cut into them; at most `most`."""
    return min(len(text) // _CHARACTERS_PER_TOKEN + 1, most)


def embedded_text(speaker: str | None, content: str) -> str:
    """What is embedded. The speaker helps, a date would hurt: measured on dialogues."""
    return f"{speaker}: {content}" if speaker else content


def normalised(text: str) -> str:
    """Texts that differ in case, width or white space only become one."""
    return _SPACE.sub(" ", unicodedata.normalize("NFKC", text)).strip().casefold()


def fingerprint(text: str) -> str:
    """The same for the same text, whoever said it."""
    return _digest(normalised(text))


def tombstone(space_id: str, subject: str, text_fingerprint: str) -> str:
    """What stays of a forgotten text; `ANY_SUBJECT` for all subjects of the space."""
    return _digest("tombstone", space_id, subject, text_fingerprint)


@dataclass(frozen=True, slots=True)
class Said:
    """What tells two messages apart. `created_at` is as the caller wrote it; `in_dialogue` for a turn of several."""

    subject: str
    speaker: str | None
    session_id: str
    external_id: str | None
    created_at: str | None
    fingerprint: str
    in_dialogue: bool


class Identities:
    """Identities of what one request says: a second request with the same makes the same ones.

    A statement is the same wherever it stands. A turn of a dialogue is the same when its id is, else when speaker,
    session and time are; said twice in one request, it was said twice.
    """

    def __init__(self) -> None:
        self._seen: Counter[str] = Counter()

    def of(self, said: Said, piece: int) -> str:
        """Identity of one piece of a message."""
        if said.external_id is not None:
            return _digest("external", said.subject, said.external_id, str(piece))
        if not said.in_dialogue:
            return _digest("statement", said.subject, said.fingerprint)
        place = _digest(
            "turn",
            said.subject,
            said.speaker or "",
            said.session_id,
            said.created_at or "",
            said.fingerprint,
            str(piece),
        )
        self._seen[place] += 1
        return _digest(place, str(self._seen[place]))


def passage_identity(document_id: str, text: str, occurrence: int) -> str:
    """What a passage of a document is known by: the same in each version that has it, wherever it stands there."""
    return _digest("passage", document_id, text, str(occurrence))


def _digest(*parts: str) -> str:
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
