"""`perdure export-data` and `perdure delete-data`: everything that is kept of a person, or of the organisation."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.table import Table
from rich.text import Text

from perdure.api_client import ApiClient
from perdure.cli.output import JsonOption, client, console, print_json, run
from perdure.errors import ConflictError, InvalidInputError, NotFoundError
from perdure.schemas.operations import OperationRead, OperationStatus
from perdure.schemas.privacy import ErasureStarted, ExportUserDataResult, ReceiptRead

PersonArgument = Annotated[
    str | None, typer.Argument(metavar="[PERSON]", help="E-mail or id, `usr_…`; else whose key it is.")
]
OrganisationOption = Annotated[
    bool, typer.Option("--organisation", help="All of the organisation, instead of a person.")
]

_POLL_S = 0.5
_PAGE = 200


@dataclass(frozen=True)
class Whose:
    """Whose data: the path to them, and what is to be typed to erase them."""

    path: str
    name: str
    to_type: str


def export_data(
    person: PersonArgument = None,
    organisation: OrganisationOption = False,
    file: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where to write the zip file; else by its id here.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Export everything that is kept of a person, or of the organisation, as one zip file."""
    result, path, size = run(_export(person, organisation, file))
    if as_json:
        print_json(result.model_dump(mode="json") | {"file": str(path)})
        return
    rows = sum(result.rows.values())
    console.print(f"{size:,} bytes written to {path}: {rows:,} rows, {result.files:,} files")
    if result.missing:
        console.print(f"{result.missing:,} files that rows name are not in the store", style="yellow")


def delete_data(
    person: PersonArgument = None,
    organisation: OrganisationOption = False,
    confirm: Annotated[
        str | None,
        typer.Option(help="The person's e-mail, or the organisation's name; else it is asked for."),
    ] = None,
    wait: Annotated[bool, typer.Option(help="Wait for the receipt.")] = True,
    as_json: JsonOption = False,
) -> None:
    """Erase everything that is kept of a person, or of the organisation. Nothing brings it back."""
    whose = run(_found(person, organisation))
    typed = confirm if confirm is not None else _asked(whose)
    started, receipt = run(_erase(whose, typed, wait=wait))
    if as_json:
        print_json((receipt or started).model_dump(mode="json") | {"receipt_url": started.receipt_url})
        return
    if receipt is not None:
        _show(receipt)
    console.print(Text.assemble("receipt: ", (started.receipt_url, "bold")), soft_wrap=True)


def _asked(whose: Whose) -> str:
    console.print(f"Everything of {whose.name} is erased for good.", style="bold red")
    return str(typer.prompt(f"Type {whose.to_type} to confirm"))


async def _export(
    person: str | None, organisation: bool, file: Path | None
) -> tuple[ExportUserDataResult, Path, int]:
    async with client() as api:
        whose = await _whose(api, person, organisation)
        operation = OperationRead.model_validate(await api.call("POST", f"{whose.path}/export"))
        async for now in api.follow(operation.id):
            operation = now
        if operation.status is not OperationStatus.COMPLETED:
            reason = operation.error.detail if operation.error else operation.status.value
            raise ConflictError(f"operation {operation.id}: {reason}")
        result = ExportUserDataResult.model_validate(operation.result)
        link = await api.call("GET", f"/exports/{result.export_id}/content")
        path = file or Path(f"perdure-{result.subject.id}.zip")
        return result, path, await api.download_link(str(link["url"]), path)


async def _found(person: str | None, organisation: bool) -> Whose:
    async with client() as api:
        return await _whose(api, person, organisation)


async def _whose(api: ApiClient, person: str | None, organisation: bool) -> Whose:
    me = await api.call("GET", "/auth/me")
    if organisation:
        if person is not None:
            raise InvalidInputError("give a person or --organisation, not both")
        name = str(me["organisation"]["name"])
        return Whose("/organisation", name, name)
    user = me["user"]
    if person is None or person in (user["id"], user["email"]):
        return Whose(f"/users/{user['id']}", str(user["name"]), str(user["email"]))
    async for user_id, name, email in _members(api):
        if person in (user_id, email):
            return Whose(f"/users/{user_id}", name, email)
    if person.startswith("usr_"):  # somebody who left
        return Whose(f"/users/{person}", person, person)
    raise NotFoundError(f"no member with the e-mail {person}: give the id of somebody who left, `usr_…`")


async def _members(api: ApiClient) -> AsyncIterator[tuple[str, str, str]]:
    """Id, name and e-mail of each."""
    parameters: dict[str, str | int] = {"limit": _PAGE}
    while True:
        page = await api.call("GET", "/members", params=parameters)
        for item in page["items"]:
            yield str(item["user_id"]), str(item["name"]), str(item["email"])
        if page.get("next_cursor") is None:
            return
        parameters["cursor"] = str(page["next_cursor"])


async def _erase(whose: Whose, typed: str, *, wait: bool) -> tuple[ErasureStarted, ReceiptRead | None]:
    if typed.strip() != whose.to_type:
        raise InvalidInputError(f"that is not {whose.to_type}: nothing was erased")
    body = {"json": {"confirm": whose.to_type}} if whose.path == "/organisation" else {}
    async with client() as api:
        started = ErasureStarted.model_validate(await api.call("POST", f"{whose.path}/erasure", **body))
        return started, await _receipt(api, started) if wait else None


async def _receipt(api: ApiClient, started: ErasureStarted) -> ReceiptRead:
    """The receipt once it is written. Its address needs no key: the one that asks may be gone by now."""
    token = started.receipt_url.rpartition("/")[2]
    while True:
        receipt = ReceiptRead.model_validate(await api.call("GET", f"/erasures/{token}"))
        if receipt.status == "completed":
            return receipt
        await asyncio.sleep(_POLL_S)


def _show(receipt: ReceiptRead) -> None:
    report = receipt.report
    if report is None:
        return
    table = Table(header_style="bold", box=box.SIMPLE_HEAD)
    table.add_column("gone")
    table.add_column("how many", justify="right")
    lines = {
        **report.gone.rows,
        **{f"files in {folder}": count for folder, count in report.gone.objects.items()},
        "histories": report.gone.histories,
    }
    for name, count in lines.items():
        if count:
            table.add_row(name, f"{count:,}")
    console.print(table)
    for kept in report.kept:
        console.print(f"kept: {kept.what}. {kept.reason}", style="dim")
    style = "green" if receipt.verified else "bold red"
    console.print("the signature fits" if receipt.verified else "the signature does not fit", style=style)
