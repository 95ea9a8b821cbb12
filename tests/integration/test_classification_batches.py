"""Batches of classification: every item has its own outcome, and whatever happens in between, exactly one."""

import asyncio
import csv
import io
import json
from typing import Any

from sqlalchemy import text
from temporalio.client import Client

from perdure.db.classification_results import BATCH_KIND, NewItem, accept_classification
from perdure.db.classification_workflows import questions_of
from perdure.db.session import Database
from perdure.domain.ids import new_id
from perdure.schemas.classification import Definition, Stage, StageGiven
from tests.accounts import Account
from tests.classifying import LABELS, TEXTS, batch, results, workflow
from workflows.client import start_operation

PATH = "/ai/classification"


async def items_of(account: Account, operation: dict[str, Any]) -> list[dict[str, Any]]:
    page = await account.get(f"/operations/{operation['id']}/items", limit=200)
    return list(page["items"])


async def test_what_is_wrong_with_some_items_never_stops_the_rest(caller: Account, stranger: Account) -> None:
    mine = await caller.ingested(json={"text": TEXTS["Complaint"], "title": "A letter"})
    foreign = await stranger.ingested(json={"text": TEXTS["Complaint"]})
    broken = await caller.ingested(files={"file": ("broken.pdf", b"%PDF-1.7 nothing")})
    given: list[dict[str, Any]] = [
        {"text": TEXTS["Invoice"], "external_id": "first"},
        {"text": ""},
        {"text": " \n "},
        {"document_id": "doc_00000000000000000000000000"},
        {"document_id": "no id at all"},
        {"document_id": foreign["id"]},
        {"document_id": broken["id"]},
        {"document_id": mine["id"]},
        {"text": "x" * 1_000_001},
        {"text": "\x00\x01 =cmd|' /C calc'!A0"},
    ]
    operation = await batch(caller, given)
    assert operation["status"] == "completed", operation
    assert operation["progress"]["done"] == operation["progress"]["total"] == len(given)
    assert operation["result"]["reasons"] == {
        "empty_text": 2,
        "document_not_found": 3,
        "document_not_indexed": 1,
        "too_long": 1,
    }
    assert (operation["result"]["decided"], operation["result"]["failed"]) == (3, 7)
    assert operation["result"]["cost"] == 0
    found = await results(caller, operation_id=operation["id"])
    assert [one["ordinal"] for one in found] == list(range(len(given)))
    assert [one["label"] for one in found if one["status"] == "decided"][:2] == ["Invoice", "Complaint"]
    assert found[7]["document_id"] == mine["id"]
    items = await items_of(caller, operation)
    assert [item["status"] == "failed" for item in items] == [one["status"] == "failed" for one in found]
    assert items[0]["name"] == "first"
    assert (items[7]["name"], items[7]["document_id"]) == ("A letter", mine["id"])
    assert "could not be read" in items[6]["detail"]
    assert all(item["reason"] for item in items if item["status"] == "failed")
    assert await results(stranger, operation_id=operation["id"]) == []


async def test_a_retry_takes_up_what_failed_and_nothing_else(caller: Account, database: Database) -> None:
    document = await caller.ingested(files={"file": ("later.pdf", b"%PDF-1.7 nothing")})
    operation = await batch(caller, [{"text": TEXTS["Invoice"]}, {"document_id": document["id"]}])
    before = await results(caller, operation_id=operation["id"])
    assert [one["status"] for one in before] == ["decided", "failed"]
    # What could not be read is there after all.
    async with database.transaction(caller.organisation_id) as session:
        other = await caller.ingested(json={"text": TEXTS["Complaint"]})
        await session.execute(
            text("UPDATE operation_items SET source = jsonb_build_object('document_id', CAST(:id AS text)) "
                 "WHERE operation_id = :operation AND ordinal = 1"),
            {"id": other["id"], "operation": operation["id"]},
        )  # fmt: skip
        await session.execute(
            text("UPDATE classification_results SET document_id = NULL WHERE operation_id = :operation"),
            {"operation": operation["id"]},
        )
    ended = await caller.ended(await caller.post(f"/operations/{operation['id']}/retry"))
    assert (ended["status"], ended["attempt"], ended["result"]["failed"]) == ("completed", 2, 0)
    after = await results(caller, operation_id=operation["id"])
    assert after[0] == before[0]
    assert (after[1]["status"], after[1]["label"]) == ("decided", "Complaint")


async def test_a_batch_is_paused_resumed_and_cancelled_in_the_middle(caller: Account) -> None:
    given = [{"text": f"{TEXTS['Invoice']} Number {number}."} for number in range(1_200)]
    body = {"items": given, "labels": LABELS}
    operation = await caller.post(f"{PATH}/batch", json=body)
    paused = await caller.post(f"/operations/{operation['id']}/pause")
    assert paused["status"] in {"paused", "completed"}
    if paused["status"] == "paused":
        await asyncio.gather(*(caller.get(f"{PATH}/results", operation_id=operation["id"]) for _ in range(2)))
        await caller.post(f"/operations/{operation['id']}/resume")
    ended = await caller.ended(operation)
    assert (ended["status"], ended["result"]["decided"]) == ("completed", len(given))
    stopped = await caller.post(f"{PATH}/batch", json=body)
    cancelled = await caller.post(f"/operations/{stopped['id']}/cancel")
    cancelled = await caller.ended(cancelled)
    assert cancelled["status"] == "cancelled"
    found = await results(caller, operation_id=stopped["id"])
    assert len(found) == len(given)
    assert {one["status"] for one in found} <= {"decided", "failed"}
    assert {one["reason"] for one in found if one["status"] == "failed"} == {"cancelled"}
    again = await caller.ended(await caller.post(f"/operations/{stopped['id']}/retry"))
    assert again["status"] == "completed", again
    assert again["result"]["decided"] == len(given), again


async def test_progress_is_told_while_a_page_is_answered(caller: Account, database: Database) -> None:
    given = [{"text": f"{TEXTS['Invoice']} Number {number}."} for number in range(600)]
    operation = await batch(caller, given, labels=LABELS)
    told_of = text(
        "SELECT (data -> 'progress' ->> 'done')::int FROM operation_events "
        "WHERE operation_id = :id AND type = 'operation' ORDER BY revision"
    )
    async with database.transaction(caller.organisation_id) as session:
        told = list(await session.scalars(told_of, {"id": operation["id"]}))
    assert told == sorted(told)
    assert told[-1] == len(given)
    assert any(0 < done < len(given) for done in told)


async def test_results_are_filtered_and_streamed_as_csv_and_lines(caller: Account) -> None:
    made = await workflow(caller)
    given = [{"text": content, "external_id": name} for name, content in TEXTS.items()] * 2
    operation = await batch(caller, [*given, {"text": "=1+1"}, {"text": ""}], workflow_id=made["id"])
    of_it = {"operation_id": operation["id"]}
    assert len(await results(caller, **of_it, label="Complaint")) >= 2
    assert len(await results(caller, **of_it, status="failed")) == 1
    assert len(await results(caller, workflow_id=made["id"])) == 8
    assert len(await results(caller, workflow_id=made["id"], decision="auto")) == 7
    path = f"/api/v1{PATH}/results"
    answer = await caller.http.get(path, params=of_it, headers={"Accept": "text/csv"})
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["ordinal"] for row in rows] == [str(number) for number in range(8)]
    assert rows[6]["excerpt"] == "'=1+1"
    lines = await caller.http.get(path, params=of_it, headers={"Accept": "application/x-ndjson"})
    assert [json.loads(line)["id"] for line in lines.text.splitlines()] == [row["id"] for row in rows]
    first = await caller.get(f"{PATH}/results", limit=3, **of_it)
    assert [one["ordinal"] for one in first["items"]] == [0, 1, 2]
    await caller.get(f"{PATH}/results", 422, cursor="mangled")


async def test_a_target_accuracy_decides_when_all_of_a_batch_have_an_answer(caller: Account) -> None:
    vague = ["Hello there.", "See you.", "It rains.", "Whatever.", "Thanks."]
    given = [{"text": f"{content} {number}"} for number in range(12) for content in (*TEXTS.values(), *vague)]
    operation = await batch(caller, given, labels=LABELS, target_accuracy=0.95)
    assert operation["status"] == "completed", operation
    found = await results(caller, operation_id=operation["id"])
    assert {one["status"] for one in found} == {"decided", "open"}
    sure = [one["confidence"] for one in found if one["status"] == "decided"]
    unsure = [one["confidence"] for one in found if one["status"] == "open"]
    assert min(sure) > max(unsure)
    assert sum(sure) / len(sure) >= 0.95
    items = await caller.get(f"/operations/{operation['id']}/items", limit=200, status="human_review")
    assert len(items["items"]) == len(unsure)


async def test_a_batch_goes_on_as_a_new_run_before_its_history_grows_long(
    caller: Account, database: Database, temporal: Client
) -> None:
    given = [f"{content} {number}" for number in range(10) for content in TEXTS.values()]
    questions = questions_of(Definition(stages=[StageGiven(task=Stage.CATEGORY, labels=LABELS)]))
    operation_id = new_id("op")
    async with database.transaction(caller.organisation_id) as session:
        row = await accept_classification(
            session,
            caller.organisation_id,
            "usr_test",
            BATCH_KIND,
            [NewItem(content) for content in given],
            questions,
            operation_id,
        )
    # Small pages, and few in a run: as a batch of many thousands has them.
    row.input = {**row.input, "page_size": 4, "pages_in_run": 3}
    first = await start_operation(temporal, row)
    ended = await caller.ended({"id": operation_id})
    assert (ended["status"], ended["result"]["decided"]) == ("completed", len(given)), ended
    assert ended["progress"] == {"done": 30, "total": 30, "step": "summarise_classification"}
    assert ended["run_id"] != first
    assert {one["status"] for one in await results(caller, operation_id=operation_id)} == {"decided"}
