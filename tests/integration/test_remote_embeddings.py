"""Spaces that are embedded at a provider: by the real SDK, against a server that speaks OpenAI's wire format."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import text

from perdure.db.session import Database
from perdure.domain.routing import ProviderName
from tests.accounts import Account
from tests.integration.test_memories import memories, remember
from tests.integration.test_memory_files import imported
from tests.integration.test_recall import recall
from tests.provider_keys import SECRET, add_key, calls, only_quote, openai_server, revoke_key, set_budget
from tests.provider_servers import Fails, OpenAIServer

SMALL = "openai:text-embedding-3-small@512"
LEASE = "# Lease\n\nThe deposit is two months of rent.\n\n# Pets\n\nDogs are allowed in the garden only.\n"
_DIMENSIONS = text(
    "SELECT model, dimension, vector_dims(embedding) AS dims, count(*) AS rows FROM chunk_embeddings GROUP BY 1, 2, 3 "
    "UNION ALL SELECT model, dimension, vector_dims(embedding), count(*) FROM memory_embeddings GROUP BY 1, 2, 3"
)


@pytest.fixture(autouse=True)
async def only_embedding(product: FastAPI, caller: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys are for embeddings alone, and the API asks servers on this machine, too."""
    monkeypatch.setattr(product.state.remote_embedders._kept, "_private_urls", True)
    await only_quote(product, caller.organisation_id)


@pytest.fixture
async def server() -> AsyncIterator[OpenAIServer]:
    async with openai_server() as server:
        yield server


async def reembed(account: Account, model: str, space: str = "default") -> dict[str, Any]:
    """The operation, ended."""
    return await account.ended(await account.post(f"/spaces/{space}/reembed", json={"model": model}))


async def search(account: Account, query: str, status: int = 200, **more: Any) -> dict[str, Any]:
    return await account.post("/search", status, json={"query": query, **more})


async def test_all_that_goes_in_and_all_that_is_asked_is_embedded_by_the_space_s_model(
    caller: Account, product: FastAPI, database: Database, server: OpenAIServer
) -> None:
    await add_key(product, caller.organisation_id, server)
    before = await caller.ingested(json={"text": LEASE})
    await remember(caller, content="Ann adopted a grey cat.", subject="Ann")
    operation = await reembed(caller, SMALL)
    assert operation["result"]["model"] == SMALL
    after = await caller.ingested(json={"text": "The garage has a red door."})
    await remember(caller, content="Ben adopted a black dog.", subject="Ben")
    await imported(caller, [{"content": "Cleo adopted a parrot."}])
    (ann,) = [memory["id"] for memory in await memories(caller, subject="Ann")]
    changed = await caller.http.patch(
        f"/api/v1/memories/{ann}", json={"content": "Ann adopted two grey cats."}
    )
    assert changed.status_code == 200, changed.text
    async with database.transaction(caller.organisation_id) as session:
        kept = {tuple(row)[:3] for row in await session.execute(_DIMENSIONS)}
    assert kept == {(SMALL, 512, 512)}
    found = await search(caller, "red garage door", mode="vector", limit=1)
    assert (found["items"][0]["document_id"], found["notice"]) == (after["id"], None)
    found = await search(caller, "deposit of two months of rent", limit=1)
    assert found["items"][0]["document_id"] == before["id"]
    answer = await recall(caller, "Who adopted a parrot?", mode="dense", limit=1)
    assert answer["items"][0]["content"] == "Cleo adopted a parrot."
    assert {asked["dimensions"] for asked in server.embedded} == {512}
    assert {headers["authorization"] for headers in server.embedding_headers} == {f"Bearer {SECRET}"}
    logged = await calls(database, caller.organisation_id)
    assert {(row.capability, row.provider, row.model, row.outcome) for row in logged} == {
        ("embed", "openai", "text-embedding-3-small", "ok")
    }
    assert {row.purpose for row in logged} == {"reembed", "ingest", "remember", "import", "correct", "query"}
    assert len(logged) == len(server.embedded)
    assert all(row.input_tokens for row in logged)
    assert all((row.operation_id is None) == (row.purpose in {"correct", "query"}) for row in logged)
    kinds = {"reembed_space", "ingest_document", "remember", "import_memories", None}
    assert {row.operation_kind for row in logged} == kinds


async def test_a_server_of_others_is_asked_for_what_it_has(caller: Account, product: FastAPI) -> None:
    async with openai_server(dimension=96, as_floats=True) as server:
        await add_key(product, caller.organisation_id, server, ProviderName.OPENAI_COMPATIBLE)
        await caller.ingested(json={"text": LEASE})
        operation = await reembed(caller, "openai_compatible:words:v1@96")
        assert operation["status"] == "completed", operation
        assert "dimensions" not in server.embedded[0]
        found = await search(caller, "dogs in the garden", mode="vector", limit=1)
        assert "Dogs" in found["items"][0]["text"]
        operation = await reembed(caller, "openai_compatible:words:v1@95")
        assert operation["error"]["type"] == "malformed"
        assert "name the model with @96" in operation["error"]["detail"]
        (space,) = (await caller.get("/spaces"))["items"]
        assert space["embedding_model"] == "openai_compatible:words:v1@96"


@pytest.mark.parametrize(
    ("model", "status", "told"),
    [
        (SMALL, 503, "OPENAI_API_KEY"),
        ("openai_compatible:bge@768", 503, "OPENAI_BASE_URL"),
        ("openai:text-embedding-3-small@9999", 422, "1 to 4000"),
        ("openai:text-embedding-3-small@4000", 422, "at most 1536"),
        ("anthropic:claude@100", 422, "names no embedding model"),
        ("no-such-model", 422, "unknown embedding model"),
    ],
)
async def test_what_cannot_be_asked_is_refused_before_anything_begins(
    caller: Account, model: str, status: int, told: str
) -> None:
    await remember(caller, content="Ann adopted a grey cat.")
    problem = await caller.post("/spaces/default/reembed", status, json={"model": model})
    assert told in str(problem)
    assert problem["type"].endswith("provider-unavailable" if status == 503 else "invalid-input")


async def test_without_its_key_a_space_is_searched_by_words_and_says_so(
    caller: Account, product: FastAPI, server: OpenAIServer
) -> None:
    key_id = await add_key(product, caller.organisation_id, server)
    document = await caller.ingested(json={"text": LEASE})
    await remember(caller, content="Ann adopted a grey cat.", subject="Ann")
    await reembed(caller, SMALL)
    await revoke_key(product, caller.organisation_id, key_id)
    asked = len(server.embedded)
    found = await search(caller, "deposit rent", explain=True)
    assert found["items"][0]["document_id"] == document["id"]
    assert {term["name"] for term in found["items"][0]["terms"]} == {"words"}
    for remedy in ("words alone", SMALL, "/api/v1/providers/keys", "reembed"):
        assert remedy in found["notice"]
    assert (await search(caller, "deposit rent", mode="keyword"))["notice"] is None
    problem = await search(caller, "deposit rent", 503, mode="vector")
    assert problem["type"].endswith("provider-unavailable")
    assert "/api/v1/providers/keys" in problem["detail"]
    answer = await recall(caller, "Who adopted a cat?")
    assert answer["items"][0]["content"] == "Ann adopted a grey cat."
    assert "words alone" in answer["notice"]
    await caller.post("/memories/recall", 503, json={"query": "cat", "mode": "dense"})
    # What is to be forgotten must not depend on who answers just now.
    await caller.post("/memories/forget", 503, json={"query": "cat"})
    operation = await caller.ended(await caller.post("/documents", json={"text": "The garage has a door."}))
    assert (operation["status"], operation["error"]["type"]) == ("failed", "provider-unavailable")
    assert len(server.embedded) == asked
    # What has failed for want of a key goes on with another one.
    await add_key(product, caller.organisation_id, server)
    again = await caller.ended(await caller.post(f"/operations/{operation['id']}/retry"))
    assert again["status"] == "completed", again
    found = await search(caller, "garage door", mode="vector", limit=1)
    assert found["items"][0]["document_id"] == again["subject"]["id"]


async def test_a_space_comes_back_from_a_provider_that_is_gone(
    caller: Account, product: FastAPI, server: OpenAIServer
) -> None:
    key_id = await add_key(product, caller.organisation_id, server)
    document = await caller.ingested(json={"text": LEASE})
    await reembed(caller, SMALL)
    await revoke_key(product, caller.organisation_id, key_id)
    operation = await reembed(caller, "all-minilm-l6-v2-int8")
    assert operation["status"] == "completed", operation
    found = await search(caller, "animals outside", mode="vector", limit=1)
    assert (found["items"][0]["document_id"], found["notice"]) == (document["id"], None)


@pytest.mark.parametrize(
    ("failure", "told"),
    [
        (Fails(401, "authentication_error", f"Incorrect API key provided: {SECRET}"), "not accepted (401)"),
        (Fails(500), "failed with 500"),
    ],
)
async def test_a_provider_that_does_not_answer_is_told_and_not_waited_for(
    caller: Account, product: FastAPI, database: Database, server: OpenAIServer, failure: Fails, told: str
) -> None:
    await add_key(product, caller.organisation_id, server)
    document = await caller.ingested(json={"text": LEASE})
    await reembed(caller, SMALL)
    server.embedding_replies.append(failure)
    found = await search(caller, "deposit rent")
    assert found["items"][0]["document_id"] == document["id"]
    assert told in found["notice"]
    assert SECRET not in found["notice"]
    server.embedding_replies.append(failure)
    problem = await search(caller, "deposit rent", 502, mode="vector")
    assert problem["type"].endswith("provider-error")
    outcomes = [row.outcome for row in await calls(database, caller.organisation_id)]
    assert outcomes[-2:] == ["unauthorised" if failure.status == 401 else "unavailable"] * 2


async def test_another_key_of_the_provider_takes_over(
    caller: Account, product: FastAPI, database: Database, server: OpenAIServer
) -> None:
    first = await add_key(product, caller.organisation_id, server)
    second = await add_key(
        product, caller.organisation_id, server, secret="sk-another-0123456789", name="two"
    )
    await caller.ingested(json={"text": LEASE})
    server.embedding_replies.append(Fails(401, "authentication_error"))
    operation = await reembed(caller, SMALL)
    assert operation["status"] == "completed", operation
    logged = [(row.key_id, row.outcome) for row in await calls(database, caller.organisation_id)]
    assert logged == [(first, "unauthorised"), (second, "ok")]


async def test_a_query_does_not_wait_for_the_turn_of_a_key(
    caller: Account, product: FastAPI, server: OpenAIServer
) -> None:
    await add_key(product, caller.organisation_id, server, requests_per_minute=2)
    await caller.ingested(json={"text": LEASE})
    await reembed(caller, SMALL)
    assert (await search(caller, "deposit rent"))["notice"] is None
    found = await search(caller, "deposit rent")
    assert "its turn comes later" in found["notice"]
    assert "Lease" in str(found["items"])
    assert len(server.embedded) == 2


async def test_re_embedding_waits_for_its_turn_and_goes_on_where_it_was(
    caller: Account, product: FastAPI, server: OpenAIServer
) -> None:
    await add_key(product, caller.organisation_id, server)
    await imported(caller, [{"content": f"Number {n} is in drawer {n}."} for n in range(300)])
    # The second page is late, and then the key is not accepted any more.
    late = Fails(429, "rate_limit_error", headers={"retry-after-ms": "50"})
    server.embedding_replies.extend([None, late, late, Fails(401, "authentication_error")])
    operation = await reembed(caller, SMALL)
    assert (operation["status"], operation["error"]["type"]) == ("failed", "unauthorised")
    (space,) = (await caller.get("/spaces"))["items"]
    assert space["embedding_model"] == "all-minilm-l6-v2-int8"
    assert (await recall(caller, "Where is number 7?", mode="dense"))["notice"] is None
    asked = len(server.embedded)
    operation = await caller.ended(await caller.post(f"/operations/{operation['id']}/retry"))
    assert operation["status"] == "completed", operation
    assert [len(each["input"]) for each in server.embedded[asked:]] == [44]
    (space,) = (await caller.get("/spaces"))["items"]
    assert space["embedding_model"] == SMALL


async def test_what_a_budget_stops_holds_and_goes_on(
    caller: Account, product: FastAPI, database: Database, server: OpenAIServer
) -> None:
    await add_key(product, caller.organisation_id, server)
    await caller.ingested(json={"text": LEASE})
    await set_budget(database, caller.organisation_id, "0")
    operation = await caller.post("/spaces/default/reembed", 429, json={"model": SMALL})
    assert operation["type"].endswith("budget-reached")
    await set_budget(database, caller.organisation_id, None)
    assert (await reembed(caller, SMALL))["status"] == "completed"
    await set_budget(database, caller.organisation_id, "0")
    assert "budget" in (await search(caller, "deposit rent"))["notice"]
    operation = await caller.post("/documents", json={"text": "The garage has a door."})
    held = await caller.until(operation, {"paused"})
    assert held["error"]["type"] == "budget-reached"
    await set_budget(database, caller.organisation_id, None)
    await caller.post(f"/operations/{operation['id']}/resume")
    assert (await caller.ended(operation))["status"] == "completed"
