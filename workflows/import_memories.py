"""`import_memories`: the lines of a file become memories, page by page."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.memory_imports import NAMED_REFUSALS, MemoryImportActivities
    from perdure.schemas.memories import (
        ImportedPage,
        ImportJob,
        ImportMemoriesInput,
        ImportMemoriesResult,
    )
    from workflows import policies

from workflows.operation import Operation


@workflow.defn
class ImportMemories(Operation):
    """Read, embed and write a page, then the next; the progress counts bytes of the file."""

    @workflow.run
    async def run(self, job: ImportMemoriesInput) -> ImportMemoriesResult:
        return await self.perform(job, lambda: self._import(job))

    async def _import(self, job: ImportMemoriesInput) -> ImportMemoriesResult:
        result = job.result or ImportMemoriesResult()
        task = ImportJob(
            organisation_id=job.organisation_id,
            operation_id=job.operation_id,
            space_id=job.space_id,
            object_key=job.source.object_key,
            position=job.position,
            line=job.line,
        )
        while True:
            page = await self.step(MemoryImportActivities.import_page, task, policies.CPU)
            result = _after(result, page)
            if page.position is None:
                break
            self.report(done=page.position, total=page.size_bytes)
            task = task.model_copy(update={"position": page.position, "line": page.line})
            if workflow.info().is_continue_as_new_suggested():
                await workflow.wait_condition(workflow.all_handlers_finished)
                reached = {"position": page.position, "line": page.line, "result": result}
                workflow.continue_as_new(job.model_copy(update=reached))
        self.report(done=page.size_bytes, total=page.size_bytes)
        await self.step(MemoryImportActivities.discard_import, task, policies.CPU)
        return result


def _after(result: ImportMemoriesResult, page: ImportedPage) -> ImportMemoriesResult:
    """The counts with those of one more page."""
    names = ("remembered", "corrected", "duplicates", "recalled", "forgotten", "refused")
    counts = {name: getattr(result, name) + getattr(page, name) for name in names}
    refusals = [*result.refusals, *page.refusals][:NAMED_REFUSALS]
    return result.model_copy(update={**counts, "lines": page.line, "refusals": refusals})
