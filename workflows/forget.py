"""`forget`: memories go from every view at once, and do not come back."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.memories import MemoryActivities
    from perdure.schemas.memories import ForgetInput, ForgetResult, MemoryJob
    from workflows import policies

from workflows.operation import Operation


@workflow.defn
class Forget(Operation):
    """One transaction; its receipt is the result."""

    @workflow.run
    async def run(self, job: ForgetInput) -> ForgetResult:
        return await self.perform(job, lambda: self._forget(job))

    async def _forget(self, job: ForgetInput) -> ForgetResult:
        task = MemoryJob(
            organisation_id=job.organisation_id, operation_id=job.operation_id, space_id=job.space_id
        )
        return await self.step(MemoryActivities.forget_memories, task, policies.IO)
