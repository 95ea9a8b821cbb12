"""`/api/v1/operations`: one resource for all work."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query, Request, status
from fastapi.responses import StreamingResponse
from starlette.responses import Response

from api.actors import ActorDependency
from api.dependencies import DatabaseDependency, OperationsDependency, Principal, require
from api.idempotency import REPLAY_HEADERS, IdempotencyKey, fingerprint
from api.made_here import made_here
from api.pagination import PageRequest, paginate
from api.problems import problem_responses
from perdure.db.operation_repository import OperationRepository
from perdure.domain.ids import ID_PATTERN
from perdure.errors import FieldError, InvalidInputError
from perdure.schemas.base import Page
from perdure.schemas.classification import ItemStatus
from perdure.schemas.documents import DocumentStatus
from perdure.schemas.operations import TERMINAL, ItemRead, OperationRead, OperationStatus, StepRead
from workflows.registry import KINDS

router = APIRouter(prefix="/api/v1/operations", tags=["operations"], responses=problem_responses(404))

Reader = Annotated[Principal, require("operations:read")]
Writer = Annotated[Principal, require("operations:write")]
OperationId = Annotated[str, Path(pattern=ID_PATTERN, description="Id of an operation, `op_…`.")]

POLL_S = 0.2
KEEP_ALIVE_S = 15.0
# Of one event; `data` is JSON, in an `operation` the whole resource.
EVENT_SCHEMA = {
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "event": {"type": "string", "enum": ["operation", "step"]},
        "data": {"type": "string", "contentMediaType": "application/json"},
        "retry": {"type": "integer"},
    },
}


@router.get("")
async def list_operations(
    caller: Reader,
    operations: OperationsDependency,
    database: DatabaseDependency,
    page: PageRequest,
    kind: Annotated[str | None, Query(description=f"One of {', '.join(KINDS)}.")] = None,
    status: Annotated[OperationStatus | None, Query()] = None,
    subject: Annotated[str | None, Query(pattern=ID_PATTERN, description="Id of what it is about.")] = None,
) -> Page[OperationRead]:
    """Operations of the organisation, newest first."""
    if kind is not None and kind not in KINDS:
        detail = f"unknown kind '{kind}'; known are {', '.join(KINDS)}"
        raise InvalidInputError(detail, [FieldError("/query/kind", detail)])
    async with database.transaction(caller.organisation_id) as session:
        rows = await OperationRepository(session).list(
            kind=kind,
            status=status.value if status else None,
            subject=subject,
            after=page.after,
            limit=page.limit + 1,
        )
    return paginate(rows, page, read=operations.read, key=lambda row: row.id)


@router.get("/{operation_id}")
async def get_operation(
    operation_id: OperationId, caller: Reader, operations: OperationsDependency
) -> OperationRead:
    """One operation."""
    return await operations.get(caller.organisation_id, operation_id)


@router.get("/{operation_id}/steps")
async def list_steps(
    operation_id: OperationId,
    caller: Reader,
    operations: OperationsDependency,
    database: DatabaseDependency,
    page: PageRequest,
) -> Page[StepRead]:
    """Steps in the order in which they started."""
    await operations.get(caller.organisation_id, operation_id)
    skip = page.after_number() or 0
    async with database.transaction(caller.organisation_id) as session:
        steps = await OperationRepository(session).steps(operation_id, skip=skip, limit=page.limit + 1)
    numbered = list(enumerate(steps, start=skip + 1))
    return paginate(numbered, page, read=lambda entry: entry[1], key=lambda entry: entry[0])


@router.get("/{operation_id}/items")
async def list_items(
    operation_id: OperationId,
    caller: Reader,
    operations: OperationsDependency,
    database: DatabaseDependency,
    page: PageRequest,
    status: Annotated[DocumentStatus | ItemStatus | None, Query()] = None,
) -> Page[ItemRead]:
    """Items of a batch with their outcomes, in the order of the request."""
    await operations.get(caller.organisation_id, operation_id)
    after = page.after_number()
    async with database.transaction(caller.organisation_id) as session:
        items = await OperationRepository(session).items(
            operation_id,
            status=status.value if status else None,
            after=-1 if after is None else after,
            limit=page.limit + 1,
        )
    return paginate(items, page, read=lambda item: item, key=lambda item: item.ordinal)


@router.get(
    "/{operation_id}/events",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "Server-sent events.",
            "content": {"text/event-stream": {"schema": EVENT_SCHEMA}},
        },
        204: {"description": "The operation has ended and its last event was seen."},
    },
)
async def stream_events(
    operation_id: OperationId,
    request: Request,
    caller: Reader,
    operations: OperationsDependency,
    database: DatabaseDependency,
    last_event_id: Annotated[str | None, Header(description="Id of the last event seen.")] = None,
    after: Annotated[
        int, Query(ge=0, le=2**62, description="Revision to go on from without the header.")
    ] = 0,
) -> Response:
    """Events `operation` (the whole resource) and `step`, from the beginning or after `Last-Event-ID`.

    The stream ends after the event that ends the operation.
    """
    operation = await operations.get(caller.organisation_id, operation_id)
    seen = after if last_event_id is None else _revision(last_event_id)
    async with database.transaction(caller.organisation_id) as session:
        newer = await OperationRepository(session).events(operation_id, seen, limit=1)
    if operation.status in TERMINAL and not newer and last_event_id is not None:
        return Response(status_code=status.HTTP_204_NO_CONTENT)

    async def body() -> AsyncIterator[str]:
        nonlocal seen
        yield f"retry: 1000\nevent: operation\ndata: {operation.model_dump_json()}\n\n"
        quiet = 0.0
        while not request.app.state.stopping.is_set():
            async with database.transaction(caller.organisation_id) as session:
                repository = OperationRepository(session)
                events = await repository.events(operation_id, seen)
                row = await repository.get(operation_id)
            for event in events:
                seen, quiet = event.revision, 0.0
                data = json.dumps(event.data, separators=(",", ":"))
                yield f"id: {event.revision}\nevent: {event.type}\ndata: {data}\n\n"
            if row is None or (row.closed_at is not None and row.revision <= seen):
                return
            if quiet >= KEEP_ALIVE_S:
                quiet = 0.0
                yield ": still here\n\n"
            await asyncio.sleep(POLL_S)
            quiet += POLL_S

    return StreamingResponse(
        body(),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


class Steering:
    """Answers a verb on an operation, once per Idempotency-Key."""

    def __init__(
        self, request: Request, response: Response, key: IdempotencyKey, operations: OperationsDependency
    ) -> None:
        self._request, self._response, self._key, self._operations = request, response, key, operations

    async def __call__(
        self, caller: Principal, operation_id: str, act: Callable[[], Awaitable[OperationRead]]
    ) -> OperationRead:
        """Act, or answer as before."""
        sha256 = fingerprint(self._request.method, self._request.url.path, None)
        accepted = await self._operations.once(caller, self._key, sha256, operation_id, act)
        if accepted.replayed:
            self._response.status_code = status.HTTP_200_OK
            self._response.headers.update(REPLAY_HEADERS)
        return accepted.operation


Steer = Annotated[Steering, made_here(Steering)]
VERB: dict[str, Any] = {
    "status_code": status.HTTP_202_ACCEPTED,
    "responses": {
        200: {"model": OperationRead, "description": "The Idempotency-Key was used before."},
        **problem_responses(409),
    },
}


@router.post("/{operation_id}/pause", **VERB)
async def pause_operation(
    operation_id: OperationId, caller: Writer, operations: OperationsDependency, steer: Steer
) -> OperationRead:
    """Start no further activity; what is under way ends. Pausing twice is the same as once."""
    return await steer(caller, operation_id, lambda: operations.pause(caller.organisation_id, operation_id))


@router.post("/{operation_id}/resume", **VERB)
async def resume_operation(
    operation_id: OperationId, caller: Writer, operations: OperationsDependency, steer: Steer
) -> OperationRead:
    """Go on after a pause."""
    return await steer(caller, operation_id, lambda: operations.resume(caller.organisation_id, operation_id))


@router.post("/{operation_id}/cancel", **VERB)
async def cancel_operation(
    operation_id: OperationId,
    caller: Writer,
    operations: OperationsDependency,
    steer: Steer,
    actor: ActorDependency,
) -> OperationRead:
    """Stop for good; what is done stays."""
    return await steer(
        caller, operation_id, lambda: operations.cancel(caller.organisation_id, operation_id, actor)
    )


@router.post("/{operation_id}/retry", **VERB)
async def retry_operation(
    operation_id: OperationId,
    caller: Writer,
    operations: OperationsDependency,
    steer: Steer,
    actor: ActorDependency,
) -> OperationRead:
    """Run what failed again; what succeeded is not repeated."""
    return await steer(
        caller, operation_id, lambda: operations.retry(caller.organisation_id, operation_id, actor)
    )


def _revision(last_event_id: str | None) -> int:
    if last_event_id is None:
        return 0
    if not last_event_id.isascii() or not last_event_id.isdigit() or len(last_event_id) > 18:
        detail = "Last-Event-ID must be the id of an event of this stream, a number"
        raise InvalidInputError(detail, [FieldError("/header/Last-Event-ID", detail)])
    return int(last_event_id)
