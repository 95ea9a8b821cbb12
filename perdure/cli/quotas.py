"""`perdure quota`: what an organisation may have at most, straight in the database."""

from typing import Annotated

import typer
from rich import box
from rich.table import Table

from perdure.cli.output import JsonOption, console, print_json, run
from perdure.domain.quotas import Quota
from perdure.errors import ConfigurationError, InvalidInputError, NotFoundError
from perdure.settings import Settings

NO_LIMIT = "none"

Limit = Annotated[str | None, typer.Option(metavar="NUMBER|none", show_default=False)]
Usage = dict[Quota, tuple[int, int | None]]


def quota(
    organisation: Annotated[str, typer.Argument(help="Id of the organisation, org_….")],
    documents: Limit = None,
    stored_bytes: Limit = None,
    operations_per_day: Limit = None,
    members: Limit = None,
    as_json: JsonOption = False,
) -> None:
    """Show what an organisation uses, and set its quotas: a number, or none for no limit."""
    given = {
        Quota.DOCUMENTS: documents,
        Quota.STORED_BYTES: stored_bytes,
        Quota.OPERATIONS_PER_DAY: operations_per_day,
        Quota.MEMBERS: members,
    }
    usage = run(_set(organisation, given))
    if as_json:
        print_json({each.value: {"used": used, "limit": limit} for each, (used, limit) in usage.items()})
        return
    table = Table(header_style="bold", box=box.SIMPLE_HEAD)
    for column in ("quota", "used", "limit"):
        table.add_column(column, justify="left" if column == "quota" else "right")
    for each, (used, limit) in usage.items():
        table.add_row(each.value, f"{used:,}", NO_LIMIT if limit is None else f"{limit:,}")
    console.print(table)


def _limit(each: Quota, value: str) -> int | None:
    if value == NO_LIMIT:
        return None
    if not (value.isascii() and value.isdigit() and len(value) < 19):
        option = each.value.replace("_", "-")
        msg = f"--{option} takes a whole number, or '{NO_LIMIT}' for no limit; it was '{value}'"
        raise InvalidInputError(msg)
    return int(value)


async def _set(organisation_id: str, given: dict[Quota, str | None]) -> Usage:
    # The database's libraries, which no other command of the shell needs.
    from perdure.db.identity_repository import IdentityRepository  # noqa: PLC0415  # see above
    from perdure.db.quota_repository import QuotaRepository  # noqa: PLC0415  # see above
    from perdure.db.session import Database  # noqa: PLC0415  # see above

    wanted = {each: _limit(each, value) for each, value in given.items() if value is not None}
    settings = Settings.load()
    if not settings.database_url:
        msg = "DATABASE_URL is not set: set it, or start the embedded database with `perdure up`"
        raise ConfigurationError(msg)
    database = Database(settings.database_url, 1)
    try:
        async with database.transaction(organisation_id) as session:
            if await IdentityRepository(session).organisation(organisation_id) is None:
                msg = f"there is no organisation {organisation_id}: GET /api/v1/organisation tells its members the id"
                raise NotFoundError(msg)
            quotas = QuotaRepository(session, organisation_id)
            if wanted:
                await quotas.change(wanted)
            limits, used = await quotas.limits(), await quotas.used(Quota)
    finally:
        await database.aclose()
    return {each: (used[each], limits.get(each)) for each in Quota}
