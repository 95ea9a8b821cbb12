"""How long calls take, one after the other."""

import time
from collections.abc import Awaitable, Callable

import numpy as np

WARM_UP = 20


async def timed(runs: int, call: Callable[[int], Awaitable[object]]) -> np.ndarray:
    """Milliseconds of each run, after some that do not count."""
    taken = []
    for run in range(WARM_UP + runs):
        started = time.perf_counter()
        await call(run)
        taken.append((time.perf_counter() - started) * 1000)
    return np.array(taken[WARM_UP:])
