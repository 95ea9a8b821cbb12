"""What every adapter of a provider keeps, over its real SDK against a server that speaks its wire format."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import timedelta

import pytest

from activities.failures import application_error
from perdure.errors import InvalidInputError, ProviderError, ProviderReason
from perdure.ports.language_models import Finish, Generation, LanguageModel, Prompt, Source, TokenUsage, Turn
from perdure.providers.anthropic_language_model import AnthropicLanguageModel
from perdure.providers.openai_language_model import OpenAILanguageModel
from tests.provider_servers import AnthropicServer, Fails, OpenAIServer, Raw, Reply, Says, WireServer

KEY = "sk-test-0123456789abcdef"
SERVERS = {"openai": OpenAIServer, "anthropic": AnthropicServer}
SCHEMA = {
    "type": "object",
    "properties": {"label": {"enum": ["red", "blue"]}},
    "required": ["label"],
    "additionalProperties": False,
}
ASKED = Prompt([Turn("user", "Which colour?")], system="Be short.")


@pytest.fixture(params=sorted(SERVERS))
async def server(request: pytest.FixtureRequest) -> AsyncIterator[WireServer]:
    server: WireServer = SERVERS[request.param]()
    async with server.serving():
        yield server


def model_at(server: WireServer, timeout: timedelta = timedelta(seconds=10)) -> LanguageModel:
    if isinstance(server, OpenAIServer):
        return OpenAILanguageModel("a-model", KEY, f"{server.url}/v1", timeout=timeout)
    return AnthropicLanguageModel("a-model", KEY, server.url, timeout=timeout)


@pytest.fixture
async def model(server: WireServer) -> AsyncIterator[LanguageModel]:
    model = model_at(server)
    yield model
    await model.aclose()


async def streamed(model: LanguageModel, prompt: Prompt = ASKED) -> tuple[list[str], Generation]:
    pieces: list[str] = []
    async for piece in model.stream(prompt):
        if isinstance(piece, Generation):
            return pieces, piece
        pieces.append(piece)
    raise AssertionError("the stream ended without the whole answer")


async def failure(server: WireServer, model: LanguageModel, reply: Reply) -> ProviderError:
    server.replies.append(reply)
    with pytest.raises(ProviderError) as raised:
        await model.generate(ASKED)
    assert raised.value.provider == model.provider
    assert KEY not in str(raised.value)
    return raised.value


async def test_an_answer_comes_with_its_tokens(server: WireServer, model: LanguageModel) -> None:
    server.replies.append(Says("Blue."))
    answer = await model.generate(ASKED)
    assert (answer.text, answer.model, answer.finish) == ("Blue.", "a-model-2026", Finish.COMPLETE)
    assert (answer.usage, answer.calls) == (TokenUsage(input=30, output=7, cached=10), 1)
    asked = server.asked[0]
    assert asked["model"] == "a-model"
    assert {"role": "user", "content": "Which colour?"} in asked["messages"]
    assert "Be short." in str(asked)


async def test_sources_are_told_as_material(server: WireServer, model: LanguageModel) -> None:
    server.replies.append(Says("It is 7 bar [1]."))
    sources = [Source("chk_1", "The valve opens at 7 bar.", "Manual")]
    await model.generate(Prompt([Turn("user", "When does it open?")], sources=sources))
    assert "[1] Manual\\nThe valve opens at 7 bar." in str(server.asked[0])


async def test_a_stream_comes_piece_by_piece(server: WireServer, model: LanguageModel) -> None:
    server.replies.append(Says("It is blue, as ever."))
    pieces, answer = await streamed(model)
    assert pieces == ["It ", "is ", "blue, ", "as ", "ever."]
    assert (answer.text, answer.model) == ("It is blue, as ever.", "a-model-2026")
    assert answer.usage == TokenUsage(input=30, output=7, cached=10)


async def test_who_stops_listening_ends_the_stream(server: WireServer, model: LanguageModel) -> None:
    server.replies.append(Says("one two three"))
    async with aclosing(model.stream(ASKED)) as pieces:  # type: ignore[type-var]
        async for piece in pieces:
            assert piece == "one "
            break
    server.replies.append(Says("Still there."))
    assert (await model.generate(ASKED)).text == "Still there."


async def test_an_answer_that_ends_for_its_length_says_so(server: WireServer, model: LanguageModel) -> None:
    server.replies.extend([Says("It is", length=True), Says("It is", length=True)])
    assert (await model.generate(ASKED)).finish is Finish.LENGTH
    assert (await streamed(model))[1].finish is Finish.LENGTH


async def test_an_answer_follows_the_schema(server: WireServer, model: LanguageModel) -> None:
    server.replies.append(Says('{"label": "blue"}'))
    answer = await model.generate(Prompt(ASKED.turns, schema=SCHEMA))
    assert (answer.value, answer.calls) == ({"label": "blue"}, 1)
    assert "\"enum\": ['red'" in str(server.asked[0]) or "'enum': ['red', 'blue']" in str(server.asked[0])


@pytest.mark.parametrize(
    "first", ["It is blue.", '{"label": "green"}', '{"label": "bl', "[]", '{"label":"red",}']
)
async def test_one_that_does_not_is_asked_for_once_more(
    server: WireServer, model: LanguageModel, first: str
) -> None:
    server.replies.extend([Says(first), Says('```json\n{"label": "red"}\n```')])
    answer = await model.generate(Prompt(ASKED.turns, schema=SCHEMA))
    assert (answer.value, answer.calls) == ({"label": "red"}, 2)
    assert answer.usage == TokenUsage(input=60, output=14, cached=20)
    assert [turn["role"] for turn in server.asked[1]["messages"]][-3:] == ["user", "assistant", "user"]
    assert "does not follow the schema" in server.asked[1]["messages"][-1]["content"]


async def test_one_that_never_does_is_a_failure_with_a_reason(
    server: WireServer, model: LanguageModel
) -> None:
    server.replies.extend([Says('{"label": "green"}'), Says('{"label": "yellow"}')])
    with pytest.raises(ProviderError, match="at /label: 'yellow' is not one of") as raised:
        await model.generate(Prompt(ASKED.turns, schema=SCHEMA))
    assert raised.value.reason is ProviderReason.MALFORMED


async def test_what_is_no_schema_is_refused_before_anybody_is_asked(
    server: WireServer, model: LanguageModel
) -> None:
    with pytest.raises(InvalidInputError, match="no JSON Schema"):
        await model.generate(Prompt(ASKED.turns, schema={"type": "thing"}))
    assert server.asked == []


@pytest.mark.parametrize(
    ("reply", "reason", "passes"),
    [
        (Fails(401, "authentication_error", f"Incorrect API key provided: {KEY}"), "unauthorised", False),
        (Fails(403, "permission_error"), "unauthorised", False),
        (Fails(400, "invalid_request_error", f"bad {KEY}"), "invalid_request", False),
        (Fails(404, "not_found_error", "no such model"), "invalid_request", False),
        (Fails(413, "request_too_large"), "invalid_request", False),
        (Fails(408, "timeout_error"), "unavailable", True),
        (Fails(429, "rate_limit_error"), "rate_limited", True),
        (Fails(500, "api_error"), "unavailable", True),
        (Fails(503), "unavailable", True),
        (Fails(529, "overloaded_error"), "unavailable", True),
        (Raw(b"<html>gateway</html>", "text/html"), "malformed", False),
        (Raw(b'{"choices": [', "application/json"), "malformed", False),
        (Raw(b"{}", "application/json"), "malformed", False),
        (Says("No.", refused=True), "refused", False),
    ],
)
async def test_failures_have_reasons_and_say_whether_they_pass(
    server: WireServer, model: LanguageModel, reply: Reply, reason: str, passes: bool
) -> None:
    error = await failure(server, model, reply)
    assert (error.reason.value, error.passes) == (reason, passes)
    told = application_error(error)
    assert (told.type, told.non_retryable) == (reason, not passes)
    assert len(server.asked) == 1, "nothing is tried twice: Temporal does that"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after-ms": "1500", "retry-after": "2"}, 1.5),
        ({"retry-after": "999999"}, 3600.0),
        ({"retry-after": "Thu, 01 Jan 1970 00:00:00 GMT"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({}, None),
    ],
)
async def test_it_is_known_when_to_ask_again(
    server: WireServer, model: LanguageModel, headers: dict[str, str], seconds: float | None
) -> None:
    error = await failure(server, model, Fails(429, "rate_limit_error", headers=headers))
    assert (error.retry_after.total_seconds() if error.retry_after is not None else None) == seconds
    assert application_error(error).next_retry_delay == error.retry_after


async def test_an_account_that_is_used_up_does_not_pass() -> None:
    server = OpenAIServer()
    async with server.serving():
        model = model_at(server)
        error = await failure(
            server, model, Fails(429, "insufficient_quota", "You exceeded it", "insufficient_quota")
        )
        assert (error.reason, error.passes) == (ProviderReason.NO_CREDIT, False)
        await model.aclose()


async def test_a_provider_that_is_silent_is_given_up(server: WireServer) -> None:
    model = model_at(server, timedelta(milliseconds=300))
    server.replies.append(Says("Late.", first_after_s=5))
    started = time.monotonic()
    with pytest.raises(ProviderError, match="no answer in time") as raised:
        await model.generate(ASKED)
    assert raised.value.reason is ProviderReason.UNAVAILABLE
    assert time.monotonic() - started < 4
    await model.aclose()


async def test_one_that_is_not_there_is_unavailable(server: WireServer) -> None:
    gone = type(server)()
    async with gone.serving():
        pass
    model = model_at(gone)
    with pytest.raises(ProviderError, match="cannot be reached") as raised:
        await model.generate(ASKED)
    assert raised.value.reason is ProviderReason.UNAVAILABLE
    await model.aclose()


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Says("one two three four", cut_after=2), ProviderReason.CUT_OFF),
        (Says("one two three four", error_after=2), ProviderReason.UNAVAILABLE),
        (Says("one two", refused=True), ProviderReason.REFUSED),
        (Fails(429, "rate_limit_error"), ProviderReason.RATE_LIMITED),
        (Raw(b"data: {not json}\n\n", "text/event-stream"), ProviderReason.MALFORMED),
        (Raw(b"", "text/event-stream"), ProviderReason.CUT_OFF),
    ],
)
async def test_streams_fail_with_reasons(
    server: WireServer, model: LanguageModel, reply: Reply, reason: ProviderReason
) -> None:
    server.replies.append(reply)
    if isinstance(reply, Raw) and isinstance(server, AnthropicServer) and reply.body:
        server.replies[-1] = Raw(b"event: message_start\n" + reply.body, reply.media_type)
    with pytest.raises(ProviderError) as raised:
        await streamed(model)
    assert raised.value.reason is reason


async def test_a_stream_shows_its_first_word_when_it_comes(server: WireServer, model: LanguageModel) -> None:
    server.replies.append(Says("now " + "later " * 50, first_after_s=0.2))
    async with asyncio.timeout(5):
        async for piece in model.stream(ASKED):
            assert piece == "now "
            break


async def test_keys_go_to_the_provider_only_and_nothing_is_taken_from_the_environment(
    server: WireServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "OPENAI_ORG_ID"):
        monkeypatch.setenv(name, "of-somebody-else")
    model = model_at(server)
    server.replies.append(Says("Blue."))
    await model.generate(ASKED)
    sent = " ".join(server.headers[0].values())
    assert KEY in sent
    assert "of-somebody-else" not in sent
    await model.aclose()
