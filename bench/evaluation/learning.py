"""Weights from questions with known answers: a logistic model that is asked to tell each answer from all the rest."""

from collections.abc import Mapping, Sequence

import numpy as np

from perdure.domain.recall_ranking import Numbers

# Weights of features of 0 to 1; few examples of a kind must not make one large.
_PENALTY = 0.02
_STEPS = 1500
_RATE = 0.05


def learn(
    examples: Sequence[tuple[Mapping[str, Numbers], Numbers]], names: Sequence[str]
) -> dict[str, float]:
    """Weights, none negative, that sum to 1. An example is the features of candidates and which are answers.

    None may be negative because each feature says something for a memory; what the data says against that is
    chance, or a habit of these data alone.
    """
    tables = [
        (np.stack([found[name] for name in names], axis=1), answers > 0)
        for found, answers in examples
        if 0 < answers.sum() < len(answers)
    ]
    weights, mean, square = np.full(len(names), 1.0), np.zeros(len(names)), np.zeros(len(names))
    for step in range(1, _STEPS + 1):
        gradient = _PENALTY * weights
        for table, answers in tables:
            gradient = gradient + _gradient(table, answers, weights) / len(tables)
        mean, square = 0.9 * mean + 0.1 * gradient, 0.999 * square + 0.001 * gradient**2
        moved = (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.999**step)) + 1e-8)
        weights = np.maximum(0.0, weights - _RATE * moved)
    shares = weights / weights.sum()
    return {name: round(float(share), 4) for name, share in zip(names, shares, strict=True)}


def _gradient(table: Numbers, answers: np.ndarray, weights: Numbers) -> Numbers:
    """Of minus the log of each answer's share against all that are no answers, by the weights."""
    scores = table @ weights
    powers = np.exp(scores - scores.max())
    others, rest = table[~answers], powers[~answers]
    total, weighted = rest.sum(), rest @ others
    gradient = np.zeros(len(weights))
    for row, power in zip(table[answers], powers[answers], strict=True):
        gradient += (weighted + power * row) / (total + power) - row
    return gradient / answers.sum()
