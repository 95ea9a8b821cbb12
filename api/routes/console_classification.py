"""Console: classify a text or documents, look at an answer, and decide what was not sure enough."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import ValidationError
from starlette.datastructures import FormData
from starlette.responses import Response

from api.actors import ActorDependency
from api.dependencies import OperationsDependency, Principal, require
from api.pagination import decode_cursor, encode_cursor
from api.routes import classification
from api.routes.classification import ResultId
from api.routes.console_classification_forms import FormError, Values, asked_of, values_of
from api.routes.console_classification_views import STAGES, AnswerView, workflow_names
from api.routes.console_offers import offered_documents
from api.routes.console_pages import ConsoleRoute, Pages, Shown, is_partial, query_string, said_of
from perdure.db.classification_results import ClassificationResults, ResultFilter
from perdure.db.classification_workflows import ClassificationWorkflows
from perdure.db.console_repository import ConsoleRepository
from perdure.domain.sentiment import Feeling
from perdure.errors import ConflictError, InvalidInputError, NotFoundError, UpstreamError
from perdure.schemas.classification import (
    BatchCreate,
    ClassificationCreate,
    ClassificationItem,
    ClassificationRead,
    ResultStatus,
    ReviewCreate,
)
from perdure.schemas.operations import OperationRead

router = APIRouter(prefix="/classification", route_class=ConsoleRoute, include_in_schema=False)

Reader = Annotated[Principal, require("classification:read")]
Writer = Annotated[Principal, require("classification:write")]
Reviewer = Annotated[Principal, require("classification:review")]
IdField = Annotated[str, Query(max_length=200)]
CursorField = Annotated[str, Query(max_length=512)]
DecidedField = Annotated[
    bool, Query(description="What was decided automatically, to see how often that is right.")
]

# As many workflows and documents as a form offers.
OFFERED_WORKFLOWS = 200
_OFFERED_DOCUMENTS = 25

# What a form may get wrong; the rest is an error page.
FAULTS = (ValidationError, InvalidInputError, ConflictError, NotFoundError)


async def offered_workflows(pages: Pages, caller: Principal) -> dict[str, str]:
    """Names of the workflows in use, by id."""
    async with pages.database.transaction(caller.organisation_id) as session:
        repository = ClassificationWorkflows(session, caller.organisation_id)
        return workflow_names(await repository.list(limit=OFFERED_WORKFLOWS))


async def answer_view(pages: Pages, caller: Principal, read: ClassificationRead) -> AnswerView:
    """An answer with the title and the text of its document."""
    if read.document_id is None:
        return AnswerView(read)
    async with pages.database.transaction(caller.organisation_id) as session:
        titles = await ConsoleRepository(session).document_titles([read.document_id])
        texts = await ClassificationResults(session, caller.organisation_id).document_texts(
            {read.document_id}
        )
    return AnswerView(read, titles.get(read.document_id), texts.get(read.document_id))


async def _classify_page(
    request: Request,
    pages: Pages,
    caller: Principal,
    values: Values,
    *,
    chosen: Sequence[str] = (),
    view: AnswerView | None = None,
    fault: str | None = None,
) -> Response:
    context: dict[str, Any] = {"view": view, "fault": fault}
    if is_partial(request):
        return await pages.inside("partials/classification_answer.html", caller, "classification", **context)
    return await pages.inside(
        "classification.html",
        caller,
        "classification",
        http_status=422 if fault else 200,
        tab="classify",
        values=values,
        documents=await offered_documents(pages, caller, _OFFERED_DOCUMENTS, chosen),
        documents_chosen=chosen,
        workflows=await offered_workflows(pages, caller),
        stages=STAGES,
        answered=view is not None,
        **context,
    )


@router.get("")
async def show_classify(
    request: Request, pages: Shown, caller: Reader, workflow_id: IdField = "", document_id: IdField = ""
) -> Response:
    """The form."""
    chosen = [document_id] if document_id else []
    return await _classify_page(request, pages, caller, Values(workflow_id=workflow_id), chosen=chosen)


@router.post("")
async def classify(
    request: Request, pages: Shown, caller: Writer, operations: OperationsDependency
) -> Response:
    """Answer for a text or a document at once; of several documents make a batch."""
    form = await request.form()
    values = values_of(form)
    documents = [str(id_) for id_ in form.getlist("document_id") if str(id_).strip()]
    try:
        if len(documents) > 1 and not values.text.strip():
            items = [ClassificationItem(document_id=id_) for id_ in documents]
            batch = BatchCreate(items=items, **asked_of(values))
            started = await classification.classify_batch(
                batch, request, Response(), caller, None, operations
            )
            return onward(request, pages, f"/classification/batches/{started.id}")
        answered = await _answered(request, caller, operations, values, documents)
    except UpstreamError as error:
        return await _classify_page(request, pages, caller, values, chosen=documents, fault=str(error))
    except FAULTS as error:
        return await _classify_page(request, pages, caller, values, chosen=documents, fault=said_of(error))
    if isinstance(answered, OperationRead):
        async with pages.database.transaction(caller.organisation_id) as session:
            found = await ClassificationResults(session, caller.organisation_id).of_operation(answered.id)
        if found is None:
            return onward(request, pages, f"/operations/{answered.id}")
        answered = found
    view = await answer_view(pages, caller, answered)
    return await _classify_page(request, pages, caller, values, chosen=documents, view=view)


async def _answered(
    request: Request,
    caller: Principal,
    operations: OperationsDependency,
    values: Values,
    documents: Sequence[str],
) -> ClassificationRead | OperationRead:
    if values.text.strip() and documents:
        raise FormError("Give a text or documents, not both.")
    if not values.text.strip() and not documents:
        raise FormError("Give a text, or choose a document.")
    subject = {"document_id": documents[0]} if documents else {"text": values.text}
    body = ClassificationCreate(**subject, **asked_of(values))
    return await classification.classify(body, request, Response(), caller, None, operations, wait=True)


def onward(request: Request, pages: Pages, path: str) -> Response:
    """Go to another page, also when htmx asked."""
    if is_partial(request):
        return Response(status_code=204, headers={"HX-Redirect": path})
    return pages.redirect(path)


@router.get("/results/{result_id}")
async def show_result(result_id: ResultId, request: Request, pages: Shown, caller: Reader) -> Response:
    """An answer."""
    read = await classification.get_result(result_id, caller, pages.database)
    view = await answer_view(pages, caller, read)
    if is_partial(request):
        return await pages.inside(
            "partials/classification_answer.html", caller, "classification", view=view, fault=None
        )
    async with pages.database.transaction(caller.organisation_id) as session:
        operation = await classification.operation_of(session, read)
    is_of_batch = operation is not None and operation.kind == "classify_batch"
    return await pages.inside(
        "classification_result.html",
        caller,
        "classification",
        tab="batches" if is_of_batch else "classify",
        view=view,
        fault=None,
        batch_url=f"/classification/batches/{read.operation_id}" if is_of_batch else None,
        workflow_name=await _workflow_name(pages, caller, read.workflow_id),
    )


async def _workflow_name(pages: Pages, caller: Principal, workflow_id: str | None) -> str | None:
    if workflow_id is None:
        return None
    async with pages.database.transaction(caller.organisation_id) as session:
        row = await ClassificationWorkflows(session, caller.organisation_id).get(workflow_id)
    return row.name if row else None


@dataclass(frozen=True)
class Queue:
    """Which answers are reviewed one after the other: those that wait, or that were decided automatically."""

    workflow_id: str = ""
    cursor: str = ""
    decided: bool = False

    @property
    def address(self) -> str:
        """The page of the next one."""
        decided = "true" if self.decided else ""
        wanted = query_string(workflow_id=self.workflow_id, cursor=self.cursor, decided=decided)
        return f"/classification/review{wanted}"


@router.get("/review")
async def show_review(
    *,
    pages: Shown,
    caller: Reader,
    workflow_id: IdField = "",
    cursor: CursorField = "",
    decided: DecidedField = False,
) -> Response:
    """The next answer that waits for a person, or that was decided without one."""
    status = ResultStatus.DECIDED if decided else ResultStatus.OPEN
    async with pages.database.transaction(caller.organisation_id) as session:
        waiting = await ClassificationResults(session, caller.organisation_id).list(
            ResultFilter(workflow_id=workflow_id or None, status=status.value),
            after=decode_cursor(cursor) if cursor else None,
            limit=2,
        )
    if not waiting:
        return await _review_page(pages, caller, None, queue=Queue(workflow_id, cursor, decided))
    read = await classification.get_result(waiting[0].id, caller, pages.database)
    onwards = Queue(workflow_id, encode_cursor(read.id), decided).address if len(waiting) > 1 else None
    return await _review_page(
        pages, caller, read, queue=Queue(workflow_id, cursor, decided), next_url=onwards
    )


@router.get("/results/{result_id}/review")
async def show_result_review(result_id: ResultId, pages: Shown, caller: Reviewer) -> Response:
    """One answer, to be decided or corrected."""
    read = await classification.get_result(result_id, caller, pages.database)
    return await _review_page(pages, caller, read, back="result")


async def _review_page(
    pages: Pages,
    caller: Principal,
    read: ClassificationRead | None,
    *,
    queue: Queue | None = None,
    back: str = "",
    next_url: str | None = None,
    comment: str = "",
    fault: str | None = None,
) -> Response:
    labels: list[str] = []
    multi_label = False
    if read is not None:
        async with pages.database.transaction(caller.organisation_id) as session:
            asked = await ClassificationResults(session, caller.organisation_id).questions(read.operation_id)
        category = asked.category() if asked else None
        names = [label.name for label in category.labels] if category else [one.value for one in Feeling]
        labels, multi_label = sorted(names, key=str.casefold), bool(category and category.multi_label)
    return await pages.inside(
        "classification_review.html",
        caller,
        "classification",
        http_status=422 if fault else 200,
        tab="review",
        view=await answer_view(pages, caller, read) if read else None,
        workflows=await offered_workflows(pages, caller),
        queue=queue or Queue(),
        workflow_name=await _workflow_name(pages, caller, read.workflow_id) if read else None,
        multi_label=multi_label,
        labels=labels,
        chosen=read.labels if read else [],
        comment=comment,
        back=back,
        next_url=next_url,
        fault=fault,
    )


@router.post("/results/{result_id}/review")
async def review(
    result_id: ResultId, request: Request, pages: Shown, caller: Reviewer, actor: ActorDependency
) -> Response:
    """Take a person's answer, and go on to the next."""
    form = await request.form()
    given = {name: str(form.get(name, "")) for name in ("label", "other", "comment", "back")}
    workflow_id, cursor = (str(form.get(name, ""))[:512] for name in ("workflow_id", "cursor"))
    queue = Queue(workflow_id, cursor, decided=form.get("decided") == "true")
    label = given["label"] or given["other"]
    try:
        body = _review_of(label, form, given["comment"])
        await classification.review_result(result_id, body, caller, pages.database, actor)
    except (ValidationError, InvalidInputError, ConflictError) as error:
        read = await classification.get_result(result_id, caller, pages.database)
        return await _review_page(
            pages,
            caller,
            read,
            queue=queue,
            back=given["back"],
            comment=given["comment"],
            fault=said_of(error),
        )
    if given["back"] == "result":
        return pages.redirect(f"/classification/results/{result_id}", "reviewed")
    return pages.redirect(queue.address, "reviewed")


def _review_of(label: str, form: FormData, comment: str) -> ReviewCreate:
    """One label by its button, or several by their boxes."""
    if not label and "several" not in form:
        raise FormError("Choose a label.")
    answer = {"label": label} if label else {"labels": [str(each) for each in form.getlist("labels")]}
    return ReviewCreate.model_validate({**answer, "comment": comment.strip() or None})
