"""Erasure on the real servers: rows, vectors, objects and histories go, others' stay, and a receipt remains."""

import asyncio
import io
import json
import secrets
import zipfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text
from temporalio.client import Client
from temporalio.converter import WorkflowSerializationContext
from temporalio.service import RPCError, RPCStatusCode

from perdure.audit_verification import verify_trail
from perdure.db.models import Row
from perdure.db.personal_data import PLANS, Fate
from perdure.db.session import Database
from perdure.domain.payload_keys import payload_folder
from perdure.embedded import postgres
from perdure.ports.storage import ObjectStore
from tests.accounts import PASSWORD, Account, registered

# Where ids of what was erased may stand afterwards.
EVIDENCE = {"audit_events", "audit_heads", "erasures"}


@pytest.fixture
async def superuser(embedded_postgres: postgres.EmbeddedPostgres) -> AsyncIterator[Database]:
    database = Database(embedded_postgres.url("postgres"), 2)
    yield database
    await database.aclose()


@pytest.fixture
def objects(product: FastAPI) -> ObjectStore:
    store: ObjectStore = product.state.objects
    return store


@dataclass(frozen=True)
class Person:
    """A member of somebody else's organisation."""

    account: Account
    user_id: str
    email: str


@asynccontextmanager
async def member_of(product: FastAPI, owner: Account, role: str = "member") -> AsyncIterator[Person]:
    """Somebody with no organisation but the owner's."""
    async with registered(product) as own:
        me = (await own.get("/auth/me"))["user"]
        await owner.post("/members", 201, json={"email": me["email"], "role": role})
        async with product.state.database.transaction(own.organisation_id) as session:
            await session.execute(
                text("DELETE FROM organisations WHERE id = :id"), {"id": own.organisation_id}
            )
        body = {"email": me["email"], "password": PASSWORD, "organisation_id": owner.organisation_id}
        grant = (await own.http.post("/api/v1/auth/login", json=body)).json()
        own.http.headers["Authorization"] = f"Bearer {grant['access_token']}"
        yield Person(Account(own.http, owner.organisation_id), me["id"], me["email"])


def archive(*names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name in names:
            file.writestr(f"{name}.txt", f"What the archive says of {name}.")
    return buffer.getvalue()


async def fill(account: Account, word: str) -> dict[str, Any]:
    """Documents, a batch, a failure, a key: one of each way in which something of somebody comes to be."""
    document = await account.ingested(json={"text": f"The {word} needs oil in March.", "title": word})
    uploaded = await account.ingested(files={"file": (f"{word}.txt", f"A file about the {word}.".encode())})
    batch = await account.post(
        "/documents/batch", files={"file": ("a.zip", archive(f"{word}-one", f"{word}-two"))}
    )
    await account.ended(batch)
    failed = await account.ended(await account.post("/documents", json={"url": "http://127.0.0.1:9/x"}))
    return {"document": document, "uploaded": uploaded, "batch": batch, "failed": failed}


async def where_mentioned(superuser: Database, needle: str) -> dict[str, int]:
    """Tables in which a string stands, in whatever column, with the number of rows."""
    found = {}
    async with superuser.transaction(None) as session:
        for table in Row.metadata.tables:
            statement = text(f"SELECT count(*) FROM {table} t WHERE t::text LIKE '%' || :needle || '%'")
            count = (await session.execute(statement, {"needle": needle})).scalar_one()
            if count:
                found[table] = count
    return found


async def keys_of(objects: ObjectStore, prefix: str) -> set[str]:
    return {key async for key in objects.list(prefix)}


async def histories_of(temporal: Client, organisation_id: str) -> set[str]:
    return {
        execution.id
        async for execution in temporal.list_workflows(f'PerdureOrg = "{organisation_id}"', page_size=200)
    }


async def is_gone(temporal: Client, workflow_id: str) -> bool:
    try:
        await temporal.get_workflow_handle(workflow_id).describe()
    except RPCError as error:
        return error.status is RPCStatusCode.NOT_FOUND
    return False


async def finds(account: Account, words: str) -> list[str]:
    found = await account.post("/search", 200, json={"query": words})
    return [item["text"] for item in found["items"]]


async def receipt_of(http: httpx.AsyncClient, url: str, timeout_s: float = 60.0) -> dict[str, Any]:
    """The receipt once the erasure is over, asked for by somebody who is not logged in."""
    async with asyncio.timeout(timeout_s):
        while True:
            answer = await http.get(url, headers={"Authorization": ""})
            assert answer.status_code == 200, answer.text
            receipt: dict[str, Any] = answer.json()
            if receipt["status"] == "completed":
                return receipt
            await asyncio.sleep(0.05)


def test_every_table_has_a_plan_and_what_is_kept_a_reason() -> None:
    assert set(PLANS) == set(Row.metadata.tables), (
        "say in perdure/db/personal_data.py what becomes of a new table"
    )
    for name, plan in PLANS.items():
        if Fate.KEPT in {plan.with_organisation, plan.with_person}:
            assert plan.reason, name
        if plan.with_person is not Fate.KEPT:
            assert plan.of_person, name
        assert (plan.link is not None) == (plan.with_person is Fate.ANONYMISED), name


def test_a_plan_names_every_column_that_refers_to_a_user() -> None:
    """Who refers to users, by foreign key or by name, must say which rows are a person's."""
    for table in Row.metadata.tables.values():
        refers = [
            column.name
            for column in table.columns
            if column.name in {"user_id", "created_by", "actor_id", "person_id"}
            or any(key.column.table.name == "users" for key in column.foreign_keys)
        ]
        for column in refers:
            assert column in (PLANS[table.name].of_person or ""), f"{table.name}.{column}"


async def test_a_person_is_erased_and_nobody_else(
    product: FastAPI,
    caller: Account,
    superuser: Database,
    objects: ObjectStore,
    temporal: Client,
) -> None:
    async with member_of(product, caller, "admin") as person:
        kept = await fill(caller, "pump")
        gone = await fill(person.account, "valve")
        key = await person.account.post(
            "/api-keys",
            201,
            json={"name": "k", "scopes": ["documents:write", "documents:read", "operations:read"]},
        )
        bearer = {"Authorization": f"Bearer {key['key']}"}
        by_key = await caller.http.post(
            "/api/v1/documents", json={"text": "By the key of the valve."}, headers=bearer
        )
        await caller.ended(by_key.json())
        secret = {"name": "provider", "kind": "provider_key", "value": "not-a-real-key-but-long-enough"}
        made = await person.account.post("/secrets", 201, json=secret)
        # Each added a version to a document of the other.
        shared = await caller.ingested(json={"text": "First by the owner.", "external_id": "shared"})
        await person.account.ingested(json={"text": "Then by the valve person.", "external_id": "theirs"})
        overtaken = await person.account.ingested(
            json={"text": "Old words of the valve.", "external_id": "mixed"}
        )
        await caller.ingested(json={"text": "New words of the owner.", "external_id": "mixed"})
        before = await keys_of(objects, caller.organisation_id)
        running = await person.account.post(
            "/documents/batch", json={"items": [{"text": f"Valve {n}. " * 60} for n in range(300)]}
        )
        await caller.post(f"/operations/{running['id']}/pause")

        started = await caller.post(f"/users/{person.user_id}/erasure")
        assert started["kind"] == "delete_user_data"
        ended = await caller.ended(started)
        assert ended["status"] == "completed", ended["error"]
        report = ended["result"]["report"]

        # What the report says, and what is true.
        assert report["gone"]["rows"]["documents"] >= 6
        assert report["gone"]["rows"]["chunk_embeddings"] == report["gone"]["rows"]["chunks"] >= 6
        assert report["gone"]["rows"]["users"] == report["gone"]["rows"]["memberships"] == 1
        assert report["gone"]["anonymised"] == {"organisation_secrets": 1}
        assert report["gone"]["histories"] >= 7
        assert report["gone"]["objects"]["originals"] >= 6
        kept_tables = {each["what"] for each in report["kept"]}
        assert {"audit_events", "spaces", "organisation_secrets"} <= kept_tables
        for needle in (person.user_id, person.email, key["id"]):
            left = await where_mentioned(superuser, needle)
            # The erasure's own operation names its subject, until operations of its age go.
            assert set(left) - EVIDENCE <= {"operations", "operation_events"}, (needle, left)
            assert left.get("operations", 0) <= 1

        # Vectors and passages.
        assert not any("valve" in passage.lower() for passage in await finds(caller, "valve"))
        assert any("pump" in passage for passage in await finds(caller, "pump oil"))
        for document in (gone["document"], gone["uploaded"]):
            await caller.get(f"/documents/{document['id']}", 404)
        for document in (kept["document"], kept["uploaded"], shared):
            await caller.get(f"/documents/{document['id']}")
        # A document that somebody else went on with stays theirs; the person's version of it is gone.
        mixed = (await caller.get("/documents", external_id="mixed"))["items"]
        assert [document["id"] for document in mixed] == [overtaken["id"]]
        versions = (await caller.get(f"/documents/{overtaken['id']}/versions"))["items"]
        assert [version["version"] for version in versions] == [2]
        assert "New words of the owner." in await finds(caller, "new words")

        # Objects and histories.
        after = await keys_of(objects, caller.organisation_id)
        assert after < before
        stored = b"".join([await objects.get(key) for key in sorted(after)])
        assert b"valve" not in stored.lower()
        assert b"pump" in stored
        for operation in (gone["batch"], gone["failed"], running, by_key.json()):
            assert await is_gone(temporal, operation["id"])
        assert not await is_gone(temporal, kept["batch"]["id"])

        # Access.
        assert (await person.account.http.get("/api/v1/auth/me")).status_code == 401
        again = {"email": person.email, "password": PASSWORD}
        assert (await person.account.http.post("/api/v1/auth/login", json=again)).status_code == 401
        secrets = (await caller.get("/secrets"))["items"]
        assert [(each["id"], each["created_by"]) for each in secrets] == [(made["id"], None)]

        receipt = await receipt_of(person.account.http, started["receipt_url"])
        assert (receipt["verified"], receipt["subject"]) == (True, {"type": "user", "id": person.user_id})
        assert receipt["report"] == report

        # The trail stands, and does not tell any more where the person was.
        verdict = await verify_trail(
            product.state.database.transaction, product.state.audit_anchors, caller.organisation_id
        )
        assert verdict.is_sound
        events = (await caller.get("/audit", actor=person.user_id, limit=200))["items"]
        assert events
        assert {event["actor"]["address"] for event in events} == {None}
        (completed,) = (await caller.get("/audit", action="data.erasure_completed"))["items"]
        assert completed["details"]["operation_id"] == started["id"]

        # A second run finds nothing.
        second = await caller.ended(await caller.post(f"/users/{person.user_id}/erasure"))
        assert second["status"] == "completed"
        assert second["result"]["report"]["gone"] == {
            "rows": {},
            "objects": {},
            "histories": 0,
            "anonymised": {},
        }


async def test_an_account_in_another_organisation_stays(
    product: FastAPI, caller: Account, superuser: Database
) -> None:
    async with registered(product) as own:
        me = (await own.get("/auth/me"))["user"]
        await own.ingested(json={"text": "At home."})
        await caller.post("/members", 201, json={"email": me["email"], "role": "member"})
        ended = await caller.ended(await caller.post(f"/users/{me['id']}/erasure"))
        assert ended["result"]["report"]["gone"]["rows"] == {"memberships": 1, **_of_the_log(ended)}
        assert (await own.get("/auth/me"))["user"]["id"] == me["id"]
        assert len((await own.get("/documents"))["items"]) == 1
        left = await where_mentioned(superuser, me["id"])
        assert left["users"] == 1


def _of_the_log(ended: dict[str, Any]) -> dict[str, int]:
    """Answers kept under an idempotency key, which name the member that was added."""
    rows = ended["result"]["report"]["gone"]["rows"]
    return {name: rows[name] for name in rows if name in {"idempotency_keys", "audit_person_keys"}}


async def test_people_erase_themselves(product: FastAPI, caller: Account, superuser: Database) -> None:
    async with member_of(product, caller, "viewer") as person:
        started = await person.account.post(f"/users/{person.user_id}/erasure")
        receipt = await receipt_of(person.account.http, started["receipt_url"])
        assert receipt["verified"]
        assert set(await where_mentioned(superuser, person.email)) == set()
        answer = await person.account.http.get("/api/v1/auth/me")
        assert answer.status_code == 401


async def test_who_may_not_erase(product: FastAPI, caller: Account, stranger: Account) -> None:
    me = (await caller.get("/auth/me"))["user"]["id"]
    async with member_of(product, caller, "admin") as admin:
        other = (await admin.account.http.post(f"/api/v1/users/{me}/erasure")).json()
        assert (other["status"], "owner" in other["detail"]) == (403, True)
        refused = await admin.account.http.post("/api/v1/organisation/erasure", json={"confirm": "x"})
        assert refused.status_code == 403
    assert "last owner" in (await caller.post(f"/users/{me}/erasure", 409))["detail"]
    await stranger.post(f"/users/{me}/erasure", 404)
    problem = await caller.post("/organisation/erasure", 422, json={"confirm": "Something else"})
    assert problem["errors"][0]["pointer"] == "/body/confirm"
    key = await caller.post("/api-keys", 201, json={"name": "k", "scopes": ["documents:write"]})
    bearer = {"Authorization": f"Bearer {key['key']}"}
    assert (await caller.http.post(f"/api/v1/users/{me}/erasure", headers=bearer)).status_code == 403


async def test_an_organisation_is_erased_and_its_neighbour_is_not(
    product: FastAPI,
    caller: Account,
    stranger: Account,
    superuser: Database,
    objects: ObjectStore,
    temporal: Client,
) -> None:
    await fill(caller, "pump")
    neighbour = await stranger.ingested(json={"text": "The neighbour's own words."})
    me = (await caller.get("/auth/me"))["user"]
    them = (await stranger.get("/auth/me"))["user"]
    await caller.post("/members", 201, json={"email": them["email"], "role": "viewer"})
    await objects.put(f"{caller.organisation_id}/inbox/own.txt", b"put there by hand")
    running = await caller.post(
        "/documents/batch", json={"items": [{"text": f"Slow {n}. " * 60} for n in range(300)]}
    )
    # A payload that is too large for Temporal lies beside the objects of the organisation.
    context = WorkflowSerializationContext(namespace="default", workflow_id=running["workflow_id"])
    await temporal.data_converter.with_context(context).encode([secrets.token_hex(300_000)])
    outside = payload_folder(running["workflow_id"])
    assert len(await keys_of(objects, outside)) == 1
    name = (await caller.get("/organisation"))["name"]
    started = await caller.post("/organisation/erasure", json={"confirm": name})
    receipt = await receipt_of(stranger.http, started["receipt_url"])

    assert (receipt["verified"], receipt["subject"]["type"]) == (True, "organisation")
    gone = receipt["report"]["gone"]
    assert gone["rows"]["memberships"] == 2
    assert gone["rows"]["users"] == 1
    assert gone["rows"]["documents"] >= 4
    assert gone["objects"]["inbox"] == 1
    assert gone["histories"] >= 5
    assert set(await where_mentioned(superuser, caller.organisation_id)) <= EVIDENCE
    assert set(await where_mentioned(superuser, me["id"])) <= EVIDENCE
    assert set(await where_mentioned(superuser, me["email"])) == set()
    assert await keys_of(objects, caller.organisation_id) == set()
    assert await keys_of(objects, outside) == set()
    assert await is_gone(temporal, running["id"])
    assert await histories_of(temporal, caller.organisation_id) <= {started["id"]}
    assert (await caller.http.get("/api/v1/auth/me")).status_code == 401
    # The neighbour has lost a membership, and nothing else.
    assert (await stranger.get(f"/documents/{neighbour['id']}"))["status"] == "indexed"
    assert (await stranger.get("/auth/me"))["user"]["id"] == them["id"]
    assert "The neighbour's own words." in await finds(stranger, "own words")
    # The trail outlives the organisation, is sound, and ends with the receipt.
    database: Database = product.state.database
    verdict = await verify_trail(database.transaction, product.state.audit_anchors, caller.organisation_id)
    assert verdict.is_sound
    async with database.transaction(caller.organisation_id) as session:
        last = await session.execute(
            text("SELECT action, details, actor_id FROM audit_events ORDER BY sequence DESC LIMIT 1")
        )
        row = last.one()
    assert (row.action, row.actor_id) == ("data.erasure_completed", started["id"])
    assert json.loads(row.details)["operation_id"] == started["id"]


async def test_a_receipt_cannot_be_changed_or_removed(
    product: FastAPI, caller: Account, superuser: Database
) -> None:
    async with member_of(product, caller) as person:
        started = await caller.post(f"/users/{person.user_id}/erasure")
        await receipt_of(caller.http, started["receipt_url"])
    for statement in (
        "UPDATE erasures SET receipt = '{}' WHERE operation_id = :id",
        "DELETE FROM erasures WHERE operation_id = :id",
    ):
        with pytest.raises(Exception, match=r"permission denied|its receipt stays"):  # what ends it is inside
            async with product.state.database.transaction(caller.organisation_id) as session:
                await session.execute(text(statement), {"id": started["id"]})
    async with superuser.transaction(None) as session:
        await session.execute(text("SET LOCAL session_replication_role = replica"))
        await session.execute(
            text(
                "UPDATE erasures SET receipt = jsonb_set(receipt, '{report,gone,histories}', '99') "
                "WHERE operation_id = :id"
            ),
            {"id": started["id"]},
        )
    forged = (await caller.http.get(started["receipt_url"])).json()
    assert (forged["report"]["gone"]["histories"], forged["verified"]) == (99, False)
    assert (await caller.http.get("/api/v1/erasures/not-a-token")).status_code == 404
