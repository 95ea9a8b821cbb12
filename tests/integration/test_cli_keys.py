"""`perdure rotate-keys` against the API's contract, `perdure master-key` on a real database."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import text
from typer.testing import CliRunner, Result

from api import doctor
from api.doctor import Finding, Verdict
from perdure.cli import app
from perdure.db import migrate
from perdure.db.keyring import Keyring
from perdure.db.master_key_check import check_master_keys
from perdure.db.session import Database
from perdure.domain.ids import new_id
from perdure.embedded import postgres
from perdure.master_key_file import FILE_NAME
from perdure.master_keys import MasterKeys, load_master_keys
from perdure.settings import Settings
from tests.api_stub import KEY, ApiStub, operation, serving
from tests.sealed_secrets import VALUE, make_secret, value_of


def perdure(*arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments], env={"COLUMNS": "200"})


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ApiStub]:
    with serving() as stub:
        monkeypatch.setenv("PERDURE_HOME", str(tmp_path / "home"))
        monkeypatch.setenv("PERDURE_URL", stub.url)
        monkeypatch.setenv("PERDURE_API_KEY", KEY)
        yield stub


def test_rotate_keys_starts_an_operation_and_follows_it(stub: ApiStub) -> None:
    result = {"data_key_id": "dk_2", "reencrypted": 3, "retired": 1}
    stub.always["POST", "/keys/rotation"] = (202, operation("op_1", "pending", kind="rotate_keys"))
    stub.always["GET", "/operations/op_1"] = (200, operation("op_1", kind="rotate_keys", result=result))
    said = perdure("rotate-keys", "--json")
    assert said.exit_code == 0, said.output
    assert json.loads(said.stdout)["result"] == result


def test_rotate_keys_without_the_right_says_who_has_it(stub: ApiStub) -> None:
    problem = {"title": "Permission denied", "detail": "This needs the scope encryption:rotate"}
    stub.always["POST", "/keys/rotation"] = (403, problem)
    said = perdure("rotate-keys")
    assert said.exit_code == 1
    assert "encryption:rotate" in said.output


@dataclass(frozen=True)
class Home:
    """An installation's home, and a database of its own with a secret in it."""

    settings: Settings
    organisations: dict[str, str]

    def keys(self) -> MasterKeys:
        return load_master_keys(self.settings, make=False)

    async def with_database(self, keys: MasterKeys) -> None:
        database = Database(self.settings.database_url)
        try:
            for organisation_id, secret_id in self.organisations.items():
                assert await value_of(database, organisation_id, Keyring(keys), secret_id) == VALUE
        finally:
            await database.aclose()


@pytest.fixture
def home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, embedded_postgres: postgres.EmbeddedPostgres
) -> Home:
    name = new_id("keys")
    settings = Settings(
        home=tmp_path,
        database_url=embedded_postgres.url(postgres.APP_ROLE, name),
        database_owner_url=embedded_postgres.url(postgres.OWNER_ROLE, name),
    )
    organisations: dict[str, str] = {}

    async def prepare() -> None:
        await postgres.ensure_database(embedded_postgres.socket_directory, name)
        await migrate.upgrade(settings.database_owner_url, postgres.APP_ROLE)
        database = Database(settings.database_url)
        keys = await check_master_keys(database, settings)
        for _ in range(3):
            organisation_id = new_id("org")
            async with database.transaction(organisation_id) as session:
                await session.execute(
                    text("INSERT INTO organisations (id, name) VALUES (:id, 'Keys')"), {"id": organisation_id}
                )
            organisations[organisation_id] = await make_secret(database, organisation_id, Keyring(keys))
        await database.aclose()

    asyncio.run(prepare())
    monkeypatch.setenv("PERDURE_HOME", str(tmp_path))
    monkeypatch.setenv("DATABASE_URL", settings.database_url)
    monkeypatch.setenv("DATABASE_OWNER_URL", settings.database_owner_url)
    return Home(settings, organisations)


def test_a_new_master_key_takes_over_all_data_keys(home: Home) -> None:
    running = home.keys()  # what a process has that started before
    old = running.current_id
    said = perdure("master-key", "rotate", "--json")
    assert said.exit_code == 0, said.output
    made = json.loads(said.stdout)
    assert (made["rewrapped"], made["file"]) == (3, str(home.settings.home / FILE_NAME))
    assert home.keys().ids() == (made["master_key"], old)
    assert (home.settings.home / FILE_NAME).stat().st_mode & 0o777 == 0o600
    asyncio.run(home.with_database(running))
    # The old key is not needed by the data keys any more.
    alone = MasterKeys({made["master_key"]: home.keys().key(made["master_key"])})
    asyncio.run(home.with_database(alone))
    listed = json.loads(perdure("master-key", "list", "--json").stdout)["master_keys"]
    assert [(key["id"], key["current"], key["in_use"]) for key in listed] == [
        (made["master_key"], True, True),
        (old, False, False),
    ]


def test_rotating_says_what_to_back_up(home: Home) -> None:
    said = perdure("master-key", "rotate")
    assert said.exit_code == 0, said.output
    assert "3 data keys are under it now" in said.stdout
    assert f"Back up {home.settings.home / FILE_NAME} again" in said.stdout


def test_without_the_owner_the_data_keys_wait(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_OWNER_URL")
    said = perdure("master-key", "rotate")
    assert "Run `perdure master-key rewrap`" in said.stdout
    refused = perdure("master-key", "rewrap")
    assert refused.exit_code == 1
    assert "DATABASE_OWNER_URL is not set" in refused.output
    monkeypatch.setenv("DATABASE_OWNER_URL", home.settings.database_owner_url)
    assert "3 data keys were put under" in perdure("master-key", "rewrap").stdout
    assert "0 data keys were put under" in perdure("master-key", "rewrap").stdout


def test_keys_of_a_variable_are_not_added_to_a_file(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERDURE_MASTER_PASSPHRASE", "correct horse battery")
    refused = perdure("master-key", "rotate")
    assert refused.exit_code == 1
    assert "0007-envelope-encryption" in refused.output
    assert len(home.keys().ids()) == 1


def test_a_file_of_another_database_is_not_added_to(home: Home) -> None:
    path = home.settings.home / FILE_NAME
    path.unlink()
    load_master_keys(Settings(home=home.settings.home))
    before = path.read_text()
    refused = perdure("master-key", "rotate")
    assert refused.exit_code == 1
    assert "not given" in refused.output
    assert path.read_text() == before


def found(settings: Settings) -> Finding:
    (finding,) = asyncio.run(doctor.check_encryption(settings))
    return finding


def test_the_doctor_knows_a_sound_a_foreign_and_a_lost_key(home: Home) -> None:
    path = home.settings.home / FILE_NAME
    sound = found(home.settings)
    assert sound.verdict is Verdict.OK
    assert f"{home.keys().current_id} encrypts" in sound.found
    path.unlink()
    lost = found(home.settings)
    assert (lost.verdict, path.exists()) == (Verdict.FAIL, False)
    assert "is missing" in lost.found
    assert "Restore" in lost.remedy
    load_master_keys(home.settings)
    foreign = found(home.settings)
    assert foreign.verdict is Verdict.FAIL
    assert "not given" in foreign.found


def test_the_doctor_makes_no_key(tmp_path: Path) -> None:
    assert found(Settings(home=tmp_path)).found == "made at the first start"
    assert not list(tmp_path.iterdir())
