"""`perdure evolve`: let the memories of a space evolve, or see what would become of them."""

from typing import Annotated, Any

import typer
from rich.table import Table

from perdure.cli.documents import SpaceOption
from perdure.cli.memories import operation_result
from perdure.cli.output import JsonOption, client, console, print_json, run
from perdure.domain.evolution import EvolutionStage
from perdure.schemas.operations import OperationRead

_SHOWN = 200


def evolve(
    space: SpaceOption = "default",
    stage: Annotated[
        list[EvolutionStage] | None, typer.Option("--stage", help="Only this one; give it again for more.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be changed.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Merge, connect, draw together and put away memories. Nothing is lost, and every change can be undone."""
    body: dict[str, Any] = {"space": space, "dry_run": dry_run}
    if stage:
        body["stages"] = [each.value for each in stage]
    result, planned = run(_evolved(body))
    if as_json:
        print_json(result | ({"changes": planned} if dry_run else {}))
        return
    console.print(_table(result))
    for change in planned:
        console.print(f"{change['memory_id']} would be {change['action']}: {change['reason']}")
    if result["junk_rate"] is not None:
        console.print(f"junk: {result['junk_rate']:.1%} of the memories that were looked at", style="dim")
    if dry_run:
        console.print("nothing was changed", style="dim")


def _table(result: dict[str, Any]) -> Table:
    table = Table(title=f"Space {result['space']}", title_justify="left")
    for name in ("stage", "examined", "changes", "took"):
        table.add_column(name, justify="left" if name in {"stage", "changes"} else "right")
    for stage in result["stages"]:
        told = ", ".join(f"{count} {action}" for action, count in stage["changed"].items())
        table.add_row(
            stage["stage"], str(stage["examined"]), told or "none", f"{stage['took_ms'] / 1000:.1f} s"
        )
    return table


async def _evolved(body: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The report, and for a dry run the first changes that would be made."""
    async with client() as api:
        operation = OperationRead.model_validate(await api.call("POST", "/memories/evolve", json=body))
        result = await operation_result(api, operation)
        if not body["dry_run"]:
            return result, []
        path = f"/memories/evolutions/{operation.id}/changes?limit={_SHOWN}"
        page = await api.call("GET", path)
        return result, list(page["items"])
