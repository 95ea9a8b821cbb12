"""Console: batches of texts to classify, their progress and their results."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.datastructures import FormData, UploadFile
from starlette.responses import Response

from api.dependencies import OperationsDependency, Principal
from api.pagination import decode_cursor, encode_cursor
from api.routes import classification
from api.routes.console_classification import (
    FAULTS,
    CursorField,
    IdField,
    Reader,
    Writer,
    offered_workflows,
    onward,
)
from api.routes.console_classification_forms import FormError, asked_of, values_of
from api.routes.console_classification_views import (
    DECISION_LOOKS,
    RESULT_LOOKS,
    STAGES,
    Figure,
    ResultView,
)
from api.routes.console_item_files import items_of
from api.routes.console_memories import spaces_of
from api.routes.console_pages import (
    PAGE_SIZE,
    ConsoleRoute,
    Pages,
    Shown,
    is_partial,
    number_cursor,
    query_string,
    replacing,
    said_of,
    toast,
)
from api.routes.console_views import OperationView
from perdure.db.classification_results import BATCH_KIND, ClassificationResults, ResultFilter
from perdure.db.classification_workflows import ClassificationWorkflows
from perdure.db.console_repository import ConsoleRepository
from perdure.db.document_repository import DocumentRepository
from perdure.db.models import OperationRow
from perdure.db.operation_repository import OperationRepository
from perdure.domain.dollars import dollars
from perdure.errors import NotFoundError
from perdure.schemas.classification import (
    MAX_ITEMS,
    BatchCreate,
    ClassificationItem,
    ClassifyBatchResult,
    Decision,
    Questions,
    ResultStatus,
)
from perdure.schemas.documents import DocumentStatus

router = APIRouter(prefix="/classification/batches", route_class=ConsoleRoute, include_in_schema=False)

_READABLE = (DocumentStatus.INDEXED, DocumentStatus.PARTIAL)
# Labels that a filter offers.
_OFFERED_LABELS = 200


@router.get("")
async def show_batches(
    *,
    pages: Shown,
    caller: Reader,
    operations: OperationsDependency,
    workflow_id: IdField = "",
    cursor: CursorField = "",
) -> Response:
    """The form for a batch, and the batches so far."""
    async with pages.database.transaction(caller.organisation_id) as session:
        rows = await OperationRepository(session).list(
            kind=BATCH_KIND, after=decode_cursor(cursor) if cursor else None, limit=PAGE_SIZE + 1
        )
        names = await _workflow_names(session, caller, rows)
    views = [OperationView(operations.read(row), _title(row, names.get(row.id))) for row in rows[:PAGE_SIZE]]
    following = encode_cursor(views[-1].operation.id) if len(rows) > PAGE_SIZE else ""
    here = "/classification/batches"
    return await pages.inside(
        "classification_batches.html",
        caller,
        "classification",
        tab="batches",
        fault=None,
        views=views,
        most=MAX_ITEMS,
        stages=STAGES,
        spaces=await spaces_of(pages, caller),
        workflows=await offered_workflows(pages, caller),
        workflow_id=workflow_id,
        live=any(view.is_open for view in views),
        query=query_string(cursor=cursor),
        first_url=here,
        next_url=here + query_string(cursor=following) if following else None,
        is_first_page=not cursor,
    )


async def _workflow_names(
    session: AsyncSession, caller: Principal, rows: Sequence[OperationRow]
) -> Mapping[str, str]:
    """Names of the workflows of operations, by the operations' ids."""
    workflows = ClassificationWorkflows(session, caller.organisation_id)
    ids = {row.id: row.subject_id for row in rows if row.subject_type == "classification_workflow"}
    found = {id_: await workflows.get(id_) for id_ in set(filter(None, ids.values()))}
    return {
        operation: workflow.name
        for operation, id_ in ids.items()
        if id_ is not None and (workflow := found[id_]) is not None
    }


def _title(row: OperationRow, workflow: str | None) -> str:
    return f"{row.summary} by “{workflow}”" if workflow else row.summary


@router.post("")
async def start(request: Request, pages: Shown, caller: Writer, operations: OperationsDependency) -> Response:
    """Start a batch of what a file holds, or of all documents of a space."""
    try:
        async with request.form() as form:
            body = BatchCreate(items=await _items(pages, caller, form), **asked_of(values_of(form)))
        started = await classification.classify_batch(body, request, Response(), caller, None, operations)
    except FAULTS as error:
        if is_partial(request):
            return Response(status_code=204, headers=toast(said_of(error), "danger"))
        raise FormError(said_of(error)) from error
    return onward(request, pages, f"/classification/batches/{started.id}")


async def _items(pages: Pages, caller: Principal, form: FormData) -> list[ClassificationItem]:
    file, space = form.get("file"), str(form.get("space", ""))
    has_file = isinstance(file, UploadFile) and bool(file.filename)
    if has_file == bool(space):
        raise FormError("Choose a file or a space, one of them.")
    if isinstance(file, UploadFile) and has_file:
        return items_of(await file.read(), file.filename or "")
    async with pages.database.transaction(caller.organisation_id) as session:
        repository = DocumentRepository(session, caller.organisation_id)
        found = [
            document
            for status in _READABLE
            for document in await repository.list(space=space, status=status, limit=MAX_ITEMS + 1)
        ]
    if not found:
        raise FormError(f"There is no readable document in “{space}”.")
    if len(found) > MAX_ITEMS:
        raise FormError(f"“{space}” has more than {MAX_ITEMS:,} documents. Send them by the API in batches.")
    return [ClassificationItem(document_id=document.id) for document in found]


@router.get("/{operation_id}")
async def show_batch(
    *,
    operation_id: str,
    request: Request,
    pages: Shown,
    caller: Reader,
    operations: OperationsDependency,
    label: IdField = "",
    status: ResultStatus | Literal[""] = "",
    decision: Decision | Literal[""] = "",
    below: Annotated[str, Query(max_length=20)] = "",
    cursor: CursorField = "",
) -> Response:
    """A batch with its results; while it is open, its events make the page ask again for this."""
    shown = {"label": label.strip(), "status": str(status), "decision": str(decision), "below": below.strip()}
    async with pages.database.transaction(caller.organisation_id) as session:
        row = await OperationRepository(session).get(operation_id)
        if row is None:
            raise NotFoundError("There is no such batch in this organisation; go back to the list.")
        results = ClassificationResults(session, caller.organisation_id)
        if row.kind != BATCH_KIND:
            single = await results.of_operation(operation_id)
            return pages.redirect(
                f"/classification/results/{single.id}" if single else f"/operations/{operation_id}"
            )
        found = await results.list(
            ResultFilter(
                operation_id=operation_id,
                label=shown["label"] or None,
                status=shown["status"] or None,
                decision=shown["decision"] or None,
                below=_share(shown["below"]),
            ),
            after=number_cursor(cursor) if cursor else None,
            limit=PAGE_SIZE + 1,
        )
        asked = await results.questions(operation_id)
        titles = await ConsoleRepository(session).document_titles(
            [each.document_id for each in found if each.document_id]
        )
        names = await _workflow_names(session, caller, [row])
    view = OperationView(operations.read(row), _title(row, None))
    here = f"/classification/batches/{operation_id}"
    following = encode_cursor(found[PAGE_SIZE - 1].ordinal) if len(found) > PAGE_SIZE else ""
    context: dict[str, Any] = {
        "view": view,
        "revision": row.revision,
        "query": query_string(**shown, cursor=cursor),
        "workflow_id": row.subject_id,
        "workflow_name": names.get(row.id),
        "has_results": bool(found) or any(shown.values()),
        "figures": _figures(row.result) if not view.is_open else [],
        "shown": shown,
        "labels": _labels(asked),
        "status_looks": RESULT_LOOKS,
        "decision_looks": DECISION_LOOKS,
        "results": [ResultView(each, titles.get(each.document_id or "")) for each in found[:PAGE_SIZE]],
        "first_url": here + query_string(**shown),
        "next_url": here + query_string(**shown, cursor=following) if following else None,
        "is_first_page": not cursor,
        "is_filtered": any(shown.values()) or bool(cursor),
    }
    if not is_partial(request):
        return await pages.inside(
            "classification_batch.html", caller, "classification", tab="batches", **context
        )
    # When it has ended, the part around it goes too, and with it the stream of events.
    return await pages.inside(
        "partials/classification_batch_live.html",
        caller,
        "classification",
        headers={} if view.is_open else replacing("batch-live"),
        **context,
    )


def _share(per_cent: str) -> float | None:
    """What a field of per cent says; nothing when it says none."""
    try:
        return float(per_cent.replace(",", ".")) / 100 if per_cent else None
    except ValueError:
        return None


def _labels(asked: Questions | None) -> list[str]:
    category = asked.category() if asked else None
    return [label.name for label in category.labels[:_OFFERED_LABELS]] if category else []


def _figures(result: Mapping[str, Any] | None) -> list[Figure]:
    """What became of an ended batch."""
    if not result:
        return []
    counted = ClassifyBatchResult.model_validate(result)
    if not counted.total:
        return []

    def figure(label: str, number: int, icon: str, tone: str) -> Figure:
        return Figure(label, f"{number:,}", icon, tone, f"{100 * number / counted.total:.0f} %")

    figures = [
        figure("Decided automatically", counted.decided, "check-circle", "success"),
        figure("For a person", counted.human_review, "hand", "violet"),
        figure("Failed", counted.failed, "x-circle", "danger"),
    ]
    if counted.input_tokens or counted.output_tokens:
        cost = dollars(Decimal(str(counted.cost))) if counted.cost is not None else "not known"
        tokens = f"{counted.input_tokens:,} + {counted.output_tokens:,} tokens"
        figures.append(Figure("Cost", cost, "curve", "", tokens))
    return figures


@router.get("/{operation_id}/download")
async def download(
    operation_id: str,
    pages: Shown,
    caller: Reader,
    file_format: Annotated[Literal["csv", "jsonl"], Query(alias="format")] = "csv",
) -> Response:
    """All results as a file, by the function that the API calls."""
    async with pages.database.transaction(caller.organisation_id) as session:
        row = await OperationRepository(session).get(operation_id)
    if row is None:
        raise NotFoundError("There is no such batch in this organisation; go back to the list.")
    media_type = classification.CSV if file_format == "csv" else classification.LINES
    return classification.stream_results(
        pages.database, caller, ResultFilter(operation_id=operation_id), media_type
    )
