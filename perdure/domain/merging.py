"""When one of two memories of the same subject is enough, and which of them stays."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from perdure.domain.memories import MemoryKind
from perdure.domain.near_duplicates import say_the_same, statement
from perdure.domain.time_words import time_words

# Of a shorter statement, "Yes." for example, nobody can say that it is the same again.
_LEAST_WORDS = 2
_DRAWN = (MemoryKind.INSIGHT, MemoryKind.SUMMARY)


class Told(Protocol):
    """What is looked at of a memory."""

    @property
    def content(self) -> str: ...
    @property
    def speaker(self) -> str | None: ...
    @property
    def kind(self) -> str: ...
    @property
    def valid_from(self) -> datetime: ...
    @property
    def valid_to(self) -> datetime | None: ...
    @property
    def expires_at(self) -> datetime | None: ...
    @property
    def document_id(self) -> str | None: ...
    @property
    def tags(self) -> Sequence[str]: ...
    @property
    def metadata(self) -> Mapping[str, Any]: ...


def repeats(later: Told, earlier: Told, cosine: float) -> bool:
    """Whether the later of two memories says nothing that the earlier one does not. `cosine` is of their vectors.

    Who says it, and until when it is to be kept or holds, belongs to what is said; so do tags and metadata, by which
    it may be looked for. "Today" of two days are two days. A passage stays as long as its document.
    """
    if later.kind in _DRAWN or later.document_id is not None or earlier.document_id is not None:
        return False
    if (later.kind, later.speaker, later.expires_at, later.valid_to) != (
        earlier.kind,
        earlier.speaker,
        earlier.expires_at,
        earlier.valid_to,
    ):
        return False
    if not set(later.tags) <= set(earlier.tags) or not later.metadata.items() <= earlier.metadata.items():
        return False
    told = statement(later.content)
    if told.asks or len(told.words) + len(told.names) + len(told.numbers) < _LEAST_WORDS:
        return False
    if not say_the_same(earlier.content, later.content, cosine):
        return False
    return later.valid_from.date() == earlier.valid_from.date() or not (
        time_words(later.content, later.valid_from) or time_words(earlier.content, earlier.valid_from)
    )
