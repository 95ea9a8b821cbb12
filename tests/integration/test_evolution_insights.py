"""What several memories have in common becomes an insight, at once or when somebody accepts it."""

import asyncio
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from activities.evolution_schedules import schedule_id
from perdure.db.session import Database
from perdure.schemas.evolution import ProposalDecision
from tests.accounts import Account
from tests.integration.test_evolution import changed, changes, evolve, snapshot, undo
from tests.integration.test_memories import memories, remember
from tests.integration.test_recall import forget
from workflows.evolve_memory import proposals_id

BOATS = (
    "Ann paints red boats in the harbour every spring.",
    "Ann paints boats in the old harbour with her sister.",
    "Ann sold a painting of boats in the harbour to a doctor.",
    "Ann paints small boats in the harbour when it rains.",
)


async def said(account: Account, subject: str = "Ann") -> list[str]:
    """Memories of several days that are about one matter."""
    ids: list[str] = []
    for day, content in enumerate(BOATS, start=1):
        given = {"content": content, "valid_from": f"2025-01-{day:02}T10:00:00Z"}
        ids += (await remember(account, subject=subject, **given))["memory_ids"]
    return ids


async def settings(account: Account, **wanted: Any) -> None:
    answer = await account.http.put("/api/v1/memories/evolution/settings", json=wanted)
    assert answer.status_code == 200, answer.text


async def proposals(account: Account, **filters: Any) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await account.get("/memories/proposals", **filters))["items"]
    return items


async def eventually_ended(temporal: Client, workflow_id: str) -> None:
    async with asyncio.timeout(30):
        await temporal.get_workflow_handle(workflow_id).result()


async def test_an_insight_cites_what_it_rests_on(caller: Account, database: Database) -> None:
    ids = await said(caller)
    await settings(caller, insights="apply")
    before = await snapshot(database, caller)
    assert changed(await evolve(caller, ["derive"])) == {"derived": 1}
    (insight,) = [memory for memory in await memories(caller) if memory["kind"] == "insight"]
    assert insight["source"]["type"] == "memory"
    assert insight["confidence"] < 1
    related = (await caller.get(f"/memories/{insight['id']}/related"))["items"]
    assert {item["id"] for item in related if item["relation"] == "supports"} <= set(ids)
    quoted = insight["content"].split("\u201c")[1].split("\u201d")[0]
    assert any(quoted in content for content in BOATS)
    assert changed(await evolve(caller, ["derive"])) == {}
    (change,) = await changes(caller)
    await undo(caller, change["id"])
    assert await snapshot(database, caller) == before
    assert [memory["kind"] for memory in await memories(caller)] == ["evidence"] * len(BOATS)
    assert changed(await evolve(caller, ["derive"])) == {}


async def test_an_insight_ends_when_what_it_rests_on_changes(caller: Account) -> None:
    ids = await said(caller)
    await settings(caller, insights="apply")
    await evolve(caller, ["derive"])
    (insight,) = [memory for memory in await memories(caller) if memory["kind"] == "insight"]
    receipt = await forget(caller, ids=[ids[0]])
    assert set(receipt["memory_ids"]) == {ids[0], insight["id"]}
    assert insight["id"] not in {memory["id"] for memory in await memories(caller, state="all")}
    await caller.get(f"/memories/{insight['id']}", 404)


async def test_what_is_forgotten_takes_its_proposals_along(caller: Account) -> None:
    ids = await said(caller)
    assert changed(await evolve(caller, ["derive"])) == {"proposed": 1}
    (proposal,) = await proposals(caller)
    assert set(proposal["memory_ids"]) <= set(ids)
    await forget(caller, text=BOATS[0])
    assert await proposals(caller) == []


async def test_a_proposal_that_is_accepted_becomes_a_memory(caller: Account, stranger: Account) -> None:
    await said(caller)
    result = await evolve(caller, ["derive"])
    assert changed(result) == {"proposed": 1}
    assert [memory["kind"] for memory in await memories(caller)] == ["evidence"] * len(BOATS)
    (proposal,) = await proposals(caller, status="open")
    assert (proposal["status"], proposal["kind"]) == ("open", "insight")
    deadline = datetime.fromisoformat(proposal["deadline"])
    assert abs(deadline - datetime.now(UTC) - timedelta(days=14)) < timedelta(minutes=5)
    await stranger.post(f"/memories/proposals/{proposal['id']}/accept", 404)
    accepted = await caller.post(f"/memories/proposals/{proposal['id']}/accept", 200)
    assert accepted["status"] == "accepted"
    assert await caller.post(f"/memories/proposals/{proposal['id']}/accept", 200) == accepted
    await caller.post(f"/memories/proposals/{proposal['id']}/decline", 409)
    memory = await caller.get(f"/memories/{accepted['memory_id']}")
    assert (memory["content"], memory["kind"]) == (proposal["content"], "insight")
    assert changed(await evolve(caller, ["derive"])) == {}
    (change,) = await changes(caller, memory_id=memory["id"])
    assert (await undo(caller, change["id"]))["undone_at"] is not None
    assert (await caller.get(f"/memories/{memory['id']}"))["retired_at"] is not None


async def test_what_was_declined_is_not_proposed_again(caller: Account) -> None:
    await said(caller)
    await evolve(caller, ["derive"])
    (proposal,) = await proposals(caller)
    declined = await caller.post(f"/memories/proposals/{proposal['id']}/decline", 200)
    assert (declined["status"], declined["memory_id"]) == ("declined", None)
    assert changed(await evolve(caller, ["derive"])) == {}
    assert await proposals(caller, status="open") == []


async def test_signals_decide_as_the_api_does(caller: Account, temporal: Client) -> None:
    await said(caller)
    result = await evolve(caller, ["derive"])
    (proposal,) = await proposals(caller)
    handle = temporal.get_workflow_handle(proposals_id(result["operation_id"]))
    decision = ProposalDecision(proposal_id=proposal["id"], decided_by="usr_1")
    await handle.signal("accept_proposal", decision)
    await eventually_ended(temporal, handle.id)
    (proposal,) = await proposals(caller)
    assert (proposal["status"], proposal["decided_by"]) == ("accepted", "usr_1")


async def test_an_undecided_proposal_expires(caller: Account, temporal: Client, database: Database) -> None:
    await said(caller)
    result = await evolve(caller, ["derive"])
    (proposal,) = await proposals(caller)
    # As if its time were over already; the workflow is told by a decision about another one.
    async with database.transaction(caller.organisation_id) as session:
        past = datetime.now(UTC) - timedelta(days=1)
        await session.execute(text("UPDATE memory_proposals SET deadline = :past"), {"past": past})
    handle = temporal.get_workflow_handle(proposals_id(result["operation_id"]))
    await handle.signal("decline_proposal", ProposalDecision(proposal_id="prp_none", decided_by="usr_1"))
    await eventually_ended(temporal, handle.id)
    (proposal,) = await proposals(caller)
    assert (proposal["status"], proposal["decided_by"]) == ("expired", None)
    await caller.post(f"/memories/proposals/{proposal['id']}/accept", 409)


async def test_insights_can_be_switched_off(caller: Account) -> None:
    await said(caller)
    await settings(caller, insights="off")
    assert changed(await evolve(caller, ["derive"])) == {}
    assert await proposals(caller) == []


async def test_a_schedule_evolves_a_space(caller: Account, temporal: Client) -> None:
    await said(caller)
    space_id = (await caller.post("/memories/evolve", json={"stages": ["decay"]}))["subject"]["id"]
    await settings(caller, every_hours=24)
    schedule = temporal.get_schedule_handle(schedule_id(space_id))
    assert (await schedule.describe()).schedule.spec.intervals[0].every == timedelta(hours=24)
    await settings(caller, every_hours=1)
    assert (await schedule.describe()).schedule.spec.intervals[0].every == timedelta(hours=1)

    async def runs() -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = (await caller.get("/memories/evolutions"))["items"]
        return items

    async with asyncio.timeout(60):
        ended = (await runs())[:1]
        while not ended or ended[0]["ended_at"] is None:
            await asyncio.sleep(0.05)
            ended = await runs()
        await schedule.trigger()
        found = await runs()
        while len(found) < 2 or found[0]["ended_at"] is None:
            await asyncio.sleep(0.05)
            found = await runs()
    assert [stage["stage"] for stage in found[0]["stages"]] == ["update", "extend", "derive", "decay"]
    operation = await caller.get(f"/operations/{found[0]['operation_id']}")
    assert operation["kind"] == "evolve_memory"
    await settings(caller, every_hours=None)
    with pytest.raises(RPCError) as gone:
        await schedule.describe()
    assert gone.value.status is RPCStatusCode.NOT_FOUND


@pytest.mark.parametrize("seed", range(3))
async def test_undoing_all_changes_of_any_space_restores_it_byte_for_byte(
    caller: Account, database: Database, seed: int
) -> None:
    chosen = random.Random(seed)
    people = ("Ann", "Ben")
    turns = []
    for number in range(60):
        person = chosen.choice(people)
        content = chosen.choice(
            (
                f"{person} lives in {chosen.choice(('Rome', 'Turin', 'Oslo'))}.",
                f"{person} {chosen.choice(('adopted', 'has adopted'))} a grey cat, Pixel.",
                f"{person} paints {chosen.choice(('red', 'small', 'old'))} boats in the harbour with a friend.",
                "Thanks, see you tomorrow!",
                f"The code of {person} is hunter{number}-Xy9! and the password is qW3rtz-{number}!",
                f"I sold {number} paintings of boats in the harbour.",
            )
        )
        day = f"2025-{chosen.randint(1, 9):02}-{chosen.randint(1, 28):02}T10:00:00Z"
        turns.append({"speaker": person, "content": content, "created_at": day, "external_id": str(number)})
    for person in people:
        said_by = [turn for turn in turns if turn["speaker"] == person]
        await remember(caller, messages=said_by, subject=person, session_id=chosen.choice(("", "s")) or None)
    await settings(caller, insights="apply", decay_half_life_days=chosen.choice((1, 180)))
    async with database.transaction(caller.organisation_id) as session:
        long_ago = text(
            "UPDATE memories SET recorded_at = recorded_at - sequence * interval '40 days' WHERE sequence % 2 = 0"
        )
        await session.execute(long_ago)
    before = await snapshot(database, caller)
    result = await evolve(caller)
    assert changed(result).keys() >= {"merged", "superseded", "related", "removed"}
    assert changed(await evolve(caller)) == {}
    for change in await changes(caller):
        await undo(caller, change["id"])
    assert await snapshot(database, caller) == before
