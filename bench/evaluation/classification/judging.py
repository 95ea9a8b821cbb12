"""How right, how sure and how well calibrated answers are, with 95 % intervals."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from bench.evaluation.classification.labelled_texts import LabelledSet
from perdure.domain.calibration import expected_calibration_error
from perdure.domain.classification import Label, Prototypes, Scored, scores_of_many, texts_of
from perdure.domain.risk_coverage import threshold_for
from perdure.ports.models import Embedder

_RESAMPLED = 1000
_SEED = 7
SHARES = (0.5, 0.8)
TARGETS = (0.9, 0.95)


@dataclass(frozen=True)
class Interval:
    """A figure, and where 95 % of the figures of resampled answers lie."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.2f}-{self.high:.2f})"


@dataclass(frozen=True)
class Answers:
    """Of each text: how sure the answer is, and whether it is right."""

    confidences: tuple[float, ...]
    right: tuple[bool, ...]

    def __add__(self, other: "Answers") -> "Answers":
        return Answers(self.confidences + other.confidences, self.right + other.right)

    def measures(self) -> dict[str, Interval]:
        """Accuracy, of all and of the surest, and the calibration error."""
        found = {"accuracy": self._interval(lambda _sure, right: float(right.mean()))}
        for share in SHARES:
            found[f"surest {share:.0%}"] = self._interval(_surest(share))
        found["ECE"] = self._interval(expected_calibration_error)
        return found

    def at_target(self, target: float) -> tuple[float, float]:
        """Automatic share and accuracy of it, each half judged by a threshold out of the other half's confidences."""
        order = np.random.default_rng(_SEED).permutation(len(self.right))
        sure, right = np.array(self.confidences), np.array(self.right)
        decided: list[bool] = []
        for judged, seen in ((order[::2], order[1::2]), (order[1::2], order[::2])):
            value = threshold_for(target, unreviewed=sure[seen].tolist()).value
            decided += right[judged][sure[judged] >= value].tolist()
        return len(decided) / len(right), sum(decided) / len(decided) if decided else 1.0

    def _interval(self, measure: Callable[[np.ndarray, np.ndarray], float]) -> Interval:
        sure, right = np.array(self.confidences), np.array(self.right)
        dice = np.random.default_rng(_SEED)
        drawn = [dice.integers(0, len(right), len(right)) for _ in range(_RESAMPLED)]
        low, high = np.percentile([measure(sure[one], right[one]) for one in drawn], (2.5, 97.5))
        return Interval(measure(sure, right), float(low), float(high))


def answered(
    asked: LabelledSet, embedder: Embedder, examples: int = 0, seed: int = 0, language: str | None = None
) -> Answers:
    """By label names only, or with so many examples of each label, which are not judged."""
    chosen = _examples(asked, examples, seed)
    labels = [
        Label(name, examples=tuple(asked.texts[n].text for n in chosen.get(name, ())))
        for name in asked.labels
    ]
    left_out = {n for places in chosen.values() for n in places}
    judged = [one for n, one in enumerate(asked.texts) if n not in left_out]
    scored = _scored(labels, [one.text for one in judged], embedder, language)
    return Answers(
        tuple(one.confidence for one in scored),
        tuple(one.label == text.label for one, text in zip(scored, judged, strict=True)),
    )


def applying(asked: LabelledSet, embedder: Embedder) -> tuple[Answers, float]:
    """Of texts to which several labels apply: every label of every text as an answer of its own, and the micro F1."""
    labels = [Label(name) for name in asked.labels]
    scored = _scored(labels, [one.text for one in asked.texts], embedder, multi_label=True)
    sure, right = [], []
    hits = found = wanted = 0
    for one, text in zip(scored, asked.texts, strict=True):
        said = {each.label for each in one.labels}
        hits, found, wanted = hits + len(said & text.labels), found + len(said), wanted + len(text.labels)
        sure += [each.confidence for each in one.labels]
        right += [each.label in text.labels for each in one.labels]
    return Answers(tuple(sure), tuple(right)), 2 * hits / (found + wanted)


def strangers(asked: LabelledSet, others: Sequence[LabelledSet], embedder: Embedder) -> tuple[float, float]:
    """How well `none` tells texts of other domains from the set's own: the area under the curve, and its error."""
    labels = [Label(name) for name in asked.labels]
    foreign = [text.text for other in others for text in other.texts]
    own = np.array([one.none for one in _scored(labels, [text.text for text in asked.texts], embedder)])
    strange = np.array([one.none for one in _scored(labels, foreign, embedder)])
    above = (strange[:, None] > own[None, :]).mean() + (strange[:, None] == own[None, :]).mean() / 2
    return float(above), float((own > 0.5).mean())


def _scored(
    labels: Sequence[Label],
    texts: Sequence[str],
    embedder: Embedder,
    language: str | None = None,
    *,
    multi_label: bool = False,
) -> list[Scored]:
    prototypes = Prototypes.of(labels, embedder.embed(texts_of(labels)), multi_label=multi_label)
    return scores_of_many(prototypes, embedder.embed(texts), languages=[language] * len(texts))


def _examples(asked: LabelledSet, count: int, seed: int) -> dict[str, list[int]]:
    if not count:
        return {}
    dice = np.random.default_rng(seed)
    return {
        name: dice.permutation([n for n, one in enumerate(asked.texts) if one.label == name])[:count].tolist()
        for name in asked.labels
    }


def _surest(share: float) -> Callable[[np.ndarray, np.ndarray], float]:
    def measure(sure: np.ndarray, right: np.ndarray) -> float:
        order = np.argsort(-sure, kind="stable")[: max(1, round(share * len(sure)))]
        return float(right[order].mean())

    return measure
