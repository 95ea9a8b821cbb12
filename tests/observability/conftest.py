"""The whole product as processes, traced and metered, shared by the tests of this folder."""

import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.accounts import Account
from tests.faults.conftest import account_at
from tests.faults.installation import Installation
from tests.observability.collector import Collector, collecting


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The first test here waits for the start of the product."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.timeout(300))


@pytest.fixture(scope="session")
def collector() -> Iterator[Collector]:
    with collecting() as collector:
        yield collector


class Observed(Installation):
    """`perdure up` that sends its traces to a collector."""

    def __init__(self, home: Path, collector: Collector) -> None:
        super().__init__(home)
        self._collector = collector

    @property
    def environment(self) -> dict[str, str]:
        return {
            **super().environment,
            "OTEL_EXPORTER_OTLP_ENDPOINT": self._collector.url,
            "OTEL_BSP_SCHEDULE_DELAY": "200",
            # Where nothing listens: to fetch from there fails, and is tried again.
            "PERDURE_FETCH_ALLOW_HOSTS": "localhost",
            "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=test",
        }


@pytest.fixture(scope="session")
async def observed(collector: Collector) -> AsyncIterator[Observed]:
    """The product, running."""
    installation = Observed(Path(tempfile.mkdtemp(prefix="perdure-observed-")) / "home", collector)
    try:
        await installation.up()
        yield installation
    finally:
        installation.destroy()


@pytest.fixture
async def account(observed: Observed) -> AsyncIterator[Account]:
    """Somebody with an organisation of their own at the running product."""
    async with account_at(observed.url) as account:
        yield account
