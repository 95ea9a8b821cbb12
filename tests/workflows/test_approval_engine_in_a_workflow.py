"""A workflow in the sandbox keeps an approval with the engine, and comes to what the simulator says, to the second.

The workflow is the smallest there can be; what is held against each other is the engine under a workflow's clock and
durable timers, and the engine in the simulator.
"""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest
from temporalio import workflow
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

with workflow.unsafe.imports_passed_through():
    from perdure.domain.approval_events import Opened, TimerDue
    from perdure.domain.approval_policies import parse_policy
    from perdure.domain.approval_state import next_timer
    from perdure.domain.approvals import Transition, advance, begin
    from perdure.schemas.approvals import (
        SimulationCreate,
        effect_json,
        event_of,
        simulated,
        state_json,
        state_of,
    )
    from worker import sandbox

QUEUE = "approvals"
SHOWN = "a" * 64
POLICY: dict[str, Any] = {
    "stages": [
        {
            "id": "review",
            "approvers": [{"user": "ann"}, {"user": "ben"}],
            "rule": "all",
            "due_in": "5 business days",
            "reminders": [0.25, 0.5, {"before": "2 business hours"}],
            "on_timeout": "escalate",
            "escalate_to": [{"user": "boss"}],
            "escalated_due_in": "30 days",
        }
    ],
    "calendar": {
        "time_zone": "Europe/Berlin",
        "hours": {day: ["09:00-17:00"] for day in ("mon", "tue", "wed", "thu", "fri")},
    },
}

pytestmark = pytest.mark.time_skipping


@workflow.defn
class KeepApproval:
    """One approval: its state goes through JSON at each step, as continue-as-new would do with it."""

    def __init__(self) -> None:
        self._told: list[dict[str, Any]] = []
        self._effects: list[tuple[str, dict[str, Any]]] = []

    @workflow.run
    async def run(self, policy_json: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
        policy = parse_policy(policy_json)
        opened = Opened(key="opened", requester="user:requester", revision=SHOWN)
        state = self._kept(begin(policy, opened, workflow.now()))
        while state.outcome is None:
            timer = next_timer(state)
            left = None if timer is None else timer.at - workflow.now()
            try:
                await workflow.wait_condition(lambda: bool(self._told), timeout=left)
            except TimeoutError:
                event = TimerDue(timer=timer.id if timer else "")
                state = self._kept(advance(policy, state, event, workflow.now()))
            while self._told:
                told = event_of(self._told.pop(0))
                assert told is not None
                state = self._kept(advance(policy, state, told, workflow.now()))
        return self._effects

    def _kept(self, step: Transition) -> Any:
        at = workflow.now().isoformat(timespec="seconds")
        self._effects += [(at, effect_json(effect)) for effect in step.effects]
        return state_of(state_json(step.state))

    @workflow.signal
    def tell(self, event: dict[str, Any]) -> None:
        self._told.append(event)


async def test_silence_ends_in_a_workflow_as_it_does_in_the_simulator(
    environment: WorkflowEnvironment,
) -> None:
    async with Worker(
        environment.client, task_queue=QUEUE, workflows=[KeepApproval], workflow_runner=sandbox()
    ):
        effects: list[tuple[str, dict[str, Any]]] = await asyncio.wait_for(
            environment.client.execute_workflow(KeepApproval.run, POLICY, id="approval", task_queue=QUEUE), 60
        )
    begun = datetime.fromisoformat(effects[0][1]["at"])
    played = simulated(SimulationCreate(policy=POLICY, revision=SHOWN), begun)
    expected = [(moment.at, effect) for moment in played.timeline for effect in moment.effects]
    assert [what(effect) for _, effect in effects] == [what(effect) for _, effect in expected]
    late = [datetime.fromisoformat(at) - due for (at, _), (due, _) in zip(effects, expected, strict=True)]
    assert timedelta(seconds=-1) < min(late)
    assert max(late) < timedelta(seconds=2)
    assert begun + timedelta(days=35) < datetime.fromisoformat(effects[-1][0])


def what(effect: dict[str, Any]) -> tuple[Any, ...]:
    """An effect without its instants, which are a moment late in a workflow."""
    return tuple((name, value) for name, value in effect.items() if name not in {"at", "due_at"})
