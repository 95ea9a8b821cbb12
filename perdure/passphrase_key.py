"""A master key out of a passphrase: PBKDF2-HMAC-SHA256 with a salt that is kept in a file."""

import base64
import binascii
import hashlib
import hmac
import os
import secrets
from pathlib import Path

from perdure.errors import ConfigurationError
from perdure.master_key_file import KEY_BYTES, KeyEntry

SALT_FILE_NAME = "master.salt"
ITERATIONS = 600_000
SHORTEST_PASSPHRASE = 12
_METHOD = "pbkdf2-sha256"
_SALT_BYTES = 16


def passphrase_key(passphrase: str, salt_path: Path) -> KeyEntry:
    """The key, under an id that another passphrase or another salt would not have. Slow on purpose."""
    if len(passphrase) < SHORTEST_PASSPHRASE:
        detail = (
            f"PERDURE_MASTER_PASSPHRASE has fewer than {SHORTEST_PASSPHRASE} characters; choose a longer one."
        )
        raise ConfigurationError(detail)
    if not salt_path.exists():
        _make_salt(salt_path)
    iterations, salt = _read_salt(salt_path)
    key = hashlib.pbkdf2_hmac("sha256", passphrase.encode(), salt, iterations, KEY_BYTES)
    name = hmac.digest(key, b"perdure/master-key-id", "sha256")[:6].hex()
    return KeyEntry(f"passphrase-{name}", key)


def _read_salt(path: Path) -> tuple[int, bytes]:
    remedy = f"{path} is damaged: restore it from your backup, the passphrase alone gives another key."
    try:
        method, iterations, encoded = path.read_text(encoding="ascii").strip().split(":")
        salt = base64.b64decode(encoded, validate=True)
        rounds = int(iterations)
    except (OSError, UnicodeDecodeError, binascii.Error, ValueError) as error:
        raise ConfigurationError(remedy) from error
    if method != _METHOD or rounds < ITERATIONS or len(salt) < _SALT_BYTES:
        raise ConfigurationError(remedy)
    return rounds, salt


def _make_salt(path: Path) -> None:
    """Write under a name of its own and link it into place: processes that start together agree."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        salt = base64.b64encode(secrets.token_bytes(_SALT_BYTES)).decode()
        file.write(f"{_METHOD}:{ITERATIONS}:{salt}\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        path.hardlink_to(draft)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
