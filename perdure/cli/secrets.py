"""`perdure secrets`: what steps and providers need and nobody reads again. Values come from a prompt or a pipe."""

import sys
from typing import Annotated, Any

import typer

from perdure.cli.output import (
    JsonOption,
    client,
    console,
    local_time,
    print_json,
    print_listed,
    run,
    table_of,
)
from perdure.schemas.encryption import SecretKind, SecretRead

app = typer.Typer(
    no_args_is_help=True, help="Secrets of the organisation: added, replaced, never shown again."
)

SecretId = Annotated[str, typer.Argument(metavar="SECRET", help="Its id, `sec_…`.")]


@app.command(name="list")
def list_secrets(as_json: JsonOption = False) -> None:
    """List secrets by what is shown of them: their ends."""
    page = run(_call("GET", "", params={"limit": 200}))
    if as_json:
        print_json(page)
        return
    table = table_of("secret", "name", "kind", "ends in", "sent to", "set")
    for secret in map(SecretRead.model_validate, page["items"]):
        ends = f"…{secret.last_four}" if secret.last_four else ""
        at = local_time(secret.updated_at)
        table.add_row(secret.id, secret.name, secret.kind, ends, secret.origin or "", at)
    print_listed(table, "No secret. `perdure secrets add` adds one.")


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="Unique in the organisation; steps name it by this.")],
    kind: Annotated[SecretKind, typer.Option(help="What it is for.")] = SecretKind.HTTP_HEADER,
    origin: Annotated[
        str | None,
        typer.Option(
            help="Where `http` steps may send it, such as https://api.example.com.", show_default=False
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Add a secret; its value is asked for, or read from a pipe."""
    body = {"name": name, "kind": kind.value, "value": _value()}
    made = run(_call("POST", "", json={**body, "origin": origin} if origin else body))
    if as_json:
        print_json(made)
    else:
        console.print(f"{made['id']}  {made['name']}")


@app.command()
def replace(secret_id: SecretId, as_json: JsonOption = False) -> None:
    """Give a secret another value; what names it takes the new one from then on."""
    changed = run(_call("PUT", f"/{secret_id}", json={"value": _value()}))
    if as_json:
        print_json(changed)
    else:
        console.print(f"{changed['name']} has its new value.")


@app.command()
def remove(secret_id: SecretId) -> None:
    """Remove a secret; steps that name it fail, and can be retried when it is back."""
    run(_call("DELETE", f"/{secret_id}"))
    console.print("It is gone.")


def _value() -> str:
    """Not an argument: those stand in the shell's history and in lists of processes."""
    if sys.stdin.isatty():
        return str(typer.prompt("Value", hide_input=True))
    return sys.stdin.read().rstrip("\r\n")


async def _call(method: str, path: str, **options: Any) -> Any:
    async with client() as api:
        return await api.call(method, f"/secrets{path}", **options)
