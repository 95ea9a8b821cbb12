"""`perdure verify-audit`: the audit trails, straight from the database and the anchors, whether or not the API runs."""

from dataclasses import asdict
from typing import Annotated

import typer
from rich.text import Text

from perdure.cli.output import JsonOption, console, print_json, print_table, run, table_of
from perdure.domain.audit import Verdict
from perdure.errors import ConfigurationError
from perdure.settings import Settings


def verify_audit(
    organisation: Annotated[
        str | None, typer.Option("--organisation", "-o", help="Only this one's trail; otherwise all.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Hold the audit trails against their hashes, heads and anchors; exit code 1 when one was tampered with."""
    verdicts = run(_verify(organisation))
    if as_json:
        print_json([asdict(verdict) | {"sound": verdict.is_sound} for verdict in verdicts])
    else:
        _show(verdicts)
    if not all(verdict.is_sound for verdict in verdicts):
        raise typer.Exit(1)


async def _verify(organisation_id: str | None) -> list[Verdict]:
    # The database's libraries, which no other command of the shell needs.
    from perdure.audit_anchors import AuditAnchors  # noqa: PLC0415  # see above
    from perdure.audit_verification import verify_all, verify_trail  # noqa: PLC0415  # see above
    from perdure.db.session import Database  # noqa: PLC0415  # see above
    from perdure.providers.obstore_object_store import ObstoreObjectStore  # noqa: PLC0415  # see above

    settings = Settings.load()
    if not settings.database_url:
        msg = "DATABASE_URL is not set: set it, or start the embedded database with `perdure up`"
        raise ConfigurationError(msg)
    anchors = AuditAnchors.of(settings, ObstoreObjectStore.from_url(settings.objects_url))
    database = Database(settings.database_url, 1)
    try:
        if organisation_id is not None:
            return [await verify_trail(database.transaction, anchors, organisation_id)]
        return [verdict async for verdict in verify_all(database.transaction, anchors)]
    finally:
        await database.aclose()


def _show(verdicts: list[Verdict]) -> None:
    table = table_of("organisation", "events", "anchored to", "verdict")
    for verdict in verdicts:
        word = (
            Text("sound", "green") if verdict.is_sound else Text(f"{verdict.fault_count} faults", "bold red")
        )
        table.add_row(
            verdict.organisation_id, f"{verdict.event_count:,}", f"{verdict.anchored_sequence:,}", word
        )
    print_table(table)
    for verdict in verdicts:
        for fault in verdict.faults:
            console.print(Text(f"{verdict.organisation_id}  {fault.kind.value}: {fault.detail}", "red"))
    console.print(f"{len(verdicts)} trails, {sum(not verdict.is_sound for verdict in verdicts)} not sound")
