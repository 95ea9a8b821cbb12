"""Counts requests in memory and tells the other API processes of them in the background.

A request waits for no store: it is judged by what this process knows, and a moment later the store learns of it and
says what the others have let through. So the processes together may let through more than the quota for one such
moment, `TELL_EVERY_S`, each what it answers in that time; the store books all of it, and the caller waits for it
afterwards. While the store does not answer, each process counts for itself.
"""

import asyncio
import hashlib
import hmac
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

import structlog

from api.metrics import Metrics
from perdure.domain.rate_limits import RatePolicy, Verdict, judge
from perdure.errors import UnavailableError
from perdure.ports.rate_limits import RateStore

TELL_EVERY_S = 0.2
TIMEOUT_S = 2.0
PAUSE_S = 5.0
SWEEP_EVERY_US = 60 * 1_000_000
MAX_CALLERS = 50_000

_log = structlog.get_logger("perdure.api")


def _monotonic_us() -> int:
    return time.monotonic_ns() // 1_000


@dataclass(slots=True)
class _Count:
    """What one caller has booked under one policy, and how much of it the store does not know yet."""

    booked_until_us: int
    untold_us: int = 0


class RateLimiter:
    """One for each process. `secret` hides callers and addresses from whoever reads the store."""

    def __init__(
        self,
        store: RateStore,
        secret: bytes,
        metrics: Metrics,
        *,
        clock_us: Callable[[], int] = _monotonic_us,
        tell_every_s: float = TELL_EVERY_S,
    ) -> None:
        self._store, self._secret, self._metrics = store, secret, metrics
        self._clock_us, self._tell_every_s = clock_us, tell_every_s
        self._counts: dict[str, _Count] = {}
        self._untold: set[str] = set()
        self._telling: asyncio.Task[None] | None = None
        self._swept_at_us = clock_us()
        self._answers = True

    def admit(self, caller: str, policy: RatePolicy) -> Verdict:
        """Judge one request, and count it when it passes."""
        now, subject = self._clock_us(), f"{policy.name}:{caller}"
        count = self._counts.get(subject)
        verdict = judge(policy, count.booked_until_us if count else now, now)
        if not verdict.allowed:
            self._metrics.refused.labels(policy.name).inc()
            if self._telling is None or self._telling.done():
                return verdict
            # The store books what it is told from that moment on, which is later than it was booked here.
            return replace(verdict, wait=verdict.wait + timedelta(seconds=self._tell_every_s))
        if count is None:
            self._make_room(now)
            count = self._counts[subject] = _Count(now)
        count.booked_until_us = verdict.booked_until_us
        count.untold_us += policy.interval_us
        self._untold.add(subject)
        if self._telling is None or self._telling.done():
            self._telling = asyncio.create_task(self._tell_all())
        return verdict

    def _make_room(self, now: int) -> None:
        """Forget who has run down; under a flood of callers, everyone: the store remembers them."""
        if len(self._counts) < MAX_CALLERS:
            return
        self._counts = {
            subject: count
            for subject, count in self._counts.items()
            if count.booked_until_us > now or count.untold_us
        }
        if len(self._counts) >= MAX_CALLERS:
            self._counts.clear()
            self._untold.clear()

    async def _tell_all(self) -> None:
        """Go on until the store knows everything."""
        while self._untold:
            await asyncio.sleep(self._tell_every_s if self._answers else PAUSE_S)
            await self.tell()

    async def tell(self) -> None:
        """Tell the store what it does not know, and learn what the other processes have let through.

        What cannot be told is not kept for later: it is counted here, and by then it has run down.
        """
        asked_at = self._clock_us()
        subjects = {self._key(subject): subject for subject in self._untold}
        self._untold = set()
        untold: dict[str, int] = {}
        for key, subject in subjects.items():
            untold[key], self._counts[subject].untold_us = self._counts[subject].untold_us, 0
        if not untold:
            return
        try:
            async with asyncio.timeout(TIMEOUT_S):
                ahead = await self._store.book(untold)
                if asked_at - self._swept_at_us > SWEEP_EVERY_US:
                    self._swept_at_us = asked_at
                    await self._store.sweep()
        except (UnavailableError, TimeoutError) as error:
            self._metrics.untold.inc()
            if self._answers:
                _log.warning("rate limits are counted by each process alone", cause=str(error) or "no answer")
            self._answers = False
            return
        if not self._answers:
            _log.info("rate limits are counted together again")
        self._answers = True
        for key, us in ahead.items():
            count = self._counts.get(subjects[key])
            if count is not None:  # else it was forgotten meanwhile
                count.booked_until_us = max(count.booked_until_us, asked_at + us + count.untold_us)

    def _key(self, subject: str) -> str:
        policy, _, caller = subject.partition(":")
        return f"{policy}:{hmac.new(self._secret, caller.encode(), hashlib.sha256).hexdigest()[:32]}"

    async def aclose(self) -> None:
        """Tell what is untold, so that a restart forgets nothing, and close the store."""
        if self._telling is not None:
            self._telling.cancel()
            await asyncio.gather(self._telling, return_exceptions=True)
        await self.tell()
        await self._store.aclose()
