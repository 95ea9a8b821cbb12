"""The verbs, lists and events of operations over HTTP."""

import asyncio
import json

import pytest

from tests.accounts import Account

BATCH = {"items": [{"text": f"Note {number}. " * 60} for number in range(300)]}


def _events(body: str) -> list[dict[str, str]]:
    events = []
    for block in body.strip().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if "data" in fields:
            events.append(fields)
    return events


async def test_a_batch_is_paused_resumed_and_cancelled(caller: Account) -> None:
    operation = await caller.post("/documents/batch", json=BATCH)
    paused = await caller.post(f"/operations/{operation['id']}/pause")
    assert paused["status"] == "paused"
    resumed = await caller.post(f"/operations/{operation['id']}/resume")
    assert resumed["status"] == "running"
    cancelled = await caller.post(f"/operations/{operation['id']}/cancel")
    assert cancelled["status"] == "cancelled"


async def test_verbs_are_safe_to_repeat_and_refuse_what_is_over(caller: Account) -> None:
    operation = await caller.post("/documents/batch", json=BATCH)
    for _ in range(2):
        assert (await caller.post(f"/operations/{operation['id']}/pause"))["status"] == "paused"
    for _ in range(2):
        assert (await caller.post(f"/operations/{operation['id']}/cancel"))["status"] == "cancelled"
    problem = await caller.post(f"/operations/{operation['id']}/pause", 409)
    assert "cancelled" in problem["detail"]


async def test_a_verb_with_a_known_key_is_not_done_twice(caller: Account) -> None:
    operation = await caller.post("/documents/batch", json=BATCH)
    path, key = f"/operations/{operation['id']}", {"Idempotency-Key": "pause-1"}
    await caller.post(f"{path}/pause", headers=key)
    await caller.post(f"{path}/resume")
    replayed = await caller.post(f"{path}/pause", 200, headers=key)
    assert replayed["status"] == "running"
    await caller.post(f"{path}/cancel")


async def test_only_failures_can_be_retried(caller: Account) -> None:
    operation = await caller.ended(await caller.post("/documents", json={"text": "Fine."}))
    problem = await caller.post(f"/operations/{operation['id']}/retry", 409)
    assert "completed" in problem["detail"]


async def test_a_failed_operation_can_be_retried(caller: Account) -> None:
    operation = await caller.ended(await caller.post("/documents", json={"url": "http://127.0.0.1:9/x"}))
    assert (operation["status"], operation["error"]["type"]) == ("failed", "forbidden_address")
    again = await caller.post(f"/operations/{operation['id']}/retry")
    assert (again["attempt"], again["error"]) == (2, None)
    assert (await caller.ended(again))["status"] == "failed"


async def test_events_tell_the_whole_story_and_can_be_resumed(caller: Account) -> None:
    operation = await caller.ended(await caller.post("/documents", json={"text": "An eventful text."}))
    path = f"/api/v1/operations/{operation['id']}/events"
    whole = _events((await caller.http.get(path)).text)
    numbered = [event for event in whole if "id" in event]
    assert [int(event["id"]) for event in numbered] == list(range(1, len(numbered) + 1))
    assert json.loads(numbered[-1]["data"])["status"] == "completed"
    rest = _events((await caller.http.get(path, headers={"Last-Event-ID": "2"})).text)
    assert [event["id"] for event in rest if "id" in event] == [event["id"] for event in numbered[2:]]
    seen_all = await caller.http.get(path, headers={"Last-Event-ID": numbered[-1]["id"]})
    assert seen_all.status_code == 204
    assert (await caller.http.get(path, headers={"Last-Event-ID": "x"})).status_code == 422


async def test_lists_are_filtered_and_paged_newest_first(caller: Account) -> None:
    operations = [await caller.post("/documents", json={"text": f"Text {n}."}) for n in range(3)]
    await asyncio.gather(*[caller.ended(operation) for operation in operations])
    page = await caller.get("/operations", limit=2, kind="ingest_document", status="completed")
    rest = await caller.get("/operations", limit=2, cursor=page["next_cursor"])
    newest_first = [operation["id"] for operation in reversed(operations)]
    assert [item["id"] for item in page["items"] + rest["items"]] == newest_first
    assert rest["next_cursor"] is None
    subject = operations[1]["subject"]["id"]
    (found,) = (await caller.get("/operations", subject=subject))["items"]
    assert found["id"] == operations[1]["id"]


@pytest.mark.parametrize(
    ("parameters", "pointer"),
    [
        ({"status": "sleeping"}, "/query/status"),
        ({"kind": "nonsense"}, "/query/kind"),
        ({"limit": "0"}, "/query/limit"),
        ({"limit": "201"}, "/query/limit"),
        ({"cursor": "garbage"}, "/query/cursor"),
    ],
)
async def test_bad_filters_are_named(caller: Account, parameters: dict[str, str], pointer: str) -> None:
    problem = await caller.get("/operations", 422, **parameters)
    assert [error["pointer"] for error in problem["errors"]] == [pointer]


async def test_another_organisation_sees_nothing(caller: Account, stranger: Account) -> None:
    operation = await caller.ended(await caller.post("/documents", json={"text": "Ours alone."}))
    for path in ("", "/steps", "/items", "/events"):
        await stranger.get(f"/operations/{operation['id']}{path}", 404)
    for verb in ("pause", "resume", "cancel", "retry"):
        await stranger.post(f"/operations/{operation['id']}/{verb}", 404)
    assert (await stranger.get("/operations"))["items"] == []
