"""What calls that run at once may spend together."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import func, select, text

from perdure.db.models import ProviderReservationRow
from perdure.db.provider_budgets import RESERVED_FOR, ProviderBudgetRepository
from perdure.db.rate_limit_store import PostgresRateStore
from perdure.db.session import Database
from perdure.domain.budgets import Budget
from perdure.domain.ids import new_id
from perdure.domain.model_prices import PricedModel
from perdure.domain.provider_keys import ProviderKey
from perdure.domain.routing import Candidate, Capability, ProviderName
from perdure.embedded import postgres
from perdure.errors import BudgetReachedError, ProviderError, ProviderReason
from perdure.ports.language_models import TokenUsage
from perdure.provider_calls import Plan, ProviderCalls, Work
from tests.routed_models import a_keyring
from tests.sealed_secrets import a_database

# A cent a token: a call is estimated to take ten.
ESTIMATE = TokenUsage(8, 2)
AT_ONCE = 50


@pytest.fixture(scope="module")
async def database(embedded_postgres: postgres.EmbeddedPostgres) -> AsyncIterator[Database]:
    async with a_database(embedded_postgres) as database:
        yield database


def a_cent_a_token(priced: PricedModel, input_tokens: int, output_tokens: int, cached_tokens: int) -> Decimal:
    return Decimal(input_tokens + output_tokens) / 100


def calls_of(database: Database, waited_for_others: timedelta = timedelta(0)) -> ProviderCalls:
    keys = {ProviderName.OPENAI: ProviderKey(ProviderName.OPENAI, "sk-of-nobody")}
    store = PostgresRateStore(database)
    return ProviderCalls(
        database.transaction, a_keyring(), keys, store, a_cent_a_token, waited_for_others=waited_for_others
    )


async def limit(database: Database, organisation_id: str, hard: str) -> None:
    async with database.transaction(organisation_id) as session:
        await ProviderBudgetRepository(session, organisation_id).put(Budget(None, Decimal(hard)))


async def spent(database: Database, organisation_id: str) -> tuple[Decimal, int]:
    """This month, and how many reservations are left."""
    async with database.transaction(organisation_id) as session:
        standing = await ProviderBudgetRepository(session, organisation_id).standing()
        left = await session.scalar(select(func.count()).select_from(ProviderReservationRow))
        return standing.spent_usd, left or 0


async def plan_of(calls: ProviderCalls, organisation_id: str) -> tuple[Plan, Candidate]:
    plan = await calls.plan(organisation_id, Capability.GENERATE, ESTIMATE)
    return plan, plan.candidates[0]


async def test_calls_that_begin_at_once_never_pass_the_budget(
    database: Database, organisation_id: str
) -> None:
    await limit(database, organisation_id, "0.50")
    calls, go = calls_of(database), asyncio.Event()
    plan, candidate = await plan_of(calls, organisation_id)
    began: asyncio.Queue[str | None] = asyncio.Queue()

    async def call() -> None:
        try:
            async with calls.calling(plan, candidate, Work(organisation_id, "test")) as metered:
                began.put_nowait(None)
                await go.wait()
                metered.usage = ESTIMATE
        except BudgetReachedError as error:
            began.put_nowait(str(error))

    running = [asyncio.create_task(call()) for _ in range(AT_ONCE)]
    async with asyncio.timeout(30):
        told = [await began.get() for _ in range(AT_ONCE)]
    refused = [one for one in told if one is not None]
    assert len(refused) == AT_ONCE - 5
    assert all("calls under way may cost US$ 0.50. One more may cost US$ 0.1000" in one for one in refused)
    assert await spent(database, organisation_id) == (Decimal(0), 5)
    go.set()
    await asyncio.gather(*running)
    assert await spent(database, organisation_id) == (Decimal("0.50"), 0)
    with pytest.raises(BudgetReachedError):
        await plan_of(calls, organisation_id)


async def test_what_calls_do_not_need_is_there_for_those_that_wait(
    database: Database, organisation_id: str
) -> None:
    await limit(database, organisation_id, "0.50")
    calls = calls_of(database, timedelta(minutes=1))
    plan, candidate = await plan_of(calls, organisation_id)

    async def call() -> None:
        async with calls.calling(plan, candidate, Work(organisation_id, "test")) as metered:
            metered.usage = TokenUsage(1, 1)

    await asyncio.gather(*(call() for _ in range(20)))
    assert await spent(database, organisation_id) == (Decimal("0.40"), 0)


async def test_a_call_that_fails_gives_back_what_was_kept_for_it(
    database: Database, organisation_id: str
) -> None:
    await limit(database, organisation_id, "0.10")
    calls = calls_of(database)
    for _ in range(3):
        plan, candidate = await plan_of(calls, organisation_id)
        with pytest.raises(ProviderError):
            async with calls.calling(plan, candidate, Work(organisation_id, "test")):
                raise ProviderError("openai", ProviderReason.INVALID_REQUEST, "it cannot read that")
    assert await spent(database, organisation_id) == (Decimal(0), 0)


async def test_what_a_killed_process_has_kept_is_given_back_in_time(
    database: Database, organisation_id: str
) -> None:
    await limit(database, organisation_id, "0.10")
    calls = calls_of(database)
    async with database.transaction(organisation_id) as session:
        budgets = ProviderBudgetRepository(session, organisation_id)
        kept = await budgets.reserve(new_id("prv"), Decimal("0.01"))
    assert kept is not None
    assert kept.is_granted
    plan, candidate = await plan_of(calls, organisation_id)
    with pytest.raises(BudgetReachedError):
        async with calls.calling(plan, candidate, Work(organisation_id, "test")):
            raise AssertionError("what is left does not cover it")
    async with database.transaction(organisation_id) as session:
        earlier = text("UPDATE provider_reservations SET expires_at = expires_at - CAST(:kept AS interval)")
        await session.execute(earlier, {"kept": RESERVED_FOR})
    async with calls.calling(plan, candidate, Work(organisation_id, "test")) as metered:
        metered.usage = ESTIMATE
    assert await spent(database, organisation_id) == (Decimal("0.10"), 0)


async def test_a_call_that_what_is_left_does_not_cover_is_not_made(
    database: Database, organisation_id: str
) -> None:
    await limit(database, organisation_id, "0.09")
    with pytest.raises(BudgetReachedError, match=r"One more may cost US\$ 0.1000"):
        await plan_of(calls_of(database), organisation_id)
    await limit(database, organisation_id, "0.10")
    plan, _ = await plan_of(calls_of(database), organisation_id)
    assert plan.is_limited
