"""Console: providers of models, keys and routing. The rules are those of the API's own routes, which these call."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from pydantic import ValidationError
from starlette.responses import Response

from api.actors import ActorDependency
from api.dependencies import (
    DatabaseDependency,
    KeyringDependency,
    OperationsDependency,
    Principal,
    require,
)
from api.idempotency import IdempotentRequest
from api.pagination import MAX_LIMIT, PageParameters
from api.routes import provider_keys, providers
from api.routes.console_budget_view import budget_of
from api.routes.console_pages import ConsoleRoute, Pages, Shown, is_partial, said_of
from api.routes.console_words import Look
from api.routes.provider_keys import KeyId
from perdure.domain.provider_keys import CAPABILITIES, DEFAULT_MODELS
from perdure.domain.roles import Scope
from perdure.domain.routing import BUILT_IN, Candidate, Capability, ProviderName, Strategy
from perdure.errors import InvalidInputError, PerdureError, ProviderReason
from perdure.schemas.providers import (
    CandidateBody,
    KeySource,
    KeyTestRead,
    ProviderKeyCreate,
    ProviderKeyRead,
    ProviderRead,
    RouteBody,
    RouteRead,
    RoutingUpdate,
)

router = APIRouter(prefix="/settings", route_class=ConsoleRoute, include_in_schema=False)

Reader = Annotated[Principal, require("providers:read")]
Writer = Annotated[Principal, require("providers:write")]

_ALL = PageParameters(limit=MAX_LIMIT)
_ICONS = {
    ProviderName.EXTRACTIVE: "quote",
    ProviderName.OPENAI: "external",
    ProviderName.ANTHROPIC: "external",
    ProviderName.OPENAI_COMPATIBLE: "layers",
}
_ABILITIES = {Capability.GENERATE: "text", Capability.EMBED: "embeddings"}
_SOURCES = {
    KeySource.BUILT_IN: Look("Built in", "check-circle", "success"),
    KeySource.ENVIRONMENT: Look("Of the installation", "check-circle", "success"),
    KeySource.ORGANISATION: Look("Your key", "check-circle", "success"),
}
_NOT_CONFIGURED = Look("Not configured", "minus-circle", "neutral")
_ADDABLE = {
    name: providers.TITLES[name]
    for name in (ProviderName.OPENAI, ProviderName.ANTHROPIC, ProviderName.OPENAI_COMPATIBLE)
}
_REMEDIES = {
    ProviderReason.RATE_LIMITED: "The provider has too many requests of yours; try again in a while.",
    ProviderReason.UNAVAILABLE: "See whether the address is right and the server runs, and try again.",
    ProviderReason.CUT_OFF: "Try again.",
    ProviderReason.UNAUTHORISED: "See at the provider whether the key is still valid; if not, add a new one here.",
    ProviderReason.NO_CREDIT: "Pay in at the provider, or raise the limit of the account there.",
    ProviderReason.INVALID_REQUEST: "See whether the provider has a model of this name.",
    ProviderReason.REFUSED: "The provider does not want to answer; ask it why.",
    ProviderReason.MALFORMED: "See whether the address leads to a server that speaks like the provider.",
}
_USED_FOR = {
    Capability.GENERATE: ("Text", "Answers, what is read out of texts, classification."),
    Capability.EMBED: ("Embeddings", "Vectors for search, in spaces that use a provider's model."),
}
STRATEGIES = {
    Strategy.ORDER: ("In this order", "The next one is asked when the one before does not answer."),
    Strategy.CHEAPEST: ("Cheapest first", "By the prices of their models; unknown prices come last."),
    Strategy.FASTEST: ("Fastest first", "By what their answers took in the last seven days."),
}


@dataclass(frozen=True)
class ProviderView:
    """A provider in the list."""

    provider: ProviderRead

    @property
    def icon(self) -> str:
        """Its picture."""
        return _ICONS[self.provider.name]

    @property
    def abilities(self) -> list[str]:
        """What it can do."""
        return [_ABILITIES[each] for each in self.provider.capabilities]

    @property
    def look(self) -> Look:
        """Whether it answers, and with whose key."""
        return _SOURCES[self.provider.source] if self.provider.source else _NOT_CONFIGURED

    @property
    def needs(self) -> str:
        """What would enable it."""
        variables = [each for each in self.provider.needs if each.isupper()]
        if not variables:
            return "Add a key below, with the address of the server."
        return f"Add a key below, or let the operator set {' and '.join(variables)}."


@dataclass(frozen=True)
class KeyView:
    """A key in the table."""

    key: ProviderKeyRead

    @property
    def provider(self) -> str:
        """Whose it is."""
        return providers.TITLES[self.key.provider]

    @property
    def model(self) -> str:
        """The model that it asks unless the routing says otherwise."""
        return self.key.default_model or DEFAULT_MODELS.get((self.key.provider, Capability.GENERATE), "")

    @property
    def tested(self) -> Look | None:
        """How the last test went; None when there was none."""
        outcome = self.key.test_outcome
        if outcome is None:
            return None
        if outcome == "ok":
            return Look("Works", "check-circle", "success")
        return Look(outcome.replace("_", " ").capitalize(), "x-circle", "danger")


@dataclass(frozen=True)
class CandidateView:
    """A candidate in the list of a route."""

    candidate: CandidateBody
    name: str
    is_first: bool
    is_last: bool

    @property
    def token(self) -> str:
        """What stands for it in forms and ids."""
        return token_of(self.candidate)


@dataclass(frozen=True)
class RouteView:
    """Who is asked for a capability, with what can be done about it."""

    capability: Capability
    route: RouteRead
    candidates: Sequence[CandidateView]
    choices: Sequence[tuple[str, str]]

    @property
    def title(self) -> str:
        """What it is for."""
        return _USED_FOR[self.capability][0]

    @property
    def hint(self) -> str:
        """What it is for, in a sentence."""
        return _USED_FOR[self.capability][1]


def token_of(candidate: CandidateBody | Candidate) -> str:
    """Whom a candidate stands for, in one word."""
    return f"{candidate.key_id or 'environment'}:{candidate.provider}:{candidate.model}"


async def _providers_page(
    pages: Pages, caller: Principal, keyring: KeyringDependency, **context: Any
) -> Response:
    listed = await providers.list_providers(pages.request, caller, pages.database, keyring)
    keys = await provider_keys.list_provider_keys(_ALL, caller, pages.database, keyring)
    shown: dict[str, Any] = {"fault": None, "given": {}, "tested": None, **context}
    given = {"provider": "", "name": "", "default_model": "", "base_url": "", **shown.pop("given")}
    tested: KeyTestRead | None = shown["tested"]
    reason = tested.reason if tested else None
    return await pages.inside(
        "settings_providers.html",
        caller,
        "providers",
        http_status=422 if shown["fault"] else 200,
        providers=[ProviderView(each) for each in listed.items],
        keys=[KeyView(each) for each in keys.items],
        may_change=Scope.PROVIDERS_WRITE in caller.scopes,
        addable=_ADDABLE,
        given=given,
        tested_remedy=_REMEDIES[ProviderReason(reason)] if reason in set(ProviderReason) else "",
        budget=await budget_of(pages, caller),
        **{"tested_name": "", **shown},
    )


@router.get("/providers")
async def show_providers(pages: Shown, caller: Reader, keyring: KeyringDependency) -> Response:
    """What there is, and the organisation's keys."""
    return await _providers_page(pages, caller, keyring)


@router.post("/providers/keys")
async def add_key(
    *,
    request: Request,
    pages: Shown,
    caller: Writer,
    database: DatabaseDependency,
    keyring: KeyringDependency,
    operations: OperationsDependency,
    idempotency: IdempotentRequest,
    actor: ActorDependency,
    provider: Annotated[str, Form()] = "",
    name: Annotated[str, Form()] = "",
    value: Annotated[str, Form()] = "",
    default_model: Annotated[str, Form()] = "",
    base_url: Annotated[str, Form()] = "",
) -> Response:
    """Add a key. What was typed is shown again when something is wrong with it, but for the key itself."""
    texts = {"name": name, "default_model": default_model, "base_url": base_url}
    given = {"provider": provider} | texts
    values = {each: text.strip() or None for each, text in texts.items()}
    try:
        body = ProviderKeyCreate.model_validate(
            {"provider": provider, "value": value.strip() or None, **values, "name": name}
        )
        await provider_keys.create_provider_key(
            body, request, caller, database, keyring, operations, idempotency, actor
        )
    except (ValidationError, PerdureError) as error:
        return await _providers_page(pages, caller, keyring, fault=_said(error), given=given)
    return pages.redirect("/settings/providers", "key-added")


def _said(error: Exception) -> str:
    if isinstance(error, InvalidInputError) and error.errors:
        return " ".join(each.detail for each in error.errors[:3])
    return said_of(error)


@router.post("/providers/keys/{key_id}/revoke")
async def revoke_key(
    key_id: KeyId,
    pages: Shown,
    caller: Writer,
    database: DatabaseDependency,
    keyring: KeyringDependency,
    actor: ActorDependency,
) -> Response:
    """Revoke a key."""
    await provider_keys.revoke_provider_key(key_id, caller, database, keyring, actor)
    return pages.redirect("/settings/providers", "revoked")


@router.post("/providers/keys/{key_id}/test")
async def try_key(
    *,
    key_id: KeyId,
    request: Request,
    pages: Shown,
    caller: Writer,
    database: DatabaseDependency,
    keyring: KeyringDependency,
    actor: ActorDependency,
) -> Response:
    """Ask the provider for one word, and show on the page how it went."""
    tested = await provider_keys.try_provider_key(key_id, request, caller, database, keyring, actor)
    key = await provider_keys.read_provider_key(key_id, caller, database, keyring)
    return await _providers_page(pages, caller, keyring, tested=tested, tested_name=key.name)


@router.get("/routing")
async def show_routing(pages: Shown, caller: Reader, keyring: KeyringDependency) -> Response:
    """Who is asked for what."""
    return await _routing_page(pages, caller, keyring)


async def _routing_page(
    pages: Pages, caller: Principal, keyring: KeyringDependency, **context: Any
) -> Response:
    shown: dict[str, Any] = {"fault": None, "told": "", "at": "", **context}
    routing = await providers.read_routing(pages.request, caller, pages.database, keyring)
    keys = (await provider_keys.list_provider_keys(_ALL, caller, pages.database, keyring)).items
    installed = list(providers.environment_of(pages.request))
    return await pages.inside(
        "settings_routing.html",
        caller,
        "routing",
        http_status=422 if shown["fault"] else 200,
        routes=[
            route_view(capability, getattr(routing, capability), keys, installed) for capability in Capability
        ],
        strategies=STRATEGIES,
        may_change=Scope.PROVIDERS_WRITE in caller.scopes,
        budget=await budget_of(pages, caller),
        **shown,
    )


def route_view(
    capability: Capability,
    route: RouteRead,
    keys: Sequence[ProviderKeyRead],
    installed: Sequence[ProviderName],
) -> RouteView:
    """A route with the names of its candidates, and who else could be one."""
    names = {key.id: key.name for key in keys}
    last = len(route.candidates) - 1
    views = [
        CandidateView(one, _name(one, names), is_first=place == 0, is_last=place == last)
        for place, one in enumerate(route.candidates)
    ]
    able = [name for name in ProviderName if capability in CAPABILITIES[name]]
    choices = [
        (key.id, f"{key.name} ({providers.TITLES[key.provider]})") for key in keys if key.provider in able
    ]
    choices += [
        (name.value, f"{providers.TITLES[name]}, key of the installation")
        for name in installed
        if name in able
    ]
    if ProviderName.EXTRACTIVE in able:
        choices.append((ProviderName.EXTRACTIVE, providers.TITLES[ProviderName.EXTRACTIVE]))
    return RouteView(capability, route, views, choices)


def _name(candidate: CandidateBody, names: dict[str, str]) -> str:
    title = providers.TITLES[candidate.provider]
    if candidate.provider is ProviderName.EXTRACTIVE:
        return title
    if candidate.key_id is None:
        return f"{title}, key of the installation"
    return f"{names.get(candidate.key_id, candidate.key_id)} ({title})"


@router.post("/routing")
async def change_routing(
    *,
    request: Request,
    pages: Shown,
    caller: Writer,
    database: DatabaseDependency,
    keyring: KeyringDependency,
    operations: OperationsDependency,
    actor: ActorDependency,
    capability: Annotated[Capability, Form()],
    change: Annotated[str, Form(pattern="^(up|down|remove|add|strategy|default)$")],
    candidate: Annotated[str, Form(max_length=1000)] = "",
    model: Annotated[str, Form()] = "",
    strategy: Annotated[Strategy | None, Form()] = None,
) -> Response:
    """Change one thing about a route; the page that was looked at may be older than what holds."""
    routing = await providers.read_routing(request, caller, database, keyring)
    route: RouteRead = getattr(routing, capability)
    try:
        body = None
        if change != "default":
            wanted = list(route.candidates)
            if change == "add":
                keys = (await provider_keys.list_provider_keys(_ALL, caller, database, keyring)).items
                wanted.append(_added(capability, candidate, model.strip(), keys, wanted))
            elif change != "strategy":
                wanted = changed(wanted, change, candidate)
            if wanted:
                body = RouteBody(strategy=strategy or route.strategy, candidates=wanted)
        update = RoutingUpdate.model_validate({capability.value: body})
        await providers.replace_routing(update, request, caller, database, keyring, operations, actor)
    except (ValidationError, PerdureError) as error:
        return await _refused(pages, caller, keyring, capability, error)
    if is_partial(request):
        told = _told(change, candidate, body)
        return await _routing_page(pages, caller, keyring, told=told, at=capability)
    return pages.redirect("/settings/routing", "routing-changed")


async def _refused(
    pages: Pages, caller: Principal, keyring: KeyringDependency, at: Capability, error: Exception
) -> Response:
    said = _said(error)
    if is_partial(pages.request):
        # In the corner: what stands in the page stays, with its focus.
        raise InvalidInputError(said) from error
    return await _routing_page(pages, caller, keyring, fault=said, at=at)


def changed(candidates: list[CandidateBody], change: str, token: str) -> list[CandidateBody]:
    """The candidates with one of them moved or left out; as they are when it is not among them any more."""
    place = next((at for at, one in enumerate(candidates) if token_of(one) == token), None)
    if place is None:
        return candidates
    moved = candidates.pop(place)
    if change != "remove":
        candidates.insert(max(0, place + (-1 if change == "up" else 1)), moved)
    return candidates


def _added(
    capability: Capability,
    who: str,
    model: str,
    keys: Sequence[ProviderKeyRead],
    there: Sequence[CandidateBody],
) -> CandidateBody:
    one = _candidate(capability, who, model, keys)
    if one in there:
        raise InvalidInputError("It is in the list already; move it to where you want it.")
    return one


def _candidate(
    capability: Capability, who: str, model: str, keys: Sequence[ProviderKeyRead]
) -> CandidateBody:
    if who == ProviderName.EXTRACTIVE:
        return CandidateBody(provider=BUILT_IN.provider, model=BUILT_IN.model)
    key = next((each for each in keys if each.id == who), None)
    if key is None and who not in set(ProviderName):
        raise InvalidInputError("This key is not there any more; choose another one.")
    provider = key.provider if key else ProviderName(who)
    own = key.default_model if key and capability is Capability.GENERATE else None
    usual = own or DEFAULT_MODELS.get((provider, capability))
    if not (named := model or usual):
        raise InvalidInputError("Say which model is asked; the server's own list has their names.")
    return CandidateBody(provider=provider, model=named, key_id=key.id if key else None)


def _told(change: str, token: str, body: RouteBody | None) -> str:
    if body is None:
        return "Back to the default."
    place = next((at for at, one in enumerate(body.candidates, 1) if token_of(one) == token), None)
    told = {"add": "Added at the end.", "remove": "Taken out.", "strategy": "Strategy changed."}
    return told.get(change) or f"Now number {place} of {len(body.candidates)}."
