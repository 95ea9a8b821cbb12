"""Learns the numbers of `perdure.domain.classification_weights` on the sets for learning, each with equal weight."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bench.evaluation.classification.labelled_texts import (
    FOREIGN,
    MULTI_LABEL,
    LabelledSet,
    learning_sets,
)
from perdure.domain.classification import Label, Prototypes, texts_of
from perdure.domain.classification_weights import MARGIN_OFFSET, MARGIN_WEIGHT
from perdure.ports.models import Embedder

Numbers = npt.NDArray[np.float64]

_STEPS = 60
# Of the texts that stand for others: strangers, and texts whose own label was left out, a tenth each beside four.
_OTHER_SHARE = 0.125
# The set of texts with several labels says more about these than any set of texts with one.
_SEVERAL_SHARE = 2.0


@dataclass(frozen=True)
class _Likeness:
    """How near the texts of a set are to its labels, and which apply."""

    asked: LabelledSet
    texts: Numbers
    labels: Numbers
    applies: npt.NDArray[np.bool_]

    @property
    def matrix(self) -> Numbers:
        return self.texts @ self.labels.T


def learned(embedder: Embedder) -> dict[str, float]:
    """The same texts give the same numbers."""
    sets = [_likeness(one, embedder) for one in learning_sets()]
    single = [one for one in sets if one.asked.name not in (MULTI_LABEL, FOREIGN)]
    margin = _fitted([(_margins(one.matrix)[:, None], _right(one), 1.0) for one in single])
    none = _fitted([rows for one in single for rows in _none_rows(one, single)])
    several = [one for one in sets if one.asked.name != FOREIGN]
    applies = _fitted(
        [
            (
                (one.matrix - one.matrix.mean(axis=1, keepdims=True)).reshape(-1, 1),
                one.applies.ravel().astype(np.float64),
                (_SEVERAL_SHARE if one.asked.name == MULTI_LABEL else 1.0) * one.applies.shape[1],
            )
            for one in several
        ]
    )
    foreign = next(one for one in sets if one.asked.name == FOREIGN)
    return {
        "MARGIN_WEIGHT": margin[0],
        "MARGIN_OFFSET": margin[1],
        "FOREIGN_DOUBT": _doubt(foreign),
        "NONE_LIKENESS_WEIGHT": none[0],
        "NONE_LABELS_WEIGHT": none[1],
        "NONE_OFFSET": none[2],
        "APPLIES_WEIGHT": applies[0],
        "APPLIES_OFFSET": applies[1],
    }


def _likeness(asked: LabelledSet, embedder: Embedder) -> _Likeness:
    labels = [Label(name) for name in asked.labels]
    prototypes = Prototypes.of(labels, embedder.embed(texts_of(labels)))
    return _Likeness(
        asked,
        embedder.embed([one.text for one in asked.texts]).astype(np.float64),
        prototypes.matrix.astype(np.float64),
        np.array([[name in one.labels for name in asked.labels] for one in asked.texts]),
    )


def _margins(matrix: Numbers) -> Numbers:
    ordered = -np.sort(-matrix, axis=1)
    margins: Numbers = ordered[:, 0] - ordered[:, 1]
    return margins


def _right(one: _Likeness) -> Numbers:
    return one.applies[np.arange(len(one.texts)), one.matrix.argmax(axis=1)].astype(np.float64)


def _none_rows(one: _Likeness, others: Sequence[_Likeness]) -> list[tuple[Numbers, Numbers, float]]:
    own = _nearest(one.texts, one.labels)
    strange = np.concatenate([_nearest(other.texts, one.labels) for other in others if other is not one])
    left_out = np.concatenate(
        [
            _nearest(one.texts[one.applies[:, place]], np.delete(one.labels, place, axis=0))
            for place in range(len(one.labels))
        ]
    )
    return [
        (own, np.zeros(len(own)), 1.0),
        (strange, np.ones(len(strange)), _OTHER_SHARE),
        (left_out, np.ones(len(left_out)), _OTHER_SHARE),
    ]


def _nearest(texts: Numbers, labels: Numbers) -> Numbers:
    nearest = (texts @ labels.T).max(axis=1)
    return np.stack([nearest, np.full(len(nearest), math.log(len(labels)))], axis=1)


def _doubt(foreign: _Likeness) -> float:
    """By how much the log-odds of texts in other languages are too high."""
    claimed = MARGIN_WEIGHT * _margins(foreign.matrix) + MARGIN_OFFSET
    right = _right(foreign).mean()
    low, high = 0.0, 10.0
    for _ in range(40):
        doubt = (low + high) / 2
        low, high = (doubt, high) if (1 / (1 + np.exp(doubt - claimed))).mean() > right else (low, doubt)
    return round(low, 3)


def _fitted(sets: Sequence[tuple[Numbers, Numbers, float]]) -> list[float]:
    """Logistic regression by Newton's method: a weight for each feature, then the offset."""
    features = np.concatenate([np.c_[rows, np.ones(len(rows))] for rows, _, _ in sets])
    truth = np.concatenate([right for _, right, _ in sets])
    shares = np.concatenate([np.full(len(rows), 80 * share / len(rows)) for rows, _, share in sets])
    found = np.zeros(features.shape[1])
    for _ in range(_STEPS):
        chance = 1 / (1 + np.exp(-np.clip(features @ found, -30, 30)))
        gradient = features.T @ (shares * (chance - truth))
        curvature = (features * (shares * chance * (1 - chance))[:, None]).T @ features
        found -= np.linalg.solve(curvature + 1e-6 * np.eye(len(found)), gradient)
    return [round(float(one), 3) for one in found]
