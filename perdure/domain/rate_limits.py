"""How many requests a caller may send: a quota that refills evenly, so that there is no window to wait for.

The rule is the generic cell rate algorithm. Each request books one interval of time, behind what is booked already,
and nobody may be booked further ahead than the length of the window: a rested caller may send a whole quota at once.
Everything is whole microseconds, so that Python, SQL and Lua come to the same result.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from perdure.errors import ConfigurationError

WINDOW = timedelta(minutes=1)
_MICROSECOND = timedelta(microseconds=1)


class RouteClass(StrEnum):
    """What a request asks for. `AUTH` and `OPEN` are counted by address, the others by caller."""

    READ = "read"
    WRITE = "write"
    SEARCH = "search"
    UPLOAD = "upload"
    AUTH = "auth"
    OPEN = "open"
    DECODE = "decode"


# Well above what one API process can answer to one caller: they stop a runaway, and leave batches alone.
PER_MINUTE: Mapping[RouteClass, int] = {
    RouteClass.READ: 12_000,
    RouteClass.WRITE: 6_000,
    RouteClass.SEARCH: 6_000,
    RouteClass.UPLOAD: 12_000,
    RouteClass.AUTH: 600,
    RouteClass.OPEN: 3_000,
    # The Temporal UI asks once for each payload of a history that it shows.
    RouteClass.DECODE: 3_000,
}


@dataclass(frozen=True)
class RatePolicy:
    """`quota` requests in `window`, evenly; as many at once after a rest."""

    name: str
    quota: int
    window: timedelta = WINDOW

    @property
    def interval_us(self) -> int:
        """What one request books."""
        return max(1, self.window // _MICROSECOND // self.quota)

    @property
    def capacity_us(self) -> int:
        """How far ahead may be booked."""
        return self.interval_us * self.quota


@dataclass(frozen=True)
class Verdict:
    """Whether a request passes, and what is left. `wait` is the time until the quota is whole again, or, refused,
    until the next request passes."""

    policy: RatePolicy
    allowed: bool
    booked_until_us: int
    remaining: int
    wait: timedelta


def judge(policy: RatePolicy, booked_until_us: int, now_us: int) -> Verdict:
    """Book one request for a caller who is booked until then. What is refused books nothing."""
    booked = max(booked_until_us, now_us) + policy.interval_us
    ahead, capacity = booked - now_us, policy.capacity_us
    if ahead > capacity:
        return Verdict(policy, False, booked_until_us, 0, (ahead - capacity) * _MICROSECOND)
    return Verdict(policy, True, booked, (capacity - ahead) // policy.interval_us, ahead * _MICROSECOND)


def policies_of(setting: str) -> dict[RouteClass, RatePolicy]:
    """Read `class=requests per minute, …`; a class that is not named keeps its default, 0 takes its limit away."""
    quotas = dict(PER_MINUTE)
    for entry in filter(None, (one.strip() for one in setting.split(","))):
        name, _, number = (part.strip() for part in entry.partition("="))
        if name not in set(RouteClass) or not (number.isascii() and number.isdigit()):
            detail = (
                f"PERDURE_RATE_LIMITS holds {entry!r}; write `class=requests per minute`, with a class out of "
                f"{', '.join(RouteClass)}, separated by commas."
            )
            raise ConfigurationError(detail)
        quotas[RouteClass(name)] = int(number)
    return {kind: RatePolicy(kind.value, quota) for kind, quota in quotas.items() if quota}
