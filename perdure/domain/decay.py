"""How much a memory matters as time goes by: what is used stays, what nobody asks for fades."""

import math
from datetime import datetime, timedelta

# Half-lives grow with use: ten times used, a memory fades more than three times slower.
_NEVER = timedelta(days=100_000)
# A memory of medium importance (0.5) that nobody asked for is archived after somewhat more than three half-lives.
ARCHIVED_BELOW = 0.05
# Whatever it is worth, what was new or wanted so lately stays.
KEPT_FOR = timedelta(days=30)


def importance(
    now: datetime,
    base: float,
    recorded_at: datetime,
    last_accessed_at: datetime | None,
    accesses: int,
    half_life: timedelta,
) -> float:
    """From 0 to `base`: halved each half-life since it was recorded or last recalled, more slowly when recalled often.

    Never rises with `now`, never falls with accesses. Without a half-life nothing fades.
    """
    base = max(0.0, min(1.0, base))
    if half_life <= timedelta(0):
        return base
    lasting = min(half_life, _NEVER) * (1 + math.log1p(max(0, accesses)))
    left: float = 0.5 ** (_idle(now, recorded_at, last_accessed_at) / lasting)
    return round(base * left, 6)


def archived(
    now: datetime,
    current: float,
    recorded_at: datetime,
    last_accessed_at: datetime | None,
    below: float = ARCHIVED_BELOW,
) -> bool:
    """Whether a memory of this current importance has faded away; never what is new or was recalled lately."""
    return current < below and _idle(now, recorded_at, last_accessed_at) >= KEPT_FOR


def _idle(now: datetime, recorded_at: datetime, last_accessed_at: datetime | None) -> timedelta:
    last = recorded_at if last_accessed_at is None else max(recorded_at, last_accessed_at)
    return max(timedelta(0), now - last)
