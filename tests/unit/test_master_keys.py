"""Where master keys come from, and what is refused."""

import base64
import json
import shlex
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from perdure import master_keys
from perdure.errors import ConfigurationError
from perdure.master_key_file import FILE_NAME, add_key
from perdure.master_keys import MasterKeys, load_master_keys
from perdure.passphrase_key import ITERATIONS, SALT_FILE_NAME
from perdure.settings import Settings

FIRST, SECOND = bytes(range(32)), bytes(range(32, 64))


def base64_of(key: bytes) -> str:
    return base64.b64encode(key).decode()


def key_file(home: Path, *lines: str) -> Path:
    path = home / FILE_NAME
    path.write_text("\n".join(lines) + "\n")
    path.chmod(0o600)
    return path


def test_keys_of_the_variable_are_taken_in_their_order(tmp_path: Path) -> None:
    written = f"new:{base64_of(SECOND)}, old:{base64_of(FIRST)}"
    keys = load_master_keys(Settings(home=tmp_path, master_keys=written))
    assert (keys.current_id, keys.ids()) == ("new", ("new", "old"))
    assert (keys.key("new"), keys.key("old")) == (SECOND, FIRST)
    assert not (tmp_path / FILE_NAME).exists()


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (base64_of(FIRST), "form `id:base64`"),
        (f":{base64_of(FIRST)}", "form `id:base64`"),
        ("a:not base64!", "no base64"),
        ("a:", "no base64"),
        (f"a:{base64_of(FIRST[:16])}", "16 bytes instead of 32"),
        (f"a:{base64_of(FIRST)},a:{base64_of(SECOND)}", "two different keys have the id a"),
    ],
)
def test_a_variable_that_holds_no_keys_is_refused_and_never_shown(
    tmp_path: Path, written: str, said: str
) -> None:
    with pytest.raises(ConfigurationError, match=said) as refusal:
        load_master_keys(Settings(home=tmp_path, master_keys=written))
    assert base64_of(FIRST) not in str(refusal.value)


def test_the_first_start_makes_a_key_that_stays(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "not there yet")
    made = load_master_keys(settings)
    again = load_master_keys(settings)
    assert made.key(made.current_id) == again.key(again.current_id)
    assert (settings.home / FILE_NAME).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in settings.home.iterdir()] == [FILE_NAME]
    assert "Back this file up" in (settings.home / FILE_NAME).read_text()


def test_processes_that_start_together_agree_on_a_key(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    with ThreadPoolExecutor(16) as pool:
        made = list(pool.map(lambda _: load_master_keys(settings), range(32)))
    assert len({keys.key(keys.current_id) for keys in made}) == 1
    assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]


def test_a_missing_file_is_not_made_where_that_is_forbidden(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="missing: restore it from your backup"):
        load_master_keys(Settings(home=tmp_path), make=False)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("lines", [[""], ["# only a comment"], ["mk-1:?"], ["mk-1"], ["\x00\x01"]])
def test_a_damaged_file_is_refused(tmp_path: Path, lines: list[str]) -> None:
    key_file(tmp_path, *lines)
    with pytest.raises(ConfigurationError, match="damaged: restore it from your backup"):
        load_master_keys(Settings(home=tmp_path))


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    key_file(tmp_path).write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigurationError, match="restore it from your backup"):
        load_master_keys(Settings(home=tmp_path))


def test_a_key_that_lost_its_end_is_refused(tmp_path: Path) -> None:
    load_master_keys(Settings(home=tmp_path))
    path = tmp_path / FILE_NAME
    path.write_text(path.read_text()[:-5] + "\n")
    with pytest.raises(ConfigurationError, match=FILE_NAME + "|bytes instead of 32"):
        load_master_keys(Settings(home=tmp_path))


def test_a_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    load_master_keys(Settings(home=tmp_path))
    (tmp_path / FILE_NAME).chmod(0o640)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        load_master_keys(Settings(home=tmp_path))


def test_the_file_may_lie_elsewhere_and_an_empty_setting_is_none(tmp_path: Path) -> None:
    elsewhere = tmp_path / "mounted" / "keys"
    load_master_keys(Settings(home=tmp_path, master_key_file=elsewhere))
    assert elsewhere.exists()
    assert Settings.model_validate({"master_key_file": ""}).master_key_file is None


def test_a_variable_and_the_file_together_let_an_installation_move(tmp_path: Path) -> None:
    key_file(tmp_path, f"old:{base64_of(FIRST)}")
    keys = load_master_keys(Settings(home=tmp_path, master_keys=f"new:{base64_of(SECOND)}"))
    assert keys.ids() == ("new", "old")


def test_a_passphrase_always_gives_the_same_key(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, master_passphrase="correct horse battery")
    keys, again = load_master_keys(settings), load_master_keys(settings)
    assert keys.current_id == again.current_id
    assert keys.key(keys.current_id) == again.key(again.current_id)
    assert [path.name for path in tmp_path.iterdir()] == [SALT_FILE_NAME]
    assert int((tmp_path / SALT_FILE_NAME).read_text().split(":")[1]) == ITERATIONS >= 600_000


def test_another_passphrase_is_noticed_by_its_id(tmp_path: Path) -> None:
    first = load_master_keys(Settings(home=tmp_path, master_passphrase="correct horse battery"))
    second = load_master_keys(Settings(home=tmp_path, master_passphrase="correct horse batterx"))
    assert first.current_id != second.current_id
    with pytest.raises(ConfigurationError, match="is not given"):
        second.key(first.current_id)


def test_a_short_passphrase_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="choose a longer one"):
        load_master_keys(Settings(home=tmp_path, master_passphrase="short"))


@pytest.mark.parametrize("salt", ["", "pbkdf2-sha256:600000:", "pbkdf2-sha256:1000:AAAAAAAAAAAAAAAAAAAAAA=="])
def test_a_damaged_or_weakened_salt_is_refused(tmp_path: Path, salt: str) -> None:
    (tmp_path / SALT_FILE_NAME).write_text(salt)
    with pytest.raises(ConfigurationError, match="restore it from your backup"):
        load_master_keys(Settings(home=tmp_path, master_passphrase="correct horse battery"))


def kms(script: str) -> str:
    return shlex.join([sys.executable, "-c", script])


UNMASK = (
    "import sys; data = sys.stdin.buffer.read(); sys.stdout.buffer.write(bytes(byte ^ 90 for byte in data))"
)


def masked(key: bytes) -> str:
    return base64_of(bytes(byte ^ 90 for byte in key))


def test_a_key_service_unwraps_the_keys_of_the_file(tmp_path: Path) -> None:
    key_file(tmp_path, f"new:{masked(SECOND)}", f"old:{masked(FIRST)}")
    keys = load_master_keys(Settings(home=tmp_path, kms_command=kms(UNMASK)))
    assert (keys.ids(), keys.key("new"), keys.key("old")) == (("new", "old"), SECOND, FIRST)


def test_a_key_service_may_answer_in_base64_and_knows_the_id(tmp_path: Path) -> None:
    key_file(tmp_path, f"root:{base64_of(b'a wrapped blob')}")
    script = (
        "import os, sys; assert sys.stdin.read() == 'a wrapped blob';"
        f"print({json.dumps(base64_of(FIRST))} if os.environ['PERDURE_MASTER_KEY_ID'] == 'root' else '')"
    )
    assert load_master_keys(Settings(home=tmp_path, kms_command=kms(script))).key("root") == FIRST


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (kms("import sys; sys.exit('access denied')"), "ended with 1 for the master key root: access denied"),
        (kms("print('short')"), "printed 6 bytes"),
        ("/does/not/exist", "cannot be run"),
        ("'unbalanced", "cannot be run"),
    ],
)
def test_a_key_service_that_fails_is_named(tmp_path: Path, command: str, said: str) -> None:
    key_file(tmp_path, f"root:{base64_of(b'a wrapped blob')}")
    with pytest.raises(ConfigurationError, match=said):
        load_master_keys(Settings(home=tmp_path, kms_command=command))


def test_without_its_file_a_key_service_has_nothing_to_unwrap(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="missing"):
        load_master_keys(Settings(home=tmp_path, kms_command=kms(UNMASK)))
    assert not list(tmp_path.iterdir())


def test_a_key_added_to_the_file_is_found_by_its_id_at_once(tmp_path: Path) -> None:
    keys = load_master_keys(Settings(home=tmp_path))
    old = keys.current_id
    added = add_key(tmp_path / FILE_NAME)
    assert keys.key(added.id) == added.content
    assert keys.ids() == (added.id, old)


def test_a_key_added_to_the_file_becomes_the_current_one_of_running_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(master_keys, "_LOOK_AGAIN_S", 0.05)
    keys = load_master_keys(Settings(home=tmp_path))
    added = add_key(tmp_path / FILE_NAME)
    time.sleep(0.06)
    assert keys.current_id == added.id


def test_a_file_that_is_damaged_later_changes_nothing_for_a_running_process(tmp_path: Path) -> None:
    keys = load_master_keys(Settings(home=tmp_path))
    known = keys.key(keys.current_id)
    (tmp_path / FILE_NAME).write_text("nonsense\n")
    with pytest.raises(ConfigurationError, match="is not given"):
        keys.key("unknown")
    assert keys.key(keys.current_id) == known


def test_derived_keys_differ_by_purpose_and_by_key() -> None:
    keys = MasterKeys({"a": FIRST, "b": SECOND})
    derived = {keys.derive(name, purpose) for name in ("a", "b") for purpose in ("one", "two")}
    assert {len(key) for key in derived} == {32}
    assert len(derived | {FIRST, SECOND}) == 6
    assert keys.derive("a", "one") == MasterKeys({"a": FIRST}).derive("a", "one")


def test_nothing_prints_a_key(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, master_keys=f"a:{base64_of(FIRST)}", master_passphrase="x" * 20)
    keys = load_master_keys(settings)
    shown = f"{settings!r} {settings} {keys!r} {keys}"
    assert base64_of(FIRST) not in shown
    assert "xxxx" not in shown
    assert repr(FIRST) not in shown
    with pytest.raises(AttributeError):
        keys.current_id = "b"  # type: ignore[misc]  # that it cannot be set is the test
