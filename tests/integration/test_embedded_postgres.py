import asyncio
import os
import shutil
import signal
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from perdure.embedded import postgres
from perdure.errors import UnavailableError


@pytest.fixture
def data_directory() -> Iterator[Path]:
    parent = Path(tempfile.mkdtemp(prefix="perdure-test-"))
    yield parent / "postgres"
    postgres.stop(parent / "postgres")
    shutil.rmtree(parent)


def query(server: postgres.EmbeddedPostgres, role: str, sql: str) -> object:
    async def run() -> object:
        connection = await asyncpg.connect(server.url(role))
        try:
            return await connection.fetchval(sql)
        finally:
            await connection.close()

    return asyncio.run(run())


def test_a_killed_server_starts_again_with_what_it_acknowledged(data_directory: Path) -> None:
    server = postgres.start(data_directory)
    query(server, postgres.OWNER_ROLE, "CREATE TABLE kept AS SELECT 7 AS number")
    os.kill(server.pid, signal.SIGKILL)
    again = postgres.start(data_directory)
    assert again.pid != server.pid
    assert query(again, postgres.OWNER_ROLE, "SELECT number FROM kept") == 7
    assert postgres.start(data_directory).pid == again.pid


def test_the_roles_and_settings_are_those_the_app_relies_on(data_directory: Path) -> None:
    server = postgres.start(data_directory)
    weak = (
        "SELECT NOT (rolsuper OR rolbypassrls OR rolcreatedb OR rolcreaterole)"
        " FROM pg_roles WHERE rolname = current_user"
    )
    assert query(server, postgres.APP_ROLE, weak) is True
    assert query(server, postgres.OWNER_ROLE, weak) is True
    for setting, value in {
        "synchronous_commit": "on",
        "fsync": "on",
        "listen_addresses": "",
        "jit": "off",
        "shared_buffers": "256MB",  # and not what `initdb` wrote into the same file
    }.items():
        assert query(server, postgres.APP_ROLE, f"SHOW {setting}") == value
    assert query(server, postgres.APP_ROLE, "SELECT to_tsvector('simple', 'Ünï—word “quoted”')::text") == (
        "'quoted':3 'word':2 'ünï':1"
    )
    assert stat.S_IMODE(data_directory.stat().st_mode) == 0o700


def test_a_pid_file_whose_number_belongs_to_another_process_is_no_obstacle(data_directory: Path) -> None:
    postgres.prepare(data_directory)
    (data_directory / "postmaster.pid").write_text(f"{os.getpid()}\n{data_directory}\n")
    assert postgres.start(data_directory).pid != os.getpid()


def test_a_half_made_cluster_is_made_again(data_directory: Path) -> None:
    (data_directory / "base").mkdir(parents=True)
    (data_directory / "postgresql.conf").write_text("")
    assert query(postgres.start(data_directory), postgres.APP_ROLE, "SELECT 1") == 1


def test_a_directory_with_other_files_is_left_alone(data_directory: Path) -> None:
    data_directory.mkdir()
    (data_directory / "thesis.docx").write_text("years of work")
    with pytest.raises(UnavailableError, match="move it away"):
        postgres.start(data_directory)
    assert (data_directory / "thesis.docx").exists()


def test_a_long_path_gets_its_socket_elsewhere(data_directory: Path) -> None:
    deep = data_directory / ("d" * 100)
    server = postgres.start(deep)
    try:
        assert len(server.socket_directory) < 90
        assert query(server, postgres.APP_ROLE, "SELECT 1") == 1
    finally:
        postgres.stop(deep)
        shutil.rmtree(server.socket_directory)


def test_data_of_another_major_version_is_left_alone(data_directory: Path) -> None:
    data_directory.mkdir(parents=True)
    (data_directory / "PG_VERSION").write_text("16\n")
    with pytest.raises(UnavailableError, match="made by PostgreSQL 16"):
        postgres.start(data_directory)
    assert (data_directory / "PG_VERSION").read_text() == "16\n"


def test_a_users_own_settings_win_and_stay(data_directory: Path) -> None:
    postgres.prepare(data_directory)
    with (data_directory / "postgresql.conf").open("a") as file:
        file.write("work_mem = '9MB'\n")
    assert query(postgres.start(data_directory), postgres.APP_ROLE, "SHOW work_mem") == "9MB"
