"""The fixtures that say where things are, for production parts.

`PERDURE_TEST_FORM=production` puts them in the place of `tests/embedded_fixtures.py`: every test that asks for nothing
embedded by its name then runs against them.
"""

from collections.abc import AsyncIterator

import pytest

from perdure.db import migrate
from perdure.embedded.postgres import APP_ROLE
from perdure.settings import Settings
from tests.production.infrastructure import Infrastructure

# Of the product inside the process of the tests; `ProductionForm` has its own.
DATABASE = NAMESPACE = "integration"


@pytest.fixture(scope="session")
async def infrastructure() -> AsyncIterator[Infrastructure]:
    """All parts but the product."""
    infrastructure = Infrastructure()
    try:
        await infrastructure.start()
        with pytest.MonkeyPatch.context() as environment:
            for name, value in infrastructure.s3.environment.items():
                environment.setenv(name, value)
            yield infrastructure
    finally:
        await infrastructure.stop()


@pytest.fixture(scope="session")
async def database_url(infrastructure: Infrastructure) -> str:
    """Address of a migrated database through the pooler, as the app role."""
    await infrastructure.make_database(DATABASE)
    await migrate.upgrade(infrastructure.owner_url(DATABASE), APP_ROLE)
    return infrastructure.app_url(DATABASE)


@pytest.fixture(scope="session")
async def temporal_server(infrastructure: Infrastructure) -> str:
    """Address of a Temporal server with a namespace of these tests alone."""
    await infrastructure.temporal.register(NAMESPACE)
    return infrastructure.temporal.address


@pytest.fixture(scope="session")
def settings(
    infrastructure: Infrastructure,
    database_url: str,
    temporal_server: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Settings:
    """Settings of a whole product on production parts, whose contents leave through the API."""
    home = tmp_path_factory.mktemp("product")
    settings = infrastructure.settings(
        DATABASE, NAMESPACE, home, fetch_allow_hosts="", reconcile_interval_s=0.2
    )
    return settings.model_copy(update={"object_store_url": f"{settings.object_store_url}?links=api"})
