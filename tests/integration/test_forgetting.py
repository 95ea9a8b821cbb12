"""What is forgotten is gone from every view, and does not come back."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import text

from perdure.db.models import Row
from perdure.db.session import Database
from perdure.embedded import postgres
from tests.accounts import Account
from tests.integration.test_memories import memories, remember
from tests.integration.test_recall import forget, recall, told


@pytest.fixture
async def superuser(embedded_postgres: postgres.EmbeddedPostgres) -> AsyncIterator[Database]:
    database = Database(embedded_postgres.url("postgres"), 2)
    yield database
    await database.aclose()


async def mentions(superuser: Database, needle: str) -> dict[str, int]:
    """Tables in which a word stands, in whatever column."""
    found = {}
    async with superuser.transaction(None) as session:
        for table in Row.metadata.tables:
            statement = text(f"SELECT count(*) FROM {table} t WHERE t::text ILIKE '%' || :needle || '%'")
            count = (await session.execute(statement, {"needle": needle})).scalar_one()
            if count:
                found[table] = count
    return found


async def test_a_forgotten_memory_is_gone_from_every_table_with_its_versions(
    caller: Account, superuser: Database
) -> None:
    (memory_id,) = (await remember(caller, content="Ann hides a quokka.", subject="Zebulon"))["memory_ids"]
    change = {"content": "Ann hides two quokkas.", "reason": "Quokka count."}
    assert (await caller.http.patch(f"/api/v1/memories/{memory_id}", json=change)).status_code == 200
    await recall(caller, "hidden animals", session_id="s")
    operation = await caller.http.delete(f"/api/v1/memories/{memory_id}?wait=true")
    assert operation.status_code == 200, operation.text
    receipt = operation.json()["result"]
    assert (receipt["forgotten"], receipt["versions"], receipt["vectors"], receipt["changes"]) == (1, 2, 2, 1)
    assert receipt["tombstones"] == 2
    assert receipt["memory_ids"] == [memory_id]
    assert await mentions(superuser, "quokka") == {}
    assert await mentions(superuser, "zebulon") == {}
    assert set(await mentions(superuser, memory_id)) <= {"operations", "operation_events", "memory_requests"}
    await caller.get(f"/memories/{memory_id}", 404)
    assert (await recall(caller, "Ann hides a quokka."))["outcome"] == "nothing_stored"


async def test_what_was_forgotten_is_not_remembered_again(caller: Account) -> None:
    await told(caller)
    said = "I adopted a grey cat called Pixel last week."
    receipt = await forget(caller, text=said, reason="Ben asked for it.")
    assert (receipt["forgotten"], receipt["reason"]) == (1, "Ben asked for it.")
    assert said not in [memory["content"] for memory in await memories(caller)]
    again = await remember(
        caller, messages=[{"speaker": "Ben", "content": "  i ADOPTED a grey cat called Pixel last week."}]
    )
    assert (again["remembered"], again["forgotten"]) == (0, 1)
    await told(caller)
    assert len(await memories(caller)) == 5


async def test_a_subject_is_forgotten_and_the_others_stay(caller: Account, superuser: Database) -> None:
    await remember(caller, content="Likes early trains.", subject="Xanthippe", session_id="s")
    await remember(caller, content="Likes early trains.", subject="Ben")
    preview = await caller.post("/memories/forget/preview", 200, json={"subject": "Xanthippe"})
    assert (preview["total"], preview["items"][0]["subject"]) == (1, "Xanthippe")
    assert (await forget(caller, subject="Xanthippe"))["forgotten"] == 1
    assert [memory["subject"] for memory in await memories(caller)] == ["Ben"]
    assert await mentions(superuser, "xanthippe") == {}
    again = await remember(caller, content="Likes early trains.", subject="Xanthippe")
    assert again["forgotten"] == 1
    new = await remember(caller, content="Now likes late trains.", subject="Xanthippe")
    assert new["remembered"] == 1


async def test_a_query_forgets_what_its_preview_showed(caller: Account) -> None:
    await told(caller)
    wanted = {"query": "grey cat called Pixel", "limit": 1}
    preview = await caller.post("/memories/forget/preview", 200, json=wanted)
    assert [item["external_id"] for item in preview["items"]] == ["D1:4"]
    assert len(await memories(caller)) == 6
    assert preview["items"][0]["accesses"] == 0
    assert (await forget(caller, **wanted))["memory_ids"] == [preview["items"][0]["id"]]
    assert len(await memories(caller)) == 5


async def test_forgetting_an_old_text_leaves_what_corrected_it(caller: Account) -> None:
    (memory_id,) = (await remember(caller, content="Ann lives in Rome."))["memory_ids"]
    await caller.http.patch(f"/api/v1/memories/{memory_id}", json={"content": "Ann lives in Turin."})
    assert (await forget(caller, text="Ann lives in Rome."))["forgotten"] == 0
    (left,) = await memories(caller, state="all")
    assert left["content"] == "Ann lives in Turin."
    assert len((await caller.get(f"/memories/{memory_id}/history"))["items"]) == 1


async def test_no_correction_brings_a_forgotten_text_back(caller: Account) -> None:
    (memory_id,) = (await remember(caller, content="Ann lives in Turin."))["memory_ids"]
    await forget(caller, text="Ann lives in Rome.")
    answer = await caller.http.patch(f"/api/v1/memories/{memory_id}", json={"content": "Ann lives in Rome."})
    assert answer.status_code == 409
    (left,) = await memories(caller, state="all")
    assert left["content"] == "Ann lives in Turin."


@pytest.mark.parametrize("body", [{}, {"ids": []}, {"text": "a", "subject": "b"}, {"ids": ["x"]}])
async def test_what_is_not_one_choice_is_refused(caller: Account, body: dict[str, Any]) -> None:
    await remember(caller, content="Ann likes tea.")
    answer = await caller.http.post("/api/v1/memories/forget", json=body)
    assert answer.status_code == 422
    assert len(await memories(caller)) == 1


async def test_forgetting_what_is_not_there_says_so(caller: Account) -> None:
    await remember(caller, content="Ann likes tea.")
    receipt = await forget(caller, ids=["mem_00000000000000000000000000"])
    assert (receipt["forgotten"], receipt["missing"]) == (0, 1)
    answer = await caller.http.delete("/api/v1/memories/mem_00000000000000000000000000")
    assert answer.status_code == 404
