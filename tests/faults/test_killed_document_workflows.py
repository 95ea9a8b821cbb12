"""Everything dies, twenty times, while people decide in document workflows: nobody is told anything twice."""

import asyncio
import json
import random
from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import Any

import httpx

from tests.accounts import Account
from tests.faults.checks import settled
from tests.faults.installation import Installation
from tests.receivers import Mailbox, Receiver

DEATHS = 20
EXECUTIONS = 4
PARTS = ("worker io", "worker cpu", "api", "temporal", "postgres")
PATIENCE_S = 300.0
POLICY: dict[str, Any] = {
    "stages": [{"id": "only", "approvers": [{"role": "owner"}], "rule": "any"}],
    "separation_of_duties": {"requester": False},
}
STEPS: list[dict[str, Any]] = [
    {"id": "draft", "type": "transform", "with": {"set": {"amount": "input.amount * 2"}}},
    {"id": "first", "type": "approval", "needs": ["draft"], "with": {"policy": POLICY, "title": "First"}},
    {"id": "pause", "type": "wait", "needs": ["first"], "with": {"for": "2 seconds"}},
    {
        "id": "second",
        "type": "approval",
        "needs": ["pause"],
        "with": {"policy": POLICY, "title": "${steps.draft.amount}"},
    },
    {
        "id": "end",
        "type": "transform",
        "needs": ["second"],
        "when": "steps.first.approved && steps.second.approved",
        "with": {"set": {"paid": "steps.draft.amount"}},
    },
]
EVENTS = [
    "approval.requested",
    "approval.decided",
    "approval.completed",
    "workflow.completed",
    "workflow.failed",
]


async def patiently(ask: Callable[[], Awaitable[httpx.Response]], *not_yet: int) -> dict[str, Any]:
    """What is answered in the end, through outages and what is not so yet."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                answer = await ask()
            except httpx.TransportError:
                answer = None
            if answer is not None and answer.status_code not in {*not_yet, 500, 502, 503}:
                assert answer.is_success, answer.text
                answered: dict[str, Any] = answer.json()
                return answered
            await asyncio.sleep(0.2)


async def decided(account: Account, execution_id: str, step: str) -> None:
    """Approve what a step asks, under one key, like a client that repeats what it got no answer to."""
    http = account.http
    found: list[str] = []
    async with asyncio.timeout(PATIENCE_S):
        while not found:
            listed = await patiently(lambda: http.get("/api/v1/approvals?limit=200"))
            asked = [one for one in listed["items"] if one["execution_id"] == execution_id]
            found = [one["id"] for one in asked if one["step_id"] == step]
            await asyncio.sleep(0.2)
    path, headers = f"/api/v1/approvals/{found[0]}/decision", {"Idempotency-Key": found[0]}
    # It is listed a moment before its workflow takes decisions.
    await patiently(lambda: http.post(path, json={"decision": "approve"}, headers=headers), 409)


async def test_outcomes_and_messages_are_the_same_whatever_dies_when(
    installation: Installation, account: Account
) -> None:
    dice = random.Random(7)
    receiver, mailbox = installation.receiver, installation.mailbox
    async with receiver.up(), mailbox.up():
        endpoint = {"name": "ledger", "url": receiver.url, "events": EVENTS}
        await account.post("/webhooks/endpoints", 201, json=endpoint)
        workflow = await account.post("/ai/workflows", 201, json={"name": "Two signatures", "steps": STEPS})
        operations = [
            await account.post(f"/ai/workflows/{workflow['id']}/execute", json={"input": {"amount": number}})
            for number in range(EXECUTIONS)
        ]
        executions = []
        for operation in operations:
            listed = await account.get("/ai/workflows/executions", operation_id=operation["id"])
            executions += [one["id"] for one in listed["items"]]

        async def sign(execution_id: str) -> None:
            for step in ("first", "second"):
                await decided(account, execution_id, step)

        signing = asyncio.gather(*(sign(execution_id) for execution_id in executions))
        for _ in range(DEATHS):
            await installation.killed(dice.choice(PARTS))
            await asyncio.sleep(dice.random())
        await installation.answers()
        await signing
        for number, operation in enumerate(operations):
            ended = await settled(account, operation["id"])
            assert ended["status"] == "completed", ended
            assert ended["result"]["outputs"]["end"]["paid"] == number * 2
        # Of each execution: two requests, two decisions, two outcomes, one end.
        await until_heard(lambda: len(heard(receiver)) >= 7 * EXECUTIONS)
        (address,) = [one["email"] for one in (await account.get("/members"))["items"]]
        await until_heard(lambda: len(letters(mailbox, address)) >= 2 * EXECUTIONS)
    said = heard(receiver)
    assert len(said) == 7 * EXECUTIONS
    assert all(len(ids) == 1 for ids in said.values()), said
    assert len(letters(mailbox, address)) == 2 * EXECUTIONS


def heard(receiver: Receiver) -> dict[tuple[str, str], set[str]]:
    """The ids under which each event was told. One that was told again after a death has the one that it had."""
    ids: dict[tuple[str, str], set[str]] = defaultdict(set)
    for posted in receiver.posts:
        told = json.loads(posted.body)
        about = told["data"].get("approval_id") or told["data"]["execution_id"]
        ids[told["type"], about].add(posted.headers["webhook-id"])
    return ids


def letters(mailbox: Mailbox, address: str) -> set[str]:
    """The ids of the letters that told somebody an outcome. Who has decided already is not asked any more."""
    return {
        str(letter["Message-ID"])
        for letter in mailbox.letters
        if address in str(letter["To"]) and str(letter["Subject"]).startswith("Approved: ")
    }


async def until_heard(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(120):
        while not is_so():  # noqa: ASYNC110  # what comes in is noted elsewhere
            await asyncio.sleep(0.1)
