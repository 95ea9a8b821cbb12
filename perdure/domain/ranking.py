"""How well a passage answers a query: pure arithmetic on what the index found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from perdure.domain.ranking_weights import (
    CONTEXT_WEIGHT,
    K1,
    MEANING_WEIGHT,
    PLACE_MENTIONS,
    USUAL_TOKENS,
    WORDS_WEIGHT,
    B,
)
from perdure.domain.relevance import QueryWord, Term, rarity


@dataclass(frozen=True, slots=True)
class Candidate:
    """A passage that the index offers. `mentions` are by lexeme; `place_mentions` in title and headings."""

    chunk_id: str
    document_id: str
    ordinal: int
    token_count: int
    cosine: float | None = None
    mentions: Mapping[str, int] = field(default_factory=dict)
    place_mentions: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Ranked:
    """A passage with its score, which is the sum of its terms."""

    candidate: Candidate
    score: float
    terms: tuple[Term, ...]


@dataclass(frozen=True, slots=True)
class _Base:
    """What a passage scores by itself."""

    candidate: Candidate
    score: float
    meaning: float
    by_words: float


class Ranking:
    """Scores candidates for one query.

    `words` are the query's, `chunks` and `mean_tokens` describe the spaces; the weights say which parts count.
    Neighbours are looked for among the candidates.
    """

    def __init__(
        self,
        words: Sequence[QueryWord],
        chunks: int,
        mean_tokens: float,
        meaning: float = MEANING_WEIGHT,
        by_words: float = WORDS_WEIGHT,
        context: float = CONTEXT_WEIGHT,
    ) -> None:
        self._words = [(word.word.lexemes, rarity(word.chunks, chunks)) for word in words if word.chunks > 0]
        self._most = sum(rare for _, rare in self._words) * (K1 + 1)
        self._mean_tokens = mean_tokens or USUAL_TOKENS
        # A query of stop words alone has no words to look for, so meaning decides by itself.
        self._by_words = by_words / (meaning + by_words) if self._words or not meaning else 0.0
        self._meaning = 1 - self._by_words if meaning else 0.0
        self._context = context

    def rank(self, candidates: Sequence[Candidate], limit: int | None = None) -> list[Ranked]:
        """Best first; of equal scores, by document and place in it, so that the order is always the same."""
        bases = [self._base(candidate) for candidate in candidates]
        at = {(base.candidate.document_id, base.candidate.ordinal): base.score for base in bases}
        scored = [(self._in_context(base, at), base) for base in bases]
        scored.sort(key=lambda item: _order(*item))
        return [
            Ranked(base.candidate, score, self._terms(base, self._neighbour(base, at)))
            for score, base in scored[:limit]
        ]

    def _base(self, candidate: Candidate) -> _Base:
        meaning = max(0.0, min(1.0, candidate.cosine or 0.0)) if self._meaning else 0.0
        by_words = self._share_of_words(candidate) if self._by_words else 0.0
        return _Base(candidate, self._meaning * meaning + self._by_words * by_words, meaning, by_words)

    def _share_of_words(self, candidate: Candidate) -> float:
        """BM25 as a share of what a passage made of nothing but these words could reach."""
        if not self._most:
            return 0.0
        length = K1 * (1 - B + B * candidate.token_count / self._mean_tokens)
        total = 0.0
        for lexemes, rare in self._words:
            said, placed = _mentions(candidate, lexemes)
            mentions = said + (PLACE_MENTIONS if placed else 0.0)
            if mentions:
                total += rare * mentions * (K1 + 1) / (mentions + length)
        return total / self._most

    def _neighbour(self, base: _Base, at: Mapping[tuple[str, int], float]) -> float:
        document, ordinal = base.candidate.document_id, base.candidate.ordinal
        return max(at.get((document, ordinal - 1), 0.0), at.get((document, ordinal + 1), 0.0))

    def _in_context(self, base: _Base, at: Mapping[tuple[str, int], float]) -> float:
        if not self._context:
            return round(base.score, 6)
        return round(base.score + self._context * (1 - base.score) * self._neighbour(base, at), 6)

    def _terms(self, base: _Base, neighbour: float) -> tuple[Term, ...]:
        terms = []
        if self._meaning:
            terms.append(Term("meaning", self._meaning, base.meaning))
        if self._by_words:
            terms.append(Term("words", self._by_words, base.by_words, self._found(base.candidate)))
        if self._context:
            terms.append(Term("context", self._context * (1 - base.score), neighbour))
        return tuple(terms)

    def _found(self, candidate: Candidate) -> str | None:
        """Each word of the query that the passage holds, and how often."""
        found = []
        for lexemes, _ in self._words:
            said, placed = _mentions(candidate, lexemes)
            if said or placed:
                found.append(f"{lexemes[0]} ×{said}{' + title' if placed else ''}")  # noqa: RUF001  # the sign
        return ", ".join(found) or None


def _order(score: float, base: _Base) -> tuple[float, str, int, str]:
    return (-score, base.candidate.document_id, base.candidate.ordinal, base.candidate.chunk_id)


def _mentions(candidate: Candidate, lexemes: Sequence[str]) -> tuple[int, bool]:
    said, placed = 0, False
    for lexeme in lexemes:
        said += candidate.mentions.get(lexeme, 0)
        placed = placed or lexeme in candidate.place_mentions
    return said, placed
