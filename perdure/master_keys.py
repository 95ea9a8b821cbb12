"""The master keys of an installation: from variables, from a passphrase, from a file, or from a key service."""

import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import structlog
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from perdure.errors import ConfigurationError
from perdure.kms_command import unwrap
from perdure.master_key_file import (
    KEY_BYTES,
    KeyEntry,
    by_id,
    key_file_path,
    make_key_file,
    makes_key_file,
    parse_entry,
    read_key_file,
    unique,
)
from perdure.passphrase_key import SALT_FILE_NAME, passphrase_key
from perdure.settings import Settings

logger = structlog.get_logger("perdure.master_keys")

# How long a changed file may go unnoticed by a process that only encrypts.
_LOOK_AGAIN_S = 1.0

Signature = tuple[int, int, int]


class MasterKeys:
    """Master keys by id; the current one encrypts, the others are for reading.

    Nothing can be set on it. Keys that are added to its file are found without a restart: at once when one is
    asked for by its id, within a second as the current one. Safe in several threads.
    """

    def __init__(self, keys: Mapping[str, bytes], watched: "WatchedFile | None" = None) -> None:
        """Hold these; the first is the current one."""
        self._keys = _checked(keys)
        self._watched = watched
        self._derived: dict[tuple[str, str], bytes] = {}
        self._lock = threading.Lock()
        self._looked_at = time.monotonic()

    def __repr__(self) -> str:
        return f"MasterKeys({', '.join(self._keys)})"

    @property
    def current_id(self) -> str:
        """Id of the key to encrypt with."""
        if time.monotonic() - self._looked_at > _LOOK_AGAIN_S:
            self._look()
        return next(iter(self._keys))

    def ids(self) -> tuple[str, ...]:
        """Ids of all keys, the current one first."""
        if time.monotonic() - self._looked_at > _LOOK_AGAIN_S:
            self._look()
        return tuple(self._keys)

    def key(self, key_id: str) -> bytes:
        """The 32 bytes of a key; ConfigurationError when it is not among them."""
        if key_id not in self._keys:
            self._look()
        found = self._keys.get(key_id)
        if found is None:
            detail = (
                f"The master key {key_id} is not given (known: {', '.join(self._keys)}): restore the master "
                "key file from your backup, or add the key to PERDURE_MASTER_KEYS."
            )
            raise ConfigurationError(detail)
        return found

    def derive(self, key_id: str, purpose: str) -> bytes:
        """A key of 32 bytes for one purpose out of a master key (HKDF-SHA256)."""
        derived = self._derived.get((key_id, purpose))
        if derived is None:
            kdf = HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=b"perdure/" + purpose.encode())
            derived = self._derived[key_id, purpose] = kdf.derive(self.key(key_id))
        return derived

    def _look(self) -> None:
        """Read the watched file again if it changed; keep what is known while it cannot be read."""
        if self._watched is None:
            return
        with self._lock:
            self._looked_at = time.monotonic()
            try:
                keys = self._watched.changed()
            except ConfigurationError as error:
                logger.warning("master_keys_not_read_again", detail=str(error))
                return
            if keys is not None:
                # What was readable stays readable, as it was, until the process ends.
                order = {**keys, **self._keys}
                self._keys = _checked({name: self._keys.get(name, key) for name, key in order.items()})
                logger.info("master_keys_changed", current=next(iter(self._keys)), known=len(self._keys))


class WatchedFile:
    """Reads the keys again when the file was replaced."""

    def __init__(self, path: Path, read: Callable[[], Mapping[str, bytes]]) -> None:
        self._path, self._read = path, read
        self._seen = self._signature()

    def changed(self) -> Mapping[str, bytes] | None:
        """The keys of a file that changed since the last look, else None."""
        signature = self._signature()
        if signature is None or signature == self._seen:
            return None
        self._seen = signature  # also when reading fails: one warning for each faulty file
        return self._read()

    def _signature(self) -> Signature | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size


def load_master_keys(settings: Settings, *, make: bool = True) -> MasterKeys:
    """Read every configured source; the first of variable, passphrase and file has the current key.

    The others are for reading, so that an installation can move from one to another. With `make`, a file that is
    missing is made, if nothing else is configured; processes that start together agree on it.
    """
    path = key_file_path(settings)
    if make and makes_key_file(settings) and not path.exists():
        make_key_file(path)
    entries = _variable(settings.master_keys)
    if settings.master_passphrase:
        entries.append(passphrase_key(settings.master_passphrase, settings.home / SALT_FILE_NAME))
    if entries and not path.exists():
        return MasterKeys(by_id(unique(entries, "The master keys")))
    read = partial(_read, tuple(entries), path, settings.kms_command, {})
    watched = WatchedFile(path, read)  # before the first reading: a change in between is seen later
    return MasterKeys(read(), watched)


def _variable(written: str) -> list[KeyEntry]:
    remedy = "Write `id:base64,id2:base64`, the current key first; make one with `openssl rand -base64 32`."
    parts = [part for part in written.split(",") if part.strip()]
    entries = [
        parse_entry(part, f"Entry {number} of PERDURE_MASTER_KEYS", remedy)
        for number, part in enumerate(parts, 1)
    ]
    return list(unique(entries, "PERDURE_MASTER_KEYS"))


def _read(
    entries: tuple[KeyEntry, ...], path: Path, kms_command: str, unwrapped: dict[KeyEntry, KeyEntry]
) -> Mapping[str, bytes]:
    """Keys of variable and passphrase, then those of the file; each wrapped one is unwrapped once."""
    stored = read_key_file(path)
    if kms_command:
        for entry in stored:
            if entry not in unwrapped:
                unwrapped[entry] = unwrap(kms_command, entry)
        stored = tuple(unwrapped[entry] for entry in stored)
    return by_id(unique([*entries, *stored], "The master keys"))


def _checked(keys: Mapping[str, bytes]) -> dict[str, bytes]:
    if not keys:
        detail = "No master key is given: set PERDURE_MASTER_KEYS, or restore the master key file."
        raise ConfigurationError(detail)
    for identifier, key in keys.items():
        if len(key) != KEY_BYTES:
            detail = (
                f"The master key {identifier} has {len(key)} bytes instead of {KEY_BYTES}. Make one with "
                "`openssl rand -base64 32`; if a key service wrapped it, set PERDURE_KMS_COMMAND."
            )
            raise ConfigurationError(detail)
    return dict(keys)
