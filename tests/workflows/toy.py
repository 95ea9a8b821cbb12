"""A kind of operation that the tests steer: as small as a kind can be."""

from collections import Counter
from datetime import timedelta

from temporalio import activity, workflow

with workflow.unsafe.imports_passed_through():
    from perdure.schemas.base import Contract
    from perdure.schemas.operations import OperationError, OperationInput
    from workflows import policies
    from workflows.policies import ActivityPolicy

from workflows.operation import Operation


class CountInput(OperationInput):
    """Count to `goal`, one step each."""

    goal: int = 3
    pause_s: float = 0.0
    fail_at: int = 0
    over_budget: int = 0
    looks_again_s: float | None = None


class CountJob(Contract):
    """One step."""

    organisation_id: str
    operation_id: str
    number: int
    pause_s: float = 0.0
    fails: bool = False
    over_budget: int = 0


class CountResult(Contract):
    """How far it got."""

    reached: int


POLICY: ActivityPolicy = {
    **policies.IO,
    "task_queue": "toy",
    "start_to_close_timeout": timedelta(seconds=20),
}


class CountActivities:
    """Remembers what it did, so that a test can see it."""

    def __init__(self) -> None:
        self.watched = ""
        self.counted: list[int] = []
        self.settled: list[str] = []
        self.outages = 0
        self.refused: Counter[str] = Counter()

    @activity.defn
    async def count_one(self, job: CountJob) -> int:
        """Count, or fail as told."""
        import asyncio  # noqa: PLC0415  # the module is also loaded inside the workflow sandbox

        from temporalio.exceptions import ApplicationError  # noqa: PLC0415

        from activities.failures import failures  # noqa: PLC0415
        from perdure.errors import BudgetReachedError  # noqa: PLC0415

        await asyncio.sleep(job.pause_s)
        if self.refused[job.operation_id] < job.over_budget:
            self.refused[job.operation_id] += 1
            with failures():
                raise BudgetReachedError("nothing is left to count with", None, "budget")
        if self.outages:
            self.outages -= 1
            msg = "the abacus is away"
            raise ConnectionError(msg)
        if job.fails:
            raise ApplicationError("the abacus broke", type="broken-abacus", non_retryable=True)
        # What an operation before, which was cancelled, still does is not this one's.
        if self.watched in ("", job.operation_id):
            self.counted.append(job.number)
        return job.number

    @activity.defn
    async def settle_count(self, job: CountJob) -> None:
        """Note that the operation ended early."""
        self.settled.append(job.operation_id)


@workflow.defn
class Count(Operation):
    """Counts."""

    @workflow.run
    async def run(self, job: CountInput) -> CountResult:
        return await self.perform(job, lambda: self._count(job))

    async def _count(self, job: CountInput) -> CountResult:
        if job.looks_again_s is not None:
            self._held = (timedelta(seconds=job.looks_again_s),) * 2
        for number in range(1, job.goal + 1):
            step = self._job_of(job, number)
            await self.step(CountActivities.count_one, step, POLICY)
            self.report(done=number, total=job.goal)
        return CountResult(reached=job.goal)

    async def settle(self, job: OperationInput, error: OperationError) -> None:
        """Say that it ended early."""
        await workflow.execute_activity_method(
            CountActivities.settle_count,
            CountJob(organisation_id=job.organisation_id, operation_id=job.operation_id, number=0),
            **POLICY,
        )

    @staticmethod
    def _job_of(job: CountInput, number: int) -> CountJob:
        return CountJob(
            organisation_id=job.organisation_id,
            operation_id=job.operation_id,
            number=number,
            pause_s=job.pause_s,
            fails=number == job.fail_at,
            over_budget=job.over_budget,
        )
