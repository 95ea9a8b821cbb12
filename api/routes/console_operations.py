"""Console: the dashboard of operations, and one operation with its steps and items."""

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Query, Request
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from api.actors import ActorDependency
from api.dependencies import OperationsDependency, Principal, require
from api.operations import Operations
from api.pagination import decode_cursor, encode_cursor
from api.routes.console_budget_view import budget_of
from api.routes.console_pages import (
    NOTICES,
    PAGE_SIZE,
    ConsoleRoute,
    Pages,
    Shown,
    is_partial,
    number_cursor,
    query_string,
    replacing,
    toast,
)
from api.routes.console_views import (
    OperationView,
    item_view,
    operations_digest,
    step_view,
    tiles,
)
from api.routes.console_words import DOCUMENT_LOOKS, KINDS, OPERATION_LOOKS
from perdure.db.console_repository import ConsoleRepository
from perdure.db.models import OperationRow
from perdure.db.operation_repository import OperationRepository
from perdure.domain.audit import Actor
from perdure.errors import NotFoundError
from perdure.schemas.documents import DocumentStatus
from perdure.schemas.operations import OperationRead, OperationStatus

router = APIRouter(prefix="/operations", route_class=ConsoleRoute, include_in_schema=False)

Reader = Annotated[Principal, require("operations:read")]
Writer = Annotated[Principal, require("operations:write")]

MOST_STEPS = 200

# What people look for among the items of a batch; the states on the way pass too fast to be looked for.
ITEM_FILTERS = (
    DocumentStatus.QUEUED,
    DocumentStatus.INDEXED,
    DocumentStatus.PARTIAL,
    DocumentStatus.SKIPPED_DUPLICATE,
    DocumentStatus.FAILED,
    DocumentStatus.QUARANTINED,
)

# Names of the events on /api/v1/operations/{id}/events that change what the page shows.
EVENTS = ("operation", "step")

Verb = Literal["pause", "resume", "cancel", "retry"]
_DONE: dict[Verb, str] = {
    "pause": "paused",
    "resume": "resumed",
    "cancel": "cancelled",
    "retry": "retried",
}


async def _titles(session: AsyncSession, rows: Sequence[OperationRow]) -> dict[str, str]:
    """What people call the operations: their subject by name, or what they said of themselves at the start."""
    names = ConsoleRepository(session)
    of_type = {
        kind: [row.subject_id for row in rows if row.subject_type == kind]
        for kind in ("approval", "document", "space")
    }
    known = {
        **await names.document_titles(filter(None, of_type["document"])),
        **await names.approval_titles(filter(None, of_type["approval"])),
        **{
            key: f"Space “{name}”"
            for key, name in (await names.space_names(filter(None, of_type["space"]))).items()
        },
    }
    return {row.id: known.get(row.subject_id or "", row.summary) for row in rows}


@router.get("")
async def show_operations(
    *,
    request: Request,
    pages: Shown,
    caller: Reader,
    operations: OperationsDependency,
    kind: Annotated[str, Query(max_length=100)] = "",
    status: OperationStatus | Literal[""] = "",
    cursor: Annotated[str, Query(max_length=512)] = "",
) -> Response:
    """The dashboard; a poll that finds nothing new is answered with 204."""
    async with pages.database.transaction(caller.organisation_id) as session:
        repository = OperationRepository(session)
        rows = await repository.list(
            kind=kind or None,
            status=status or None,
            after=decode_cursor(cursor) if cursor else None,
            limit=PAGE_SIZE + 1,
        )
        counts = await repository.counts()
        titles = await _titles(session, rows[:PAGE_SIZE])
    views = [OperationView(operations.read(row), titles[row.id]) for row in rows[:PAGE_SIZE]]
    digest = operations_digest(views, counts)
    if is_partial(request) and request.headers.get("X-Digest") == digest:
        return Response(status_code=204)
    more = len(rows) > PAGE_SIZE
    following = encode_cursor(views[-1].operation.id) if more else ""
    context: dict[str, Any] = {
        "views": views,
        "tiles": tiles(counts),
        "kind": kind,
        "status": status,
        "kinds": [(name, label) for name, (label, _) in KINDS.items()],
        "status_labels": {name: look.label for name, look in OPERATION_LOOKS.items()},
        "query": query_string(kind=kind, status=status, cursor=cursor),
        "first_url": "/operations" + query_string(kind=kind, status=status),
        "next_url": "/operations" + query_string(kind=kind, status=status, cursor=following)
        if more
        else None,
        "is_first_page": not cursor,
        "is_filtered": bool(kind or status or cursor),
        "digest": digest,
        "live": any(view.is_open for view in views),
        "swap_oob": is_partial(request),
    }
    if is_partial(request):
        return await pages.inside("partials/operation_update.html", caller, "operations", **context)
    budget = await budget_of(pages, caller)
    return await pages.inside("operations.html", caller, "operations", budget=budget, **context)


@router.get("/{operation_id}")
async def show_operation(
    *,
    operation_id: str,
    request: Request,
    pages: Shown,
    caller: Reader,
    operations: OperationsDependency,
    item_status: DocumentStatus | Literal[""] = "",
    item_cursor: Annotated[str, Query(max_length=512)] = "",
) -> Response:
    """One operation; while it is open, its events make the page ask again for this."""
    async with pages.database.transaction(caller.organisation_id) as session:
        repository = OperationRepository(session)
        row = await repository.get(operation_id)
        if row is None:
            raise NotFoundError("There is no such operation in this organisation; go back to the list.")
        titles = await _titles(session, [row])
        steps = await repository.steps(operation_id, limit=MOST_STEPS)
        items = await repository.items(
            operation_id,
            status=item_status or None,
            after=number_cursor(item_cursor) if item_cursor else -1,
            limit=PAGE_SIZE + 1,
        )
    view = OperationView(operations.read(row), titles[row.id])
    has_items = bool(items) or bool(item_status) or bool(item_cursor)
    following = encode_cursor(items[PAGE_SIZE - 1].ordinal) if len(items) > PAGE_SIZE else ""
    outcomes = (row.result or {}).get("outcomes")
    context: dict[str, Any] = {
        "view": view,
        "revision": row.revision,
        "sse_events": EVENTS,
        "query": query_string(item_status=item_status, item_cursor=item_cursor),
        "steps": [step_view(step) for step in steps],
        "steps_cut": len(steps) == MOST_STEPS,
        "items": [item_view(item) for item in items[:PAGE_SIZE]] if has_items else None,
        "items_next": query_string(item_status=item_status, item_cursor=following) if following else None,
        "item_status": item_status,
        # Texts that are classified and documents of workflows have pages of their own, with filters of their own.
        "item_looks": {name: DOCUMENT_LOOKS[name] for name in ITEM_FILTERS}
        if row.kind not in {"classify_batch", "run_workflow_batch"}
        else {},
        "item_counts": outcomes if isinstance(outcomes, dict) else {},
        "result_json": json.dumps(row.result, indent=2, ensure_ascii=False) if row.result else None,
    }
    if not is_partial(request):
        return await pages.inside("operation.html", caller, "operations", **context)
    # When it has ended, the part around it goes too, and with it the stream of events.
    headers = {} if view.is_open else replacing("operation-live")
    return await pages.inside(
        "partials/operation_live.html", caller, "operations", headers=headers, **context
    )


@router.post("/{operation_id}/{verb}")
async def steer_operation(
    *,
    operation_id: str,
    verb: Verb,
    pages: Shown,
    caller: Writer,
    operations: OperationsDependency,
    actor: ActorDependency,
    back: Annotated[Literal["list", "detail"], Form()] = "list",
) -> Response:
    """Pause, resume, cancel or retry."""
    page = f"/operations/{operation_id}" if back == "detail" else "/operations"
    return await steered(pages, caller, operations, operation_id, verb, actor, page)


async def steered(
    pages: Pages,
    caller: Principal,
    operations: Operations,
    operation_id: str,
    verb: Verb,
    actor: Actor,
    page: str,
) -> Response:
    """Steer by the functions that the API calls, and go on to a page."""
    organisation_id = caller.organisation_id
    steer: dict[Verb, Callable[[], Awaitable[OperationRead]]] = {
        "pause": lambda: operations.pause(organisation_id, operation_id),
        "resume": lambda: operations.resume(organisation_id, operation_id),
        "cancel": lambda: operations.cancel(organisation_id, operation_id, actor),
        "retry": lambda: operations.retry(organisation_id, operation_id, actor),
    }
    await steer[verb]()
    notice = _DONE[verb]
    if is_partial(pages.request):
        return Response(status_code=204, headers=toast(NOTICES[notice].text, refresh={}))
    return pages.redirect(page, notice)
