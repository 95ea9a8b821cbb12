"""What share of the answers can be trusted, and from which confidence on."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

# A target counts as met within two points; so sure must the bound on reviewed answers be.
TOLERANCE = 0.02
ASSURANCE = 0.9
# A threshold that comes out of fewer reviewed answers is chance.
ENOUGH_REVIEWED = 60
CURVE_POINTS = 50
# Above every confidence: nothing is decided automatically.
NEVER = 1.0

Basis = Literal["reviewed", "expected", "shipped"]


@dataclass(frozen=True, slots=True)
class RiskPoint:
    """Of the surest answers, this share (`coverage`) has at least the confidence `threshold`, and is so accurate."""

    coverage: float
    accuracy: float
    threshold: float


@dataclass(frozen=True, slots=True)
class Threshold:
    """From which confidence on answers are decided automatically.

    `coverage` and `accuracy` are what to expect of them; `low` is the accuracy that reviewed answers support with
    an assurance of 90 % (None without such answers). `basis` tells where it comes from: answers that people
    reviewed, the confidences of answers that nobody reviewed, or the project's own data.
    """

    value: float
    coverage: float
    accuracy: float
    low: float | None
    basis: Basis


def curve(confidences: Sequence[float], right: Sequence[bool], points: int = CURVE_POINTS) -> list[RiskPoint]:
    """Accuracy of the surest answers by their share, the surest first; answers of equal confidence stay together."""
    if not confidences:
        return []
    sure, hits = _surest_first(confidences, right)
    ends = np.flatnonzero(np.append(np.diff(sure) != 0, True)) + 1
    chosen = ends[np.unique(np.linspace(0, len(ends) - 1, min(points, len(ends))).round().astype(int))]
    counted = np.cumsum(hits)
    return [
        RiskPoint(int(n) / len(sure), float(counted[n - 1] / n), float(sure[n - 1])) for n in chosen.tolist()
    ]


def threshold_for(
    target: float,
    *,
    reviewed: Sequence[tuple[float, bool]] = (),
    unreviewed: Sequence[float] = (),
    shipped: Sequence[tuple[float, float]] = (),
) -> Threshold:
    """The lowest threshold at which the answers above it are right as often as `target` says.

    With enough reviewed answers (confidence, right) it is theirs: the share that was right reaches the target, and its
    lower bound (Clopper-Pearson) the target less two points. Where they are too few to show that, or there are none,
    it rests on the confidences of unreviewed answers, which are calibrated: their mean above the threshold is what to
    expect, unless the reviewed answers above it say that it is less. Without either, on the distribution that
    `shipped` gives: (confidence, share of answers).
    """
    if len(reviewed) >= ENOUGH_REVIEWED:
        found = _reviewed_threshold(target, reviewed)
        if found.value < NEVER or not len(unreviewed):
            return found
        expected = _expected_threshold(target, [(one, 1.0) for one in unreviewed], "expected")
        return _unless_contradicted(expected, target, reviewed) or found
    if len(unreviewed):
        return _expected_threshold(target, [(one, 1.0) for one in unreviewed], "expected")
    return _expected_threshold(target, shipped, "shipped")


def clopper_pearson(hits: int, total: int, assurance: float = 0.95) -> tuple[float, float]:
    """The exact two-sided interval of a share."""
    rest = (1 - assurance) / 2
    return lower_bound(hits, total, 1 - rest), 1 - lower_bound(total - hits, total, 1 - rest)


def lower_bound(hits: int, total: int, assurance: float = ASSURANCE) -> float:
    """The least share that explains so many hits: one-sided and exact (Clopper-Pearson)."""
    if hits == 0:
        return 0.0
    low, high = 0.0, hits / total
    for _ in range(40):
        middle = (low + high) / 2
        if _at_least(hits, total, middle) < 1 - assurance:
            low = middle
        else:
            high = middle
    return low


def _at_least(hits: int, total: int, share: float) -> float:
    """The probability of so many hits or more."""
    if share <= 0:
        return 0.0
    if share >= 1:
        return 1.0
    log_hit, log_miss, whole = math.log(share), math.log1p(-share), math.lgamma(total + 1)
    return math.fsum(
        math.exp(
            whole - math.lgamma(n + 1) - math.lgamma(total - n + 1) + n * log_hit + (total - n) * log_miss
        )
        for n in range(hits, total + 1)
    )


def _reviewed_threshold(target: float, reviewed: Sequence[tuple[float, bool]]) -> Threshold:
    sure, hits = _surest_first([one for one, _ in reviewed], [right for _, right in reviewed])
    counted = np.cumsum(hits)
    ends = (np.flatnonzero(np.append(np.diff(sure) != 0, True)) + 1).tolist()
    for n in reversed(ends):
        right = int(counted[n - 1])
        # The bound reaches a share when so many hits would be rare at that share.
        if right / n >= target and _at_least(right, n, target - TOLERANCE) <= 1 - ASSURANCE:
            return Threshold(float(sure[n - 1]), n / len(sure), right / n, lower_bound(right, n), "reviewed")
    return Threshold(NEVER, 0.0, target, None, "reviewed")


def _unless_contradicted(
    expected: Threshold, target: float, reviewed: Sequence[tuple[float, bool]]
) -> Threshold | None:
    above = [right for sure, right in reviewed if sure >= expected.value]
    if not above:
        return expected
    if 1 - lower_bound(len(above) - sum(above), len(above)) < target:
        return None
    return replace(expected, low=lower_bound(sum(above), len(above)))


def _expected_threshold(target: float, shares: Sequence[tuple[float, float]], basis: Basis) -> Threshold:
    ordered = sorted(shares, reverse=True)
    total = math.fsum(share for _, share in ordered)
    best = Threshold(NEVER, 0.0, target, None, basis)
    mass = expected = 0.0
    for place, (sure, share) in enumerate(ordered):
        mass += share
        expected += sure * share
        if place + 1 < len(ordered) and ordered[place + 1][0] == sure:
            continue
        if expected < target * mass:
            break
        best = Threshold(sure, mass / total, expected / mass, None, basis)
    return best


def _surest_first(
    confidences: Sequence[float], right: Sequence[bool]
) -> tuple[np.ndarray[tuple[int], np.dtype[np.float64]], np.ndarray[tuple[int], np.dtype[np.int64]]]:
    sure, hits = np.asarray(confidences, dtype=np.float64), np.asarray(right, dtype=np.int64)
    order = np.argsort(-sure, kind="stable")
    return sure[order], hits[order]
