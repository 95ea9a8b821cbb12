"""`perdure workflows`: definitions in files, what is stored, and executions."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from perdure.cli.memories import operation_result
from perdure.cli.output import (
    JsonOption,
    client,
    console,
    errors,
    fail,
    local_time,
    print_json,
    print_listed,
    run,
    styled,
    table_of,
)
from perdure.domain.workflow_yaml import read_yaml
from perdure.errors import InvalidInputError, PerdureError
from perdure.schemas.operations import OperationRead

app = typer.Typer(no_args_is_help=True, help="Document workflows: definitions, and executions of them.")

DefinitionFile = Annotated[
    Path, typer.Argument(exists=True, dir_okay=False, metavar="FILE", help="A definition: YAML or JSON.")
]
WorkflowId = Annotated[str, typer.Argument(metavar="WORKFLOW", help="Its id, `dwf_…`.")]
VersionOption = Annotated[int | None, typer.Option("--version", min=1, help="Default: the newest.")]
Limit = Annotated[int, typer.Option("--limit", "-n", min=1, max=200)]
_PATH = "/ai/workflows"
_SIDES = ("before", "after")
# Characters of a value in a table.
_CELL = 200


@app.command(name="list")
def list_workflows(
    archived: Annotated[bool, typer.Option("--archived", help="Archived ones, too.")] = False,
    templates: Annotated[bool, typer.Option("--templates", help="The templates instead.")] = False,
    limit: Limit = 20,
    as_json: JsonOption = False,
) -> None:
    """Workflows, newest first; or the templates, with their parameters."""
    if templates:
        _list_templates(as_json=as_json)
        return
    wanted = {"limit": limit, "archived": "true" if archived else "false"}
    page = run(_call("GET", _PATH, params=wanted))
    if as_json:
        print_json(page)
        return
    table = table_of("workflow", "name", "version", "steps", "executions", "open")
    for one in page["items"]:
        counts = (str(one[name]) for name in ("version", "steps", "executions", "open_executions"))
        table.add_row(one["id"], one["name"], *counts)
    print_listed(
        table, "No workflow. `perdure workflows create` makes one, --templates lists what to begin with."
    )
    _say_more(page, limit)


def _list_templates(*, as_json: bool) -> None:
    page = run(_call("GET", f"{_PATH}/templates"))
    if as_json:
        print_json(page["items"])
        return
    table = table_of("template", "what it does", "parameters")
    for one in page["items"]:
        parameters = ", ".join(
            f"{each['name']}{'*' if each['required'] else ''}" for each in one["parameters"]
        )
        table.add_row(one["name"], one["description"], parameters)
    console.print(table)
    console.print(
        "`*` has to be given: `perdure workflows create --template NAME --set parameter=value`", style="dim"
    )


@app.command()
def validate(file: DefinitionFile, as_json: JsonOption = False) -> None:
    """Say all that is wrong with a definition, and where; exit code 1 when something is."""
    found = run(_call("POST", f"{_PATH}/validate", json=_definition(file)))
    if as_json:
        print_json(found)
    elif found["valid"]:
        console.print(f"{file} is right: {found['steps']} step{'s' * (found['steps'] != 1)}")
    else:
        table = table_of("where", "what")
        for fault in found["faults"]:
            table.add_row(fault["pointer"] or "/", fault["detail"])
        console.print(table)
    if not found["valid"]:
        raise typer.Exit(1)


@app.command()
def create(
    file: Annotated[
        Path | None,
        typer.Argument(exists=True, dir_okay=False, metavar="[FILE]", help="A definition: YAML or JSON."),
    ] = None,
    template: Annotated[str | None, typer.Option("--template", "-t", help="Or a template's name.")] = None,
    value: Annotated[
        list[str] | None,
        typer.Option("--set", "-s", help="`parameter=value` for a template; once for each."),
    ] = None,
    name: Annotated[str | None, typer.Option("--name", help="What it is called.")] = None,
    version_of: Annotated[
        str | None, typer.Option("--version-of", help="Make the next version of this workflow instead.")
    ] = None,
    note: Annotated[str | None, typer.Option("--note", help="What is new.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Store a definition, or what a template is with some values."""
    if (file is None) == (template is None):
        fail(InvalidInputError("Give a file or --template, one of them."))
    if template is not None:
        body = {"parameters": _values(value or []), **({"name": name} if name else {})}
        made = run(_call("POST", f"{_PATH}/templates/{template}", json=body))
    else:
        definition = _definition(file) if file is not None else {}
        if name is not None and isinstance(definition, dict):
            definition = {**definition, "name": name}
        method, path = ("PUT", f"{_PATH}/{version_of}") if version_of else ("POST", _PATH)
        made = run(_call(method, path, json=definition, params={"note": note} if note else {}))
    _print_made(made, as_json=as_json)


@app.command()
def export(
    workflow_id: WorkflowId,
    file: Annotated[
        Path,
        typer.Argument(dir_okay=False, help="Where to write it; as JSON if it ends in .json, else as YAML."),
    ],
    version: VersionOption = None,
) -> None:
    """Write a definition into a file, for an editor, a repository or another installation."""
    kind = "application/json" if file.suffix == ".json" else "application/yaml"
    size = run(_exported(workflow_id, file, kind, version))
    console.print(f"{size} bytes written to {file}")


@app.command("import")
def import_link(
    link: Annotated[str, typer.Argument(help="What `share` printed elsewhere; files go in with `create`.")],
    name: Annotated[str | None, typer.Option("--name", help="What it is called here.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Copy a workflow that another organisation shares."""
    body = {"link": link, **({"name": name} if name else {})}
    _print_made(run(_call("POST", f"{_PATH}/import", json=body)), as_json=as_json)


@app.command()
def share(
    workflow_id: WorkflowId,
    hours: Annotated[int, typer.Option("--hours", min=1, max=24 * 90, help="How long the link works.")] = 72,
    version: VersionOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print a signed link. Whoever has it may copy this version into their own organisation until it expires."""
    body = {"expires_in_hours": hours, **({"version": version} if version else {})}
    shared = run(_call("POST", f"{_PATH}/{workflow_id}/share", json=body))
    if as_json:
        print_json(shared)
        return
    typer.echo(shared["link"])
    errors.print(f"Version {shared['version']}, until {local_time(shared['expires_at'])}.", style="dim")


@app.command()
def diff(
    workflow_id: WorkflowId,
    before: Annotated[int | None, typer.Option("--from", min=1, help="Default: the version before.")] = None,
    after: Annotated[int | None, typer.Option("--to", min=1, help="Default: the newest.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Say what is different between two versions, step by step."""
    wanted = {name: number for name, number in (("from", before), ("to", after)) if number is not None}
    found = run(_call("GET", f"{_PATH}/{workflow_id}/diff", params=wanted))
    if as_json:
        print_json(found)
        return
    table = table_of("where", "what", f"version {found['from']}", f"version {found['to']}")
    for one in found["changes"]:
        said = ("" if one[side] is None else _shortened(one[side]) for side in _SIDES)
        table.add_row(one["place"], one["difference"], *said)
    print_listed(table, f"Versions {found['from']} and {found['to']} say the same.")


@app.command()
def archive(workflow_id: WorkflowId, as_json: JsonOption = False) -> None:
    """Start no more executions of a workflow; what runs goes on, and what was done stays."""
    archived = run(_call("DELETE", f"{_PATH}/{workflow_id}"))
    if as_json:
        print_json(archived)
    else:
        console.print(f"{archived['id']}  {archived['name']}: archived")


@app.command()
def execute(
    workflow_id: WorkflowId,
    document: Annotated[
        list[str] | None,
        typer.Option("--document", "-d", help="Id of a document; once for each. None: on the input alone."),
    ] = None,
    given: Annotated[str, typer.Option("--input", "-i", help="JSON that expressions see as `input`.")] = "{}",
    value: Annotated[
        list[str] | None, typer.Option("--set", "-s", help="`parameter=value`; once for each.")
    ] = None,
    version: VersionOption = None,
    wait: Annotated[bool, typer.Option("--wait", help="Until it has ended.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Execute a workflow on a document, on many, or on an input alone."""
    documents = document or []
    body: dict[str, Any] = {"input": _json_of(given), "parameters": _values(value or [])}
    if version is not None:
        body["version"] = version
    if len(documents) > 1:
        body["document_ids"] = documents
    elif documents:
        body["document_id"] = documents[0]
    operation = run(_executed(workflow_id, body, wait=wait))
    if as_json:
        print_json(operation.model_dump(mode="json"))
    else:
        console.print(Text.assemble(f"{operation.id}  ", styled(operation.status.value)))


@app.command()
def executions(
    workflow_id: Annotated[str | None, typer.Option("--workflow", "-w", help="Of this workflow.")] = None,
    status: Annotated[str | None, typer.Option("--status", help="Such as `failed`.")] = None,
    limit: Limit = 20,
    as_json: JsonOption = False,
) -> None:
    """Executions, newest first."""
    wanted: dict[str, Any] = {"limit": limit}
    if workflow_id is not None:
        wanted["workflow_id"] = workflow_id
    if status is not None:
        wanted["status"] = status
    page = run(_call("GET", f"{_PATH}/executions", params=wanted))
    if as_json:
        print_json(page)
        return
    table = table_of("execution", "name", "version", "document", "status", "begun")
    for one in page["items"]:
        table.add_row(
            one["id"],
            one["workflow_name"],
            str(one["version"]),
            one["document_id"] or "",
            styled(one["status"]),
            local_time(one["created_at"]),
        )
    print_listed(table, "No execution.")
    _say_more(page, limit)


@app.command()
def show(
    execution_id: Annotated[str, typer.Argument(metavar="EXECUTION", help="Its id, `exe_…`.")],
    as_json: JsonOption = False,
) -> None:
    """Show an execution: what each of its steps did."""
    execution = run(_call("GET", f"{_PATH}/executions/{execution_id}"))
    if as_json:
        print_json(execution)
        return
    console.print(Text(execution["workflow_name"], style="bold"), styled(execution["status"]))
    table = table_of("step", "type", "state", "tries", "output")
    for one in execution["steps"]:
        said = one["error"]["detail"][:_CELL] if one["error"] else _shortened(one["output"])
        table.add_row(one["step_id"], one["type"], styled(one["state"]), str(one["attempts"]), said)
    console.print(table)


def _shortened(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)[:_CELL]


def _print_made(made: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(made)
        return
    count = f"{made['steps']} step{'s' * (made['steps'] != 1)}"
    console.print(f"{made['id']}  {made['name']}, version {made['version']}: {count}")


def _definition(file: Path) -> Any:
    """What a file says. YAML says what JSON says, and is read by its rules when the name does not tell."""
    try:
        text = file.read_text(encoding="utf-8-sig")
        return json.loads(text) if file.suffix == ".json" else read_yaml(text)
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        fail(InvalidInputError(f"{file}: {error}"))
    except PerdureError as error:
        fail(InvalidInputError(f"{file}: {error}"))


def _json_of(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        fail(InvalidInputError(f"--input must be JSON: {error}"))


def _values(given: list[str]) -> dict[str, Any]:
    """`limit=1000` is a number, `contact=a@example.com` a text: a value is read as YAML reads it."""
    values: dict[str, Any] = {}
    for one in given:
        name, equals, value = one.partition("=")
        if not equals:
            fail(InvalidInputError(f"--set {one}: write parameter=value"))
        try:
            values[name.strip()] = read_yaml(value)
        except PerdureError:
            values[name.strip()] = value
    return values


def _say_more(page: dict[str, Any], limit: int) -> None:
    if page["next_cursor"]:
        console.print(f"There are more; raise --limit above {limit}.", style="dim")


async def _call(method: str, path: str, **options: Any) -> dict[str, Any]:
    async with client() as api:
        return await api.call(method, path, **options)


async def _exported(workflow_id: str, file: Path, kind: str, version: int | None) -> int:
    wanted = {"version": str(version)} if version is not None else {}
    async with client() as api:
        return await api.download(f"{_PATH}/{workflow_id}/export", file, accept=kind, **wanted)


async def _executed(workflow_id: str, body: dict[str, Any], *, wait: bool) -> OperationRead:
    async with client() as api:
        operation = OperationRead.model_validate(
            await api.call("POST", f"{_PATH}/{workflow_id}/execute", json=body)
        )
        if wait:
            await operation_result(api, operation)
            operation = await api.operation(operation.id)
        return operation
