"""What our layer adds to a call of a provider: the same call inside an activity by the bare SDK and through routing,
key, limits, budget and log, in turns, on a server of this machine that answers at once. Each call has the price of the
model that it names, so that room is kept for it in the budget while it is under way.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal

import httpx
from temporalio.worker import Worker

from activities.language_models import RoutedLanguageModels
from activities.steps import StepRecorder
from bench import product
from bench.codec import process
from bench.provider_activity import MODEL, ProviderTurns, Taken, TakeTurns, Turns
from bench.report import Figure, Options, Target, median, percentile
from perdure.db.keyring import Keyring
from perdure.db.provider_budgets import ProviderBudgetRepository
from perdure.db.provider_keys import ProviderKeyRepository
from perdure.db.rate_limit_store import PostgresRateStore
from perdure.db.session import Database
from perdure.domain.budgets import Budget
from perdure.domain.ids import new_id
from perdure.domain.model_prices import PricedModel, price_of
from perdure.domain.routing import ProviderName
from perdure.embedded import ports
from perdure.master_keys import load_master_keys
from perdure.provider_calls import ProviderCalls
from perdure.providers.language_models import LanguageModels
from worker import sandbox  # noqa: TID251  # the product's own sandbox

GROUP = "a call of a provider, over the bare SDK"
QUEUE = "bench-providers"
_KEY = "sk-of-nobody-0123456789"
_READY_S = 20.0
# Limits that are counted, and never reached.
_PER_MINUTE = 1_000_000
_BUDGET = Budget(Decimal(1000), Decimal(2000))


async def run(options: Options) -> list[Figure]:
    """Take turns with and without our layer, whole answers and streams."""
    turns = options.repeats(500, 20)
    async with product.running() as running, _provider(running) as url:
        database = Database(running.settings.database_url)
        models = LanguageModels(private_urls=True)
        try:
            options.say(f"{turns} calls each way")
            taken = await _taken(running, database, models, url, turns)
        finally:
            await models.aclose()
            await database.aclose()
    note = f"{turns} calls each, in turns, in one activity; with a key of its own, a rate, a budget and a log row"
    added, first = (
        percentile(taken.ours_ms, 0.95) - percentile(taken.bare_ms, 0.95),
        percentile(taken.ours_first_ms, 0.95) - percentile(taken.bare_first_ms, 0.95),
    )
    return [
        Figure(GROUP, "whole answer, p50", "ms", median(taken.ours_ms), median(taken.bare_ms)),
        Figure(
            GROUP, "whole answer, p95", "ms", percentile(taken.ours_ms, 0.95), percentile(taken.bare_ms, 0.95)
        ),
        Figure(GROUP, "added to a whole answer, p95", "ms", added, None, Target("value", "at most", 40), note),
        Figure(
            GROUP, "first piece of a stream, p50", "ms", median(taken.ours_first_ms), median(taken.bare_first_ms)
        ),
        Figure(
            GROUP, "first piece of a stream, p95", "ms",
            percentile(taken.ours_first_ms, 0.95), percentile(taken.bare_first_ms, 0.95),
        ),
        Figure(
            GROUP, "first piece after the provider's, p95", "ms", first, None, Target("value", "at most", 20),
            "from asking to the first piece, what is looked up before the call included",
        ),
    ]  # fmt: skip


async def _taken(
    running: product.Product, database: Database, models: LanguageModels, url: str, turns: int
) -> Taken:
    from openai import AsyncOpenAI  # noqa: PLC0415  # the bare SDK

    keyring = Keyring(load_master_keys(running.settings))
    async with database.transaction(running.organisation_id) as session:
        await ProviderKeyRepository(session, running.organisation_id, keyring).create(
            provider=ProviderName.OPENAI_COMPATIBLE,
            name="bench",
            value=_KEY,
            base_url=f"{url}/v1",
            default_model=MODEL,
            requests_per_minute=_PER_MINUTE,
        )
        await ProviderBudgetRepository(session, running.organisation_id).put(_BUDGET)
    calls = ProviderCalls(database.transaction, keyring, {}, PostgresRateStore(database), _price)
    bare = AsyncOpenAI(api_key=_KEY, base_url=f"{url}/v1", max_retries=0)
    taking = ProviderTurns(bare, RoutedLanguageModels(calls, models))
    async with Worker(
        running.temporal,
        task_queue=QUEUE,
        workflows=[TakeTurns],
        activities=[taking.take_turns],
        workflow_runner=sandbox(),
        interceptors=[StepRecorder(database.transaction)],
    ):
        job = Turns(
            organisation_id=running.organisation_id, operation_id=new_id("op"), turns=turns, warm_up=20
        )
        taken = await running.temporal.execute_workflow(
            TakeTurns.run, job, id=f"take-turns-{job.operation_id}", task_queue=QUEUE
        )
    await bare.close()
    return taken


def _price(priced: PricedModel, given: int, made: int, cached: int) -> Decimal | None:
    """As if the server were the provider that has the model."""
    return price_of(replace(priced, provider=ProviderName.OPENAI, base_url=None), given, made, cached)


@asynccontextmanager
async def _provider(running: product.Product) -> AsyncIterator[str]:
    """The server, in a process of its own; its address."""
    (port,) = ports.unused(1)
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "bench.provider_server", str(port)]
    async with process(command, dict(os.environ), running.settings.home), httpx.AsyncClient() as http:
        async with asyncio.timeout(_READY_S):
            while True:
                try:
                    await http.get(url)
                    break
                except httpx.TransportError:
                    await asyncio.sleep(0.05)
        yield url
