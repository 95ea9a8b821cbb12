"""The two charts of a classification workflow's quality, and what a target accuracy would mean."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from api.routes.console_charts import Axis, Dot, Line, percent, plot
from api.routes.console_words import count
from perdure.schemas.classification import ReliabilityBin, RiskCoveragePoint

_SMALLEST, _GROWTH = 3.0, 9.0


@dataclass(frozen=True)
class Choice:
    """What a target means on the frozen set: which share could be decided automatically, and how well."""

    target: float
    point: RiskCoveragePoint | None

    @property
    def share(self) -> float:
        """Of all answers, 0 where no threshold reaches the target."""
        return self.point.coverage if self.point else 0.0


def choice(curve: Sequence[RiskCoveragePoint], target: float) -> Choice:
    """The largest share that reaches a target."""
    enough = [point for point in curve if point.accuracy >= target]
    return Choice(target, max(enough, key=lambda point: point.coverage, default=None))


def reliability_diagram(bins: Sequence[ReliabilityBin]) -> Markup:
    """How often answers that were so sure were right. On the diagonal, the confidence is what it says."""
    shown = [bin_ for bin_ in bins if bin_.count]
    most = max((bin_.count for bin_ in shown), default=1)
    dots = [
        Dot(
            bin_.confidence,
            bin_.accuracy,
            f"{count(bin_.count, 'answer')} of confidence {percent(bin_.confidence)}: "
            f"{percent(bin_.accuracy)} right",
            _SMALLEST + _GROWTH * math.sqrt(bin_.count / most),
        )
        for bin_ in shown
    ]
    return plot(
        "reliability",
        "Reliability",
        f"Share of right answers by confidence, in {count(len(shown), 'group')}; the table beside it has the figures.",
        x=Axis("confidence"),
        y=Axis("right"),
        lines=[
            Line([(0.0, 0.0), (1.0, 1.0)], "is-dashed"),
            Line([(bin_.confidence, bin_.accuracy) for bin_ in shown]),
        ],
        dots=dots,
    )


def risk_coverage_curve(curve: Sequence[RiskCoveragePoint], chosen: Choice | None = None) -> Markup:
    """Accuracy by the share that is decided automatically, the surest first, with the target that is chosen."""
    lowest = min((*(point.accuracy for point in curve), chosen.target if chosen else 1.0), default=0.0)
    y = _upper_part(lowest)
    lines = [Line([(point.coverage, point.accuracy) for point in curve])]
    dots = []
    if chosen:
        lines.insert(0, Line([(0.0, chosen.target), (1.0, chosen.target)], "is-target"))
    if chosen and chosen.point:
        dots.append(Dot(chosen.point.coverage, chosen.point.accuracy, _said(chosen.point), 6.0, "is-target"))
    return plot(
        "risk-coverage",
        "Risk and coverage",
        "Share of right answers by the share that is decided automatically, the surest first; "
        "the table beside it has the figures.",
        x=Axis("decided automatically"),
        y=y,
        lines=lines,
        dots=dots,
    )


def thinned(curve: Sequence[RiskCoveragePoint], most: int = 10) -> list[RiskCoveragePoint]:
    """As many points as a table beside the curve can show, evenly, the first and the last among them."""
    if len(curve) <= most:
        return list(curve)
    places = sorted({round(place * (len(curve) - 1) / (most - 1)) for place in range(most)})
    return [curve[place] for place in places]


def _upper_part(lowest: float) -> Axis:
    """The axis from a round number below the lowest accuracy: the differences are at its upper end."""
    low = next(floor for floor in (0.8, 0.6, 0.2, 0.0) if lowest >= floor)
    return Axis("right", low, 1.0, tuple(low + (1 - low) * place / 4 for place in range(5)))


def _said(point: RiskCoveragePoint) -> str:
    return (
        f"{percent(point.coverage)} decided automatically, {percent(point.accuracy)} of them right, "
        f"from a confidence of {point.threshold:.2f} on"
    )
