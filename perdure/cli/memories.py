"""`perdure remember`, `perdure recall`, `perdure forget`, and `perdure memory import|export`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from perdure.api_client import ApiClient
from perdure.cli.documents import SpaceOption
from perdure.cli.output import JsonOption, client, console, print_json, run
from perdure.errors import ConflictError
from perdure.schemas.operations import OperationRead, OperationStatus

app = typer.Typer(no_args_is_help=True, help="Memories as files of JSON lines.")

SubjectOption = Annotated[str | None, typer.Option("--subject", help="Whom or what it is about.")]
Limit = Annotated[int, typer.Option("--limit", "-n", min=1, max=100)]


class Mode(StrEnum):
    """How to rank."""

    HYBRID = "hybrid"
    DENSE = "dense"
    KEYWORD = "keyword"
    FUSION = "fusion"


def remember(
    content: Annotated[str, typer.Argument(help="What to remember.")],
    space: SpaceOption = "default",
    subject: SubjectOption = None,
    speaker: Annotated[str | None, typer.Option(help="Who says it.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Remember a statement; what is known already is not kept twice."""
    given = {"content": content, "space": space, "subject": subject, "speaker": speaker}
    result = run(_done("/memories", {name: value for name, value in given.items() if value is not None}))
    if as_json:
        print_json(result)
        return
    told = [f"{count} {name}" for name, count in result.items() if isinstance(count, int) and count]
    console.print(", ".join(told), style="dim")


def recall(
    query: Annotated[str, typer.Argument(help="A question or some words.")],
    space: SpaceOption = "default",
    subject: SubjectOption = None,
    limit: Limit = 5,
    mode: Annotated[Mode, typer.Option(help="How to rank.")] = Mode.HYBRID,
    explain: Annotated[bool, typer.Option("--explain", help="Show what each score is made of.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Find memories that answer a question."""
    body = {"query": query, "space": space, "limit": limit, "mode": mode.value, "explain": explain}
    answer = run(_posted("/memories/recall", body | ({"subject": subject} if subject else {})))
    if as_json:
        print_json(answer)
        return
    for number, item in enumerate(answer["items"], start=1):
        console.print(memory(item, number=number), "")
    outcome = str(answer["outcome"]).replace("_", " ")
    console.print(f"{outcome}: {len(answer['items'])} memories in {answer['took_ms']} ms", style="dim")
    if answer.get("notice"):
        console.print(answer["notice"], style="yellow", markup=False)


def forget(
    ids: Annotated[list[str] | None, typer.Argument(help="Ids of memories, `mem_…`.")] = None,
    text: Annotated[str | None, typer.Option(help="The exact text.")] = None,
    subject: SubjectOption = None,
    query: Annotated[str | None, typer.Option(help="What recall finds for it.")] = None,
    space: SpaceOption = "default",
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=100, help="For a query.")] = 10,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be forgotten.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Forget for good: ids, an exact text, a subject, or what a query finds. The receipt says what went."""
    given = {"ids": ids or None, "text": text, "subject": subject, "query": query}
    chosen = {name: value for name, value in given.items() if value is not None}
    body = {**chosen, "space": space, **({"limit": limit} if query is not None else {})}
    if dry_run:
        preview = run(_posted("/memories/forget/preview", body))
        if as_json:
            print_json(preview)
            return
        for item in preview["items"]:
            console.print(memory(item), "")
        console.print(f"{preview['total']} memories would be forgotten", style="dim")
        return
    receipt = run(_done("/memories/forget", body))
    if as_json:
        print_json(receipt)
        return
    console.print(
        f"{receipt['forgotten']} memories forgotten: {receipt['versions']} versions, {receipt['vectors']} vectors, "
        f"{receipt['relations']} relations; {receipt['tombstones']} texts will not come back"
    )


@app.command("import")
def import_file(
    file: Annotated[
        Path, typer.Argument(help="JSON lines: an export of ours, of mem0 or of supermemory.", exists=True)
    ],
    space: SpaceOption = "default",
    as_json: JsonOption = False,
) -> None:
    """Remember the lines of a file; a second time, nothing is kept twice."""
    result = run(_imported(file, space))
    if as_json:
        print_json(result)
    else:
        for refusal in result["refusals"]:
            console.print(f"line {refusal['line']}: {refusal['detail']}")
        console.print(
            f"{result['lines']} lines: {result['remembered']} remembered, {result['duplicates']} known, "
            f"{result['refused']} refused"
        )
    if result["refused"]:
        raise typer.Exit(1)


@app.command()
def export(
    file: Annotated[Path, typer.Argument(help="Where to write the lines.")],
    space: SpaceOption = "default",
    subject: SubjectOption = None,
) -> None:
    """Write the current memories of a space as JSON lines."""
    size = run(_exported(file, {"space": space, **({"subject": subject} if subject else {})}))
    console.print(f"{size} bytes written to {file}")


def memory(item: dict[str, Any], *, number: int | None = None) -> Text:
    """A memory: what it says, then who said it, when, and its id."""
    head = f"{number}. " if number is not None else ""
    said = [str(item[name]) for name in ("speaker", "subject") if item.get(name)]
    parts = [*dict.fromkeys(said), str(item["valid_from"])[:10], str(item["id"])]
    if (score := item.get("score")) is not None:
        parts.append(f"score {float(score):.3f}")
    terms = [f"\n   {term['value']:.3f} {term['name']}" for term in item.get("terms") or () if term["value"]]
    return Text.assemble((head, "bold"), str(item["content"]), "\n", (f"— {', '.join(parts)}", "dim"), *terms)


async def _posted(path: str, body: dict[str, Any]) -> dict[str, Any]:
    async with client() as api:
        return await api.call("POST", path, json=body)


async def _exported(file: Path, parameters: dict[str, str]) -> int:
    async with client() as api:
        return await api.download("/memories/export", file, **parameters)


async def _imported(file: Path, space: str) -> dict[str, Any]:
    async with client() as api:
        return await operation_result(api, await api.send_file("/memories/import", file, {"space": space}))


async def _done(path: str, body: dict[str, Any]) -> dict[str, Any]:
    async with client() as api:
        return await operation_result(
            api, OperationRead.model_validate(await api.call("POST", path, json=body))
        )


async def operation_result(api: ApiClient, operation: OperationRead) -> dict[str, Any]:
    """The result of an operation that is waited for."""
    async for now in api.follow(operation.id):
        operation = now
    if operation.status is not OperationStatus.COMPLETED:
        reason = operation.error.detail if operation.error else operation.status.value
        raise ConflictError(f"operation {operation.id}: {reason}")
    return operation.result or {}
