"""Proposals wait for decisions: by signal, by the API, or until their deadline, which may be weeks away."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from temporalio import activity
from temporalio.client import WorkflowHandle
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from perdure.schemas.evolution import (
    DecisionJob,
    ExpiryJob,
    OpenProposals,
    ProposalBatch,
    ProposalDecision,
)
from worker import sandbox
from workflows import queues
from workflows.evolve_memory import DecideProposals

pytestmark = pytest.mark.time_skipping


@dataclass
class Decisions:
    """Proposals in memory, each with its deadline; notes what was decided."""

    open: dict[str, datetime]
    decided: dict[str, str] = field(default_factory=dict)

    def _left(self) -> OpenProposals:
        return OpenProposals(count=len(self.open), deadline=min(self.open.values(), default=None))

    @activity.defn
    async def decide_proposal(self, job: DecisionJob) -> OpenProposals:
        if self.open.pop(job.proposal_id, None):
            self.decided[job.proposal_id] = (
                f"{'accepted' if job.accepted else 'declined'} by {job.decided_by}"
            )
        return self._left()

    @activity.defn
    async def expire_proposals(self, job: ExpiryJob) -> OpenProposals:
        for proposal_id in [each for each, deadline in self.open.items() if deadline <= job.now]:
            del self.open[proposal_id]
            self.decided[proposal_id] = "expired"
        return self._left()


async def eventually(condition: Callable[[], bool]) -> None:
    """Time is skipped; what is done then takes a moment."""
    async with asyncio.timeout(60):
        met = condition()
        while not met:
            await asyncio.sleep(0.02)
            met = condition()


async def started(
    environment: WorkflowEnvironment, decisions: Decisions
) -> WorkflowHandle[DecideProposals, None]:
    batch = ProposalBatch(organisation_id="org_1", operation_id="op_1", deadline=min(decisions.open.values()))
    return await environment.client.start_workflow(
        DecideProposals.run, batch, id="op_1.proposals", task_queue=queues.CPU
    )


async def test_what_nobody_decides_about_expires_at_its_deadline(environment: WorkflowEnvironment) -> None:
    now = await environment.get_current_time()
    decisions = Decisions({"prp_1": now + timedelta(days=14), "prp_2": now + timedelta(days=30)})
    async with Worker(
        environment.client,
        task_queue=queues.CPU,
        workflows=[DecideProposals],
        activities=[decisions.decide_proposal, decisions.expire_proposals],
        workflow_runner=sandbox(),
    ):
        handle = await started(environment, decisions)
        await environment.sleep(timedelta(days=13))
        assert decisions.decided == {}
        await environment.sleep(timedelta(days=2))
        await eventually(lambda: decisions.decided == {"prp_1": "expired"})
        await handle.result()
        assert decisions.decided == {"prp_1": "expired", "prp_2": "expired"}
        assert await environment.get_current_time() - now >= timedelta(days=30)


async def test_signals_decide_and_the_last_one_ends_it(environment: WorkflowEnvironment) -> None:
    deadline = datetime.now(UTC) + timedelta(days=14)
    decisions = Decisions({"prp_1": deadline, "prp_2": deadline})
    async with Worker(
        environment.client,
        task_queue=queues.CPU,
        workflows=[DecideProposals],
        activities=[decisions.decide_proposal, decisions.expire_proposals],
        workflow_runner=sandbox(),
    ):
        handle = await started(environment, decisions)
        await handle.signal("accept_proposal", ProposalDecision(proposal_id="prp_1", decided_by="usr_1"))
        await handle.signal("decline_proposal", ProposalDecision(proposal_id="prp_2", decided_by="usr_2"))
        await handle.result()
    assert decisions.decided == {"prp_1": "accepted by usr_1", "prp_2": "declined by usr_2"}
