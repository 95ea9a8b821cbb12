"""The installation's secret: from `PERDURE_SECRET_KEY`, or made once and kept in `<home>/secret.key`."""

import os
import secrets
import stat
from pathlib import Path

from perdure.errors import ConfigurationError
from perdure.settings import Settings

FILE_NAME = "secret.key"
_MIN_LENGTH = 32


def load_secret_key(settings: Settings) -> bytes:
    """Return the secret; processes that start at the same moment agree on one."""
    if settings.secret_key:
        if len(settings.secret_key) < _MIN_LENGTH:
            detail = (
                f"PERDURE_SECRET_KEY has fewer than {_MIN_LENGTH} characters; set it to the output of "
                "`openssl rand -hex 32`."
            )
            raise ConfigurationError(detail)
        return settings.secret_key.encode()
    path = settings.home / FILE_NAME
    if not path.exists():
        _create(path)
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        detail = f"{path} can be read by others; run `chmod 600 {path}`."
        raise ConfigurationError(detail)
    secret = path.read_text(encoding="ascii").strip()
    if len(secret) < _MIN_LENGTH:
        detail = (
            f"{path} is damaged; restore it from a backup, or delete it (everyone must then log in again)."
        )
        raise ConfigurationError(detail)
    return secret.encode()


def _create(path: Path) -> None:
    """Write a new secret under a name of its own and link it into place: the first process wins, whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secrets.token_hex(32))
        file.flush()
        os.fsync(file.fileno())
    try:
        path.hardlink_to(draft)
    except FileExistsError:
        pass  # another process was first: its secret counts
    finally:
        draft.unlink()
