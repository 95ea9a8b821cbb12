"""Activities that ask models, tried again as Temporal would, without its waits; and keys to ask with."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any, TypeVar

from sqlalchemy import select
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities import carried
from activities.failures import failures
from activities.language_models import ModelCall, RoutedLanguageModels
from perdure.db.keyring import Keyring
from perdure.db.models import AIProcessingLogRow
from perdure.db.provider_keys import ProviderKeyRepository
from perdure.db.provider_routes import ProviderRouteRepository
from perdure.db.rate_limit_store import PostgresRateStore
from perdure.db.session import Database
from perdure.domain.failure_policy import Patience
from perdure.domain.model_prices import PricedModel, price_of
from perdure.domain.provider_keys import ProviderKey
from perdure.domain.routing import Capability, ProviderName, Strategy
from perdure.master_keys import MasterKeys
from perdure.ports.language_models import Prompt, Turn
from perdure.provider_calls import ProviderCalls
from perdure.providers.language_models import LanguageModels
from tests.provider_servers import OpenAIServer, WireServer

SECRET = "sk-proj-0123456789abcdefghijklmnop"  # of nobody
ASKED = Prompt([Turn("user", "Which colour has the sky over Rotterdam?")])
MODELS = {ProviderName.OPENAI: "gpt-4o", ProviderName.ANTHROPIC: "claude-haiku-4-5"}
PATIENCE = Patience(tries=3)
_MOST_ATTEMPTS = 12

Output = TypeVar("Output")


def as_if_official(
    priced: PricedModel, input_tokens: int, output_tokens: int, cached_tokens: int
) -> Decimal | None:
    """The real prices, for servers of tests that stand in for those who have them."""
    return price_of(replace(priced, base_url=None), input_tokens, output_tokens, cached_tokens)


@dataclass
class Activity:
    """One activity, with the delays before each further attempt. `shifted` is what a test changes in between."""

    delays: list[timedelta | None] = field(default_factory=list)
    details: list[Any] = field(default_factory=list)
    attempt: int = 0

    async def once(self, method: Callable[[], Awaitable[Output]]) -> Output:
        """The next attempt; an ApplicationError is what Temporal would see."""
        self.attempt += 1
        environment = ActivityEnvironment()
        environment.info = replace(
            environment.info, attempt=self.attempt, heartbeat_details=json.loads(json.dumps(self.details))
        )

        def beat(*details: Any) -> None:
            self.details = list(details)

        environment.on_heartbeat = beat

        async def attempt() -> Output:
            carried.begin()
            with failures():
                return await method()

        return await environment.run(attempt)

    async def run(self, method: Callable[[], Awaitable[Output]]) -> Output:
        """Attempts until one succeeds or fails for good."""
        for _ in range(_MOST_ATTEMPTS):
            try:
                return await self.once(method)
            except ApplicationError as error:
                if error.non_retryable:
                    raise
                self.delays.append(error.next_retry_delay)
        raise AssertionError("it is tried again and again")


@dataclass
class Asking:
    """An organisation, its keys, and what asks for it. `others` are further workers that share the database."""

    database: Database
    organisation_id: str
    keyring: Keyring
    lent: LanguageModels = field(default_factory=lambda: LanguageModels(private_urls=True))
    environment: dict[ProviderName, ProviderKey] = field(default_factory=dict)
    patience: Patience = PATIENCE
    waited_for_others: timedelta = timedelta(seconds=5)

    def worker(self) -> RoutedLanguageModels:
        calls = ProviderCalls(
            self.database.transaction,
            self.keyring,
            self.environment,
            PostgresRateStore(self.database),
            as_if_official,
            self.waited_for_others,
        )
        return RoutedLanguageModels(calls, self.lent, self.patience)

    async def key(self, server: WireServer, *, secret: str = SECRET, **given: Any) -> str:
        """A key at a server; oldest first they are asked."""
        is_openai = isinstance(server, OpenAIServer)
        provider = ProviderName.OPENAI if is_openai else ProviderName.ANTHROPIC
        async with self.database.transaction(self.organisation_id) as session:
            row = await ProviderKeyRepository(session, self.organisation_id, self.keyring).create(
                provider=given.pop("provider", provider),
                name=given.pop("name", f"{provider} {server.url}"),
                value=secret,
                base_url=f"{server.url}/v1" if is_openai else server.url,
                default_model=given.pop("default_model", MODELS[provider]),
                **given,
            )
        return row.id

    async def route_to_keys(self) -> None:
        """Nobody is asked but the organisation's own keys: not the built-in model."""
        async with self.database.transaction(self.organisation_id) as session:
            keys = ProviderKeyRepository(session, self.organisation_id, self.keyring)
            opened = await keys.opened(await keys.usable())
            candidates = [one for key in opened if (one := key.candidate(Capability.GENERATE)) is not None]
            await ProviderRouteRepository(session, self.organisation_id).put(
                Capability.GENERATE, Strategy.ORDER, candidates
            )

    def call(self, purpose: str = "answer", **given: Any) -> ModelCall:
        return ModelCall(self.organisation_id, "op_test", "test", purpose, **given)

    async def logs(self) -> list[AIProcessingLogRow]:
        async with self.database.transaction(self.organisation_id) as session:
            return list(await session.scalars(select(AIProcessingLogRow).order_by(AIProcessingLogRow.id)))


def a_keyring() -> Keyring:
    """A keyring that opens what it seals."""
    return Keyring(MasterKeys({"test": b"k" * 32}))
