"""Gives memory that is free back to the system: glibc does so by itself only at the end of its heap."""

import asyncio
import ctypes
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

EVERY_S = 20.0


@asynccontextmanager
async def given_back(every_s: float = EVERY_S) -> AsyncIterator[None]:
    """Do so now and then. A worker that has embedded a while holds 70 MB less; elsewhere than on glibc, nothing."""
    task = asyncio.create_task(_forever(every_s))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _forever(every_s: float) -> None:
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    while trim is not None:
        await asyncio.sleep(every_s)
        await asyncio.to_thread(trim, 0)
