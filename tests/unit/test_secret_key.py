"""The installation's secret."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from perdure.errors import ConfigurationError
from perdure.secret_key import FILE_NAME, load_secret_key
from perdure.settings import Settings


def test_a_configured_secret_wins(tmp_path: Path) -> None:
    secret = "s" * 40
    assert load_secret_key(Settings(home=tmp_path, secret_key=secret)) == secret.encode()
    assert not (tmp_path / FILE_NAME).exists()


def test_a_short_secret_is_refused_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="openssl rand"):
        load_secret_key(Settings(home=tmp_path, secret_key="short"))


def test_the_first_start_makes_a_secret_that_stays(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "not there yet")
    secret = load_secret_key(settings)
    assert load_secret_key(settings) == secret
    assert len(secret) == 64
    assert (settings.home / FILE_NAME).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in settings.home.iterdir()] == [FILE_NAME]


def test_processes_that_start_together_agree(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    with ThreadPoolExecutor(16) as pool:
        secrets = set(pool.map(lambda _: load_secret_key(settings), range(32)))
    assert len(secrets) == 1
    assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]


def test_a_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    load_secret_key(settings)
    (tmp_path / FILE_NAME).chmod(0o644)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        load_secret_key(settings)


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    load_secret_key(settings)
    (tmp_path / FILE_NAME).write_text("")
    with pytest.raises(ConfigurationError, match="damaged"):
        load_secret_key(settings)
