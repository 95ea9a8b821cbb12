"""What is due at once is done while the reconciler looks at all that is open, however long that takes."""

import asyncio
from datetime import timedelta
from typing import Any, cast

import pytest

from api.approvals import Approvals
from api.reconciler import Reconciler, rest_after
from perdure.errors import UnavailableError
from perdure.settings import Settings

NOTHING = cast("Any", None)


class Following(Approvals):
    """Comes to no end with the requests that are open."""

    def __init__(self) -> None:
        super().__init__(NOTHING, NOTHING, NOTHING, b"a secret of nobody's")

    async def follow(self) -> None:
        await asyncio.Event().wait()

    async def follow_members(self) -> None:
        await asyncio.Event().wait()


class Rounds(Reconciler):
    """Counts rounds; what looks at everything comes to no end."""

    def __init__(self, *faults: Exception) -> None:
        settings = Settings(reconcile_interval_s=0.001)
        super().__init__(NOTHING, NOTHING, NOTHING, settings, Following())
        self._faults = list(faults)
        self.looked = set[bool]()
        self.rounds = asyncio.Semaphore(0)

    async def tick(self) -> None:
        if self._faults:
            raise self._faults.pop()
        self.rounds.release()

    async def _look_at_open(self, *, is_listed: bool) -> None:
        self.looked.add(is_listed)
        await asyncio.Event().wait()

    async def until(self, rounds: int) -> None:
        """Until so many rounds were gone."""
        task = asyncio.create_task(self.run())
        try:
            async with asyncio.timeout(30):
                for _ in range(rounds):
                    await self.rounds.acquire()
        finally:
            task.cancel()
            await asyncio.wait([task])


async def test_rounds_go_on_while_everything_is_looked_at() -> None:
    reconciler = Rounds()
    await reconciler.until(3)
    assert reconciler.looked == {False, True}


@pytest.mark.parametrize("fault", [UnavailableError("Temporal is away"), ValueError("nobody expected this")])
async def test_outages_and_faults_are_outlived(monkeypatch: pytest.MonkeyPatch, fault: Exception) -> None:
    monkeypatch.setattr("api.reconciler.POISONED_FOR", timedelta(milliseconds=1))
    await Rounds(fault).until(1)


@pytest.mark.parametrize(
    ("took_s", "rests", "rest_s"),
    [
        (0.01, 20, 3.0),
        (0.6, 20, 12.0),
        (3_600.0, 20, 60.0),  # frozen for an hour meanwhile
        (0.6, 0, 3.0),
    ],
)
def test_a_look_at_everything_rests_by_what_it_took(took_s: float, rests: int, rest_s: float) -> None:
    assert rest_after(took_s, 3.0, rests) == rest_s
