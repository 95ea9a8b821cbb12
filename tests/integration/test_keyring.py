"""Data keys on a real database: made once, wrapped, and of no use at another place."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import select, update

from perdure.db.keyring import Keyring
from perdure.db.models import OrganisationSecretRow, Row
from perdure.db.sealed_columns import SEALED_COLUMNS
from perdure.db.session import Database
from perdure.domain.ids import new_id
from perdure.domain.sealing import Place, key_id_of
from perdure.embedded import postgres
from perdure.errors import ConfigurationError, ConflictError, NotFoundError, SealedValueError
from perdure.master_keys import MasterKeys
from tests.sealed_secrets import NEW, OLD, VALUE, a_database, data_keys, make_secret, value_of


@pytest.fixture(scope="module")
async def database(embedded_postgres: postgres.EmbeddedPostgres) -> AsyncIterator[Database]:
    async with a_database(embedded_postgres) as database:
        yield database


@pytest.fixture
def keyring() -> Keyring:
    return Keyring(MasterKeys({"test-old": OLD}))


async def test_a_secret_is_stored_encrypted_and_comes_back(
    database: Database, organisation_id: str, keyring: Keyring
) -> None:
    secret_id = await make_secret(database, organisation_id, keyring)
    assert await value_of(database, organisation_id, keyring, secret_id) == VALUE
    async with database.transaction(organisation_id) as session:
        row = (await session.scalars(select(OrganisationSecretRow))).one()
    assert VALUE.encode() not in row.sealed
    assert row.last_four == VALUE[-4:]
    (key,) = (await data_keys(database, organisation_id)).values()
    assert key_id_of(row.sealed) == key.id
    assert (key.active, key.master_key_id, key_id_of(key.wrapped)) == (True, "test-old", "test-old")


async def test_another_process_with_the_master_key_reads_it(
    database: Database, organisation_id: str, keyring: Keyring
) -> None:
    secret_id = await make_secret(database, organisation_id, keyring)
    fresh = Keyring(MasterKeys({"test-new": NEW, "test-old": OLD}))
    assert await value_of(database, organisation_id, fresh, secret_id) == VALUE


async def test_a_short_value_is_not_told_by_its_end(
    database: Database, organisation_id: str, keyring: Keyring
) -> None:
    await make_secret(database, organisation_id, keyring, "hunter2")
    async with database.transaction(organisation_id) as session:
        assert (await session.scalars(select(OrganisationSecretRow.last_four))).one() is None


async def test_first_uses_at_the_same_time_make_one_data_key(
    database: Database, organisation_id: str, keyring: Keyring
) -> None:
    rings = [keyring, *(Keyring(MasterKeys({"test-old": OLD})) for _ in range(3))]
    made = await asyncio.gather(
        *(make_secret(database, organisation_id, rings[number % 4]) for number in range(12))
    )
    assert len(await data_keys(database, organisation_id)) == 1
    for secret_id in made:
        assert await value_of(database, organisation_id, rings[0], secret_id) == VALUE


async def test_a_value_that_is_copied_to_another_row_does_not_open(
    database: Database, organisation_id: str, keyring: Keyring
) -> None:
    one, other = [await make_secret(database, organisation_id, keyring) for _ in range(2)]
    async with database.transaction(organisation_id) as session:
        stolen = select(OrganisationSecretRow.sealed).where(OrganisationSecretRow.id == one).scalar_subquery()
        await session.execute(
            update(OrganisationSecretRow).where(OrganisationSecretRow.id == other).values(sealed=stolen)
        )
    assert await value_of(database, organisation_id, keyring, one) == VALUE
    with pytest.raises(SealedValueError, match=f"organisation_secrets.sealed of {other} cannot be decrypted"):
        await value_of(database, organisation_id, keyring, other)


async def test_a_value_of_another_organisation_does_not_open(
    database: Database, organisation_id: str, keyring: Keyring
) -> None:
    secret_id = await make_secret(database, organisation_id, keyring)
    other = new_id("org")
    async with database.transaction(organisation_id) as session:
        sealed = (await session.scalars(select(OrganisationSecretRow.sealed))).one()
        with pytest.raises(SealedValueError):
            await keyring.open(session, Place(other, "organisation_secrets", "sealed", secret_id), sealed)
    async with database.transaction(other) as session:
        fresh = Keyring(MasterKeys({"test-old": OLD}))
        with pytest.raises(SealedValueError, match="which this database does not have"):
            await fresh.open(session, Place(other, "organisation_secrets", "sealed", secret_id), sealed)


async def test_a_missing_master_key_is_named(
    database: Database, organisation_id: str, keyring: Keyring
) -> None:
    secret_id = await make_secret(database, organisation_id, keyring)
    with pytest.raises(ConfigurationError, match="master key test-old is not given"):
        await value_of(database, organisation_id, Keyring(MasterKeys({"test-new": NEW})), secret_id)


async def test_a_name_is_given_once_and_an_unknown_secret_is_not_found(
    database: Database, organisation_id: str, keyring: Keyring
) -> None:
    await make_secret(database, organisation_id, keyring, name="openai")
    with pytest.raises(ConflictError, match="'openai'"):
        await make_secret(database, organisation_id, keyring, name="openai")
    with pytest.raises(NotFoundError, match="GET /api/v1/secrets"):
        await value_of(database, organisation_id, keyring, new_id("sec"))


def test_every_column_with_bytes_is_sealed_or_wrapped() -> None:
    columns = {
        f"{table.name}.{column.name}"
        for table in Row.metadata.tables.values()
        for column in table.columns
        if column.type.python_type is bytes
    }
    wrapped = {"data_keys.wrapped", "master_keys.check_value"}
    # As readable as the vectors and the texts that search needs; the first are emptied when the request is done.
    plain = {"memory_requests.vectors", "classification_examples.vector", "classification_results.vector"}
    assert columns - wrapped - plain == {column.name for column in SEALED_COLUMNS}
    assert all(list(column.table.primary_key.columns.keys()) == ["id"] for column in SEALED_COLUMNS)
