"""The preparation of one page of a batch: many small documents at the price of few round trips."""

import asyncio
import hashlib
from collections.abc import Sequence
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from activities.sources import HEAD_BYTES, SourceActivities, upload_key
from activities.texts import TextActivities, Unit, UnitDocument
from perdure.db.batch_repository import BatchRepository, OpenItem
from perdure.db.document_repository import DocumentRepository
from perdure.db.models import DocumentRow, DocumentVersionRow
from perdure.db.session import Transaction
from perdure.domain.media_types import detect
from perdure.errors import DocumentRejectedError, PerdureError, UnavailableError, UpstreamError
from perdure.ports.models import EmbeddingModel
from perdure.ports.storage import ObjectStore
from perdure.schemas.documents import BatchItem, DocumentJob, Extracted, PageJob, Reason
from perdure.schemas.parsed_text import ParsedText

FETCH_ATTEMPTS = 3
FETCH_PAUSE_S = 1.0
ITEMS_AT_ONCE = 12

Located = tuple[DocumentVersionRow, DocumentRow]


class PagePreparation:
    """From items to the chunks of their documents. An item that fails is settled and left out."""

    def __init__(
        self,
        transaction: Transaction,
        objects: ObjectStore,
        sources: SourceActivities,
        texts: TextActivities,
        page: PageJob,
    ) -> None:
        self._transaction, self._objects, self._sources, self._texts = transaction, objects, sources, texts
        self._page = page

    async def run(self, items: Sequence[BatchItem], model: EmbeddingModel) -> Unit:
        """Prepare all items that are not settled, attachments included."""
        entries = await self._open(items, model)
        await self._store_texts(entries)
        waiting = [entry.job for entry in entries]
        prepared: list[UnitDocument] = []
        while waiting:
            jobs, waiting = waiting, []
            for outcome in await self._prepare(jobs):
                prepared.append(outcome[0])
                waiting.extend(outcome[1])
        return Unit(documents=prepared)

    async def _open(self, items: Sequence[BatchItem], model: EmbeddingModel) -> list[OpenItem]:
        organisation_id = self._page.organisation_id
        async with self._transaction(organisation_id) as session:
            documents = DocumentRepository(session, organisation_id)
            spaces = {
                name: (await documents.ensure_space(name, model)).id
                for name in sorted({item.fields.space for item in items})
            }
            return await BatchRepository(session, organisation_id).open_items(
                self._page.operation_id, items, spaces
            )

    async def _store_texts(self, entries: Sequence[OpenItem]) -> None:
        """Inline texts become objects like every other content."""
        stored: list[dict[str, Any]] = []
        for entry in entries:
            if entry.item.text is None:
                continue
            data = entry.item.text.encode()
            key = upload_key(self._page.organisation_id, entry.job.version_id)
            await self._objects.put(key, data)
            stored.append(
                {
                    "version_id": entry.job.version_id,
                    "object_key": key,
                    "sha256": hashlib.sha256(data).hexdigest(),
                    "size_bytes": len(data),
                    "media_type": detect(data[:HEAD_BYTES], None, "text.txt"),
                }
            )
        async with self._transaction(self._page.organisation_id) as session:
            await DocumentRepository(session, self._page.organisation_id).store_sources(stored)

    async def _prepare(self, jobs: Sequence[DocumentJob]) -> list[tuple[UnitDocument, list[DocumentJob]]]:
        located = await self._locate(jobs)
        known = [job for job in jobs if located[job.version_id][0].media_type]
        found = await self._find([job for job in jobs if not located[job.version_id][0].media_type])
        located |= await self._locate(found)
        ready = await self._texts.start_parsing(await self._unseen([*known, *found], located))
        texts = await self._texts.parse_all([(job, located[job.version_id][0]) for job in ready])
        pairs = [(job, *located[job.version_id], text) for job, text in zip(ready, texts, strict=True)]
        extracted = await self._texts.accept_texts(
            [
                (job, version, document, text)
                for job, version, document, text in pairs
                if not isinstance(text, DocumentRejectedError)
            ]
        )
        accepted = []
        attachments: list[list[DocumentJob]] = []
        for job, version, document, text in pairs:
            outcome = extracted.get(job.version_id, text)
            if isinstance(text, ParsedText) and isinstance(outcome, Extracted):
                accepted.append((job, version, document, text))
                attachments.append(outcome.attachments)
            elif isinstance(outcome, DocumentRejectedError):
                await self._settle(job, outcome)
        return list(zip(await self._texts.chunk_all(accepted), attachments, strict=True))

    async def _locate(self, jobs: Sequence[DocumentJob]) -> dict[str, Located]:
        async with self._transaction(self._page.organisation_id) as session:
            documents = DocumentRepository(session, self._page.organisation_id)
            return await documents.versions_by_id([job.version_id for job in jobs])

    async def _find(self, jobs: Sequence[DocumentJob]) -> list[DocumentJob]:
        """Fetch and detect, a few at a time; the jobs that can be parsed."""
        places = asyncio.Semaphore(ITEMS_AT_ONCE)

        async def find(job: DocumentJob) -> DocumentJob | None:
            async with places:
                try:
                    await self._fetch(job)
                    detected = await self._sources.detect(job)
                except (SQLAlchemyError, OSError, UnavailableError):
                    raise  # an outage: the page is tried again as a whole
                except PerdureError as error:
                    await self._settle(job, error)
                    return None
            if detected.reason is None:
                return job
            await self._settle(job, DocumentRejectedError(detected.reason, detected.detail or ""))
            return None

        return [job for job in await asyncio.gather(*map(find, jobs)) if job is not None]

    async def _fetch(self, job: DocumentJob) -> None:
        for attempt in range(1, FETCH_ATTEMPTS + 1):
            try:
                return await self._sources.fetch(job)
            except UpstreamError as error:
                if attempt == FETCH_ATTEMPTS:
                    raise DocumentRejectedError(Reason.SOURCE_UNREACHABLE, str(error)) from error
                await asyncio.sleep(FETCH_PAUSE_S * attempt)
        return None

    async def _unseen(self, jobs: Sequence[DocumentJob], located: dict[str, Located]) -> list[DocumentJob]:
        """Jobs whose content is not searchable yet; the others are settled as duplicates."""
        contents = [located[job.version_id][0].sha256 or "" for job in jobs]
        async with self._transaction(self._page.organisation_id) as session:
            documents = DocumentRepository(session, self._page.organisation_id)
            twins = await documents.twins(contents)
            unseen: list[DocumentJob] = []
            for job, content in zip(jobs, contents, strict=True):
                document = located[job.version_id][1]
                twin = twins.get((document.space_id, content))
                if document.version and document.sha256 == content:
                    detail = f"the content is that of version {document.version}: nothing to do"
                    await documents.settle(job.version_id, Reason.UNCHANGED, detail)
                elif twin is not None and twin.id != document.id:
                    detail = f"the same content is in this space as {twin.id} ('{twin.title}')"
                    await documents.settle(job.version_id, Reason.DUPLICATE, detail)
                else:
                    unseen.append(job)
        return unseen

    async def _settle(self, job: DocumentJob, error: PerdureError) -> None:
        reason = Reason(error.reason) if isinstance(error, DocumentRejectedError) else Reason.INTERNAL_ERROR
        async with self._transaction(job.organisation_id) as session:
            documents = DocumentRepository(session, job.organisation_id)
            await documents.settle(job.version_id, reason, str(error))
