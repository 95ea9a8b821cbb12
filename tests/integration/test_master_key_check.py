"""What a start refuses. Each test has a database of its own: a start notes its master key there for ever."""

import asyncio
import base64
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import ProgrammingError

from perdure.db.keyring import Keyring
from perdure.db.master_key_check import check_master_keys
from perdure.db.models import MasterKeyRow
from perdure.db.session import Database
from perdure.domain.ids import new_id
from perdure.embedded import postgres
from perdure.errors import ConfigurationError
from perdure.master_key_file import FILE_NAME
from perdure.master_keys import MasterKeys
from perdure.settings import Settings
from tests.sealed_secrets import NEW, OLD, VALUE, a_database, make_secret, rotate, value_of


@pytest.fixture
async def empty(embedded_postgres: postgres.EmbeddedPostgres) -> AsyncIterator[Database]:
    async with a_database(embedded_postgres) as database:
        yield database


def file_settings(home: Path, *keys: tuple[str, bytes]) -> Settings:
    home.mkdir(exist_ok=True)
    lines = [f"{name}:{base64.b64encode(key).decode()}" for name, key in keys]
    (home / FILE_NAME).write_text("\n".join(lines) + "\n")
    (home / FILE_NAME).chmod(0o600)
    return Settings(home=home)


async def organisation_with_a_secret(database: Database, keys: MasterKeys) -> tuple[str, str]:
    organisation_id = new_id("org")
    async with database.transaction(organisation_id) as session:
        await session.execute(
            text("INSERT INTO organisations (id, name) VALUES (:id, 'Keys')"), {"id": organisation_id}
        )
    return organisation_id, await make_secret(database, organisation_id, Keyring(keys))


async def test_the_first_start_makes_a_key_and_the_second_takes_it(empty: Database, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    first, second = await check_master_keys(empty, settings), await check_master_keys(empty, settings)
    assert first.key(first.current_id) == second.key(second.current_id)
    async with empty.transaction(None) as session:
        assert list(await session.scalars(select(MasterKeyRow.id))) == [first.current_id]


async def test_two_homes_that_start_on_one_database_do_not_make_two_keys(
    empty: Database, tmp_path: Path
) -> None:
    homes = [Settings(home=tmp_path / name) for name in ("a", "b", "c")]
    outcomes = await asyncio.gather(
        *(check_master_keys(empty, home) for home in homes), return_exceptions=True
    )
    refusals = [str(outcome) for outcome in outcomes if isinstance(outcome, ConfigurationError)]
    assert len(refusals) == 2
    assert all("is missing: restore it from your backup" in refusal for refusal in refusals)
    assert [(home.home / FILE_NAME).exists() for home in homes].count(True) == 1


async def test_a_lost_file_is_not_made_anew(empty: Database, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    keys = await check_master_keys(empty, settings)
    await organisation_with_a_secret(empty, keys)
    (tmp_path / FILE_NAME).unlink()
    for _ in range(2):
        with pytest.raises(ConfigurationError, match="restore it from your backup"):
            await check_master_keys(empty, settings)
    assert not (tmp_path / FILE_NAME).exists()


async def test_another_key_under_the_same_id_is_refused(empty: Database, tmp_path: Path) -> None:
    await check_master_keys(empty, file_settings(tmp_path, ("root", OLD)))
    with pytest.raises(ConfigurationError, match="The master key root is not the one"):
        await check_master_keys(empty, file_settings(tmp_path, ("root", NEW)))


async def test_another_key_is_refused_even_before_anything_is_encrypted(
    empty: Database, tmp_path: Path
) -> None:
    await check_master_keys(empty, file_settings(tmp_path, ("old", OLD)))
    with pytest.raises(ConfigurationError, match="used with the master key old, and another one is given"):
        await check_master_keys(empty, file_settings(tmp_path, ("new", NEW)))


async def test_a_key_that_still_wraps_data_keys_may_not_go_before_a_rotation(
    empty: Database, tmp_path: Path
) -> None:
    keys = await check_master_keys(empty, file_settings(tmp_path, ("old", OLD)))
    organisation_id, secret_id = await organisation_with_a_secret(empty, keys)
    both = await check_master_keys(empty, file_settings(tmp_path, ("new", NEW), ("old", OLD)))
    with pytest.raises(ConfigurationError, match="encrypted under the master key old, not given"):
        await check_master_keys(empty, file_settings(tmp_path, ("new", NEW)))
    await rotate(empty, organisation_id, Keyring(both))
    alone = await check_master_keys(empty, file_settings(tmp_path, ("new", NEW)))
    assert await value_of(empty, organisation_id, Keyring(alone), secret_id) == VALUE


async def test_another_passphrase_is_refused(empty: Database, tmp_path: Path) -> None:
    await check_master_keys(empty, Settings(home=tmp_path, master_passphrase="correct horse battery"))
    with pytest.raises(ConfigurationError, match="another one is given"):
        await check_master_keys(empty, Settings(home=tmp_path, master_passphrase="wrong horse battery"))


async def test_the_app_cannot_change_what_a_master_key_is_known_by(empty: Database, tmp_path: Path) -> None:
    await check_master_keys(empty, Settings(home=tmp_path))
    for statement in ("UPDATE master_keys SET check_value = ''", "DELETE FROM master_keys"):
        with pytest.raises(ProgrammingError, match="permission denied"):
            async with empty.transaction(None) as session:
                await session.execute(text(statement))
