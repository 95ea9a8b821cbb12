"""Keys that are rotated under load, while workers die; and a product that is started with keys that do not fit."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from perdure.db.keyring import Keyring
from perdure.db.models import DataKeyRow, OrganisationSecretRow
from perdure.db.secret_repository import SecretRepository
from perdure.domain.audit import SYSTEM
from perdure.domain.sealing import key_id_of
from perdure.master_key_file import FILE_NAME, make_key_file
from perdure.master_keys import load_master_keys
from tests.accounts import Account
from tests.faults.checks import progressed, settled
from tests.faults.conftest import account_at
from tests.faults.installation import ROOT, Installation

SECRETS = 4_000


async def seeded(installation: Installation, organisation_id: str) -> dict[str, str]:
    """Secrets that are there before a rotation, with their values."""
    keyring = Keyring(load_master_keys(installation.settings(), make=False))
    database, values = installation.database(), {}
    for start in range(0, SECRETS, 200):
        async with database.transaction(organisation_id) as session:
            secrets = SecretRepository(session, organisation_id, keyring)
            for number in range(start, start + 200):
                row = await secrets.create(
                    name=f"seed {number}", kind="other", value=f"value {number}", created_by=None
                )
                values[row.id] = f"value {number}"
    await database.aclose()
    return values


async def stored(
    installation: Installation, organisation_id: str
) -> tuple[dict[str, str], set[str], set[str]]:
    """All values of an organisation, the keys that seal them, and the keys that are not retired."""
    keyring = Keyring(load_master_keys(installation.settings(), make=False))
    database = installation.database()
    async with database.transaction(organisation_id) as session:
        rows = (await session.scalars(select(OrganisationSecretRow))).all()
        secrets = SecretRepository(session, organisation_id, keyring)
        values = {row.id: await secrets.value(row.id, SYSTEM) for row in rows}
        serving = set(await session.scalars(select(DataKeyRow.id).where(DataKeyRow.retired_at.is_(None))))
    await database.aclose()
    return values, {key_id_of(row.sealed) for row in rows}, serving


async def write_until(done: asyncio.Event, account: Account, values: dict[str, str]) -> None:
    """Replace old secrets and make new ones; an answer of 2xx counts."""
    number, old = 0, list(values)
    while not done.is_set():
        number += 1
        body: dict[str, Any] = {"name": f"late {number}", "kind": "other", "value": f"late {number}"}
        answer = await account.http.post("/api/v1/secrets", json=body)
        assert answer.status_code == 201, answer.text
        values[answer.json()["id"]] = body["value"]
        replaced = old[number * 37 % len(old)]
        answer = await account.http.put(f"/api/v1/secrets/{replaced}", json={"value": f"new {number}"})
        assert answer.status_code == 200, answer.text
        values[replaced] = f"new {number}"


async def test_a_rotation_survives_deaths_of_its_worker_while_secrets_are_written(
    installation: Installation, account: Account
) -> None:
    values = await seeded(installation, account.organisation_id)
    done = asyncio.Event()
    writing = asyncio.create_task(write_until(done, account, values))
    try:
        operation = await account.post("/keys/rotation")
        for part in (200, 1_500):
            operation = await progressed(account, operation["id"], part)
            assert operation["status"] in {"pending", "running"}, "too fast to be killed in the middle"
            await installation.killed("worker io")
        operation = await settled(account, operation["id"])
    finally:
        done.set()
        await writing
    assert operation["status"] == "completed", operation
    assert operation["result"]["unreadable"] == operation["result"]["still_needed"] == []
    found, sealed_with, serving = await stored(installation, account.organisation_id)
    assert sealed_with == serving == {operation["result"]["data_key_id"]}
    assert found == values
    assert len(values) > SECRETS


async def test_a_new_master_key_is_taken_up_by_everything_that_runs(
    installation: Installation, account: Account
) -> None:
    secret = {"name": "before", "kind": "other", "value": "before"}
    before = await account.post("/secrets", 201, json=secret)
    batch = {"items": [{"text": f"Passage {number} about keys. " * 40} for number in range(60)]}
    operation = await account.post("/documents/batch", json=batch)
    command = [sys.executable, "-m", "perdure.cli", "master-key", "rotate", "--json"]
    rotated = await asyncio.to_thread(
        subprocess.run, command, cwd=ROOT, env=installation.environment, capture_output=True, check=True
    )
    made = json.loads(rotated.stdout)
    assert made["rewrapped"] >= 1
    await asyncio.sleep(1.5)  # within a second every process has looked
    after = await account.post("/secrets", 201, json=secret | {"name": "after", "value": "after"})
    assert (await settled(account, operation["id"]))["status"] == "completed"
    rotation = await settled(account, (await account.post("/keys/rotation"))["id"])
    assert rotation["status"] == "completed"
    found, _, _ = await stored(installation, account.organisation_id)
    assert found == {before["id"]: "before", after["id"]: "after"}
    database = installation.database()
    async with database.transaction(account.organisation_id) as session:
        wrapped = set(await session.scalars(select(DataKeyRow.master_key_id)))
    await database.aclose()
    assert made["master_key"] in wrapped


def replace_key_file(home: Path) -> None:
    (home / FILE_NAME).rename(home / "kept.keys")
    make_key_file(home / FILE_NAME)


def restore_key_file(home: Path) -> None:
    (home / "kept.keys").replace(home / FILE_NAME)


async def test_the_first_start_says_what_to_back_up_and_another_key_is_refused(
    untouched_installation: Installation,
) -> None:
    product = untouched_installation
    await product.up()
    said = product.said()
    assert "Back up" in said
    assert "it holds the master key that was made just now" in said
    async with account_at(product.url) as account:
        await account.post("/secrets", 201, json={"name": "kept", "kind": "other", "value": "kept"})
        organisation_id = account.organisation_id
    product.interrupt()
    await product.ended()
    await asyncio.to_thread(replace_key_file, product.home)
    with pytest.raises(AssertionError, match="Restore the master key file"):
        await product.up()
    await asyncio.to_thread(restore_key_file, product.home)
    await product.up()
    assert "Back up" not in product.said()
    async with httpx.AsyncClient(base_url=product.url, trust_env=False) as http:
        assert (await http.get("/health/ready")).is_success
    found, _, _ = await stored(product, organisation_id)
    assert list(found.values()) == ["kept"]
    product.interrupt()
    assert await product.ended() == 0
