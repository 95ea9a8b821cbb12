"""The weights of sentiment, learnt on features that no sentence had a part in making."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from perdure.domain.sentiment import Feeling, probabilities, side_features
from perdure.domain.sentiment_weights import Row, Weights
from perdure.providers.described_sentiment import DescribedSentiment, SentencesRead, features_of

Numbers = npt.NDArray[np.float64]
Told = Sequence[tuple[Feeling, str]]
_PARTS = 10
_STEPS = 4_000
_RATE = 0.5
_RIDGE = 0.003
_SIDED = (Feeling.POSITIVE, Feeling.NEGATIVE)
# Of sentences in reviews more take a side than of those that were written to learn from.
_KINDS = {Feeling.NEUTRAL: (1, 0.5), Feeling.MIXED: (2, 0.1)}


class Learning:
    """Sentences, each read along directions that were learnt from the other nine tenths."""

    def __init__(self, judge: DescribedSentiment, told: Told, *, english: bool) -> None:
        self._feelings = [feeling for feeling, _ in told]
        self._parts = np.random.default_rng(20).permutation(len(told)) % _PARTS
        self._read = []
        for part in range(_PARTS):
            directions = judge.directions([one for at, one in enumerate(told) if self._parts[at] != part])
            inside = [told[at][1] for at in np.flatnonzero(self._parts == part)]
            self._read.append(judge.read(inside, ["en" if english else ""] * len(inside), directions))

    def weights(self, without: int | None = None) -> Weights:
        """Learnt from all, or from all but one part."""
        parts = [part for part in range(_PARTS) if part != without]
        feelings = [self._feelings[at] for part in parts for at in np.flatnonzero(self._parts == part)]
        rows = np.concatenate([_sides(self._read[part]) for part in parts])
        sided = [at for at, feeling in enumerate(feelings) if feeling in _SIDED]
        good = np.array([feelings[at] is Feeling.POSITIVE for at in sided], dtype=np.float64)
        wanted = np.stack([good, 1 - good], axis=1)
        both = _regression(rows[sided], wanted, np.ones(len(sided)))
        side: Row = tuple(np.round(both[0] - both[1], 4).tolist())
        first = Weights(side, ((0.0,) * 8,) * 3)
        kinds = np.concatenate([features_of(self._read[part], first)[1] for part in parts])
        places = [_KINDS.get(feeling, (0, 1.0)) for feeling in feelings]
        wanted = np.eye(3)[[place for place, _ in places]]
        found = _regression(kinds, wanted, np.array([weight for _, weight in places]))
        rounded = [tuple(np.round(row, 4).tolist()) for row in found]
        return replace(first, kind=(rounded[0], rounded[1], rounded[2]))

    def crossed(self) -> tuple[Numbers, list[Feeling]]:
        """What weights that were learnt without a sentence say of it."""
        rows, feelings = [], []
        for part in range(_PARTS):
            weights = self.weights(without=part)
            rows.append(probabilities(*features_of(self._read[part], weights), weights))
            feelings += [self._feelings[at] for at in np.flatnonzero(self._parts == part)]
        return np.concatenate(rows), feelings


def _sides(read: SentencesRead) -> Numbers:
    return side_features(read.placed[: read.count], read.lexicon[: read.count])


def _regression(rows: Numbers, wanted: Numbers, importance: Numbers) -> Numbers:
    """Softmax regression on standardised features, held to zero, by gradient descent."""
    spread = rows.std(axis=0)
    spread[spread < 1e-9] = 1.0
    scaled = rows / spread
    share = (importance / importance.sum())[:, None]
    weights = np.zeros((wanted.shape[1], rows.shape[1]))
    for _ in range(_STEPS):
        logits = scaled @ weights.T
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        chance = powers / powers.sum(axis=1, keepdims=True)
        weights -= _RATE * (((chance - wanted) * share).T @ scaled + _RIDGE * weights)
    found: Numbers = weights / spread
    return found
