"""`classify_batch`: up to 10,000 texts and documents as one operation, each with its own outcome."""

import asyncio
from collections.abc import Awaitable, Callable

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.classification import ClassificationActivities, ClassificationTextActivities
    from perdure.schemas.classification import (
        ClassifiedPage,
        ClassifyBatchInput,
        ClassifyBatchResult,
        ClassifyJob,
    )
    from perdure.schemas.operations import OperationError, OperationInput
    from workflows import policies

from workflows.classify_document import WAITED_OUT, settle_open
from workflows.operation import Operation

# Of a page, eight texts are asked about at once: of small pages, and of two, more of a batch.
_ASKED_PAGE = 250
_ASKED_AT_ONCE = 2

Round = Callable[[ClassifyJob, str], Awaitable[ClassifiedPage]]


@workflow.defn
class ClassifyBatch(Operation):
    """Pages of texts are answered here, a few at a time; then models are asked about those that want one."""

    waits_out = WAITED_OUT
    _state: ClassifyBatchInput

    @workflow.run
    async def run(self, job: ClassifyBatchInput) -> ClassifyBatchResult:
        return await self.perform(job, lambda: self._classify(job))

    async def _classify(self, job: ClassifyBatchInput) -> ClassifyBatchResult:
        self._state = job
        self.report(done=job.done, total=job.total)
        whole = self._page(job, 0, job.total)
        if job.turn == 0:
            await self._pages(job, job.page_size, job.pages_in_flight, self._answer_page)
            if self._state.scored:
                page = await self.step(ClassificationActivities.decide_batch, whole, policies.IO)
                told = {"escalated": page.escalated, "done": page.done}
                self._state = self._state.model_copy(update=told)
                self.report(done=page.done)
            self._state = self._state.model_copy(update={"turn": 1, "first": 0})
        if self._state.escalated:
            size = min(job.page_size, _ASKED_PAGE)
            await self._pages(self._state, size, max(job.pages_in_flight, _ASKED_AT_ONCE), self._ask_page)
        return await self._summary(whole)

    async def _summary(self, whole: ClassifyJob) -> ClassifyBatchResult:
        """Counted in the task that writes the end: nothing else is under way then that a queue would serve."""
        summarise = ClassificationActivities.summarise_classification
        if not workflow.patched("classify-batch-summary-local-2026-11"):
            return await self.step(summarise, whole, policies.IO)
        await self.unpaused()
        self.report(step=summarise.__name__)
        return await workflow.execute_local_activity_method(summarise, whole, **policies.RECORD)

    async def _pages(self, job: ClassifyBatchInput, size: int, at_once: int, work: Round) -> None:
        """One round over all pages, from where the run before left off."""
        slots = asyncio.Semaphore(at_once)
        under_way: list[asyncio.Task[None]] = []

        async def one(page: ClassifyJob) -> None:
            try:
                outcome = await work(page, f"items {page.first + 1} to {page.last}")
                self._count(outcome)
            finally:
                slots.release()

        try:
            for number, first in enumerate(range(job.first, job.total, size)):
                await slots.acquire()
                await self.unpaused()
                for ended in [task for task in under_way if task.done()]:
                    under_way.remove(ended)
                    await ended
                if number == job.pages_in_run:
                    slots.release()
                    await asyncio.gather(*under_way)
                    await self._go_on(first)
                page = self._page(job, first, min(first + size, job.total))
                under_way.append(asyncio.create_task(one(page)))
            await asyncio.gather(*under_way)
        finally:
            for task in under_way:
                task.cancel()

    async def _answer_page(self, page: ClassifyJob, summary: str) -> ClassifiedPage:
        return await self.step(
            ClassificationTextActivities.classify_page, page, policies.CPU, summary=summary
        )

    async def _ask_page(self, page: ClassifyJob, summary: str) -> ClassifiedPage:
        return await self.step(ClassificationActivities.ask_model, page, policies.LONG_IO, summary=summary)

    def _count(self, page: ClassifiedPage) -> None:
        state = self._state
        update = {"done": max(state.done, page.done)}  # asking a model tells of the whole batch
        if state.turn == 0:
            update = {
                "done": state.done + page.done,
                "scored": state.scored + page.scored,
                "escalated": state.escalated + page.escalated,
            }
        self._state = state.model_copy(update=update)
        self.report(done=min(self._state.done, state.total))

    async def _go_on(self, first: int) -> None:
        """As a new run, before the history grows long; a pause that has come meanwhile is not lost."""
        while self._paused or not workflow.all_handlers_finished():
            await self.unpaused()
            await workflow.wait_condition(workflow.all_handlers_finished)
        workflow.continue_as_new(self._state.model_copy(update={"first": first}))

    @staticmethod
    def _page(job: ClassifyBatchInput, first: int, last: int) -> ClassifyJob:
        return ClassifyJob(
            organisation_id=job.organisation_id,
            operation_id=job.operation_id,
            operation_kind=job.kind,
            first=first,
            last=last,
        )

    async def settle(self, job: OperationInput, error: OperationError) -> None:
        """Items that were not reached end with this reason."""
        await settle_open(job, error)
