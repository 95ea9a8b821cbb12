"""Adapters by the key that is used: built when it is first used, and kept for a while after the last time."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import Generic, Protocol, TypeVar

from perdure.domain.provider_keys import ProviderKey, check_base_url
from perdure.errors import InvalidInputError, ProviderError, ProviderReason

_IDLE_S = 300.0
_MOST_KEPT = 64


class Closable(Protocol):
    """What holds connections."""

    async def aclose(self) -> None:
        """Close them."""


Adapter = TypeVar("Adapter", bound=Closable)


@dataclass
class _Kept(Generic[Adapter]):
    adapter: Adapter
    users: int = 0
    idle_since: float = 0.0


class KeptAdapters(Generic[Adapter]):
    """Lends adapters, whose connections are kept for a while after their last use. For one event loop."""

    def __init__(self, *, private_urls: bool) -> None:
        self._private_urls = private_urls
        self._building = asyncio.Lock()
        self._kept: dict[tuple[str, ...], _Kept[Adapter]] = {}

    @asynccontextmanager
    async def lend(
        self, key: ProviderKey, model: str, build: Callable[[bool], Adapter]
    ) -> AsyncIterator[Adapter]:
        """The adapter of a model for a key; `build`, run in a thread, is told whether it may reach the internet only.

        ProviderError where the address of the key may not be used.
        """
        # Not the key itself: what is kept must not tell it to whoever lists it.
        digest = sha256(key.secret.encode()).hexdigest()
        name = (key.provider.value, model, key.base_url or "", key.id or "", digest)
        kept = self._kept.get(name)
        if kept is None:
            async with self._building:
                kept = self._kept.get(name)
                if kept is None:
                    # An SDK takes a second to load, and certificates some time with each client.
                    kept = self._kept[name] = _Kept(await asyncio.to_thread(self._built, key, build))
        kept.users += 1
        try:
            yield kept.adapter
        finally:
            kept.users -= 1
            kept.idle_since = time.monotonic()
            await self._close_idle()

    async def aclose(self) -> None:
        """Close all connections."""
        kept, self._kept = list(self._kept.values()), {}
        for one in kept:
            await one.adapter.aclose()

    def _built(self, key: ProviderKey, build: Callable[[bool], Adapter]) -> Adapter:
        # Whoever runs the installation may reach into its own network; organisations may not, unless it says so.
        public_only = key.id is not None and bool(key.base_url) and not self._private_urls
        if public_only:
            try:
                check_base_url(key.base_url or "", private=False)
            except InvalidInputError as error:
                detail = f"its address may not be used: {error.errors[0].detail}"
                raise ProviderError(key.provider.value, ProviderReason.INVALID_REQUEST, detail) from error
        return build(public_only)

    async def _close_idle(self) -> None:
        now = time.monotonic()
        idle = sorted((one.idle_since, name) for name, one in self._kept.items() if not one.users)
        excess = len(self._kept) - _MOST_KEPT
        # All at once, before the first is waited for: others lend and close meanwhile.
        given_up = [
            self._kept.pop(name)
            for number, (since, name) in enumerate(idle)
            if number < excess or now - since > _IDLE_S
        ]
        for one in given_up:
            await one.adapter.aclose()
