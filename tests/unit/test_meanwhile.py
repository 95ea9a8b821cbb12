import asyncio
import logging

import pytest

from perdure.meanwhile import meanwhile


async def test_it_goes_on_beside_the_block_and_has_ended_after_it() -> None:
    began, ended = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with meanwhile(work()):
        await began.wait()
        assert not ended.is_set()
    assert ended.is_set()


async def test_an_error_of_the_block_is_not_hidden() -> None:
    with pytest.raises(KeyError):
        async with meanwhile(asyncio.sleep(60)):
            raise KeyError("block")


async def test_what_ended_it_earlier_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def work() -> None:
        raise ValueError("out of paper")

    with caplog.at_level(logging.ERROR):
        async with meanwhile(work()):
            await asyncio.sleep(0)
    assert "out of paper" in caplog.text
