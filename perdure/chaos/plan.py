"""Which faults a run injects: a pure function of seed and duration, so that a run can be repeated and resumed."""

import random
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

WORKERS = ("worker io", "worker cpu")
SERVERS = ("api", "temporal", "postgres")
PARTS = (*WORKERS, *SERVERS)
# Whose clocks can be moved: Temporal's program asks the kernel itself, and PostgreSQL's clock is the stack's.
WITH_CLOCKS = (*WORKERS, "api")
# An hour is longer than everything that is leased, and than the life of a token; half a minute, than nothing.
JUMPS_S = (-3600.0, -30.0, 30.0, 3600.0)

# What a fault with its load, recovery and checks takes on two cores.
NOMINAL = timedelta(seconds=10)


class Kind(StrEnum):
    """What is done to the parts."""

    KILL = "kill"
    KILL_AGAIN = "kill again during recovery"
    FREEZE = "freeze"
    SLOW = "slow"
    STORE_ERRORS = "object store errors"
    DISK_FULL = "disk full"
    CLOCK_JUMP = "clock jump"


@dataclass(frozen=True)
class Fault:
    """One fault: after `delay_s` of load, for `seconds` where it lasts; `salt` seeds the load beside it.

    A clock jumps by `jump_s`, and back.
    """

    number: int
    kind: Kind
    parts: tuple[str, ...]
    delay_s: float
    seconds: float
    salt: int
    jump_s: float = 0.0

    def __str__(self) -> str:
        parts = " + ".join(self.parts)
        jump = f" by {self.jump_s:+.0f} s" if self.jump_s else ""
        lasting = f" for {self.seconds:.1f} s" if self.seconds else ""
        return f"{self.kind}{': ' + parts if parts else ''}{jump}{lasting}"


_WEIGHTS = {
    Kind.KILL: 50,
    Kind.KILL_AGAIN: 12,
    Kind.FREEZE: 16,
    Kind.SLOW: 8,
    Kind.STORE_ERRORS: 7,
    Kind.DISK_FULL: 7,
    Kind.CLOCK_JUMP: 8,
}


def plan(seed: int, duration: timedelta) -> tuple[Fault, ...]:
    """The faults of a run. A longer run begins with those of a shorter one."""
    count = max(1, duration // NOMINAL)
    return tuple(_fault(seed, number) for number in range(count))


def _fault(seed: int, number: int) -> Fault:
    chance = random.Random(f"{seed}:{number}")  # noqa: S311  # a plan, no secret
    kind = chance.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0]
    delay_s = round(chance.uniform(0.05, 1.2), 2)
    parts, seconds = _target(kind, chance)
    jump_s = chance.choice(JUMPS_S) if kind is Kind.CLOCK_JUMP else 0.0
    return Fault(number, kind, parts, delay_s, round(seconds, 1), chance.getrandbits(32), jump_s)


def _target(kind: Kind, chance: random.Random) -> tuple[tuple[str, ...], float]:
    match kind:
        case Kind.KILL:
            return _some(chance), 0.0
        case Kind.KILL_AGAIN:
            return (chance.choice(PARTS),), 0.0
        case Kind.FREEZE:
            # Longer than the heartbeat time-out of workers now and then: somebody else gets their work.
            return (chance.choice(PARTS),), chance.choice((1.0, 3.0, 3.0, 12.0))
        case Kind.SLOW:
            return (chance.choice(("temporal", "postgres")),), chance.uniform(3, 6)
        case Kind.CLOCK_JUMP:
            return (chance.choice(WITH_CLOCKS),), chance.uniform(2, 5)
    return (), chance.uniform(1, 5)


def _some(chance: random.Random) -> tuple[str, ...]:
    """Mostly one part, sometimes two, seldom all together."""
    how_many = chance.choices((1, 2, len(PARTS)), (75, 18, 7))[0]
    chosen = set(chance.sample(PARTS, how_many))
    return tuple(part for part in PARTS if part in chosen)
