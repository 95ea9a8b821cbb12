"""`ingest_batch`: up to 10,000 sources as one operation, each with its own outcome."""

import asyncio

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from activities.batches import BatchActivities
    from activities.indexing import MODEL_CHANGED
    from activities.texts import TextActivities
    from perdure.schemas.documents import (
        BatchSummaryJob,
        ExpandJob,
        IngestBatchInput,
        IngestBatchResult,
        PageJob,
    )
    from perdure.schemas.operations import OperationError, OperationInput
    from workflows import policies

from workflows.ingest_document import settle_rest
from workflows.operation import Operation, is_failure


@workflow.defn
class IngestBatch(Operation):
    """Expand into items, then pages of items through prepare, embed and index, a few pages at a time."""

    @workflow.run
    async def run(self, job: IngestBatchInput) -> IngestBatchResult:
        return await self.perform(job, lambda: self._ingest(job))

    async def _ingest(self, job: IngestBatchInput) -> IngestBatchResult:
        scope = {"organisation_id": job.organisation_id, "operation_id": job.operation_id}
        expand = ExpandJob(**scope, source=job.source, page_size=job.page_size)
        outcome = await self.step(BatchActivities.expand_batch, expand, policies.IO)
        self.report(done=outcome.done, total=outcome.total)
        slots = asyncio.Semaphore(job.pages_in_flight)
        # Runs from before prepared as many pages at once as were in flight.
        at_once = 1 if workflow.patched("ingest-batch-prepare-in-turn-2026-11") else job.pages_in_flight
        preparing, embedding = asyncio.Semaphore(at_once), asyncio.Lock()
        pages: list[asyncio.Task[None]] = []
        try:
            for number, first in enumerate(range(0, outcome.total, job.page_size)):
                await slots.acquire()
                await self.unpaused()
                last = min(first + job.page_size, outcome.total)
                page = PageJob(**scope, number=number, first=first, last=last)
                pages.append(asyncio.create_task(self._page(page, slots, preparing, embedding)))
            await asyncio.gather(*pages)
        finally:
            for page_task in pages:
                page_task.cancel()
        summary = BatchSummaryJob(**scope, source_key=job.source.object_key)
        return await self.step(BatchActivities.summarise_batch, summary, policies.IO)

    async def _page(
        self, page: PageJob, slots: asyncio.Semaphore, preparing: asyncio.Semaphore, embedding: asyncio.Lock
    ) -> None:
        """One page. Each stage takes one at a time: embedding starts early, and a pause stops it at the next."""
        try:
            items = f"items {page.first + 1} to {page.last}"
            async with preparing:
                unit = await self.step(BatchActivities.prepare_page, page, policies.CPU, summary=items)
            while True:
                async with embedding:
                    await self.step(TextActivities.embed_document, unit, policies.CPU, summary=items)
                try:
                    outcome = await self.step(BatchActivities.index_page, unit, policies.IO, summary=items)
                    break
                except ActivityError as error:
                    if not is_failure(error, MODEL_CHANGED):
                        raise
            self.report(done=outcome.done, total=outcome.total)
        finally:
            slots.release()

    async def settle(self, job: OperationInput, error: OperationError) -> None:
        """Items that were not reached end with this reason."""
        await settle_rest(job, error)
