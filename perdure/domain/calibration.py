"""How sure a confidence may claim to be, and how well that held."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

# Below so many reviewed answers the shipped calibration stays: two numbers fitted to fewer follow chance.
ENOUGH_ANSWERS = 30
BINS = 10
# How strongly a refit is held to the shipped calibration, in answers: so many agree with it before the first.
_PRIOR_ANSWERS = 20.0
_LARGEST_LOG_ODDS = 7.0
_STEPS = 500


@dataclass(frozen=True, slots=True)
class Calibration:
    """Log-odds of an answer to the probability that it is right: a straight line, then the logistic curve.

    The shipped one changes nothing: what `classification` calls `raw` is calibrated on the project's own data.
    `answers` is how many reviewed answers a refit has seen.
    """

    slope: float = 1.0
    intercept: float = 0.0
    answers: int = 0

    def confidence(self, raw: float) -> float:
        """The probability that an answer with these log-odds is right."""
        return logistic(self.slope * raw + self.intercept)

    @classmethod
    def fitted(cls, raws: Sequence[float], right: Sequence[bool]) -> Self:
        """Refit from reviewed answers: their `raw`, and whether a person agreed. Few of them change nothing."""
        if len(raws) < ENOUGH_ANSWERS:
            return cls()
        slope, intercept = _fitted_line(np.array(raws), np.array(right, dtype=np.float64))
        return cls(round(slope, 6), round(intercept, 6), len(raws))

    def to_json(self) -> dict[str, float | int]:
        """What a workflow's version keeps."""
        return asdict(self)

    @classmethod
    def from_json(cls, kept: Mapping[str, float | int] | None) -> Self:
        """The other way; None is the shipped one."""
        if not kept:
            return cls()
        return cls(float(kept["slope"]), float(kept["intercept"]), int(kept["answers"]))


SHIPPED = Calibration()


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Answers of like confidence: their mean confidence, the share that was right, and how many they are."""

    confidence: float
    accuracy: float
    count: int


def reliability(
    confidences: Sequence[float], right: Sequence[bool], bins: int = BINS
) -> list[ReliabilityBin]:
    """The reliability diagram: bins of equal width, those without answers left out."""
    sure, hits = np.asarray(confidences, dtype=np.float64), np.asarray(right, dtype=np.float64)
    places = np.minimum((sure * bins).astype(int), bins - 1)
    return [
        ReliabilityBin(float(sure[inside].mean()), float(hits[inside].mean()), int(inside.sum()))
        for place in range(bins)
        if (inside := places == place).any()
    ]


def expected_calibration_error(
    confidences: Sequence[float], right: Sequence[bool], bins: int = BINS
) -> float:
    """The mean distance between confidence and accuracy over the bins, weighted by how many answers they hold."""
    found = reliability(confidences, right, bins)
    total = sum(one.count for one in found)
    return sum(abs(one.confidence - one.accuracy) * one.count for one in found) / total if total else 0.0


def logistic(log_odds: float) -> float:
    """From log-odds to a probability, never quite 0 or 1."""
    held = min(max(log_odds, -_LARGEST_LOG_ODDS), _LARGEST_LOG_ODDS)
    return 1 / (1 + math.exp(-held))


def log_odds(probability: float) -> float:
    """From a probability to its log-odds, held within what `logistic` gives back."""
    least = logistic(-_LARGEST_LOG_ODDS)
    held = min(max(probability, least), 1 - least)
    return math.log(held / (1 - held))


def _fitted_line(raws: npt.NDArray[np.float64], right: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Minimise the logistic loss, kept near slope 1 and intercept 0.

    The curvature is bounded by a quarter for each answer; steps by that bound never go too far, as Newton's do.
    """
    design = np.stack([raws, np.ones_like(raws)], axis=1)
    shipped = np.array([1.0, 0.0])
    held = np.eye(2) * _PRIOR_ANSWERS / 4
    bound = design.T @ design / 4 + held
    line = shipped.copy()
    for _ in range(_STEPS):
        chance = 1 / (1 + np.exp(-np.clip(design @ line, -30, 30)))
        step = np.linalg.solve(bound, design.T @ (chance - right) + held @ (line - shipped))
        line -= step
        if np.abs(step).max() < 1e-6:
            break
    # More evidence never makes an answer less likely, whatever a few unlucky reviews say.
    return max(float(line[0]), 0.05), float(line[1])
