"""Weights from questions with known answers: a logistic model that is asked to tell each answer from all the rest."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from perdure.domain.recall_ranking import Numbers

# How much evidence it takes to leave the untuned blend: with few examples, its weights stay.
PENALTY = 0.03
_STEPS = 400
_RATE = 0.2
# How sharply untuned scores decide; the first guess of their scale.
_SCALE = 20.0
# Of each question, so many of the strongest candidates are told apart from its answers.
_STRONGEST = 80

Example = tuple[Mapping[str, Numbers], Numbers]


def learn(
    examples: Sequence[Example],
    untuned: Mapping[str, float],
    shares: Sequence[float] | None = None,
    penalty: float = PENALTY,
) -> dict[str, float]:
    """Weights, none negative, that sum to 1. An example is the features of candidates and which are answers.

    None may be negative because each feature says something for a memory; what data say against that is chance,
    or a habit of these data alone. `shares` say how much each example counts.
    """
    names = list(untuned)
    start = np.array([untuned[name] for name in names]) * _SCALE
    counts = shares or [1.0] * len(examples)
    tables = []
    for (found, answers), share in zip(examples, counts, strict=True):
        table, wanted = np.stack([found[name] for name in names], axis=1), answers > 0
        if wanted.any() and not wanted.all():
            strong = np.argsort(-(table @ start))[:_STRONGEST]
            kept = np.union1d(strong, np.flatnonzero(wanted))
            tables.append((table[kept], wanted[kept], share))
    total = sum(share for _, _, share in tables)
    weights, mean, square = start.copy(), np.zeros(len(names)), np.zeros(len(names))
    for step in range(1, _STEPS + 1):
        gradient = penalty * (weights - start)
        for table, right, share in tables:
            gradient = gradient + _gradient(table, right, weights) * (share / total)
        mean, square = 0.9 * mean + 0.1 * gradient, 0.999 * square + 0.001 * gradient**2
        moved = (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.999**step)) + 1e-8)
        weights = np.maximum(0.0, weights - _RATE * (1 - step / _STEPS) * moved)
    parts = weights / weights.sum()
    return {name: round(float(part), 4) for name, part in zip(names, parts, strict=True)}


def _gradient(table: Numbers, answers: npt.NDArray[np.bool_], weights: Numbers) -> Numbers:
    """Of minus the log of each answer's share against all that are no answers, by the weights."""
    scores = table @ weights
    powers = np.exp(scores - scores.max())
    others, rest = table[~answers], powers[~answers]
    total, weighted = rest.sum(), rest @ others
    rows, own = table[answers], powers[answers][:, None]
    gradients = (weighted + own * rows) / (total + own) - rows
    gradient: Numbers = gradients.mean(axis=0)
    return gradient
