"""Which sentences of a text speak most for the label that was chosen."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from perdure.domain.sentences import Sentence, sentences

# More sentences of a text are not embedded to find evidence.
MOST_SENTENCES = 64
# Shorter ones say nothing by themselves: "Yes.", "Page 3".
_SHORTEST = 20
_LONGEST = 1_000

Vector = npt.NDArray[np.float32]
Matrix = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Passage:
    """A sentence at `[start, end)` of the text; `score` is its cosine with the label."""

    text: str
    start: int
    end: int
    score: float


def sentences_to_compare(text: str) -> list[Sentence]:
    """The sentences to embed: those that say something, of a long text evenly spread over it."""
    said = sentences(text)
    telling = [one for one in said if _SHORTEST <= len(one.text) <= _LONGEST] or [
        one for one in said if len(one.text) <= _LONGEST
    ]
    if len(telling) <= MOST_SENTENCES:
        return telling
    places = np.linspace(0, len(telling) - 1, MOST_SENTENCES).round().astype(int)
    return [telling[place] for place in places]


def evidence(compared: Sequence[Sentence], vectors: Matrix, label: Vector, most: int = 3) -> list[Passage]:
    """The sentences nearest to a label, nearest first; a sentence that stands there twice is told once.

    `vectors`: (len(compared), dimension), of length 1, as `label` is.
    """
    if not compared:
        return []
    found: dict[str, Passage] = {}
    cosines = vectors @ label
    for at in np.argsort(-cosines, kind="stable"):
        one = compared[int(at)]
        found.setdefault(
            " ".join(one.text.lower().split()), Passage(one.text, one.start, one.end, float(cosines[at]))
        )
        if len(found) == most:
            break
    return list(found.values())
