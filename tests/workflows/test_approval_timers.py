"""Deadlines of approvals, on the server that skips time: reminders and escalations over a month, each once and in time.

The record is the real one; whoever asks it between two timers lets no time be skipped meanwhile.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from temporalio.client import WorkflowHandle
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities.approvals import ApprovalActivities
from activities.operations import OperationActivities
from perdure.db.approvals import ApprovalRepository, held_state
from perdure.db.audit_trail import AuditFilter, AuditTrail
from perdure.db.identity_repository import IdentityRepository
from perdure.db.models import MessageRow
from perdure.db.session import Database
from perdure.domain.approval_effects import Outcome
from perdure.domain.approval_state import ApprovalState, Closing
from perdure.domain.ids import new_id
from perdure.domain.roles import Role
from perdure.errors import PerdureError
from perdure.schemas.approval_requests import ApprovalOpened, ApprovalResult, OpenApproval
from perdure.schemas.approvals import SimulationCreate, simulated
from worker import sandbox
from workflows import queues
from workflows.request_approval import RequestApproval

SECRET = b"a secret of the tests, long enough"
SILENT = timedelta(minutes=2)

pytestmark = pytest.mark.time_skipping


async def _people(database: Database, organisation_id: str, count: int) -> list[str]:
    async with database.transaction(organisation_id) as session:
        identities = IdentityRepository(session)
        found = []
        for _ in range(count):
            user = await identities.create_user(f"{new_id('usr')}@example.org", "A", "-")
            assert user is not None
            await identities.add_member(organisation_id, user.id, Role.APPROVER)
            found.append(user.id)
    return found


def _policy(ann: str, ben: str, boss: str) -> dict[str, Any]:
    hours = {day: ["09:00-17:00"] for day in ("mon", "tue", "wed", "thu", "fri")}
    return {
        "stages": [
            {
                "id": "review",
                "approvers": [{"user": ann}, {"user": ben}],
                "rule": "all",
                "due_in": "5 business days",
                "reminders": [0.25, 0.5, {"before": "2 business hours"}],
                "on_timeout": "escalate",
                "escalate_to": [{"user": boss}],
                "escalated_due_in": "30 days",
            }
        ],
        "calendar": {"time_zone": "Europe/Berlin", "hours": hours},
    }


@asynccontextmanager
async def _served(environment: WorkflowEnvironment, database: Database) -> AsyncIterator[None]:
    approvals = ApprovalActivities(database.transaction, SECRET)
    async with Worker(
        environment.client,
        task_queue=queues.IO,
        workflows=[RequestApproval],
        activities=[
            approvals.open_approval,
            approvals.read_signals,
            approvals.record_transition,
            OperationActivities(database.transaction).record_status,
        ],
        workflow_runner=sandbox(),
        workflow_failure_exception_types=[PerdureError],
    ):
        yield


async def _asked(
    environment: WorkflowEnvironment,
    database: Database,
    organisation_id: str,
    policy: dict[str, Any],
    actor: str,
) -> tuple[ApprovalOpened, WorkflowHandle[RequestApproval, ApprovalResult]]:
    wanted = OpenApproval(
        organisation_id=organisation_id, actor_id=actor, title="A lease", policy=policy, execution_id=new_id("exe"),
        step_id="approve",
    )  # fmt: skip
    async with database.transaction(organisation_id) as session:
        opened = await ApprovalRepository(session, organisation_id).open(wanted)
    handle = await environment.client.start_workflow(
        RequestApproval.run, opened.input, id=opened.operation_id, task_queue=queues.IO
    )
    return opened, handle


async def _kept(database: Database, organisation_id: str, approval_id: str) -> ApprovalState:
    async with database.transaction(organisation_id) as session:
        row = await ApprovalRepository(session, organisation_id).get(approval_id)
        assert row is not None
        state = held_state(row)
        assert state is not None
        return state


async def test_a_month_of_silence_reminds_and_escalates_in_time_and_once(
    environment: WorkflowEnvironment, database: Database, organisation_id: str
) -> None:
    ann, ben, boss, owner = await _people(database, organisation_id, 4)
    policy = _policy(ann, ben, boss)
    async with _served(environment, database):
        opened, handle = await _asked(environment, database, organisation_id, policy, owner)
        result = await asyncio.wait_for(handle.result(), 60)
    assert (result.outcome, result.closed_by) == (Outcome.REJECTED, Closing.DEADLINE)

    state = await _kept(database, organisation_id, opened.approval_id)
    begun = state.stages[0].opened_at
    played = simulated(
        SimulationCreate(policy=policy, requester=f"user:{owner}", revision=state.revision), begun
    )
    async with database.transaction(organisation_id) as session:
        found = await AuditTrail(session, organisation_id).list(
            AuditFilter(subject=opened.approval_id), limit=200
        )
        recorded = [one.event.action for one in reversed(found)]
        rows = await session.scalars(
            select(MessageRow)
            .where(MessageRow.effect.startswith(f"{opened.approval_id}:"))
            .order_by(MessageRow.id)
        )
        said = [row.effect for row in rows]
    expected = [effect for moment in played.timeline for effect in moment.effects]
    assert recorded == [f"approval.{one['entry']}" for one in expected if one["kind"] == "record"]
    assert len(said) == len(set(said))
    assert len(said) == sum(
        len(one.get("people") or one.get("to") or ())
        for one in expected
        if one["kind"] in {"notify", "remind", "escalate"}
    )
    assert state.at - begun > timedelta(days=35)


async def test_timers_come_within_two_seconds_of_their_time(
    environment: WorkflowEnvironment, database: Database, organisation_id: str
) -> None:
    ann, ben, boss, owner = await _people(database, organisation_id, 4)
    policy = _policy(ann, ben, boss)
    policy["stages"][0]["reminders"] = [number / 10 for number in range(1, 10)]
    async with _served(environment, database):
        opened, handle = await _asked(environment, database, organisation_id, policy, owner)
        await asyncio.wait_for(handle.result(), 60)
        history = await handle.fetch_history()
    state = await _kept(database, organisation_id, opened.approval_id)
    played = simulated(
        SimulationCreate(policy=policy, requester=f"user:{owner}", revision=state.revision),
        state.stages[0].opened_at,
    )
    due = [moment.at for moment in played.timeline if moment.event["kind"] == "timer_due"]
    fired: list[datetime] = [
        event.event_time.ToDatetime(due[0].tzinfo)
        for event in history.events
        if event.HasField("timer_fired_event_attributes")
    ]
    assert len(fired) == len(due) == 20
    late = [at - wanted for at, wanted in zip(fired, due, strict=True)]
    assert timedelta(seconds=-1) < min(late)
    assert max(late) < timedelta(seconds=2)
