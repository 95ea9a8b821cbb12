"""`ingest_document`: one source becomes searchable passages."""

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities.indexing import MODEL_CHANGED, IndexActivities
    from activities.sources import SourceActivities
    from activities.texts import TextActivities
    from perdure.schemas.documents import (
        DocumentJob,
        DocumentOutcome,
        IngestDocumentInput,
        IngestDocumentResult,
        Reason,
        SettleJob,
        UnitJob,
    )
    from perdure.schemas.operations import OperationError, OperationInput
    from workflows import policies

from workflows.operation import Operation, describe_failure, is_failure

STEPS = (
    "fetch_document",
    "detect_document",
    "parse_document",
    "chunk_document",
    "embed_document",
    "index_document",
)


@workflow.defn
class IngestDocument(Operation):
    """Fetch, detect, parse, chunk, embed, index; then the same for each attachment."""

    @workflow.run
    async def run(self, job: IngestDocumentInput) -> IngestDocumentResult:
        return await self.perform(job, lambda: self._ingest(job))

    async def _ingest(self, job: IngestDocumentInput) -> IngestDocumentResult:
        document = DocumentJob(
            organisation_id=job.organisation_id,
            operation_id=job.operation_id,
            document_id=job.document_id,
            version_id=job.version_id,
        )
        self.report(done=0, total=len(STEPS) if job.fetch else len(STEPS) - 1)
        if job.fetch:
            await self.step(SourceActivities.fetch_document, document, policies.IO)
            self._advance()
        outcome, waiting = await self._index(document)
        attachments = []
        while waiting:
            child = waiting.pop(0)
            try:
                await self.step(SourceActivities.fetch_document, child, policies.IO)
                self._advance()
                attached, more = await self._index(child)
                waiting.extend(more)
            except ActivityError as error:
                if is_cancelled_exception(error):
                    raise
                attached = await self._settle(child, describe_failure(error, None))
            attachments.append(attached)
        return IngestDocumentResult(**outcome.model_dump(), attachments=attachments)

    async def _index(self, document: DocumentJob) -> tuple[DocumentOutcome, list[DocumentJob]]:
        detected = await self.step(SourceActivities.detect_document, document, policies.IO)
        self._advance()
        if detected.reason is not None:
            error = OperationError(type=detected.reason.value, detail=detected.detail or "")
            return await self._settle(document, error), []
        extracted = await self.step(
            TextActivities.parse_document, document, policies.CPU, summary=detected.media_type
        )
        self._advance()
        if extracted.attachments:
            self.report(total=self._progress.total + len(extracted.attachments) * len(STEPS))
        unit = await self.step(TextActivities.chunk_document, document, policies.CPU)
        self._advance()
        outcomes = await self._embed_and_index(unit)
        if outcomes:
            return outcomes[0], extracted.attachments
        # Deleted meanwhile, or indexed by a run whose answer was lost: the record knows.
        error = OperationError(type="internal_error", detail="its passages are gone: retry the operation")
        return await self._settle(document, error), extracted.attachments

    async def _embed_and_index(self, unit: UnitJob) -> list[DocumentOutcome]:
        while True:
            await self.step(
                TextActivities.embed_document, unit, policies.CPU, summary=f"{unit.chunk_count} chunks"
            )
            self._advance()
            try:
                outcomes = await self.step(IndexActivities.index_document, unit, policies.IO)
            except ActivityError as error:
                if not is_failure(error, MODEL_CHANGED):
                    raise
                continue
            self._advance()
            return outcomes

    def _advance(self) -> None:
        self.report(done=min(self._progress.done + 1, self._progress.total))

    async def _settle(self, document: DocumentJob, error: OperationError) -> DocumentOutcome:
        settled = await workflow.execute_activity_method(
            IndexActivities.settle_documents,
            SettleJob(
                organisation_id=document.organisation_id,
                operation_id=document.operation_id,
                version_id=document.version_id,
                reason=reason_of(error),
                detail=error.detail,
            ),
            **policies.IO,
        )
        return settled or DocumentOutcome(
            document_id=document.document_id,
            status="failed",
            reason=Reason.CANCELLED,
            detail="the document was deleted",
        )

    async def settle(self, job: OperationInput, error: OperationError) -> None:
        """Whatever of the document and its attachments is not settled ends with this reason."""
        await settle_rest(job, error)


def reason_of(error: OperationError) -> Reason:
    """The document's reason for an error that is not always one of a document."""
    try:
        return Reason(error.type)
    except ValueError:
        return Reason.INTERNAL_ERROR


async def settle_rest(job: OperationInput, error: OperationError) -> None:
    """Settle all documents of an operation that are not settled."""
    await workflow.execute_activity_method(
        IndexActivities.settle_documents,
        SettleJob(
            organisation_id=job.organisation_id,
            operation_id=job.operation_id,
            reason=reason_of(error),
            detail=error.detail,
        ),
        **policies.IO,
    )
