"""The weights of the softmax, learnt on features that no sentence had a part in making."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from perdure.domain.sentiment import FEELINGS, Feeling
from perdure.domain.sentiment_weights import Weights
from perdure.providers.described_sentiment import DescribedSentiment

Numbers = npt.NDArray[np.float64]
Told = Sequence[tuple[Feeling, str]]
_PARTS = 10
_STEPS = 4_000
_RATE = 0.5


def held_out_features(judge: DescribedSentiment, told: Told, *, english: bool) -> Numbers:
    """Features of each sentence along directions that were learnt from the other nine tenths."""
    parts = _parts(len(told))
    rows: list[Numbers] = [np.zeros(0)] * len(told)
    for part in range(_PARTS):
        directions = judge.directions([one for at, one in enumerate(told) if parts[at] != part])
        inside = [at for at in range(len(told)) if parts[at] == part]
        found = judge.features([told[at][1] for at in inside], np.full(len(inside), english), directions)
        for at, row in zip(inside, found, strict=True):
            rows[at] = row
    return np.stack(rows)


def learnt_weights(rows: Numbers, feelings: Sequence[Feeling], ridge: float) -> Weights:
    """Softmax regression on standardised features, held to zero, by gradient descent."""
    spread = rows.std(axis=0)
    spread[spread < 1e-9] = 1.0
    scaled = rows / spread
    wanted = np.array([[float(feeling is one) for one in FEELINGS] for feeling in feelings])
    weights = np.zeros((len(FEELINGS), rows.shape[1]))
    for _ in range(_STEPS):
        logits = scaled @ weights.T
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        chance = powers / powers.sum(axis=1, keepdims=True)
        gradient = (chance - wanted).T @ scaled / len(rows) + ridge * weights
        weights -= _RATE * gradient
    return tuple(tuple(round(float(one), 4) for one in row) for row in weights / spread)


def crossed(rows: Numbers, feelings: Sequence[Feeling], ridge: float) -> list[Weights]:
    """Weights for each sentence that were learnt without it."""
    parts = _parts(len(rows))
    by_part = []
    for part in range(_PARTS):
        others = [at for at in range(len(rows)) if parts[at] != part]
        by_part.append(learnt_weights(rows[others], [feelings[at] for at in others], ridge))
    return [by_part[part] for part in parts]


def _parts(count: int) -> npt.NDArray[np.int64]:
    return np.random.default_rng(20).permutation(count) % _PARTS
