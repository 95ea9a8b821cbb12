"""Many operations that sleep while everything dies."""

import asyncio
import time

import httpx
from sqlalchemy import text

from perdure.chaos.load import SPACE, Load, Sent, word_of
from perdure.chaos.plan import WORKERS
from perdure.chaos.reader import Reader
from perdure.chaos.stack import RunningStack

_ASLEEP_WITHIN_S = 180.0
_PAUSED = text("SELECT count(*) FROM operations WHERE status = 'paused'")


class Sleepers(Load):
    """Documents that are paused before their first step, and woken up after the death of everything."""

    def __init__(self, http: httpx.AsyncClient, salt: int, max_json_bytes: int, count: int) -> None:
        super().__init__(http, salt, max_json_bytes)
        self.count = count

    def requests(self) -> list[Sent]:
        return [
            self._single(
                number, {"json": {"text": f"Sleeper {word_of(number, self._salt)}.", "space": SPACE}}
            )
            for number in range(self.count)
        ]

    async def fall_asleep(self, stack: RunningStack, reader: Reader) -> int:
        """Accept and pause all of them while no worker runs; how many sleep once workers run again."""

        async def put_to_sleep(request: Sent) -> None:
            await self.accepted(request)
            await self.insist("POST", f"/operations/{request.operation_id}/pause")

        async with stack.frozen(WORKERS):
            self.sent = self.requests()
            await self.each(self.sent, put_to_sleep)
        deadline, asleep = time.monotonic() + _ASLEEP_WITHIN_S, 0
        while asleep < self.count and time.monotonic() < deadline:
            asleep = await self.asleep(reader)
            await asyncio.sleep(0.3)
        return asleep

    async def asleep(self, reader: Reader) -> int:
        """How many sleep now."""
        return int(await reader.value(_PAUSED))

    async def wake_up(self) -> None:
        """Resume all of them."""

        async def wake(request: Sent) -> None:
            await self.insist("POST", f"/operations/{request.operation_id}/resume")

        await self.each(self.sent, wake)
