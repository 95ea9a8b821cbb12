"""Answers without a model: the sentences of the sources that say most about a question."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from perdure.domain.highlighting import query_stems
from perdure.domain.relevance import rarity
from perdure.domain.sentences import sentences

# A sentence that shares less than this part of what the question asks for does not answer it.
_ENOUGH = 0.3
# One that says half as much as the best is not worth reading.
_BESIDE_BEST = 0.5


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Characters `[start, end)` of the source of that number."""

    source: int
    start: int
    end: int
    text: str
    share: float
    """How much of what the question asks for stands in it, 0 to 1."""


def excerpts(question: str, sources: Sequence[str], most: int) -> list[Excerpt]:
    """The sentences that answer, at most `most`, in the order of the sources; none when none does."""
    wanted = query_stems(question)
    found = [
        (number, sentence, query_stems(sentence.text) & wanted)
        for number, source in enumerate(sources)
        for sentence in sentences(source)
        if not sentence.asks
    ]
    holding = Counter(stem for _, _, stems in found for stem in stems)
    # What no sentence holds is asked for all the same.
    weights = {stem: rarity(max(1, holding[stem]), len(found)) for stem in wanted}
    total = sum(weights.values())
    if not total:
        return []
    scored = sorted(
        (
            Excerpt(
                number,
                sentence.start,
                sentence.end,
                sentence.text,
                sum(weights[stem] for stem in stems) / total,
            )
            for number, sentence, stems in found
        ),
        key=lambda one: (-one.share, one.source, one.start),
    )
    best: dict[str, Excerpt] = {}
    for one in scored:
        if one.share >= max(_ENOUGH, _BESIDE_BEST * scored[0].share):
            best.setdefault(one.text.casefold(), one)
    return sorted(list(best.values())[:most], key=lambda one: (one.source, one.start))
