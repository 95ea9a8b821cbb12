"""Steps of document workflows, carried out by the activities that the worker serves, on the real servers."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

from temporalio.client import Client
from temporalio.testing import ActivityEnvironment

from activities import carried
from activities.document_steps import ASK_MODEL, STEP_ACTIVITIES
from perdure.domain.ids import new_id
from perdure.domain.workflow_definitions import StepType
from perdure.schemas.workflow_executions import StepJob, StepOutput
from tests.accounts import Account
from workflows import queues


@dataclass(frozen=True)
class Steps:
    """Carries out steps, and asks the model where a step has held something: as the workflow does."""

    activities: dict[str, Callable[[StepJob], Awaitable[StepOutput]]]
    temporal: Client

    async def output(self, job: StepJob) -> dict[str, Any]:
        """What the steps after see."""
        given = await self.once(STEP_ACTIVITIES[StepType(job.type)].name, job)
        if given.held is not None:
            given = await self.once(ASK_MODEL.name, job.model_copy(update={"held": given.held}))
        return given.output

    async def once(self, name: str, job: StepJob) -> StepOutput:
        """One activity, once; its argument and result as Temporal hands them over."""
        environment = ActivityEnvironment(client=self.temporal)
        environment.info = replace(environment.info, task_queue=queues.IO)

        async def attempt() -> StepOutput:
            carried.begin()
            return await self.activities[name](StepJob.model_validate_json(job.model_dump_json()))

        given = await environment.run(attempt)
        return StepOutput.model_validate_json(given.model_dump_json())


def a_job(account: Account, type_: str, step_id: str = "one", **settings: Any) -> StepJob:
    """A step of an execution of its own; `document_id` and `input` go to the job, all else is its `with`."""
    return StepJob(
        organisation_id=account.organisation_id,
        operation_id=settings.pop("operation_id", None) or new_id("op"),
        execution_id=settings.pop("execution_id", None) or new_id("exe"),
        step_id=step_id,
        type=type_,
        document_id=settings.pop("document_id", None),
        input=settings.pop("input", {}),
        actor_id="usr_00000000000000000000000000",
        settings=settings,
    )
