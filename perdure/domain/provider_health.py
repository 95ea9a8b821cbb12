"""When providers of models are not well: what calls of late say against what was usual."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum

# What is looked at, and what it is held against.
WINDOW = timedelta(minutes=15)
USUAL = timedelta(days=7)
# The same is not said again so soon.
QUIET = timedelta(hours=6)

FEWEST_CALLS = 5
FEWEST_USUAL_CALLS = 20
WORST_ERROR_RATE = 0.3
SLOW_FACTOR, SLOWEST_MS = 3.0, 5_000.0
DEAR_FACTOR, DEAR_USD = Decimal(5), Decimal(1)


class FindingKind(StrEnum):
    """What is wrong."""

    ERRORS = "errors"
    LATENCY = "latency"
    COST = "cost"


@dataclass(frozen=True)
class Calls:
    """Calls of one provider in a time. `p95_ms` is of those that answered."""

    calls: int = 0
    failed: int = 0
    p95_ms: float | None = None
    cost_usd: Decimal = Decimal(0)


@dataclass(frozen=True)
class Finding:
    """Something that is wrong with a provider, in figures."""

    provider: str
    kind: FindingKind
    seen: float
    limit: float
    calls: int

    @property
    def text(self) -> str:
        """It in a sentence."""
        minutes = int(WINDOW / timedelta(minutes=1))
        match self.kind:
            case FindingKind.ERRORS:
                return (
                    f"{self.provider} failed {self.seen:.0%} of {self.calls} calls in the last {minutes} minutes "
                    f"(told from {self.limit:.0%} on)."
                )
            case FindingKind.LATENCY:
                return (
                    f"{self.provider} took {self.seen / 1000:.1f} s for the slowest of twenty calls in the last "
                    f"{minutes} minutes (told from {self.limit / 1000:.1f} s on)."
                )
            case FindingKind.COST:
                return (
                    f"Calls of {self.provider} cost {self.seen:.2f} USD in the last {minutes} minutes "
                    f"(told from {self.limit:.2f} USD on)."
                )


def findings(provider: str, late: Calls, usual: Calls) -> Iterator[Finding]:
    """What is wrong; `usual` are the calls of the days before. With too few calls nothing is."""
    if late.calls >= FEWEST_CALLS and late.failed / late.calls >= WORST_ERROR_RATE:
        rate = late.failed / late.calls
        yield Finding(provider, FindingKind.ERRORS, rate, WORST_ERROR_RATE, late.calls)
    # Without anything to compare with, slow may be how this provider is.
    if (
        late.calls - late.failed >= FEWEST_CALLS
        and usual.calls >= FEWEST_USUAL_CALLS
        and late.p95_ms is not None
        and usual.p95_ms is not None
    ):
        limit = max(SLOWEST_MS, SLOW_FACTOR * usual.p95_ms)
        if late.p95_ms >= limit:
            yield Finding(provider, FindingKind.LATENCY, late.p95_ms, limit, late.calls)
    usual_cost = usual.cost_usd * int(WINDOW.total_seconds()) / int(USUAL.total_seconds())
    dear = max(DEAR_USD, DEAR_FACTOR * usual_cost)
    if late.cost_usd >= dear:
        yield Finding(provider, FindingKind.COST, float(late.cost_usd), float(dear), late.calls)
