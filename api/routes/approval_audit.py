"""What is on record about an approval, or about an execution and all its approvals, as the audit trail has it."""

from collections.abc import AsyncIterator, Collection
from typing import Annotated

from fastapi import APIRouter, Path, Request
from fastapi.responses import StreamingResponse
from starlette.responses import Response

from api.approvals import found
from api.dependencies import DatabaseDependency, Principal, require
from api.pagination import PageParameters, PageRequest, paginate
from api.problems import problem_responses
from api.routes.approvals import ApprovalId, Reader
from api.routes.audit import EXPORT_MEDIA_TYPE, event_read, exported_line
from perdure.db.approval_inbox import ApprovalInbox
from perdure.db.approvals import ApprovalRepository
from perdure.db.audit_trail import PAGE, AuditTrail
from perdure.db.session import Database
from perdure.db.workflow_executions import WorkflowExecutions
from perdure.domain.ids import ID_PATTERN
from perdure.domain.roles import Scope
from perdure.errors import NotFoundError
from perdure.schemas.audit import AuditEventRead
from perdure.schemas.base import Page

router = APIRouter(prefix="/api/v1/approvals", tags=["approvals"], responses=problem_responses(404))
executions = APIRouter(
    prefix="/api/v1/ai/workflows/executions", tags=["workflows"], responses=problem_responses(404)
)

ExecutionReader = Annotated[Principal, require("workflows:read", "approvals:read")]
ExecutionId = Annotated[str, Path(pattern=ID_PATTERN, description="Id of an execution, `exe_…`.")]
_ANSWERS = {
    200: {
        "description": "Events in the order of the chain; with `Accept: application/x-ndjson` all of them, one JSON "
        "object a line, with all that its hash covers.",
        "content": {EXPORT_MEDIA_TYPE: {"schema": {"type": "string"}}},
    }
}


@router.get(
    "/{approval_id}/audit",
    operation_id="export_approval_audit",
    response_model=Page[AuditEventRead],
    responses=_ANSWERS,  # type: ignore[arg-type]  # FastAPI's own type of it is narrower than what it takes
)
async def export_approval_audit(
    approval_id: ApprovalId,
    request: Request,
    caller: Reader,
    database: DatabaseDependency,
    page: PageRequest,
) -> Page[AuditEventRead] | Response:
    """Who did what with the request, and what they saw. From where they did, readers of the whole trail see."""
    async with database.transaction(caller.organisation_id) as session:
        await found(ApprovalRepository(session, caller.organisation_id), approval_id)
    return await _answered(request, caller, database, page, [approval_id])


@executions.get(
    "/{execution_id}/audit",
    operation_id="export_execution_audit",
    response_model=Page[AuditEventRead],
    responses=_ANSWERS,  # type: ignore[arg-type]  # see above
)
async def export_execution_audit(
    execution_id: ExecutionId,
    request: Request,
    caller: ExecutionReader,
    database: DatabaseDependency,
    page: PageRequest,
) -> Page[AuditEventRead] | Response:
    """The same of an execution: its own events, and those of all approvals that it asked for."""
    async with database.transaction(caller.organisation_id) as session:
        operation_id = await WorkflowExecutions(session, caller.organisation_id).operation_of(execution_id)
        if operation_id is None:
            raise NotFoundError(f"no execution {execution_id}: check the id")
        asked = await ApprovalInbox(session, caller.organisation_id).of_execution(execution_id)
    return await _answered(request, caller, database, page, [execution_id, operation_id, *asked])


async def _answered(
    request: Request, caller: Principal, database: Database, page: PageParameters, subjects: Collection[str]
) -> Page[AuditEventRead] | Response:
    if EXPORT_MEDIA_TYPE in request.headers.get("accept", ""):
        name = f'attachment; filename="audit-{next(iter(subjects))}.jsonl"'
        lines = _lines(database, caller.organisation_id, subjects)
        return StreamingResponse(lines, media_type=EXPORT_MEDIA_TYPE, headers={"Content-Disposition": name})
    async with database.transaction(caller.organisation_id) as session:
        trail = AuditTrail(session, caller.organisation_id)
        events = await trail.about(subjects, after=page.after_number(), limit=page.limit + 1)
        is_auditor = Scope.AUDIT_READ in caller.scopes
        addresses = await trail.addresses([one.event for one in events]) if is_auditor else {}
    return paginate(
        events,
        page,
        read=lambda one: event_read(one, addresses.get(one.event.sequence)),
        key=lambda one: one.event.sequence,
    )


async def _lines(database: Database, organisation_id: str, subjects: Collection[str]) -> AsyncIterator[str]:
    after: int | None = None
    while True:
        async with database.transaction(organisation_id) as session:
            events = await AuditTrail(session, organisation_id).about(subjects, after=after)
        yield "".join(map(exported_line, events))
        if len(events) < PAGE:
            return
        after = events[-1].event.sequence
