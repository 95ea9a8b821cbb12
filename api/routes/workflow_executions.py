"""`/api/v1/ai/workflows/executions`: how executions do, step by step, and what steers them."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response

from api.actors import ActorDependency
from api.dependencies import ExecutionsDependency, OperationsDependency, Principal, require
from api.pagination import PageRequest, paginate
from api.problems import problem_responses
from api.routes.operations import VERB, Steer
from api.routes.workflow_drawings import DRAWING, DrawingFormat, drawn
from api.workflow_executions import views_of
from perdure.domain.ids import ID_PATTERN
from perdure.schemas.base import Page
from perdure.schemas.document_workflows import (
    ExecutionFilter,
    WorkflowExecutionDetail,
    WorkflowExecutionRead,
)
from perdure.schemas.operations import OperationRead, OperationStatus

router = APIRouter(
    prefix="/api/v1/ai/workflows/executions", tags=["document workflows"], responses=problem_responses(404)
)

Reader = Annotated[Principal, require("workflows:read")]
Steerer = Annotated[Principal, require("workflows:execute")]
ExecutionId = Annotated[str, Path(pattern=ID_PATTERN, description="Id of an execution, `exe_…`.")]
IdQuery = Annotated[str | None, Query(pattern=ID_PATTERN)]
VERBS: dict[str, Any] = VERB


@router.get("")
async def list_executions(
    caller: Reader,
    executions: ExecutionsDependency,
    page: PageRequest,
    workflow_id: IdQuery = None,
    document_id: IdQuery = None,
    batch_id: Annotated[
        str | None, Query(pattern=ID_PATTERN, description="The operation that executes a workflow on many.")
    ] = None,
    operation_id: Annotated[
        str | None, Query(pattern=ID_PATTERN, description="What `execute` answered with.")
    ] = None,
    status: Annotated[OperationStatus | None, Query()] = None,
) -> Page[WorkflowExecutionRead]:
    """Executions of document workflows, newest first."""
    wanted = ExecutionFilter(
        workflow_id=workflow_id,
        document_id=document_id,
        batch_id=batch_id,
        operation_id=operation_id,
        status=status,
    )
    listed = await executions.list(caller, wanted, after=page.after, limit=page.limit + 1)
    return paginate(listed, page, read=lambda one: one, key=lambda one: one.id)


@router.get("/{execution_id}", operation_id="get_workflow_execution")
async def get_execution(
    execution_id: ExecutionId, caller: Reader, executions: ExecutionsDependency
) -> WorkflowExecutionDetail:
    """One execution with what its steps do: their state, tries, times, output and error."""
    return await executions.get(caller, execution_id)


@router.get(
    "/{execution_id}/diagram",
    response_class=Response,
    responses=DRAWING,
    operation_id="get_execution_diagram",
)
async def get_diagram(
    execution_id: ExecutionId,
    caller: Reader,
    executions: ExecutionsDependency,
    format: DrawingFormat = "svg",
) -> Response:
    """The execution's version as a drawing, each step in the colour of its state."""
    detail = await executions.get(caller, execution_id)
    definition = await executions.definition(caller, execution_id)
    return await drawn(definition, format, views_of(detail.steps))


@router.post("/{execution_id}/pause", **VERBS, operation_id="pause_workflow_execution")
async def pause_execution(
    execution_id: ExecutionId,
    caller: Steerer,
    executions: ExecutionsDependency,
    operations: OperationsDependency,
    steer: Steer,
) -> OperationRead:
    """Start no further step, and stop at once within a wait; steps under way end."""
    operation = await executions.operation_id(caller, execution_id)
    return await steer(caller, operation, lambda: operations.pause(caller.organisation_id, operation))


@router.post("/{execution_id}/resume", **VERBS, operation_id="resume_workflow_execution")
async def resume_execution(
    execution_id: ExecutionId,
    caller: Steerer,
    executions: ExecutionsDependency,
    operations: OperationsDependency,
    steer: Steer,
) -> OperationRead:
    """Go on after a pause."""
    operation = await executions.operation_id(caller, execution_id)
    return await steer(caller, operation, lambda: operations.resume(caller.organisation_id, operation))


@router.post("/{execution_id}/cancel", **VERBS, operation_id="cancel_workflow_execution")
async def cancel_execution(
    execution_id: ExecutionId,
    caller: Steerer,
    executions: ExecutionsDependency,
    operations: OperationsDependency,
    steer: Steer,
    actor: ActorDependency,
) -> OperationRead:
    """Stop for good; steps that declare a compensation are compensated first."""
    operation = await executions.operation_id(caller, execution_id)
    return await steer(caller, operation, lambda: operations.cancel(caller.organisation_id, operation, actor))


@router.post("/{execution_id}/retry", **VERBS, operation_id="retry_workflow_execution")
async def retry_execution(
    execution_id: ExecutionId,
    caller: Steerer,
    executions: ExecutionsDependency,
    operations: OperationsDependency,
    steer: Steer,
    actor: ActorDependency,
) -> OperationRead:
    """Go on where a step failed: what the others did stays done."""
    operation = await executions.operation_id(caller, execution_id)
    return await steer(caller, operation, lambda: operations.retry(caller.organisation_id, operation, actor))
