"""`perdure ingest` and `perdure search`."""

from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

from perdure.cli.output import JsonOption, client, console, outcome_table, passage, print_json, run
from perdure.ingestion import Outcome, SourceFile, collect, ingest_files

SpaceOption = Annotated[str, typer.Option("--space", "-s", help="Named collection of documents.")]


class Mode(StrEnum):
    """How to search."""

    HYBRID = "hybrid"
    VECTOR = "vector"
    KEYWORD = "keyword"


def progress_bar(*, disable: bool = False) -> Progress:
    """The bar that ingestion shows."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        disable=disable,
        transient=True,
    )


def ingest(
    paths: Annotated[
        list[Path], typer.Argument(help="Files, or directories with everything in them.", exists=True)
    ],
    space: SpaceOption = "default",
    concurrency: Annotated[int, typer.Option(min=1, max=64, help="Files at a time.")] = 8,
    wait: Annotated[bool, typer.Option(help="Follow each file to its end.")] = True,
    remember: Annotated[bool, typer.Option("--remember", help="Passages become memories, too.")] = False,
    subject: Annotated[
        str | None, typer.Option(help="Whom or what the memories out of them are about.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Ingest files; the path of each is its external id, so that a second run repeats no work."""
    said = {"remember": "true" if remember else None, "subject": subject}
    fields = {name: value for name, value in said.items() if value is not None}
    outcomes = run(_ingest(paths, space, concurrency, fields, wait=wait, quiet=as_json))
    if as_json:
        print_json([asdict(outcome) for outcome in outcomes])
    else:
        console.print(outcome_table(outcomes, title=""))
        failed = sum(outcome.failed for outcome in outcomes)
        console.print(f"{len(outcomes)} files, {failed} failed" if failed else f"{len(outcomes)} files")
    if any(outcome.failed for outcome in outcomes):
        raise typer.Exit(1)


async def _ingest(
    paths: list[Path], space: str, concurrency: int, fields: dict[str, str], *, wait: bool, quiet: bool
) -> list[Outcome]:
    files: list[SourceFile] = collect(paths)
    with progress_bar(disable=quiet) as progress:
        task = progress.add_task("Ingesting", total=len(files))
        async with client() as api:
            return await ingest_files(
                api,
                files,
                space=space,
                concurrency=concurrency,
                wait=wait,
                fields=fields,
                on_done=lambda _: progress.advance(task),
            )


def search(
    query: Annotated[str, typer.Argument(help="A question or some words.")],
    space: SpaceOption = "default",
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=100)] = 5,
    mode: Annotated[Mode, typer.Option(help="How to search.")] = Mode.HYBRID,
    as_json: JsonOption = False,
) -> None:
    """Find passages that answer a question, each with its citation."""
    answer = run(_search(query, space=space, limit=limit, mode=mode.value))
    if as_json:
        print_json(answer)
        return
    for number, item in enumerate(answer["items"], start=1):
        console.print(passage(item, number=number), "")
    console.print(f"{len(answer['items'])} passages in {answer['took_ms']} ms", style="dim")
    if answer.get("notice"):
        console.print(answer["notice"], style="yellow", markup=False)


async def _search(query: str, **options: Any) -> dict[str, Any]:
    async with client() as api:
        return await api.search(query, **options)
