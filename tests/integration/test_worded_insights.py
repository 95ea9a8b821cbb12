"""With a key, insights are put into words that the memories support; on any failure they stay quotations."""

import json
from collections.abc import AsyncIterator

import pytest
from fastapi import FastAPI

from perdure.db.session import Database
from tests.accounts import Account
from tests.integration.test_evolution import changed, changes, evolve
from tests.integration.test_evolution_insights import BOATS, proposals, said, settings
from tests.integration.test_memories import memories, remember
from tests.integration.test_recall import forget
from tests.provider_keys import add_key, calls, openai_server
from tests.provider_servers import Fails, OpenAIServer, Says


def answer(*sentences: tuple[str, list[int]]) -> Says:
    """Of the model."""
    return Says(json.dumps({"sentences": [{"text": text, "notes": notes} for text, notes in sentences]}))


GOOD = answer(
    ("Ann paints boats in the harbour.", [1, 2, 4]),
    ("Ann earns 5,000 euros a year.", [1]),
    ("Ann sold a painting of boats to a doctor.", [3]),
)
WORDED = "Ann paints boats in the harbour. Ann sold a painting of boats to a doctor."


@pytest.fixture
async def server(caller: Account, product: FastAPI) -> AsyncIterator[OpenAIServer]:
    """Memories are there already; from now on there is a key."""
    await said(caller)
    async with openai_server() as server:
        await add_key(product, caller.organisation_id, server)
        yield server


async def insights(account: Account) -> list[dict[str, object]]:
    return [memory for memory in await memories(account) if memory["kind"] == "insight"]


async def test_an_insight_says_what_its_memories_support(
    caller: Account, database: Database, server: OpenAIServer
) -> None:
    await settings(caller, insights="apply")
    server.replies.append(GOOD)
    assert changed(await evolve(caller, ["derive"])) == {"derived": 1}
    (insight,) = await insights(caller)
    assert (insight["content"], insight["subject"]) == (WORDED, "Ann")
    related = (await caller.get(f"/memories/{insight['id']}/related"))["items"]
    supports = [each["id"] for each in related if each["relation"] == "supports"]
    assert len(supports) == len(BOATS)
    (change,) = await changes(caller)
    assert "worded by openai/a-model" in change["reason"]
    assert "1 unsupported sentence" in change["reason"]
    # Nothing has changed since: nobody is asked, and nothing is done.
    assert changed(await evolve(caller, ["derive"])) == {}
    (call,) = await calls(database, caller.organisation_id)
    assert (call.purpose, call.operation_kind, call.outcome) == ("insight", "evolve_memory", "ok")
    await forget(caller, ids=supports[:1])
    assert await insights(caller) == []


async def test_one_that_is_proposed_is_worded_once(caller: Account, server: OpenAIServer) -> None:
    await settings(caller, insights="propose")
    server.replies.append(GOOD)
    assert changed(await evolve(caller, ["derive"])) == {"proposed": 1}
    (proposal,) = await proposals(caller)
    assert proposal["content"] == WORDED
    await evolve(caller, ["derive"])
    assert len(server.asked) == 1
    await caller.post(f"/memories/proposals/{proposal['id']}/accept", 200)
    assert [insight["content"] for insight in await insights(caller)] == [WORDED]


@pytest.mark.parametrize(
    "reply",
    [
        Fails(401, "authentication_error"),
        Fails(500),
        Fails(429, "rate_limit_error", headers={"retry-after": "3600"}),
        Says("No.", refused=True),
        answer(),
        answer(("Ann never paints.", [1]), ("Mallory owns the harbour.", [1, 2, 3, 4])),
    ],
)
async def test_whatever_goes_wrong_it_stays_what_stands_in_the_memories(
    caller: Account, server: OpenAIServer, reply: Says | Fails
) -> None:
    await settings(caller, insights="apply")
    server.replies.append(reply)
    assert changed(await evolve(caller, ["derive"])) == {"derived": 1}
    (insight,) = await insights(caller)
    assert f"\u201c{BOATS[1]}\u201d" in str(insight["content"])
    assert len(server.asked) == 1


async def test_facts_are_no_part_of_insights_and_do_not_end_with_them(
    caller: Account, server: OpenAIServer
) -> None:
    await settings(caller, insights="apply")
    fact = {"kind": "fact", "statement": "Ann paints yellow boats in the harbour.", "messages": [1]}
    server.replies.extend([Says(json.dumps({"facts": [fact]})), GOOD])
    said_last = {"content": "Ann paints yellow boats in the harbour by lamplight.", "subject": "Ann"}
    result = await remember(caller, **said_last, valid_from="2025-01-05T10:00:00Z")
    assert result["facts"] == 1
    assert changed(await evolve(caller, ["derive"])) == {"derived": 1}
    by_kind = {memory["kind"]: memory for memory in await memories(caller)}
    related = (await caller.get(f"/memories/{by_kind['insight']['id']}/related"))["items"]
    supports = {each["id"] for each in related if each["relation"] == "supports"}
    assert supports == {memory["id"] for memory in await memories(caller, kind="evidence")}
    assert by_kind["fact"]["content"] == fact["statement"]
    assert changed(await evolve(caller, ["derive"])) == {}


async def test_a_dry_run_asks_nobody(caller: Account, server: OpenAIServer) -> None:
    await settings(caller, insights="apply")
    assert changed(await evolve(caller, ["derive"], dry_run=True)) == {"derived": 1}
    assert server.asked == []
