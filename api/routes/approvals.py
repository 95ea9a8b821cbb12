"""`/api/v1/approvals`: ask for one, what waits for whom, and what a policy would do."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response, status
from fastapi.responses import StreamingResponse

from api.approval_lists import Listing
from api.dependencies import ApprovalsDependency, DatabaseDependency, Principal, require
from api.idempotency import IdempotencyKey, fingerprint
from api.pagination import PageRequest
from api.problems import problem_responses
from api.routes.documents import answer
from perdure.db.approval_inbox import InboxFilter
from perdure.db.approvals import ApprovalRepository
from perdure.domain.approval_state import Status
from perdure.domain.ids import ID_PATTERN
from perdure.errors import FieldError, InvalidInputError, NotFoundError
from perdure.schemas.approval_requests import ApprovalCreate, ApprovalRead, ApprovalSummary
from perdure.schemas.approvals import SimulationCreate, SimulationRead, simulated
from perdure.schemas.base import Page
from perdure.schemas.operations import OperationRead

router = APIRouter(prefix="/api/v1/approvals", tags=["approvals"], responses=problem_responses())

Reader = Annotated[Principal, require("approvals:read")]
Asker = Annotated[Principal, require("approvals:request")]
ApprovalId = Annotated[str, Path(pattern=ID_PATTERN, description="Id of an approval, `apr_…`.")]

PERSON = r"^(me|user:[A-Za-z0-9_]{1,64}|email:[^\s@<>\",;]{1,64}@[^\s@<>\",;]{1,190})$"
EVENT_STREAM = "text/event-stream"


@router.post(
    "/simulate",
    operation_id="simulate_approval",
    responses={200: {"description": "What would happen, moment by moment."}},
)
async def simulate_approval(body: SimulationCreate, caller: Reader) -> SimulationRead:
    """Play a policy: what people would do when, and what would come of it. Nothing is asked of anybody."""
    try:
        return await asyncio.to_thread(simulated, body, datetime.now(UTC))
    except OverflowError as error:
        detail = "This leads beyond the years that a calendar has: begin nearer to now."
        raise InvalidInputError(detail, [FieldError("/body/starts_at", detail)]) from error


@router.post(
    "",
    status_code=status.HTTP_202_ACCEPTED,
    operation_id="request_approval",
    responses={
        200: {"model": OperationRead, "description": "The Idempotency-Key was used before."},
        **problem_responses(404, 409),
    },
)
async def request_approval(
    body: ApprovalCreate,
    request: Request,
    response: Response,
    caller: Asker,
    key: IdempotencyKey,
    approvals: ApprovalsDependency,
) -> OperationRead:
    """Ask for an approval: an operation that ends when the outcome is certain, or the time is up."""
    sha256 = fingerprint(request.method, request.url.path, body)
    return answer(response, await approvals.request(caller, body, key, sha256))


@router.get(
    "",
    operation_id="list_approvals",
    responses={
        200: {
            "description": "A page; or, with `Accept: text/event-stream`, the first page whenever it changes: events "
            "`inbox`, which go on until the client leaves.",
            "content": {EVENT_STREAM: {"schema": {"type": "string"}}},
        }
    },
    response_model=Page[ApprovalSummary],
)
async def list_approvals(
    request: Request,
    caller: Reader,
    database: DatabaseDependency,
    page: PageRequest,
    assignee: Annotated[
        str | None,
        Query(
            pattern=PERSON,
            description="Who is asked and has not answered: `me`, as a user, by address and for whom you may decide; "
            "or one name, `user:…` or `email:…`.",
        ),
    ] = None,
    status: Annotated[Status | None, Query()] = None,
    overdue: Annotated[
        bool | None, Query(description="Whether the deadline has passed while it waits.")
    ] = None,
    requester: Annotated[str | None, Query(pattern=PERSON, description="Who asked; `me` for you.")] = None,
    document_id: Annotated[str | None, Query(pattern=ID_PATTERN)] = None,
    execution_id: Annotated[str | None, Query(pattern=ID_PATTERN)] = None,
) -> Page[ApprovalSummary] | Response:
    """The inbox with `assignee` or `overdue`: open requests, the next due first. Else all requests, newest first."""
    wanted = InboxFilter(
        status=status.value if status else None, overdue=overdue, document=document_id, execution=execution_id
    )
    listing = Listing(database, caller, wanted, assignee, requester)
    if EVENT_STREAM not in request.headers.get("accept", ""):
        return await listing.page(page)
    return StreamingResponse(
        listing.changes(page.limit, request.app.state.stopping, request.headers.get("last-event-id", "")),
        media_type=EVENT_STREAM,
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


@router.get("/{approval_id}", operation_id="read_approval", responses=problem_responses(404))
async def read_approval(
    approval_id: ApprovalId, caller: Reader, database: DatabaseDependency
) -> ApprovalRead:
    """One request: what is decided on, who is asked, what was decided and by when it is due."""
    async with database.transaction(caller.organisation_id) as session:
        read = await ApprovalRepository(session, caller.organisation_id).read(approval_id)
    if read is None:
        raise NotFoundError(f"no approval {approval_id}: check the id, or list GET /api/v1/approvals")
    return read
