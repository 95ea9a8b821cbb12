"""`perdure providers`: who answers for models, whether keys work, and who is asked first."""

from typing import Annotated, Any

import typer
from rich.text import Text

from perdure.cli.output import JsonOption, client, console, local_time, print_json, print_table, run, table_of
from perdure.domain.routing import BUILT_IN_MODEL, Capability, ProviderName, Strategy
from perdure.errors import InvalidInputError
from perdure.schemas.providers import (
    CandidateBody,
    KeyTestRead,
    ProviderKeyRead,
    ProviderRead,
    RouteRead,
    RoutingRead,
)

app = typer.Typer(no_args_is_help=True, help="Providers of models: what there is, keys, routing.")

_KEY_PREFIX = "pky_"


@app.command(name="list")
def list_providers(as_json: JsonOption = False) -> None:
    """List providers and the organisation's keys, and what would enable the rest."""
    providers, keys = run(_listed())
    if as_json:
        print_json({"providers": providers, "keys": keys})
        return
    table = table_of("provider", "configured", "models", "can", "would enable it")
    for provider in map(ProviderRead.model_validate, providers):
        source = Text(provider.source or "no", style="green" if provider.configured else "dim")
        needs = "" if provider.configured else ", or ".join(provider.needs)
        table.add_row(
            provider.name, source, ", ".join(provider.models), ", ".join(provider.capabilities), needs
        )
    console.print(table)
    if not keys:
        console.print("The organisation has no keys of its own.", style="dim")
        return
    table = table_of("key", "name", "provider", "ends in", "model", "tested")
    for key in map(ProviderKeyRead.model_validate, keys):
        model, ends = key.default_model or "", f"…{key.last_four}" if key.last_four else ""
        table.add_row(key.id, key.name, key.provider, ends, model, _tested(key))
    print_table(table)


def _tested(key: ProviderKeyRead) -> Text:
    if key.tested_at is None:
        return Text("never", style="dim")
    style = "green" if key.test_outcome == "ok" else "red"
    return Text(f"{key.test_outcome}, {local_time(key.tested_at)}", style=style)


@app.command(name="test")
def try_key(
    key_id: Annotated[str, typer.Argument(metavar="KEY", help="Its id, `pky_…`.")],
    as_json: JsonOption = False,
) -> None:
    """Ask a provider for one word with a key, and tell how it went. Exit code 1 when it did not answer."""
    answer = run(_call("POST", f"/providers/keys/{key_id}/test"))
    outcome = KeyTestRead.model_validate(answer)
    if as_json:
        print_json(answer)
    elif outcome.ok:
        said = f"{outcome.provider} answered with {outcome.model} in {outcome.latency_ms:,.0f} ms"
        console.print(Text(said, style="green"))
    else:
        console.print(Text.assemble((f"{outcome.reason}: ", "bold red"), outcome.detail or ""))
    if not outcome.ok:
        raise typer.Exit(1)


@app.command()
def route(
    capability: Annotated[Capability | None, typer.Argument(help="What is asked for.")] = None,
    candidates: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[KEY|PROVIDER[:MODEL]]...",
            help="Who is asked, in this order, such as `pky_…`, `openai:gpt-5-mini` (with the installation's key) or "
            "`extractive`. A key without a model means its own.",
            show_default=False,
        ),
    ] = None,
    strategy: Annotated[Strategy | None, typer.Option(help="Who of them comes first.")] = None,
    default: Annotated[bool, typer.Option("--default", help="Go back to what nobody has chosen.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show who is asked for what, or choose it."""
    changes = bool(candidates or strategy or default)
    if capability is None and changes:
        msg = f"say for what: {' or '.join(Capability)}"
        raise typer.BadParameter(msg, param_hint="CAPABILITY")
    if default and (candidates or strategy):
        raise typer.BadParameter(
            "the default has no candidates or strategy to choose", param_hint="--default"
        )
    answer = run(_routing(capability, candidates, strategy, default=default) if changes else _shown())
    if as_json:
        print_json(answer)
        return
    routing = RoutingRead.model_validate(answer)
    for each in [capability] if capability else list(Capability):
        _print_route(each, getattr(routing, each.value))


def _print_route(capability: Capability, shown: RouteRead) -> None:
    chosen = "the default" if shown.is_default else f"strategy {shown.strategy}"
    table = table_of("", "provider", "model", "key", title=f"{capability}: {chosen}")
    for number, candidate in enumerate(shown.candidates, start=1):
        owner = "" if candidate.provider is ProviderName.EXTRACTIVE else "of the installation"
        table.add_row(str(number), candidate.provider, candidate.model, candidate.key_id or owner)
    print_table(table)


async def _shown() -> Any:
    async with client() as api:
        return await api.call("GET", "/providers/routing")


async def _routing(
    capability: Capability | None, given: list[str] | None, strategy: Strategy | None, *, default: bool
) -> Any:
    async with client() as api:
        before = RoutingRead.model_validate(await api.call("GET", "/providers/routing"))
        name = str(capability)
        now: RouteRead = getattr(before, name)
        if default:
            return await api.call("PUT", "/providers/routing", json={name: None})
        if given:
            page = await api.call("GET", "/providers/keys", params={"limit": 200})
            keys = {key.id: key for key in map(ProviderKeyRead.model_validate, page["items"])}
            providers = (await api.call("GET", "/providers"))["items"]
            models = {each.name: each.models for each in map(ProviderRead.model_validate, providers)}
            wanted = [_candidate(each, keys, models) for each in given]
        else:
            wanted = list(now.candidates)
        body = {
            "strategy": strategy or now.strategy,
            "candidates": [candidate.model_dump(mode="json") for candidate in wanted],
        }
        return await api.call("PUT", "/providers/routing", json={name: body})


def _candidate(
    given: str, keys: dict[str, ProviderKeyRead], models: dict[ProviderName, list[str]]
) -> CandidateBody:
    who, _, model = given.partition(":")
    if who.startswith(_KEY_PREFIX):
        if (key := keys.get(who)) is None:
            msg = f"there is no key {who}: `perdure providers list` shows those that there are"
            raise InvalidInputError(msg)
        return CandidateBody(provider=key.provider, model=_model(given, model, key.default_model), key_id=who)
    if who not in set(ProviderName):
        msg = f"there is no provider '{who}': take {', '.join(ProviderName)}, or the id of a key"
        raise InvalidInputError(msg)
    provider = ProviderName(who)
    usual = BUILT_IN_MODEL if provider is ProviderName.EXTRACTIVE else next(iter(models[provider]), None)
    return CandidateBody(provider=provider, model=_model(given, model, usual))


def _model(given: str, model: str, usual: str | None) -> str:
    if not (named := model or usual):
        msg = f"say which model of '{given}' is asked: '{given}:MODEL'"
        raise InvalidInputError(msg)
    return named


async def _call(method: str, path: str, **options: Any) -> Any:
    async with client() as api:
        return await api.call(method, path, **options)


async def _listed() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    async with client() as api:
        providers = await api.call("GET", "/providers")
        keys = await api.call("GET", "/providers/keys", params={"limit": 200})
    return providers["items"], keys["items"]
