"""Adapters of embedding models by the key that is used; an SDK is loaded then, and not before."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256
from importlib import import_module

from perdure.domain.embedding_names import RemoteModel
from perdure.domain.provider_keys import ProviderKey, check_base_url
from perdure.errors import InvalidInputError, ProviderError, ProviderReason
from perdure.ports.models import RemoteEmbedder

_ADAPTERS = "perdure.providers.openai_embedder"
_IDLE_S = 300.0
_MOST_KEPT = 64


@dataclass
class _Kept:
    embedder: RemoteEmbedder
    users: int = 0
    idle_since: float = 0.0


class RemoteEmbedders:
    """Lends adapters, whose connections are kept for a while after their last use. For one event loop."""

    def __init__(self, *, private_urls: bool = False) -> None:
        self._private_urls = private_urls
        self._building = asyncio.Lock()
        self._kept: dict[tuple[str, ...], _Kept] = {}

    @asynccontextmanager
    async def lend(self, model: RemoteModel, key: ProviderKey) -> AsyncIterator[RemoteEmbedder]:
        """An embedder to ask. ProviderError where its address may not be used."""
        # Not the key itself: what is kept must not tell it to whoever lists it.
        digest = sha256(key.secret.encode()).hexdigest()
        name = (model.name, key.base_url or "", key.id or "", digest)
        kept = self._kept.get(name)
        if kept is None:
            async with self._building:
                kept = self._kept.get(name)
                if kept is None:
                    # An SDK takes a second to load, and certificates some time with each client.
                    kept = self._kept[name] = _Kept(await asyncio.to_thread(self._built, model, key))
        kept.users += 1
        try:
            yield kept.embedder
        finally:
            kept.users -= 1
            kept.idle_since = time.monotonic()
            await self._close_idle()

    async def aclose(self) -> None:
        """Close all connections."""
        kept, self._kept = list(self._kept.values()), {}
        for one in kept:
            await one.embedder.aclose()

    def _built(self, model: RemoteModel, key: ProviderKey) -> RemoteEmbedder:
        # Whoever runs the installation may reach into its own network; organisations may not, unless it says so.
        public_only = key.id is not None and bool(key.base_url) and not self._private_urls
        if public_only:
            try:
                check_base_url(key.base_url or "", private=False)
            except InvalidInputError as error:
                detail = f"its address may not be used: {error.errors[0].detail}"
                raise ProviderError(key.provider.value, ProviderReason.INVALID_REQUEST, detail) from error
        base_url = None if key.is_official else key.base_url
        embedder: RemoteEmbedder = import_module(_ADAPTERS).OpenAIEmbedder(
            model, key.secret, base_url, public_only=public_only
        )
        return embedder

    async def _close_idle(self) -> None:
        now = time.monotonic()
        idle = sorted((one.idle_since, name) for name, one in self._kept.items() if not one.users)
        excess = len(self._kept) - _MOST_KEPT
        for number, (since, name) in enumerate(idle):
            if number < excess or now - since > _IDLE_S:
                await self._kept.pop(name).embedder.aclose()
