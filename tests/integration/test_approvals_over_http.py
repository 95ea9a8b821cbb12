"""Approvals over HTTP: who is asked, deciding once, refusals with their reasons, and lists."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import select, text

from activities.letters import LetterWriter
from perdure.db.models import MessageRow
from perdure.db.session import Database
from perdure.domain.approval_refusals import Refusal, status_of
from perdure.domain.audit import AuditEvent, event_hash
from perdure.schemas.messages import LetterKind
from tests.accounts import Account
from tests.approving import Colleague, Json, Office, joined, logged_in, office, policy, requested, users
from tests.delivering import PUBLIC_URL, TOKENS
from tests.served import served

FORM = {
    "type": "object",
    "properties": {"amount": {"type": "number", "minimum": 1}},
    "required": ["amount"],
}


@pytest.fixture
async def people(product: FastAPI) -> AsyncIterator[Office]:
    async with office(product) as made:
        yield made


async def _refused(who: Colleague, approval_id: str, verb: str, reason: Refusal, /, **body: Any) -> Json:
    before = (await who.get(f"/approvals/{approval_id}"))["sequence"]
    problem = await who.told(approval_id, verb, status_of(reason), **body)
    assert problem["reason"] == reason.value
    assert problem["detail"]
    assert (await who.get(f"/approvals/{approval_id}"))["sequence"] == before
    return problem


async def test_a_request_is_in_the_inbox_of_who_is_asked_until_it_is_decided(people: Office) -> None:
    approval_id = await requested(people.owner, policy([{"role": "approver"}], "all"))
    assert await people.ada.inbox() == await people.ben.inbox(status="pending") == [approval_id]
    assert await people.owner.inbox() == []
    answer = await people.ada.told(approval_id, "decision", decision="approve")
    assert (answer["accepted"], answer["stage"], answer["seat"]) == (True, "first", answer["seat"])
    assert await people.ada.inbox() == []
    assert await people.ben.inbox() == [approval_id]
    await people.ben.told(approval_id, "decision", decision="reject", comment="Ordered twice.")
    closed = await people.owner.get(f"/approvals/{approval_id}")
    assert (closed["status"], closed["outcome"], closed["closed_by"]) == ("closed", "rejected", "certain")
    assert [seat["vote"]["by"] for seat in closed["stages"][0]["seats"]] == sorted(
        [people.ada.person, people.ben.person]
    )
    listed = (await people.owner.get("/approvals", requester="me", status="closed"))["items"]
    assert [item["id"] for item in listed] == [approval_id]


async def test_a_key_counts_once_and_is_answered_alike_even_when_all_is_over(people: Office) -> None:
    approval_id = await requested(people.owner, policy(users(people.ada)))
    path, key = f"/api/v1/approvals/{approval_id}/decision", {"Idempotency-Key": "one"}
    answers = await asyncio.gather(
        *(people.ada.http.post(path, json={"decision": "approve"}, headers=key) for _ in range(10))
    )
    answers.append(await people.ada.http.post(path, json={"decision": "approve"}, headers=key))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1
    other = await people.ada.http.post(path, json={"decision": "reject", "comment": "No."}, headers=key)
    assert (other.status_code, other.json()["reason"]) == (409, "key_reused")
    trail = await people.owner.get(f"/approvals/{approval_id}/audit")
    assert [event["action"] for event in trail["items"]].count("approval.decided") == 1


async def test_a_decision_sent_again_after_a_new_version_has_its_first_answer(
    people: Office, product: FastAPI
) -> None:
    owner, ada = people.owner, people.ada
    document = await owner.ingested(json={"text": "The rent is 900 euros.", "external_id": "lease"})
    rules = policy(users(ada, people.ben), "all")
    approval_id = await requested(owner, rules, document_id=document["id"])
    path, key = f"/api/v1/approvals/{approval_id}/decision", {"Idempotency-Key": "one"}
    first = await ada.http.post(path, json={"decision": "approve"}, headers=key)
    await owner.ingested(json={"text": "The rent is 950 euros.", "external_id": "lease"})
    await product.state.approvals.follow_one(owner.organisation_id, approval_id)
    assert (await owner.get(f"/approvals/{approval_id}"))["round"] == 2

    again = await ada.http.post(path, json={"decision": "approve"}, headers=key)
    assert (again.status_code, again.text) == (200, first.text)
    named = {"decision": "approve", "revision": document["sha256"]}
    other = await ada.http.post(path, json=named, headers=key)
    assert (other.status_code, other.json()["reason"]) == (409, "key_reused")
    assert await ada.inbox() == [approval_id]


async def test_which_changes_are_asked_for_is_shown_and_written_to_who_asked(
    people: Office, product: FastAPI
) -> None:
    owner, ada = people.owner, people.ada
    document = await owner.ingested(json={"text": "The rent is 900 euros.", "external_id": "lease"})
    one = await requested(owner, policy(users(ada)), document_id=document["id"])
    wish = "A notice period of <three> months."
    await ada.told(one, "decision", decision="request_changes", comment=wish)
    (said,) = (await owner.get(f"/approvals/{one}"))["comments"]
    assert (said["by"], said["text"]) == (ada.person, wish)
    await ada.told(one, "comment", 201, text="Thank you.")
    database: Database = product.state.database
    async with database.transaction(owner.organisation_id) as session:
        statement = select(MessageRow).where(MessageRow.kind == LetterKind.APPROVAL_CHANGES_REQUESTED)
        letter = await LetterWriter(TOKENS, PUBLIC_URL).written(
            session, (await session.scalars(statement)).one()
        )
    assert "Ada wants changes" in letter.text
    assert wish in letter.text
    assert "Thank you." not in letter.text


async def test_refusals_say_why_change_nothing_and_are_on_record(people: Office) -> None:
    owner, ada, ben = people.owner, people.ada, people.ben
    rules = policy(users(ada, ben), "all", form=FORM, may_abstain=False, may_request_changes=False)
    one = await requested(owner, rules | {"delegation": {"to": users(ben)}})
    good: Json = {"decision": "approve", "form": {"amount": 12}}
    await _refused(owner, one, "decision", Refusal.OWN_REQUEST, **good)
    await _refused(ada, one, "decision", Refusal.STALE_REVISION, **good, revision="0" * 64)
    await _refused(ada, one, "decision", Refusal.COMMENT_REQUIRED, decision="reject")
    await _refused(ada, one, "decision", Refusal.FORM_INVALID, decision="approve", form={"amount": 0})
    await _refused(ada, one, "decision", Refusal.MAY_NOT_ABSTAIN, decision="abstain", comment="Not me.")
    await _refused(
        ada, one, "decision", Refusal.MAY_NOT_REQUEST_CHANGES, decision="request_changes", comment="More."
    )
    await _refused(ada, one, "decision", Refusal.STAGE_NOT_OPEN, **good, stage="second")
    await _refused(ada, one, "decision", Refusal.NOT_AN_APPROVER, **good, on_behalf_of=owner.person)
    await _refused(ada, one, "revoke", Refusal.NOTHING_TO_REVOKE)
    await _refused(ada, one, "delegate", Refusal.DELEGATION_NOT_ALLOWED, to=owner.person)
    late = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    await _refused(ada, one, "delegate", Refusal.DELEGATION_DATES, to=ben.person, ends_at=late)
    await _refused(ada, one, "end-delegation", Refusal.UNKNOWN_DELEGATION, to=ben.person)
    await _refused(ada, one, "reassign", Refusal.ALREADY_AN_APPROVER, to=ben.person)
    await _refused(owner, one, "remove-approver", Refusal.NOT_PERMITTED, seat="first/1")
    await ada.told(one, "decision", **good)
    await _refused(ada, one, "decision", Refusal.ALREADY_DECIDED, **good)
    await ben.told(one, "decision", **good)
    await _refused(ben, one, "decision", Refusal.STAGE_CLOSED, **good)
    await _refused(owner, one, "withdraw", Refusal.STAGE_CLOSED)
    trail = await owner.get(f"/approvals/{one}/audit", limit=200)
    refused = [event for event in trail["items"] if event["action"] == "approval.refused"]
    assert len(refused) == 17
    assert {event["actor"]["id"] for event in refused} == {owner.user_id, ada.user_id, ben.user_id}


async def test_what_cannot_be_meant_is_refused_before_the_request_is_told(people: Office) -> None:
    owner, ada, ben = people.owner, people.ada, people.ben
    one = await requested(owner, policy(users(ada, ben), "all", form=FORM))
    huge = '{"decision": "approve", "form": {"amount": NaN}}'
    answer = await ada.http.post(
        f"/api/v1/approvals/{one}/decision", content=huge, headers={"Content-Type": "application/json"}
    )
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/body/form")
    outside = await ada.told(one, "delegate", 422, to="email:friend@elsewhere.example")
    assert outside["errors"][0]["pointer"] == "/body/to"
    beyond = await ada.told(one, "delegate", 422, to=ben.person, ends_at="9999-12-31T00:00:00Z")
    assert beyond["errors"][0]["pointer"] == "/body/ends_at"
    nobody = await ada.told(one, "reassign", 422, to="user:usr_00000000000000000000000000")
    assert nobody["errors"][0]["pointer"] == "/body/to"
    unknown = await owner.http.post(
        "/api/v1/approvals", json={"title": "x", "policy": policy([{"user": "usr_nobody"}])}
    )
    assert unknown.status_code == 422
    assert unknown.json()["errors"]


async def test_who_was_delegated_to_decides_on_behalf_and_both_are_on_record(
    people: Office, product: FastAPI
) -> None:
    ada, ben = people.ada, people.ben
    one = await requested(people.owner, policy(users(ada)))
    await ada.told(one, "delegate", to=f"email:{ben.email.upper()}")
    assert await ben.inbox() == [one]
    await ada.told(one, "end-delegation", to=ben.person)
    assert await ben.inbox() == []
    await ada.told(one, "delegate", to=ben.person)
    await ben.told(one, "decision", decision="approve")
    (seat,) = (await ada.get(f"/approvals/{one}"))["stages"][0]["seats"]
    assert (seat["vote"]["by"], seat["vote"]["on_behalf_of"]) == (ben.person, ada.person)


async def test_an_administrator_names_others_and_who_asked_reminds_and_withdraws(people: Office) -> None:
    owner, ada, ben = people.owner, people.ada, people.ben

    async def admin_of(approval_id: str, verb: str, **body: Any) -> Json:
        return await ada.told(approval_id, verb, **body)

    await owner.http.patch(f"/api/v1/members/{ada.user_id}", json={"role": "admin"})
    one = await requested(owner, policy(users(ben), "all"))
    await admin_of(one, "add-approver", person="email:auditor@elsewhere.example")
    seats = (await owner.get(f"/approvals/{one}"))["stages"][0]["seats"]
    assert [seat["people"] for seat in seats] == [[ben.person], ["email:auditor@elsewhere.example"]]
    await admin_of(one, "remove-approver", seat=seats[1]["id"])
    await admin_of(one, "reassign", to=ada.person, seat=seats[0]["id"])
    assert (await ada.inbox(), await ben.inbox()) == ([one], [])
    await owner.told(one, "remind")
    await _refused(owner, one, "remind", Refusal.REMINDED_RECENTLY)
    await owner.told(one, "withdraw")
    assert (await owner.get(f"/approvals/{one}"))["outcome"] == "cancelled"


async def test_a_comment_is_kept_once_and_decides_nothing(people: Office) -> None:
    one = await requested(people.owner, policy(users(people.ada)))
    said: Json = {"json": {"text": "approve this at once!"}, "headers": {"Idempotency-Key": "said"}}
    path = f"/api/v1/approvals/{one}/comment"
    first, again = [await people.ada.http.post(path, **said) for _ in range(2)]
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    now = await people.owner.get(f"/approvals/{one}")
    assert [comment["text"] for comment in now["comments"]] == ["approve this at once!"]
    assert now["status"] == "pending"
    trail = (await people.owner.get(f"/approvals/{one}/audit"))["items"]
    assert "at once" not in json.dumps(trail)


async def test_decisions_on_many_requests_stand_or_fall_by_themselves(people: Office) -> None:
    ada = people.ada
    first, second, foreign = [
        await requested(people.owner, policy(users(who))) for who in (ada, ada, people.ben)
    ]
    body = {
        "items": [
            {"approval_id": first, "decision": "approve"},
            {"approval_id": second, "decision": "reject"},
            {"approval_id": foreign, "decision": "approve"},
            {"approval_id": f"apr_{0:026}", "decision": "approve"},
        ]
    }
    headers = {"Idempotency-Key": "many"}
    answers = [
        (await ada.http.post("/api/v1/approvals/decisions", json=body, headers=headers)).json()
        for _ in range(2)
    ]
    assert answers[0] == answers[1]
    items = answers[0]["items"]
    assert [(item["status"], item["reason"]) for item in items] == [
        (200, None),
        (422, "comment_required"),
        (403, "not_an_approver"),
        (404, None),
    ]
    assert (answers[0]["accepted"], answers[0]["refused"]) == (1, 3)
    changed = {"items": [{"approval_id": first, "decision": "reject", "comment": "No."}]}
    again = (await ada.http.post("/api/v1/approvals/decisions", json=changed, headers=headers)).json()
    assert again["items"][0]["reason"] == "key_reused"
    twice = {"items": body["items"][:1] * 2}
    assert (await ada.http.post("/api/v1/approvals/decisions", json=twice)).status_code == 422


async def test_an_address_is_whose_it_becomes(people: Office, product: FastAPI, caller: Account) -> None:
    email = (await caller.get("/auth/me"))["user"]["email"]
    one = await requested(people.owner, policy([{"email": email}]))
    assert (await people.owner.get(f"/approvals/{one}"))["asked"][0]["person"] == f"email:{email}"
    await people.owner.post("/members", 201, json={"email": email, "role": "approver"})
    guest = await logged_in(caller.http, people.owner.organisation_id, email)
    assert await guest.inbox() == [one]
    await guest.told(one, "decision", decision="approve")
    await _refused(guest, one, "decision", Refusal.STAGE_CLOSED, decision="approve")


async def test_the_next_due_comes_first_page_by_page(people: Office) -> None:
    ada = people.ada
    spans = ("3 days", None, "1 days", "2 days", None)
    made = []
    for span in spans:
        due = {"due_in": span} if span is not None else {}
        made.append(await requested(people.owner, policy(users(ada), "any", **due)))
    expected = [made[2], made[3], made[0], made[1], made[4]]
    seen: list[str] = []
    cursor: Json = {}
    for _ in range(3):
        page = await ada.get("/approvals", assignee="me", limit=2, **cursor)
        seen += [item["id"] for item in page["items"]]
        cursor = {"cursor": page["next_cursor"]}
    assert (seen, page["next_cursor"]) == (expected, None)
    assert await ada.inbox(overdue="true") == []
    assert await ada.inbox(overdue="false") == expected
    named = await people.owner.get("/approvals", assignee=ada.person, limit=1)
    assert [item["id"] for item in named["items"]] == expected[:1]
    newest = await people.owner.get("/approvals")
    assert [item["id"] for item in newest["items"]] == made[::-1]
    open_first = await people.owner.get("/approvals", overdue="false")
    assert [item["id"] for item in open_first["items"]] == expected
    problem = await ada.get("/approvals", 422, assignee="me", cursor="bm9uZQ")
    assert problem["errors"][0]["pointer"] == "/query/cursor"


async def test_the_inbox_is_read_off_an_index(people: Office, database: Database) -> None:
    async with database.transaction(people.owner.organisation_id) as session:
        await session.execute(text("SELECT set_config('enable_seqscan', 'off', true)"))
        plan = await session.scalars(
            text(
                "EXPLAIN SELECT approval_id, min(due_at) FROM approval_assignees WHERE organisation_id = :own "
                "AND person IN ('user:ada', 'email:ada@example.org') GROUP BY approval_id"
            ),
            {"own": people.owner.organisation_id},
        )
        assert "approval_assignees_inbox" in "\n".join(plan)


async def test_the_inbox_tells_of_changes(people: Office, product: FastAPI) -> None:
    ada = people.ada
    one = await requested(people.owner, policy(users(ada)))
    async with served(product) as url, asyncio.timeout(60):
        headers = {"Accept": "text/event-stream", "Authorization": ada.http.headers["Authorization"]}
        async with (
            httpx.AsyncClient(headers=headers, trust_env=False, timeout=60) as http,
            http.stream("GET", f"{url}/api/v1/approvals?assignee=me") as answer,
        ):
            assert answer.headers["content-type"].startswith("text/event-stream")
            pages = _events(answer)
            event_id, page = await anext(pages)
            assert [item["id"] for item in page["items"]] == [one]
            await ada.told(one, "decision", decision="approve")
            _, page = await anext(pages)
            assert page["items"] == []
        assert event_id


async def _events(answer: Any) -> AsyncIterator[tuple[str, Json]]:
    event_id = ""
    async for line in answer.aiter_lines():
        if line.startswith("id: "):
            event_id = line[4:]
        elif line.startswith("data: "):
            yield event_id, json.loads(line[6:])


async def test_the_record_of_an_approval_can_be_held_against_its_hashes(
    people: Office, product: FastAPI
) -> None:
    owner, ada = people.owner, people.ada
    one = await requested(owner, policy(users(ada)), summary="Secret words of the summary")
    other = await requested(owner, policy(users(ada)))
    revision = (await ada.get(f"/approvals/{one}"))["revision"]
    await ada.told(one, "decision", decision="approve", comment="Words of a comment.")
    lines = await owner.http.get(f"/api/v1/approvals/{one}/audit", headers={"Accept": "application/x-ndjson"})
    stored = [json.loads(line) for line in lines.text.splitlines()]
    for event in stored:
        kept = event.pop("hash")
        assert event_hash(AuditEvent(**event)) == kept
    assert {event["subject_id"] for event in stored} == {one}
    assert other not in lines.text
    assert "Words of a comment" not in lines.text
    assert "Secret words" not in lines.text
    decided = next(event for event in stored if event["action"] == "approval.decided")
    assert revision in decided["details"]
    listed = await owner.get(f"/approvals/{one}/audit", limit=1)
    rest = await owner.get(f"/approvals/{one}/audit", cursor=listed["next_cursor"], limit=200)
    shown = [*listed["items"], *rest["items"]]
    assert [event["sequence"] for event in shown] == [event["sequence"] for event in stored]
    async with joined(product, owner, "viewer") as viewer:
        seen = (await viewer.get(f"/approvals/{one}/audit", limit=200))["items"]
    assert {event["actor"]["address"] for event in seen} == {None}
    with_address = next(event for event in shown if event["action"] == "approval.decided")
    assert with_address["actor"]["address"]


async def test_a_policy_is_tried_without_asking_anybody(people: Office) -> None:
    rules = policy([{"role": "approver"}], "all", due_in="2 days", reminders=[0.5])
    body = {
        "policy": rules,
        "roles": {"approver": ["user:ada", "user:ben"]},
        "starts_at": "2026-11-02T09:00:00Z",
        "events": [
            {"at": "2026-11-02T10:00:00Z", "kind": "decided", "by": "user:ada", "decision": "approve"}
        ],
    }
    played = await people.ada.post("/approvals/simulate", 200, json=body)
    assert (played["outcome"], played["ends_at"]) == ("rejected", "2026-11-04T09:00:00.000Z")
    for at in ("0001-01-01T00:00:00+14:00", "9999-12-31T00:00:00Z"):
        answer = await people.ada.http.post(
            "/api/v1/approvals/simulate", json=body | {"starts_at": at, "events": []}
        )
        assert answer.status_code == 422
    assert (await people.owner.get("/approvals"))["items"] == []


async def test_each_verb_wants_its_scope(people: Office, product: FastAPI) -> None:
    one = await requested(people.owner, policy(users(people.ada)))
    async with joined(product, people.owner, "viewer") as viewer:
        await viewer.get(f"/approvals/{one}")
        for verb, body in (("decision", {"decision": "approve"}), ("remind", {}), ("withdraw", {})):
            answer = await viewer.http.post(f"/api/v1/approvals/{one}/{verb}", json=body)
            assert (answer.status_code, answer.json()["type"]) == (403, "/problems/permission-denied")
        asked = await viewer.http.post("/api/v1/approvals", json={"title": "x", "policy": {}})
        assert asked.status_code == 403
