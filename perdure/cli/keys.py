"""`perdure rotate-keys` for an organisation, `perdure master-key` for the installation."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import typer
from rich import box
from rich.table import Table
from rich.text import Text

from perdure.cli import operations
from perdure.cli.output import JsonOption, client, console, print_json, run
from perdure.errors import ConfigurationError
from perdure.master_key_file import add_key, key_file_path, makes_key_file
from perdure.settings import Settings

if TYPE_CHECKING:
    from perdure.db.session import Database
    from perdure.master_keys import MasterKeys

master_key = typer.Typer(no_args_is_help=True, help="The keys that protect all others.")


def rotate_keys(as_json: JsonOption = False) -> None:
    """Encrypt the organisation's secrets with a new key, while everything runs; needs a key of an owner."""
    operation = run(_start_rotation())
    operations.watch(operation["id"], as_json=as_json)


@master_key.command(name="list")
def list_keys(as_json: JsonOption = False) -> None:
    """Show which master keys are given, and which still protect something."""
    keys = run(_list())
    if as_json:
        print_json({"master_keys": keys})
        return
    table = Table(header_style="bold", box=box.SIMPLE_HEAD)
    for column in ("master key", "", "data keys"):
        table.add_column(column)
    for key in keys:
        wraps = {True: "protects some", False: "protects none", None: "unknown: no database"}[key["in_use"]]
        table.add_row(key["id"], "current" if key["current"] else "for reading", wraps)
    console.print(table)


@master_key.command()
def rotate(as_json: JsonOption = False) -> None:
    """Put a new master key first in the key file, and all data keys under it; running processes take it up."""
    made, rewrapped, path = run(_rotate())
    if as_json:
        print_json({"master_key": made, "rewrapped": rewrapped, "file": path})
        return
    console.print(
        Text.assemble("The master key is ", (made, "bold"), "; running processes take it up by themselves.")
    )
    if rewrapped is None:
        console.print(
            "The data keys stay under the old one: DATABASE_OWNER_URL is not set. Run `perdure master-key rewrap` "
            "where it is."
        )
    else:
        console.print(f"{rewrapped} data keys are under it now.")
    console.print(
        Text(
            f"Back up {path} again. The old keys stay in it, for reading: what Temporal keeps of closed workflows "
            "and your database backups need them.",
            style="yellow",
        )
    )


@master_key.command()
def rewrap(as_json: JsonOption = False) -> None:
    """Put the data keys of all organisations under the current master key; needs DATABASE_OWNER_URL."""
    current, rewrapped = run(_rewrap())
    if as_json:
        print_json({"master_key": current, "rewrapped": rewrapped})
    else:
        console.print(f"{rewrapped} data keys were put under {current}.")


async def _start_rotation() -> dict[str, Any]:
    async with client() as api:
        return await api.call("POST", "/keys/rotation")


async def _list() -> list[dict[str, Any]]:
    # Late, as in all of these: `perdure up` would carry the database's modules for as long as it runs.
    from perdure.db.data_key_repository import MasterKeyRepository  # noqa: PLC0415  # see above

    settings = Settings.load()
    keys = _load(settings)
    in_use: set[str] | None = None
    if settings.database_url:
        async with _connected(settings.database_url) as database, database.transaction(None) as session:
            in_use = await MasterKeyRepository(session).in_use()
    return [
        {
            "id": key_id,
            "current": key_id == keys.current_id,
            "in_use": None if in_use is None else key_id in in_use,
        }
        for key_id in keys.ids()
    ]


async def _rotate() -> tuple[str, int | None, str]:
    from perdure.db.master_key_check import check_master_keys  # noqa: PLC0415  # see `_list`

    settings = Settings.load()
    path = key_file_path(settings)
    if not makes_key_file(settings):
        msg = (
            "The current master key does not come from the key file, so none can be added there. Give all "
            "processes the new key in the last place, then in the first, and run `perdure master-key rewrap`: "
            "see docs/decisions/0007-envelope-encryption.md"
        )
        raise ConfigurationError(msg)
    _load(settings)
    if settings.database_url:  # a file of another database must not be added to
        async with _connected(settings.database_url) as database:
            await check_master_keys(database, settings)
    made = add_key(path)
    rewrapped = (await _rewrap())[1] if settings.database_owner_url else None
    return made.id, rewrapped, str(path)


async def _rewrap() -> tuple[str, int]:
    from perdure.db.master_key_rewrap import rewrap_all  # noqa: PLC0415  # see `_list`

    settings = Settings.load()
    if not settings.database_owner_url:
        msg = (
            "DATABASE_OWNER_URL is not set: only the role that owns the schema sees the data keys of all "
            "organisations. Set it, or start the embedded database with `perdure up`"
        )
        raise ConfigurationError(msg)
    keys = _load(settings)
    async with _connected(settings.database_owner_url) as owner:
        return keys.current_id, await rewrap_all(owner, keys)


def _load(settings: Settings) -> "MasterKeys":
    from perdure.master_keys import load_master_keys  # noqa: PLC0415  # see `_list`

    return load_master_keys(settings, make=False)


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator["Database"]:
    from perdure.db.session import Database  # noqa: PLC0415  # see `_list`

    database = Database(url, pool_size=1)
    try:
        yield database
    finally:
        await database.aclose()
