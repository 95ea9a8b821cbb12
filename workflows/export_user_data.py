"""`export_user_data`: everything of a person, or of an organisation, as one archive that can be had for a while."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.exports import ExportActivities
    from perdure.schemas.operations import OperationError, OperationInput
    from perdure.schemas.privacy import (
        ArchiveJob,
        ExportJob,
        ExportRowsJob,
        ExportUserDataInput,
        ExportUserDataResult,
    )
    from workflows import policies

from workflows.operation import Operation


@workflow.defn
class ExportUserData(Operation):
    """Read all tables piece by piece, make the archive, note until when it is kept."""

    @workflow.run
    async def run(self, job: ExportUserDataInput) -> ExportUserDataResult:
        return await self.perform(job, lambda: self._export(job))

    async def _export(self, job: ExportUserDataInput) -> ExportUserDataResult:
        task = _task(job)
        if not job.parts:
            plan = await self.step(ExportActivities.plan_export, task, policies.IO)
            job = job.model_copy(update={"total": plan.rows})
        while True:
            done = sum(part.rows for part in job.parts)
            self.report(done=done, total=max(done, job.total))
            page = await self.step(
                ExportActivities.export_rows,
                ExportRowsJob(**task.model_dump(), position=job.position, done=done, total=job.total),
                policies.IO,
                summary=job.position.table if job.position else None,
            )
            parts = [*job.parts, page.part] if page.part else job.parts
            job = job.model_copy(update={"parts": parts, "position": page.position})
            if job.position is None:
                break
            if workflow.info().is_continue_as_new_suggested():
                await workflow.wait_condition(workflow.all_handlers_finished)
                workflow.continue_as_new(job)
        archive = ArchiveJob(**task.model_dump(), parts=job.parts)
        archived = await self.step(ExportActivities.assemble_archive, archive, policies.LONG_IO)
        concluded = ArchiveJob(**task.model_dump(), archived=archived)
        return await self.step(ExportActivities.conclude_export, concluded, policies.IO)

    async def settle(self, job: OperationInput, error: OperationError) -> None:
        """Nothing of an export that did not end well stays."""
        if isinstance(job, ExportUserDataInput):
            await workflow.execute_activity_method(ExportActivities.discard_export, _task(job), **policies.IO)


def _task(job: ExportUserDataInput) -> ExportJob:
    return ExportJob(
        organisation_id=job.organisation_id,
        operation_id=job.operation_id,
        user_id=job.user_id,
        created_at=job.created_at,
    )
