"""How the command line speaks: tables for people, JSON for scripts, errors that say what to do."""

import asyncio
import json
import textwrap
from collections.abc import Coroutine
from datetime import datetime
from typing import Annotated, Any, NoReturn, TypeVar

import typer
from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from perdure.api_client import ApiClient, ApiProblemError
from perdure.errors import PerdureError, UnauthenticatedError
from perdure.ingestion import Outcome
from perdure.settings import ClientSettings

Result = TypeVar("Result")

console = Console()
errors = Console(stderr=True)

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]

STYLES = {
    "completed": "green",
    "indexed": "green",
    "skipped_duplicate": "cyan",
    "running": "blue",
    "pending": "blue",
    "queued": "blue",
    "paused": "yellow",
    "waiting_approval": "yellow",
    "partial": "yellow",
    "cancelled": "yellow",
    "expired": "red",
    "failed": "red",
    "quarantined": "red",
    "refused": "red",
}

_IDS = frozenset(
    {"approval", "document", "execution", "key", "operation", "organisation", "secret", "workflow"}
)
_UNBOUNDED = 10_000
# Holds every status with its reason; sentences go on in further lines.
_OUTCOME_WIDTH = 32


def styled(status: str) -> Text:
    """A status in its colour."""
    return Text(status, style=STYLES.get(status, ""))


def client() -> ApiClient:
    """The API that the environment or `<home>/demo.env` names."""
    settings = ClientSettings.load()
    if not settings.api_key:
        msg = "no API key: set PERDURE_URL and PERDURE_API_KEY, or run `make run`, which makes a demo key"
        raise UnauthenticatedError(msg)
    return ApiClient(settings.url, settings.api_key)


def run(action: Coroutine[Any, Any, Result]) -> Result:
    """Run a command; what goes wrong becomes a message and exit code 1."""
    try:
        return asyncio.run(action)
    except PerdureError as error:
        fail(error)


def fail(error: PerdureError) -> NoReturn:
    """Say what happened, and leave with exit code 1."""
    title = str(error.body.get("title") or error.title) if isinstance(error, ApiProblemError) else error.title
    errors.print(Text.assemble((f"{title}: ", "bold red"), str(error)))
    raise typer.Exit(1)


def print_json(value: object) -> None:
    """One JSON value on standard output, with nothing around it."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def table_of(*columns: str, title: str | None = None) -> Table:
    """An empty table. Ids stay on one line, to be copied."""
    table = Table(title=title, title_justify="left", header_style="bold", box=box.SIMPLE_HEAD)
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column in _IDS)
    return table


def print_table(table: Table, to: Console = console) -> None:
    """A table. What lists ids is never folded: a pipe gets whole lines, a narrow terminal an entry below the other."""
    wide = Console(width=_UNBOUNDED)
    needed = Measurement.get(wide, wide.options, table).maximum
    if needed <= to.width or not any(column.header in _IDS for column in table.columns):
        to.print(table)
    elif to.is_terminal:
        _print_stacked(table, to)
    else:
        Console(file=to.file, width=needed).print(table)


def _print_stacked(table: Table, to: Console) -> None:
    """Each entry by its first column, and below it what the others say, with their names."""
    if table.title:
        to.print(table.title)
    names = [str(column.header) for column in table.columns]
    for first, *others in zip(*(column.cells for column in table.columns), strict=True):
        to.print(first, style="bold", no_wrap=True, highlight=False)
        lines = [Text()]
        for name, cell in zip(names[1:], others, strict=True):
            if not str(cell):
                continue
            said = Text.assemble("  ", (f"{name} ", "dim"), cell if isinstance(cell, Text) else str(cell))
            if lines[-1] and lines[-1].cell_len + said.cell_len > to.width:
                lines.append(Text())
            lines[-1] += said
        for line in lines:
            to.print(line, highlight=False)


def print_listed(table: Table, nothing: str, to: Console = console) -> None:
    """A table of what was found; or, when that is nothing, words that say so."""
    if table.row_count:
        print_table(table, to)
    else:
        to.print(nothing, style="dim", highlight=False)


def local_time(at: datetime | str | None) -> str:
    """An instant on the clock of whoever reads it, with the zone; as the API gives it, too."""
    if at is None:
        return ""
    instant = datetime.fromisoformat(at) if isinstance(at, str) else at
    return f"{instant.astimezone():%Y-%m-%d %H:%M %Z}"


def outcome_table(outcomes: list[Outcome], title: str) -> Table:
    """What became of each file."""
    table = Table(title=title, title_justify="left", header_style="bold", box=box.SIMPLE_HEAD)
    table.add_column("file", overflow="fold")
    table.add_column("type", no_wrap=True)
    # Statuses and reasons are whole on a narrow terminal, too; names are folded there.
    table.add_column("outcome", no_wrap=True)
    table.add_column("chunks", justify="right")
    table.add_column("time", justify="right", no_wrap=True)
    for outcome in outcomes:
        table.add_row(
            outcome.name,
            _short_type(outcome.media_type),
            _said(outcome),
            str(outcome.chunk_count or ""),
            f"{outcome.seconds:.1f} s",
        )
    return table


def _said(outcome: Outcome) -> Text:
    """Its status, and the reason for it where there is one."""
    why = outcome.reason or outcome.detail
    lines = textwrap.wrap(f"{outcome.status}: {why}" if why else outcome.status, _OUTCOME_WIDTH)
    return Text("\n".join(lines), style=STYLES.get(outcome.status, ""))


def _short_type(media_type: str | None) -> str:
    if not media_type:
        return ""
    name = media_type.partition("/")[2].partition(";")[0]
    for suffix, short in {
        "wordprocessingml.document": "docx",
        "presentationml.presentation": "pptx",
        "spreadsheetml.sheet": "xlsx",
    }.items():
        if name.endswith(suffix):
            return short
    return name


def passage(item: dict[str, Any], *, number: int | None = None) -> Text:
    """A search hit: its text, then where it stands."""
    text = Text(str(item.get("text", "")).strip())
    for term in item.get("terms") or ():
        if isinstance(term, str):
            text.highlight_words([term], style="bold yellow", case_sensitive=False)
    head = f"{number}. " if number is not None else ""
    return Text.assemble((head, "bold"), text, "\n", (citation(item), "dim"))


def citation(item: dict[str, Any]) -> str:
    """Where a passage stands: document, headings, page, offsets, score."""
    title = str(item.get("document_title") or item.get("document_id"))
    parts = [title]
    # Many documents have their title as the topmost heading, too.
    if headings := [str(heading) for heading in item.get("heading_path") or () if heading != title]:
        parts.append(" / ".join(headings))
    if page := item.get("page"):
        parts.append(f"page {page}")
    parts.append(f"characters {item.get('start')} to {item.get('end')}")
    if (score := item.get("score")) is not None:
        parts.append(f"score {float(score):.3f}")
    return "— " + ", ".join(parts)
