"""Ports of what is read out of a text besides its category."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from perdure.domain.entity_finds import EntityFound
from perdure.domain.sentiment import Sentiment


class EntityExtractor(Protocol):
    """Finds what a text names. Blocking; thread-safe."""

    def extract(
        self,
        text: str,
        *,
        region: str | None = None,
        reference: datetime | None = None,
        languages: Sequence[str] = (),
    ) -> list[EntityFound]:
        """What a text names, in order and without overlaps; `text[start:end]` is always the found text.

        `region` (ISO 3166, two letters) reads local phone numbers, dates and currency signs; `reference` is the
        document's date, against which relative dates are resolved (None: they are left out); `languages` (BCP 47)
        are those of the text (none: detected).
        """


class SentimentJudge(Protocol):
    """Judges how texts feel. Blocking; thread-safe."""

    def judge(self, texts: Sequence[str], languages: Sequence[str | None] = ()) -> list[Sentiment]:
        """One sentiment a text; long texts by their sentences. `languages` beside texts, where known."""
