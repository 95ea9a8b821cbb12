"""The whole product as processes that may be killed; shared by the tests, each with an organisation of its own."""

import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from perdure.domain.ids import new_id
from tests.accounts import PASSWORD, Account
from tests.faults.installation import Installation

pytest.register_assert_rewrite("tests.faults.checks")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here kills something, and waits for time-outs of workers that were killed."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.fault)
            item.add_marker(pytest.mark.timeout(420))


def _new_home() -> Path:
    # Not below pytest's folder: another run of pytest closes that to the user of PostgreSQL.
    return Path(tempfile.mkdtemp(prefix="perdure-faults-")) / "home"


@pytest.fixture(scope="session")
async def installation() -> AsyncIterator[Installation]:
    """The product, running, its parser open to wishes; a test leaves it running."""
    installation = Installation(_new_home(), "tests.faults.hostile_up")
    try:
        await installation.up()
        yield installation
    finally:
        installation.destroy()


@asynccontextmanager
async def account_at(url: str) -> AsyncIterator[Account]:
    """Register an organisation at a served product."""
    limits = httpx.Limits(max_connections=100)
    async with httpx.AsyncClient(base_url=url, timeout=30, trust_env=False, limits=limits) as http:
        person = {"email": f"{new_id('usr')}@example.com", "password": PASSWORD, "name": "Ada"}
        answer = await http.post("/api/v1/auth/register", json={**person, "organisation": "Faults"})
        assert answer.status_code == 201, answer.text
        http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        yield Account(http, answer.json()["organisation"]["id"])


@pytest.fixture
async def account(installation: Installation) -> AsyncIterator[Account]:
    """Somebody with an organisation of their own at the running product."""
    await installation.answers()
    async with account_at(installation.url) as account:
        yield account


@pytest.fixture
def untouched_installation() -> Iterator[Installation]:
    """A home for a product that the test starts itself, with nothing in it replaced."""
    installation = Installation(_new_home())
    yield installation
    installation.destroy()


@pytest.fixture
def second_home() -> Iterator[Installation]:
    """Another empty home, for what is restored."""
    installation = Installation(_new_home())
    yield installation
    installation.destroy()
