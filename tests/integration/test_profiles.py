"""Profiles on the real servers: what is known of somebody, at once, and nothing that was forgotten."""

import json
from typing import Any

from sqlalchemy import text

from perdure.db.profiles import refresh_memories
from perdure.db.session import Database
from tests.accounts import Account
from tests.integration.test_memories import remember


async def profile(account: Account, subject: str, **query: Any) -> dict[str, Any]:
    return await account.get(f"/profiles/{subject}", **query)


def contents(section: list[dict[str, Any]]) -> list[str]:
    return [entry["content"] for entry in section]


def turn(speaker: str, content: str, day: int = 1) -> dict[str, Any]:
    return {"speaker": speaker, "content": content, "created_at": f"2025-03-{day:02}T10:00:00Z"}


async def test_a_profile_has_facts_preferences_and_what_was_said_lately(caller: Account) -> None:
    turns = [
        turn("Ann", "I live in Porto.", 1),
        turn("Ben", "I live in Berlin.", 1),
        turn("Ann", "I really love strong coffee.", 2),
        turn("Ann", "The meeting was long.", 3),
        turn("Ann", "I moved to Lisbon.", 4),
    ]
    await remember(caller, messages=turns, subject="Ann", session_id="s")
    await remember(caller, content="Ann's blood type is A.", kind="fact", subject="Ann")
    found = await profile(caller, "Ann")
    assert set(contents(found["facts"])) == {"I moved to Lisbon.", "Ann's blood type is A."}
    assert contents(found["preferences"]) == ["I really love strong coffee."]
    assert set(contents(found["recent"])) == {
        "The meeting was long.",
        "I live in Porto.",
        "I live in Berlin.",
    }
    home = next(entry for entry in found["facts"] if entry["attribute"])
    assert (home["attribute"], home["kind"]) == ("home", "evidence")
    assert contents((await profile(caller, "Ben"))["facts"]) == ["I live in Berlin."]


async def test_a_corrected_turn_and_a_changed_memory_change_the_profile(caller: Account) -> None:
    first = turn("Ann", "I live in Porto.") | {"external_id": "t1"}
    await remember(caller, messages=[first])
    result = await remember(caller, messages=[first | {"content": "I live in Faro."}])
    assert contents((await profile(caller, "Ann"))["facts"]) == ["I live in Faro."]
    (memory_id,) = result["memory_ids"]
    changed = await caller.http.patch(
        f"/api/v1/memories/{memory_id}", json={"content": "I went out for a walk."}
    )
    assert changed.status_code == 200
    found = await profile(caller, "Ann")
    assert (found["facts"], contents(found["recent"])) == ([], ["I went out for a walk."])
    await caller.http.patch(f"/api/v1/memories/{memory_id}", json={"kind": "fact"})
    assert contents((await profile(caller, "Ann"))["facts"]) == ["I went out for a walk."]


async def test_what_is_over_or_has_expired_is_not_in_the_profile(caller: Account) -> None:
    kept = {"subject": "Ann", "kind": "fact"}
    await remember(caller, content="Ann has a key.", **kept)
    await remember(caller, content="Ann has a badge.", expires_at="2025-01-01T00:00:00Z", **kept)
    result = await remember(caller, content="Ann has a car.", **kept)
    change = {"valid_to": "2025-02-01T00:00:00Z"}
    await caller.http.patch(f"/api/v1/memories/{result['memory_ids'][0]}", json=change)
    assert contents((await profile(caller, "Ann"))["facts"]) == ["Ann has a key."]


async def test_a_forgotten_memory_leaves_the_profile_and_an_older_one_comes_back(caller: Account) -> None:
    await remember(caller, messages=[turn("Ann", "I live in Porto.", 1)])
    result = await remember(caller, messages=[turn("Ann", "I moved to Lisbon.", 2)])
    assert contents((await profile(caller, "Ann"))["facts"]) == ["I moved to Lisbon."]
    answer = await caller.http.delete(f"/api/v1/memories/{result['memory_ids'][0]}?wait=true")
    assert answer.json()["status"] == "completed"
    found = await profile(caller, "Ann")
    assert contents(found["facts"]) == ["I live in Porto."]
    assert "Lisbon" not in json.dumps(found)


async def test_a_forgotten_subject_has_no_profile(caller: Account, database: Database) -> None:
    await remember(caller, content="Ann has a boat.", subject="Ann")
    await caller.post("/memories/forget?wait=true", 200, json={"subject": "Ann"})
    await caller.get("/profiles/Ann", 404)
    assert (await caller.get("/profiles"))["items"] == []
    async with database.transaction(caller.organisation_id) as session:
        assert (await session.execute(text("SELECT count(*) FROM profile_entries"))).scalar_one() == 0


async def test_profiles_are_listed_by_name_page_by_page(caller: Account) -> None:
    for name in ("Cleo", "Ann", "Ben"):
        await remember(caller, content=f"{name} was here.", subject=name, space="team")
    first = await caller.get("/profiles", space="team", limit=2)
    assert [each["subject"] for each in first["items"]] == ["Ann", "Ben"]
    rest = await caller.get("/profiles", space="team", limit=2, cursor=first["next_cursor"])
    assert [each["subject"] for each in rest["items"]] == ["Cleo"]
    assert rest["next_cursor"] is None
    assert (await caller.get("/profiles"))["items"] == []
    await caller.get("/profiles/Ann", 404)
    assert (await profile(caller, "Ann", space="team"))["space"] == "team"


async def test_a_name_with_a_slash_and_signs_can_be_asked_for(caller: Account) -> None:
    await remember(caller, content="The team ships on Friday.", subject="team/é & Ω?", kind="fact")
    found = await profile(caller, "team/%C3%A9%20%26%20%CE%A9%3F")
    assert (found["subject"], contents(found["facts"])) == ("team/é & Ω?", ["The team ships on Friday."])


async def test_relations_lead_to_memories_of_others(caller: Account, database: Database) -> None:
    mine = (await remember(caller, content="Ann repaired the pump.", subject="Ann"))["memory_ids"][0]
    other = (await remember(caller, content="The pump leaked again.", subject="plant"))["memory_ids"][0]
    async with database.transaction(caller.organisation_id) as session:
        await session.execute(
            text(
                "INSERT INTO memory_relations (organisation_id, source_id, target_id, kind, weight, space_id) "
                "SELECT organisation_id, id, :other, 'similar', 0.75, space_id FROM memories WHERE id = :mine"
            ),
            {"mine": mine, "other": other},
        )
    (relation,) = (await profile(caller, "Ann"))["relations"]
    assert (relation["memory_id"], relation["of"], relation["score"]) == (other, mine, 0.75)
    assert (relation["relation"], relation["direction"]) == ("similar", "out")
    ((back),) = (await profile(caller, "plant"))["relations"]
    assert (back["memory_id"], back["direction"]) == (mine, "in")


async def test_nobody_sees_a_profile_of_another_organisation(caller: Account, stranger: Account) -> None:
    await remember(caller, content="Ann has a secret boat.", subject="Ann")
    await stranger.get("/profiles/Ann", 404)
    await remember(stranger, content="Ann has a bike.", subject="Ann")
    assert contents((await profile(stranger, "Ann"))["recent"]) == ["Ann has a bike."]


async def test_imported_memories_are_in_profiles_too(caller: Account) -> None:
    lines = [
        {"content": "Ann prefers trains.", "subject": "Ann", "kind": "preference"},
        {"content": "I live in Oslo.", "speaker": "Ann"},
    ]
    file = "\n".join(map(json.dumps, lines)).encode()
    operation = await caller.post("/memories/import", files={"file": ("m.jsonl", file)})
    await caller.ended(operation)
    found = await profile(caller, "Ann")
    assert (contents(found["preferences"]), contents(found["facts"])) == (
        ["Ann prefers trains."],
        ["I live in Oslo."],
    )


async def test_profiles_catch_up_with_memories_that_were_changed_by_other_ways(
    caller: Account, database: Database
) -> None:
    result = await remember(caller, content="Ann has a cold.", subject="Ann")
    async with database.transaction(caller.organisation_id) as session:
        await session.execute(
            text("UPDATE memories SET kind = 'fact', version = version + 1 WHERE id = ANY(:ids)"),
            {"ids": result["memory_ids"]},
        )
        await refresh_memories(session, result["memory_ids"])
    assert contents((await profile(caller, "Ann"))["facts"]) == ["Ann has a cold."]
