"""`delete_user_data`: everything of a person, or of an organisation, goes, and a receipt stays."""

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.erasure import ErasureActivities
    from perdure.schemas.privacy import DeleteUserDataInput, DeleteUserDataResult, ErasureJob
    from workflows import policies

from workflows.operation import Operation

STEPS = 7
# What was under way when access ended may still have written something.
ROUNDS = 5


@workflow.defn
class DeleteUserData(Operation):
    """End access and work, count, delete histories, objects and rows, look again, sign the receipt."""

    @workflow.run
    async def run(self, job: DeleteUserDataInput) -> DeleteUserDataResult:
        return await self.perform(job, lambda: self._erase(job))

    async def _erase(self, job: DeleteUserDataInput) -> DeleteUserDataResult:
        task = ErasureJob(
            organisation_id=job.organisation_id, operation_id=job.operation_id, user_id=job.user_id
        )
        self.report(done=0, total=STEPS)
        await self.step(ErasureActivities.begin_erasure, task, policies.IO)
        await self.step(ErasureActivities.end_work, task, policies.IO)
        await self.step(ErasureActivities.take_inventory, task, policies.IO)
        for _ in range(ROUNDS):
            self.report(done=3)
            await self.step(ErasureActivities.erase_histories, task, policies.IO)
            self.report(done=4)
            await self.step(ErasureActivities.erase_objects, task, policies.IO)
            self.report(done=5)
            while (await self.step(ErasureActivities.erase_rows, task, policies.IO)).more:
                pass
            self.report(done=6)
            left = await self.step(ErasureActivities.look_again, task, policies.IO)
            if not left.done:
                return await self.step(ErasureActivities.conclude_erasure, task, policies.IO)
        detail = (
            f"{left.done} things are left after {ROUNDS} rounds: something still writes; retry the operation"
        )
        raise ApplicationError(detail, type="data-left", non_retryable=True)
