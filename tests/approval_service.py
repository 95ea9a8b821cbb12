"""People of an organisation who ask and decide through the service behind the routes, and what is on record of it."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sqlalchemy import select, text

from api.approvals import Approvals
from api.authentication import Principal
from perdure.db.audit_trail import AuditFilter, AuditTrail
from perdure.db.identity_repository import IdentityRepository
from perdure.db.models import ApprovalAssigneeRow, MessageRow
from perdure.db.session import Database
from perdure.domain.approval_events import Decided, Decision
from perdure.domain.audit import Actor, ActorKind
from perdure.domain.ids import new_id
from perdure.domain.roles import Role, scopes_of
from perdure.schemas.approval_requests import ApprovalAnswered, ApprovalCreate, ApprovalRead
from perdure.schemas.operations import OperationRead
from tests.accounts import Account

Found = TypeVar("Found")


async def eventually(ask: Callable[[], Awaitable[Found]], holds: Callable[[Found], bool]) -> Found:
    """What is found once something holds of it."""
    async with asyncio.timeout(60):
        while not holds(found := await ask()):  # noqa: ASYNC110  # the record is in another process's hands
            await asyncio.sleep(0.02)
    return found


def policy_for(people: Sequence[str], rule: object = "any", **stage: Any) -> dict[str, Any]:
    """A policy of one stage for users."""
    approvers = [{"user": person.removeprefix("user:")} for person in people]
    return {"stages": [{"id": "review", "approvers": approvers, "rule": rule, **stage}]}


@dataclass
class Team:
    """An organisation with an owner, who asks, and members, who decide."""

    approvals: Approvals
    database: Database
    organisation_id: str
    owner: str
    people: list[str] = field(default_factory=list)

    @classmethod
    async def gathered(cls, approvals: Approvals, database: Database, members: int = 3) -> "Team":
        """A new one."""
        organisation_id = new_id("org")
        async with database.transaction(organisation_id) as session:
            identities = IdentityRepository(session)
            await identities.create_organisation(organisation_id, "Team")
            people = []
            for number in range(members + 1):
                user = await identities.create_user(f"{new_id('usr')}@example.org", f"Person {number}", "-")
                assert user is not None
                role = Role.APPROVER if number else Role.OWNER
                await identities.add_member(organisation_id, user.id, role)
                people.append(f"user:{user.id}")
        return cls(approvals, database, organisation_id, people[0], people[1:])

    @classmethod
    async def around(cls, approvals: Approvals, database: Database, account: Account) -> "Team":
        """The organisation of an account, whose user asks, with somebody else who decides."""
        owner = (await account.get("/auth/me"))["user"]["id"]
        async with database.transaction(account.organisation_id) as session:
            identities = IdentityRepository(session)
            user = await identities.create_user(f"{new_id('usr')}@example.org", "Ben", "-")
            assert user is not None
            await identities.add_member(account.organisation_id, user.id, Role.APPROVER)
        return cls(approvals, database, account.organisation_id, f"user:{owner}", [f"user:{user.id}"])

    def caller(self) -> Principal:
        """The owner."""
        user_id = self.owner.removeprefix("user:")
        scopes = frozenset(scopes_of(Role.OWNER))
        return Principal(self.organisation_id, user_id, user_id, Role.OWNER, scopes, "access_token")

    async def ask(self, **given: Any) -> OperationRead:
        """Ask for an approval; its operation."""
        body = ApprovalCreate(**{"title": "A lease", "policy": policy_for(self.people), **given})
        return (await self.approvals.request(self.caller(), body)).operation

    async def asked(self, **given: Any) -> ApprovalRead:
        """Ask, and wait until people are asked."""
        operation = await self.ask(**given)
        assert operation.subject is not None
        return await self.until(operation.subject.id, lambda one: one.sequence > 0)

    async def read(self, approval_id: str) -> ApprovalRead:
        """The request now."""
        return await self.approvals.read(self.organisation_id, approval_id)

    async def until(self, approval_id: str, holds: Callable[[ApprovalRead], bool]) -> ApprovalRead:
        """The request once something holds of it."""
        return await eventually(lambda: self.read(approval_id), holds)

    async def decide(
        self,
        approval: ApprovalRead,
        person: str,
        decision: Decision = Decision.APPROVE,
        *,
        key: str | None = None,
        **said: Any,
    ) -> ApprovalAnswered:
        """Decide as somebody."""
        told = {
            "revision": approval.revision,
            "comment": "" if decision is Decision.APPROVE else "Because.",
            **said,
        }
        event = Decided(key=key or new_id("key"), by=person, decision=decision, **told)
        return await self.approvals.tell(self.organisation_id, approval.id, event, self.actor(person))

    @staticmethod
    def actor(person: str) -> Actor:
        """Somebody, from an address."""
        user_id = person.removeprefix("user:")
        return Actor(ActorKind.USER, user_id, user_id, "req_1", "192.0.2.7")

    async def trail(self, approval_id: str) -> list[tuple[str, str | None]]:
        """What the audit trail has of a request, oldest first: actions and codes."""
        return [(action, said.get("code")) for action, said in await self.trail_details(approval_id)]

    async def trail_details(self, approval_id: str) -> list[tuple[str, dict[str, Any]]]:
        """The same with all details."""
        async with self.database.transaction(self.organisation_id) as session:
            trail = AuditTrail(session, self.organisation_id)
            events = await trail.list(AuditFilter(subject=approval_id), limit=200)
        return [(one.event.action, json.loads(one.event.details)) for one in reversed(events)]

    async def messages(self, approval_id: str) -> list[tuple[str, str | None]]:
        """What is said to whom: kinds and recipients, in order."""
        async with self.database.transaction(self.organisation_id) as session:
            rows = await session.scalars(select(MessageRow).order_by(MessageRow.id))
            return [(row.kind, row.recipient) for row in rows if row.effect.startswith(f"{approval_id}:")]

    async def inbox(self, person: str) -> list[str]:
        """Requests that wait for somebody, the next due first."""
        async with self.database.transaction(self.organisation_id) as session:
            row = ApprovalAssigneeRow
            found = await session.scalars(
                select(row.approval_id).where(row.person == person).order_by(row.due_at, row.approval_id)
            )
            return list(found)

    async def leaves(self, person: str) -> None:
        """Let somebody leave the organisation, and nobody say so."""
        async with self.database.transaction(self.organisation_id) as session:
            await IdentityRepository(session).remove_member(
                self.organisation_id, person.removeprefix("user:")
            )

    async def operation_status(self, operation_id: str) -> str:
        """The status on record."""
        async with self.database.transaction(self.organisation_id) as session:
            statement = text("SELECT status FROM operations WHERE id = :id")
            return str(await session.scalar(statement, {"id": operation_id}))
