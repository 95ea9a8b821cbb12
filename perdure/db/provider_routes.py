"""Who is asked for what in one organisation: what somebody has said, and what holds when nobody has."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from perdure.db.models import ProviderRouteRow
from perdure.domain.provider_keys import CAPABILITIES, ProviderKey
from perdure.domain.routing import BUILT_IN, Candidate, Capability, ProviderName, Strategy
from perdure.errors import FieldError, InvalidInputError


@dataclass(frozen=True)
class Route:
    """Candidates as somebody has put them, and how they are ranked."""

    strategy: Strategy
    candidates: Sequence[Candidate]
    is_default: bool


def default_route(
    capability: Capability, keys: Sequence[ProviderKey], environment: Mapping[ProviderName, ProviderKey]
) -> Route:
    """Every key of the organisation, oldest first, then the installation's, then what is built in."""
    found = [key.candidate(capability) for key in (*keys, *environment.values())]
    candidates = [candidate for candidate in found if candidate is not None]
    if capability is Capability.GENERATE:
        candidates.append(BUILT_IN)
    return Route(Strategy.ORDER, candidates, is_default=True)


def route_to(
    asked: Candidate,
    route: Route | None,
    keys: Sequence[ProviderKey],
    environment: Mapping[ProviderName, ProviderKey],
) -> Route:
    """To one model of one provider, with those keys that the route names, in its order, else with all there are."""
    there = [key.id for key in (*keys, *environment.values()) if key.provider is asked.provider]
    named = [one.key_id for one in route.candidates if one.provider is asked.provider] if route else []
    key_ids = dict.fromkeys(key_id for key_id in named if key_id in there) or there
    candidates = [Candidate(asked.provider, asked.model, key_id) for key_id in key_ids]
    return Route(route.strategy if route else Strategy.ORDER, candidates, is_default=route is None)


def check_candidates(
    capability: Capability,
    candidates: Sequence[Candidate],
    providers: Mapping[str, ProviderName],
    environment: Mapping[ProviderName, ProviderKey],
) -> None:
    """InvalidInputError that names every candidate who cannot be asked; `providers` are those of usable keys."""
    faults = []
    for number, one in enumerate(candidates):
        pointer = f"/{capability}/candidates/{number}"
        if capability not in CAPABILITIES[one.provider]:
            faults.append(FieldError(f"{pointer}/provider", f"{one.provider} cannot {capability}."))
        elif one.provider is ProviderName.EXTRACTIVE:
            if one != BUILT_IN:
                detail = f"The built-in model is {BUILT_IN.model}, and needs no key."
                faults.append(FieldError(f"{pointer}/model", detail))
        elif one.key_id is None:
            if one.provider not in environment:
                detail = f"The installation has no key for {one.provider}: name one of the organisation."
                faults.append(FieldError(f"{pointer}/key_id", detail))
        elif providers.get(one.key_id) is not one.provider:
            detail = (
                f"There is no key {one.key_id} for {one.provider}: list them with GET /api/v1/providers/keys."
            )
            faults.append(FieldError(f"{pointer}/key_id", detail))
    if faults:
        raise InvalidInputError("Some candidates cannot be asked.", faults)


class ProviderRouteRepository:
    """Reads and writes the organisation's routes; the caller owns the transaction."""

    def __init__(self, session: AsyncSession, organisation_id: str) -> None:
        self._session, self._organisation_id = session, organisation_id

    async def get(self, capability: Capability) -> Route | None:
        """What somebody has said; None when nobody has."""
        row = await self._session.scalar(
            select(ProviderRouteRow).where(
                ProviderRouteRow.organisation_id == self._organisation_id,
                ProviderRouteRow.capability == capability.value,
            )
        )
        if row is None:
            return None
        candidates = [
            Candidate(ProviderName(one["provider"]), one["model"], one["key_id"]) for one in row.candidates
        ]
        return Route(Strategy(row.strategy), candidates, is_default=False)

    async def put(self, capability: Capability, strategy: Strategy, candidates: Sequence[Candidate]) -> None:
        """Say who is asked."""
        values = {
            "strategy": strategy.value,
            "candidates": [
                {"provider": one.provider.value, "model": one.model, "key_id": one.key_id}
                for one in candidates
            ],
            "updated_at": func.now(),
        }
        statement = insert(ProviderRouteRow).values(
            organisation_id=self._organisation_id, capability=capability.value, **values
        )
        await self._session.execute(
            statement.on_conflict_do_update(index_elements=["organisation_id", "capability"], set_=values)
        )

    async def reset(self, capability: Capability) -> None:
        """Go back to the default."""
        await self._session.execute(
            delete(ProviderRouteRow).where(
                ProviderRouteRow.organisation_id == self._organisation_id,
                ProviderRouteRow.capability == capability.value,
            )
        )
