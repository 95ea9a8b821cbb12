"""Memories evolve on the real servers: what is the same, over, or drawn together; all of it can be undone."""

import asyncio
import itertools
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from perdure.db.memory_writer import MemoryWriter
from perdure.db.session import Database
from tests.accounts import Account
from tests.integration.test_memories import memories, remember
from tests.integration.test_recall import recall

UPDATE, EXTEND, DECAY = ["update"], ["extend"], ["decay"]
SAME = ("Ann adopted a grey cat called Pixel.", "Ann has adopted a grey cat, Pixel.")
# Rows as they are, with vectors, edges, and whether they are current; who was derived is another memory.
_MEMORIES = text(
    "SELECT m.id, m::text AS row, e.embedding::text AS vector FROM memories m "
    "LEFT JOIN memory_embeddings e ON e.memory_id = m.id WHERE m.rests_on IS NULL ORDER BY m.id, e.model"
)
_EDGES = text("SELECT r::text FROM memory_relations r ORDER BY source_id, kind, target_id")


async def evolve(account: Account, stages: Sequence[str] | None = None, **body: Any) -> dict[str, Any]:
    """The result of a run."""
    given = body | ({"stages": list(stages)} if stages else {})
    operation = await account.ended(await account.post("/memories/evolve", json=given))
    assert operation["status"] == "completed", operation
    result: dict[str, Any] = operation["result"]
    return result | {"operation_id": operation["id"]}


def changed(result: dict[str, Any]) -> dict[str, int]:
    """All changes of a run, by action."""
    return {action: count for stage in result["stages"] for action, count in stage["changed"].items()}


async def changes(account: Account, **filters: Any) -> list[dict[str, Any]]:
    """Changes, newest first."""
    items: list[dict[str, Any]] = []
    cursor: dict[str, Any] = {}
    while True:
        page = await account.get("/memories/changes", limit=200, **filters, **cursor)
        items += page["items"]
        if page["next_cursor"] is None:
            return items
        cursor = {"cursor": page["next_cursor"]}


async def undo(account: Account, change_id: str, status: int = 200) -> dict[str, Any]:
    return await account.post(f"/memories/changes/{change_id}/undo", status)


async def snapshot(database: Database, account: Account) -> tuple[list[Any], list[Any]]:
    """All that evolution may touch of the memories that are not its own."""
    async with database.transaction(account.organisation_id) as session:
        rows = [tuple(row) for row in await session.execute(_MEMORIES)]
        return rows, list((await session.scalars(_EDGES)).all())


async def aged(database: Database, account: Account, memory_id: str, days: int) -> None:
    """Let a memory have been recorded so long ago."""
    at = datetime.now(UTC) - timedelta(days=days)
    async with database.transaction(account.organisation_id) as session:
        await session.execute(
            text("UPDATE memories SET recorded_at = :at WHERE id = :id"), {"at": at, "id": memory_id}
        )


async def said(account: Account, *contents: str, subject: str | None = "Ann", **fields: Any) -> list[str]:
    """Statements, one request each; the ids of the memories."""
    ids: list[str] = []
    for content in contents:
        ids += (await remember(account, content=content, subject=subject, **fields))["memory_ids"]
    return ids


async def test_what_says_the_same_is_kept_once_and_all_its_sources_stay(caller: Account) -> None:
    first, second = await said(caller, *SAME)
    (other,) = await said(caller, SAME[0], subject="Ben")
    result = await evolve(caller, UPDATE)
    assert changed(result) == {"merged": 1}
    assert {memory["id"] for memory in await memories(caller)} == {first, other}
    gone = await caller.get(f"/memories/{second}")
    assert gone["superseded_by"] == first
    assert gone["retired_at"] is not None
    (change,) = await changes(caller)
    assert (change["memory_id"], change["action"], change["stage"]) == (second, "merged", "update")
    assert change["operation_id"] == result["operation_id"]
    assert change["content"] == SAME[1]
    kept = await caller.get(f"/memories/{first}")
    assert kept["merged_sources"] == [gone["source"]]


async def test_what_is_not_true_any_more_is_found_as_of_then(caller: Account) -> None:
    (rome,) = await said(caller, "Ann lives in Rome.", valid_from="2024-01-01T00:00:00Z")
    (turin,) = await said(caller, "Ann moved to Turin.", valid_from="2025-03-01T00:00:00Z")
    (ben,) = await said(caller, "Ben lives in Oslo.", subject="Ben", valid_from="2025-04-01T00:00:00Z")
    before = datetime.now(UTC).isoformat()
    assert changed(await evolve(caller, UPDATE)) == {"superseded": 1}
    older = await caller.get(f"/memories/{rome}")
    assert (older["superseded_by"], older["valid_to"]) == (turin, "2025-03-01T00:00:00.000Z")
    question = "Where does Ann live?"

    async def found(**fields: Any) -> list[str]:
        return [item["id"] for item in (await recall(caller, question, subject="Ann", **fields))["items"]]

    assert await found() == [turin]
    assert await found(as_of="2024-06-01T00:00:00Z") == [rome]
    assert set(await found(known_at=before)) == {rome, turin}
    assert ben in {memory["id"] for memory in await memories(caller)}
    (change,) = await changes(caller, memory_id=rome)
    assert "Rome" in change["reason"]
    assert turin in change["reason"]


async def test_who_moves_back_lives_there_again(caller: Account) -> None:
    for year, content in (
        (2022, "Ann lives in Rome."),
        (2023, "Ann moved to Turin."),
        (2024, "Ann lives in Rome again."),
    ):
        await said(caller, content, valid_from=f"{year}-01-01T00:00:00Z")
    await evolve(caller, UPDATE)
    assert [memory["content"] for memory in await memories(caller)] == ["Ann lives in Rome again."]


async def test_memories_are_connected_with_what_they_have_to_do_with(caller: Account) -> None:
    first, second, _ = await said(
        caller,
        "Ann adopted a grey cat.",
        "The grey cat of Ann sleeps a lot.",
        "The tax office opens at nine.",
    )
    result = await evolve(caller, EXTEND)
    assert changed(result)["related"] >= 1
    related = await caller.get(f"/memories/{first}/related")
    assert second in {item["id"] for item in related["items"] if item["relation"] == "similar"}
    assert changed(await evolve(caller, EXTEND)) == {}
    for change in await changes(caller, operation_id=result["operation_id"]):
        await undo(caller, change["id"])
    related = await caller.get(f"/memories/{first}/related")
    assert "similar" not in {item["relation"] for item in related["items"]}
    assert changed(await evolve(caller, EXTEND)) == {}


async def test_junk_is_put_away_and_counted(caller: Account, database: Database) -> None:
    kept, greeting, secret = await said(
        caller, "Ann has two sons.", "Hello, good morning!", "My password is hunter2-Xy9!"
    )
    result = await evolve(caller, DECAY)
    assert changed(result) == {"removed": 2}
    assert result["junk_rate"] == round(2 / 3, 4)
    assert [memory["id"] for memory in await memories(caller)] == [kept]
    assert {memory["id"] for memory in await memories(caller, state="all")} == {kept, greeting, secret}


async def test_what_nobody_asks_for_fades_and_is_archived_at_last(
    caller: Account, database: Database
) -> None:
    fresh, fading, faded = await said(caller, "Ann likes tea.", "Ann has a red car.", "Ann sold a boat.")
    await aged(database, caller, fading, 200)
    await aged(database, caller, faded, 2000)
    before = await snapshot(database, caller)
    assert changed(await evolve(caller, DECAY)) == {"archived": 1, "faded": 1}
    assert {memory["id"] for memory in await memories(caller)} == {fresh, fading}
    assert (await caller.get(f"/memories/{fading}"))["importance"] < 0.3
    assert changed(await evolve(caller, DECAY)) == {}
    for change in await changes(caller):
        await undo(caller, change["id"])
    assert await snapshot(database, caller) == before
    assert changed(await evolve(caller, DECAY)) == {}


async def test_what_has_expired_is_put_away(caller: Account, database: Database) -> None:
    (memory_id,) = await said(caller, "Ann is on the train.", expires_at="2020-01-01T00:00:00Z")
    assert changed(await evolve(caller, DECAY)) == {"expired": 1}
    assert (await caller.get(f"/memories/{memory_id}"))["retired_at"] is not None


async def test_a_dry_run_changes_nothing_and_tells_what_it_would_do(
    caller: Account, database: Database
) -> None:
    await said(caller, *SAME, "Hello!", "Ann lives in Rome.", "Ann moved to Turin.")
    before = await snapshot(database, caller)
    planned = await evolve(caller, dry_run=True)
    assert await snapshot(database, caller) == before
    assert await changes(caller) == []
    told = await caller.get(f"/memories/evolutions/{planned['operation_id']}/changes", limit=200)
    assert {item["id"] for item in told["items"]} == {None}
    run = await caller.get(f"/memories/evolutions/{planned['operation_id']}")
    assert (run["dry_run"], run["changes"]) == (True, len(told["items"]))
    done = await evolve(caller)
    assert changed(done) == changed(planned)
    actions = sorted((item["memory_id"], item["action"]) for item in told["items"])
    assert actions == sorted((item["memory_id"], item["action"]) for item in await changes(caller))


async def test_a_second_run_changes_nothing_and_undo_restores_every_column(
    caller: Account, database: Database
) -> None:
    await said(
        caller, *SAME, "Hello!", "Ann lives in Rome.", "Ann moved to Turin.", "The cat of Ann is grey."
    )
    await said(caller, "Ben moved to Turin.", "Ben has moved to Turin.", subject="Ben")
    before = await snapshot(database, caller)
    assert changed(await evolve(caller))
    after = await snapshot(database, caller)
    assert changed(await evolve(caller)) == {}
    assert await snapshot(database, caller) == after
    for change in await changes(caller):
        undone = await undo(caller, change["id"])
        assert undone["undone_at"] is not None
        assert await undo(caller, change["id"]) == undone
    assert await snapshot(database, caller) == before
    # What is current again may have to do with others; what was undone is not done again.
    assert set(changed(await evolve(caller))) <= {"related"}
    assert {memory[0] for memory in before[0]} == {memory["id"] for memory in await memories(caller)}


async def test_what_stands_in_the_way_of_undoing_is_told(caller: Account) -> None:
    _, second = await said(caller, *SAME)
    await evolve(caller, UPDATE)
    (change,) = await changes(caller)
    await said(caller, SAME[1])
    answer = await caller.http.post(f"/api/v1/memories/changes/{change['id']}/undo")
    assert answer.status_code == 409
    assert "remembered again" in answer.json()["detail"]
    assert (await caller.get(f"/memories/{second}"))["retired_at"] is not None


async def test_a_correction_can_be_undone(caller: Account) -> None:
    (memory_id,) = await said(caller, "Ann has a dog.")
    change = {"content": "Ann has a hamster.", "importance": 0.9}
    assert (await caller.http.patch(f"/api/v1/memories/{memory_id}", json=change)).status_code == 200
    (corrected,) = await changes(caller, memory_id=memory_id)
    await undo(caller, corrected["id"])
    memory = await caller.get(f"/memories/{memory_id}")
    assert (memory["content"], memory["importance"], memory["version"]) == ("Ann has a dog.", 0.5, 3)
    versions = (await caller.get(f"/memories/{memory_id}/history"))["items"]
    assert [version["content"] for version in versions] == [
        "Ann has a dog.",
        "Ann has a hamster.",
        "Ann has a dog.",
    ]
    found = await recall(caller, "hamster", mode="keyword")
    assert found["outcome"] == "nothing_relevant" or not found["items"]


async def test_one_evolution_of_a_space_at_a_time(caller: Account) -> None:
    await said(caller, *(f"Ann has {number} boats." for number in range(5)))
    answers = await asyncio.gather(*(caller.http.post("/api/v1/memories/evolve", json={}) for _ in range(5)))
    assert {answer.status_code for answer in answers} <= {200, 202}
    operations = [answer.json() for answer in answers]
    for operation in operations:
        await caller.ended(operation)
    runs = (await caller.get("/memories/evolutions"))["items"]
    assert {run["operation_id"] for run in runs} == {operation["id"] for operation in operations}
    assert all(earlier["ended_at"] <= later["started_at"] for later, earlier in itertools.pairwise(runs))


async def test_another_organisation_sees_and_undoes_nothing(caller: Account, stranger: Account) -> None:
    await said(caller, *SAME)
    await said(stranger, *SAME)
    result = await evolve(caller, UPDATE)
    (change,) = await changes(caller)
    assert await changes(stranger) == []
    assert len(await memories(stranger)) == 2
    await undo(stranger, change["id"], 404)
    await stranger.get(f"/memories/evolutions/{result['operation_id']}", 404)
    assert (await stranger.get("/memories/evolutions"))["items"] == []


@pytest.mark.timeout(180)
async def test_writers_beside_an_evolution_lose_nothing(caller: Account) -> None:
    await said(caller, *(f"Ann has a {colour} lamp." for colour in ("red", "green", "blue")), *SAME)

    async def write(number: int) -> dict[str, Any]:
        turns = [
            {"speaker": f"Writer {number}", "content": f"Lot {number} part {part} was sold."}
            for part in range(3)
        ]
        body = {"messages": turns, "subject": "Ann", "session_id": f"s{number}"}
        return await caller.ended(await caller.post("/memories", json=body), timeout_s=120)

    running = asyncio.create_task(evolve(caller))
    written = await asyncio.gather(*(write(number) for number in range(20)))
    await running
    assert sum(operation["result"]["remembered"] for operation in written) == 60
    assert (
        len([memory for memory in await memories(caller, state="all") if "was sold" in memory["content"]])
        == 60
    )
    await evolve(caller)
    assert changed(await evolve(caller)) == {}


async def test_a_run_waits_while_it_is_paused(caller: Account) -> None:
    await said(caller, *SAME)
    operation = await caller.post("/memories/evolve", json={})
    await caller.post(f"/operations/{operation['id']}/pause")
    await caller.post(f"/operations/{operation['id']}/resume")
    ended = await caller.ended(operation)
    assert ended["status"] == "completed"
    assert ended["result"]["stages"][0]["changed"] == {"merged": 1}


async def test_while_a_run_is_under_way_only_the_same_joins_it(caller: Account, database: Database) -> None:
    await said(caller, *SAME)
    space_id = (await caller.get("/spaces"))["items"][0]["id"]
    async with database.transaction(caller.organisation_id) as session:
        await MemoryWriter(session, caller.organisation_id, space_id).alone()  # so it does not end meanwhile
        report = await caller.post("/memories/evolve", json={"dry_run": True})
        assert (await caller.post("/memories/evolve", 200, json={"dry_run": True}))["id"] == report["id"]
        fewer = {"dry_run": True, "stages": UPDATE}
        assert (await caller.post("/memories/evolve", 200, json=fewer))["id"] == report["id"]
        refused = await caller.post("/memories/evolve", 409, json={})
        assert report["id"] in refused["detail"]
    await caller.ended(report)
    assert changed(await evolve(caller)) == {"merged": 1}


async def test_settings_of_a_space(caller: Account) -> None:
    settings = await caller.get("/memories/evolution/settings")
    assert (settings["every_hours"], settings["insights"]) == (None, "propose")
    wanted = settings | {"every_hours": 24, "insights": "apply"}
    answer = await caller.http.put("/api/v1/memories/evolution/settings", json=wanted)
    assert answer.status_code == 200, answer.text
    assert await caller.get("/memories/evolution/settings") == wanted
    answer = await caller.http.put("/api/v1/memories/evolution/settings", json=wanted | {"every_hours": 0})
    assert answer.status_code == 422


async def test_no_text_stands_in_the_operation(caller: Account) -> None:
    await said(caller, "Ann keeps 7 zebras.", "Ann keeps 7 zebras, she said.")
    operation = await caller.ended(await caller.post("/memories/evolve", json={}))
    assert "zebra" not in str(operation)
