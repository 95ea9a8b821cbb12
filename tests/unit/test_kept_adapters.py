"""Adapters that are lent, kept and closed."""

import asyncio

import pytest

from perdure.domain.provider_keys import ProviderKey
from perdure.domain.routing import ProviderName
from perdure.providers import kept_adapters
from perdure.providers.kept_adapters import KeptAdapters

KEY = ProviderKey(ProviderName.OPENAI, "a secret")


class Connected:
    """Takes a turn of the event loop to close."""

    def __init__(self, closed: list["Connected"]) -> None:
        self._closed = closed

    async def aclose(self) -> None:
        await asyncio.sleep(0)
        self._closed.append(self)


async def test_what_is_used_again_is_not_built_again() -> None:
    closed: list[Connected] = []
    kept = KeptAdapters[Connected](private_urls=False)
    async with kept.lend(KEY, "a", lambda _: Connected(closed)) as first:
        pass
    async with kept.lend(KEY, "a", lambda _: Connected(closed)) as second:
        assert second is first
    assert closed == []
    await kept.aclose()
    assert closed == [first]


async def test_two_that_end_at_once_close_each_idle_one_once(monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[Connected] = []
    kept = KeptAdapters[Connected](private_urls=False)

    async def use(model: str, ready: asyncio.Barrier) -> Connected:
        async with kept.lend(KEY, model, lambda _: Connected(closed)) as adapter:
            await ready.wait()
        return adapter

    idle = [await use(f"idle-{number}", asyncio.Barrier(1)) for number in range(4)]
    assert closed == []
    monkeypatch.setattr(kept_adapters, "_IDLE_S", -1.0)
    together = asyncio.Barrier(2)
    ended = await asyncio.gather(*(use(f"model-{number}", together) for number in range(2)))
    assert sorted(map(id, closed)) == sorted(map(id, [*idle, *ended]))


async def test_what_somebody_uses_is_not_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_adapters, "_IDLE_S", -1.0)
    closed: list[Connected] = []
    kept = KeptAdapters[Connected](private_urls=False)
    async with kept.lend(KEY, "a", lambda _: Connected(closed)) as used:
        async with kept.lend(KEY, "b", lambda _: Connected(closed)) as other:
            pass
        assert closed == [other]
    assert closed == [other, used]
