"""Approvals over HTTP: how soon a decision has its effect, and whether many at once come out right.

*Effect*: a document workflow asks, and has a step after that: from sending the decision until that step has started, by
Temporal's own clock; beside it, until the workflow of the request has ended, and until the decision is answered. Before
each decision nobody does anything for three seconds, so that letters of before are sent and the execution has said that
it waits, which it does for two. The bare engine takes turns: a workflow that asks a child, told by an update from here,
and has a step after that; nothing is checked or kept.
*Many at once*: ten people decide on each of a hundred requests; every outcome, the audit trail and the messages are
then read from the record. *Duplicates*: one decision, a hundred times.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import numpy as np
from sqlalchemy import text

from bench import product
from bench.bare_worker import bare_workers
from bench.bare_workflows import IO, BareAsking, BareRequest, request_of
from bench.report import Figure, Options, Target
from perdure.db.session import Database
from perdure.domain.ids import new_id
from perdure.schemas.documents import DocumentJob

GROUP = "approvals"
PEOPLE = 10
AT_ONCE = 100
DUPLICATES = 100
PASSWORD = "a fine password"  # noqa: S105  # of people who are made for a measurement
_PATIENCE_S = 120
# Longer than it takes until what was done before is sent, recorded and over.
_IDLE_S = 3.0
_NEXT = "analyse_step"
_TEXT = "Ann paid 1,200 EUR to Acme GmbH on 3 March 2026."

_AUDITED = text(
    "SELECT subject_id, action, count(*) FROM audit_events WHERE subject_id = ANY(:ids) GROUP BY 1, 2"
)
_SAID = text("SELECT count(*), count(DISTINCT effect) FROM messages WHERE effect LIKE 'apr_%'")


@dataclass(frozen=True)
class Voter:
    """Somebody who decides."""

    http: httpx.AsyncClient
    user_id: str

    async def decide(self, approval_id: str, key: str) -> httpx.Response:
        """Approve; what is not answered in time is sent again under the same key, as a client would."""
        async with asyncio.timeout(_PATIENCE_S):
            while True:
                answer = await self.http.post(
                    f"/api/v1/approvals/{approval_id}/decision",
                    json={"decision": "approve"},
                    headers={"Idempotency-Key": key},
                )
                if answer.status_code not in {429, 502, 503}:
                    return answer
                await asyncio.sleep(0.2)


@dataclass(frozen=True)
class Office:
    """An organisation of its own: the owner asks, the others decide."""

    running: product.Product
    owner: httpx.AsyncClient
    organisation_id: str
    voters: Sequence[Voter]

    async def ask(self, voters: Sequence[Voter], rule: str) -> str:
        """Ask for an approval; its id, once people are asked."""
        approvers = [{"user": voter.user_id} for voter in voters]
        body = {"title": "A lease", "policy": {"stages": [{"id": "s", "approvers": approvers, "rule": rule}]}}
        answer = (await self.owner.post("/api/v1/approvals", json=body)).raise_for_status()
        approval_id: str = answer.json()["subject"]["id"]
        await self.until(approval_id, lambda approval: approval["sequence"] > 0)
        return approval_id

    async def asking(self, voter: Voter) -> str:
        """A document workflow that asks somebody, and has a step after that; its id."""
        policy = {"stages": [{"id": "s", "approvers": [{"user": voter.user_id}], "rule": "any"}]}
        steps = [
            {"id": "ask", "type": "approval", "with": {"policy": policy, "title": "A lease"}},
            {"id": "next", "type": "analysis", "needs": ["ask"], "with": {"task": "entities", "text": _TEXT}},
        ]
        answer = await self.owner.post("/api/v1/ai/workflows", json={"name": "Asking", "steps": steps})
        workflow_id: str = answer.raise_for_status().json()["id"]
        return workflow_id

    async def executed(self, workflow_id: str) -> dict[str, Any]:
        """An execution of it, which has begun."""
        answer = await self.owner.post(f"/api/v1/ai/workflows/{workflow_id}/execute", json={})
        operation: dict[str, Any] = answer.raise_for_status().json()
        return operation

    async def open_request(self) -> dict[str, Any]:
        """The only request that is open, once people are asked."""
        async with asyncio.timeout(_PATIENCE_S):
            while True:
                answer = await self.owner.get("/api/v1/approvals", params={"status": "pending"})
                found = answer.raise_for_status().json()["items"]
                if found and found[0]["sequence"] > 0:
                    approval: dict[str, Any] = found[0]
                    return approval
                await asyncio.sleep(0.02)

    async def until(self, approval_id: str, holds: Any) -> dict[str, Any]:
        """The request once something holds of it."""
        async with asyncio.timeout(_PATIENCE_S):
            while True:
                answer = (await self.owner.get(f"/api/v1/approvals/{approval_id}")).raise_for_status()
                approval: dict[str, Any] = answer.json()
                if holds(approval):
                    return approval
                await asyncio.sleep(0.02)


@asynccontextmanager
async def office(running: product.Product) -> AsyncIterator[Office]:
    """Register everybody."""
    async with AsyncExitStack() as stack:

        async def person(name: str) -> tuple[httpx.AsyncClient, dict[str, Any]]:
            http = await stack.enter_async_context(
                httpx.AsyncClient(base_url=running.stack.url, timeout=60, trust_env=False)
            )
            given = {"email": f"{name}@example.org", "password": PASSWORD, "name": name, "organisation": name}
            grant = (await http.post("/api/v1/auth/register", json=given)).raise_for_status().json()
            http.headers["Authorization"] = f"Bearer {grant['access_token']}"
            return http, grant

        owner, grant = await person("owner")
        organisation_id = grant["organisation"]["id"]
        voters = []
        for number in range(PEOPLE):
            http, own = await person(f"voter{number}")
            email = own["user"]["email"]
            (
                await owner.post("/api/v1/members", json={"email": email, "role": "approver"})
            ).raise_for_status()
            login = {"email": email, "password": PASSWORD, "organisation_id": organisation_id}
            inside = (await http.post("/api/v1/auth/login", json=login)).raise_for_status().json()
            http.headers["Authorization"] = f"Bearer {inside['access_token']}"
            voters.append(Voter(http, own["user"]["id"]))
        yield Office(running, owner, organisation_id, voters)


async def run(options: Options) -> list[Figure]:
    """Effects one after the other, then many at once, then duplicates."""
    async with product.running() as running, office(running) as people:
        options.say("one decision after the other")
        figures = await _effects(people, options.repeats(60, 5))
        options.say("many decisions at once")
        figures += await _at_once(people, options.repeats(AT_ONCE, 5))
        options.say("duplicates")
        figures += await _duplicates(people, options.repeats(DUPLICATES, 10))
    return figures


async def _effects(people: Office, runs: int) -> list[Figure]:
    answered, ended, started, bare = [], [], [], []
    warm_up = 5
    workflow_id = await people.asking(people.voters[0])
    async with bare_workers(people.running):
        for number in range(warm_up + runs):
            effect = await _effect(people, workflow_id, f"effect-{number}")
            bare_ms = await _bare_effect(people.running)
            if number >= warm_up:
                answered.append(effect.answered_ms)
                ended.append(effect.ended_ms)
                started.append(effect.started_ms)
                bare.append(bare_ms)
    return [
        _spread("the next step starts", started, Target("value", "at most", 60), bare),
        _spread("its request has ended", ended),
        _spread("answered", answered),
    ]


@dataclass(frozen=True)
class _Effect:
    """What came of a decision, in milliseconds since it was sent."""

    answered_ms: float
    ended_ms: float
    started_ms: float


async def _effect(people: Office, workflow_id: str, key: str) -> _Effect:
    execution = await people.executed(workflow_id)
    approval = await people.open_request()
    await asyncio.sleep(_IDLE_S)
    decided, sent = time.time(), time.perf_counter()
    (await people.voters[0].decide(approval["id"], key)).raise_for_status()
    answered_ms = product.since(sent)
    await people.running.temporal.get_workflow_handle(execution["workflow_id"]).result()
    request = await people.running.timeline(approval["operation_id"])
    whole = await people.running.timeline(execution["workflow_id"])
    (following,) = [one for one in whole.activities if one.name == _NEXT]
    return _Effect(answered_ms, (request.closed - decided) * 1000, (following.started - decided) * 1000)


async def _bare_effect(running: product.Product) -> float:
    """Milliseconds from an update to the start of the next step, with nothing of ours."""
    job = DocumentJob(
        organisation_id=running.organisation_id,
        operation_id=new_id("op"),
        document_id="none",
        version_id=new_id("ver"),
    )
    asking = await running.bare.start_workflow(BareAsking.run, job, id=job.operation_id, task_queue=IO)
    await asyncio.sleep(_IDLE_S)
    decided = time.time()
    await running.bare.get_workflow_handle(request_of(job)).execute_update(BareRequest.decide, "approve")
    await asking.result()
    (following,) = (await running.timeline(asking.id)).activities
    return (following.started - decided) * 1000


def _spread(
    until: str, took_ms: Sequence[float], target: Target | None = None, bare_ms: Sequence[float] = ()
) -> Figure:
    median = float(np.median(took_ms))
    bare = f", of the bare engine {np.median(bare_ms):.1f} ms" if bare_ms else ""
    return Figure(
        GROUP, f"decision over HTTP → {until}, p95", "ms", float(np.percentile(took_ms, 95)),
        float(np.percentile(bare_ms, 95)) if bare_ms else None,
        target=target, note=f"median {median:.1f} ms{bare}; of {len(took_ms)}",
    )  # fmt: skip


async def _at_once(people: Office, requests: int) -> list[Figure]:
    ids = await asyncio.gather(*(people.ask(people.voters, "all") for _ in range(requests)))
    started = time.perf_counter()
    answers = await asyncio.gather(
        *(voter.decide(one, f"once-{one}-{voter.user_id}") for one in ids for voter in people.voters)
    )
    took_s = time.perf_counter() - started
    if refused := Counter(answer.text for answer in answers if not answer.is_success):
        msg = f"refused: {refused.most_common(3)}"
        raise RuntimeError(msg)
    closed = await asyncio.gather(*(people.until(one, lambda it: it["status"] == "closed") for one in ids))
    right = sum(one["outcome"] == "approved" for one in closed)
    expected = {"approval.opened": 1, "approval.decided": PEOPLE, "approval.completed": 1}
    database = Database(people.running.settings.database_url)
    try:
        async with database.transaction(people.organisation_id) as session:
            rows = (await session.execute(_AUDITED, {"ids": list(ids)})).all()
            messages, effects = (await session.execute(_SAID)).one()
    finally:
        await database.aclose()
    found = Counter({(row[0], row[1]): row[2] for row in rows})
    wrong = sum(found[one, action] != count for one in ids for action, count in expected.items())
    count = requests * PEOPLE
    lost = count - len(answers)
    exact = Target("value", "at most", 0)
    return [
        Figure(
            GROUP, f"{count} decisions at once on {requests} requests: lost, doubled or wrong", "",
            float(lost + wrong + (requests - right) + (messages - effects)), target=exact,
            note=f"{right} of {requests} outcomes right, {messages} messages",
        ),
        Figure(GROUP, f"{count} decisions at once", "decisions/s", count / took_s),
    ]  # fmt: skip


async def _duplicates(people: Office, copies: int) -> list[Figure]:
    approval_id = await people.ask(people.voters[:2], "all")
    answers = await asyncio.gather(*(people.voters[0].decide(approval_id, "same") for _ in range(copies)))
    different = len({answer.text for answer in answers if answer.is_success})
    database = Database(people.running.settings.database_url)
    try:
        async with database.transaction(people.organisation_id) as session:
            rows = (await session.execute(_AUDITED, {"ids": [approval_id]})).all()
    finally:
        await database.aclose()
    recorded = {row[1]: row[2] for row in rows}.get("approval.decided", 0)
    equal = sum(answer.is_success for answer in answers) if different == 1 else 0
    return [
        Figure(
            GROUP, f"{copies} duplicates of a decision: equal answers", "", float(equal),
            target=Target("value", "at least", copies), note=f"{recorded} recorded",
        )
    ]  # fmt: skip
