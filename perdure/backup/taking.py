"""Takes a backup while everything runs.

Temporal's moment comes first and the database's a few milliseconds later: whatever Temporal believes done is then in
the database, and what it believes open is done again, which is harmless. The other way round, effects would be lost.
Objects are copied after both, while deletions are held, so that everything either moment knows is still there.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from perdure import __version__
from perdure.audit_anchors import FOLDER as ANCHORS
from perdure.backup import database, manifest, temporal_file
from perdure.backup.manifest import BackupFile, Manifest, copy_hashed, hashed
from perdure.backup.parts import Parts
from perdure.embedded import postgres
from perdure.embedded.stack_files import StackFiles
from perdure.errors import ConflictError
from perdure.master_key_file import FILE_NAME as MASTER_KEYS
from perdure.master_key_file import key_file_path
from perdure.passphrase_key import SALT_FILE_NAME
from perdure.providers.held_deletions import HELD, HeldDeletions
from perdure.providers.obstore_object_store import is_unfinished
from perdure.secret_key import FILE_NAME as SECRET_KEY
from perdure.settings import Settings

Say = Callable[[str], None]
_COPIED_AT_ONCE = 64


@dataclass
class _Backup:
    """One backup in the making."""

    parts: Parts
    directory: Path
    say: Say
    files: list[BackupFile] = field(default_factory=list)


async def take(settings: Settings, directory: Path, say: Say, *, with_keys: bool) -> Manifest:
    """Write a backup into an empty or new directory; without its manifest, which comes last, it is none."""
    parts = Parts.of(settings)
    _make_empty(directory)
    started, taken_at = time.monotonic(), datetime.now(UTC)
    backup = _Backup(parts, directory, say)
    async with _serving(parts):
        held = await _copy_everything(backup)
    if with_keys:
        backup.files.extend(await asyncio.to_thread(_copy_keys, settings, directory))
    made = Manifest(
        perdure=__version__,
        taken_at=taken_at,
        seconds=round(time.monotonic() - started, 3),
        schema_revision=held.revision if held else None,
        database_server=held.server if held else None,
        elsewhere=parts.elsewhere,
        counts={**(held.counts if held else {}), "objects": _count_objects(backup.files)},
        master_key_ids=held.master_key_ids if held else (),
        with_keys=with_keys,
        files=tuple(backup.files),
    )
    await asyncio.to_thread(os.sync)
    made.write(directory)
    return made


def _make_empty(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    if any(directory.iterdir()):
        msg = f"{directory} is not empty: give each backup a directory of its own"
        raise ConflictError(msg)
    directory.chmod(0o700)


@asynccontextmanager
async def _serving(parts: Parts) -> AsyncIterator[None]:
    """Have the database served; when nothing runs, for the time of the backup, and nothing may start meanwhile."""
    files = StackFiles(parts.home)
    if parts.postgres is None or files.is_locked():
        yield
        return
    files.lock()
    try:
        await asyncio.to_thread(postgres.start, parts.postgres)
        yield
    finally:
        await asyncio.to_thread(postgres.stop, parts.postgres)
        files.unlock()


async def _copy_everything(backup: _Backup) -> database.Moment | None:
    parts = backup.parts
    if parts.objects is None:
        held, _ = await _copy_moments(backup, None)
        return held
    with HeldDeletions(parts.objects).held() as set_aside:
        objects = _Objects(parts.objects, set_aside)
        # Written over again and again: an anchor that is older than the trail is true, a newer one is not.
        await _copy_objects(backup, objects, [key for key in objects.list() if _is_anchor(key)])
        held, keys = await _copy_moments(backup, objects)
        await _copy_objects(backup, objects, keys)
    return held


async def _copy_moments(
    backup: _Backup, objects: "_Objects | None"
) -> tuple[database.Moment | None, list[str]]:
    """Copy Temporal and the database, and say which objects they need at most."""
    parts, directory = backup.parts, backup.directory
    server = await _server(parts.postgres) if parts.postgres is not None else ""
    held: database.Moment | None = None
    async with AsyncExitStack() as dumping:
        with ExitStack() as copying:
            temporal = copying.enter_context(temporal_file.moment(parts.temporal)) if parts.temporal else None
            if server:
                held = await dumping.enter_async_context(database.moment(server))
            keys = [key for key in objects.list() if not _is_anchor(key)] if objects else []
            if temporal is not None:
                backup.say("Temporal")
                await asyncio.to_thread(temporal_file.copy, temporal, directory / manifest.TEMPORAL)
                backup.files.append(await asyncio.to_thread(hashed, directory, manifest.TEMPORAL))
        if held is not None:
            backup.say("database")
            await database.dump(server, held.snapshot, directory / manifest.DATABASE)
            backup.files.append(await asyncio.to_thread(hashed, directory, manifest.DATABASE))
    return held, keys


async def _server(data_directory: Path) -> str:
    cluster = await asyncio.to_thread(postgres.prepare, data_directory)
    await postgres.wait_until_ready(cluster)
    return str(cluster.socket_directory)


@dataclass(frozen=True)
class _Objects:
    """A directory of objects, and where deletions are set aside."""

    root: Path
    set_aside: Path

    def list(self) -> list[str]:
        """Keys of all that are there now, or were when the deletions began to be held."""
        return sorted({*_keys_below(self.root), *_keys_below(self.set_aside)})

    def open(self, key: str) -> IO[bytes]:
        """Read one; deleted in this moment, it is where deletions are set aside."""
        try:
            return (self.root / key).open("rb")
        except FileNotFoundError:
            return (self.set_aside / key).open("rb")


def _keys_below(root: Path) -> Iterator[str]:
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(HELD)]
        base = Path(folder).relative_to(root)
        yield from ((base / name).as_posix() for name in names if not is_unfinished(name))


def _is_anchor(key: str) -> bool:
    return key.startswith(f"{ANCHORS}/")


async def _copy_objects(backup: _Backup, objects: _Objects, keys: list[str]) -> None:
    def copy_some(some: list[str]) -> list[BackupFile]:
        copied = []
        for key in some:
            path = f"{manifest.OBJECTS}/{key}"
            with objects.open(key) as source:
                copied.append(copy_hashed(source, backup.directory / path, path))
        return copied

    for first in range(0, len(keys), _COPIED_AT_ONCE):
        backup.say(f"objects: {first} of {len(keys)}")
        backup.files.extend(await asyncio.to_thread(copy_some, keys[first : first + _COPIED_AT_ONCE]))


def _copy_keys(settings: Settings, directory: Path) -> list[BackupFile]:
    copied = []
    for name, source in key_files(settings).items():
        if source.exists():
            path = f"{manifest.KEYS}/{name}"
            with source.open("rb") as file:
                copied.append(copy_hashed(file, directory / path, path))
    return copied


def key_files(settings: Settings) -> dict[str, Path]:
    """The files without which a backup cannot be read, or logins do not hold, by their names in a backup."""
    return {
        MASTER_KEYS: key_file_path(settings),
        SALT_FILE_NAME: settings.home / SALT_FILE_NAME,
        SECRET_KEY: settings.home / SECRET_KEY,
    }


def _count_objects(files: list[BackupFile]) -> int:
    return sum(file.path.startswith(f"{manifest.OBJECTS}/") for file in files)
