"""`/api/v1/ai/classification`: texts go in, labels come out, and what is not sure goes to a person."""

import csv
import io
from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response, status
from fastapi.responses import StreamingResponse
from sqlalchemy.ext.asyncio import AsyncSession

from api.actors import ActorDependency
from api.dependencies import DatabaseDependency, OperationsDependency, Principal, require
from api.idempotency import IdempotencyKey, fingerprint
from api.operations import Accepted
from api.pagination import PageRequest, paginate
from api.problems import problem_responses
from api.routes.documents import answer
from perdure.db.audit_trail import AuditTrail
from perdure.db.classification_results import (
    BATCH_KIND,
    KIND,
    ClassificationResults,
    NewItem,
    ResultFilter,
    accept_classification,
)
from perdure.db.classification_workflows import ClassificationWorkflows, Reviews, questions_of
from perdure.db.document_repository import DocumentRepository
from perdure.db.models import OperationRow
from perdure.db.operation_repository import OperationRepository
from perdure.db.review_decisions import ReviewDecisions
from perdure.db.session import Database
from perdure.domain.audit import Action
from perdure.domain.ids import ID_PATTERN
from perdure.domain.sentiment import Feeling
from perdure.errors import ConflictError, FieldError, InvalidInputError, NotFoundError
from perdure.schemas.base import Page
from perdure.schemas.classification import (
    MAX_EXAMPLE,
    BatchCreate,
    ClassificationCreate,
    ClassificationRead,
    Decision,
    Questions,
    ResultStatus,
    ResultSummary,
    ReviewCreate,
    Stage,
    leaves_of,
)
from perdure.schemas.operations import OperationRead, Subject

router = APIRouter(prefix="/api/v1/ai/classification", tags=["classification"])

Reader = Annotated[Principal, require("classification:read")]
Writer = Annotated[Principal, require("classification:write")]
Reviewer = Annotated[Principal, require("classification:review")]
ResultId = Annotated[str, Path(pattern=ID_PATTERN, description="Id of a result, `clr_…`.")]
IdQuery = Annotated[str | None, Query(pattern=ID_PATTERN)]
Wait = Annotated[bool, Query(description="Answer with the result; after 30 s with 202, as without.")]

CSV, LINES = "text/csv", "application/x-ndjson"
_STREAMED = 500
_COLUMNS = (
    "id", "operation_id", "ordinal", "external_id", "document_id", "workflow_id", "version", "status", "decision",
    "label", "labels", "confidence", "sentiment", "provider", "model", "input_tokens", "output_tokens", "cost",
    "reason", "detail", "created_at", "classified_at", "excerpt",
)  # fmt: skip
# A spreadsheet takes what begins so for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_REVIEWABLE = {ResultStatus.DECIDED, ResultStatus.OPEN, ResultStatus.REVIEWED}


@router.post(
    "/enhanced",
    status_code=status.HTTP_202_ACCEPTED,
    response_model=OperationRead | ClassificationRead,
    responses={
        200: {
            "model": ClassificationRead,
            "description": "With `wait`, the answer; without it, the Idempotency-Key was used before.",
        },
        202: {"model": OperationRead},
        **problem_responses(404, 409, 502, 503),
    },
)
async def classify(
    body: ClassificationCreate,
    request: Request,
    response: Response,
    caller: Writer,
    key: IdempotencyKey,
    operations: OperationsDependency,
    wait: Wait = False,
) -> OperationRead | ClassificationRead:
    """Classify a text or a document, by a workflow or by labels of this one request."""
    item = NewItem(body.text, body.document_id, body.external_id)

    async def build(session: AsyncSession, operation_id: str) -> OperationRow:
        if body.document_id is not None:
            await _check_document(session, caller, body.document_id)
        questions = await _asked(session, caller, body, is_batch=False)
        return await accept_classification(
            session, caller.organisation_id, caller.actor_id, KIND, [item], questions, operation_id
        )

    sha256 = fingerprint(request.method, request.url.path, body)
    accepted = await operations.accept(caller, key, sha256, build)
    operation = answer(response, accepted)
    if not wait or not await operations.ends(caller.organisation_id, operation):
        return operation
    database: Database = request.app.state.database
    async with database.transaction(caller.organisation_id) as session:
        found = await ClassificationResults(session, caller.organisation_id).of_operation(operation.id)
    if found is None:
        return operation
    response.status_code = status.HTTP_200_OK
    return found


@router.post(
    "/batch",
    status_code=status.HTTP_202_ACCEPTED,
    response_model=OperationRead,
    responses={
        200: {"model": OperationRead, "description": "The Idempotency-Key was used before."},
        **problem_responses(404, 409, 502, 503),
    },
)
async def classify_batch(
    body: BatchCreate,
    request: Request,
    response: Response,
    caller: Writer,
    key: IdempotencyKey,
    operations: OperationsDependency,
) -> OperationRead:
    """Classify up to 10,000 texts and documents as one operation. What is wrong with one never stops the rest."""
    items = [NewItem(item.text, item.document_id, item.external_id) for item in body.items]

    async def build(session: AsyncSession, operation_id: str) -> OperationRow:
        questions = await _asked(session, caller, body, is_batch=True)
        return await accept_classification(
            session, caller.organisation_id, caller.actor_id, BATCH_KIND, items, questions, operation_id
        )

    sha256 = fingerprint(request.method, request.url.path, body)
    accepted: Accepted = await operations.accept(caller, key, sha256, build)
    return answer(response, accepted)


@router.get(
    "/results",
    response_model=Page[ResultSummary],
    responses={
        200: {
            "description": "A page of results; as CSV or lines of JSON, all of them.",
            "content": {CSV: {"schema": {"type": "string"}}, LINES: {"schema": {"type": "string"}}},
        },
        **problem_responses(),
    },
)
async def list_results(
    request: Request,
    caller: Reader,
    database: DatabaseDependency,
    page: PageRequest,
    operation_id: IdQuery = None,
    workflow_id: IdQuery = None,
    label: Annotated[str | None, Query(pattern=r"^[^\x00]{1,200}$")] = None,
    decision: Annotated[Decision | None, Query()] = None,
    status: Annotated[
        ResultStatus | None,
        Query(description="`open` waits for a person: with it, this is the review queue."),
    ] = None,
) -> Page[ResultSummary] | StreamingResponse:
    """Results, newest first; those of one operation in the order of its items."""
    wanted = ResultFilter(
        operation_id=operation_id,
        workflow_id=workflow_id,
        label=label,
        decision=decision.value if decision else None,
        status=status.value if status else None,
    )
    accepted = request.headers.get("accept", "")
    for media_type in (CSV, LINES):
        if media_type in accepted:
            return stream_results(database, caller, wanted, media_type)
    after: str | int | None = page.after_number() if operation_id is not None else page.after
    async with database.transaction(caller.organisation_id) as session:
        results = ClassificationResults(session, caller.organisation_id)
        found = await results.list(wanted, after=after, limit=page.limit + 1)
    return paginate(
        found,
        page,
        read=lambda result: result,
        key=lambda result: result.ordinal if operation_id is not None else result.id,
    )


@router.get("/results/{result_id}", responses=problem_responses(404))
async def get_result(result_id: ResultId, caller: Reader, database: DatabaseDependency) -> ClassificationRead:
    """One result with all that its stages say."""
    async with database.transaction(caller.organisation_id) as session:
        return await _found(session, caller, result_id)


@router.post("/results/{result_id}/review", responses=problem_responses(404, 409))
async def review_result(
    result_id: ResultId,
    body: ReviewCreate,
    caller: Reviewer,
    database: DatabaseDependency,
    actor: ActorDependency,
) -> ClassificationRead:
    """Tell the right label. It becomes the result's, and an example for the next version of its workflow."""
    async with database.transaction(caller.organisation_id) as session:
        reviews = Reviews(session, caller.organisation_id)
        locked = await reviews.lock(result_id)
        if locked is None:
            raise _missing(result_id)
        row, questions = locked
        if ResultStatus(row.status) not in _REVIEWABLE:
            raise ConflictError(
                f"result {result_id} is {row.status}: only an answer that is there can be reviewed"
            )
        labels = _checked(body.answer(), questions)
        content = await ReviewDecisions(session, caller.organisation_id).text_of(row)
        await reviews.write(row, labels, body.comment, caller.actor_id)
        await reviews.learn(row, labels, content[:MAX_EXAMPLE])
        await AuditTrail(session, caller.organisation_id).record(
            Action.CLASSIFICATION_REVIEWED,
            actor,
            subject=Subject(type="classification_result", id=result_id),
            details={"operation_id": row.operation_id},
        )
        return await _found(session, caller, result_id)


async def operation_of(session: AsyncSession, read: ClassificationRead) -> OperationRow | None:
    """The operation that a result is of."""
    return await OperationRepository(session).get(read.operation_id)


async def _asked(
    session: AsyncSession, caller: Principal, body: ClassificationCreate | BatchCreate, *, is_batch: bool
) -> Questions:
    if body.workflow_id is None:
        return questions_of(body.definition(), is_batch=is_batch)
    workflows = ClassificationWorkflows(session, caller.organisation_id)
    questions = await workflows.asked(await workflows.active(body.workflow_id), is_batch=is_batch)
    given = {name: getattr(body, name) for name in ("region", "language") if getattr(body, name) is not None}
    return questions.model_copy(update={**given, "evidence": body.evidence})


async def _check_document(session: AsyncSession, caller: Principal, document_id: str) -> None:
    if await DocumentRepository(session, caller.organisation_id).get(document_id) is None:
        raise NotFoundError(f"no document {document_id}: check the id, or list GET /api/v1/documents")


def _checked(labels: Sequence[str], questions: Questions) -> list[str]:
    """The labels, which must be some of those that were asked for."""
    category = questions.category()
    asks_sentiment = any(stage.task is Stage.SENTIMENT for stage in questions.stages)
    if category is None and not asks_sentiment:
        raise ConflictError("nothing was asked of this text that a label answers")
    names = leaves_of(category.labels) if category else [one.value for one in Feeling]
    many = category is not None and category.multi_label
    unknown = [label for label in labels if label not in names]
    if unknown:
        shown = ", ".join(names[:20]) + (", …" if len(names) > 20 else "")
        detail = f"{', '.join(unknown)}: no label of this classification; it has {shown}"
    elif len(labels) != 1 and not many:
        detail = "give exactly one label: this classification gives one to each text"
    else:
        return list(labels)
    raise InvalidInputError(detail, [FieldError("/body/labels", detail)])


def stream_results(
    database: Database, caller: Principal, wanted: ResultFilter, media_type: str
) -> StreamingResponse:
    """All results that are wanted as a file, CSV or lines of JSON."""

    async def pages() -> AsyncIterator[Sequence[ResultSummary]]:
        after: str | int | None = None
        while True:
            async with database.transaction(caller.organisation_id) as session:
                results = ClassificationResults(session, caller.organisation_id)
                found = await results.list(wanted, after=after, limit=_STREAMED)
            yield found
            if len(found) < _STREAMED:
                return
            after = found[-1].ordinal if wanted.operation_id is not None else found[-1].id

    async def rows() -> AsyncIterator[str]:
        if media_type == CSV:
            yield _csv([_COLUMNS])
        async for found in pages():
            if media_type == CSV:
                yield _csv([_row(result) for result in found])
            else:
                yield "".join(result.model_dump_json() + "\n" for result in found)

    name = f"classification.{'csv' if media_type == CSV else 'jsonl'}"
    return StreamingResponse(
        rows(),
        media_type=media_type,
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "private, no-store",
        },
    )


def _csv(rows: Sequence[Sequence[Any]]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer).writerows(rows)
    return buffer.getvalue()


def _row(result: ResultSummary) -> list[Any]:
    shown = result.model_dump(mode="json")
    shown |= {
        "labels": "|".join(result.labels),
        "input_tokens": result.tokens.input,
        "output_tokens": result.tokens.output,
    }
    return [_harmless(shown[column]) for column in _COLUMNS]


def _harmless(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


async def _found(session: AsyncSession, caller: Principal, result_id: str) -> ClassificationRead:
    session.expire_all()
    found = await ClassificationResults(session, caller.organisation_id).get(result_id)
    if found is None:
        raise _missing(result_id)
    return found


def _missing(result_id: str) -> NotFoundError:
    return NotFoundError(
        f"no result {result_id}: check the id, or list GET /api/v1/ai/classification/results"
    )
