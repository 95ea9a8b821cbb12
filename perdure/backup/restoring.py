"""Makes an installation out of a backup, in a home that holds none."""

import asyncio
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from perdure.backup import database, manifest
from perdure.backup.manifest import Manifest, copy_hashed, faults
from perdure.backup.parts import OBJECTS_ELSEWHERE, POSTGRES_ELSEWHERE, TEMPORAL_ELSEWHERE
from perdure.backup.taking import Say, key_files
from perdure.embedded import postgres
from perdure.embedded.stack_files import StackFiles
from perdure.errors import ConfigurationError, ConflictError, InvalidInputError
from perdure.master_key_file import FILE_NAME as MASTER_KEYS
from perdure.master_key_file import key_file_path, makes_key_file, read_key_file
from perdure.passphrase_key import SALT_FILE_NAME
from perdure.providers.obstore_object_store import directory_of
from perdure.secret_key import FILE_NAME as SECRET_KEY
from perdure.settings import Settings

# Made again when missing, or put back by hand before a restore.
_MAY_BE_THERE = frozenset({"bin", "models", "tmp", "stack.lock", MASTER_KEYS, SALT_FILE_NAME, SECRET_KEY})


@dataclass(frozen=True)
class Restored:
    """What was restored; `to_do` is what the installation still needs before it can be started."""

    manifest: Manifest
    to_do: tuple[str, ...]


async def check(directory: Path) -> Manifest:
    """Read a backup through; InvalidInputError that lists everything that is missing or damaged."""
    made = Manifest.read(directory)
    found = await asyncio.to_thread(faults, directory, made)
    if found:
        listed = "\n".join(f"  {fault}" for fault in found[:20])
        more = f"\n  … and {len(found) - 20} more" if len(found) > 20 else ""
        msg = f"{directory} is not the backup that was taken. Use another one.\n{listed}{more}"
        raise InvalidInputError(msg)
    return made


async def restore(settings: Settings, directory: Path, say: Say) -> Restored:
    """Fill an empty home. Everything is checked first, and appears in the home only when all of it is there."""
    home = settings.home
    _check_empty(settings)
    say("reading the backup through")
    made = await check(directory)
    home.mkdir(parents=True, exist_ok=True)
    files = StackFiles(home)
    files.lock()
    # Beside the final places, so that the files move in without being copied again.
    unfinished = Path(tempfile.mkdtemp(prefix=".restoring-", dir=home))
    try:
        if made.has(manifest.DATABASE):
            say("database")
            await _restore_database(directory / manifest.DATABASE, unfinished / "postgres")
        say("objects and Temporal")
        await asyncio.to_thread(_copy_files, directory, made, unfinished)
        await asyncio.to_thread(_move_in, settings, unfinished)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
        files.unlock()
    return Restored(made, tuple(_to_do(settings, made)))


def _check_empty(settings: Settings) -> None:
    home = settings.home
    found = sorted(path.name for path in home.iterdir()) if home.exists() else []
    there = [name for name in found if name not in _MAY_BE_THERE and not name.startswith(".restoring-")]
    objects = directory_of(settings.objects_url)
    if objects is not None and objects.exists() and any(objects.iterdir()):
        there.append(str(objects))
    if there:
        msg = f"{home} is not empty ({', '.join(there[:5])}): move it away, or set PERDURE_HOME to a new directory"
        raise ConflictError(msg)


async def _restore_database(dump: Path, data_directory: Path) -> None:
    server = await asyncio.to_thread(postgres.start, data_directory)
    try:
        await database.fill(server.socket_directory, dump)
    finally:
        await asyncio.to_thread(postgres.stop, data_directory)


def _copy_files(directory: Path, made: Manifest, unfinished: Path) -> None:
    places = {manifest.TEMPORAL: "temporal/temporal.db"}
    for file in made.files:
        if file.path == manifest.DATABASE:
            continue
        path = places.get(file.path, file.path)
        with (directory / file.path).open("rb") as source:
            if copy_hashed(source, unfinished / path, file.path) != file:
                msg = f"{file.path} of the backup changed while it was read: nothing was restored"
                raise InvalidInputError(msg)


def _move_in(settings: Settings, unfinished: Path) -> None:
    """Move everything to its place, keys last; those that are there already stay."""
    objects = directory_of(settings.objects_url) or settings.home / "objects"
    for name, place in {"objects": objects, "temporal": settings.home / "temporal"}.items():
        if (unfinished / name).exists():
            if place.exists():
                place.rmdir()
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(unfinished / name, place)
    for name, place in key_files(settings).items():
        kept = unfinished / manifest.KEYS / name
        if kept.exists() and not place.exists():
            shutil.move(kept, place)
    # Last: what has a database is taken for an installation.
    if (unfinished / "postgres").exists():
        (unfinished / "postgres").rename(settings.home / "postgres")


def _to_do(settings: Settings, made: Manifest) -> list[str]:
    wanted = set(made.master_key_ids)
    to_do = []
    if wanted and makes_key_file(settings):
        try:
            wanted -= {entry.id for entry in read_key_file(key_file_path(settings))}
        except ConfigurationError as error:
            to_do.append(str(error))
        if wanted:
            to_do.append(
                f"Put {key_file_path(settings)} back from where you keep it: nothing that was encrypted opens "
                f"without the master keys {', '.join(sorted(wanted))}."
            )
    elif wanted:
        to_do.append(f"Give Perdure the master keys {', '.join(sorted(wanted))}, as before.")
    if not settings.secret_key and not (settings.home / SECRET_KEY).exists():
        to_do.append(
            f"Put {settings.home / SECRET_KEY} back, too: with another one everyone must log in again, and audit "
            "anchors count as forged."
        )
    remedies = {
        "database": POSTGRES_ELSEWHERE,
        "temporal": TEMPORAL_ELSEWHERE,
        "objects": OBJECTS_ELSEWHERE,
    }
    to_do += [
        f"Restore the {part} by its own means; it is not in this backup. ({remedies.get(part, why)})"
        for part, why in made.elsewhere.items()
    ]
    return to_do
