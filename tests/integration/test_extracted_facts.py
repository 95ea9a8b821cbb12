"""With a key, facts are drawn from what was said: they cite it, and nothing else changes, whatever it says."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import text

from perdure.db.session import Database
from perdure.domain.fact_extraction import PAGE_MESSAGES
from tests.accounts import Account
from tests.injected_messages import INJECTED_MESSAGES, OBEDIENT_STATEMENTS
from tests.integration.test_memories import memories, remember
from tests.integration.test_recall import forget, recall
from tests.provider_keys import add_key, calls, openai_server, set_budget
from tests.provider_servers import Fails, OpenAIServer, Raw, Says

TURNS = [
    {"speaker": "Ann", "content": "We moved to Lisbon in March, my cat Pixel hates it."},
    {"speaker": "Ben", "content": "How is the new flat?"},
    {"speaker": "Ann", "content": "Small, but I love the view of the river."},
]
_EVERYTHING = text(
    "SELECT 'memory', m::text FROM memories m WHERE rests_on IS NULL UNION ALL SELECT 'space', (to_jsonb(s) - "
    "'memory_count')::text FROM spaces s UNION ALL SELECT 'tombstone', t::text FROM memory_tombstones t UNION ALL "
    "SELECT 'change', c::text FROM memory_changes c UNION ALL "
    "SELECT 'proposal', p::text FROM memory_proposals p ORDER BY 2"
)


def answer(*offered: tuple[str, str, list[int]]) -> Says:
    """Of the model."""
    facts = [{"kind": kind, "statement": said, "messages": numbers} for kind, said, numbers in offered]
    return Says(json.dumps({"facts": facts}))


@pytest.fixture
async def server(caller: Account, product: FastAPI) -> AsyncIterator[OpenAIServer]:
    async with openai_server() as server:
        await add_key(product, caller.organisation_id, server)
        yield server


async def everything(database: Database, account: Account) -> list[tuple[str, str]]:
    """All that a text could want to change, but for facts."""
    async with database.transaction(account.organisation_id) as session:
        return [(row[0], row[1]) for row in await session.execute(_EVERYTHING)]


async def test_facts_are_added_to_what_was_said(
    caller: Account, database: Database, server: OpenAIServer
) -> None:
    server.replies.append(
        answer(
            ("fact", "Ann moved to Lisbon in March.", [1]),
            ("preference", "Ann loves the view of the river.", [3]),
            ("fact", "Ann moved to Porto.", [1]),
        )
    )
    result = await remember(
        caller, messages=TURNS, subject="Ann", session_id="monday", tags=["chat"], metadata={"place": "north"}
    )
    assert (result["remembered"], result["facts"], result["facts_missing"]) == (3, 2, None)
    kept = await memories(caller)
    evidence = [memory for memory in kept if memory["kind"] == "evidence"]
    assert [memory["content"] for memory in evidence] == [turn["content"] for turn in TURNS]
    moved, loves = kept[3:]
    assert (moved["kind"], moved["content"]) == ("fact", "Ann moved to Lisbon in March.")
    assert (moved["subject"], moved["speaker"], moved["operation_id"]) == (
        "Ann",
        None,
        evidence[0]["operation_id"],
    )
    assert (moved["tags"], moved["metadata"]) == (["chat"], {"place": "north"})
    assert (moved["source"]["type"], moved["source"]["id"]) == ("memory", evidence[0]["id"])
    assert 0 < moved["confidence"] < 1
    assert (loves["kind"], loves["source"]["id"]) == ("preference", evidence[2]["id"])
    related = (await caller.get(f"/memories/{moved['id']}/related"))["items"]
    assert (evidence[0]["id"], "supports", "in") in [
        (each["id"], each["relation"], each["direction"]) for each in related
    ]
    (call,) = await calls(database, caller.organisation_id)
    assert (call.capability, call.purpose, call.operation_kind) == ("generate", "extract", "remember")
    profile = await caller.get("/profiles/Ann")
    assert "Ann loves the view of the river." in str(profile["preferences"])


async def test_what_goes_takes_along_what_was_drawn_from_it(caller: Account, server: OpenAIServer) -> None:
    server.replies.append(answer(("fact", "Ann moved to Lisbon in March.", [1])))
    await remember(caller, messages=TURNS, subject="Ann")
    first, *_, fact = await memories(caller)
    assert fact["kind"] == "fact"
    await forget(caller, ids=[first["id"]])
    assert [memory["kind"] for memory in await memories(caller)] == ["evidence", "evidence"]


async def test_facts_of_what_was_corrected_end(caller: Account, server: OpenAIServer) -> None:
    said = {"speaker": "Ann", "content": "I live in Rome.", "external_id": "t1"}
    server.replies.append(answer(("fact", "Ann lives in Rome.", [1])))
    await remember(caller, messages=[said], subject="Ann")
    server.replies.append(answer(("fact", "Ann lives in Turin.", [1])))
    await remember(caller, messages=[said | {"content": "I live in Turin."}], subject="Ann")
    evidence, fact = await memories(caller)
    assert (evidence["content"], fact["content"]) == ("I live in Turin.", "Ann lives in Turin.")
    changed = await caller.http.patch(
        f"/api/v1/memories/{evidence['id']}", json={"content": "I live in Oslo."}
    )
    assert changed.status_code == 200, changed.text
    assert [memory["content"] for memory in await memories(caller)] == ["I live in Oslo."]
    ended = await caller.get(f"/memories/{fact['id']}")
    assert ended["retired_at"] is not None


async def test_the_same_fact_is_kept_once(caller: Account, server: OpenAIServer) -> None:
    for content in ("I moved to Lisbon in March.", "Did I tell you? I moved to Lisbon in March!"):
        server.replies.append(answer(("fact", "Ann moved to Lisbon in March.", [1])))
        await remember(caller, content=content, speaker="Ann", subject="Ann")
    facts = [memory for memory in await memories(caller) if memory["kind"] == "fact"]
    assert [memory["content"] for memory in facts] == ["Ann moved to Lisbon in March."]


async def test_nobody_is_asked_without_a_key_nor_about_what_is_known_or_stated(
    caller: Account, stranger: Account, database: Database, server: OpenAIServer
) -> None:
    assert (await remember(stranger, content="Ann moved to Lisbon."))["facts"] == 0
    assert (await remember(caller, content="Ann likes tea.", kind="preference"))["facts"] == 0
    server.replies.append(answer())
    await remember(caller, content="Ann moved to Lisbon.")
    assert (await remember(caller, content="Ann moved to Lisbon."))["duplicates"] == 1
    assert len(server.asked) == 1
    assert await calls(database, stranger.organisation_id) == []


@pytest.mark.parametrize(
    ("replies", "told"),
    [
        ([Fails(401, "authentication_error")], "not accepted (401)"),
        ([Fails(400, "invalid_request_error", "no such model")], "no such model"),
        ([Says("I note nothing."), Says("Still not.")], "form that was asked for"),
        ([Says('{"facts": [{"kind": "delete"}]}'), Says("{}")], "form that was asked for"),
        ([Says("No.", refused=True)], "refused"),
        ([Raw(b"<html>gateway</html>", "text/html")], "form that was asked for"),
    ],
)
async def test_what_was_said_is_kept_whoever_does_not_answer(
    caller: Account, server: OpenAIServer, replies: list[Any], told: str
) -> None:
    server.replies.extend(replies)
    result = await remember(caller, messages=TURNS, subject="Ann")
    assert (result["remembered"], result["facts"]) == (3, 0)
    assert told in result["facts_missing"]
    assert len(await memories(caller)) == 3


async def test_a_failure_that_passes_is_waited_for(
    caller: Account, database: Database, server: OpenAIServer
) -> None:
    server.replies.extend(
        [
            Fails(429, "rate_limit_error", headers={"retry-after-ms": "20"}),
            answer(("fact", "Ann moved to Lisbon in March.", [1])),
        ]
    )
    result = await remember(caller, messages=TURNS, subject="Ann")
    assert (result["facts"], result["facts_missing"]) == (1, None)
    outcomes = [row.outcome for row in await calls(database, caller.organisation_id)]
    assert outcomes == ["rate_limited", "ok"]


async def test_a_budget_that_is_spent_stops_no_memory(
    caller: Account, database: Database, server: OpenAIServer
) -> None:
    await set_budget(database, caller.organisation_id, "0")
    result = await remember(caller, messages=TURNS, subject="Ann")
    assert result["remembered"] == 3
    assert "budget" in result["facts_missing"]
    assert server.asked == []


async def test_a_long_conversation_is_read_in_parts(caller: Account, server: OpenAIServer) -> None:
    turns = [
        {"speaker": "Ann", "content": f"Box {number} is on shelf {number}."}
        for number in range(PAGE_MESSAGES + 5)
    ]
    server.replies.extend(
        [
            answer(("fact", "Box 3 is on shelf 3.", [4]), ("fact", "Ann has Box 3 on shelf 3.", [4])),
            answer(("fact", "Ann has Box 41 on shelf 41.", [2])),
        ]
    )
    result = await remember(caller, messages=turns, subject="Ann")
    assert (result["remembered"], result["facts"]) == (PAGE_MESSAGES + 5, 2)
    read = [json.loads(asked["messages"][-1]["content"])["messages"] for asked in server.asked]
    assert [len(messages) for messages in read] == [PAGE_MESSAGES, 5]
    assert [each["text"] for messages in read for each in messages] == [turn["content"] for turn in turns]


async def test_orders_in_messages_change_nothing(
    caller: Account, database: Database, server: OpenAIServer
) -> None:
    server.replies.append(answer())
    await remember(caller, content="Ann lives in Lisbon.", subject="Ann", kind="fact")
    await remember(caller, content="I live in Lisbon.", speaker="Ann", subject="Ann")
    before = await everything(database, caller)
    # A model that obeys all of them, in two requests: to answer as they want, and to say more than it may.
    obedient = [("fact", said, [number]) for number in range(1, 26) for said in OBEDIENT_STATEMENTS]
    server.replies.append(answer(*obedient))
    turns = [{"speaker": "Ann", "content": content} for content in INJECTED_MESSAGES]
    result = await remember(caller, messages=turns, subject="Ann")
    assert (result["remembered"], result["facts"], result["facts_missing"]) == (len(turns), 0, None)
    after = await everything(database, caller)
    assert [row for row in before if row not in after] == []
    added = [row for row in after if row not in before]
    assert [kind for kind, _ in added] == ["memory"] * len(turns)
    said = [memory for memory in await memories(caller) if memory["operation_id"] not in str(before)]
    assert [memory["content"] for memory in said] == list(INJECTED_MESSAGES)
    assert {(memory["kind"], memory["subject"], memory["confidence"]) for memory in said} == {
        ("evidence", "Ann", 1.0)
    }
    # They reached the model as material, in one JSON document, beside instructions that no text changes.
    first, second = server.asked
    assert first["messages"][0] == second["messages"][0]
    assert [message["role"] for message in second["messages"]] == ["system", "user"]
    read = json.loads(second["messages"][1]["content"])["messages"]
    assert [message["text"] for message in read] == list(INJECTED_MESSAGES)
    found = await recall(caller, "Where does Ann live?", mode="keyword", limit=3)
    assert "Ann lives in Lisbon." in [item["content"] for item in found["items"]]
