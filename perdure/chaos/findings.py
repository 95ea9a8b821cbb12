"""What a run found: violations with their evidence, and how long each recovery took."""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from perdure.chaos.plan import Fault, Kind

# Of activities (`workflows/policies.py`); the recovery from the death of a worker is held against it.
HEARTBEAT_TIMEOUT_S = 8.0
WORKER_TARGET_S, SERVER_TARGET_S = HEARTBEAT_TIMEOUT_S + 3.0, 5.0


@dataclass(frozen=True)
class Violation:
    """A promise that was broken, and how that shows."""

    invariant: str
    evidence: str


@dataclass
class Violations:
    """Those of one fault; the same one counts once."""

    found: list[Violation] = field(default_factory=list)

    def add(self, invariant: str, evidence: str) -> None:
        """Note one."""
        violation = Violation(invariant, evidence)
        if violation not in self.found:
            self.found.append(violation)


@dataclass(frozen=True)
class Outcome:
    """What became of one fault. Seconds are from the injection; None when nothing was left to go on with."""

    fault: Fault
    began_s: float
    lasted_s: float
    recovery_s: float | None
    interrupted: int
    operations: int
    violations: tuple[Violation, ...]
    skipped: str = ""


def percentile(values: Sequence[float], share: float) -> float | None:
    """The value below which this share lies (nearest rank); None of nothing."""
    if not values:
        return None
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def recoveries(outcomes: Sequence[Outcome], parts: Collection[str]) -> list[float]:
    """Of kills of one of these parts alone."""
    return [
        outcome.recovery_s
        for outcome in outcomes
        if outcome.fault.kind is Kind.KILL
        and len(outcome.fault.parts) == 1
        and outcome.fault.parts[0] in parts
        and outcome.recovery_s is not None
    ]
