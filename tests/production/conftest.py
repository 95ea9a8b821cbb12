"""Fixtures of the production form: the product as processes, and people who reach it as through a load balancer."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.accounts import Account
from tests.form import PRODUCTION
from tests.production.balanced import account_at
from tests.production.infrastructure import Infrastructure
from tests.production.production_form import ProductionForm

pytest.register_assert_rewrite("tests.faults.checks")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Only `make test-production` has the parts that these tests need."""
    here = Path(__file__).parent
    ours = [item for item in items if here in item.path.parents]
    for item in ours:
        item.add_marker(pytest.mark.production)
        item.add_marker(pytest.mark.timeout(300))
    others = [item for item in items if item not in ours]
    if not PRODUCTION:
        config.hook.pytest_deselected(items=ours)
    # Some of ours kill what the others stand on, whose product is in the process of the tests.
    items[:] = others + ours if PRODUCTION else others


@pytest.fixture(scope="session")
async def installation(infrastructure: Infrastructure) -> AsyncIterator[ProductionForm]:
    """The product, running; a test leaves it running."""
    form = ProductionForm(infrastructure)
    try:
        await form.up()
        yield form
    finally:
        await form.down()


@pytest.fixture
async def account(installation: ProductionForm) -> AsyncIterator[Account]:
    """Somebody with an organisation of their own at the running product."""
    await installation.answers()
    async with account_at(installation.urls) as account:
        yield account


@pytest.fixture
async def stranger(installation: ProductionForm) -> AsyncIterator[Account]:
    """Somebody of another organisation."""
    async with account_at(installation.urls) as account:
        yield account
