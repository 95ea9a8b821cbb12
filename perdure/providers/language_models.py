"""Adapters of language models by the name of their provider; an SDK is loaded when a key is used, and not before."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from perdure.domain.provider_keys import ProviderKey
from perdure.domain.routing import Candidate, ProviderName
from perdure.ports.language_models import LanguageModel
from perdure.providers.extractive_language_model import ExtractiveLanguageModel
from perdure.providers.kept_adapters import KeptAdapters

TIMEOUT = timedelta(minutes=2)


@dataclass(frozen=True)
class Connection:
    """What an adapter is built of."""

    key: ProviderKey
    model: str
    timeout: timedelta
    public_only: bool


def _openai(connection: Connection) -> LanguageModel:
    from perdure.providers.openai_language_model import OpenAILanguageModel  # noqa: PLC0415  # loads the SDK

    key = connection.key
    return OpenAILanguageModel(
        connection.model,
        key.secret,
        None if key.is_official else key.base_url,
        provider=key.provider.value,
        timeout=connection.timeout,
        public_only=connection.public_only,
    )


def _anthropic(connection: Connection) -> LanguageModel:
    from perdure.providers.anthropic_language_model import AnthropicLanguageModel  # noqa: PLC0415  # loads the SDK

    return AnthropicLanguageModel(
        connection.model,
        connection.key.secret,
        connection.key.base_url,
        timeout=connection.timeout,
        public_only=connection.public_only,
    )


ADAPTERS: Mapping[ProviderName, Callable[[Connection], LanguageModel]] = {
    ProviderName.OPENAI: _openai,
    ProviderName.OPENAI_COMPATIBLE: _openai,
    ProviderName.ANTHROPIC: _anthropic,
}


class LanguageModels:
    """Lends adapters by the key that is used, and the built-in one."""

    def __init__(self, *, private_urls: bool = False, timeout: timedelta = TIMEOUT) -> None:
        self._timeout = timeout
        self._extractive = ExtractiveLanguageModel()
        self._kept = KeptAdapters[LanguageModel](private_urls=private_urls)

    @asynccontextmanager
    async def lend(self, candidate: Candidate, key: ProviderKey | None) -> AsyncIterator[LanguageModel]:
        """A model to ask; without a key, the built-in one. ProviderError where its address may not be used."""
        if key is None:
            yield self._extractive
            return

        def build(public_only: bool) -> LanguageModel:  # what is kept calls it
            return ADAPTERS[key.provider](Connection(key, candidate.model, self._timeout, public_only))

        async with self._kept.lend(key, candidate.model, build) as model:
            yield model

    async def aclose(self) -> None:
        """Close all connections."""
        await self._kept.aclose()
