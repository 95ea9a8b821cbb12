"""The commands of privacy against a product that answers on a port."""

import json
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from typer.testing import Result

from tests.accounts import Account, registered
from tests.served import commands_reach, perdure


@pytest.fixture
async def connected(
    product: FastAPI, caller: Account, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Account]:
    """The commands reach the product as the caller, who owns the organisation."""
    async with commands_reach(
        product, caller, monkeypatch, "privacy:write", "members:read", "operations:read"
    ):
        yield caller


@pytest.fixture
async def member(product: FastAPI, caller: Account) -> AsyncIterator[dict[str, Any]]:
    """Somebody else in the caller's organisation."""
    async with registered(product) as other:
        person: dict[str, Any] = (await other.get("/auth/me"))["user"]
        await caller.post("/members", 201, json={"email": person["email"], "role": "member"})
        yield person


def printed(done: Result) -> dict[str, Any]:
    """The JSON at the end; before it stands what the product logs, which runs in this process, too."""
    assert done.exit_code == 0, done.output
    value: dict[str, Any] = json.loads("{\n" + done.stdout.partition("{\n")[2])
    return value


async def test_what_is_kept_of_the_keys_owner_comes_as_a_zip_file(connected: Account, tmp_path: Path) -> None:
    file = tmp_path / "mine.zip"
    done = await perdure("export-data", "--output", str(file))
    assert done.exit_code == 0, done.output
    assert "bytes written" in done.stdout
    with zipfile.ZipFile(file) as archive:
        manifest = json.loads(archive.read("manifest.json"))
        assert archive.testzip() is None
    me = (await connected.get("/auth/me"))["user"]
    assert me["id"] in json.dumps(manifest)


async def test_a_member_is_erased_only_when_their_e_mail_is_typed(
    connected: Account, member: dict[str, Any]
) -> None:
    refused = await perdure("delete-data", member["email"], typed="yes\n")
    assert refused.exit_code == 1
    assert "nothing was erased" in refused.output
    listed = await connected.get("/members")
    assert member["id"] in {each["user_id"] for each in listed["items"]}

    done = await perdure("delete-data", member["id"], typed=f"{member['email']}\n")
    assert done.exit_code == 0, done.output
    assert "memberships" in done.stdout
    assert "the signature fits" in done.stdout
    assert "/api/v1/erasures/" in done.stdout
    listed = await connected.get("/members")
    assert member["id"] not in {each["user_id"] for each in listed["items"]}


async def test_the_organisation_is_exported_and_erased_with_its_name_as_the_proof(
    connected: Account, tmp_path: Path
) -> None:
    file = tmp_path / "all.zip"
    done = await perdure("export-data", "--organisation", "--output", str(file), "--json")
    assert printed(done)["subject"]["id"] == connected.organisation_id
    wrong = await perdure("delete-data", "--organisation", "--confirm", "Another")
    assert wrong.exit_code == 1
    gone = await perdure("delete-data", "--organisation", "--confirm", "Analytical Engines", "--json")
    receipt = printed(gone)
    assert receipt["status"] == "completed"
    assert receipt["verified"] is True
    assert receipt["subject"] == {"type": "organisation", "id": connected.organisation_id}
    assert receipt["report"]["gone"]["rows"]["memberships"] == 1


async def test_somebody_whom_nobody_knows_is_an_error_with_what_to_do(connected: Account) -> None:
    unknown = await perdure("export-data", "nobody@example.com")
    assert unknown.exit_code == 1
    assert "no member with the e-mail" in unknown.output
    both = await perdure("delete-data", "nobody@example.com", "--organisation", "--confirm", "x")
    assert both.exit_code == 1
    assert "not both" in both.output
