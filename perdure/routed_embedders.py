"""The embedding models at hand: those that run here, and those at providers by the organisation's keys."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import numpy as np

from perdure.domain.embedding_batches import MAX_TOKENS, batches
from perdure.domain.embedding_names import RemoteModel, remote_model
from perdure.domain.provider_words import told
from perdure.domain.routing import Candidate, Capability, ProviderName
from perdure.errors import ProviderError, ProviderReason, ProvidersFailedError, ProviderUnavailableError
from perdure.ports.language_models import TokenUsage
from perdure.ports.models import Embedders, EmbeddingCall, EmbeddingModel, Vectors
from perdure.provider_calls import Plan, ProviderCalls, Work
from perdure.providers.remote_embedders import RemoteEmbedders

# Nobody waits longer for a key's own rate; who comes later has lost the turn.
_LONGEST_TURN = timedelta(minutes=5)
_CHARACTERS_A_TOKEN = 4


class RoutedEmbedders:
    """See `perdure.ports.models.Embedders`. For one event loop.

    Vectors of two models never compare, so no other provider takes over; another key of the same one does.
    """

    def __init__(self, local: Embedders, calls: ProviderCalls, remote: RemoteEmbedders) -> None:
        self._local, self._calls, self._remote = local, calls, remote

    @property
    def default(self) -> EmbeddingModel:
        """See `Embedders`."""
        return self._local.default

    def runs_here(self, name: str) -> bool:
        """See `Embedders`."""
        return self._local.runs_here(name)

    def named(self, name: str) -> EmbeddingModel:
        """See `Embedders`."""
        remote = remote_model(name)
        if remote is None:
            return self._local.named(name)
        return EmbeddingModel(remote.name, remote.dimension, MAX_TOKENS)

    async def require(self, organisation_id: str, name: str) -> None:
        """See `Embedders`."""
        remote = remote_model(name)
        if remote is None:
            await self._local.require(organisation_id, name)
        else:
            await self._plan(organisation_id, remote, 0)

    async def embed(self, call: EmbeddingCall, name: str, texts: Sequence[str]) -> Vectors:
        """See `Embedders`. Of texts at a provider, one request after the other."""
        remote = remote_model(name)
        if remote is None:
            return await self._local.embed(call, name, texts)
        plan = await self._plan(call.organisation_id, remote, sum(map(len, texts)) // _CHARACTERS_A_TOKEN)
        found = [await self._batch(plan, call, remote, batch) for batch in batches(texts)]
        return np.concatenate(found) if found else np.empty((0, remote.dimension), dtype=np.float32)

    async def _plan(self, organisation_id: str, remote: RemoteModel, tokens: int) -> Plan:
        asked = Candidate(remote.provider, remote.model)
        plan = await self._calls.plan(organisation_id, Capability.EMBED, TokenUsage(tokens), asked=asked)
        if not plan.keys:
            raise _unavailable(remote)
        return plan

    async def _batch(
        self, plan: Plan, call: EmbeddingCall, remote: RemoteModel, batch: Sequence[str]
    ) -> Vectors:
        failures: list[tuple[Candidate, ProviderError]] = []
        for candidate in plan.candidates:
            if candidate not in plan.keys:
                continue
            try:
                return await self._ask(plan, candidate, call, remote, batch)
            except ProviderError as error:
                failures.append((candidate, _retold(error, batch)))
        passing = [error for _, error in failures if error.passes]
        if passing:
            raise min(passing, key=lambda error: error.retry_after or timedelta(0))
        if len(failures) == 1:
            raise failures[0][1]
        reasons = "; ".join(f"{candidate.key_id or 'installation'}: {error}" for candidate, error in failures)
        raise ProvidersFailedError(f"None of the keys embeds with {remote.name}. {reasons}.")

    async def _ask(
        self, plan: Plan, candidate: Candidate, call: EmbeddingCall, remote: RemoteModel, batch: Sequence[str]
    ) -> Vectors:
        key = plan.keys[candidate]
        wait = await self._calls.reserve(key)
        if wait > (call.patience or _LONGEST_TURN):
            detail = f"the key is used {key.requests_per_minute} times a minute, and its turn comes later"
            raise ProviderError(candidate.provider.value, ProviderReason.RATE_LIMITED, detail, wait)
        await asyncio.sleep(wait.total_seconds())
        work = Work(call.organisation_id, call.purpose, call.operation_id, call.operation_kind)
        async with self._calls.calling(plan, candidate, work) as metered:
            async with self._remote.lend(remote, key) as embedder:
                made = await embedder.embed(batch, call.patience)
            metered.usage = TokenUsage(made.tokens)
        return made.vectors


def _retold(error: ProviderError, texts: Sequence[str]) -> ProviderError:
    """The failure without what the SDK says of it: that may repeat texts."""
    detail = str(error).removeprefix(f"{error.provider}: ")
    if error.reason is not ProviderReason.MALFORMED:  # what is wrong with vectors is told in our words
        detail = told(error.reason, detail, texts)
    return ProviderError(error.provider, error.reason, detail, error.retry_after)


def _unavailable(remote: RemoteModel) -> ProviderUnavailableError:
    official = "set OPENAI_API_KEY" if remote.provider is ProviderName.OPENAI else "set OPENAI_BASE_URL"
    return ProviderUnavailableError(
        f"There is no key for {remote.provider}, which embeds with {remote.name}: add one (POST "
        f"/api/v1/providers/keys), {official}, or embed the space with a model that runs here (POST "
        f"/api/v1/spaces/{{name}}/reembed)."
    )
