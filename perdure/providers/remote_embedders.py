"""Adapters of embedding models by the key that is used; an SDK is loaded then, and not before."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module

from perdure.domain.embedding_names import RemoteModel
from perdure.domain.provider_keys import ProviderKey
from perdure.ports.models import RemoteEmbedder
from perdure.providers.kept_adapters import KeptAdapters

_ADAPTERS = "perdure.providers.openai_embedder"


class RemoteEmbedders:
    """Lends adapters by the key that is used."""

    def __init__(self, *, private_urls: bool = False) -> None:
        self._kept = KeptAdapters[RemoteEmbedder](private_urls=private_urls)

    @asynccontextmanager
    async def lend(self, model: RemoteModel, key: ProviderKey) -> AsyncIterator[RemoteEmbedder]:
        """An embedder to ask. ProviderError where its address may not be used."""

        def build(public_only: bool) -> RemoteEmbedder:  # what is kept calls it
            base_url = None if key.is_official else key.base_url
            embedder: RemoteEmbedder = import_module(_ADAPTERS).OpenAIEmbedder(
                model, key.secret, base_url, public_only=public_only
            )
            return embedder

        async with self._kept.lend(key, model.name, build) as embedder:
            yield embedder

    async def aclose(self) -> None:
        """Close all connections."""
        await self._kept.aclose()
