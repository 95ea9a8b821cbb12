"""What a backup holds, with the hash of each file, and whether that is so."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Literal

from pydantic import ValidationError

from perdure.embedded.stack_files import write_private
from perdure.errors import InvalidInputError, NotFoundError
from perdure.schemas.base import Contract, Instant, Sha256

MANIFEST = "manifest.json"
DATABASE = "database.dump"
TEMPORAL = "temporal.db"
OBJECTS = "objects"
KEYS = "keys"

_PIECE_BYTES = 1024 * 1024


class BackupFile(Contract):
    """A file of a backup; `path` is relative to it."""

    path: str
    size_bytes: int
    sha256: Sha256


class Manifest(Contract):
    """`elsewhere` says, for each part that is not in here, how it is to be backed up."""

    format: Literal[1] = 1
    perdure: str
    taken_at: Instant
    seconds: float
    schema_revision: str | None
    database_server: str | None
    elsewhere: dict[str, str]
    counts: dict[str, int]
    master_key_ids: tuple[str, ...]
    with_keys: bool
    files: tuple[BackupFile, ...]

    @property
    def size_bytes(self) -> int:
        """Of all files together."""
        return sum(file.size_bytes for file in self.files)

    def has(self, path: str) -> bool:
        """Whether this file, or something in this folder, is a part of it."""
        return any(file.path == path or file.path.startswith(f"{path}/") for file in self.files)

    def write(self, directory: Path) -> None:
        """Write it: the last thing that a backup does."""
        write_private(directory / MANIFEST, self.model_dump_json(indent=1) + "\n")

    @classmethod
    def read(cls, directory: Path) -> "Manifest":
        """Read it; NotFoundError for what is no backup, or one that was cut off."""
        try:
            return cls.model_validate_json((directory / MANIFEST).read_bytes())
        except FileNotFoundError as error:
            msg = f"{directory} holds no {MANIFEST}: it is no backup, or one that was cut off; take another"
            raise NotFoundError(msg) from error
        except ValidationError as error:
            msg = f"{directory / MANIFEST} is damaged, or of a newer version of Perdure: {error.errors()[0]['msg']}"
            raise InvalidInputError(msg) from error


def copy_hashed(source: IO[bytes], target: Path, path: str) -> BackupFile:
    """Copy into a private file that must not be there yet, and hash it on the way. Blocking."""
    digest, size_bytes = hashlib.sha256(), 0
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        while piece := source.read(_PIECE_BYTES):
            digest.update(piece)
            size_bytes += file.write(piece)
    return BackupFile(path=path, size_bytes=size_bytes, sha256=digest.hexdigest())


def hashed(directory: Path, path: str) -> BackupFile:
    """The entry of a file that lies in the backup. Blocking."""
    with (directory / path).open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return BackupFile(path=path, size_bytes=file.tell(), sha256=digest)


def faults(directory: Path, manifest: Manifest) -> list[str]:
    """What is missing, damaged or too much; empty for a sound backup. Blocking."""
    return [*_faulty(directory, manifest), *_foreign(directory, manifest)]


def _faulty(directory: Path, manifest: Manifest) -> Iterator[str]:
    for expected in manifest.files:
        try:
            found = hashed(directory, expected.path)
        except FileNotFoundError:
            yield f"{expected.path} is missing"
        except OSError as error:
            yield f"{expected.path} cannot be read: {error.strerror}"
        else:
            if found != expected:
                yield (
                    f"{expected.path} is damaged: {found.size_bytes} bytes with SHA-256 {found.sha256[:12]}…, "
                    f"written were {expected.size_bytes} with {expected.sha256[:12]}…"
                )


def _foreign(directory: Path, manifest: Manifest) -> Iterator[str]:
    known = {MANIFEST, *(file.path for file in manifest.files)}
    for path in sorted(directory.rglob("*")):
        if path.is_file() and path.relative_to(directory).as_posix() not in known:
            yield f"{path.relative_to(directory)} is in no list: nobody knows where it comes from"
