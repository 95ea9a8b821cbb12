"""Files of memories: what goes out comes in again, and what is no memory is named."""

import json
from typing import Any

import pytest

from tests.accounts import Account
from tests.integration.test_memories import memories, remember
from tests.integration.test_recall import forget, told


async def imported(account: Account, lines: list[Any], **fields: str) -> dict[str, Any]:
    file = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines).encode()
    operation = await account.ended(
        await account.post("/memories/import", files={"file": ("m.jsonl", file)}, data=fields)
    )
    assert (operation["kind"], operation["status"]) == ("import_memories", "completed"), operation
    result: dict[str, Any] = operation["result"]
    return result


async def exported(account: Account, **query: str) -> list[dict[str, Any]]:
    answer = await account.http.get("/api/v1/memories/export", params=query)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    return [json.loads(line) for line in answer.text.splitlines()]


async def test_an_export_is_an_import(caller: Account) -> None:
    await told(caller, tags=["chat"], metadata={"place": "north"})
    await remember(caller, content="Ann likes tea.", subject="Ann", kind="preference")
    out = await exported(caller)
    assert len(out) == 7
    result = await imported(caller, out, space="copy")
    assert (result["lines"], result["remembered"], result["refused"]) == (7, 7, 0)
    back = await exported(caller, space="copy")

    def said(memory: dict[str, Any]) -> dict[str, Any]:
        own = {"id", "space", "recorded_at", "source", "operation_id"}
        return {name: value for name, value in memory.items() if name not in own}

    assert [said(memory) for memory in back] == [said(memory) for memory in out]
    again = await imported(caller, out, space="copy")
    assert (again["remembered"], again["duplicates"]) == (0, 7)
    assert len(await exported(caller, space="copy", subject="Ann")) == 1


async def test_lines_that_are_no_memories_are_counted_and_named(caller: Account) -> None:
    lines = [
        {"content": "Ann likes tea."},
        "",
        "not json",
        "[1, 2]",
        {"content": "  "},
        {"content": "Ann likes ale.", "confidence": 7},
        {"content": "Ann likes rain.", "valid_from": "0001-01-01T00:00:00Z"},
        {"speaker": "Ann"},
        {"content": "Ann likes snow."},
    ]
    result = await imported(caller, lines)
    assert (result["remembered"], result["refused"], result["lines"]) == (2, 6, 9)
    assert [refusal["line"] for refusal in result["refusals"]] == [3, 4, 5, 6, 7, 8]
    assert result["refusals"][0]["detail"] == "is not JSON"
    assert [memory["content"] for memory in await memories(caller)] == ["Ann likes tea.", "Ann likes snow."]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            {
                "id": "1",
                "memory": "Likes tea",
                "user_id": "ann",
                "created_at": "2024-05-01T10:00:00.5",
                "metadata": {},
            },
            {"content": "Likes tea", "subject": "ann", "valid_from": "2024-05-01T10:00:00.500Z"},
        ),
        (
            {"customId": "c1", "content": "Likes ale", "containerTags": ["ben"], "createdAt": "2024-05-01"},
            {
                "content": "Likes ale",
                "external_id": "c1",
                "tags": ["ben"],
                "valid_from": "2024-05-01T00:00:00.000Z",
            },
        ),
    ],
    ids=["mem0", "supermemory"],
)
async def test_what_others_export_comes_in(
    caller: Account, line: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert (await imported(caller, [line]))["remembered"] == 1
    (memory,) = await memories(caller)
    assert {name: memory[name] for name in expected} == expected


async def test_many_pages_keep_their_order_and_what_was_forgotten_stays_away(caller: Account) -> None:
    lines = [
        {"content": f"Turn {number} of the talk.", "speaker": "Ann", "session_id": "s", "subject": "Talk"}
        for number in range(1_200)
    ]
    await remember(caller, content="Turn 700 of the talk.", subject="Talk")
    await forget(caller, text="Turn 700 of the talk.")
    result = await imported(caller, lines)
    assert (result["lines"], result["remembered"], result["forgotten"]) == (1_200, 1_199, 1)
    out = [memory["content"] for memory in await exported(caller)]
    assert out == [line["content"] for line in lines if line["content"] != "Turn 700 of the talk."]


async def test_what_is_no_file_is_refused(caller: Account) -> None:
    answer = await caller.http.post("/api/v1/memories/import", json={"content": "x"})
    assert answer.status_code == 400
    assert "multipart/form-data" in answer.json()["detail"]
