"""`perdure approve` and `perdure approvals`: what waits for you, your decisions, and what else is said of them."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from perdure.api_client import ApiProblemError
from perdure.cli.output import (
    JsonOption,
    client,
    console,
    fail,
    local_time,
    print_json,
    print_listed,
    run,
    styled,
    table_of,
)
from perdure.domain.approval_answers import PREFIX, answers_of
from perdure.domain.approval_events import Decision
from perdure.errors import InvalidInputError

app = typer.Typer(no_args_is_help=True, help="Requests for approval: what waits, and for whom.")

ApprovalId = Annotated[str, typer.Argument(metavar="APPROVAL", help="Its id, `apr_…`.")]
PersonOption = Annotated[
    str, typer.Option("--to", help="An e-mail address, or the id of a user, `usr_…`.", metavar="PERSON")
]
_PATH = "/approvals"


def approve(
    approval_id: ApprovalId,
    decision: Annotated[Decision, typer.Option("--decision", "-d", help="What you say.")] = Decision.APPROVE,
    comment: Annotated[str, typer.Option("--comment", "-c", help="Why; needed unless you approve.")] = "",
    field: Annotated[
        list[str] | None, typer.Option("--field", "-f", help="`name=value` of the form; once for each.")
    ] = None,
    on_behalf_of: Annotated[
        str | None, typer.Option("--on-behalf-of", help="Who delegated to you, `user:…`.")
    ] = None,
    revision: Annotated[
        str | None,
        typer.Option("--revision", help="SHA-256 of what you saw; without it, of what is shown now."),
    ] = None,
    signal: Annotated[
        bool, typer.Option("--signal", help="Decide nothing yet: print the `temporal` command that does.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Decide on a request, or print the `temporal workflow signal` command that decides."""
    said = {
        "decision": decision.value,
        "comment": comment,
        "on_behalf_of": on_behalf_of,
        "revision": revision,
    }
    if signal:
        token = run(_token(approval_id, said, field or []))
        if as_json:
            print_json(token)
        else:
            typer.echo(token["command"])
        return
    approval, answer = run(_decide(approval_id, said, field or []))
    if as_json:
        print_json(answer)
        return
    title = Text(str(approval["title"]), style="bold")
    console.print(Text.assemble(title, f": {decision.value}, in stage {answer['stage']}"))


@app.command(name="list")
def list_approvals(
    everybody: Annotated[bool, typer.Option("--all", help="Not only what waits for you.")] = False,
    status: Annotated[str | None, typer.Option(help="`pending`, `waiting_for_revision` or `closed`.")] = None,
    overdue: Annotated[bool, typer.Option("--overdue", help="Only what is late.")] = False,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=200)] = 20,
    as_json: JsonOption = False,
) -> None:
    """What waits for you, the next due first; with `--all` what the organisation asks for, newest first."""
    wanted: dict[str, Any] = {"limit": limit}
    if not everybody:
        wanted["assignee"] = "me"
    if status is not None:
        wanted["status"] = status
    if overdue:
        wanted["overdue"] = "true"
    page = run(_call("GET", _PATH, params=wanted))
    if as_json:
        print_json(page)
        return
    table = table_of("approval", "title", "status", "stage", "due")
    for one in page["items"]:
        due = Text(local_time(one["due_at"]), style="red" if one["overdue"] else "")
        table.add_row(
            one["id"], one["title"], styled(one["outcome"] or one["status"]), one["stage"] or "", due
        )
    nothing = (
        "No such request."
        if everybody
        else "Nothing waits for you; --all lists what the organisation asks for."
    )
    print_listed(table, nothing)
    if page["next_cursor"]:
        console.print(f"There are more; raise --limit above {limit}.", style="dim")


@app.command()
def show(approval_id: ApprovalId, as_json: JsonOption = False) -> None:
    """Show a request: what is decided on, and who said what."""
    approval = run(_call("GET", f"{_PATH}/{approval_id}"))
    if as_json:
        print_json(approval)
        return
    console.print(Text(approval["title"], style="bold"), styled(approval["outcome"] or approval["status"]))
    if approval["summary"]:
        console.print(Text(approval["summary"]))
    if approval["document_id"]:
        name = approval["document_title"] or approval["document_id"]
        console.print(Text(f"{name}, version {approval['document_version']}, SHA-256 {approval['revision']}"))
    names = run(_names())

    def named(person: str) -> str:
        return names.get(person, person)

    table = table_of("stage", "state", "seat", "asked", "decision", "comment")
    for stage in approval["stages"]:
        for seat in stage["seats"] or [{"id": "", "people": [], "vote": None}]:
            vote = seat["vote"] or {}
            decision = vote.get("decision", "")
            if vote.get("on_behalf_of"):
                decision = f"{decision}, by {named(vote['by'])}"
            table.add_row(
                stage["name"] or stage["id"],
                stage["state"],
                seat["id"],
                ", ".join(named(person) for person in seat["people"]),
                decision,
                vote.get("comment", ""),
            )
    console.print(table)
    for one in approval["delegations"]:
        until = local_time(one["ends_at"])
        console.print(Text(f"{named(one['by'])} lets {named(one['to'])} decide, until {until}."))
    for one in approval["comments"]:
        console.print(Text(f"{named(one['by'])}, {local_time(one['created_at'])}: {one['text']}"))


@app.command()
def revoke(approval_id: ApprovalId, as_json: JsonOption = False) -> None:
    """Take your decision back while the stage is open."""
    _tell(approval_id, "revoke", {}, "taken back", as_json=as_json)


@app.command()
def delegate(
    approval_id: ApprovalId,
    to: PersonOption,
    whole_request: Annotated[
        bool, typer.Option("--whole-request", help="In all stages, not only in the open one.")
    ] = False,
    until: Annotated[
        str | None, typer.Option("--until", help="When it ends, such as `2026-12-24T18:00:00+01:00`.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Let somebody decide for you; you may still decide yourself."""
    said = {"to": _person(to), "whole_request": whole_request, "ends_at": until}
    _tell(approval_id, "delegate", said, f"delegated to {to}", as_json=as_json)


@app.command()
def end_delegation(approval_id: ApprovalId, to: PersonOption, as_json: JsonOption = False) -> None:
    """Decide for yourself alone again. What was decided for you stands."""
    _tell(approval_id, "end-delegation", {"to": _person(to)}, f"{to} decides no more", as_json=as_json)


@app.command()
def reassign(
    approval_id: ApprovalId,
    to: PersonOption,
    seat: Annotated[
        str | None,
        typer.Option("--seat", help="Whose, as `show` lists it; for administrators. Default: yours."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Give your seat to somebody else; as an administrator, any."""
    _tell(approval_id, "reassign", {"to": _person(to), "seat": seat}, f"reassigned to {to}", as_json=as_json)


@app.command()
def remind(approval_id: ApprovalId, as_json: JsonOption = False) -> None:
    """Remind those who have not answered, at most once an hour; for who asked, and administrators."""
    _tell(approval_id, "remind", {}, "reminded", as_json=as_json)


@app.command()
def withdraw(approval_id: ApprovalId, as_json: JsonOption = False) -> None:
    """End a request, whatever was decided; for who asked, and administrators."""
    _tell(approval_id, "withdraw", {}, "withdrawn", as_json=as_json)


@app.command()
def comment(
    approval_id: ApprovalId,
    text: Annotated[str, typer.Argument(help="What to say.")],
    as_json: JsonOption = False,
) -> None:
    """Say something beside the decisions. It decides nothing."""
    _tell(approval_id, "comment", {"text": text}, "commented", as_json=as_json)


@app.command()
def request(
    file: Annotated[
        Path,
        typer.Argument(
            exists=True, dir_okay=False, help="JSON: `title`, `policy`, and what else a request has."
        ),
    ],
    as_json: JsonOption = False,
) -> None:
    """Ask for an approval."""
    operation = run(_call("POST", _PATH, json=_json_of(file)))
    if as_json:
        print_json(operation)
    else:
        typer.echo(operation["subject"]["id"])


@app.command()
def simulate(
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="JSON: `policy`, `events`, and who asks whom.")
    ],
    as_json: JsonOption = False,
) -> None:
    """Play a policy: what would happen when. Nothing is asked of anybody."""
    played = run(_call("POST", f"{_PATH}/simulate", json=_json_of(file)))
    if as_json:
        print_json(played)
        return
    table = table_of("at", "what", "who", "answer", "then")
    for moment in played["timeline"]:
        event = moment["event"]
        what = event.get("decision") or event["kind"]
        answer = "" if moment["accepted"] else Text(str(moment["refusal"]), style="red")
        table.add_row(
            moment["at"], what, event.get("by", ""), answer, f"{moment['stage']}: {moment['status']}"
        )
    console.print(table)
    console.print(Text.assemble("outcome: ", styled(str(played["outcome"] or "open"))))


def _person(named: str) -> str:
    """As the API names people: `user:…`, or `email:…` of a member."""
    if named.startswith(("user:", "email:")):
        return named
    return f"email:{named}" if "@" in named else f"user:{named}"


def _tell(approval_id: str, verb: str, said: dict[str, Any], done: str, *, as_json: bool) -> None:
    """Tell a request something; what the API refuses is said, with exit code 1."""
    given = {name: value for name, value in said.items() if value is not None}
    answer = run(_call("POST", f"{_PATH}/{approval_id}/{verb}", **({"json": given} if given else {})))
    if as_json:
        print_json(answer)
    else:
        console.print(Text(f"{approval_id}: {done}"))


def _json_of(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        fail(InvalidInputError(f"{file} is not JSON in UTF-8: {error}"))


async def _call(method: str, path: str, **options: Any) -> dict[str, Any]:
    async with client() as api:
        return await api.call(method, path, **options)


async def _names() -> dict[str, str]:
    """The names of up to 200 members by who they are in an approval; none where the key may not list members."""
    try:
        page = await _call("GET", "/members", params={"limit": 200})
    except ApiProblemError:
        return {}
    return {f"user:{one['user_id']}": one["name"] for one in page["items"]}


async def _token(approval_id: str, said: dict[str, Any], fields: list[str]) -> dict[str, Any]:
    async with client() as api:
        if fields:
            said = {**said, "form": _form(await api.call("GET", f"{_PATH}/{approval_id}"), fields)}
        return await api.call("POST", f"{_PATH}/{approval_id}/decision-token", json=said)


async def _decide(
    approval_id: str, said: dict[str, Any], fields: list[str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The request as it was shown, and the answer to the decision on it."""
    async with client() as api:
        approval = await api.call("GET", f"{_PATH}/{approval_id}")
        said = {**said, "revision": said["revision"] or approval["revision"]}
        if fields:
            said["form"] = _form(approval, fields)
        return approval, await api.call("POST", f"{_PATH}/{approval_id}/decision", json=said)


def _form(approval: dict[str, Any], fields: list[str]) -> dict[str, Any]:
    sent: dict[str, list[str]] = {}
    for one in fields:
        name, equals, value = one.partition("=")
        if not equals:
            raise InvalidInputError(f"{one!r} is no `name=value`.")
        sent.setdefault(f"{PREFIX}{name.strip()}", []).append(value)
    stage = next((stage for stage in approval["stages"] if stage["id"] == approval["stage"]), None)
    schema = stage["form"] if stage is not None else None
    properties = (schema or {}).get("properties", {})
    unknown = [name for name in sent if name.removeprefix(PREFIX) not in properties]
    if unknown:
        named = ", ".join(name.removeprefix(PREFIX) for name in unknown)
        raise InvalidInputError(
            f"The form of this stage has no field {named}; it has {', '.join(properties)}."
        )
    given = answers_of(schema, sent) or {}
    return {name: value for name, value in given.items() if f"{PREFIX}{name}" in sent}
