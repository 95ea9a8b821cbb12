"""Gives memory that is free back to the system: glibc does so by itself only at the end of its heap."""

import asyncio
import ctypes
from contextlib import AbstractAsyncContextManager

from perdure.meanwhile import meanwhile

EVERY_S = 20.0


def given_back(every_s: float = EVERY_S) -> AbstractAsyncContextManager[None]:
    """Do so now and then. A worker that has embedded a while holds 70 MB less; elsewhere than on glibc, nothing."""
    return meanwhile(_forever(every_s))


async def _forever(every_s: float) -> None:
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    while trim is not None:
        await asyncio.sleep(every_s)
        await asyncio.to_thread(trim, 0)
