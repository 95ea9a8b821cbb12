"""`perdure approve`, `perdure approvals` and the examples of the guide, against a product on a port."""

import json
import os
import re
import stat
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from typer.testing import Result

from perdure.domain.approval_refusals import Refusal, status_of, words_of
from tests.approving import Office, office, policy, requested, users
from tests.guides import SEARCHED, followed
from tests.served import commands_reach, perdure, served

GUIDE = Path(__file__).parents[2] / "docs" / "approvals.md"
SCOPES = ("approvals:read", "approvals:write", "approvals:request")
_ROW = re.compile(r"^\| `(\w+)` \| (\d{3}) \| (.+) \|$", re.MULTILINE)
FORM = {
    "type": "object",
    "properties": {"amount": {"type": "number"}, "paid": {"type": "boolean"}},
    "required": ["amount"],
}


@pytest.fixture
async def people(product: FastAPI) -> AsyncIterator[Office]:
    async with office(product) as made:
        yield made


def _said(result: Result) -> str:
    """What a command printed last: the server of the test logs before it."""
    return result.stdout.splitlines()[-1]


async def test_an_approver_lists_shows_and_decides(
    product: FastAPI, people: Office, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    one = await requested(people.owner, policy(users(people.ada), form=FORM), "Twelve pumps")
    asked, played = tmp_path / "asked.json", tmp_path / "played.json"
    rules = policy([{"role": "viewer"}, *users(people.ben)])
    asked.write_text(json.dumps({"title": "By the command line", "policy": rules}))
    played.write_text(json.dumps({"policy": policy([{"user": "ada"}], due_in="2 days")}))
    await _role(people, "admin")
    async with commands_reach(product, people.ada, monkeypatch, *SCOPES):
        assert "Twelve pumps" in (await perdure("approvals", "list")).stdout
        shown = await perdure("approvals", "show", one)
        assert people.ada.person in shown.stdout
        unknown = await perdure("approve", one, "--field", "price=3")
        assert (unknown.exit_code, "amount" in unknown.output) == (1, True)
        silent = await perdure("approve", one, "--decision", "reject")
        assert (silent.exit_code, "needs a comment" in silent.output) == (1, True)
        signal = await perdure("approve", one, "--signal")
        assert _said(signal).startswith("temporal workflow signal ")
        unknown = await perdure("approve", one, "--signal", "--field", "price=3")
        assert (unknown.exit_code, "amount" in unknown.output) == (1, True)
        done = await perdure("approve", one, "--field", "amount=12.5", "--field", "paid=true", "--json")
        assert json.loads(done.stdout[done.stdout.index("{\n") :])["accepted"] is True, done.output
        assert "Nothing waits for you" in (await perdure("approvals", "list")).stdout
        made = _said(await perdure("approvals", "request", str(asked)))
        assert made in (await perdure("approvals", "list", "--all")).stdout
        simulated = await perdure("approvals", "simulate", str(played))
        assert "rejected" in simulated.stdout
    async with commands_reach(product, people.ada, monkeypatch, *SCOPES, "members:read"):
        named = await perdure("approvals", "show", one)
        assert ("Ada" in named.stdout, people.ada.person in named.stdout) == (True, False)
    closed = await people.owner.get(f"/approvals/{one}")
    (seat,) = closed["stages"][0]["seats"]
    assert (closed["outcome"], seat["vote"]["form"]) == ("approved", {"amount": 12.5, "paid": True})


async def test_who_decided_on_behalf_of_somebody_is_shown(
    product: FastAPI, people: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = await requested(people.owner, policy(users(people.ada)))
    await people.ada.told(one, "delegate", to=people.ben.person)
    await people.ben.told(one, "decision", decision="approve")
    async with commands_reach(product, people.owner, monkeypatch, *SCOPES, "members:read"):
        shown = await perdure("approvals", "show", one)
    assert "approve, by Ada" in shown.stdout


async def test_an_approver_hands_over_takes_back_and_comments(
    product: FastAPI, people: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = policy(users(people.ada, people.owner), "all") | {"separation_of_duties": {"requester": False}}
    one = await requested(people.owner, rules)
    await _role(people, "admin")
    async with commands_reach(product, people.ada, monkeypatch, *SCOPES):
        delegated = await perdure("approvals", "delegate", one, "--to", people.ben.user_id, "--whole-request")
        assert f"{one}: delegated to {people.ben.user_id}" in delegated.stdout, delegated.output
        (made,) = (await people.owner.get(f"/approvals/{one}"))["delegations"]
        assert (made["to"], made["stage"]) == (people.ben.person, None)
        assert f"lets {people.ben.person} decide, until" in (await perdure("approvals", "show", one)).stdout
        await perdure("approvals", "end-delegation", one, "--to", people.ben.user_id)
        await perdure("approve", one)
        assert "taken back" in (await perdure("approvals", "revoke", one)).stdout
        (asked, _) = (await people.owner.get(f"/approvals/{one}"))["stages"][0]["seats"]
        assert (asked["people"], asked["vote"]) == ([people.ada.person], None)
        nobody = await perdure("approvals", "reassign", one, "--to", "usr_" + "0" * 26)
        assert (nobody.exit_code, "no member" in nobody.output) == (1, True)
        assert (
            "reassigned" in (await perdure("approvals", "reassign", one, "--to", people.ben.user_id)).stdout
        )
        assert "commented" in (await perdure("approvals", "comment", one, "Ben knows more.")).stdout
        assert "Ben knows more." in (await perdure("approvals", "show", one)).stdout
    async with commands_reach(product, people.owner, monkeypatch, *SCOPES):
        assert "reminded" in (await perdure("approvals", "remind", one)).stdout
        assert "withdrawn" in (await perdure("approvals", "withdraw", one)).stdout
    closed = await people.owner.get(f"/approvals/{one}")
    (given, _) = closed["stages"][0]["seats"]
    assert (closed["outcome"], given["people"]) == ("cancelled", [people.ben.person])
    assert [said["text"] for said in closed["comments"]] == ["Ben knows more."]


def test_the_guide_lists_every_refusal() -> None:
    listed = {(code, int(status), words) for code, status, words in _ROW.findall(GUIDE.read_text())}
    assert listed == {(each.value, status_of(each), words_of(each)) for each in Refusal}


async def _role(people: Office, role: str) -> None:
    """Approvers make no keys for themselves: an administrator does, who may be one later."""
    answer = await people.owner.http.patch(f"/api/v1/members/{people.ada.user_id}", json={"role": role})
    assert answer.status_code == 200, answer.text


async def _key(account: Any, *scopes: str) -> str:
    return str((await account.post("/api-keys", 201, json={"name": "guide", "scopes": list(scopes)}))["key"])


async def test_every_example_does_what_the_guide_says(
    product: FastAPI, people: Office, tmp_path: Path
) -> None:
    command = tmp_path / "perdure"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m perdure.cli "$@"\n')
    command.chmod(command.stat().st_mode | stat.S_IXUSR)
    await people.owner.http.delete(f"/api/v1/members/{people.ben.user_id}")
    asker = await _key(people.owner, *SCOPES)
    await _role(people, "admin")
    approver = await _key(people.ada, *SCOPES[:2])
    await _role(people, "approver")
    async with served(product) as address:
        values = await followed(
            GUIDE.name,
            address,
            asker,
            tmp_path,
            APPROVER_API_KEY=approver,
            PATH=f"{tmp_path}:{SEARCHED}",
            PYTHONPATH=str(GUIDE.parents[1]),
            HOME=os.environ.get("HOME", str(tmp_path)),
            COLUMNS="200",
        )
    approval, first, again, *_ = values
    assert (approval["title"], approval["stages"][0]["form"]["required"]) == ("Invoice 17", ["cost_centre"])
    assert first == again
    assert first["accepted"] is True
    played = json.loads((tmp_path / "played.json").read_text())
    assert (played["outcome"], played["reason"]) == ("rejected", "deadline")
    token = json.loads((tmp_path / "token.json").read_text())
    assert token["command"].startswith("temporal workflow signal ")
    lines = [json.loads(line) for line in (tmp_path / "trail.jsonl").read_text().splitlines()]
    assert {line["subject_id"] for line in lines} == {approval["id"]}
    assert "approval.completed" in {line["action"] for line in lines}
