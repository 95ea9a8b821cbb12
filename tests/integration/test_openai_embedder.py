"""Embeddings over OpenAI's real SDK, against a server that speaks its wire format."""

import base64
import json
from collections.abc import AsyncIterator
from datetime import timedelta

import numpy as np
import pytest

from perdure.domain.embedding_names import remote_model
from perdure.errors import ProviderError
from perdure.providers.openai_embedder import OpenAIEmbedder
from tests.provider_servers import Fails, OpenAIServer, Raw, vector_of_words

KEY = "sk-test-0123456789abcdef"
TEXTS = ["The valve opens at 7 bar.", "Paid leave is two weeks.", "The valve closes."]


@pytest.fixture
async def server() -> AsyncIterator[OpenAIServer]:
    server = OpenAIServer()
    async with server.serving():
        yield server


def embedder_of(server: OpenAIServer, name: str = "openai:text-embedding-3-small") -> OpenAIEmbedder:
    model = remote_model(name)
    assert model is not None
    return OpenAIEmbedder(model, KEY, f"{server.url}/v1")


@pytest.fixture
async def embedder(server: OpenAIServer) -> AsyncIterator[OpenAIEmbedder]:
    embedder = embedder_of(server)
    yield embedder
    await embedder.aclose()


@pytest.mark.parametrize("as_floats", [False, True])
async def test_texts_become_unit_vectors_in_their_order(
    server: OpenAIServer, embedder: OpenAIEmbedder, as_floats: bool
) -> None:
    server.as_floats = as_floats
    made = await embedder.embed(TEXTS)
    assert made.vectors.shape == (3, 1536)
    assert made.vectors.dtype == np.float32
    assert made.tokens == 14
    for text, vector in zip(TEXTS, made.vectors, strict=True):
        expected = vector_of_words(text, 1536)
        np.testing.assert_allclose(vector, expected / np.linalg.norm(expected), atol=1e-6)
    asked = server.embedded[0]
    assert (asked["model"], asked["input"]) == ("text-embedding-3-small", TEXTS)
    assert "dimensions" not in asked
    assert server.embedding_headers[0]["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(
    ("name", "dimension", "told"),
    [
        ("openai:text-embedding-3-small@512", 512, 512),
        ("openai_compatible:nomic-embed-text@1536", 1536, None),
    ],
)
async def test_fewer_numbers_are_asked_for_where_the_model_can_give_them(
    server: OpenAIServer, name: str, dimension: int, told: int | None
) -> None:
    embedder = embedder_of(server, name)
    assert (await embedder.embed(TEXTS)).vectors.shape == (3, dimension)
    assert server.embedded[0].get("dimensions") == told
    await embedder.aclose()


@pytest.mark.parametrize(
    ("reply", "reason", "passes"),
    [
        (Fails(401, "authentication_error", f"Incorrect API key provided: {KEY}"), "unauthorised", False),
        (Fails(400, "invalid_request_error", f"bad {KEY}"), "invalid_request", False),
        (Fails(500, "api_error"), "unavailable", True),
        (Raw(b"<html>gateway</html>", "text/html"), "malformed", False),
        (Raw(b"{}"), "malformed", False),
        (Raw(b'{"data": [{"index": 0}]}'), "malformed", False),
        (Raw(b'{"data": [{"index": 0, "embedding": "?"}, {"index": 1}, {"index": 2}]}'), "malformed", False),
        (Raw(b'{"data": [1, 2, 3]}'), "malformed", False),
    ],
)
async def test_failures_have_reasons_and_tell_no_key(
    server: OpenAIServer, embedder: OpenAIEmbedder, reply: Fails | Raw, reason: str, passes: bool
) -> None:
    server.embedding_replies.append(reply)
    with pytest.raises(ProviderError) as raised:
        await embedder.embed(TEXTS)
    assert (raised.value.reason.value, raised.value.passes) == (reason, passes)
    assert KEY not in str(raised.value)
    assert len(server.embedded) == 1, "nothing is tried twice: Temporal does that"


async def test_it_is_known_when_to_ask_again(server: OpenAIServer, embedder: OpenAIEmbedder) -> None:
    server.embedding_replies.append(Fails(429, "rate_limit_error", headers={"retry-after": "7"}))
    with pytest.raises(ProviderError) as raised:
        await embedder.embed(TEXTS)
    assert raised.value.retry_after == timedelta(seconds=7)


@pytest.mark.parametrize("numbers", [[0.0] * 1536, [float("nan")] * 1536])
async def test_a_vector_without_a_direction_is_refused(
    server: OpenAIServer, embedder: OpenAIEmbedder, numbers: list[float]
) -> None:
    coded = base64.b64encode(np.array(numbers, "<f4").tobytes()).decode()
    body = {"data": [{"index": 0, "embedding": coded}], "usage": {"prompt_tokens": 1, "total_tokens": 1}}
    server.embedding_replies.append(Raw(json.dumps(body).encode()))
    with pytest.raises(ProviderError, match="without a direction"):
        await embedder.embed(["text"])


async def test_another_dimension_than_the_name_says_is_told(server: OpenAIServer) -> None:
    embedder = embedder_of(server, "openai_compatible:bge@768")
    with pytest.raises(ProviderError, match="name the model with @1536"):
        await embedder.embed(TEXTS)
    await embedder.aclose()
