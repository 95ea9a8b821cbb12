"""Batches: a source becomes items, a page of items becomes one unit."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from pydantic import TypeAdapter
from temporalio import activity

from activities.failures import failures
from activities.indexing import IndexActivities
from activities.pages import PagePreparation
from activities.sources import SourceActivities, file_pieces, upload_key
from activities.texts import TextActivities, work_prefix
from perdure.db.batch_repository import BatchRepository
from perdure.db.operation_repository import OperationRepository
from perdure.db.planner_statistics import refresh_planner_statistics
from perdure.db.session import Transaction
from perdure.domain.archives import ArchiveLimits, expand, skipped
from perdure.errors import DocumentRejectedError
from perdure.ports.models import EmbeddingModel
from perdure.ports.storage import ObjectStore
from perdure.schemas.documents import (
    BatchItem,
    BatchSummaryJob,
    DocumentCreate,
    DocumentFields,
    DocumentStatus,
    ExpandJob,
    IngestBatchResult,
    PageJob,
    PageOutcome,
    Reason,
    UnitJob,
)

ITEMS = TypeAdapter(list[BatchItem])
CREATES = TypeAdapter(list[DocumentCreate])
TITLE_CHARACTERS = 80
RETRYABLE = {DocumentStatus.FAILED.value, DocumentStatus.QUARANTINED.value}


def page_key(organisation_id: str, operation_id: str, number: int) -> str:
    """Key of the items of a page."""
    return f"{work_prefix(organisation_id, operation_id)}/page-{number}.json"


class BatchActivities:
    """Side effects of batches. Each is safe to run twice: settled items are passed over."""

    def __init__(
        self,
        transaction: Transaction,
        objects: ObjectStore,
        sources: SourceActivities,
        texts: TextActivities | None,
        index: IndexActivities,
        model: EmbeddingModel,
    ) -> None:
        self._transaction, self._objects, self._model = transaction, objects, model
        self._sources, self._texts, self._index = sources, texts, index

    @activity.defn
    async def expand_batch(self, job: ExpandJob) -> PageOutcome:
        """Write the items and their pages. A second run writes the same again; a zip's members have fixed keys."""
        with failures():
            ordinal = 0
            page: list[BatchItem] = []
            async for item in self._items(job):
                page.append(item)
                ordinal += 1
                if len(page) == job.page_size:
                    await self._write_page(job, page)
                    page = []
            if page:
                await self._write_page(job, page)
            if not ordinal:
                detail = "the archive holds no file that could be ingested"
                raise DocumentRejectedError(Reason.EMPTY, detail)
        return await self._outcome(job.organisation_id, job.operation_id)

    @activity.defn
    async def prepare_page(self, job: PageJob) -> UnitJob:
        """Fetch, detect, parse and chunk the open items of a page; what fails is settled with its reason."""
        if self._texts is None:
            msg = "prepare_page runs on the cpu queue"
            raise RuntimeError(msg)
        with failures():
            stored = await self._objects.get(page_key(job.organisation_id, job.operation_id, job.number))
            items = ITEMS.validate_json(stored)
            preparation = PagePreparation(self._transaction, self._objects, self._sources, self._texts, job)
            unit = await preparation.run(items, self._model)
            return await self._texts.store_unit(
                job.organisation_id, job.operation_id, f"page-{job.number}", unit, "ingest_batch"
            )

    @activity.defn
    async def index_page(self, job: UnitJob) -> PageOutcome:
        """Index a unit and count. A second run finds everything settled."""
        with failures():
            await self._index.index(job)
            await refresh_planner_statistics(self._transaction)
        return await self._outcome(job.organisation_id, job.operation_id)

    @activity.defn
    async def summarise_batch(self, job: BatchSummaryJob) -> IngestBatchResult:
        """Count the items by outcome, and clear up. The source stays while a retry may need it."""
        async with self._transaction(job.organisation_id) as session:
            outcomes = await BatchRepository(session, job.organisation_id).outcomes(job.operation_id)
        done = [key async for key in self._objects.list(work_prefix(job.organisation_id, job.operation_id))]
        if not RETRYABLE & outcomes.keys():
            done.append(job.source_key)
        await self._objects.delete(done)
        return IngestBatchResult(total=sum(outcomes.values()), outcomes=outcomes)

    async def _outcome(self, organisation_id: str, operation_id: str) -> PageOutcome:
        async with self._transaction(organisation_id) as session:
            done, total = await BatchRepository(session, organisation_id).settled(operation_id)
            await OperationRepository(session).record_progress(operation_id, done, total)
        return PageOutcome(done=done, total=total)

    async def _write_page(self, job: ExpandJob, items: Sequence[BatchItem]) -> None:
        number = items[0].ordinal // job.page_size
        key = page_key(job.organisation_id, job.operation_id, number)
        await self._objects.put(key, ITEMS.dump_json(list(items)))
        async with self._transaction(job.organisation_id) as session:
            await BatchRepository(session, job.organisation_id).add_items(job.operation_id, items)

    async def _items(self, job: ExpandJob) -> AsyncIterator[BatchItem]:
        if job.source.kind == "json":
            stored = await self._objects.get(job.source.object_key)
            for ordinal, create in enumerate(await asyncio.to_thread(CREATES.validate_json, stored)):
                yield _item_of(ordinal, create)
            return
        with tempfile.TemporaryDirectory(prefix="perdure-zip-") as directory:
            archive, folder = Path(directory) / "archive.zip", Path(directory) / "members"
            folder.mkdir()
            await self._objects.download(job.source.object_key, archive)
            members = expand(archive, folder, ArchiveLimits())
            ordinal = 0
            while (member := await asyncio.to_thread(next, members, None)) is not None:
                key = upload_key(job.organisation_id, f"{job.operation_id}-{ordinal}")
                await self._objects.put_stream(key, file_pieces(member.path), max_bytes=member.size_bytes)
                member.path.unlink()
                fields = DocumentFields(
                    space=job.source.space,
                    metadata=job.source.metadata,
                    source_type="upload",
                    remember=job.source.remember,
                    subject=job.source.subject,
                )
                yield BatchItem(ordinal=ordinal, name=member.name, fields=fields, object_key=key)
                ordinal += 1
            for name, why in await asyncio.to_thread(skipped, archive):
                refusal = f"the archive holds this entry, but it is {why}"
                fields = DocumentFields(space=job.source.space)
                yield BatchItem(ordinal=ordinal, name=name, fields=fields, refusal=refusal)
                ordinal += 1


def _item_of(ordinal: int, create: DocumentCreate) -> BatchItem:
    fields = DocumentFields(**create.model_dump(exclude={"text", "url", "object_key"}))
    name = create.title or create.external_id or create.url or create.object_key
    return BatchItem(
        ordinal=ordinal,
        name=name or title_of(create.text or ""),
        fields=fields,
        text=create.text,
        url=create.url,
        object_key=create.object_key,
    )


def title_of(text: str) -> str:
    """The beginning of a text, as a name for it."""
    line = next((line.strip(" #*-\t") for line in text.splitlines() if line.strip()), "Untitled")
    return line if len(line) <= TITLE_CHARACTERS else line[:TITLE_CHARACTERS].rsplit(" ", 1)[0] + " …"
