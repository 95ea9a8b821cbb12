"""Providers of models: what there is, who of them is asked first, and what they may cost."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Request
from sqlalchemy.ext.asyncio import AsyncSession

from api.actors import ActorDependency
from api.dependencies import (
    DatabaseDependency,
    KeyringDependency,
    OperationsDependency,
    Principal,
    require,
)
from api.problems import problem_responses
from perdure.db.audit_trail import AuditTrail
from perdure.db.keyring import Keyring
from perdure.db.models import ProviderKeyRow
from perdure.db.provider_budgets import ProviderBudgetRepository, Standing
from perdure.db.provider_keys import ProviderKeyRepository
from perdure.db.provider_routes import ProviderRouteRepository, Route, check_candidates, default_route
from perdure.domain.audit import Action
from perdure.domain.budgets import Budget, BudgetState
from perdure.domain.provider_keys import CAPABILITIES, DEFAULT_MODELS, ProviderKey
from perdure.domain.routing import Candidate, Capability, ProviderName
from perdure.environment_keys import VARIABLES, environment_keys
from perdure.errors import FieldError, InvalidInputError
from perdure.schemas.providers import (
    BudgetRead,
    BudgetUpdate,
    CandidateBody,
    KeySource,
    ProviderList,
    ProviderRead,
    RouteBody,
    RouteRead,
    RoutingRead,
    RoutingUpdate,
)

router = APIRouter(prefix="/api/v1/providers", tags=["providers"])

Reader = Annotated[Principal, require("providers:read")]
Writer = Annotated[Principal, require("providers:write")]

TITLES = {
    ProviderName.EXTRACTIVE: "Sentences of your sources",
    ProviderName.OPENAI: "OpenAI",
    ProviderName.ANTHROPIC: "Anthropic",
    ProviderName.OPENAI_COMPATIBLE: "A server that speaks like OpenAI",
}
NEEDS = {
    name: [*VARIABLES.get(name, ()), "a key"] if name is not ProviderName.EXTRACTIVE else []
    for name in ProviderName
}
Environment = Mapping[ProviderName, ProviderKey]


def _without_value(row: ProviderKeyRow) -> ProviderKey:
    return ProviderKey(ProviderName(row.provider), "", row.base_url, row.default_model, row.id)


def environment_of(request: Request) -> Environment:
    """The keys of the installation."""
    return environment_keys(request.app.state.settings)


def _source(name: ProviderName, *, own: bool, installed: bool) -> KeySource | None:
    if name is ProviderName.EXTRACTIVE:
        return KeySource.BUILT_IN
    if own:
        return KeySource.ORGANISATION
    return KeySource.ENVIRONMENT if installed else None


def _provider(name: ProviderName, own: list[ProviderKey], installed: ProviderKey | None) -> ProviderRead:
    source = _source(name, own=bool(own), installed=installed is not None)
    asked = [key.candidate(Capability.GENERATE) for key in (*own, *([installed] if installed else []))]
    models = [candidate.model for candidate in asked if candidate]
    if name is ProviderName.EXTRACTIVE:
        models = [DEFAULT_MODELS[name, Capability.GENERATE]]
    return ProviderRead(
        name=name,
        title=TITLES[name],
        capabilities=list(CAPABILITIES[name]),
        configured=source is not None,
        source=source,
        needs=NEEDS[name],
        models=list(dict.fromkeys(models)),
    )


@router.get("", responses=problem_responses(), operation_id="list_providers")
async def list_providers(
    request: Request, caller: Reader, database: DatabaseDependency, keyring: KeyringDependency
) -> ProviderList:
    """What there is, whether it is configured, and what would enable it."""
    async with database.transaction(caller.organisation_id) as session:
        rows = await ProviderKeyRepository(session, caller.organisation_id, keyring).usable()
    keys, environment = [_without_value(row) for row in rows], environment_of(request)
    return ProviderList(
        items=[
            _provider(name, [key for key in keys if key.provider is name], environment.get(name))
            for name in ProviderName
        ]
    )


@router.get("/routing", responses=problem_responses(), operation_id="read_routing")
async def read_routing(
    request: Request, caller: Reader, database: DatabaseDependency, keyring: KeyringDependency
) -> RoutingRead:
    """Who is asked for what. A key that was revoked is not among the candidates any more."""
    async with database.transaction(caller.organisation_id) as session:
        return await _routing(session, caller.organisation_id, keyring, environment_of(request))


async def _routing(
    session: AsyncSession, organisation_id: str, keyring: Keyring, environment: Environment
) -> RoutingRead:
    rows = await ProviderKeyRepository(session, organisation_id, keyring).usable()
    keys = [_without_value(row) for row in rows]
    routes = ProviderRouteRepository(session, organisation_id)
    shown = {
        capability.value: _shown(
            await routes.get(capability) or default_route(capability, keys, environment),
            {key.id for key in keys},
        )
        for capability in Capability
    }
    return RoutingRead.model_validate(shown)


def _shown(route: Route, usable: set[str | None]) -> RouteRead:
    return RouteRead(
        strategy=route.strategy,
        candidates=[
            CandidateBody(provider=one.provider, model=one.model, key_id=one.key_id)
            for one in route.candidates
            if one.key_id is None or one.key_id in usable
        ],
        is_default=route.is_default,
    )


@router.put("/routing", responses=problem_responses(), operation_id="replace_routing")
async def replace_routing(
    body: RoutingUpdate,
    request: Request,
    caller: Writer,
    database: DatabaseDependency,
    keyring: KeyringDependency,
    operations: OperationsDependency,
    actor: ActorDependency,
) -> RoutingRead:
    """Say who is asked for a capability: one that is left out stays, null goes back to the default."""
    environment = environment_of(request)
    async with database.transaction(caller.organisation_id) as session:
        keys = await ProviderKeyRepository(session, caller.organisation_id, keyring).usable()
        routes = ProviderRouteRepository(session, caller.organisation_id)
        providers = {row.id: ProviderName(row.provider) for row in keys}
        changed: dict[str, str] = {}
        for name in sorted(body.model_fields_set):
            capability, route = Capability(name), getattr(body, name)
            if route is None:
                await routes.reset(capability)
                changed[name] = "default"
            else:
                candidates = _checked(capability, route, providers, environment)
                await routes.put(capability, route.strategy, candidates)
                changed[name] = f"{route.strategy}: {', '.join(map(_told, candidates))}"
        if changed:
            trail = AuditTrail(session, caller.organisation_id)
            await trail.record(Action.ROUTING_CHANGED, actor, details=changed)
        routing = await _routing(session, caller.organisation_id, keyring, environment)
    await operations.wake(caller.organisation_id)
    return routing


def _told(candidate: Candidate) -> str:
    return f"{candidate.key_id or candidate.provider}/{candidate.model}"


def _checked(
    capability: Capability, route: RouteBody, providers: Mapping[str, ProviderName], environment: Environment
) -> list[Candidate]:
    candidates = [Candidate(one.provider, one.model, one.key_id) for one in route.candidates]
    if not candidates:
        detail = "Name at least one candidate, or send null for the default."
        raise InvalidInputError(detail, [FieldError(f"/body/{capability}/candidates", detail)])
    try:
        check_candidates(capability, candidates, providers, environment)
    except InvalidInputError as error:
        faults = [FieldError(f"/body{each.pointer}", each.detail) for each in error.errors]
        raise InvalidInputError(" ".join(each.detail for each in faults[:3]), faults) from error
    return candidates


@router.get("/budget", responses=problem_responses(), operation_id="read_budget")
async def read_budget(caller: Reader, database: DatabaseDependency) -> BudgetRead:
    """What may be spent in a calendar month (UTC), and what has been."""
    async with database.transaction(caller.organisation_id) as session:
        return budget_read(await ProviderBudgetRepository(session, caller.organisation_id).standing())


def budget_read(standing: Standing) -> BudgetRead:
    """How a budget is shown."""
    return BudgetRead(
        soft_usd=standing.budget.soft_usd,
        hard_usd=standing.budget.hard_usd,
        spent_usd=standing.spent_usd,
        month=standing.month,
        resets_at=standing.resets_at,
        state=standing.state,
    )


@router.put("/budget", responses=problem_responses(), operation_id="replace_budget")
async def replace_budget(
    body: BudgetUpdate,
    caller: Writer,
    database: DatabaseDependency,
    operations: OperationsDependency,
    actor: ActorDependency,
) -> BudgetRead:
    """Set both limits. Operations that wait because of the hard one go on when it is raised."""
    if body.soft_usd is not None and body.hard_usd is not None and body.soft_usd > body.hard_usd:
        detail = "The soft limit is above the hard one, and would never be noticed; make it smaller."
        raise InvalidInputError(detail, [FieldError("/body/soft_usd", detail)])
    async with database.transaction(caller.organisation_id) as session:
        budgets = ProviderBudgetRepository(session, caller.organisation_id)
        before = (await budgets.standing()).budget
        await budgets.put(Budget(body.soft_usd, body.hard_usd))
        standing = await budgets.standing()
        if standing.budget != before:
            await AuditTrail(session, caller.organisation_id).record(
                Action.BUDGET_CHANGED,
                actor,
                details={"from": _limits(before), "to": _limits(standing.budget)},
            )
    if standing.state is not BudgetState.HARD:
        await operations.wake(caller.organisation_id)
    return budget_read(standing)


def _limits(budget: Budget) -> dict[str, str | None]:
    return {
        name: None if limit is None else str(limit)
        for name, limit in (("soft_usd", budget.soft_usd), ("hard_usd", budget.hard_usd))
    }
