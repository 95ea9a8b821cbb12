"""`remember`: what was said becomes memories, in the order in which it was accepted."""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.fact_extraction import FactActivities
    from activities.memories import MemoryActivities, MemoryTextActivities
    from perdure.schemas.memories import FactJob, MemoryJob, RememberInput, RememberResult
    from workflows import policies

from workflows.operation import Operation

# A writer that was terminated from outside answers nobody: it is told again.
TELL_AGAIN = timedelta(seconds=30)
# So many calls of a language model one request is worth.
MOST_READINGS = 50


@workflow.defn
class Remember(Operation):
    """Cut and embed, then wait for the subject's writer, which writes one request after the other."""

    def __init__(self) -> None:
        super().__init__()
        self._answered = False
        self._written: RememberResult | None = None

    @workflow.run
    async def run(self, job: RememberInput) -> RememberResult:
        return await self.perform(job, lambda: self._remember(job))

    @workflow.signal
    def written(self, result: RememberResult | None) -> None:
        """The writer is done; without a result, the space has changed its model meanwhile."""
        self._answered, self._written = True, result

    async def _remember(self, job: RememberInput) -> RememberResult:
        task = MemoryJob(
            organisation_id=job.organisation_id,
            operation_id=job.operation_id,
            space_id=job.space_id,
            subject_key=job.subject_key,
            workflow_id=workflow.info().workflow_id,
        )
        while True:
            prepared = await self.step(MemoryTextActivities.prepare_memories, task, policies.CPU)
            self.report(done=0, total=prepared.count)
            result = await self._write(task)
            if result is not None:
                self.report(done=prepared.count)
                return await self._extract(task, result) if prepared.extracts else result

    async def _extract(self, task: MemoryJob, result: RememberResult) -> RememberResult:
        """What was said is written: draw facts from it, as long as a language model answers."""
        count, place = 0, ""
        for _ in range(MOST_READINGS):
            job = FactJob(
                organisation_id=task.organisation_id,
                operation_id=task.operation_id,
                space_id=task.space_id,
                after=place,
            )
            extracted = await self.step(FactActivities.extract_facts, job, policies.IO)
            count += extracted.count
            if extracted.after is None:
                return result.model_copy(update={"facts": count, "facts_missing": extracted.missing})
            place = extracted.after
        missing = f"only the first {MOST_READINGS} parts of the request were read"
        return result.model_copy(update={"facts": count, "facts_missing": missing})

    async def _write(self, task: MemoryJob) -> RememberResult | None:
        self._answered = False
        while not self._answered:
            await self.step(MemoryActivities.hand_over, task, policies.IO)
            try:
                await workflow.wait_condition(lambda: self._answered, timeout=TELL_AGAIN)
            except TimeoutError:
                continue
        return self._written
