"""Calls of providers by routing, over the real SDKs: whom failures lead to, what they cost, and what stops them."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from sqlalchemy import text
from temporalio.exceptions import ApplicationError

from activities.language_models import Answered, RoutedLanguageModels
from perdure.db.audit_trail import AuditFilter, AuditTrail
from perdure.db.provider_budgets import ProviderBudgetRepository
from perdure.db.provider_keys import ProviderKeyRepository
from perdure.db.provider_routes import ProviderRouteRepository, check_candidates
from perdure.db.session import Database
from perdure.db.usage_repository import UsageRepository
from perdure.domain.audit import Action
from perdure.domain.budgets import Budget
from perdure.domain.circuit_breaker import THRESHOLD
from perdure.domain.failure_policy import Patience
from perdure.domain.ids import new_id
from perdure.domain.provider_keys import ProviderKey
from perdure.domain.routing import BUILT_IN, Candidate, Capability, ProviderName, Strategy
from perdure.domain.sealing import key_id_of
from perdure.embedded import postgres
from perdure.errors import (
    BudgetReachedError,
    ConflictError,
    InvalidInputError,
    NotFoundError,
    ProvidersFailedError,
    ProviderUnavailableError,
    QuotaExceededError,
)
from perdure.ports.language_models import Prompt, Source, Turn
from perdure.providers.language_models import LanguageModels
from perdure.schemas.providers import UsageGroup
from tests.provider_servers import AnthropicServer, Fails, OpenAIServer, Raw, Reply, Says, WireServer
from tests.routed_models import ASKED, SECRET, Activity, Asking, a_keyring
from tests.sealed_secrets import a_database, rotate

SCHEMA = {"type": "object", "properties": {"label": {"enum": ["red", "blue"]}}, "required": ["label"]}
DOWN = Fails(500, "api_error")


@pytest.fixture(scope="module")
async def database(embedded_postgres: postgres.EmbeddedPostgres) -> AsyncIterator[Database]:
    async with a_database(embedded_postgres) as database:
        yield database


@pytest.fixture(scope="module")
async def openai() -> AsyncIterator[OpenAIServer]:
    server = OpenAIServer()
    async with server.serving():
        yield server


@pytest.fixture(scope="module")
async def anthropic() -> AsyncIterator[AnthropicServer]:
    server = AnthropicServer()
    async with server.serving():
        yield server


@pytest.fixture(params=["openai", "anthropic"])
def servers(
    request: pytest.FixtureRequest, openai: OpenAIServer, anthropic: AnthropicServer
) -> tuple[WireServer, WireServer]:
    """Who is asked first, and who is asked next."""
    for server in (openai, anthropic):
        server.replies.clear()
        server.asked.clear()
    return (openai, anthropic) if request.param == "openai" else (anthropic, openai)


@pytest.fixture
def first(servers: tuple[WireServer, WireServer]) -> WireServer:
    return servers[0]


@pytest.fixture
def second(servers: tuple[WireServer, WireServer]) -> WireServer:
    return servers[1]


@pytest.fixture(scope="module")
async def lent() -> AsyncIterator[LanguageModels]:
    models = LanguageModels(private_urls=True)
    yield models
    await models.aclose()


@pytest.fixture
def asking(database: Database, organisation_id: str, lent: LanguageModels) -> Asking:
    return Asking(database, organisation_id, a_keyring(), lent)


async def answered(asking: Asking, activity: Activity, prompt: Prompt = ASKED) -> Answered:
    return await activity.run(lambda: asking.worker().generate(asking.call(), prompt))


async def failed(asking: Asking, activity: Activity, prompt: Prompt = ASKED) -> ApplicationError:
    with pytest.raises(ApplicationError) as raised:
        await answered(asking, activity, prompt)
    assert SECRET not in str(raised.value)
    return raised.value


def outcomes(answer: Answered) -> list[tuple[str, str, int]]:
    return [(one.provider.value, one.reason.value, one.count) for one in answer.failures]


async def test_an_answer_says_who_gave_it_and_what_it_took(asking: Asking, first: WireServer) -> None:
    key_id = await asking.key(first)
    first.replies.append(Says("Grey."))
    answer = await answered(asking, Activity())
    assert (answer.generation.text, answer.key_id, answer.failures) == ("Grey.", key_id, [])
    assert answer.cost is not None
    assert answer.cost > 0
    (log,) = await asking.logs()
    assert (log.provider, log.key_id, log.outcome) == (answer.provider, key_id, "ok")
    assert (log.operation_id, log.operation_kind, log.purpose) == ("op_test", "test", "answer")
    assert (log.input_tokens, log.output_tokens, log.cached_tokens) == (30, 7, 10)
    assert (log.cost_usd, log.capability) == (answer.cost, "generate")
    assert log.latency_ms > 0


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Fails(401, "authentication_error", f"Incorrect API key provided: {SECRET}"), "unauthorised"),
        (Fails(400, "invalid_request_error", "no such model"), "invalid_request"),
        (Raw(b'{"choices": ['), "malformed"),
        (Says("I will not speak of Rotterdam.", refused=True), "refused"),
    ],
)
async def test_what_does_not_pass_goes_to_the_next_at_once(
    asking: Asking, first: WireServer, second: WireServer, reply: Reply, reason: str
) -> None:
    await asking.key(first)
    await asking.key(second)
    first.replies.append(reply)
    second.replies.append(Says("Grey."))
    activity = Activity()
    answer = await answered(asking, activity)
    assert (activity.delays, answer.generation.text) == ([], "Grey.")
    ((_, found, count),) = outcomes(answer)
    assert (found, count) == (reason, 1)
    assert "Rotterdam" not in answer.failures[0].detail
    assert SECRET not in answer.failures[0].detail
    assert [log.outcome for log in await asking.logs()] == [reason, "ok"]


async def test_answers_that_never_follow_the_schema_are_paid_for_and_the_next_is_asked(
    asking: Asking, first: WireServer, second: WireServer
) -> None:
    await asking.key(first)
    await asking.key(second)
    first.replies.extend([Says("Grey."), Says('{"label": "grey"}')])
    second.replies.append(Says('{"label": "blue"}'))
    answer = await answered(asking, Activity(), replace(ASKED, schema=SCHEMA))
    assert answer.generation.value == {"label": "blue"}
    assert [reason for _, reason, _ in outcomes(answer)] == ["malformed"]
    wasted, used = await asking.logs()
    assert (wasted.outcome, wasted.input_tokens, wasted.output_tokens) == ("malformed", 60, 14)
    assert (used.outcome, used.input_tokens) == ("ok", 30)
    assert wasted.cost_usd is not None
    async with asking.database.transaction(asking.organisation_id) as session:
        standing = await ProviderBudgetRepository(session, asking.organisation_id).standing()
    assert standing.spent_usd == wasted.cost_usd + (used.cost_usd or 0)


async def test_a_repair_that_fails_on_the_way_is_paid_for_by_half(asking: Asking, first: WireServer) -> None:
    await asking.key(first)
    first.replies.extend([Says("Grey."), DOWN, Says('{"label": "blue"}')])
    answer = await answered(asking, Activity(), replace(ASKED, schema=SCHEMA))
    assert answer.generation.value == {"label": "blue"}
    failed, used = await asking.logs()
    assert (failed.outcome, failed.input_tokens, used.input_tokens) == ("unavailable", 30, 30)


async def test_too_many_requests_are_sent_again_when_the_provider_says(
    asking: Asking, first: WireServer, second: WireServer
) -> None:
    await asking.key(first)
    await asking.key(second)
    first.replies.extend([Fails(429, "rate_limit_error", headers={"retry-after": "7"}), Says("Grey.")])
    activity = Activity()
    answer = await answered(asking, activity)
    assert activity.delays == [timedelta(seconds=7)]
    assert answer.generation.text == "Grey."
    assert [count for _, _, count in outcomes(answer)] == [1]
    assert second.asked == []


async def test_who_wants_to_be_asked_much_later_makes_way(
    asking: Asking, first: WireServer, second: WireServer
) -> None:
    await asking.key(first)
    await asking.key(second)
    first.replies.append(Fails(429, "rate_limit_error", headers={"retry-after": "600"}))
    second.replies.append(Says("Grey."))
    activity = Activity()
    assert (await answered(asking, activity)).generation.text == "Grey."
    assert activity.delays == []


async def test_a_provider_that_is_down_is_asked_some_times_and_then_the_next(
    asking: Asking, first: WireServer, second: WireServer
) -> None:
    await asking.key(first)
    await asking.key(second)
    first.replies.extend([DOWN] * 3)
    second.replies.append(Says("Grey."))
    activity = Activity()
    answer = await answered(asking, activity)
    assert activity.delays == [timedelta(seconds=1), timedelta(seconds=2)]
    assert [(reason, count) for _, reason, count in outcomes(answer)] == [("unavailable", 3)]
    assert len(first.asked) == 3


async def test_who_does_not_answer_in_time_counts_as_down(
    asking: Asking, first: WireServer, second: WireServer
) -> None:
    impatient = LanguageModels(private_urls=True, timeout=timedelta(seconds=0.5))
    asking.lent, asking.patience = impatient, Patience(tries=1)
    await asking.key(first)
    await asking.key(second)
    first.replies.append(Says("Late.", first_after_s=5))
    second.replies.append(Says("Grey."))
    answer = await answered(asking, Activity())
    assert [(reason, count) for _, reason, count in outcomes(answer)] == [("unavailable", 1)]
    await impatient.aclose()


async def test_when_nobody_answers_each_reason_is_told(
    asking: Asking, first: WireServer, second: WireServer
) -> None:
    await asking.key(first)
    await asking.key(second)
    first.replies.append(Fails(401, "authentication_error", f"Incorrect API key provided: {SECRET}"))
    second.replies.extend([DOWN] * 3)
    activity = Activity()
    error = await failed(asking, activity, replace(ASKED, schema=SCHEMA))
    assert (error.type, error.non_retryable) == ("providers-failed", True)
    assert "the key is not accepted (401) [unauthorised]" in str(error)
    assert "failed with 500 [unavailable, 3 times]" in str(error)
    assert len(first.asked) == 1, "a key that is not accepted is not tried with every attempt"


async def test_without_a_key_the_built_in_model_answers(asking: Asking) -> None:
    assert not await asking.worker().configured(asking.organisation_id)
    prompt = Prompt(
        [Turn("user", "When does the valve open?")], sources=[Source("a", "The valve opens at 7 bar.")]
    )
    answer = await answered(asking, Activity(), prompt)
    assert (answer.provider, answer.cost) == (ProviderName.EXTRACTIVE, Decimal(0))
    assert "7 bar" in answer.generation.text
    (log,) = await asking.logs()
    assert (log.provider, log.key_id, log.cost_usd) == ("extractive", None, Decimal(0))


async def test_the_built_in_model_is_not_asked_for_what_it_cannot_do(asking: Asking) -> None:
    with pytest.raises(ProviderUnavailableError, match="OPENAI_API_KEY"):
        await asking.worker().generate(asking.call(), replace(ASKED, schema=SCHEMA))
    with pytest.raises(ProviderUnavailableError):
        await asking.worker().generate(asking.call(schema_required=True), ASKED)


async def test_the_installations_key_is_asked_after_the_organisations(
    asking: Asking, first: WireServer, openai: OpenAIServer
) -> None:
    name = ProviderName.OPENAI_COMPATIBLE
    asking.environment = {name: ProviderKey(name, "none", f"{openai.url}/v1", "llama3")}
    assert await asking.worker().configured(asking.organisation_id)
    await asking.key(first)
    first.replies.append(Fails(401, "authentication_error"))
    openai.replies.append(Says("Grey."))
    answer = await answered(asking, Activity())
    assert (answer.provider, answer.key_id) == (name, None)


async def test_a_stream_that_fails_before_its_first_word_goes_on_elsewhere(
    asking: Asking, first: WireServer, second: WireServer
) -> None:
    asking.patience = Patience(tries=1)
    await asking.key(first)
    await asking.key(second)
    first.replies.append(Says("It is grey.", cut_after=0))
    second.replies.append(Says("It is grey."))
    pieces, answer = await Activity().run(lambda: streamed(asking))
    assert pieces == ["It ", "is ", "grey."]
    assert answer is not None
    assert [reason for _, reason, _ in outcomes(answer)] == ["cut_off"]
    assert [log.outcome for log in await asking.logs()] == ["cut_off", "ok"]


async def test_a_stream_that_is_cut_off_later_is_a_failure_that_passes(
    asking: Asking, first: WireServer, second: WireServer
) -> None:
    await asking.key(first)
    await asking.key(second)
    first.replies.append(Says("It is grey.", cut_after=2))
    with pytest.raises(ApplicationError) as raised:
        await Activity().once(lambda: streamed(asking))
    assert (raised.value.type, raised.value.non_retryable) == ("cut_off", False)
    assert second.asked == []


async def streamed(asking: Asking) -> tuple[list[str], Answered | None]:
    pieces: list[str] = []
    async for piece in asking.worker().stream(asking.call(), ASKED):
        if isinstance(piece, Answered):
            return pieces, piece
        pieces.append(piece)
    return pieces, None


# Keys.


async def test_a_key_that_is_revoked_in_the_middle_is_gone_with_the_next_call(
    asking: Asking, first: WireServer, second: WireServer
) -> None:
    gone, _ = await asking.key(first), await asking.key(second)
    first.replies.append(Says("One."))
    second.replies.append(Says("Two."))
    worker = asking.worker()
    assert (await worker.generate(asking.call(), ASKED)).generation.text == "One."
    await revoke(asking, gone)
    answer = await worker.generate(asking.call(), ASKED)
    assert (answer.generation.text, len(first.asked)) == ("Two.", 1)


async def test_a_route_that_names_a_revoked_key_says_so(
    asking: Asking, first: WireServer, second: WireServer
) -> None:
    gone, left = await asking.key(first), await asking.key(second)
    candidates = [candidate_of(first, gone), candidate_of(second, left)]
    await route(asking, Strategy.ORDER, candidates)
    await revoke(asking, gone)
    second.replies.append(Says("Two."))
    answer = await answered(asking, Activity())
    assert [(one.key_id, one.detail) for one in answer.failures] == [(gone, "its key was revoked")]
    await revoke(asking, left)
    error = await failed(asking, Activity())
    assert (error.type, str(error).count("its key was revoked")) == ("providers-failed", 2)


async def test_keys_are_sealed_named_once_and_destroyed_when_they_are_revoked(
    asking: Asking, openai: OpenAIServer
) -> None:
    key_id = await asking.key(openai, name="Main")
    async with asking.database.transaction(asking.organisation_id) as session:
        keys = ProviderKeyRepository(session, asking.organisation_id, asking.keyring)
        row = await keys.get(key_id)
        assert SECRET.encode() not in (row.sealed or b"")
        assert row.last_four == SECRET[-4:]
        (opened,) = await keys.opened([row])
        assert (opened.secret, opened.id) == (SECRET, key_id)
    with pytest.raises(ConflictError, match="named 'Main'"):
        await asking.key(openai, name="Main")
    await revoke(asking, key_id)
    async with asking.database.transaction(asking.organisation_id) as session:
        sealed = await session.scalar(text("SELECT sealed FROM provider_keys WHERE id = :id"), {"id": key_id})
    assert sealed is None
    with pytest.raises(NotFoundError):
        await revoke(asking, key_id)
    await asking.key(openai, name="Main")


async def test_a_rotation_seals_keys_anew(asking: Asking, openai: OpenAIServer) -> None:
    key_id = await asking.key(openai)

    async def sealed_with_and_opened() -> tuple[str, str]:
        async with asking.database.transaction(asking.organisation_id) as session:
            keys = ProviderKeyRepository(session, asking.organisation_id, asking.keyring)
            row = await keys.get(key_id)
            (opened,) = await keys.opened([row])
            return key_id_of(row.sealed or b""), opened.secret

    before, _ = await sealed_with_and_opened()
    made = await rotate(asking.database, asking.organisation_id, asking.keyring)
    assert made != before
    assert await sealed_with_and_opened() == (made, SECRET)


async def test_a_key_that_does_not_open_is_told_and_the_next_is_asked(
    asking: Asking, first: WireServer, second: WireServer
) -> None:
    broken, left = await asking.key(first), await asking.key(second)
    await route(asking, Strategy.ORDER, [candidate_of(first, broken), candidate_of(second, left)])
    async with asking.database.transaction(asking.organisation_id) as session:
        await session.execute(
            text(
                "UPDATE provider_keys SET sealed = set_byte(sealed, 60, 255 - get_byte(sealed, 60)) WHERE id = :id"
            ),
            {"id": broken},
        )
    second.replies.append(Says("Two."))
    answer = await answered(asking, Activity())
    assert [one.detail for one in answer.failures] == ["its stored key cannot be opened: set it anew"]


async def test_a_test_of_a_key_says_how_it_went_and_is_remembered(asking: Asking, first: WireServer) -> None:
    key_id = await asking.key(first)
    first.replies.extend([Says("ready"), Fails(401, "authentication_error", f"bad {SECRET}")])
    worker = asking.worker()
    told = await worker.probe(asking.organisation_id, key_id)
    assert (told.ok, told.reason) == (True, None)
    assert told.latency_ms > 0
    told = await worker.probe(asking.organisation_id, key_id)
    assert (told.ok, told.reason, told.detail) == (False, "unauthorised", "the key is not accepted (401)")
    async with asking.database.transaction(asking.organisation_id) as session:
        row = await ProviderKeyRepository(session, asking.organisation_id, asking.keyring).get(key_id)
    assert row.test_outcome == "unauthorised"
    assert row.tested_at is not None
    with pytest.raises(NotFoundError):
        await worker.probe(asking.organisation_id, "pky_00000000000000000000000000")


async def test_an_organisation_cannot_reach_into_the_own_network(asking: Asking, first: WireServer) -> None:
    asking.lent = LanguageModels()
    await asking.key(first)
    error = await failed(asking, Activity(), replace(ASKED, schema=SCHEMA))
    assert "its address may not be used: 127.0.0.1 is not a public address" in str(error)
    assert first.asked == []


# Routing.


async def test_the_cheapest_is_asked_first(asking: Asking, first: WireServer, second: WireServer) -> None:
    dear, cheap = await asking.key(first), await asking.key(second)
    names = {True: ("gpt-4o", "gpt-4o-mini"), False: ("claude-opus-4-1", "claude-haiku-4-5")}
    candidates = [
        replace(candidate_of(first, dear), model=names[isinstance(first, OpenAIServer)][0]),
        replace(candidate_of(second, cheap), model=names[isinstance(second, OpenAIServer)][1]),
    ]
    await route(asking, Strategy.CHEAPEST, candidates)
    second.replies.append(Says("Grey."))
    assert (await answered(asking, Activity())).key_id == cheap


async def test_the_one_that_has_answered_fastest_of_late_is_asked_first(
    asking: Asking, first: WireServer, second: WireServer
) -> None:
    slow, fast = await asking.key(first), await asking.key(second)
    candidates = [candidate_of(first, slow), candidate_of(second, fast)]
    await route(asking, Strategy.FASTEST, candidates)
    for candidate, latency_ms, outcome in (
        *((candidates[0], 900.0, "ok"),) * 3,
        *((candidates[1], 300.0, "ok"),) * 3,
        *((candidates[0], 1.0, "unavailable"),) * 9,
    ):
        await log(asking, candidate, latency_ms, outcome)
    second.replies.append(Says("Grey."))
    assert (await answered(asking, Activity())).key_id == fast


async def test_a_route_may_only_name_what_there_is(asking: Asking) -> None:
    providers = {"pky_1": ProviderName.OPENAI}
    good = [Candidate(ProviderName.OPENAI, "gpt-4o", "pky_1"), BUILT_IN]
    check_candidates(Capability.GENERATE, good, providers, {})
    wrong = [
        Candidate(ProviderName.OPENAI, "gpt-4o"),
        Candidate(ProviderName.ANTHROPIC, "claude-haiku-4-5", "pky_1"),
        Candidate(ProviderName.EXTRACTIVE, "other"),
    ]
    with pytest.raises(InvalidInputError) as refused:
        check_candidates(Capability.GENERATE, wrong, providers, {})
    assert [error.pointer for error in refused.value.errors] == [
        "/generate/candidates/0/key_id",
        "/generate/candidates/1/key_id",
        "/generate/candidates/2/model",
    ]
    with pytest.raises(InvalidInputError):
        check_candidates(Capability.EMBED, [BUILT_IN], providers, {})


# Circuits.


async def test_who_fails_again_and_again_is_not_asked_until_a_probe_is_answered(
    asking: Asking, first: WireServer, second: WireServer
) -> None:
    asking.patience = Patience(tries=1)
    await asking.key(first)
    await asking.key(second)
    first.replies.extend([DOWN] * THRESHOLD)
    second.replies.extend([Says("Two.")] * (THRESHOLD + 3))
    for _ in range(THRESHOLD):
        await answered(asking, Activity())
    assert len(first.asked) == THRESHOLD
    answer = await answered(asking, Activity())  # another worker, the same circuit
    assert len(first.asked) == THRESHOLD
    assert "is not asked for a while" in answer.failures[0].detail

    await time_passes(asking)
    first.replies.append(DOWN)
    await answered(asking, Activity())
    assert len(first.asked) == THRESHOLD + 1, "one probe"
    await answered(asking, Activity())
    assert len(first.asked) == THRESHOLD + 1, "which failed"

    await time_passes(asking)
    first.replies.extend([Says("One."), Says("One.")])
    assert (await answered(asking, Activity())).generation.text == "One."
    assert (await answered(asking, Activity())).generation.text == "One."


async def test_of_many_who_come_when_it_is_time_one_probes(
    asking: Asking, first: WireServer, second: WireServer
) -> None:
    asking.patience = Patience(tries=1)
    await asking.key(first)
    await asking.key(second)
    first.replies.extend([DOWN] * THRESHOLD)
    second.replies.extend([Says("Two.")] * (THRESHOLD + 8))
    for _ in range(THRESHOLD):
        await answered(asking, Activity())
    await time_passes(asking)
    first.replies.append(Says("One.", first_after_s=0.5))
    answers = await asyncio.gather(*(answered(asking, Activity()) for _ in range(8)))
    assert sorted(answer.generation.text for answer in answers) == ["One.", *["Two."] * 7]
    assert len(first.asked) == THRESHOLD + 1


async def test_with_nobody_else_to_ask_an_open_circuit_is_waited_for(
    asking: Asking, first: WireServer
) -> None:
    await asking.key(first)
    schema = replace(ASKED, schema=SCHEMA)
    asking.patience = Patience(tries=1)
    first.replies.extend([DOWN] * THRESHOLD)
    for _ in range(THRESHOLD):
        await failed(asking, Activity(), schema)
    asking.patience = Patience(tries=3)
    activity = Activity()
    with pytest.raises(ApplicationError) as raised:
        await activity.once(lambda: asking.worker().generate(asking.call(), schema))
    assert not raised.value.non_retryable
    assert raised.value.next_retry_delay is not None
    assert raised.value.next_retry_delay > timedelta(seconds=1)
    await time_passes(asking)
    first.replies.append(Says('{"label": "blue"}'))
    assert (await answered(asking, activity, schema)).generation.value == {"label": "blue"}


async def test_what_is_wrong_with_a_key_opens_no_circuit(
    asking: Asking, first: WireServer, second: WireServer
) -> None:
    await asking.key(first)
    await asking.key(second)
    first.replies.extend([Fails(401, "authentication_error")] * (THRESHOLD + 1))
    second.replies.extend([Says("Two.")] * (THRESHOLD + 1))
    for _ in range(THRESHOLD + 1):
        await answered(asking, Activity())
    assert len(first.asked) == THRESHOLD + 1


# Rates.


async def test_fifty_calls_at_once_keep_to_the_keys_rate_over_all_workers(
    asking: Asking, first: WireServer
) -> None:
    per_minute, calls = 30, 50
    asking.patience = Patience(longest_turn=timedelta(0))
    await asking.key(first, requests_per_minute=per_minute)
    first.replies.extend([Says("Grey.")] * calls)
    workers = [asking.worker() for _ in range(3)]
    started = time.monotonic()

    async def ask(number: int) -> ApplicationError | Answered:
        prompt = Prompt([Turn("user", f"Question {number}")])
        try:
            return await Activity().once(lambda: workers[number % 3].generate(asking.call(), prompt))
        except ApplicationError as error:
            return error

    became = await asyncio.gather(*(ask(number) for number in range(calls)))
    refilled = int((time.monotonic() - started) * per_minute / 60) + 1
    assert per_minute <= len(first.asked) <= per_minute + refilled
    refused = [one for one in became if isinstance(one, ApplicationError)]
    assert {(one.type, one.non_retryable) for one in refused} == {("rate_limited", False)}
    # Everybody has a turn of their own, one interval after the one before.
    delays = sorted(one.next_retry_delay.total_seconds() for one in refused if one.next_retry_delay)
    assert len(delays) == calls - len(first.asked)
    assert delays[-1] <= (calls - per_minute) * 60 / per_minute + 0.1
    assert all(later - earlier > 0 for earlier, later in pairwise(delays))


async def test_a_turn_is_kept_for_the_next_attempt(asking: Asking, first: WireServer) -> None:
    asking.patience = Patience(longest_turn=timedelta(seconds=2))
    await asking.key(first, requests_per_minute=1)
    first.replies.extend([Says("One."), Says("Two.")])
    await answered(asking, Activity())
    activity = Activity()
    for _ in range(2):  # too early twice: it books once
        with pytest.raises(ApplicationError) as raised:
            await activity.once(lambda: asking.worker().generate(asking.call(), ASKED))
        assert raised.value.next_retry_delay is not None
        assert 30 < raised.value.next_retry_delay.total_seconds() <= 60
    noted = json.dumps(activity.details)
    (turns,) = (detail["perdure"]["provider_turns_left"] for detail in activity.details)
    assert "Rotterdam" not in noted
    turns.update(
        {name: [looked_at - 60, left] for name, (looked_at, left) in turns.items()}
    )  # a minute later
    assert (await answered(asking, activity)).generation.text == "Two."


async def test_a_turn_comes_when_the_clock_was_put_back(asking: Asking, first: WireServer) -> None:
    asking.patience = Patience(longest_turn=timedelta(0))
    await asking.key(first, requests_per_minute=1)
    first.replies.extend([Says("One."), Says("Two.")])
    await answered(asking, Activity())
    activity = Activity()
    # Before the second attempt the clock goes back by an hour, and before the third on by a minute, as it should.
    for shift in (timedelta(hours=1), timedelta(minutes=-1)):
        with pytest.raises(ApplicationError) as raised:
            await activity.once(lambda: asking.worker().generate(asking.call(), ASKED))
        assert raised.value.next_retry_delay is not None
        assert 30 < raised.value.next_retry_delay.total_seconds() <= 60
        (turns,) = (detail["perdure"]["provider_turns_left"] for detail in activity.details)
        turns.update(
            {name: [looked_at + shift.total_seconds(), left] for name, (looked_at, left) in turns.items()}
        )
    assert (await answered(asking, activity)).generation.text == "Two."


async def test_outside_of_an_activity_nobody_waits_for_a_turn(asking: Asking, first: WireServer) -> None:
    asking.patience = Patience(longest_turn=timedelta(0))
    await asking.key(first, requests_per_minute=1)
    first.replies.append(Says("One."))
    worker = asking.worker()
    await worker.generate(asking.call(), ASKED)
    with pytest.raises(QuotaExceededError) as refused:
        async with asyncio.timeout(10):
            await RoutedLanguageModels(worker._calls, asking.lent).generate(asking.call(), ASKED)
    assert refused.value.retry_after is not None


async def test_outside_of_an_activity_a_failure_goes_to_the_next_at_once(
    asking: Asking, first: WireServer, second: WireServer
) -> None:
    await asking.key(first)
    await asking.key(second)
    first.replies.append(DOWN)
    second.replies.extend([Says("Two."), DOWN])
    answer = await asking.worker().generate(asking.call(), ASKED)
    assert answer.generation.text == "Two."
    first.replies.append(DOWN)
    with pytest.raises(ProvidersFailedError, match="failed with 500"):
        await asking.worker().generate(asking.call(), replace(ASKED, schema=SCHEMA))


# Budgets.


async def test_a_budget_that_is_used_up_stops_calls_until_it_is_raised(
    asking: Asking, first: WireServer
) -> None:
    await asking.key(first)
    first.replies.extend([Says("One."), Says("Two.")])
    await budget(asking, hard="0.00")
    with pytest.raises(BudgetReachedError, match="Raise the budget") as refused:
        await asking.worker().generate(asking.call(), ASKED)
    assert (refused.value.policy, first.asked) == ("budget", [])
    error = await failed(asking, Activity())
    assert (error.type, error.non_retryable) == ("budget-reached", True)
    await budget(asking, hard="1.00")
    assert (await answered(asking, Activity())).generation.text == "One."
    await spend(asking, "1.00")
    with pytest.raises(BudgetReachedError):
        await asking.worker().generate(asking.call(), ASKED)
    await budget(asking, hard="2.00")
    assert (await answered(asking, Activity())).generation.text == "Two."


async def test_what_costs_nothing_goes_on_when_the_budget_is_used_up(
    asking: Asking, openai: OpenAIServer
) -> None:
    openai.replies.clear()
    await budget(asking, hard="0.00")
    answer = await answered(asking, Activity(), Prompt([Turn("user", "What?")]))
    assert answer.provider == "extractive"
    await asking.key(openai)
    await asking.key(openai, provider=ProviderName.OPENAI_COMPATIBLE, name="Ollama", default_model="llama3")
    openai.replies.append(Says("Free."))
    answer = await answered(asking, Activity())
    assert (answer.provider, answer.cost, answer.generation.text) == ("openai_compatible", None, "Free.")


@pytest.mark.parametrize("streams", [False, True])
async def test_who_costs_nothing_is_asked_when_calls_under_way_have_reserved_the_rest(
    asking: Asking, openai: OpenAIServer, anthropic: AnthropicServer, *, streams: bool
) -> None:
    openai.replies.clear()
    anthropic.asked.clear()
    asking.waited_for_others = timedelta(0)
    await asking.key(anthropic)
    await asking.key(openai, provider=ProviderName.OPENAI_COMPATIBLE, name="Ollama", default_model="llama3")
    await budget(asking, hard="1.00")
    openai.replies.append(Says("Free."))

    async def ask() -> Answered:
        if not streams:
            return await asking.worker().generate(asking.call(), ASKED)
        pieces = [piece async for piece in asking.worker().stream(asking.call(), ASKED)]
        assert isinstance(pieces[-1], Answered)
        return pieces[-1]

    async with reserved(asking, "1.00"):
        answer = await Activity().run(ask)
    assert (answer.provider, answer.cost, answer.generation.text) == ("openai_compatible", None, "Free.")
    assert (anthropic.asked, answer.failures) == ([], [])


async def test_what_only_quotes_stands_in_for_nobody_whom_a_reservation_refused(
    asking: Asking, first: WireServer
) -> None:
    key_id = await asking.key(first)
    await route(asking, Strategy.ORDER, [candidate_of(first, key_id), BUILT_IN])
    asking.waited_for_others = timedelta(0)
    await budget(asking, hard="1.00")
    async with reserved(asking, "1.00"):
        with pytest.raises(ApplicationError, match="Raise the budget") as refused:
            await Activity().once(lambda: asking.worker().generate(asking.call(), ASKED))
    assert (refused.value.type, first.asked) == ("budget-reached", [])


async def test_the_soft_limit_is_noted_once(asking: Asking, first: WireServer) -> None:
    await asking.key(first)
    await budget(asking, soft="0.00")
    first.replies.extend([Says("Grey.")] * 3)
    for _ in range(2):
        await answered(asking, Activity())
    assert await soft_notes(asking) == 1
    await budget(asking, soft="0.01")
    await spend(asking, "0.01")
    await answered(asking, Activity())
    assert await soft_notes(asking) == 2


async def test_what_calls_cost_adds_up(asking: Asking, first: WireServer, second: WireServer) -> None:
    await asking.key(first)
    await asking.key(second)
    first.replies.extend([Says("One."), Fails(401, "authentication_error")])
    second.replies.append(Says("Two."))
    answers = [await answered(asking, Activity()) for _ in range(2)]
    costs = [answer.cost for answer in answers if answer.cost is not None]
    now = datetime.now(UTC)
    async with asking.database.transaction(asking.organisation_id) as session:
        standing = await ProviderBudgetRepository(session, asking.organisation_id).standing()
        usage = UsageRepository(session, asking.organisation_id)
        items, total = await usage.usage(
            UsageGroup.PROVIDER, now - timedelta(days=1), now + timedelta(days=1)
        )
        (day,), _ = await usage.usage(UsageGroup.DAY, now - timedelta(days=1), now + timedelta(days=1))
        nothing, _ = await usage.usage(UsageGroup.MODEL, now + timedelta(days=1), now + timedelta(days=2))
        for group in UsageGroup:
            assert (await usage.usage(group, now - timedelta(days=1), now + timedelta(days=1)))[1] == total
    assert standing.spent_usd == sum(costs) == total.cost_usd
    assert (total.calls, total.failed, total.unpriced, total.input_tokens) == (3, 1, 0, 60)
    assert {item.group: item.failed for item in items} == {
        answers[0].provider.value: 1,
        answers[1].provider.value: 0,
    }
    assert (day.calls, nothing) == (3, [])


# What the tests do to an organisation.


def candidate_of(server: WireServer, key_id: str) -> Candidate:
    if isinstance(server, OpenAIServer):
        return Candidate(ProviderName.OPENAI, "gpt-4o", key_id)
    return Candidate(ProviderName.ANTHROPIC, "claude-haiku-4-5", key_id)


async def revoke(asking: Asking, key_id: str) -> None:
    async with asking.database.transaction(asking.organisation_id) as session:
        await ProviderKeyRepository(session, asking.organisation_id, asking.keyring).revoke(key_id)


async def route(asking: Asking, strategy: Strategy, candidates: list[Candidate]) -> None:
    async with asking.database.transaction(asking.organisation_id) as session:
        await ProviderRouteRepository(session, asking.organisation_id).put(
            Capability.GENERATE, strategy, candidates
        )


async def budget(asking: Asking, *, soft: str | None = None, hard: str | None = None) -> None:
    limits = Budget(Decimal(soft) if soft else None, Decimal(hard) if hard else None)
    async with asking.database.transaction(asking.organisation_id) as session:
        await ProviderBudgetRepository(session, asking.organisation_id).put(limits)


@asynccontextmanager
async def reserved(asking: Asking, dollars: str) -> AsyncIterator[None]:
    """A call that takes so much is under way: it begins when the plan is made already."""
    kept = new_id("prv")
    async with asking.database.transaction(asking.organisation_id) as session:
        found = await ProviderBudgetRepository(session, asking.organisation_id).reserve(
            kept, Decimal(dollars)
        )
    assert found is not None
    assert found.is_granted
    yield
    async with asking.database.transaction(asking.organisation_id) as session:
        await ProviderBudgetRepository(session, asking.organisation_id).release(kept)


async def spend(asking: Asking, dollars: str) -> None:
    async with asking.database.transaction(asking.organisation_id) as session:
        await ProviderBudgetRepository(session, asking.organisation_id).spend(Decimal(dollars))


async def soft_notes(asking: Asking) -> int:
    async with asking.database.transaction(asking.organisation_id) as session:
        trail = AuditTrail(session, asking.organisation_id)
        return len(await trail.list(AuditFilter(action=Action.BUDGET_SOFT_REACHED.value), limit=10))


async def time_passes(asking: Asking) -> None:
    """It is time for a probe."""
    async with asking.database.transaction(asking.organisation_id) as session:
        await session.execute(text("UPDATE provider_circuits SET open_until = clock_timestamp()"))


async def log(asking: Asking, candidate: Candidate, latency_ms: float, outcome: str) -> None:
    async with asking.database.transaction(asking.organisation_id) as session:
        await session.execute(
            text(
                "INSERT INTO ai_processing_logs (id, organisation_id, capability, purpose, provider, model, key_id, "
                "latency_ms, outcome) VALUES (gen_random_uuid()::text, :organisation_id, 'generate', 'test', "
                ":provider, :model, :key_id, :latency_ms, :outcome)"
            ),
            {
                "organisation_id": asking.organisation_id,
                "provider": candidate.provider.value,
                "model": candidate.model,
                "key_id": candidate.key_id,
                "latency_ms": latency_ms,
                "outcome": outcome,
            },
        )


async def test_an_organisation_that_was_just_erased_has_no_budget_and_spent_nothing(
    database: Database,
) -> None:
    gone = new_id("org")
    async with database.transaction(gone) as session:
        standing = await ProviderBudgetRepository(session, gone).standing()
    assert (standing.budget, standing.spent_usd) == (Budget(None, None), Decimal(0))
