"""Rotation under readers and writers, cut off and run again: nothing is lost, and nothing stays under the old key."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text
from temporalio.exceptions import ApplicationError

from activities.encryption import EncryptionActivities
from perdure.db.key_rotation import KeyRotation
from perdure.db.keyring import Keyring
from perdure.db.sealed_columns import SEALED_COLUMNS
from perdure.db.secret_repository import SecretRepository
from perdure.db.session import Database
from perdure.domain.ids import new_id
from perdure.embedded import postgres
from perdure.master_keys import MasterKeys
from perdure.schemas.encryption import KeyRotationJob, NewDataKey, ReencryptJob, SealedPosition
from tests.sealed_secrets import (
    NEW,
    OLD,
    VALUE,
    a_database,
    data_keys,
    make_secret,
    rotate,
    sealed_with,
    value_of,
)

SECRETS = next(column for column in SEALED_COLUMNS if column.name == "organisation_secrets.sealed")


@pytest.fixture(scope="module")
async def database(embedded_postgres: postgres.EmbeddedPostgres) -> AsyncIterator[Database]:
    async with a_database(embedded_postgres) as database:
        yield database


@pytest.fixture
def keyring() -> Keyring:
    return Keyring(MasterKeys({"test-old": OLD}))


async def a_page_that_dies_before_its_commit(
    database: Database, organisation_id: str, keyring: Keyring
) -> None:
    async with database.transaction(organisation_id) as session:
        await KeyRotation(session, organisation_id, keyring).reencrypt(SECRETS, "", 4)
        raise ConnectionAbortedError


async def test_a_rotation_leaves_nothing_under_the_old_key(
    database: Database, organisation_id: str, keyring: Keyring
) -> None:
    made = [await make_secret(database, organisation_id, keyring, f"value {number}") for number in range(10)]
    (before,) = await sealed_with(database, organisation_id)
    after = await rotate(database, organisation_id, keyring)
    assert await sealed_with(database, organisation_id) == {after}
    keys = await data_keys(database, organisation_id)
    assert keys[after].active
    assert keys[before].retired_at is not None
    for number, secret_id in enumerate(made):
        assert await value_of(database, organisation_id, keyring, secret_id) == f"value {number}"


async def test_a_rotation_moves_data_keys_under_the_current_master_key(
    database: Database, organisation_id: str, keyring: Keyring
) -> None:
    secret_id = await make_secret(database, organisation_id, keyring)
    await rotate(database, organisation_id, Keyring(MasterKeys({"test-new": NEW, "test-old": OLD})))
    serving = [key for key in (await data_keys(database, organisation_id)).values() if key.retired_at is None]
    assert {key.master_key_id for key in serving} == {"test-new"}
    # The old master key can go.
    without = Keyring(MasterKeys({"test-new": NEW}))
    assert await value_of(database, organisation_id, without, secret_id) == VALUE


async def test_an_operation_makes_one_key_however_often_it_asks(
    database: Database, organisation_id: str, keyring: Keyring
) -> None:
    operation_id = new_id("op")
    made = []
    for _ in range(2):
        async with database.transaction(organisation_id) as session:
            made.append(await KeyRotation(session, organisation_id, keyring).make_key(operation_id))
    assert made[0] == made[1]
    assert len(await data_keys(database, organisation_id)) == 1


async def test_a_rotation_that_was_cut_off_is_finished_by_the_next_one(
    database: Database, organisation_id: str, keyring: Keyring
) -> None:
    made = [await make_secret(database, organisation_id, keyring, f"value {number}") for number in range(9)]
    operation_id = new_id("op")
    async with database.transaction(organisation_id) as session:
        await KeyRotation(session, organisation_id, keyring).make_key(operation_id)
    async with database.transaction(organisation_id) as session:
        await KeyRotation(session, organisation_id, keyring).reencrypt(SECRETS, "", 4)
    with pytest.raises(ConnectionAbortedError):
        await a_page_that_dies_before_its_commit(database, organisation_id, keyring)
    assert len(await sealed_with(database, organisation_id)) == 2
    for number, secret_id in enumerate(made):
        assert await value_of(database, organisation_id, keyring, secret_id) == f"value {number}"
    newest = await rotate(database, organisation_id, keyring)
    assert await sealed_with(database, organisation_id) == {newest}
    keys = await data_keys(database, organisation_id)
    assert [key.id for key in keys.values() if key.retired_at is None] == [newest]
    for number, secret_id in enumerate(made):
        assert await value_of(database, organisation_id, keyring, secret_id) == f"value {number}"


async def test_readers_and_writers_notice_nothing_of_rotations(
    database: Database, organisation_id: str, keyring: Keyring
) -> None:
    """Two rotations side by side, writers that replace and make secrets, readers that read: nothing lost or stale."""
    rings = [Keyring(MasterKeys({"test-old": OLD})) for _ in range(3)]
    expected = {await make_secret(database, organisation_id, keyring, "0"): "0" for _ in range(20)}
    done = asyncio.Event()
    reads = writes = 0

    async def write(number: int) -> None:
        nonlocal writes
        mine = list(expected)[number::2]
        while not done.is_set():
            writes += 1
            for secret_id in mine:
                value = f"{number} {writes}"
                async with database.transaction(organisation_id) as session:
                    await SecretRepository(session, organisation_id, rings[number]).replace(secret_id, value)
                expected[secret_id] = value
            created = await make_secret(database, organisation_id, rings[number], "new")
            expected[created] = "new"

    async def read() -> None:
        nonlocal reads
        while not done.is_set():
            for secret_id in list(expected):
                await value_of(database, organisation_id, rings[2], secret_id)
                reads += 1

    others = [asyncio.create_task(work) for work in (write(0), write(1), read())]
    try:
        for _ in range(2):
            await asyncio.gather(
                rotate(database, organisation_id, keyring), rotate(database, organisation_id, rings[2])
            )
    finally:
        done.set()
        await asyncio.gather(*others)
    assert reads
    assert writes
    last = await rotate(database, organisation_id, keyring)
    assert await sealed_with(database, organisation_id) == {last}
    for secret_id, value in expected.items():
        assert await value_of(database, organisation_id, rings[2], secret_id) == value


async def test_after_the_new_key_is_made_no_value_appears_under_the_old_one(
    database: Database, organisation_id: str, keyring: Keyring
) -> None:
    """The rotation waits for a writer that has sealed and not committed: its page would miss that value otherwise."""
    await make_secret(database, organisation_id, keyring)
    (old,) = await data_keys(database, organisation_id)
    async with database.transaction(organisation_id) as session:
        await SecretRepository(session, organisation_id, keyring).create(
            name="late", kind="other", value="late", created_by=None
        )
        rotation = asyncio.create_task(rotate(database, organisation_id, keyring))
        await asyncio.sleep(0.2)
        assert not rotation.done()
    new = await rotation
    assert await sealed_with(database, organisation_id) == {new}
    assert (await data_keys(database, organisation_id))[old].retired_at is not None


async def test_a_value_that_does_not_open_is_named_and_keeps_its_key(
    database: Database, organisation_id: str, keyring: Keyring
) -> None:
    good, bad = [await make_secret(database, organisation_id, keyring) for _ in range(2)]
    async with database.transaction(organisation_id) as session:
        await session.execute(
            text(
                "UPDATE organisation_secrets SET sealed = set_byte(sealed, 60, 255 - get_byte(sealed, 60)) "
                "WHERE id = :id"
            ),
            {"id": bad},
        )
    (old,) = await sealed_with(database, organisation_id)
    new = await rotate(database, organisation_id, keyring)
    async with database.transaction(organisation_id) as session:
        page = await KeyRotation(session, organisation_id, keyring).reencrypt(SECRETS, "", 10)
        retirement = await KeyRotation(session, organisation_id, keyring).retire()
    assert page.unreadable == [f"organisation_secrets.sealed of {bad}"]
    assert (retirement.retired, retirement.still_needed) == (0, [old])
    assert await sealed_with(database, organisation_id) == {old, new}
    assert await value_of(database, organisation_id, keyring, good) == VALUE


@pytest.fixture
def activities(database: Database, keyring: Keyring) -> EncryptionActivities:
    return EncryptionActivities(database.transaction, keyring)


@pytest.mark.parametrize(
    ("column", "count", "following"),
    [
        ("a.gone", 0, "organisation_secrets.sealed"),
        ("messages.sealed_recipient", 0, "organisation_secrets.sealed"),
        ("n.gone", 1, "provider_keys.sealed"),
        ("organisation_secrets.sealed", 0, "provider_keys.sealed"),
        ("provider_keys.sealed", 0, "webhook_endpoints.sealed_previous_secret"),
        ("webhook_endpoints.sealed_url", 0, None),
        ("z.gone", 0, None),
    ],
)
async def test_a_position_of_another_version_starts_the_next_column_afresh(
    database: Database,
    organisation_id: str,
    keyring: Keyring,
    activities: EncryptionActivities,
    column: str,
    count: int,
    following: str | None,
) -> None:
    secret_id = await make_secret(database, organisation_id, keyring)
    scope = {"organisation_id": organisation_id, "operation_id": new_id("op")}
    await activities.make_data_key(KeyRotationJob(**scope))
    position = SealedPosition(column=column, after_id=secret_id)
    page = await activities.reencrypt_page(ReencryptJob(**scope, position=position))
    assert (page.count, page.position) == (count, following and SealedPosition(column=following))


async def test_a_page_that_ran_and_was_not_heard_of_runs_again(
    database: Database, organisation_id: str, keyring: Keyring, activities: EncryptionActivities
) -> None:
    for _ in range(3):
        await make_secret(database, organisation_id, keyring)
    scope = {"organisation_id": organisation_id, "operation_id": new_id("op")}
    made = [await activities.make_data_key(KeyRotationJob(**scope)) for _ in range(2)]
    assert made[0] == made[1] == NewDataKey(data_key_id=made[0].data_key_id, remaining=3)
    job = ReencryptJob(**scope, position=SealedPosition(column=SECRETS.name))
    assert [(await activities.reencrypt_page(job)).count for _ in range(2)] == [3, 0]
    retired = [(await activities.retire_data_keys(KeyRotationJob(**scope))).retired for _ in range(2)]
    assert retired == [1, 1]


async def test_a_deleted_organisation_has_no_keys_to_retire(
    database: Database, activities: EncryptionActivities
) -> None:
    job = KeyRotationJob(organisation_id=new_id("org"), operation_id=new_id("op"))
    with pytest.raises(ApplicationError, match="was deleted") as failure:
        await activities.retire_data_keys(job)
    assert failure.value.non_retryable


async def test_a_missing_master_key_ends_the_rotation_and_changes_nothing(
    database: Database, organisation_id: str, keyring: Keyring
) -> None:
    secret_id = await make_secret(database, organisation_id, keyring)
    stranger = EncryptionActivities(database.transaction, Keyring(MasterKeys({"test-new": NEW})))
    job = KeyRotationJob(organisation_id=organisation_id, operation_id=new_id("op"))
    with pytest.raises(ApplicationError, match="master key test-old is not given") as failure:
        await stranger.rewrap_data_keys(job)
    assert failure.value.non_retryable
    assert await value_of(database, organisation_id, keyring, secret_id) == VALUE
