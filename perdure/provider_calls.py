"""Calls of providers: whom an organisation asks, whether it may right now, and what each call took.

What becomes of a failure is decided by whoever calls: see `activities.language_models`.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import sha256

import structlog
from sqlalchemy.exc import SQLAlchemyError

from perdure import tracing
from perdure.db.keyring import Keyring
from perdure.db.provider_budgets import ProviderBudgetRepository, Standing
from perdure.db.provider_circuits import ProviderCircuitRepository
from perdure.db.provider_keys import ProviderKeyRepository
from perdure.db.provider_routes import ProviderRouteRepository, default_route, route_to
from perdure.db.session import Transaction
from perdure.db.usage_repository import OK, CallRecord, UsageRepository
from perdure.domain.budgets import BudgetState, ends_at, month_of
from perdure.domain.circuit_breaker import Circuit
from perdure.domain.ids import new_id
from perdure.domain.model_prices import PricedModel, price_of
from perdure.domain.provider_keys import ProviderKey
from perdure.domain.rate_limits import RatePolicy
from perdure.domain.routing import Candidate, Capability, ProviderName, Strategy, ranked
from perdure.errors import BudgetReachedError, ProviderError, ProviderReason, SealedValueError
from perdure.ports.language_models import TokenUsage
from perdure.ports.rate_limits import RateStore
from perdure.schemas.base import rfc3339

logger = structlog.get_logger()

Price = Callable[[PricedModel, int, int, int], Decimal | None]

# What speaks of the provider's state, and not of what it was asked.
_BREAKS = frozenset((ProviderReason.UNAVAILABLE, ProviderReason.CUT_OFF))
_MICROSECOND = timedelta(microseconds=1)
# A call waits so long for others to give back what they do not need of the budget.
_WAITED_FOR_OTHERS = timedelta(seconds=5)
_LOOKED_AGAIN_S = 0.1


class CircuitOpenError(ProviderError):
    """The provider was not asked, because it has failed again and again."""

    def __init__(self, candidate: Candidate, wait: timedelta) -> None:
        detail = "is not asked for a while, because it failed again and again"
        super().__init__(candidate.provider.value, ProviderReason.UNAVAILABLE, detail, wait)


@dataclass(frozen=True)
class Work:
    """For whom, and for what, a provider is called. `purpose` is a word for the log, never a text."""

    organisation_id: str
    purpose: str
    operation_id: str | None = None
    operation_kind: str | None = None


@dataclass(frozen=True)
class Plan:
    """Whom to ask, best first, and with which keys. Who has no key any more is in `lost`, with the reason."""

    capability: Capability
    candidates: Sequence[Candidate]
    keys: Mapping[Candidate, ProviderKey] = field(repr=False)
    lost: Mapping[Candidate, str]
    circuits: Mapping[str, Circuit]
    estimate: TokenUsage = field(default_factory=TokenUsage)
    is_limited: bool = False
    """Whether a budget may stop calls: then each keeps what it is estimated to cost while it is under way."""


@dataclass
class Metered:
    """What a call took; whoever calls fills it in. `model` is the name that the provider gives."""

    usage: TokenUsage = field(default_factory=TokenUsage)
    model: str = ""
    cost: Decimal | None = None
    latency_ms: float = 0.0


class ProviderCalls:
    """Plans, admits and logs calls; each in short transactions of the organisation, none of them over a call."""

    def __init__(
        self,
        transaction: Transaction,
        keyring: Keyring,
        environment: Mapping[ProviderName, ProviderKey],
        rates: RateStore,
        price: Price = price_of,
        waited_for_others: timedelta = _WAITED_FOR_OTHERS,
    ) -> None:
        self._transaction, self._keyring, self._rates = transaction, keyring, rates
        self._environment, self._price_of = environment, price
        self._waited_for_others_s = waited_for_others.total_seconds()

    async def configured(self, organisation_id: str, capability: Capability = Capability.GENERATE) -> bool:
        """Whether anything but what is built in would be asked."""
        async with self._transaction(organisation_id) as session:
            route = await ProviderRouteRepository(session, organisation_id).get(capability)
            rows = await ProviderKeyRepository(session, organisation_id, self._keyring).usable()
        if route is not None:
            usable = {row.id for row in rows}
            return any(
                one.key_id in usable if one.key_id else one.provider in self._environment
                for one in route.candidates
            )
        keys = [ProviderKey(ProviderName(row.provider), "", default_model=row.default_model) for row in rows]
        return any(key.candidate(capability) for key in (*keys, *self._environment.values()))

    async def key(self, organisation_id: str, key_id: str) -> ProviderKey:
        """One key of the organisation, opened for a call; NotFoundError."""
        async with self._transaction(organisation_id) as session:
            provider_keys = ProviderKeyRepository(session, organisation_id, self._keyring)
            (key,) = await provider_keys.opened([await provider_keys.get(key_id)])
        return key

    async def note_test(self, organisation_id: str, key_id: str, outcome: str) -> None:
        """Note how a test of a key ended."""
        async with self._transaction(organisation_id) as session:
            await ProviderKeyRepository(session, organisation_id, self._keyring).note_test(key_id, outcome)

    async def plan(
        self,
        organisation_id: str,
        capability: Capability,
        tokens: TokenUsage = TokenUsage(),  # noqa: B008  # frozen
        *,
        asked: Candidate | None = None,
    ) -> Plan:
        """Whom to ask; BudgetReachedError when all who could be asked cost something. `tokens` is an estimate.

        `asked`: this model of this provider and no other, by whatever keys there are for it.
        """
        async with self._transaction(organisation_id) as session:
            provider_keys = ProviderKeyRepository(session, organisation_id, self._keyring)
            rows = await provider_keys.usable()
            usable = {}
            unreadable = set()
            for row in rows:
                try:
                    usable.update({key.id: key for key in await provider_keys.opened([row])})
                except SealedValueError:
                    unreadable.add(row.id)
            route = await ProviderRouteRepository(session, organisation_id).get(capability)
            if asked is not None:
                route = route_to(asked, route, list(usable.values()), self._environment)
            elif route is None:
                route = default_route(capability, list(usable.values()), self._environment)
            keys: dict[Candidate, ProviderKey] = {}
            lost: dict[Candidate, str] = {}
            for one in route.candidates:
                key = usable.get(one.key_id) if one.key_id else self._environment.get(one.provider)
                if key is not None:
                    keys[one] = key
                elif one.provider is not ProviderName.EXTRACTIVE:
                    lost[one] = (
                        "its stored key cannot be opened: set it anew"
                        if one.key_id in unreadable
                        else "its key was revoked"
                        if one.key_id
                        else "the installation has no key for it any more"
                    )
            circuits = await ProviderCircuitRepository(session, organisation_id).all()
            standing = await ProviderBudgetRepository(session, organisation_id).standing()
            latencies = (
                await UsageRepository(session, organisation_id).medians_ms(capability, route.candidates)
                if route.strategy is Strategy.FASTEST
                else {}
            )
        candidates = route.candidates
        if route.strategy is not Strategy.ORDER:
            prices = {one: self._price(one, keys.get(one), tokens) for one in candidates}
            costs = {one: price for one, price in prices.items() if price is not None}
            candidates = ranked(candidates, route.strategy, costs=costs, latencies_ms=latencies)
        is_limited = standing.budget.hard_usd is not None
        if is_limited:
            candidates = self._affordable(candidates, keys, standing, tokens)
        return Plan(
            capability, list(dict.fromkeys(candidates)), keys, lost, circuits, tokens, is_limited=is_limited
        )

    async def reserve(self, key: ProviderKey | None) -> timedelta:
        """Take one call of the key's rate; how long to wait before it is sent. UnavailableError of the store."""
        if key is None or key.requests_per_minute is None:
            return timedelta(0)
        name = f"provider key {key.id}"
        policy = RatePolicy(name, key.requests_per_minute)
        rate_key = sha256(name.encode()).hexdigest()
        ahead = (await self._rates.book({rate_key: policy.interval_us}))[rate_key]
        return max(ahead - policy.capacity_us, 0) * _MICROSECOND

    @asynccontextmanager
    async def calling(self, plan: Plan, candidate: Candidate, work: Work) -> AsyncIterator[Metered]:
        """Around one call of a provider: what it took is logged.

        CircuitOpenError when it is not asked now, BudgetReachedError when what is left of the budget may not cover it.
        """
        circuit = plan.circuits.get(candidate.circuit)
        if circuit is not None and not circuit.is_closed:
            await self._admit(candidate, work.organisation_id)
        reservation_id = await self._reserved(plan, candidate, work.organisation_id)
        metered = Metered(model=candidate.model)
        started = time.perf_counter()
        outcome = ProviderReason.CUT_OFF.value  # when whoever asks stops listening
        failed: ProviderReason | None = None
        try:
            with tracing.span(
                "provider",
                **{"gen_ai.provider.name": candidate.provider.value, "gen_ai.request.model": candidate.model},
            ):
                yield metered
            outcome = OK
        except ProviderError as error:
            failed, outcome = error.reason, error.reason.value
            metered.usage = TokenUsage(error.input_tokens, error.output_tokens, error.cached_tokens)
            raise
        finally:
            metered.latency_ms = (time.perf_counter() - started) * 1000
            if outcome == OK or metered.usage.input:
                metered.cost = self._cost(plan, candidate, metered)
            await self._note(plan, candidate, work, metered, outcome, failed, reservation_id)

    async def _reserved(self, plan: Plan, candidate: Candidate, organisation_id: str) -> str | None:
        """Keep what the call may cost; its id. None where no budget limits it, or nobody knows its price.

        Where only calls under way stand between it and the budget, it waits a little for these to end.
        """
        usd = self._price(candidate, plan.keys.get(candidate), plan.estimate) if plan.is_limited else None
        if not usd:
            return None
        reservation_id = new_id("prv")
        until = time.monotonic() + self._waited_for_others_s
        while True:
            async with self._transaction(organisation_id, durable=False) as session:
                budgets = ProviderBudgetRepository(session, organisation_id)
                found = await budgets.reserve(reservation_id, usd)
            if found is None:
                return None
            if found.is_granted:
                return reservation_id
            fits = found.spent_usd + usd <= found.hard_usd
            if not fits or time.monotonic() >= until:
                raise _too_dear(found.spent_usd, found.under_way_usd, found.hard_usd, usd)
            await asyncio.sleep(_LOOKED_AGAIN_S)

    async def _admit(self, candidate: Candidate, organisation_id: str) -> None:
        async with self._transaction(organisation_id, durable=False) as session:
            admission = await ProviderCircuitRepository(session, organisation_id).admit(candidate.circuit)
        if not admission.allowed:
            raise CircuitOpenError(candidate, admission.wait)

    def _price(self, candidate: Candidate, key: ProviderKey | None, usage: TokenUsage) -> Decimal | None:
        base_url = None if key is None or key.is_official else key.base_url
        priced = PricedModel(candidate.provider, candidate.model, base_url)
        return self._price_of(priced, usage.input, usage.output, usage.cached)

    def _affordable(
        self,
        candidates: Sequence[Candidate],
        keys: Mapping[Candidate, ProviderKey],
        standing: Standing,
        tokens: TokenUsage,
    ) -> list[Candidate]:
        """Those whom the rest of the budget covers: when it is used up, servers without a price.

        What only quotes stands in for nobody.
        """
        hard, spent = standing.budget.hard_usd or Decimal(0), standing.spent_usd
        used_up = standing.state is BudgetState.HARD

        def covered(one: Candidate) -> bool:
            if used_up:
                return not self._costs(one, keys.get(one))
            return spent + (self._price(one, keys.get(one), tokens) or 0) <= hard

        kept = [one for one in candidates if covered(one)]
        if len(kept) == len(candidates) or any(one.provider is not ProviderName.EXTRACTIVE for one in kept):
            return kept
        prices = [self._price(one, keys.get(one), tokens) for one in candidates if one not in kept]
        least = None if used_up else min((price for price in prices if price), default=None)
        raise _too_dear(spent, Decimal(0), hard, least)

    def _costs(self, candidate: Candidate, key: ProviderKey | None) -> bool:
        if candidate.provider is ProviderName.EXTRACTIVE:
            return False
        return candidate.provider is not ProviderName.OPENAI_COMPATIBLE or (
            self._price(candidate, key, TokenUsage(1000, 1000)) is not None
        )

    def _cost(self, plan: Plan, candidate: Candidate, metered: Metered) -> Decimal | None:
        """By the name in the answer, which is the more exact one, or by the one that was asked for."""
        key, usage = plan.keys.get(candidate), metered.usage
        for model in dict.fromkeys((metered.model, candidate.model)):
            price = self._price(Candidate(candidate.provider, model, candidate.key_id), key, usage)
            if price is not None:
                return price
        return None

    async def _note(
        self,
        plan: Plan,
        candidate: Candidate,
        work: Work,
        metered: Metered,
        outcome: str,
        failed: ProviderReason | None,
        reservation_id: str | None,
    ) -> None:
        """Write what a call took. An answer that was paid for is not given up because this cannot be written."""
        record = CallRecord(
            capability=plan.capability,
            purpose=work.purpose,
            candidate=candidate,
            operation_id=work.operation_id,
            operation_kind=work.operation_kind,
            usage=metered.usage,
            cost_usd=metered.cost,
            latency_ms=metered.latency_ms,
            outcome=outcome,
        )
        try:
            async with self._transaction(work.organisation_id) as session:
                circuits = ProviderCircuitRepository(session, work.organisation_id)
                if failed in _BREAKS:
                    circuit = await circuits.note_failure(candidate.circuit)
                    if not circuit.is_closed:
                        logger.warning("provider_circuit_open", provider=candidate.provider.value)
                elif candidate.circuit in plan.circuits and outcome != ProviderReason.CUT_OFF:
                    await circuits.close(candidate.circuit)
                await UsageRepository(session, work.organisation_id).write(record)
                budgets = ProviderBudgetRepository(session, work.organisation_id)
                await budgets.spend(metered.cost)
                if reservation_id is not None:
                    await budgets.release(reservation_id)
        except (SQLAlchemyError, OSError) as error:
            logger.warning(
                "provider_call_not_recorded",
                provider=candidate.provider.value,
                model=candidate.model,
                outcome=outcome,
                cost_usd=str(metered.cost),
                error=type(error).__name__,
            )


def _too_dear(spent: Decimal, under_way: Decimal, hard: Decimal, least: Decimal | None) -> BudgetReachedError:
    resets_at = rfc3339(ends_at(month_of(datetime.now(UTC))))
    beside = f", and calls under way may cost US$ {under_way:.2f}" if under_way else ""
    more = f" One more may cost US$ {least:.4f}." if least is not None else ""
    detail = (
        f"The organisation has spent US$ {spent:.2f} of its US$ {hard:.2f} for models this month{beside}.{more} "
        f"Raise the budget (PUT /api/v1/providers/budget), or wait until {resets_at}."
    )
    return BudgetReachedError(detail, retry_after=None, policy="budget")
