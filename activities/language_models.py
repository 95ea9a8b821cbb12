"""Models as activities ask them: the organisation's routing, keys, limits and budget, and one policy of failure."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from hashlib import sha256

from temporalio import activity

from activities import carried
from perdure.db.usage_repository import OK
from perdure.domain.failure_policy import Failure, Ledger, Patience
from perdure.domain.provider_words import told
from perdure.domain.routing import Candidate, Capability, ProviderName
from perdure.errors import (
    BudgetReachedError,
    FieldError,
    InvalidInputError,
    PerdureError,
    ProviderError,
    ProviderReason,
    ProvidersFailedError,
    ProviderUnavailableError,
    QuotaExceededError,
)
from perdure.ports.language_models import Generation, LanguageModel, Prompt, TokenUsage, Turn
from perdure.provider_calls import CircuitOpenError, Metered, Plan, ProviderCalls, Work
from perdure.providers.language_models import LanguageModels
from perdure.schemas.providers import KeyTestRead

PATIENCE = Patience()
# Outside of activities nobody tries again later.
_IMPATIENCE = Patience(tries=1)
_LEDGER, _TURNS = "provider_failures", "provider_turns_left"
_TURNS_KEPT_S = 600.0
# Rather too many tokens than too few: the budget keeps room for them.
_BYTES_A_TOKEN = 3


@dataclass(frozen=True)
class ModelCall:
    """For whom, and for what, a model is asked. `purpose` is a word for the log, never a text."""

    organisation_id: str
    operation_id: str | None
    operation_kind: str | None
    purpose: str
    schema_required: bool = False
    """Whether only those are asked who follow a schema: the built-in model does not."""
    providers: Sequence[str] = ()
    """Of those that are routed, only these are asked, in this order; empty: all, as routed."""
    model: str | None = None
    """Of the first of them, only this model."""

    def wants(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """Those of the routed ones that may be asked, best first."""
        if not self.providers:
            return list(candidates)
        first = self.providers[0]
        return sorted(
            (
                one
                for one in candidates
                if one.provider in self.providers
                and (self.model is None or one.provider != first or one.model == self.model)
            ),
            key=lambda one: self.providers.index(one.provider),
        )


@dataclass(frozen=True)
class Answered:
    """An answer, who gave it, and what it took. `cost` is None when the price is not known."""

    generation: Generation
    provider: ProviderName
    model: str
    key_id: str | None
    cost: Decimal | None
    latency_ms: float
    failures: Sequence[Failure] = field(default=())


class RoutedLanguageModels:
    """Asks whom the organisation's routing says, one after the other, inside an activity or outside of one.

    Inside, a failure that may pass is raised for Temporal to try again when it is time, and the next attempt knows of
    it; so an activity must let `ProviderError` and `BudgetReachedError` through `failures()`.
    """

    def __init__(self, calls: ProviderCalls, models: LanguageModels, patience: Patience = PATIENCE) -> None:
        self._calls, self._models, self._patience = calls, models, patience

    async def configured(self, organisation_id: str) -> bool:
        """Whether anything but the built-in model would be asked."""
        return await self._calls.configured(organisation_id)

    async def generate(self, call: ModelCall, prompt: Prompt) -> Answered:
        """The whole answer of the first who gives one."""
        attempt = await self._attempt(call, prompt)
        for candidate in attempt.left():
            with attempt.noting(candidate):
                await attempt.turn(candidate)
                async with self._asking(attempt, candidate) as (model, metered):
                    generation = await model.generate(prompt)
                    metered.usage, metered.model = generation.usage, generation.model
                return attempt.answered(candidate, generation, metered)
            attempt.raise_due()
        raise attempt.failed()

    async def stream(self, call: ModelCall, prompt: Prompt) -> AsyncIterator[str | Answered]:
        """The text piece by piece as it comes, then the whole. Once text has come, nobody else is asked."""
        attempt = await self._attempt(call, prompt)
        for candidate in attempt.left():
            whole: Generation | None = None
            with attempt.noting(candidate):
                await attempt.turn(candidate)
                async with self._asking(attempt, candidate) as (model, metered):
                    async for piece in model.stream(prompt):
                        if isinstance(piece, Generation):
                            whole = piece
                            metered.usage, metered.model = piece.usage, piece.model
                        else:
                            attempt.begun = True
                            yield piece
            if whole is not None:
                yield attempt.answered(candidate, whole, metered)
                return
            attempt.raise_due()
        raise attempt.failed()

    async def probe(self, organisation_id: str, key_id: str) -> KeyTestRead:
        """Ask for one word with one key, whatever the routing says; NotFoundError without it."""
        key = await self._calls.key(organisation_id, key_id)
        candidate = key.candidate(Capability.GENERATE)
        if candidate is None:
            field_error = FieldError("/default_model", "Name a model that the server has.")
            raise InvalidInputError("The key names no model that could be asked.", [field_error])
        plan = Plan(Capability.GENERATE, [candidate], {candidate: key}, {}, {})
        prompt = Prompt([Turn("user", "Answer with the word: ready")], max_tokens=16)
        metered, reason, detail = Metered(), None, None
        try:
            async with (
                self._models.lend(candidate, key) as model,
                self._calls.calling(plan, candidate, Work(organisation_id, "key_test")) as metered,
            ):
                generation = await model.generate(prompt)
                metered.usage, metered.model = generation.usage, generation.model
        except ProviderError as error:
            reason = error.reason.value
            detail = told(error.reason, str(error).removeprefix(f"{error.provider}: "), [])
        await self._calls.note_test(organisation_id, key_id, reason or OK)
        return KeyTestRead(
            ok=reason is None,
            provider=candidate.provider,
            model=candidate.model,
            latency_ms=metered.latency_ms,
            reason=reason,
            detail=detail,
        )

    @asynccontextmanager
    async def _asking(
        self, attempt: "_Attempt", candidate: Candidate
    ) -> AsyncIterator[tuple[LanguageModel, Metered]]:
        async with (
            self._models.lend(candidate, attempt.plan.keys.get(candidate)) as model,
            self._calls.calling(attempt.plan, candidate, attempt.work) as metered,
        ):
            yield model, metered

    async def _attempt(self, call: ModelCall, prompt: Prompt) -> "_Attempt":
        texts = [prompt.system, *(turn.text for turn in prompt.turns), *(one.text for one in prompt.sources)]
        # An answer that has to fit a schema may be asked for twice.
        times = 1 if prompt.schema is None else 2
        size = sum(len(one.encode(errors="replace")) for one in (*texts, json.dumps(prompt.schema or "")))
        estimate = TokenUsage(times * (size // _BYTES_A_TOKEN + 1), times * prompt.max_tokens)
        plan = await self._calls.plan(call.organisation_id, Capability.GENERATE, estimate)
        candidates = plan.candidates
        candidates = call.wants(candidates)
        if call.schema_required or prompt.schema is not None:
            candidates = [one for one in candidates if one.provider is not ProviderName.EXTRACTIVE]
        if not candidates:
            detail = (
                "No provider is configured that can do this: add a key (POST /api/v1/providers/keys), or set "
                "OPENAI_API_KEY or ANTHROPIC_API_KEY."
            )
            raise ProviderUnavailableError(detail)
        notes = carried.current()
        return _Attempt(
            calls=self._calls,
            plan=plan,
            candidates=candidates,
            work=Work(call.organisation_id, call.purpose, call.operation_id, call.operation_kind),
            texts=texts,
            digest=_digest(call.purpose, texts),
            notes=notes,
            patience=self._patience if notes is not None else _IMPATIENCE,
        )


@dataclass
class _Attempt:
    """One call within one attempt of an activity."""

    calls: ProviderCalls
    plan: Plan
    candidates: Sequence[Candidate]
    work: Work
    texts: Sequence[str]
    digest: str
    notes: carried.Carried | None
    patience: Patience
    begun: bool = False
    _due: ProviderError | None = None
    _too_dear: BudgetReachedError | None = None
    _waits: list[tuple[timedelta, ProviderError]] = field(default_factory=list)
    _own: Ledger = field(default_factory=Ledger)

    def left(self) -> Iterator[Candidate]:
        """Those who are still to be asked, best first."""
        for candidate in self.candidates:
            if candidate in self.plan.lost or self._given_up(candidate):
                continue
            # As when the budget is used up from the start: what only quotes stands in for nobody.
            if self._too_dear is not None and candidate.provider is ProviderName.EXTRACTIVE:
                continue
            yield candidate

    async def turn(self, candidate: Candidate) -> None:
        """Wait for the key's rate. A turn that comes late is kept for the next attempt, and is no failure."""
        key = self.plan.keys.get(candidate)
        if key is None or key.requests_per_minute is None:
            return
        name = f"{self.digest}|{key.id}"
        kept = self._turns().get(name)
        wait = await self.calls.reserve(key) if kept is None else _left_of(*kept)
        turns = self._turns()
        if wait > self.patience.longest_turn:
            self._keep_turns(turns | {name: [time.time(), wait.total_seconds()]})
            detail = f"its key is used {key.requests_per_minute} times a minute, and has no turn left for now"
            raise _no_turn(candidate, detail, wait, can_wait=self.notes is not None)
        if turns.pop(name, None) is not None:
            self._keep_turns(turns)
        await asyncio.sleep(wait.total_seconds())

    @contextmanager
    def noting(self, candidate: Candidate) -> Iterator[None]:
        """Note a failure; whether it is to be asked again, or the next one, `raise_due` tells."""
        try:
            yield
        except _NoTurnError:
            raise
        except BudgetReachedError as error:
            # Calls that began with this one have reserved the rest; who costs less, or nothing, may still be asked.
            self._too_dear = error
            return
        except ProviderError as error:
            failure, wait = self._noted(candidate, error)
            is_open = isinstance(error, CircuitOpenError)
        else:
            return
        # Not what was caught: that brings along what the SDK has said.
        retried = ProviderError(candidate.provider.value, failure.reason, failure.detail, wait)
        if self.begun or (wait is not None and not is_open and wait <= self.patience.longest_wait):
            self._due = retried
        elif wait is not None:
            self._waits.append((wait, retried))

    def raise_due(self) -> None:
        """Raise what Temporal tries again, out of all handlers of what has caused it."""
        if self._due is not None:
            raise self._due

    def answered(self, candidate: Candidate, generation: Generation, metered: Metered) -> Answered:
        """What whoever asked gets."""
        failures = self._failures()
        ledger = self._ledger()
        if ledger.answered(candidate, self.digest):
            self._keep(ledger)
        return Answered(
            generation=generation,
            provider=candidate.provider,
            model=generation.model or candidate.model,
            key_id=candidate.key_id,
            cost=metered.cost,
            latency_ms=metered.latency_ms,
            failures=failures,
        )

    def failed(self) -> Exception:
        """What is raised when nobody has answered: to come again when the first one may be asked again, or the end."""
        if self._waits:
            _, error = min(self._waits, key=lambda one: one[0])
            return error
        if self._too_dear is not None:
            return self._too_dear
        failures = self._failures()
        reasons = "; ".join(failure.text for failure in failures)
        return ProvidersFailedError(
            f"No provider answered. {reasons}.", [failure.reason for failure in failures]
        )

    def _noted(self, candidate: Candidate, error: ProviderError) -> tuple[Failure, timedelta | None]:
        """The failure as it may be told, and when to ask again; None for never."""
        raw = str(error).removeprefix(f"{error.provider}: ")
        detail = told(error.reason, raw, self.texts)
        ledger = self._ledger()
        count = ledger.note(candidate, self.digest, error.reason, detail, self._number(), passes=error.passes)
        self._keep(ledger)
        failure = Failure.of(candidate, error.reason, detail, count)
        if not error.passes or count >= self.patience.tries:
            return failure, None
        return failure, error.retry_after if error.retry_after is not None else self.patience.wait(count)

    def _given_up(self, candidate: Candidate) -> Failure | None:
        return self._ledger().given_up(candidate, self.digest, self.patience.tries)

    def _failures(self) -> list[Failure]:
        found = []
        ledger = self._ledger()
        for candidate in self.candidates:
            if (lost := self.plan.lost.get(candidate)) is not None:
                found.append(Failure.of(candidate, ProviderReason.UNAUTHORISED, lost))
                continue
            failure = ledger.given_up(candidate, self.digest, self.patience.tries) or ledger.failed_before(
                candidate
            )
            if failure is not None:
                found.append(failure)
        return found

    def _ledger(self) -> Ledger:
        """Read anew each time: calls that run beside this one write it, too."""
        return Ledger.load(self.notes.notes(_LEDGER)) if self.notes is not None else self._own

    def _turns(self) -> dict[str, list[float]]:
        """By text and key, when somebody looked last, and how many seconds were left then."""
        return dict((self.notes.notes(_TURNS) if self.notes is not None else None) or {})

    def _keep_turns(self, turns: dict[str, list[float]]) -> None:
        if self.notes is not None:
            past = time.time() - _TURNS_KEPT_S
            self.notes.note(_TURNS, {name: kept for name, kept in turns.items() if sum(kept) > past})

    def _keep(self, ledger: Ledger) -> None:
        if self.notes is not None:
            self.notes.note(_LEDGER, ledger.dump())

    @staticmethod
    def _number() -> int:
        return activity.info().attempt if activity.in_activity() else 1


class _NoTurnError(ProviderError):
    """The key's own rate: nobody has failed, and it is this one's turn later."""


def _left_of(looked_at: float, left_s: float) -> timedelta:
    """Of a turn. Where the clock was put back since, as much as then, and not the hours that it lost."""
    return timedelta(seconds=max(left_s - max(time.time() - looked_at, 0.0), 0.0))


def _no_turn(candidate: Candidate, detail: str, wait: timedelta, *, can_wait: bool) -> PerdureError:
    name = candidate.provider.value
    if can_wait:
        return _NoTurnError(name, ProviderReason.RATE_LIMITED, detail, wait)
    return QuotaExceededError(f"{name}: {detail}; try again later.", wait, policy="provider-key")


def _digest(purpose: str, texts: Sequence[str]) -> str:
    """Tells texts apart, and nothing of what they say."""
    digest = sha256(purpose.encode())
    for text in texts:
        digest.update(b"\0" + text.encode("utf-8", "surrogatepass"))
    return digest.hexdigest()[:16]
