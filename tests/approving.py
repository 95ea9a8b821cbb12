"""People who ask and decide, and requests that are open."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from fastapi import FastAPI

from tests.accounts import PASSWORD, Account, registered

Json = dict[str, Any]


@dataclass(frozen=True)
class Colleague(Account):
    """Somebody of an organisation, under the names that an approval knows."""

    user_id: str
    email: str

    @property
    def person(self) -> str:
        """As the engine writes it."""
        return f"user:{self.user_id}"

    async def told(self, approval_id: str, verb: str, expected: int = 200, /, **body: Any) -> Json:
        """Tell an approval something; the answer."""
        sent: Json = {"json": body} if body or verb in {"decision", "delegate", "reassign"} else {}
        answer = await self.http.post(f"/api/v1/approvals/{approval_id}/{verb}", **sent)
        assert answer.status_code == expected, answer.text
        answered: Json = answer.json()
        return answered

    async def inbox(self, **wanted: Any) -> list[str]:
        """Ids of what waits for this person, the next due first."""
        page = await self.get("/approvals", assignee="me", **wanted)
        return [item["id"] for item in page["items"]]


@dataclass(frozen=True)
class Office:
    """An owner, who asks, and two approvers."""

    owner: Colleague
    ada: Colleague
    ben: Colleague


@asynccontextmanager
async def joined(product: FastAPI, owner: Account, role: str = "approver") -> AsyncIterator[Colleague]:
    """Somebody who has joined the owner's organisation, logged in there."""
    async with registered(product) as person:
        user = (await person.get("/auth/me"))["user"]
        await owner.post("/members", 201, json={"email": user["email"], "role": role})
        yield await logged_in(person.http, owner.organisation_id, user["email"])


async def logged_in(http: httpx.AsyncClient, organisation_id: str, email: str) -> Colleague:
    """The person in an organisation."""
    body = {"email": email, "password": PASSWORD, "organisation_id": organisation_id}
    answer = await http.post("/api/v1/auth/login", json=body)
    assert answer.status_code == 200, answer.text
    http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
    return Colleague(http, organisation_id, answer.json()["user"]["id"], email)


@asynccontextmanager
async def office(product: FastAPI) -> AsyncIterator[Office]:
    """A fresh organisation."""
    async with AsyncExitStack() as stack:
        owner = await stack.enter_async_context(registered(product))
        ada = await stack.enter_async_context(joined(product, owner))
        ben = await stack.enter_async_context(joined(product, owner))
        me = (await owner.get("/auth/me"))["user"]
        yield Office(Colleague(owner.http, owner.organisation_id, me["id"], me["email"]), ada, ben)


def users(*people: Colleague) -> list[Json]:
    """Approvers by name."""
    return [{"user": one.user_id} for one in people]


def policy(approvers: Sequence[Json], rule: Any = "any", /, **more: Any) -> Json:
    """One stage."""
    stage: Json = {"id": "first", "approvers": list(approvers), "rule": rule}
    whole: Json = {name: more.pop(name) for name in ("delegation", "may_reassign") if name in more}
    return {"stages": [stage | more], **whole}


async def requested(asker: Account, rules: Json, title: str = "Invoice 17", **more: Any) -> str:
    """The id of a request, once it is open."""
    operation = await asker.post("/approvals", json={"title": title, "policy": rules, **more})
    approval_id: str = operation["subject"]["id"]
    await until_open(asker, approval_id)
    return approval_id


async def until_open(account: Account, approval_id: str) -> Json:
    """The request, once its workflow has begun."""
    async with asyncio.timeout(60):
        while True:
            approval = await account.get(f"/approvals/{approval_id}")
            if approval["sequence"] > 0:
                return approval
            await asyncio.sleep(0.02)
