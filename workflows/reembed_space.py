"""`reembed_space`: new vectors for a space, while the old ones serve until the new are complete."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.reembedding import ReembeddingActivities
    from perdure.schemas.documents import ReembedJob, ReembedSpaceInput, ReembedSpaceResult
    from workflows import policies

from workflows.operation import Operation


@workflow.defn
class ReembedSpace(Operation):
    """Page through the chunks that have no vector of the new model, then switch in one transaction."""

    @workflow.run
    async def run(self, job: ReembedSpaceInput) -> ReembedSpaceResult:
        return await self.perform(job, lambda: self._reembed(job))

    async def _reembed(self, job: ReembedSpaceInput) -> ReembedSpaceResult:
        done = job.done
        task = ReembedJob(
            organisation_id=job.organisation_id,
            operation_id=job.operation_id,
            space_id=job.space_id,
            model=job.model,
        )
        while True:
            page = await self.step(ReembeddingActivities.embed_missing, task, policies.CPU)
            done += page.count
            self.report(done=done, total=max(done, page.total))
            if page.count:
                if workflow.info().is_continue_as_new_suggested():
                    await workflow.wait_condition(workflow.all_handlers_finished)
                    workflow.continue_as_new(job.model_copy(update={"done": done}))
                continue
            switched = await self.step(ReembeddingActivities.switch_model, task, policies.IO)
            if switched is not None:
                return switched
