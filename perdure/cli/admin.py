"""`perdure doctor` and `perdure migrate`."""

import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from perdure.cli.output import JsonOption, console, print_json, run
from perdure.errors import ConfigurationError
from perdure.settings import Settings


def doctor(as_json: JsonOption = False) -> None:
    """Check everything that Perdure needs, and say how to mend what fails."""
    # In a process of its own: the checks speak to Temporal, which nothing else here may import.
    command = [sys.executable, "-m", "api.doctor", *(["--json"] if as_json else [])]
    ended = subprocess.run(command, check=False, cwd=Path(__file__).parents[2])  # noqa: S603  # fixed arguments
    raise typer.Exit(ended.returncode)


def migrate(
    check: Annotated[bool, typer.Option("--check", help="Change nothing; exit code 1 when behind.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Bring the database to the schema that this version needs."""
    current, newest = run(_migrate(change=not check))
    if as_json:
        print_json({"current": current, "newest": newest})
    elif current == newest:
        console.print(f"The database is at {newest}, the newest revision.")
    else:
        console.print(f"The database is at {current}; this version needs {newest}. Run `perdure migrate`.")
    if current != newest:
        raise typer.Exit(1)


async def _migrate(*, change: bool) -> tuple[str | None, str]:
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
    return await migrations.current_revision(settings.database_owner_url), migrations.newest_revision()
