"""Stops asking a provider that fails, and finds out with single calls whether it is back.

Closed: everybody asks. After some failures in a row it opens: nobody asks for a while. Then one call goes through as
a probe (half-open): if it is answered the circuit closes, otherwise it stays open for twice as long. A probe that was
never heard of again makes way for another one.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

THRESHOLD = 5
OPEN_FOR = timedelta(seconds=15)
LONGEST = timedelta(minutes=5)
PROBE_FOR = timedelta(minutes=2)


@dataclass(frozen=True)
class Circuit:
    """Failures in a row, how often it has opened since it was last closed, and until when which holds."""

    failures: int = 0
    opened: int = 0
    open_until: datetime | None = None
    probe_until: datetime | None = None

    @property
    def is_closed(self) -> bool:
        """Whether everybody asks."""
        return self.open_until is None


CLOSED = Circuit()


@dataclass(frozen=True)
class Admission:
    """Whether a call may go through, as a probe or as any other, and what the circuit is then."""

    circuit: Circuit
    allowed: bool
    probes: bool = False
    wait: timedelta = timedelta(0)
    """Refused: until when it is not worth asking again."""


def admit(circuit: Circuit, now: datetime) -> Admission:
    """Ask to call."""
    if circuit.open_until is None:
        return Admission(circuit, allowed=True)
    if now < circuit.open_until:
        return Admission(circuit, allowed=False, wait=circuit.open_until - now)
    if circuit.probe_until is not None and now < circuit.probe_until:
        # How long the probe takes nobody knows; looking again soon costs little.
        return Admission(circuit, allowed=False, wait=min(circuit.probe_until - now, OPEN_FOR))
    return Admission(replace(circuit, probe_until=now + PROBE_FOR), allowed=True, probes=True)


def after_failure(circuit: Circuit, now: datetime) -> Circuit:
    """What a failure makes of it. One of a call that had begun before it opened changes nothing."""
    failed = circuit.failures + 1
    if circuit.open_until is None:
        if failed < THRESHOLD:
            return replace(circuit, failures=failed)
    elif circuit.probe_until is None:
        return circuit
    lasts = min(OPEN_FOR * 2 ** min(circuit.opened, 10), LONGEST)
    return Circuit(failures=failed, opened=circuit.opened + 1, open_until=now + lasts)
