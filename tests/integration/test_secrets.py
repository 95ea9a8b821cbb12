"""Secrets and the rotation of keys over HTTP, with real workers behind it."""

import asyncio

import pytest
from fastapi import FastAPI
from sqlalchemy import select, text
from temporalio.client import Client

from perdure.db.models import DataKeyRow, IdempotencyKeyRow, OrganisationSecretRow
from perdure.db.operation_repository import OperationRepository
from perdure.db.sealed_columns import SEALED_COLUMNS
from perdure.db.secret_repository import SecretRepository
from perdure.db.session import Database
from perdure.domain.audit import SYSTEM
from perdure.domain.sealing import key_id_of
from perdure.errors import NotFoundError
from tests.accounts import Account
from workflows.client import start_operation

VALUE = "sk-proj-0123456789abcdef-WXYZ"
SECRET = {"name": "OpenAI", "kind": "provider_key", "value": VALUE}


async def value_of(product: FastAPI, organisation_id: str, secret_id: str) -> str:
    async with product.state.database.transaction(organisation_id) as session:
        secrets = SecretRepository(session, organisation_id, product.state.keyring)
        return await secrets.value(secret_id, SYSTEM)


async def api_key(account: Account, *scopes: str) -> dict[str, str]:
    made = await account.post("/api-keys", 201, json={"name": "test", "scopes": list(scopes)})
    return {"Authorization": f"Bearer {made['key']}"}


async def test_a_secret_goes_in_and_never_comes_out(
    product: FastAPI, database: Database, caller: Account, caplog: pytest.LogCaptureFixture
) -> None:
    made = await caller.post("/secrets", 201, json=SECRET)
    assert (made["name"], made["kind"], made["last_four"]) == ("OpenAI", "provider_key", "WXYZ")
    listed = await caller.get("/secrets")
    assert [item["id"] for item in listed["items"]] == [made["id"]]
    assert VALUE not in str(made) + str(listed) + caplog.text
    assert await value_of(product, caller.organisation_id, made["id"]) == VALUE
    async with database.transaction(caller.organisation_id) as session:
        row = (await session.scalars(select(OrganisationSecretRow))).one()
    assert VALUE.encode() not in row.sealed


async def test_a_name_is_taken_once(caller: Account) -> None:
    await caller.post("/secrets", 201, json=SECRET)
    problem = await caller.post("/secrets", 409, json=SECRET)
    assert "'OpenAI'" in problem["detail"]


async def test_a_replaced_secret_keeps_its_id(product: FastAPI, caller: Account) -> None:
    made = await caller.post("/secrets", 201, json=SECRET)
    answer = await caller.http.put(f"/api/v1/secrets/{made['id']}", json={"value": "short"})
    assert (answer.json()["id"], answer.json()["last_four"]) == (made["id"], None)
    assert answer.json()["updated_at"] > made["updated_at"]
    assert await value_of(product, caller.organisation_id, made["id"]) == "short"


async def test_a_deleted_secret_is_gone(product: FastAPI, caller: Account) -> None:
    made = await caller.post("/secrets", 201, json=SECRET)
    assert (await caller.http.delete(f"/api/v1/secrets/{made['id']}")).status_code == 204
    assert (await caller.http.delete(f"/api/v1/secrets/{made['id']}")).status_code == 404
    assert (await caller.get("/secrets"))["items"] == []
    with pytest.raises(NotFoundError):
        await value_of(product, caller.organisation_id, made["id"])


async def test_what_happens_to_secrets_and_keys_is_recorded(product: FastAPI, caller: Account) -> None:
    replay = {"Idempotency-Key": "once"}
    made = await caller.post("/secrets", 201, json=SECRET, headers=replay)
    await caller.post("/secrets", 200, json=SECRET, headers=replay)
    await caller.post("/secrets", 409, json=SECRET)
    await value_of(product, caller.organisation_id, made["id"])
    answer = await caller.http.put(f"/api/v1/secrets/{made['id']}", json={"value": "another one"})
    assert answer.status_code == 200
    rotation = await caller.ended(await caller.post("/keys/rotation"))
    assert (await caller.http.delete(f"/api/v1/secrets/{made['id']}")).status_code == 204
    events = (await caller.get("/audit", limit=200))["items"][::-1]
    me = (await caller.get("/auth/me"))["user"]["id"]
    told = [(event["action"], event["actor"]["id"], event["subject"]["id"]) for event in events[-6:]]
    assert told == [
        ("secret.created", me, made["id"]),
        ("secret.read", None, made["id"]),
        ("secret.replaced", me, made["id"]),
        ("keys.rotation_requested", me, caller.organisation_id),
        ("keys.rotated", rotation["id"], rotation["result"]["data_key_id"]),
        ("secret.deleted", me, made["id"]),
    ]
    assert SECRET["value"] not in str(events)
    assert SECRET["name"] not in str(events)


async def test_the_same_request_stores_one_secret(database: Database, caller: Account) -> None:
    key = {"Idempotency-Key": "one"}
    first = await caller.post("/secrets", 201, json=SECRET, headers=key)
    assert await caller.post("/secrets", 200, json=SECRET, headers=key) == first
    await caller.post("/secrets", 409, json=SECRET | {"value": "another"}, headers=key)
    async with database.transaction(caller.organisation_id) as session:
        stored = (await session.scalars(select(IdempotencyKeyRow))).one()
    assert VALUE not in str(stored.response)


@pytest.mark.parametrize(
    ("field", "value"),
    [("value", ""), ("value", "x" * 8193), ("value", 7), ("kind", "password"), ("name", " "), ("extra", 1)],
)
async def test_a_bad_secret_is_refused_without_being_repeated(
    caller: Account, field: str, value: object
) -> None:
    problem = await caller.post("/secrets", 422, json=SECRET | {field: value})
    assert [error["pointer"] for error in problem["errors"]] == [f"/body/{field}"]
    assert VALUE not in str(problem)
    assert "x" * 100 not in str(problem)


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/secrets"), ("POST", "/secrets"), ("POST", "/keys/rotation")],
)
async def test_only_keys_with_the_scope_get_near(caller: Account, method: str, path: str) -> None:
    headers = await api_key(caller, "documents:write", "keys:write", "organisation:write")
    answer = await caller.http.request(method, f"/api/v1{path}", headers=headers, json=SECRET)
    assert answer.status_code == 403
    assert "owner or admin" in answer.json()["detail"]


async def test_a_rotation_seals_everything_anew_while_it_stays_readable(
    product: FastAPI, database: Database, caller: Account
) -> None:
    made = [
        await caller.post("/secrets", 201, json=SECRET | {"name": f"secret {number}", "value": f"{number}"})
        for number in range(5)
    ]
    operation = await caller.ended(await caller.post("/keys/rotation"))
    assert operation["status"] == "completed", operation
    result = operation["result"]
    assert (result["reencrypted"], result["retired"]) == (5, 1)
    assert (result["unreadable"], result["still_needed"]) == ([], [])
    assert operation["progress"]["done"] == operation["progress"]["total"] == 5
    async with database.transaction(caller.organisation_id) as session:
        sealed = await session.scalars(select(OrganisationSecretRow.sealed))
        assert {key_id_of(each) for each in sealed} == {result["data_key_id"]}
    for number, secret in enumerate(made):
        assert await value_of(product, caller.organisation_id, secret["id"]) == str(number)
    steps = [step["name"] for step in (await caller.get(f"/operations/{operation['id']}/steps"))["items"]]
    pages = ["reencrypt_page"] * len(SEALED_COLUMNS)
    assert steps == ["make_data_key", "rewrap_data_keys", *pages, "retire_data_keys"]


async def test_an_organisation_without_secrets_gets_its_key(caller: Account) -> None:
    operation = await caller.ended(await caller.post("/keys/rotation"))
    assert (operation["status"], operation["result"]["reencrypted"]) == ("completed", 0)


async def test_a_value_that_does_not_open_is_named_in_the_result(database: Database, caller: Account) -> None:
    good = await caller.post("/secrets", 201, json=SECRET)
    bad = await caller.post("/secrets", 201, json=SECRET | {"name": "damaged"})
    async with database.transaction(caller.organisation_id) as session:
        await session.execute(
            text("UPDATE organisation_secrets SET sealed = substring(sealed FOR 50) WHERE id = :id"),
            {"id": bad["id"]},
        )
    operation = await caller.ended(await caller.post("/keys/rotation"))
    assert operation["status"] == "completed"
    assert operation["result"]["unreadable"] == [f"organisation_secrets.sealed of {bad['id']}"]
    assert (operation["result"]["reencrypted"], len(operation["result"]["still_needed"])) == (1, 1)
    # Set anew, it no longer holds the old key.
    await caller.http.put(f"/api/v1/secrets/{bad['id']}", json={"value": VALUE})
    again = await caller.ended(await caller.post("/keys/rotation"))
    assert (again["result"]["reencrypted"], again["result"]["still_needed"]) == (2, [])
    assert good["id"] != bad["id"]


async def test_two_rotations_at_once_leave_one_key(
    product: FastAPI, database: Database, caller: Account
) -> None:
    made = [
        await caller.post("/secrets", 201, json=SECRET | {"name": f"secret {number}"}) for number in range(3)
    ]
    started = await asyncio.gather(*(caller.post("/keys/rotation") for _ in range(2)))
    ended = await asyncio.gather(*(caller.ended(operation) for operation in started))
    assert {operation["status"] for operation in ended} == {"completed"}
    last = await caller.ended(await caller.post("/keys/rotation"))
    async with database.transaction(caller.organisation_id) as session:
        keys = await session.scalars(select(DataKeyRow.id).where(DataKeyRow.retired_at.is_(None)))
        assert list(keys) == [last["result"]["data_key_id"]]
    for secret in made:
        assert await value_of(product, caller.organisation_id, secret["id"]) == VALUE


async def test_a_continued_workflow_goes_on_after_what_its_earlier_run_did(
    database: Database, temporal: Client, caller: Account
) -> None:
    made = [
        await caller.post("/secrets", 201, json=SECRET | {"name": f"secret {number}"}) for number in range(4)
    ]
    async with database.transaction(caller.organisation_id) as session:
        row = await OperationRepository(session).create(
            organisation_id=caller.organisation_id,
            actor_id="usr_test",
            kind="rotate_keys",
            summary="Rotate",
            input={
                "position": {"column": "organisation_secrets.sealed", "after_id": made[1]["id"]},
                "done": 2,
                "reencrypted": 1,
                "unreadable": ["elsewhere"],
            },
        )
    await start_operation(temporal, row)
    operation = await caller.ended({"id": row.id})
    assert operation["progress"]["done"] == 4
    result = operation["result"]
    assert (result["reencrypted"], result["unreadable"]) == (3, ["elsewhere"])
    assert len(result["still_needed"]) == 1
