"""Executions of document workflows whose steps do what a test says, on a server of their own."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from temporalio import activity
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from perdure.domain.ids import new_id
from perdure.errors import PerdureError
from perdure.schemas.approval_requests import ApprovalOpened, OpenApproval, RequestApprovalInput
from perdure.schemas.approval_transitions import TransitionJob, TransitionWritten
from perdure.schemas.operations import OperationStatus, StatusChange
from perdure.schemas.workflow_executions import (
    OpenSubWorkflow,
    RunDocumentWorkflowInput,
    RunDocumentWorkflowResult,
    StepJob,
    StepOutput,
    StepsRecord,
)
from worker import sandbox
from workflows import queues
from workflows.request_approval import RequestApproval
from workflows.run_document_workflow import RunDocumentWorkflow

Handle = WorkflowHandle[RunDocumentWorkflow, RunDocumentWorkflowResult]
Does = Callable[[StepJob], Awaitable[dict[str, Any]]]
POLICY = {"stages": [{"id": "review", "approvers": [{"user": "ann"}], "rule": "any"}]}


def http(identifier: str, *needs: str, **more: Any) -> dict[str, Any]:
    """A step with an effect."""
    return {
        "id": identifier,
        "type": "http",
        "needs": list(needs),
        "with": {"url": f"https://example.com/{identifier}"},
        "retry": {"attempts": 1},
        **more,
    }


def flow(*steps: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A definition."""
    return {"name": "Test", "steps": list(steps), **more}


def failing(kind: str = "broken", detail: str = "It broke.") -> Does:
    """Fails for good."""

    async def fail(job: StepJob) -> dict[str, Any]:
        raise ApplicationError(detail, type=kind, non_retryable=True)

    return fail


class Steps:
    """Does what tests say for a step, and remembers everything that it was asked."""

    def __init__(self) -> None:
        self.does: dict[str, Does] = {}
        self.jobs: list[StepJob] = []
        self.statuses: list[str] = []
        self.records: list[StepsRecord] = []
        self.workflows: dict[str, dict[str, Any]] = {}
        self.asked: list[OpenApproval] = []
        self.opened: dict[str, RunDocumentWorkflowInput] = {}
        self.under_way: Counter[str] = Counter()
        self.most_at_once = 0

    @property
    def effects(self) -> list[str]:
        """What was done, in order."""
        return [job.effect_id.partition(":")[2] for job in self.jobs]

    def state(self) -> dict[str, Any]:
        """What the next attempt would go on from."""
        kept = [record.state for record in self.records if record.state is not None]
        assert kept
        return kept[-1]

    def written(self) -> dict[str, str]:
        """The last that was written of each step."""
        return {step.step_id: step.state.value for record in self.records for step in record.steps}

    async def _do(self, job: StepJob) -> StepOutput:
        self.jobs.append(job)
        self.under_way[job.execution_id] += 1
        self.most_at_once = max(self.most_at_once, self.under_way[job.execution_id])
        try:
            does = self.does.get(job.step_id.rpartition(".")[2])
            return StepOutput(output=await does(job) if does else {"n": len(self.jobs)})
        finally:
            self.under_way[job.execution_id] -= 1

    @activity.defn
    async def http_step(self, job: StepJob) -> StepOutput:
        """A step."""
        return await self._do(job)

    @activity.defn
    async def classify_step(self, job: StepJob) -> StepOutput:
        """A step on the other queue; what it `held` is asked a model."""
        output = await self._do(job)
        held = output.output.pop("held", None)
        return output.model_copy(update={"held": held})

    @activity.defn
    async def ask_model_step(self, job: StepJob) -> StepOutput:
        """What a step before has held."""
        return StepOutput(output={"label": job.held["ask"]})

    @activity.defn
    async def record_status(self, change: StatusChange) -> None:
        """Remember."""
        self.statuses.append(change.status.value)

    @activity.defn
    async def record_steps(self, record: StepsRecord) -> None:
        """Remember."""
        self.records.append(record)
        if record.end is not None:
            self.statuses.append(record.end.status.value)

    @activity.defn
    async def open_sub_workflow(self, job: OpenSubWorkflow) -> RunDocumentWorkflowInput:
        """One of the workflows of the test."""
        definition = self.workflows[job.workflow_id]
        return self.opened.setdefault(
            job.operation_id,
            execution(definition, operation_id=job.operation_id, input=job.input, depth=job.depth),
        )

    @activity.defn
    async def open_approval(self, job: OpenApproval) -> ApprovalOpened:
        """A request to `user:ann`."""
        self.asked.append(job)
        approval_id, operation_id = new_id("apr"), new_id("op")
        opened = {
            "kind": "opened",
            "key": "opened",
            "requester": "user:req",
            "revision": "a" * 64,
            "roles": {},
        }
        given = RequestApprovalInput(
            approval_id=approval_id,
            policy=job.policy,
            opened=opened,
            operation_id=operation_id,
            organisation_id=job.organisation_id,
            actor_id="usr_1",
            kind="request_approval",
            created_at=datetime.now(UTC),
        )
        return ApprovalOpened(approval_id=approval_id, operation_id=operation_id, input=given)

    @activity.defn
    async def record_transition(self, job: TransitionJob) -> TransitionWritten:
        """Nothing stands in its way."""
        return TransitionWritten()

    @asynccontextmanager
    async def serving(self, client: Client) -> AsyncIterator[None]:
        """Workers of both queues."""
        async with (
            Worker(
                client,
                task_queue=queues.IO,
                workflows=[RunDocumentWorkflow, RequestApproval],
                activities=[
                    self.http_step,
                    self.ask_model_step,
                    self.record_status,
                    self.record_steps,
                    self.open_sub_workflow,
                    self.open_approval,
                    self.record_transition,
                ],
                workflow_runner=sandbox(),
                workflow_failure_exception_types=[PerdureError],
                # Every workflow task replays from the start: what is not deterministic fails.
                max_cached_workflows=0,
            ),
            Worker(client, task_queue=queues.CPU, activities=[self.classify_step]),
        ):
            yield


def execution(definition: dict[str, Any], **fields: Any) -> RunDocumentWorkflowInput:
    """An execution of a definition."""
    return RunDocumentWorkflowInput(
        **{
            "operation_id": new_id("op"),
            "organisation_id": "org_1",
            "actor_id": "usr_1",
            "kind": "run_document_workflow",
            "created_at": datetime.now(UTC),
            "execution_id": new_id("exe"),
            "definition": definition,
            **fields,
        }
    )


async def started(client: Client, job: RunDocumentWorkflowInput) -> Handle:
    """An execution that runs."""
    return await client.start_workflow(
        RunDocumentWorkflow.run, job, id=f"{job.operation_id}.{new_id('run')}", task_queue=queues.IO
    )


async def until(holds: Callable[[], Awaitable[bool] | bool]) -> None:
    """Wait for something to be so."""
    for _ in range(600):
        found = holds()
        if found if isinstance(found, bool) else await found:
            return
        await asyncio.sleep(0.05)
    raise TimeoutError(holds)


async def carried_out(
    environment: WorkflowEnvironment, steps: Steps, definition: dict[str, Any], **fields: Any
) -> RunDocumentWorkflowResult:
    async with steps.serving(environment.client):
        handle = await started(environment.client, execution(definition, **fields))
        return await asyncio.wait_for(handle.result(), 30)


async def refused(
    environment: WorkflowEnvironment, steps: Steps, definition: dict[str, Any], **fields: Any
) -> ApplicationError:
    with pytest.raises(WorkflowFailureError) as failure:
        await carried_out(environment, steps, definition, **fields)
    cause = failure.value.cause
    assert isinstance(cause, ApplicationError)
    return cause


async def is_at(handle: Handle, step: str, state: str) -> bool:
    seen = await handle.query(RunDocumentWorkflow.execution)
    return any(one.step_id == step and one.state == state for one in seen.steps)


async def status_is(handle: Handle, status: OperationStatus) -> bool:
    return (await handle.query(RunDocumentWorkflow.status)).status is status
