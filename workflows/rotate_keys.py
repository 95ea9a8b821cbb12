"""`rotate_keys`: a new data key for an organisation, and everything that is sealed under it, while all goes on."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.encryption import EncryptionActivities
    from perdure.schemas.encryption import (
        KeyRotationJob,
        ReencryptedPage,
        ReencryptJob,
        RotateKeysInput,
        RotateKeysResult,
    )
    from workflows import policies

from workflows.operation import Operation

# The result names so many; the log of the worker names all.
NAMED_UNREADABLE = 20


@workflow.defn
class RotateKeys(Operation):
    """Make the key, put old ones under the current master key, page through the values, retire the old keys."""

    @workflow.run
    async def run(self, job: RotateKeysInput) -> RotateKeysResult:
        return await self.perform(job, lambda: self._rotate(job))

    async def _rotate(self, job: RotateKeysInput) -> RotateKeysResult:
        task = KeyRotationJob(organisation_id=job.organisation_id, operation_id=job.operation_id)
        made = await self.step(EncryptionActivities.make_data_key, task, policies.IO)
        await self.step(EncryptionActivities.rewrap_data_keys, task, policies.IO)
        total = job.done + made.remaining
        while True:
            self.report(done=job.done, total=max(job.done, total))
            page = await self.step(
                EncryptionActivities.reencrypt_page,
                ReencryptJob(**task.model_dump(), position=job.position, done=job.done, total=total),
                policies.IO,
                summary=job.position.column if job.position else None,
            )
            job = _after(job, page)
            if job.position is None:
                break
            if workflow.info().is_continue_as_new_suggested():
                await workflow.wait_condition(workflow.all_handlers_finished)
                workflow.continue_as_new(job)
        self.report(done=job.done, total=job.done)
        result = await self.step(EncryptionActivities.retire_data_keys, task, policies.IO)
        return result.model_copy(update={"reencrypted": job.reencrypted, "unreadable": job.unreadable})


def _after(job: RotateKeysInput, page: ReencryptedPage) -> RotateKeysInput:
    """The input that goes on after a page."""
    return job.model_copy(
        update={
            "position": page.position,
            "done": job.done + page.count + len(page.unreadable),
            "reencrypted": job.reencrypted + page.count,
            "unreadable": [*job.unreadable, *page.unreadable][:NAMED_UNREADABLE],
        }
    )
