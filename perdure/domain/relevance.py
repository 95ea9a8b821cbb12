"""What search and recall share: how words count, what a score is made of."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from perdure.domain.text_search import Word

# How much of what its words tell a text must hold to have to do with a query.
_HOLDS = 0.5


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


def is_relevant(words: Sequence[QueryWord], texts: float, mentions: Iterable[Mapping[str, int]]) -> bool:
    """Whether one of the texts holds half of what the words tell, or words that no text would hold by chance.

    By chance, `texts` times the share of texts with each of the words hold them all; less than one is none.
    """
    told = [(word.word.lexemes, rarity(word.chunks, texts)) for word in words]
    enough = min(_HOLDS * sum(weight for _, weight in told), math.log(max(texts, 2.0)))
    return any(
        sum(weight for lexemes, weight in told if any(lexeme in said for lexeme in lexemes)) >= enough
        for said in mentions
        if said
    )
