"""The file with the master keys: one `id:base64` a line, the current one first, readable by its owner alone."""

import base64
import binascii
import os
import re
import secrets
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from perdure.errors import ConfigurationError
from perdure.settings import Settings

FILE_NAME = "master.keys"
KEY_BYTES = 32
KEY_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_LONGEST_BYTES = 8 * 1024  # of a wrapped key: what a key service returns is far below
_HEADER = (
    "# Master keys of Perdure, the current one first. Back this file up, apart from the database:",
    "# without it nothing that was encrypted with these keys can be read again.",
)


@dataclass(frozen=True)
class KeyEntry:
    """A key as it stands in a file or a variable: 32 bytes, or what a key service wrapped."""

    id: str
    content: bytes = field(repr=False)


def key_file_path(settings: Settings) -> Path:
    """Where the master key file is, or would be made."""
    return settings.master_key_file or settings.home / FILE_NAME


def makes_key_file(settings: Settings) -> bool:
    """Whether a missing file is made at the first start: not where keys come from elsewhere."""
    return not (settings.master_keys or settings.master_passphrase or settings.kms_command)


def new_entry() -> KeyEntry:
    """A fresh random key under a fresh id."""
    return KeyEntry(f"mk-{secrets.token_hex(6)}", secrets.token_bytes(KEY_BYTES))


def parse_entry(written: str, where: str, remedy: str) -> KeyEntry:
    """Read `id:base64`. Errors name the place and never what stands there: it may be a key."""
    identifier, colon, encoded = written.strip().partition(":")
    if not colon or not KEY_ID.fullmatch(identifier):
        detail = f"{where} is not of the form `id:base64`. {remedy}"
        raise ConfigurationError(detail)
    try:
        content = base64.b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError):
        content = b""
    if not content or len(content) > _LONGEST_BYTES:
        detail = f"{where} (key {identifier}) holds no base64 of a key. {remedy}"
        raise ConfigurationError(detail)
    return KeyEntry(identifier, content)


def unique(entries: list[KeyEntry], where: str) -> tuple[KeyEntry, ...]:
    """The same entries; ConfigurationError when an id stands for two keys."""
    known: dict[str, bytes] = {}
    for entry in entries:
        if known.setdefault(entry.id, entry.content) != entry.content:
            detail = f"{where}: two different keys have the id {entry.id}; give each key an id of its own."
            raise ConfigurationError(detail)
    return tuple(KeyEntry(identifier, content) for identifier, content in known.items())


def read_key_file(path: Path) -> tuple[KeyEntry, ...]:
    """Every entry; ConfigurationError when others can read the file or when it is damaged."""
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="ascii")
    except FileNotFoundError as error:
        detail = f"The master key file {path} is missing: restore it from your backup."
        raise ConfigurationError(detail) from error
    except (OSError, UnicodeDecodeError) as error:
        reason = "it is damaged" if isinstance(error, UnicodeDecodeError) else error.strerror or "no reason"
        detail = f"The master key file {path} cannot be read ({reason}): restore it from your backup."
        raise ConfigurationError(detail) from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        detail = f"{path} can be read by others; run `chmod 600 {path}`."
        raise ConfigurationError(detail)
    remedy = "The file is damaged: restore it from your backup."
    entries = [
        parse_entry(line, f"Line {number} of {path}", remedy)
        for number, line in enumerate(text.splitlines(), 1)
        if line.strip() and not line.startswith("#")
    ]
    if not entries:
        detail = f"{path} holds no key. {remedy}"
        raise ConfigurationError(detail)
    return unique(entries, str(path))


def make_key_file(path: Path) -> None:
    """Write a fresh key under a name of its own and link it into place: the first process wins, whole."""
    draft = _write_draft(path, [new_entry()])
    try:
        path.hardlink_to(draft)
    except FileExistsError:
        pass  # another process was first: its key counts
    finally:
        draft.unlink()


def add_key(path: Path) -> KeyEntry:
    """Put a fresh key before those of the file, which stay for reading; replaces the file at once."""
    entry = new_entry()
    draft = _write_draft(path, [entry, *read_key_file(path)])
    draft.replace(path)
    return entry


def by_id(entries: tuple[KeyEntry, ...]) -> Mapping[str, bytes]:
    """Contents by id, in their order."""
    return {entry.id: entry.content for entry in entries}


def _write_draft(path: Path, entries: list[KeyEntry]) -> Path:
    lines = [*_HEADER, *(f"{entry.id}:{base64.b64encode(entry.content).decode()}" for entry in entries)]
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write("\n".join(lines) + "\n")
        file.flush()
        os.fsync(file.fileno())
    return draft
