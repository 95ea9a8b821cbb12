"""What search and recall share: how words count, what a score is made of."""

import math
from dataclasses import dataclass

from perdure.domain.text_search import Word


@dataclass(frozen=True, slots=True)
class QueryWord:
    """A word of the query and the number of texts that hold it, counted or estimated."""

    word: Word
    chunks: float


@dataclass(frozen=True, slots=True)
class Term:
    """A part of a score."""

    name: str
    weight: float
    raw: float
    detail: str | None = None

    @property
    def value(self) -> float:
        """What it adds."""
        return self.weight * self.raw


def rarity(holding: float, texts: float) -> float:
    """Inverse document frequency; never negative."""
    holding = min(holding, texts)
    return math.log(1 + (texts - holding + 0.5) / (holding + 0.5))
