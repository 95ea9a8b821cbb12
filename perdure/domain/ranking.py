"""How well a passage answers a query: pure arithmetic on what the index found."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from perdure.domain.text_search import Word

# The one place of all weights.
#
# K1 and B are the values that BM25 is published and shipped with everywhere; passages are cut to like lengths,
# so B matters little. A mention in the title or a heading counts as one mention more in each passage below it.
K1 = 1.2
B = 0.75
PLACE_MENTIONS = 1.0
# Meaning and words get an equal say. Neither is tuned: both parts are brought to 0..1 on their own absolute
# scales, and bench/retrieval_quality.py compares the blend with each part and with rank fusion.
MEANING_WEIGHT = 0.5
WORDS_WEIGHT = 0.5
# A passage beside a good one is likelier to be good: an answer spans passages, and a passage may only say "it".
# The better neighbour's own score, at a fifth, closes part of the gap to 1: no passage loses by it.
CONTEXT_WEIGHT = 0.2
# Where lengths were not sampled yet.
USUAL_TOKENS = 120.0


@dataclass(frozen=True, slots=True)
class QueryWord:
    """A word of the query and the number of chunks that hold it, counted or estimated."""

    word: Word
    chunks: float


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


@dataclass(frozen=True, slots=True)
class Ranked:
    """A passage with its score, which is the sum of its terms."""

    candidate: Candidate
    score: float
    terms: tuple[Term, ...]


@dataclass(frozen=True, slots=True)
class Ranking:
    """Scores candidates for one query.

    `words` are the query's, `chunks` and `mean_tokens` describe the spaces; the weights say which parts count.
    Neighbours are looked for among the candidates.
    """

    words: Sequence[QueryWord]
    chunks: int
    mean_tokens: float
    meaning: float = MEANING_WEIGHT
    by_words: float = WORDS_WEIGHT
    context: float = CONTEXT_WEIGHT

    def rank(self, candidates: Sequence[Candidate]) -> list[Ranked]:
        """Best first; of equal scores, by document and place in it, so that the order is always the same."""
        ranked = [self._scored(candidate) for candidate in candidates]
        if self.context:
            at = {(item.candidate.document_id, item.candidate.ordinal): item.score for item in ranked}
            ranked = [self._in_context(item, at) for item in ranked]
        return sorted(
            ranked,
            key=lambda r: (-r.score, r.candidate.document_id, r.candidate.ordinal, r.candidate.chunk_id),
        )

    def _in_context(self, item: Ranked, at: Mapping[tuple[str, int], float]) -> Ranked:
        document, ordinal = item.candidate.document_id, item.candidate.ordinal
        best = max(at.get((document, ordinal - 1), 0.0), at.get((document, ordinal + 1), 0.0))
        term = Term("context", self.context * (1 - item.score), best)
        return Ranked(item.candidate, round(item.score + term.value, 6), (*item.terms, term))

    def _scored(self, candidate: Candidate) -> Ranked:
        terms = []
        known = [word for word in self.words if word.chunks > 0]
        # A query of stop words alone has no words to look for, so meaning decides by itself.
        meaning, by_words = (self.meaning, self.by_words) if known or not self.meaning else (1.0, 0.0)
        total = meaning + by_words
        if meaning:
            terms.append(Term("meaning", meaning / total, max(0.0, min(1.0, candidate.cosine or 0.0))))
        if by_words:
            raw, detail = self._by_words(candidate, known)
            terms.append(Term("words", by_words / total, raw, detail))
        return Ranked(candidate, round(sum(term.value for term in terms), 6), tuple(terms))

    def _by_words(self, candidate: Candidate, known: Sequence[QueryWord]) -> tuple[float, str | None]:
        """BM25 as a share of what a passage made of nothing but these words could reach, and what was found."""
        length = candidate.token_count / (self.mean_tokens or USUAL_TOKENS)
        total = most = 0.0
        found = []
        for word in known:
            weight = self._rarity(word.chunks)
            most += weight * (K1 + 1)
            said = sum(candidate.mentions.get(lexeme, 0) for lexeme in word.word.lexemes)
            placed = any(lexeme in candidate.place_mentions for lexeme in word.word.lexemes)
            mentions = said + (PLACE_MENTIONS if placed else 0.0)
            if mentions:
                total += weight * mentions * (K1 + 1) / (mentions + K1 * (1 - B + B * length))
                found.append(f"{word.word.lexemes[0]} ×{said}{' + title' if placed else ''}")  # noqa: RUF001
        return (total / most if most else 0.0), ", ".join(found) or None

    def _rarity(self, chunks: float) -> float:
        """Inverse document frequency; never negative."""
        chunks = min(chunks, float(self.chunks))
        return math.log(1 + (self.chunks - chunks + 0.5) / (chunks + 0.5))
