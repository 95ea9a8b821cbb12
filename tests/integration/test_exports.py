"""Exports on the real servers: everything of whoever asks, nothing of anybody else, and gone when its time is over."""

import hashlib
import io
import json
import zipfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from fastapi import FastAPI
from sqlalchemy import text

from perdure.db.erasure_repository import Scope
from perdure.db.export_repository import ExportedRows, exported_tables
from perdure.db.login_repository import LoginRepository
from perdure.db.personal_data import PLANS
from perdure.db.quota_repository import QuotaRepository
from perdure.db.session import Database
from perdure.domain.quotas import Quota
from perdure.domain.tokens import SESSION_LIFETIME
from perdure.ports.storage import ObjectStore
from tests.accounts import PASSWORD, Account, registered

SECRET_VALUE = "sk-proj-0123456789abcdef-WXYZ"  # made up


@dataclass(frozen=True)
class Archive:
    """A downloaded archive."""

    data: bytes
    manifest: dict[str, Any]
    files: dict[str, bytes]

    def rows(self, table: str) -> list[dict[str, Any]]:
        content = self.files[f"data/{table}.jsonl"]
        return [json.loads(line) for line in content.splitlines()]

    def text(self) -> bytes:
        """Everything that stands in it, unpacked."""
        return b"\n".join(self.files.values())


async def exported(account: Account, path: str) -> tuple[dict[str, Any], Archive]:
    """Ask for an export, wait for its end, and download it; the operation and the archive."""
    operation = await account.ended(await account.post(path))
    assert operation["status"] == "completed", operation["error"]
    archive = await downloaded(account, operation["id"])
    assert hashlib.sha256(archive.data).hexdigest() == operation["result"]["sha256"]
    assert len(archive.data) == operation["result"]["size_bytes"]
    return operation, archive


async def downloaded(account: Account, export_id: str) -> Archive:
    link = await account.get(f"/exports/{export_id}/content")
    answer = await account.http.get(link["url"], headers={"Authorization": ""})
    assert answer.status_code == 200
    with zipfile.ZipFile(io.BytesIO(answer.content)) as file:
        assert file.testzip() is None
        files = {name: file.read(name) for name in file.namelist()}
    return Archive(answer.content, json.loads(files["manifest.json"]), files)


def assert_as_the_manifest_says(archive: Archive) -> None:
    manifest = archive.manifest
    described = {each["path"]: each for each in manifest["tables"].values()}
    index = manifest["files"]["index"]
    described[index["path"]] = index
    listed = [json.loads(line) for line in archive.files["files.jsonl"].splitlines()]
    assert len(listed) == manifest["files"]["count"]
    described |= {each["path"]: each for each in listed}
    for path, each in described.items():
        content = archive.files[path]
        assert (len(content), hashlib.sha256(content).hexdigest()) == (each["size_bytes"], each["sha256"])
    for each in manifest["tables"].values():
        assert archive.files[each["path"]].count(b"\n") == each["rows"]
    assert set(archive.files) == {"README.txt", "manifest.json", *described}


@asynccontextmanager
async def member_of(product: FastAPI, owner: Account, role: str) -> AsyncIterator[tuple[Account, str]]:
    """Somebody of the organisation, logged in there, with their id."""
    async with registered(product) as person:
        me = (await person.get("/auth/me"))["user"]
        await owner.post("/members", 201, json={"email": me["email"], "role": role})
        body = {"email": me["email"], "password": PASSWORD, "organisation_id": owner.organisation_id}
        grant = (await person.http.post("/api/v1/auth/login", json=body)).json()
        person.http.headers["Authorization"] = f"Bearer {grant['access_token']}"
        yield Account(person.http, owner.organisation_id), me["id"]


async def test_an_organisation_gets_everything_that_is_its_own(
    product: FastAPI, caller: Account, stranger: Account, database: Database
) -> None:
    await stranger.ingested(json={"text": "The words of the neighbour of Zanzibar."})
    written = await caller.ingested(json={"text": "# Pumps\n\nThey need oil in March.", "title": "Pumps"})
    await caller.ingested(files={"file": ("../plan.txt", b"A plan for the valves.")})
    await caller.ended(await caller.post("/documents", json={"url": "http://127.0.0.1:9/x"}))
    key = await caller.post("/api-keys", 201, json={"name": "k", "scopes": ["documents:read"]})
    await caller.post(
        "/secrets", 201, json={"name": "provider", "kind": "provider_key", "value": SECRET_VALUE}
    )
    objects: ObjectStore = product.state.objects
    await objects.put(f"{caller.organisation_id}/inbox/by-hand.bin", b"put there by hand")
    # The key of a session's row is what must not be told.
    me = (await caller.get("/auth/me"))["user"]
    async with database.transaction(None) as session:
        await LoginRepository(session).start_session(
            me["id"], caller.organisation_id, "hashed-cookie", "csrf-of-session", SESSION_LIFETIME
        )
    operation, archive = await exported(caller, "/organisation/export")
    assert_as_the_manifest_says(archive)
    manifest = archive.manifest
    assert manifest["subject"] == {"type": "organisation", "id": caller.organisation_id}

    # Every table that the plans do not leave out is there, with every row of the organisation.
    scope = Scope(caller.organisation_id, operation["id"], None, (), [me["id"]])
    assert set(manifest["tables"]) == {table.name for table in exported_tables(scope)}
    for table in exported_tables(scope):
        if table.name in {"audit_events", "operation_steps", "operation_events"}:
            continue  # they have grown since
        async with database.transaction(caller.organisation_id) as session:
            count = await ExportedRows(session, scope, product.state.keyring).count(table)
        assert manifest["tables"][table.name]["rows"] == count, table.name
    assert operation["result"]["rows"]["documents"] == 3
    assert {row["id"] for row in archive.rows("operations")}.isdisjoint({operation["id"]})
    assert [row["email"] for row in archive.rows("users")] == [me["email"]]
    assert "data.export_requested" in {row["action"] for row in archive.rows("audit_events")}
    assert {row["address"] for row in archive.rows("audit_events") if row["person_id"]} == {"127.0.0.1"}

    # Files: originals as they came, texts as they were read, and what nobody has a row for.
    assert archive.files["objects/inbox/by-hand.bin"] == b"put there by hand"
    original = [name for name in archive.files if name.endswith("/v1/plan.txt")]
    assert [archive.files[name] for name in original] == [b"A plan for the valves."]
    parsed = json.loads(archive.files[f"documents/{written['id']}/v1.text.json"])
    assert "They need oil in March." in parsed["text"]

    # What must not be in it.
    everything = archive.text()
    for hidden in (
        SECRET_VALUE,
        key["key"],
        stranger.organisation_id,
        "Zanzibar",
        "argon2",
        "hashed-cookie",
        "csrf-of-session",
    ):
        assert hidden.encode() not in everything, hidden
    for table in exported_tables(scope):
        for row in archive.rows(table.name):
            assert row.keys().isdisjoint(PLANS[table.name].secret_columns), table.name
    assert len(archive.rows("sessions")) == 1
    assert {"users.password_hash", "api_keys.key_hash", "organisation_secrets.sealed"} <= set(
        manifest["left_out"]
    )
    # What was only needed on the way is gone.
    kept = [key async for key in objects.list(f"{caller.organisation_id}/work")]
    assert kept == []


async def test_a_person_gets_their_own_and_nobody_elses(
    product: FastAPI, caller: Account, stranger: Account
) -> None:
    await caller.ingested(json={"text": "The owner writes of pumps."})
    async with member_of(product, caller, "member") as (person, user_id):
        mine = await person.ingested(json={"text": "The member writes of valves.", "title": "Valves"})
        operation, archive = await exported(person, f"/users/{user_id}/export")
        assert_as_the_manifest_says(archive)
        assert operation["subject"] == {"type": "user", "id": user_id}
        assert [row["id"] for row in archive.rows("documents")] == [mine["id"]]
        assert [row["user_id"] for row in archive.rows("memberships")] == [user_id]
        assert [row["id"] for row in archive.rows("users")] == [user_id]
        assert [row["text"] for row in archive.rows("chunks")] == ["The member writes of valves."]
        everything = archive.text()
        assert b"pumps" not in everything
        owner = (await caller.get("/auth/me"))["user"]
        assert owner["email"].encode() not in everything
        # The owner added them: that is told, but not from where.
        added = [row for row in archive.rows("audit_events") if row["action"] == "member.added"]
        assert [(row["actor_id"], row["address"]) for row in added] == [(owner["id"], None)]
        assert "organisation_secrets" not in archive.manifest["left_out"]

        # Whose it is, and owners; nobody else.
        assert [each["id"] for each in (await caller.get("/exports"))["items"]] == [operation["id"]]
        assert [each["id"] for each in (await person.get("/exports"))["items"]] == [operation["id"]]
        await caller.get(f"/exports/{operation['id']}/content")
        async with member_of(product, caller, "admin") as (other, _):
            assert (await other.get("/exports"))["items"] == []
            await other.get(f"/exports/{operation['id']}/content", 404)
            await other.post(f"/users/{user_id}/export", 403)
            await other.post("/organisation/export", 403)
        await stranger.get(f"/exports/{operation['id']}/content", 404)
        await stranger.post(f"/users/{user_id}/export", 404)
        await person.post("/organisation/export", 403)
    actions = [event["action"] for event in (await caller.get("/audit", subject=user_id))["items"]]
    assert actions.count("data.export_requested") == 1
    assert actions.count("data.export_downloaded") == 2


async def test_an_expired_archive_cannot_be_had(
    product: FastAPI, caller: Account, database: Database
) -> None:
    operation, _ = await exported(caller, "/organisation/export")
    async with database.transaction(caller.organisation_id) as session:
        await session.execute(text("UPDATE exports SET expires_at = now()"))
    answer = await caller.get(f"/exports/{operation['id']}/content", 404)
    assert "Export anew" in answer["detail"]
    assert (await caller.get("/exports"))["items"] == []


async def test_an_export_can_be_paused_and_goes_on(product: FastAPI, caller: Account) -> None:
    await caller.ingested(json={"text": "A text."})
    operation = await caller.post("/organisation/export")
    await caller.post(f"/operations/{operation['id']}/pause")
    paused = await caller.get(f"/operations/{operation['id']}")
    assert paused["status"] == "paused"
    await caller.get(f"/exports/{operation['id']}/content", 404)
    await caller.post(f"/operations/{operation['id']}/resume")
    assert (await caller.ended(operation))["status"] == "completed"
    assert_as_the_manifest_says(await downloaded(caller, operation["id"]))


async def test_nothing_of_a_cancelled_export_stays(product: FastAPI, caller: Account) -> None:
    await caller.ingested(json={"text": "A text."})
    operation = await caller.post("/organisation/export")
    await caller.post(f"/operations/{operation['id']}/pause")
    await caller.post(f"/operations/{operation['id']}/cancel")
    assert (await caller.ended(operation))["status"] == "cancelled"
    objects: ObjectStore = product.state.objects
    keys = [key async for key in objects.list(caller.organisation_id)]
    assert [key for key in keys if operation["id"] in key] == []


async def test_a_file_that_is_gone_is_named(product: FastAPI, caller: Account, database: Database) -> None:
    await caller.ingested(files={"file": ("lost.txt", b"Soon lost.")})
    async with database.transaction(caller.organisation_id) as session:
        (key,) = await session.scalars(text("SELECT object_key FROM document_versions"))
    await product.state.objects.delete([key])
    operation, archive = await exported(caller, "/organisation/export")
    assert operation["result"]["missing"] == 1
    assert archive.manifest["missing"] == {"count": 1, "keys": [key]}


async def test_a_key_in_a_foreign_folder_is_not_followed(
    caller: Account, stranger: Account, database: Database
) -> None:
    """Whatever a row says; no route lets it say so."""
    await stranger.ingested(files={"file": ("theirs.txt", b"The words of the neighbour.")})
    async with database.transaction(stranger.organisation_id) as session:
        (theirs,) = await session.scalars(text("SELECT object_key FROM document_versions"))
    await caller.ingested(files={"file": ("own.txt", b"Own words.")})
    async with database.transaction(caller.organisation_id) as session:
        await session.execute(text("UPDATE document_versions SET object_key = :key"), {"key": theirs})
    operation, archive = await exported(caller, "/organisation/export")
    assert operation["result"]["missing"] == 1
    assert b"neighbour" not in archive.text()


async def test_archives_do_not_outlive_whoever_is_in_them(product: FastAPI, caller: Account) -> None:
    async with member_of(product, caller, "member") as (person, user_id):
        await person.ingested(json={"text": "The member writes of valves."})
        await exported(person, f"/users/{user_id}/export")
        of_all, _ = await exported(caller, "/organisation/export")
        owner = (await caller.get("/auth/me"))["user"]["id"]
        of_owner, _ = await exported(caller, f"/users/{owner}/export")
        erasure = await caller.ended(await caller.post(f"/users/{user_id}/erasure"))
        assert erasure["status"] == "completed", erasure["error"]
        assert erasure["result"]["report"]["gone"]["objects"]["exports"] == 2
    assert [each["id"] for each in (await caller.get("/exports"))["items"]] == [of_owner["id"]]
    objects: ObjectStore = product.state.objects
    left = [key async for key in objects.list(f"{caller.organisation_id}/exports")]
    assert left == [f"{caller.organisation_id}/exports/{of_owner['id']}.zip"]
    await caller.get(f"/exports/{of_all['id']}/content", 404)


async def test_no_quota_stands_in_the_way(caller: Account, database: Database) -> None:
    """Of what everybody has a right to."""
    async with database.transaction(caller.organisation_id) as session:
        await QuotaRepository(session, caller.organisation_id).change({Quota.OPERATIONS_PER_DAY: 0})
    await caller.post("/documents", 429, json={"text": "One too many."})
    await caller.ended(await caller.post("/organisation/export"))
    name = (await caller.get("/organisation"))["name"]
    await caller.post("/organisation/erasure", json={"confirm": name})


async def test_people_without_a_link_get_nothing(product: FastAPI, caller: Account) -> None:
    operation, _ = await exported(caller, "/organisation/export")
    transport = httpx.ASGITransport(product)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as nobody:
        answer = await nobody.get(f"/api/v1/exports/{operation['id']}/content")
    assert answer.status_code == 401
