"""The link of a letter: reading it decides nothing, it counts once, and it stands in no log."""

import asyncio
import json
import shlex
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest
import structlog
from fastapi import FastAPI
from temporalio.client import Client

from api.approvals import Approvals
from api.routes.approval_decisions import signal_command
from perdure.domain.audit import SYSTEM
from perdure.domain.decision_tokens import LINK, PREFIX, SIGNAL, DecisionTokens
from perdure.secret_key import load_secret_key
from perdure.settings import Settings
from tests.approving import Office, office, policy, requested, users

SOON = timedelta(hours=1)
OUTSIDE = "auditor@elsewhere.example"
READS = 1_000
FORM = {"type": "object", "required": ["cost_centre"], "properties": {"cost_centre": {"type": "string"}}}


@pytest.fixture
async def people(product: FastAPI) -> AsyncIterator[Office]:
    async with office(product) as made:
        yield made


@pytest.fixture
async def visitor(product: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A browser that is logged in nowhere."""
    transport = httpx.ASGITransport(product)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", timeout=60) as http:
        yield http


async def _link(product: FastAPI, people: Office, approval_id: str, person: str, purpose: str = LINK) -> str:
    approvals: Approvals = product.state.approvals
    token, _ = await approvals.issue_token(
        people.owner.organisation_id, approval_id, person, purpose, SOON, origin=SYSTEM
    )
    return f"/decide/{token}"


async def test_reading_a_link_a_thousand_times_decides_nothing(
    people: Office, product: FastAPI, visitor: httpx.AsyncClient
) -> None:
    one = await requested(people.owner, policy(users(people.ada)), "Order of <b>pumps</b>")
    link = await _link(product, people, one, people.ada.person)
    before = (await people.owner.get(f"/approvals/{one}"))["sequence"]
    free = asyncio.Semaphore(20)

    async def read() -> httpx.Response:
        async with free:
            return await visitor.get(link)

    answers = await asyncio.gather(*(read() for _ in range(READS)))
    assert {answer.status_code for answer in answers} == {200}
    assert "Order of &lt;b&gt;pumps&lt;/b&gt;" in answers[0].text
    for method in ("HEAD", "PUT", "PATCH", "DELETE"):
        assert (await visitor.request(method, link)).status_code in {404, 405, 422}
    now = await people.owner.get(f"/approvals/{one}")
    assert (now["sequence"], now["status"]) == (before, "pending")
    trail = (await people.owner.get(f"/approvals/{one}/audit"))["items"]
    assert not [event for event in trail if event["action"] == "approval.decided"]


async def test_a_link_counts_once_for_its_person(
    people: Office, product: FastAPI, visitor: httpx.AsyncClient
) -> None:
    rules = policy([{"email": OUTSIDE}, *users(people.ada)], "all")
    one = await requested(people.owner, rules)
    link = await _link(product, people, one, f"email:{OUTSIDE}")
    silent = await visitor.post(link, data={"decision": "reject", "comment": " "})
    assert (silent.status_code, "needs a comment" in silent.text) == (422, True)
    wrong = await visitor.post(link, data={"decision": "burn"})
    assert wrong.status_code == 422
    said = {"decision": "approve", "comment": "As offered."}
    first, again = [await visitor.post(link, data=said) for _ in range(2)]
    assert (first.status_code, again.status_code) == (200, 200)
    assert "You decided" in first.text
    other = await visitor.post(link, data={"decision": "reject", "comment": "After all, no."})
    assert other.status_code == 409
    shown = await visitor.get(link)
    assert ("You decided" in shown.text, 'name="decision"' in shown.text) == (True, False)
    seats = (await people.owner.get(f"/approvals/{one}"))["stages"][0]["seats"]
    votes = [seat["vote"] for seat in seats if seat["vote"]]
    assert [(vote["by"], vote["decision"]) for vote in votes] == [(f"email:{OUTSIDE}", "approve")]


async def test_links_that_do_not_hold_show_nothing(
    people: Office, product: FastAPI, visitor: httpx.AsyncClient, settings: Settings
) -> None:
    title = "Order of seventeen pumps"
    one = await requested(people.owner, policy(users(people.ada, people.ben), "all"), title)
    link = await _link(product, people, one, people.ada.person)
    tokens = DecisionTokens(load_secret_key(settings))
    claims = tokens.read(link.rpartition("/")[2], LINK, datetime.now(UTC))
    middle = len(link) // 2
    swapped = "A" if link[middle] != "A" else "B"
    strange = [
        link[:middle] + swapped + link[middle + 1 :],
        link[:-9],
        f"/decide/{PREFIX}",
        "/decide/apr_1",
        "/decide/%00",
        await _link(product, people, one, people.ada.person, SIGNAL),
        f"/decide/{DecisionTokens(b'another installation, 32 bytes..').issue(claims)}",
        f"/decide/{tokens.issue(replace(claims, organisation_id='org_none'))}",
        f"/decide/{tokens.issue(replace(claims, approval_id='apr_none'))}",
    ]
    expired = f"/decide/{tokens.issue(replace(claims, expires_at=datetime.now(UTC) - SOON))}"
    said = {"decision": "approve"}
    for address, status in [*((each, 404) for each in strange), (expired, 403)]:
        for answer in (await visitor.get(address), await visitor.post(address, data=said)):
            assert (answer.status_code, title in answer.text) == (status, False), address
    stale = f"/decide/{tokens.issue(replace(claims, revision='0' * 64))}"
    assert "was changed since" in (await visitor.get(stale)).text
    assert (await visitor.post(stale, data=said)).status_code == 409
    foreign = f"/decide/{tokens.issue(replace(claims, person=people.owner.person))}"
    assert (await visitor.post(foreign, data=said)).status_code == 403
    await people.owner.http.patch(f"/api/v1/members/{people.ada.user_id}", json={"role": "viewer"})
    assert (await visitor.post(link, data=said)).status_code == 403
    await people.owner.http.delete(f"/api/v1/members/{people.ada.user_id}")
    assert (await visitor.get(link)).status_code == 403
    now = await people.owner.get(f"/approvals/{one}")
    assert not [seat for seat in now["stages"][0]["seats"] if seat["vote"]]


async def test_a_link_is_told_to_nobody(people: Office, product: FastAPI, visitor: httpx.AsyncClient) -> None:
    one = await requested(people.owner, policy(users(people.ada)))
    link = await _link(product, people, one, people.ada.person)
    with structlog.testing.capture_logs() as logged:
        answers = [
            await visitor.get(link),
            await visitor.post(link, data={"decision": "reject"}),
            await visitor.post(link, data={"decision": "approve"}),
            await visitor.get(f"{link}x"),
        ]
    paths = [line["path"] for line in logged if line.get("event") == "request"]
    assert paths == ["/decide/…"] * 4
    assert link.rpartition("/")[2] not in json.dumps(logged, default=str)
    for answer in answers:
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store"
        assert "noindex" in answer.headers["x-robots-tag"]
        assert PREFIX not in answer.text


async def test_the_command_for_a_signal_decides(people: Office, temporal: Client, settings: Settings) -> None:
    one = await requested(people.owner, policy(users(people.ada), form=FORM))
    answers = {"cost_centre": "north"}
    made = await people.ada.told(
        one, "decision-token", decision="reject", comment="Ordered twice.", form=answers
    )
    words = shlex.split(made["command"])
    assert words[:3] == ["temporal", "workflow", "signal"]
    given = dict(zip(words[3::2], words[4::2], strict=True))
    assert (given["--name"], json.loads(given["--input"])) == ("decide", made["token"])
    assert given["--workflow-id"] == made["workflow_id"]
    assert "Ordered twice" not in made["command"]
    # As the command does it: without our data converter.
    plain = await Client.connect(temporal.service_client.config.target_host, namespace=temporal.namespace)
    await plain.get_workflow_handle(made["workflow_id"]).signal("decide", made["token"])
    approval = await people.owner.get(f"/approvals/{one}")
    ended = await people.owner.ended({"id": approval["operation_id"]})
    assert ended["status"] == "completed"
    closed = await people.owner.get(f"/approvals/{one}")
    (seat,) = closed["stages"][0]["seats"]
    assert (closed["outcome"], seat["vote"]["comment"]) == ("rejected", "Ordered twice.")
    assert seat["vote"]["form"] == answers


async def test_a_token_for_what_was_shown_before_changes_nothing(people: Office, temporal: Client) -> None:
    one = await requested(people.owner, policy(users(people.ada)))
    made = await people.ada.told(one, "decision-token", decision="approve", revision="0" * 64)
    plain = await Client.connect(temporal.service_client.config.target_host, namespace=temporal.namespace)
    await plain.get_workflow_handle(made["workflow_id"]).signal("decide", made["token"])
    for _ in range(400):
        if refused := await _refusals(people, one):
            break
        await asyncio.sleep(0.05)
    assert refused == ["decided:stale_revision"]
    now = await people.owner.get(f"/approvals/{one}")
    assert (now["status"], now["stages"][0]["seats"][0]["vote"]) == ("pending", None)


async def _refusals(people: Office, approval_id: str) -> list[str]:
    trail = (await people.owner.get(f"/approvals/{approval_id}/audit"))["items"]
    return [event["details"]["code"] for event in trail if event["action"] == "approval.refused"]


@pytest.mark.parametrize(
    ("address", "named"),
    [("127.0.0.1:7233", False), ("", False), ("temporal.example:7233", False), ("127.0.0.1:7410", True)],
)
def test_the_command_names_a_server_of_this_machine_that_is_elsewhere(address: str, named: bool) -> None:
    settings = Settings(temporal_address=address, temporal_namespace="default")
    words = shlex.split(signal_command("op_1", "pdt_x", settings))
    assert (["--address", address] == words[3:5]) is named
