"""Keys of organisations at the providers' local servers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

from fastapi import FastAPI
from sqlalchemy import select

from perdure.db.models import AIProcessingLogRow
from perdure.db.provider_budgets import ProviderBudgetRepository
from perdure.db.provider_keys import ProviderKeyRepository
from perdure.db.provider_routes import ProviderRouteRepository
from perdure.db.session import Database
from perdure.domain.budgets import Budget
from perdure.domain.routing import BUILT_IN, Capability, ProviderName, Strategy
from tests.provider_servers import OpenAIServer

SECRET = "sk-test-of-this-organisation-0123456789"


@asynccontextmanager
async def openai_server(**options: Any) -> AsyncIterator[OpenAIServer]:
    """A server of a test's own."""
    server = OpenAIServer(**options)
    async with server.serving():
        yield server


async def add_key(
    app: FastAPI,
    organisation_id: str,
    server: OpenAIServer,
    provider: ProviderName = ProviderName.OPENAI,
    secret: str = SECRET,
    name: str = "test",
    requests_per_minute: int | None = None,
) -> str:
    """A key that leads to a server; its id."""
    async with app.state.database.transaction(organisation_id) as session:
        row = await ProviderKeyRepository(session, organisation_id, app.state.keyring).create(
            provider=provider,
            name=name,
            value=secret,
            base_url=f"{server.url}/v1",
            default_model="a-model",
            requests_per_minute=requests_per_minute,
        )
        return row.id


async def only_quote(app: FastAPI, organisation_id: str) -> None:
    """No model but the built-in one is asked for text."""
    async with app.state.database.transaction(organisation_id) as session:
        routes = ProviderRouteRepository(session, organisation_id)
        await routes.put(Capability.GENERATE, Strategy.ORDER, [BUILT_IN])


async def revoke_key(app: FastAPI, organisation_id: str, key_id: str) -> None:
    """No call uses it from now on."""
    async with app.state.database.transaction(organisation_id) as session:
        await ProviderKeyRepository(session, organisation_id, app.state.keyring).revoke(key_id)


async def set_budget(database: Database, organisation_id: str, hard_usd: str | None) -> None:
    """What may be spent this month."""
    async with database.transaction(organisation_id) as session:
        hard = None if hard_usd is None else Decimal(hard_usd)
        await ProviderBudgetRepository(session, organisation_id).put(Budget(None, hard))


async def calls(database: Database, organisation_id: str) -> list[AIProcessingLogRow]:
    """What was logged, oldest first."""
    async with database.transaction(organisation_id) as session:
        statement = select(AIProcessingLogRow).order_by(AIProcessingLogRow.id)
        return list(await session.scalars(statement))
