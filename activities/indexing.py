"""Into the index and out of it again."""

from collections.abc import Mapping, Sequence, Set

import numpy as np
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.failures import failures
from activities.linking import link_documents
from activities.texts import UNIT, Unit, UnitDocument, shard_key, shards, unpack, work_prefix
from perdure.db.chunk_repository import ChunkRepository, IndexedContent
from perdure.db.document_memories import DocumentMemories
from perdure.db.document_repository import DocumentRepository
from perdure.db.models import DocumentRow, DocumentVersionRow
from perdure.db.session import Transaction
from perdure.db.vector_index import VectorIndex
from perdure.errors import NotFoundError
from perdure.ports.models import Embedders, Vectors
from perdure.ports.storage import ObjectStore
from perdure.schemas.documents import (
    SETTLED,
    DeleteDocumentResult,
    DeletionJob,
    DocumentOutcome,
    DocumentStatus,
    Reason,
    SettleJob,
    UnitJob,
)

MODEL_CHANGED = "embedding-model-changed"

Locked = Mapping[str, tuple[DocumentVersionRow, DocumentRow]]


class IndexActivities:
    """Side effects on the index. Each is one transaction, so no reader ever sees half a document."""

    def __init__(
        self,
        transaction: Transaction,
        objects: ObjectStore,
        embedders: Embedders,
        vector_index: VectorIndex,
    ) -> None:
        self._transaction, self._objects, self._vector_index = transaction, objects, vector_index
        self._embedders = embedders

    @activity.defn
    async def index_document(self, job: UnitJob) -> list[DocumentOutcome]:
        """Make a unit searchable. A second run finds its versions settled, or nothing any more, and changes nothing.

        Versions of which nothing is known any more are left out of the answer.
        """
        with failures():
            return await self.index(job)

    @activity.defn
    async def settle_documents(self, job: SettleJob) -> DocumentOutcome | None:
        """End what will not be indexed, with its reason. A second run finds it settled."""
        async with self._transaction(job.organisation_id) as session:
            documents = DocumentRepository(session, job.organisation_id)
            if job.version_id is None:
                await documents.settle_all(job.operation_id, job.reason, job.detail)
                prefix = work_prefix(job.organisation_id, job.operation_id)
                await self._objects.delete([key async for key in self._objects.list(prefix)])
                return None
            await documents.settle(job.version_id, job.reason, job.detail)
            found = await documents.version(job.version_id)
            return outcome_of(*found) if found else None

    @activity.defn
    async def delete_document(self, job: DeletionJob) -> DeleteDocumentResult:
        """Remove a document, its children, chunks, vectors and objects. A second run finds nothing."""
        async with self._transaction(job.organisation_id) as session:
            documents = DocumentRepository(session, job.organisation_id)
            keys = await documents.object_keys(job.document_id)
        # Objects first: if this dies half-way, the second run still finds their keys in the rows.
        await self._objects.delete(list(keys))
        async with self._transaction(job.organisation_id) as session:
            chunks = await DocumentRepository(session, job.organisation_id).delete(job.document_id)
        return DeleteDocumentResult(document_id=job.document_id, chunks=chunks, objects=len(keys))

    async def index(self, job: UnitJob) -> list[DocumentOutcome]:
        """Index all documents of a unit that are still wanted, in one transaction."""
        try:
            unit = UNIT.validate_json(await self._objects.get(job.unit_key))
        except NotFoundError:
            # Indexed by a run that died before it could answer: what it did not get to clear goes now.
            await self._clear(job)
            return []
        version_ids = [document.job.version_id for document in unit.documents]
        async with self._transaction(job.organisation_id) as session:
            documents = DocumentRepository(session, job.organisation_id)
            models = await documents.models_of(version_ids)
        vectors = {
            model: await self._vectors(job.unit_key, model, unit.chunk_count_of(model, models))
            for model in sorted(set(models.values()))
        }
        async with self._transaction(job.organisation_id) as session:
            documents = DocumentRepository(session, job.organisation_id)
            locked = await documents.lock(version_ids)
            if await documents.models_of(version_ids) != models:
                raise _model_changed()
            wanted = {document.job.version_id for document in await self._wanted(documents, unit, locked)}
            chunks = ChunkRepository(session, job.organisation_id)
            for model, rows in vectors.items():
                contents = _contents(unit.of_model(model, models), rows, wanted, locked)
                await chunks.replace(contents, self._embedders.named(model))
            await documents.finish([_finished(d) for d in unit.documents if d.job.version_id in wanted])
        async with self._transaction(job.organisation_id) as session:
            settled = await DocumentRepository(session, job.organisation_id).versions_by_id(version_ids)
            spaces = {document.space_id for _version, document in locked.values()}
            outgrown = await self._vector_index.outgrown(session, spaces)
            linking = await DocumentMemories(session, job.organisation_id).wanted(version_ids)
        await self._vector_index.admit(job.organisation_id, outgrown)
        memories = await link_documents(self._transaction, job.organisation_id, linking)
        await self._clear(job)
        return [
            outcome_of(*settled[version_id], memories.get(version_id, 0))
            for version_id in version_ids
            if version_id in settled
        ]

    async def _clear(self, job: UnitJob) -> None:
        folder = job.unit_key.rpartition("/")[0]
        await self._objects.delete([key async for key in self._objects.list(folder)])

    async def _vectors(self, key: str, model: str, count: int) -> Vectors:
        """All shards of one model; a missing one means that the space changed its model after embedding."""
        parts: list[Vectors] = []
        for shard in range(len(shards(count))):
            try:
                parts.append(unpack(await self._objects.get(shard_key(key, model, shard))))
            except NotFoundError as error:
                raise _model_changed() from error
        return np.concatenate(parts) if parts else np.empty((0, 0), dtype=np.float32)

    async def _wanted(self, documents: DocumentRepository, unit: Unit, locked: Locked) -> list[UnitDocument]:
        """Documents of the unit to index now; the others are settled: deleted, overtaken, or here already."""
        open_documents = [
            document
            for document in unit.documents
            if document.job.version_id in locked
            and DocumentStatus(locked[document.job.version_id][0].status) not in SETTLED
        ]
        twins = await documents.twins(
            [locked[document.job.version_id][0].sha256 or "" for document in open_documents]
        )
        seen: dict[tuple[str, str], tuple[str, str]] = {
            content: (twin.id, twin.title) for content, twin in twins.items()
        }
        wanted: list[UnitDocument] = []
        for document in open_documents:
            version, row = locked[document.job.version_id]
            content = (row.space_id, version.sha256 or "")
            twin_id, twin_title = seen.get(content, (row.id, row.title))
            if version.number < row.version:
                detail = f"version {row.version} was indexed before this one was ready"
                await documents.settle(version.id, Reason.SUPERSEDED, detail)
            elif twin_id != row.id:
                detail = f"the same content is in this space as {twin_id} ('{twin_title}')"
                await documents.settle(version.id, Reason.DUPLICATE, detail)
            else:
                seen[content] = (row.id, row.title)
                wanted.append(document)
        return wanted


def _contents(
    documents: Sequence[UnitDocument], vectors: Vectors, wanted: Set[str], locked: Locked
) -> list[IndexedContent]:
    """What `ChunkRepository.replace` takes, for the wanted ones of the documents that the vectors are of."""
    contents: list[IndexedContent] = []
    first = 0
    for document in documents:
        last = first + len(document.chunks)
        if document.job.version_id in wanted:
            version, row = locked[document.job.version_id]
            contents.append(
                IndexedContent(
                    space_id=row.space_id,
                    document_id=row.id,
                    version=version.number,
                    language=document.language,
                    title=document.title,
                    chunks=document.chunks,
                    vectors=vectors[first:last],
                )
            )
        first = last
    return contents


def outcome_of(version: DocumentVersionRow, document: DocumentRow, memory_count: int = 0) -> DocumentOutcome:
    """What became of a version."""
    return DocumentOutcome(
        document_id=document.id,
        status=DocumentStatus(version.status),
        version=document.version,
        chunk_count=document.chunk_count,
        memory_count=memory_count,
        reason=Reason(version.reason) if version.reason else None,
        detail=version.detail,
    )


def _model_changed() -> ApplicationError:
    return ApplicationError(
        "the space changed its embedding model after these vectors were computed",
        type=MODEL_CHANGED,
        non_retryable=True,
    )


def _finished(document: UnitDocument) -> dict[str, object]:
    status = DocumentStatus.PARTIAL if document.reason else DocumentStatus.INDEXED
    return {
        "version_id": document.job.version_id,
        "operation_id": document.job.operation_id,
        "status": status.value,
        "reason": document.reason.value if document.reason else None,
        "detail": document.detail,
        "chunk_count": len(document.chunks),
        "title": document.title,
    }
