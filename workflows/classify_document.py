"""`classify_document`: one text or document is classified."""

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.classification import ClassificationActivities, ClassificationTextActivities
    from perdure.errors import BudgetReachedError, ProvidersFailedError, ProviderUnavailableError
    from perdure.schemas.classification import (
        ClassifyDocumentInput,
        ClassifyDocumentResult,
        ClassifyJob,
        ClassifySettle,
        ResultStatus,
    )
    from perdure.schemas.operations import OperationError, OperationInput
    from workflows import policies

from workflows.operation import Operation

# A key that is revoked, too: another one can be given, and what is paid for stays.
WAITED_OUT = frozenset((BudgetReachedError.slug, ProvidersFailedError.slug, ProviderUnavailableError.slug))


async def settle_open(job: OperationInput, error: OperationError) -> None:
    """What has no answer yet ends with this reason; a retry takes it up again."""
    await workflow.execute_activity_method(
        ClassificationActivities.settle_classification,
        ClassifySettle(
            organisation_id=job.organisation_id,
            operation_id=job.operation_id,
            reason=error.type.replace("-", "_"),
            detail=error.detail,
        ),
        **policies.IO,
    )


@workflow.defn
class ClassifyDocument(Operation):
    """Answer it here; where the definition says so, ask a model."""

    waits_out = WAITED_OUT

    @workflow.run
    async def run(self, job: ClassifyDocumentInput) -> ClassifyDocumentResult:
        return await self.perform(job, lambda: self._classify(job))

    async def _classify(self, job: ClassifyDocumentInput) -> ClassifyDocumentResult:
        task = ClassifyJob(
            organisation_id=job.organisation_id, operation_id=job.operation_id, operation_kind=job.kind
        )
        result = await self.step(ClassificationTextActivities.classify_text, task, policies.CPU)
        if result.status is ResultStatus.ESCALATED:
            await self.step(ClassificationActivities.ask_model, task, policies.IO)
            result = await self.step(ClassificationActivities.conclude_text, task, policies.IO)
        if result.status is ResultStatus.FAILED:
            raise ApplicationError(
                result.detail or "it cannot be classified",
                type=result.reason or "internal-error",
                non_retryable=True,
            )
        return result

    async def settle(self, job: OperationInput, error: OperationError) -> None:
        """The result ends with the operation."""
        await settle_open(job, error)
