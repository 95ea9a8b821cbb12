"""`perdure doctor` and `perdure migrate`."""

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from perdure.cli.output import JsonOption, console, print_json, run
from perdure.errors import ConfigurationError
from perdure.settings import Settings

if TYPE_CHECKING:
    from perdure.db.migrate import Schema


def doctor(as_json: JsonOption = False) -> None:
    """Check everything that Perdure needs, and say how to mend what fails."""
    # In a process of its own: the checks speak to Temporal, which nothing else here may import.
    command = [sys.executable, "-m", "api.doctor", *(["--json"] if as_json else [])]
    ended = subprocess.run(command, check=False, cwd=Path(__file__).parents[2])  # noqa: S603  # fixed arguments
    raise typer.Exit(ended.returncode)


def migrate(
    check: Annotated[
        bool,
        typer.Option("--check", help="Change nothing; exit code 1 when behind or ahead of this version."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Bring the database to the schema that this version needs, beside whatever uses it."""
    schema = run(_migrate(change=not check))
    if as_json:
        print_json(
            {
                "current": schema.current,
                "newest": schema.newest,
                "pending": schema.pending,
                "ahead": schema.ahead,
                "usable": schema.usable,
            }
        )
    else:
        console.print(_describe(schema))
    matches = schema.current == schema.newest
    # A newer version's additions are no fault, except to who asks whether all is equal.
    raise typer.Exit(0 if matches or (schema.usable and not check) else 1)


def _describe(schema: "Schema") -> str:
    if schema.ahead:
        what = "goes on running on it" if schema.usable else "cannot run on it: start the newer version"
        return (
            f"The database is at {schema.current}, which a newer version made; this one, which knows "
            f"{schema.newest}, {what}."
        )
    if schema.pending:
        return (
            f"The database is at {schema.current or 'no revision'}; this version needs {schema.newest}. "
            f"Pending: {', '.join(schema.pending)}. Run `perdure migrate`."
        )
    return f"The database is at {schema.current}, the newest revision."


async def _migrate(*, change: bool) -> "Schema":
    # Forty megabytes that `perdure up` would carry for as long as it runs.
    from sqlalchemy.engine import make_url  # noqa: PLC0415  # see above

    from perdure.db import migrate as migrations  # noqa: PLC0415  # see above

    settings = Settings.load()
    if not settings.database_owner_url:
        msg = (
            "DATABASE_OWNER_URL is not set: migrations run as the role that owns the schema, never as the "
            "app's. Set it, or start the embedded database with `perdure up`"
        )
        raise ConfigurationError(msg)
    app_role = make_url(settings.database_url).username if settings.database_url else None
    if change:
        await migrations.upgrade(settings.database_owner_url, app_role or "perdure_app")
    return await migrations.schema(settings.database_owner_url)
