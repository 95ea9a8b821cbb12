"""Workflow executions as Temporal keeps them: found by their organisation, ended, deleted."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from datetime import UTC, datetime

from temporalio.api.common.v1 import WorkflowExecution as ExecutionId
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.client import Client, WorkflowExecution
from temporalio.service import RPCError, RPCStatusCode

from perdure.db.operation_repository import operation_of

PAGE = 200

Wanted = Callable[[Iterable[str]], Awaitable[set[str]]]


class Histories:
    """Executions of the operations of one organisation."""

    def __init__(self, client: Client, organisation_id: str) -> None:
        self._client, self._organisation_id = client, organisation_id

    async def of_operations(self, wanted: Wanted) -> AsyncIterator[WorkflowExecution]:
        """Executions, running or closed, of those operations that `wanted` picks."""
        async for execution in self._found(wanted):
            yield execution

    async def closed_before(self, before: datetime, wanted: Wanted) -> AsyncIterator[WorkflowExecution]:
        """Executions that closed before an instant, of those operations that `wanted` picks."""
        instant = before.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        async for execution in self._found(wanted, f' AND CloseTime < "{instant}"'):
            yield execution

    async def _found(self, wanted: Wanted, condition: str = "") -> AsyncIterator[WorkflowExecution]:
        page: list[WorkflowExecution] = []
        query = f'PerdureOrg = "{self._organisation_id}"{condition}'
        async for execution in self._client.list_workflows(query, page_size=PAGE):
            page.append(execution)
            if len(page) == PAGE:
                for found in await _picked(page, wanted):
                    yield found
                page = []
        for found in await _picked(page, wanted):
            yield found

    async def terminate(self, workflow_id: str, reason: str) -> None:
        """End the newest run; one that is over, or gone, is no error."""
        try:
            await self._client.get_workflow_handle(workflow_id).terminate(reason=reason)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise

    async def delete(self, execution: WorkflowExecution) -> None:
        """Delete a run with its history; the server ends it first when it runs, and takes a moment for it."""
        request = DeleteWorkflowExecutionRequest(
            namespace=self._client.namespace,
            workflow_execution=ExecutionId(workflow_id=execution.id, run_id=execution.run_id),
        )
        try:
            await self._client.workflow_service.delete_workflow_execution(request)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise


async def _picked(page: list[WorkflowExecution], wanted: Wanted) -> list[WorkflowExecution]:
    ids = await wanted({operation_of(execution.id) for execution in page}) if page else set()
    return [execution for execution in page if operation_of(execution.id) in ids]
