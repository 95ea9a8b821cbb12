"""`delete_document`: a document goes from every view."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.indexing import IndexActivities
    from perdure.schemas.documents import DeleteDocumentInput, DeleteDocumentResult, DeletionJob
    from workflows import policies

from workflows.operation import Operation


@workflow.defn
class DeleteDocument(Operation):
    """Remove rows, vectors and objects."""

    @workflow.run
    async def run(self, job: DeleteDocumentInput) -> DeleteDocumentResult:
        return await self.perform(job, lambda: self._delete(job))

    async def _delete(self, job: DeleteDocumentInput) -> DeleteDocumentResult:
        deletion = DeletionJob(
            organisation_id=job.organisation_id,
            operation_id=job.operation_id,
            document_id=job.document_id,
        )
        return await self.step(IndexActivities.delete_document, deletion, policies.IO)
