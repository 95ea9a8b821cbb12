"""Memory that is free goes back to the system while a process lives."""

import asyncio

import psutil
import pytest

from perdure.free_memory import given_back


def resident_mb() -> float:
    """What this process holds."""
    return float(psutil.Process().memory_info().rss) / 2**20


async def test_what_was_freed_between_blocks_in_use_is_given_back() -> None:
    blocks = [b"x" * (60_000 + at % 2) for at in range(4_000)]  # small enough for the heap
    kept = blocks[::100]  # so that its end is in use
    full = resident_mb()
    blocks.clear()
    held = resident_mb()
    async with given_back(0.01):
        for _ in range(500):
            if resident_mb() < full - 150:
                break
            await asyncio.sleep(0.02)
        else:
            pytest.fail(f"still {resident_mb():.0f} MB")
    assert held > full - 50
    assert len(kept) == 40
