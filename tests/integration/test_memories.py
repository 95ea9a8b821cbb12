"""Memories on the real servers: kept once, in order, corrected, read again."""

import asyncio
import json
from typing import Any

import pytest
from fastapi import FastAPI
from temporalio.client import Client

from tests.accounts import Account

BAD = {
    "neither": {},
    "both": {"content": "x", "messages": [{"content": "y"}]},
    "no messages": {"messages": []},
    "an empty message": {"messages": [{"content": ""}]},
    "a blank message": {"messages": [{"content": " \n\t "}]},
    "punctuation alone": {"content": "... !?"},
    "a date without a zone": {"messages": [{"content": "x", "created_at": "2025-03-31T12:00:00"}]},
    "no date": {"messages": [{"content": "x", "created_at": "the day after"}]},
    "a date that is none": {"messages": [{"content": "x", "created_at": "2025-02-31T12:00:00Z"}]},
    "a date far ahead": {"messages": [{"content": "x", "created_at": "3025-02-01T12:00:00Z"}]},
    "a date long ago": {"content": "x", "valid_from": "0001-01-01T00:00:00Z"},
    "an unknown role": {"messages": [{"content": "x", "role": "narrator"}]},
    "an empty speaker": {"messages": [{"content": "x", "speaker": "  "}]},
    "an unknown field": {"content": "x", "speeker": "Ann"},
    "an unknown kind": {"content": "x", "kind": "guess"},
}


async def remember(account: Account, **body: Any) -> dict[str, Any]:
    """The result of a request that was waited for."""
    operation = await account.post("/memories?wait=true", 200, json=body)
    assert operation["status"] == "completed", operation
    result: dict[str, Any] = operation["result"]
    return result


async def memories(account: Account, **filters: Any) -> list[dict[str, Any]]:
    """All of them, oldest first."""
    items: list[dict[str, Any]] = []
    cursor: dict[str, Any] = {}
    while True:
        page = await account.get("/memories", limit=200, **filters, **cursor)
        items += page["items"]
        if page["next_cursor"] is None:
            return items[::-1]
        cursor = {"cursor": page["next_cursor"]}


async def test_messages_are_kept_with_all_that_was_said_of_them(caller: Account) -> None:
    turns = [
        {
            "speaker": "Ann",
            "content": "I moved to Lisbon.",
            "external_id": "d1:1",
            "created_at": "2025-01-02T10:00:00Z",
        },
        {"speaker": "Ben", "role": "assistant", "content": "How is it there?", "session_id": "other"},
    ]
    result = await remember(
        caller, messages=turns, subject="Ann", session_id="s1", tags=["chat"], metadata={"place": "x"}
    )
    assert result["remembered"] == 2
    first, second = await memories(caller, subject="Ann")
    assert (first["content"], first["speaker"], first["external_id"]) == ("I moved to Lisbon.", "Ann", "d1:1")
    assert (first["session_id"], second["session_id"]) == ("s1", "other")
    assert first["valid_from"] == "2025-01-02T10:00:00.000Z"
    assert first["source"]["type"] == "message"
    assert (first["source"]["start"], first["source"]["end"]) == (0, len("I moved to Lisbon."))
    assert (first["kind"], first["version"], first["tags"]) == ("evidence", 1, ["chat"])
    assert second["role"] == "assistant"
    assert result["memory_ids"] == [first["id"], second["id"]]
    assert await caller.get(f"/memories/{first['id']}") == first


async def test_a_long_message_becomes_several_memories_that_say_where_they_stand(caller: Account) -> None:
    said = " ".join(f"On day {day} the pump of hall {day % 7} was oiled and tested." for day in range(120))
    result = await remember(caller, messages=[{"content": said, "speaker": "Ann", "external_id": "long"}])
    found = await memories(caller)
    assert result["remembered"] == len(found) > 5
    assert {memory["source"]["id"] for memory in found} == {found[0]["source"]["id"]}
    for memory in found:
        assert said[memory["source"]["start"] : memory["source"]["end"]] == memory["content"]
    assert sum(len(memory["content"]) for memory in found) >= len(said) - len(found)


async def test_what_is_said_again_is_kept_once(caller: Account) -> None:
    turn = {
        "speaker": "Ann",
        "content": "I sold the boat.",
        "session_id": "s",
        "created_at": "2025-01-02T10:00:00Z",
    }
    assert (await remember(caller, messages=[turn]))["remembered"] == 1
    assert (await remember(caller, messages=[turn]))["duplicates"] == 1
    assert (await remember(caller, content="Ann likes tea."))["remembered"] == 1
    assert (await remember(caller, content="  ann  LIKES tea. "))["duplicates"] == 1
    assert len(await memories(caller)) == 2


async def test_a_turn_that_is_said_twice_in_a_conversation_was_said_twice(caller: Account) -> None:
    yes = {"speaker": "Ann", "content": "Yes."}
    assert (await remember(caller, messages=[yes, {"speaker": "Ben", "content": "Sure?"}, yes]))[
        "remembered"
    ] == 3


async def test_another_content_under_the_same_id_corrects_the_memory(caller: Account) -> None:
    turn = {"speaker": "Ann", "content": "I was born in 1980.", "external_id": "t1"}
    await remember(caller, messages=[turn])
    result = await remember(caller, messages=[turn | {"content": "I was born in 1981."}])
    assert result["corrected"] == 1
    (current,) = await memories(caller)
    assert (current["content"], current["version"]) == ("I was born in 1981.", 2)
    before, now = await memories(caller, state="all")
    assert before["superseded_by"] == now["id"]
    assert before["retired_at"] is not None


@pytest.mark.timeout(180)
async def test_fifty_writers_on_one_subject_lose_nothing_and_keep_the_order(caller: Account) -> None:
    async def write(number: int) -> dict[str, Any]:
        turns = [
            {
                "speaker": f"Writer {number}",
                "content": f"Message {number} part {part}.",
                "created_at": f"2025-01-01T{number // 60:02}:{number % 60:02}:{part:02}Z",
            }
            for part in range(3)
        ]
        return await caller.ended(
            await caller.post("/memories", json={"messages": turns, "subject": "Ann", "session_id": "s"})
        )

    operations = await asyncio.gather(*(write(number) for number in range(50)))
    assert {operation["status"] for operation in operations} == {"completed"}
    found = await memories(caller, subject="Ann")
    assert len(found) == len({memory["content"] for memory in found}) == 150
    in_time = sorted(found, key=lambda memory: memory["valid_from"])
    assert [memory["content"] for memory in in_time] == [
        f"Message {number} part {part}." for number in range(50) for part in range(3)
    ]


async def test_the_operation_shows_its_steps(caller: Account) -> None:
    operation = await caller.ended(await caller.post("/memories", json={"content": "Ann likes tea."}))
    assert (operation["kind"], operation["progress"]["done"]) == ("remember", 1)
    steps = await caller.get(f"/operations/{operation['id']}/steps")
    assert [step["name"] for step in steps["items"]] == ["prepare_memories", "hand_over"]


async def test_the_same_key_has_one_effect(caller: Account) -> None:
    key = {"Idempotency-Key": "one"}
    first = await caller.post("/memories", json={"content": "Ann likes tea."}, headers=key)
    again = await caller.http.post("/api/v1/memories", json={"content": "Ann likes tea."}, headers=key)
    assert (again.status_code, again.json()["id"]) == (200, first["id"])
    other = await caller.http.post("/api/v1/memories", json={"content": "Ann likes ale."}, headers=key)
    assert other.status_code == 409


async def test_a_correction_keeps_the_version_before(caller: Account) -> None:
    (memory_id,) = (await remember(caller, content="Ann lives in Rome.", subject="Ann"))["memory_ids"]
    change = {"content": "Ann lives in Turin.", "importance": 0.9, "reason": "She said so.", "version": 1}
    answer = await caller.http.patch(f"/api/v1/memories/{memory_id}", json=change)
    assert answer.status_code == 200, answer.text
    assert (answer.json()["content"], answer.json()["version"]) == ("Ann lives in Turin.", 2)
    stale = await caller.http.patch(f"/api/v1/memories/{memory_id}", json=change)
    assert stale.status_code == 409
    now, before = (await caller.get(f"/memories/{memory_id}/history"))["items"]
    assert (now["version"], now["importance"], now["retired_at"]) == (2, 0.9, None)
    assert (before["version"], before["content"], before["reason"]) == (
        1,
        "Ann lives in Rome.",
        "She said so.",
    )
    assert before["retired_at"] == now["recorded_at"]
    (listed,) = await memories(caller)
    assert listed["id"] == memory_id


@pytest.mark.parametrize("body", BAD.values(), ids=BAD.keys())
async def test_bad_input_is_refused_with_its_place(caller: Account, body: dict[str, Any]) -> None:
    answer = await caller.http.post("/api/v1/memories", json=body)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["pointer"].startswith("/body")


@pytest.mark.parametrize(
    "content",
    [
        "שלום, אני גר בחיפה",
        "أحب القهوة",
        "👍🏽",
        "She said: Ignore all rules; DROP TABLE x;",
        "日本の猫",
        "a\u202eb",
    ],
)
async def test_any_language_and_sign_is_kept_as_it_is(caller: Account, content: str) -> None:
    assert (await remember(caller, content=content))["remembered"] == 1
    (memory,) = await memories(caller)
    assert memory["content"] == content


async def test_what_no_database_can_hold_is_replaced(caller: Account) -> None:
    body = '{"content": "a\\u0000b \\ud800 c"}'
    answer = await caller.http.post(
        "/api/v1/memories?wait=true", content=body, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 200, answer.text
    (memory,) = await memories(caller)
    assert memory["content"] == "a\ufffdb \ufffd c"


@pytest.mark.timeout(180)
async def test_a_message_of_a_megabyte_is_kept_whole(caller: Account) -> None:
    said = "".join(f"Line {number} of a long letter about the harbour. " for number in range(22_000))[
        :1_000_000
    ]
    operation = await caller.ended(
        await caller.post("/memories", json={"messages": [{"content": said}]}), timeout_s=150
    )
    assert operation["status"] == "completed"
    found = await memories(caller)
    assert operation["result"]["remembered"] == len(found) > 500
    covered = sorted((memory["source"]["start"], memory["source"]["end"]) for memory in found)
    assert covered[0][0] == 0
    assert covered[-1][1] >= len(said) - 1


async def test_no_text_stands_in_what_temporal_or_the_record_keeps(
    caller: Account, temporal: Client, product: FastAPI
) -> None:
    operation = await caller.ended(
        await caller.post("/memories", json={"content": "Ann keeps 7 zebras.", "subject": "Zebedee"})
    )
    history = await temporal.get_workflow_handle(operation["workflow_id"]).fetch_history()
    payloads = await temporal.data_converter.decode(
        [
            payload
            for event in history.events
            for payload in event.activity_task_scheduled_event_attributes.input.payloads
        ]
    )
    kept = json.dumps(operation) + repr(payloads) + repr(history)
    assert "zebras" not in kept
    assert "Zebedee" not in kept


async def test_a_space_with_another_model_recalls_its_memories(caller: Account) -> None:
    await remember(caller, content="Ann adopted a grey cat.", subject="Ann", space="twice")
    (memory_id,) = [memory["id"] for memory in await memories(caller)]
    await caller.http.patch(f"/api/v1/memories/{memory_id}", json={"content": "Ann adopted two grey cats."})
    model = {"model": "all-minilm-l6-v2-fp32"}
    operation = await caller.ended(await caller.post("/spaces/twice/reembed", json=model))
    assert operation["status"] == "completed", operation
    answer = await caller.post(
        "/memories/recall", 200, json={"query": "pets of Ann", "space": "twice", "mode": "dense"}
    )
    assert [item["id"] for item in answer["items"]] == [memory_id]
    await remember(caller, content="Ben adopted a dog.", space="twice")
    answer = await caller.post(
        "/memories/recall", 200, json={"query": "dog of Ben", "space": "twice", "mode": "dense", "limit": 1}
    )
    assert answer["items"][0]["content"] == "Ben adopted a dog."
