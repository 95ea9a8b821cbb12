"""Requests for approval: how they are opened, what becomes of them, and how they are shown."""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import bindparam, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from perdure.db.approval_effects import PUBLISHED
from perdure.db.approval_reading import approval_read
from perdure.db.messages import is_heard
from perdure.db.models import (
    ApiKeyRow,
    ApprovalAssigneeRow,
    ApprovalCommentRow,
    ApprovalEffectRow,
    ClassificationResultRow,
    DocumentRow,
    DocumentVersionRow,
    MembershipRow,
    OperationRow,
    UserRow,
    WorkflowApprovalRow,
)
from perdure.db.operation_repository import LockedOperation, OperationRepository, input_fields, workflow_id
from perdure.db.session import Database
from perdure.db.statements import FixedStatement, statements_of
from perdure.db.written_values import note_written, row_of
from perdure.domain.approval_effects import Outcome
from perdure.domain.approval_events import Opened
from perdure.domain.approval_policies import ApprovalPolicy, Principal, PrincipalKind, parse_policy
from perdure.domain.approval_state import ApprovalState, Status, TimerKind, next_timer
from perdure.domain.approvals import still_asked
from perdure.domain.audit import canonical_json
from perdure.domain.deciding import ResultStatus
from perdure.domain.ids import new_id
from perdure.domain.json_objects import Faults
from perdure.domain.roles import Role
from perdure.errors import FieldError, InvalidInputError, NotFoundError
from perdure.schemas.approval_requests import (
    KIND,
    PERSON,
    ApprovalOpened,
    ApprovalRead,
    CommentRead,
    OpenApproval,
    RequestApprovalInput,
)
from perdure.schemas.approvals import event_json, state_json, state_of
from perdure.schemas.operations import Subject

# An operation that another workflow starts: the outbox leaves it alone.
CHILD = "child of "
_USER, _EMAIL = "user:", "email:"

_APPROVAL, _OPERATION = WorkflowApprovalRow.__table__.columns, OperationRow.__table__.columns
_LOCK = FixedStatement(
    select(
        *_APPROVAL,
        *_OPERATION,
        func.clock_timestamp(),
        is_heard(WorkflowApprovalRow.organisation_id, PUBLISHED.values()),
    )
    .join(OperationRow, OperationRow.id == WorkflowApprovalRow.operation_id)
    .where(WorkflowApprovalRow.id == bindparam("approval_id"))
    .with_for_update(of=(WorkflowApprovalRow, OperationRow))
)
_SPOKEN_OF = FixedStatement("SELECT * FROM read_spoken_of(:organisation_id, :approval_id, :user_id)")
_WRITE = FixedStatement(
    """
    WITH asked AS (
        SELECT * FROM jsonb_to_recordset(CAST(:asked AS jsonb)) AS a (
            person text, stage text, seat text, standing text, since timestamptz, due_at timestamptz)
    ), gone AS (
        DELETE FROM approval_assignees g WHERE g.approval_id = :approval_id AND NOT EXISTS (
            SELECT FROM asked a WHERE a.person = g.person AND a.stage = g.stage AND a.seat = g.seat)
    ), told AS (
        INSERT INTO approval_assignees
            (organisation_id, approval_id, person, stage, seat, standing, since, due_at)
        SELECT :organisation_id, :approval_id, person, stage, seat, standing, since, due_at FROM asked
        ON CONFLICT (approval_id, person, stage, seat) DO UPDATE SET
            standing = EXCLUDED.standing, since = EXCLUDED.since, due_at = EXCLUDED.due_at
    )
    UPDATE workflow_approvals SET
        state = CAST(:state AS jsonb), sequence = :sequence, status = :status, revision = :revision,
        document_version = :document_version, outcome = :outcome, due_at = :due_at,
        opened_at = :opened_at, closed_at = :closed_at, updated_at = :updated_at
    WHERE id = :approval_id
    """
)


@dataclass(frozen=True)
class Shown:
    """What is decided on: a document's newest version, or only what the request says."""

    revision: str
    document_id: str | None = None
    document_version: int | None = None


@dataclass(frozen=True)
class SpokenOf:
    """A request as whoever tells it something needs it. `email`: of who speaks, when they have an account."""

    state: ApprovalState | None
    policy: Mapping[str, Any]
    revision: str
    is_closed: bool
    operation_id: str
    attempt: int
    is_started: bool
    email: str | None

    @property
    def workflow_id(self) -> str:
        """The workflow of its operation."""
        return workflow_id(self.operation_id, self.attempt)


@dataclass(frozen=True)
class LockedApproval:
    """A request and its operation, which nobody else writes; whether any program wants to hear of requests."""

    row: WorkflowApprovalRow
    operation: LockedOperation
    is_heard: bool


async def spoken_of(
    database: Database, organisation_id: str, approval_id: str, user_id: str = ""
) -> SpokenOf | None:
    """One request that a user speaks of, in one round trip; None when the organisation has none of this id."""
    given = {"organisation_id": organisation_id, "approval_id": approval_id, "user_id": user_id}
    row = next(iter(await database.rows(_SPOKEN_OF, given)), None)
    if row is None or row["operation_id"] is None:
        return None
    return SpokenOf(
        state=None if row["state"] is None else state_of(row["state"]),
        policy=row["policy"],
        revision=row["revision"],
        is_closed=row["closed_at"] is not None,
        operation_id=row["operation_id"],
        attempt=row["attempt"],
        is_started=row["run_id"] is not None,
        email=row["email"],
    )


class ApprovalRepository:
    """Approvals of the session's organisation; the caller owns the transaction."""

    def __init__(self, session: AsyncSession, organisation_id: str) -> None:
        self._session, self._organisation_id = session, organisation_id

    # Opening

    async def open(self, wanted: OpenApproval, *, operation_id: str | None = None) -> ApprovalOpened:
        """Write a request and its operation; a step that asks again gets the one it has, unless that was cancelled.

        Raises InvalidInputError with the place of each fault of the policy.
        """
        if wanted.execution_id is not None:
            found = await self._of_step(wanted)
            if found is not None and found.outcome != Outcome.CANCELLED:
                return await self.opened(found)
            if found is not None:
                # Its workflow was terminated or cancelled: that nobody answered is no answer.
                found.visit = None
                await self._session.flush()
        is_step = wanted.execution_id is not None
        policy = parse_policy(wanted.policy, "/body/policy", [role.value for role in Role])
        roles, people = await self._members()
        gone = [name for name in _named(policy) if name not in people]
        if gone and not is_step and wanted.result_id is None:
            raise _unknown(gone)
        shown = await self._shown(wanted)
        requester = _USER + await self._person(wanted.actor_id)
        event = Opened(
            key="opened",
            requester=requester,
            authors=await self._authors(wanted.authors),
            revision=shown.revision,
            roles=roles,
            addresses=await self._addresses(
                {one.name for one in _principals(policy) if one.kind is PrincipalKind.EMAIL}
            ),
        )
        approval_id = new_id("apr")
        operation = await OperationRepository(self._session).create(
            organisation_id=self._organisation_id,
            actor_id=wanted.actor_id,
            kind=KIND,
            summary="Approval",
            subject=Subject(type="approval", id=approval_id),
            input={
                "approval_id": approval_id,
                "policy": wanted.policy,
                "opened": event_json(event),
                "gone": gone,
            },
            operation_id=operation_id,
        )
        if is_step:
            operation.run_id = f"{CHILD}{wanted.operation_id}"
        row = WorkflowApprovalRow(
            id=approval_id,
            organisation_id=self._organisation_id,
            operation_id=operation.id,
            execution_id=wanted.execution_id,
            step_id=wanted.step_id,
            visit=wanted.visit if is_step else None,
            result_id=wanted.result_id,
            title=wanted.title,
            summary=wanted.summary,
            document_id=shown.document_id,
            document_version=shown.document_version,
            revision=shown.revision,
            evidence=[one.model_dump(mode="json") for one in wanted.evidence],
            policy=wanted.policy,
            requester=requester,
        )
        self._session.add(row)
        await self._session.flush()
        return await self.opened(row)

    async def opened(self, row: WorkflowApprovalRow) -> ApprovalOpened:
        """What the workflow of a request is told: the same whenever it is read."""
        operation = await OperationRepository(self._session).get(row.operation_id)
        if operation is None:
            raise NotFoundError(f"the operation of approval {row.id} is gone")
        return ApprovalOpened(
            approval_id=row.id,
            operation_id=row.operation_id,
            input=RequestApprovalInput.model_validate(input_fields(operation)),
        )

    async def operation(self, row: WorkflowApprovalRow) -> OperationRow | None:
        """The operation of a request."""
        return await OperationRepository(self._session).get(row.operation_id)

    async def _of_step(self, wanted: OpenApproval) -> WorkflowApprovalRow | None:
        statement = select(WorkflowApprovalRow).where(
            WorkflowApprovalRow.execution_id == wanted.execution_id,
            WorkflowApprovalRow.step_id == wanted.step_id,
            WorkflowApprovalRow.visit == wanted.visit,
        )
        return (await self._session.scalars(statement)).one_or_none()

    async def _shown(self, wanted: OpenApproval) -> Shown:
        if wanted.document_id is None:
            said = {
                "title": wanted.title,
                "summary": wanted.summary,
                "evidence": [one.model_dump(mode="json") for one in wanted.evidence],
            }
            return Shown(hashlib.sha256(canonical_json(said).encode("utf-8", "surrogatepass")).hexdigest())
        newest = await self.newest(wanted.document_id)
        if newest is None:
            raise NotFoundError(
                f"no document {wanted.document_id} that is ready: check the id, or list GET /api/v1/documents"
            )
        return newest

    async def newest(self, document_id: str) -> Shown | None:
        """The newest version of a document that is ready; None when there is none."""
        statement = (
            select(DocumentVersionRow.sha256, DocumentVersionRow.number)
            .join(DocumentRow, DocumentRow.id == DocumentVersionRow.document_id)
            .where(DocumentRow.id == document_id, DocumentVersionRow.number == DocumentRow.version)
        )
        found = (await self._session.execute(statement)).one_or_none()
        if found is None or found.sha256 is None:
            return None
        return Shown(found.sha256, document_id, found.number)

    async def _members(self) -> tuple[dict[str, tuple[str, ...]], set[str]]:
        """Who has which role, and everybody who is there."""
        rows = await self._session.execute(
            select(MembershipRow.role, MembershipRow.user_id)
            .where(MembershipRow.organisation_id == self._organisation_id)
            .order_by(MembershipRow.user_id)
        )
        roles: dict[str, list[str]] = {role.value: [] for role in Role}
        people = set[str]()
        for role, user_id in rows:
            roles.setdefault(role, []).append(_USER + user_id)
            people.add(_USER + user_id)
        return {role: tuple(members) for role, members in roles.items()}, people

    async def roles(self) -> dict[str, tuple[str, ...]]:
        """Who has which role."""
        return (await self._members())[0]

    async def people(self) -> set[str]:
        """Everybody who is there."""
        return (await self._members())[1]

    async def _person(self, actor_id: str) -> str:
        """The user behind an actor: of an API key, who made it."""
        key = await self._session.get(ApiKeyRow, actor_id)
        return key.created_by if key is not None else actor_id

    async def _authors(self, said: Sequence[str]) -> tuple[str, ...]:
        """Who wrote it, by the names under which they decide."""
        people = _people_of(said)
        members = await self._addresses(
            {one.removeprefix(_EMAIL) for one in people if one.startswith(_EMAIL)}
        )
        return tuple(dict.fromkeys(members.get(one.removeprefix(_EMAIL), one) for one in people))

    async def _addresses(self, wanted: Collection[str]) -> dict[str, str]:
        """Those of the addresses that are members': whoever has an account decides as themselves."""
        if not wanted:
            return {}
        rows = await self._session.execute(
            select(UserRow.email, UserRow.id)
            .join(MembershipRow, MembershipRow.user_id == UserRow.id)
            .where(UserRow.email.in_(sorted(wanted)), MembershipRow.organisation_id == self._organisation_id)
        )
        return {email: _USER + user_id for email, user_id in rows}

    # What becomes of them

    async def get(self, approval_id: str) -> WorkflowApprovalRow | None:
        """One request."""
        return await self._session.get(WorkflowApprovalRow, approval_id)

    async def lock(self, approval_id: str) -> LockedApproval | None:
        """One request, which nobody else writes until the transaction ends, nor its operation: in one round trip."""
        found = await (await statements_of(self._session)).rows(_LOCK, {"approval_id": approval_id})
        if not found:
            return None
        *columns, at, heard = found[0]
        row = row_of(WorkflowApprovalRow, columns[: len(_APPROVAL)])
        operation = row_of(OperationRow, columns[len(_APPROVAL) :])
        return LockedApproval(row, (operation, at), is_heard=heard)

    async def happened(self, approval_id: str, effect: str) -> bool:
        """Whether something that happens once had happened; from now on it has."""
        added = await self._session.scalar(
            insert(ApprovalEffectRow)
            .values(organisation_id=self._organisation_id, approval_id=approval_id, effect=effect)
            .on_conflict_do_nothing(index_elements=["approval_id", "effect"])
            .returning(ApprovalEffectRow.effect)
        )
        return added is None

    async def refused(self, approval_id: str, effect_id: str) -> bool:
        """Whether this refusal is on record; from now on it is."""
        digest = hashlib.sha256(effect_id.encode("utf-8", "surrogatepass")).hexdigest()
        return await self.happened(approval_id, f"refused:{digest}")

    async def write(self, row: WorkflowApprovalRow, policy: ApprovalPolicy, state: ApprovalState) -> None:
        """Keep a state, and who is asked by it: in one round trip."""
        version = row.document_version
        if row.document_id is not None and state.revision != row.revision:
            version = await self._version_of(row.document_id, state.revision)
        written = {
            "state": state_json(state),
            "sequence": state.sequence,
            "status": state.status.value,
            "revision": state.revision,
            "document_version": version,
            "outcome": state.outcome.value if state.outcome else None,
            "due_at": due_at(state),
            "opened_at": row.opened_at or state.at,
            "closed_at": state.at if state.status is Status.CLOSED else None,
            "updated_at": datetime.now(UTC),
        }
        given = {
            "organisation_id": self._organisation_id,
            "approval_id": row.id,
            "asked": json.dumps(assignees(policy, state)),
            "state": json.dumps(written["state"]),
        }
        await (await statements_of(self._session)).rows(_WRITE, {**written, **given})
        note_written(row, written)

    async def _version_of(self, document_id: str, revision: str) -> int | None:
        statement = select(func.max(DocumentVersionRow.number)).where(
            DocumentVersionRow.document_id == document_id, DocumentVersionRow.sha256 == revision
        )
        return (await self._session.execute(statement)).scalar_one()

    async def changed_document(self, row: WorkflowApprovalRow) -> Shown | None:
        """What is to be shown now; None when the document is gone."""
        return await self.newest(row.document_id) if row.document_id is not None else None

    async def is_answered(self, row: WorkflowApprovalRow) -> bool:
        """Whether the label that it asks for was told in another way."""
        result = await self._session.get(ClassificationResultRow, row.result_id) if row.result_id else None
        return result is not None and result.status != ResultStatus.OPEN

    async def asked_and_gone(self, approval_id: str) -> Sequence[str]:
        """Who is asked and has left the organisation."""
        statement = (
            select(ApprovalAssigneeRow.person)
            .where(ApprovalAssigneeRow.approval_id == approval_id)
            .where(ApprovalAssigneeRow.person.startswith(_USER))
            .where(
                ~select(MembershipRow.user_id)
                .where(
                    MembershipRow.organisation_id == self._organisation_id,
                    MembershipRow.user_id == func.substr(ApprovalAssigneeRow.person, len(_USER) + 1),
                )
                .exists()
            )
            .distinct()
            .order_by(ApprovalAssigneeRow.person)
        )
        return list(await self._session.scalars(statement))

    async def open_ids(self, after: str = "", limit: int = 200) -> Sequence[str]:
        """Requests that are open, by id."""
        statement = (
            select(WorkflowApprovalRow.id)
            .where(WorkflowApprovalRow.closed_at.is_(None), WorkflowApprovalRow.id > after)
            .where(WorkflowApprovalRow.organisation_id == self._organisation_id)
            .order_by(WorkflowApprovalRow.id)
            .limit(limit)
        )
        return list(await self._session.scalars(statement))

    async def known_roles(
        self, approval_ids: Collection[str]
    ) -> Sequence[tuple[str, int, Mapping[str, Sequence[str]]]]:
        """Of those that are open of these: id, number of the state, and who has which role in it."""
        row = WorkflowApprovalRow
        statement = (
            select(row.id, row.sequence, row.state["roles"])
            .where(row.id.in_(approval_ids))
            .where(row.closed_at.is_(None), row.state.is_not(None))
            .order_by(row.id)
        )
        return [(found[0], found[1], found[2]) for found in await self._session.execute(statement)]

    async def of_operation(self, operation_id: str, *, lock: bool = False) -> WorkflowApprovalRow | None:
        """The request of an operation."""
        statement = select(WorkflowApprovalRow).where(WorkflowApprovalRow.operation_id == operation_id)
        if lock:
            statement = statement.with_for_update()
        return (await self._session.scalars(statement)).one_or_none()

    # Comments

    async def comment(self, approval_id: str, person: str, content: str) -> CommentRead:
        """Say something beside the decisions."""
        row = ApprovalCommentRow(
            id=new_id("cmt"),
            organisation_id=self._organisation_id,
            approval_id=approval_id,
            person=person,
            content=content,
        )
        self._session.add(row)
        await self._session.flush()
        await self._session.refresh(row)
        return _comment(row)

    async def comments(self, approval_id: str, limit: int = 500) -> list[CommentRead]:
        """What was said, oldest first."""
        statement = (
            select(ApprovalCommentRow)
            .where(ApprovalCommentRow.approval_id == approval_id)
            .order_by(ApprovalCommentRow.id)
            .limit(limit)
        )
        return [_comment(row) for row in await self._session.scalars(statement)]

    # Showing

    async def read(self, approval_id: str, now: datetime | None = None) -> ApprovalRead | None:
        """A request with all that can be known about it."""
        row = await self.get(approval_id)
        if row is None:
            return None
        title = None
        if row.document_id is not None:
            title = await self._session.scalar(
                select(DocumentRow.title).where(DocumentRow.id == row.document_id)
            )
        return approval_read(row, await self.comments(row.id), title, now or datetime.now(UTC))


def due_at(state: ApprovalState) -> datetime | None:
    """By when something is to happen."""
    if state.status is Status.PENDING:
        return state.stage.due_at
    timer = next_timer(state)
    return timer.at if timer is not None and timer.kind is TimerKind.REVISION else None


def assignees(policy: ApprovalPolicy, state: ApprovalState) -> list[Mapping[str, Any]]:
    """Who is asked by a state, each once for each seat."""
    found: dict[tuple[str, str, str], Mapping[str, Any]] = {}
    for one in still_asked(policy, state, state.at):
        stage = state.stage
        standings = [(person, "stands_in" if one.stands_in else "asked") for person in one.people]
        standings += [(person, "delegate") for person in one.delegates]
        for person, standing in standings:
            found.setdefault(
                (person, one.stage, one.seat or ""),
                {
                    "person": person,
                    "stage": one.stage,
                    "seat": one.seat or "",
                    "standing": standing,
                    "since": stage.opened_at.isoformat(),
                    "due_at": stage.due_at.isoformat() if stage.due_at else None,
                },
            )
    return list(found.values())


def held_state(row: WorkflowApprovalRow) -> ApprovalState | None:
    """The state that is kept; None before the workflow has begun."""
    return None if row.state is None else state_of(row.state)


def _comment(row: ApprovalCommentRow) -> CommentRead:
    return CommentRead(id=row.id, by=row.person, text=row.content, created_at=row.created_at)


def _people_of(said: Sequence[str]) -> list[str]:
    """Authors as `user:…` and `email:…`; InvalidInputError names the place of each that is none."""
    faults = Faults()
    people = []
    for index, one in enumerate(said):
        bare = one.strip().removeprefix(_EMAIL).removeprefix(_USER)
        person = f"{_EMAIL}{bare.lower()}" if "@" in bare else f"{_USER}{bare}"
        if not PERSON.fullmatch(person):
            faults.add(f"/input/authors/{index}", f"is {one[:60]!r}: neither the id of a user nor an address")
        people.append(person)
    faults.raise_for("request for approval")
    return people


def _principals(policy: ApprovalPolicy) -> list[Principal]:
    found: list[Principal] = []
    for stage in policy.stages:
        found += [one.principal for one in stage.approvers]
        found += [*stage.veto, *stage.required, *stage.escalate_to]
    return found


def _named(policy: ApprovalPolicy) -> list[str]:
    users = (str(one) for one in _principals(policy) if one.kind is PrincipalKind.USER)
    return list(dict.fromkeys(users))


def _unknown(people: Collection[str]) -> InvalidInputError:
    detail = f"no member of the organisation: {', '.join(people)}; see GET /api/v1/members"
    return InvalidInputError(detail, [FieldError("/body/policy/stages", detail)])


CHANGED = text("SELECT id, organisation_id FROM find_changed_approvals(:after, :limit)")
OPEN = text("SELECT id, organisation_id, knows_members FROM find_open_approvals(:after, :limit)")
