"""Adapters of language models by the name of their provider; an SDK is loaded when a key is used, and not before."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256

from perdure.domain.provider_keys import ProviderKey, check_base_url
from perdure.domain.routing import Candidate, ProviderName
from perdure.errors import InvalidInputError, ProviderError, ProviderReason
from perdure.ports.language_models import LanguageModel
from perdure.providers.extractive_language_model import ExtractiveLanguageModel

TIMEOUT = timedelta(minutes=2)
_IDLE_S = 300.0
_MOST_KEPT = 64


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


@dataclass
class _Kept:
    model: LanguageModel
    users: int = 0
    idle_since: float = 0.0


class LanguageModels:
    """Lends adapters, whose connections are kept for a while after their last use. For one event loop."""

    def __init__(self, *, private_urls: bool = False, timeout: timedelta = TIMEOUT) -> None:
        self._private_urls, self._timeout = private_urls, timeout
        self._extractive = ExtractiveLanguageModel()
        self._building = asyncio.Lock()
        self._kept: dict[tuple[str, ...], _Kept] = {}

    @asynccontextmanager
    async def lend(self, candidate: Candidate, key: ProviderKey | None) -> AsyncIterator[LanguageModel]:
        """A model to ask; without a key, the built-in one."""
        if key is None:
            yield self._extractive
            return
        # Not the key itself: what is kept must not tell it to whoever lists it.
        digest = sha256(key.secret.encode()).hexdigest()
        name = (key.provider.value, candidate.model, key.base_url or "", key.id or "", digest)
        kept = self._kept.get(name)
        if kept is None:
            async with self._building:
                kept = self._kept.get(name)
                if kept is None:
                    # An SDK takes a second to load, and certificates some time with each client.
                    built = await asyncio.to_thread(self._built, candidate, key)
                    kept = self._kept[name] = _Kept(built)
        kept.users += 1
        try:
            yield kept.model
        finally:
            kept.users -= 1
            kept.idle_since = time.monotonic()
            await self._close_idle()

    async def aclose(self) -> None:
        """Close all connections."""
        kept, self._kept = list(self._kept.values()), {}
        for one in kept:
            await one.model.aclose()

    def _built(self, candidate: Candidate, key: ProviderKey) -> LanguageModel:
        # Whoever runs the installation may reach into its own network; organisations may not, unless it says so.
        public_only = key.id is not None and bool(key.base_url) and not self._private_urls
        if public_only:
            try:
                check_base_url(key.base_url or "", private=False)
            except InvalidInputError as error:
                detail = f"its address may not be used: {error.errors[0].detail}"
                raise ProviderError(key.provider.value, ProviderReason.INVALID_REQUEST, detail) from error
        connection = Connection(key, candidate.model, self._timeout, public_only)
        return ADAPTERS[key.provider](connection)

    async def _close_idle(self) -> None:
        now = time.monotonic()
        idle = sorted((one.idle_since, name) for name, one in self._kept.items() if not one.users)
        excess = len(self._kept) - _MOST_KEPT
        for number, (since, name) in enumerate(idle):
            if number < excess or now - since > _IDLE_S:
                await self._kept.pop(name).model.aclose()
