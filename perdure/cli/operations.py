"""`perdure ops`: look at operations and steer them."""

from enum import StrEnum
from typing import Annotated, Any

import typer
from rich import box
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table
from rich.text import Text

from perdure.cli.output import (
    JsonOption,
    client,
    console,
    local_time,
    print_json,
    print_listed,
    run,
    styled,
    table_of,
)
from perdure.schemas.operations import OperationRead, OperationStatus, StepRead

app = typer.Typer(no_args_is_help=True, help="Look at operations and steer them.")

OperationId = Annotated[str, typer.Argument(metavar="OPERATION", help="Its id, `op_…`.")]


class Verb(StrEnum):
    """What can be done to an operation."""

    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"
    RETRY = "retry"


@app.command(name="list")
def list_operations(
    status: Annotated[OperationStatus | None, typer.Option(help="Only these.")] = None,
    kind: Annotated[str | None, typer.Option(help="Only these, for example `ingest_document`.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=200)] = 20,
    as_json: JsonOption = False,
) -> None:
    """List operations, newest first."""
    wanted = {"status": status.value if status else None, "kind": kind, "limit": limit}
    answer = run(_call("GET", "/operations", params={k: v for k, v in wanted.items() if v is not None}))
    if as_json:
        print_json(answer)
        return
    table = table_of("operation", "kind", "status", "progress", "created")
    for operation in (OperationRead.model_validate(item) for item in answer["items"]):
        table.add_row(
            operation.id,
            operation.kind,
            styled(operation.status),
            _progress(operation),
            local_time(operation.created_at),
        )
    print_listed(table, "No operation.")
    if answer.get("next_cursor"):
        console.print(f"There are more; raise --limit above {limit}.", style="dim")


@app.command()
def show(operation_id: OperationId, as_json: JsonOption = False) -> None:
    """Show an operation and its steps."""
    operation, steps = run(_show(operation_id))
    if as_json:
        body = operation.model_dump(mode="json")
        print_json(body | {"steps": [step.model_dump(mode="json") for step in steps]})
        return
    _print_operation(operation)
    table = Table(header_style="bold", box=box.SIMPLE_HEAD)
    for column in ("step", "state", "attempts", "started", "ended", "error"):
        table.add_column(column)
    for step in steps:
        table.add_row(
            step.name,
            styled(step.state),
            str(step.attempts),
            f"{step.started_at.astimezone():%H:%M:%S}" if step.started_at else "",
            f"{step.ended_at.astimezone():%H:%M:%S}" if step.ended_at else "",
            step.error.detail if step.error else "",
        )
    console.print(table)


@app.command()
def watch(operation_id: OperationId, as_json: JsonOption = False) -> None:
    """Follow an operation to its end; exit code 1 unless it completes."""
    operation = run(_watch(operation_id, quiet=as_json))
    if as_json:
        print_json(operation.model_dump(mode="json"))
    else:
        _print_operation(operation)
    if operation.status is not OperationStatus.COMPLETED:
        raise typer.Exit(1)


@app.command()
def pause(operation_id: OperationId, as_json: JsonOption = False) -> None:
    """Start no further step until it is resumed."""
    _act(operation_id, Verb.PAUSE, as_json=as_json)


@app.command()
def resume(operation_id: OperationId, as_json: JsonOption = False) -> None:
    """Go on with a paused operation."""
    _act(operation_id, Verb.RESUME, as_json=as_json)


@app.command()
def cancel(operation_id: OperationId, as_json: JsonOption = False) -> None:
    """End an operation before it is done."""
    _act(operation_id, Verb.CANCEL, as_json=as_json)


@app.command()
def retry(operation_id: OperationId, as_json: JsonOption = False) -> None:
    """Run a failed operation again, from where it failed where that is safe."""
    _act(operation_id, Verb.RETRY, as_json=as_json)


def _act(operation_id: str, verb: Verb, *, as_json: bool) -> None:
    answer = run(_call("POST", f"/operations/{operation_id}/{verb.value}"))
    if as_json:
        print_json(answer)
    else:
        _print_operation(OperationRead.model_validate(answer))


def _progress(operation: OperationRead) -> str:
    progress = operation.progress
    counted = f"{progress.done}/{progress.total}" if progress.total else ""
    return " ".join(part for part in (counted, progress.step or "") if part)


def _print_operation(operation: OperationRead) -> None:
    line = Text.assemble((operation.id, "bold"), "  ", operation.kind, "  ")
    console.print(line + styled(operation.status), _progress(operation))
    if operation.error:
        console.print(Text(f"{operation.error.type}: {operation.error.detail}", style="red"))
    if operation.temporal_ui_url:
        # Whole, so that it can be clicked and copied, however narrow the terminal is.
        console.print(Text(operation.temporal_ui_url, style="dim"), soft_wrap=True)


async def _call(method: str, path: str, **options: Any) -> dict[str, Any]:
    async with client() as api:
        return await api.call(method, path, **options)


async def _show(operation_id: str) -> tuple[OperationRead, list[StepRead]]:
    async with client() as api:
        return await api.operation(operation_id), await api.steps(operation_id)


async def _watch(operation_id: str, *, quiet: bool) -> OperationRead:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn())
    with Progress(
        *columns, MofNCompleteColumn(), TimeElapsedColumn(), console=console, disable=quiet, transient=True
    ) as progress:
        task = progress.add_task(operation_id, total=None)
        async with client() as api:
            async for operation in api.follow(operation_id):
                description = f"{operation.kind} {operation.status} {operation.progress.step or ''}"
                total = operation.progress.total or None
                progress.update(task, description=description, total=total, completed=operation.progress.done)
    return operation
