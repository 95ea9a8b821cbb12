"""How good an order is, and how sure that is."""

from collections.abc import Sequence, Set
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

MEASURES = ("recall@5", "recall@10", "recall@20", "hit@10", "MRR")
# Of questions about facts that changed.
NEWER_FIRST = "newer first"
# As deep as measures look; MRR counts an answer further down as none.
DEPTH = 20
_RESAMPLED = 2000
_SEED = 7


@dataclass(frozen=True)
class Measured:
    """A mean over questions, and the interval that holds 95 % of the means of resampled questions."""

    mean: float
    low: float
    high: float


def judged(order: Sequence[str], relevant: Set[str]) -> tuple[float, ...]:
    """The MEASURES of one question."""
    places = [place for place, item in enumerate(order[:DEPTH]) if item in relevant]
    recalls = [sum(place < depth for place in places) / len(relevant) for depth in (5, 10, 20)]
    hit = float(bool(places) and places[0] < 10)
    return (*recalls, hit, 1 / (1 + places[0]) if places else 0.0)


def newer_first(order: Sequence[str], relevant: Set[str], outdated: Set[str]) -> bool:
    """Whether what holds now is among the first ten, and nothing before it answered the question before."""
    for item in order[:10]:
        if item in relevant:
            return True
        if item in outdated:
            return False
    return False


def summarised(rows: Sequence[tuple[float, ...]], names: Sequence[str] = MEASURES) -> dict[str, Measured]:
    """Each measure over questions."""
    table = np.array(rows)
    dice = np.random.default_rng(_SEED)
    drawn = dice.integers(0, len(table), (_RESAMPLED, len(table)))
    means: npt.NDArray[np.float64] = np.stack([table[sample].mean(axis=0) for sample in drawn])
    low, high = np.percentile(means, (2.5, 97.5), axis=0)
    return {
        name: Measured(*(round(float(value), 4) for value in (table[:, n].mean(), low[n], high[n])))
        for n, name in enumerate(names)
    }
