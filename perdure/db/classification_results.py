"""Texts that are classified, and their answers; the caller owns the transaction."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from typing import Any

from pydantic_core import to_json
from sqlalchemy import Select, any_, func, or_, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from perdure.db.models import (
    ClassificationBatchRow,
    ClassificationResultRow,
    ClassificationReviewRow,
    DocumentRow,
    OperationRow,
)
from perdure.db.operation_repository import OperationRepository
from perdure.db.review_requests import ReviewRequests
from perdure.db.vector_bytes import to_bytes
from perdure.domain.deciding import decision_of
from perdure.domain.html_words import SeenText, seen
from perdure.domain.ids import new_id
from perdure.ports.models import Vectors
from perdure.schemas.classification import (
    MAX_ITEMS,
    ClassificationRead,
    ClassifyBatchResult,
    Decision,
    ItemReason,
    ItemStatus,
    Questions,
    ResultStatus,
    ResultSummary,
    ReviewRead,
    StagesRead,
    TokensRead,
)
from perdure.schemas.operations import Subject

KIND = "classify_document"
BATCH_KIND = "classify_batch"
# Characters of a text that is read in a moment; documents may have any number.
_SHORT = 2_000
_LONG_TEXTS_IN_PAGE = 100

EXCERPT = 200
SHOWN_TEXT = 10_000
# A document is read so far.
MAX_DOCUMENT = 1_000_000
_OPEN = [ResultStatus.QUEUED.value, ResultStatus.SCORED.value, ResultStatus.ESCALATED.value]
# What a person sees of a result in the list of a batch's items.
_ITEM_STATUS = {
    ResultStatus.DECIDED: ItemStatus.DECIDED.value,
    ResultStatus.OPEN: ItemStatus.HUMAN_REVIEW.value,
    ResultStatus.FAILED: "failed",
}

# One round trip, whatever the number of items. Only those of batches are items of their operation, too.
_ADD = text(
    """
    WITH asked AS (
        INSERT INTO classification_batches (operation_id, organisation_id, workflow_id, version, definition)
        VALUES (:operation_id, :organisation_id, :workflow_id, :version, CAST(:definition AS jsonb))
    ), given AS (
        SELECT * FROM unnest(
            CAST(:ids AS text[]), CAST(:externals AS text[]), CAST(:documents AS text[]),
            CAST(:contents AS text[]), CAST(:names AS text[])
        ) WITH ORDINALITY AS r (id, external_id, document_id, content, name, place)
    ), results AS (
        INSERT INTO classification_results
            (id, organisation_id, operation_id, ordinal, external_id, document_id, workflow_id, version, content)
        SELECT id, :organisation_id, :operation_id, place - 1, external_id,
            CASE WHEN :is_batch THEN NULL ELSE document_id END, :workflow_id, CAST(:version AS integer), content
        FROM given
    )
    INSERT INTO operation_items (organisation_id, operation_id, ordinal, name, source, status)
    SELECT :organisation_id, :operation_id, place - 1, name,
        CASE WHEN document_id IS NULL THEN '{}'::jsonb ELSE jsonb_build_object('document_id', document_id) END,
        'queued'
    FROM given WHERE :is_batch
    """
)
# Statistics know no new operation: the planner expects one row of it, and joins two tables of a thousand by comparing
# all rows with all. So these statements join nothing but what is given, and name items by an array.
_PAGE = text(
    """
    SELECT id, ordinal, content, held, stages, document_id FROM classification_results
    WHERE operation_id = :operation_id AND ordinal >= :first AND ordinal < :last AND status = :status
    ORDER BY ordinal
    """
)
# Documents of a batch that no result is linked to yet.
_NAMED = text(
    """
    SELECT ordinal, source ->> 'document_id' AS document_id FROM operation_items
    WHERE operation_id = :operation_id AND ordinal >= :first AND ordinal < :last AND source ? 'document_id'
    """
)
_PASSAGES = text(
    """
    SELECT document_id, start_offset, text FROM chunks WHERE document_id = ANY(CAST(:ids AS text[]))
    ORDER BY document_id, start_offset, ordinal
    """
)
# Whoever comes second finds nothing to write: a result is answered once.
_WRITE = text(
    """
    WITH given AS (
        SELECT * FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (
            ordinal integer, document_id text, status text, decision text, label text, labels text[],
            confidence double precision, raw double precision, stages jsonb, held jsonb, vector text,
            vector_model text, provider text, model text, input_tokens integer, output_tokens integer,
            cached_tokens integer, cost_usd numeric, reason text, detail text, item_status text
        )
    ), written AS (
        UPDATE classification_results c SET
            document_id = COALESCE(c.document_id, g.document_id),
            status = g.status, decision = g.decision, label = g.label,
            labels = g.labels, confidence = g.confidence, raw = g.raw,
            stages = g.stages, held = g.held,
            vector = COALESCE(decode(g.vector, 'hex'), c.vector),
            vector_model = COALESCE(g.vector_model, c.vector_model),
            provider = g.provider, model = g.model, input_tokens = g.input_tokens,
            output_tokens = g.output_tokens, cached_tokens = g.cached_tokens, cost_usd = g.cost_usd,
            reason = g.reason, detail = g.detail,
            classified_at = CASE WHEN g.status IN ('decided', 'open', 'failed') THEN now() END
        FROM given g
        WHERE c.operation_id = :operation_id AND c.ordinal = g.ordinal AND c.status = ANY(CAST(:open AS text[]))
        RETURNING c.ordinal, c.document_id
    )
    UPDATE operation_items i SET status = g.item_status, reason = g.reason, detail = g.detail,
        updated_at = now(), document_id = COALESCE(i.document_id, (
            SELECT jsonb_object_agg(ordinal, document_id) FROM written WHERE document_id IS NOT NULL
        ) ->> CAST(i.ordinal AS text))
    FROM given g
    WHERE i.operation_id = :operation_id AND i.ordinal = g.ordinal AND g.item_status IS NOT NULL
        AND i.ordinal = ANY(ARRAY(SELECT ordinal FROM written))
    """
)
_SETTLE = text(
    """
    WITH settled AS (
        UPDATE classification_results SET status = 'failed', reason = :reason, detail = :detail, held = NULL,
            classified_at = now()
        WHERE operation_id = :operation_id AND status = ANY(CAST(:open AS text[]))
        RETURNING ordinal
    )
    UPDATE operation_items i SET status = 'failed', reason = :reason, detail = :detail, updated_at = now()
    WHERE i.operation_id = :operation_id AND i.ordinal = ANY(ARRAY(SELECT ordinal FROM settled))
    """
)
_REQUEUE = text(
    """
    UPDATE classification_results SET status = 'queued', decision = NULL, reason = NULL, detail = NULL,
        classified_at = NULL
    WHERE operation_id = :operation_id AND status = 'failed'
    """
)
# The decision of a batch that needed all of its answers first.
_DECIDE = text(
    """
    WITH decided AS (
        UPDATE classification_results SET
            status = CASE WHEN confidence >= :sure_from THEN held ->> 'sure' ELSE held ->> 'unsure' END,
            decision = CASE CASE WHEN confidence >= :sure_from THEN held ->> 'sure' ELSE held ->> 'unsure' END
                WHEN 'decided' THEN 'auto' WHEN 'open' THEN 'human_review' END,
            held = CASE WHEN confidence < :sure_from AND held ->> 'unsure' = 'escalated' THEN held END,
            classified_at = CASE WHEN confidence < :sure_from AND held ->> 'unsure' = 'escalated' THEN NULL
                ELSE now() END
        WHERE operation_id = :operation_id AND status = 'scored'
        RETURNING ordinal, status
    )
    UPDATE operation_items i SET updated_at = now(), status = CASE
            WHEN i.ordinal IN (SELECT ordinal FROM decided WHERE status = 'open') THEN 'human_review'
            ELSE 'decided' END
    WHERE i.operation_id = :operation_id
        AND i.ordinal = ANY(ARRAY(SELECT ordinal FROM decided WHERE status <> 'escalated'))
    """
)
_COUNTS = text(
    """
    SELECT count(*) FILTER (WHERE status NOT IN ('queued', 'scored', 'escalated')) AS done,
        count(*) FILTER (WHERE status = 'scored') AS scored,
        count(*) FILTER (WHERE status = 'escalated') AS escalated
    FROM classification_results WHERE operation_id = :operation_id AND ordinal >= :first AND ordinal < :last
    """
)
_SUMMARY = text(
    """
    SELECT status, reason, count(*) AS n, sum(input_tokens) AS input, sum(output_tokens) AS output,
        sum(cost_usd) FILTER (WHERE input_tokens + output_tokens > 0) AS cost
    FROM classification_results WHERE operation_id = :operation_id GROUP BY status, reason
    """
)


@dataclass(frozen=True)
class NewItem:
    """A text, or the id of a document, to classify."""

    content: str | None = None
    document_id: str | None = None
    external_id: str | None = None

    def name(self, ordinal: int) -> str:
        """What the item is called: never its text."""
        return self.external_id or self.document_id or f"text {ordinal + 1}"


@dataclass(frozen=True)
class Document:
    """The document of an item, as far as there is one."""

    id: str
    is_indexed: bool
    status: str
    created_at: datetime
    language: str | None
    content: str = ""


@dataclass(frozen=True)
class Item:
    """A text that waits: for its answer, or for that of a model."""

    ordinal: int
    result_id: str
    content: str | None
    given: str | None
    document: Document | None
    held: dict[str, Any] | None
    stages: dict[str, Any]

    @property
    def text(self) -> str | None:
        """What is to be classified."""
        return self.content if self.document is None else self.document.content

    @cached_property
    def seen(self) -> SeenText:
        """Its words as a reader sees them: a text that was given may be HTML, of a document's nothing is markup."""
        return seen(self.text or "") if self.document is None else SeenText(self.text or "")


@dataclass(frozen=True)
class Outcome:
    """What became of an item."""

    ordinal: int
    status: ResultStatus
    stages: StagesRead = field(default_factory=StagesRead)
    label: str | None = None
    labels: Sequence[str] = ()
    confidence: float | None = None
    raw: float | None = None
    held: dict[str, Any] | None = None
    vector: Vectors | None = None
    vector_model: str | None = None
    document_id: str | None = None
    provider: str | None = "local"
    model: str | None = None
    tokens: TokensRead = field(default_factory=TokensRead)
    cost: Decimal | None = Decimal(0)
    reason: ItemReason | None = None
    detail: str | None = None
    place: int | None = None
    """Of the category stage whose answer it is."""

    def columns(self) -> dict[str, Any]:
        """As `_WRITE` takes it."""
        decision = decision_of(self.status)
        vector = None if self.vector is None else to_bytes(self.vector).hex()
        return {
            "ordinal": self.ordinal,
            "document_id": self.document_id,
            "status": self.status.value,
            "decision": decision.value if decision else None,
            "label": self.label,
            "labels": list(self.labels),
            "confidence": self.confidence,
            "raw": self.raw,
            "stages": self.stages,
            "held": self.held,
            "vector": vector,
            "vector_model": self.vector_model,
            "provider": self.provider,
            "model": self.model,
            "input_tokens": self.tokens.input,
            "output_tokens": self.tokens.output,
            "cached_tokens": self.tokens.cached,
            "cost_usd": None if self.cost is None else str(self.cost),
            "reason": self.reason.value if self.reason else None,
            "detail": self.detail,
            "item_status": _ITEM_STATUS.get(self.status),
        }


@dataclass(frozen=True)
class ResultFilter:
    """Which results a reader wants."""

    operation_id: str | None = None
    workflow_id: str | None = None
    label: str | None = None
    decision: str | None = None
    status: str | None = None
    # Only what is less sure than this.
    below: float | None = None


async def accept_classification(
    session: AsyncSession,
    organisation_id: str,
    actor_id: str,
    kind: str,
    items: Sequence[NewItem],
    questions: Questions,
    operation_id: str,
) -> OperationRow:
    """Insert the operation, what it asks, and its texts, which stand nowhere else."""
    is_batch = kind == BATCH_KIND
    row = await OperationRepository(session).create(
        organisation_id=organisation_id,
        actor_id=actor_id,
        kind=kind,
        summary=f"Classify {len(items):,} texts" if is_batch else "Classify a text",
        subject=_subject(items, questions, is_batch=is_batch),
        input=batch_input(items) if is_batch else {},
        total=len(items) if is_batch else 0,
        operation_id=operation_id,
    )
    await session.execute(
        _ADD,
        {
            "operation_id": operation_id,
            "organisation_id": organisation_id,
            "workflow_id": questions.workflow_id,
            "version": questions.version,
            "definition": questions.model_dump_json(),
            "ids": [new_id("clr") for _ in items],
            "externals": [item.external_id for item in items],
            "documents": [item.document_id for item in items],
            "contents": [item.content for item in items],
            "names": [item.name(place) for place, item in enumerate(items)],
            "is_batch": is_batch,
        },
    )
    return row


def batch_input(items: Sequence[NewItem]) -> dict[str, int]:
    """What the workflow of a batch is told. A pause waits for the page under way: of long texts it holds few."""
    are_long = any(item.document_id for item in items) or (
        sum(len(item.content or "") for item in items) > _SHORT * len(items)
    )
    return {"total": len(items)} | ({"page_size": _LONG_TEXTS_IN_PAGE} if are_long else {})


def _subject(items: Sequence[NewItem], questions: Questions, *, is_batch: bool) -> Subject | None:
    if not is_batch and items[0].document_id is not None:
        return Subject(type="document", id=items[0].document_id)
    if questions.workflow_id is not None:
        return Subject(type="classification_workflow", id=questions.workflow_id)
    return None


class ClassificationResults:
    """Results of one organisation."""

    def __init__(self, session: AsyncSession, organisation_id: str) -> None:
        self._session, self._organisation_id = session, organisation_id

    async def questions(self, operation_id: str) -> Questions | None:
        """What an operation asks; None when it is deleted."""
        row = await self._session.get(ClassificationBatchRow, operation_id)
        return None if row is None else Questions.model_validate(row.definition)

    async def waiting(self, operation_id: str, first: int, last: int, status: ResultStatus) -> list[Item]:
        """Items of a page that wait; `with_texts` reads their documents."""
        page = {"operation_id": operation_id, "first": first, "last": last}
        rows = (await self._session.execute(_PAGE, {**page, "status": status.value})).all()
        named: dict[int, str] = {}
        if any(row.content is None and row.document_id is None for row in rows):
            named = {row.ordinal: row.document_id for row in await self._session.execute(_NAMED, page)}
        given = [row.document_id or named.get(row.ordinal) for row in rows]
        documents = await self._documents({one for one in given if one is not None})
        return [
            Item(row.ordinal, row.id, row.content, one, documents.get(one or ""), row.held, row.stages)
            for row, one in zip(rows, given, strict=True)
        ]

    async def _documents(self, ids: Collection[str]) -> dict[str, Document]:
        """By id those that are there; joined to the page instead, all of a small table are compared with each text."""
        row = DocumentRow
        statement = select(row.id, row.version, row.status, row.created_at, row.language).where(
            row.id.in_(ids)
        )
        found = await self._session.execute(statement) if ids else ()
        return {
            one.id: Document(one.id, one.version > 0, one.status, one.created_at, one.language)
            for one in found
        }

    async def with_texts(self, items: Sequence[Item]) -> list[Item]:
        """The same items with the texts of their documents."""
        contents = await self.document_texts({one.document.id for one in items if one.document})
        return [
            replace(one, document=replace(one.document, content=contents.get(one.document.id, "")))
            if one.document
            else one
            for one in items
        ]

    async def document_texts(self, ids: Collection[str]) -> dict[str, str]:
        """Texts of documents as they are searched, so that offsets of passages hold."""
        texts: dict[str, str] = {}
        if ids:
            for document_id, start, passage in await self._session.execute(_PASSAGES, {"ids": sorted(ids)}):
                before = texts.get(document_id, "")
                if start < MAX_DOCUMENT:
                    # Passages may share characters; what lies between two of them is white space.
                    texts[document_id] = (
                        before[:start] + "\n" * max(0, start - len(before)) + passage[:MAX_DOCUMENT]
                    )
        return texts

    async def write(self, operation_id: str, outcomes: Sequence[Outcome]) -> None:
        """Write answers. What has one already keeps it."""
        if outcomes:
            rows = to_json([outcome.columns() for outcome in outcomes], exclude_none=True).decode()
            await self._session.execute(_WRITE, {"operation_id": operation_id, "rows": rows, "open": _OPEN})
            await self.ask_people(operation_id, [one.ordinal for one in outcomes if one.status is _PERSON])

    async def record_progress(self, operation_id: str) -> None:
        """Tell how many texts of a batch are done: with the operation locked, so that it never tells of fewer again."""
        locked = await self._session.get(OperationRow, operation_id, with_for_update=True)
        if locked is not None:
            done, _, _ = await self.counts(operation_id, 0, MAX_ITEMS)
            total = locked.progress_total
            await OperationRepository(self._session).record_progress(operation_id, done, total)

    async def ask_people(self, operation_id: str, ordinals: Sequence[int]) -> None:
        """Called once for answers that go to a person, in the transaction that makes them `open`.

        They are in the review queue already: the results with `decision=human_review&status=open`. Where their
        workflow names a policy, an approval is opened for each, too.
        """
        await ReviewRequests(self._session, self._organisation_id).open(operation_id, ordinals)

    async def decide(self, operation_id: str, sure_from: float) -> None:
        """Decide the answers of a batch that waited for all of them."""
        await self._session.execute(_DECIDE, {"operation_id": operation_id, "sure_from": sure_from})
        opened = select(ClassificationResultRow.ordinal).where(
            ClassificationResultRow.operation_id == operation_id,
            ClassificationResultRow.status == _PERSON.value,
        )
        await self.ask_people(operation_id, list(await self._session.scalars(opened)))

    async def scored(self, operation_id: str) -> list[float]:
        """Confidences of all that wait to be decided together."""
        statement = select(ClassificationResultRow.confidence).where(
            ClassificationResultRow.operation_id == operation_id,
            ClassificationResultRow.status == ResultStatus.SCORED.value,
        )
        return [one for one in await self._session.scalars(statement) if one is not None]

    async def settle(self, operation_id: str, reason: str, detail: str) -> None:
        """End what has no answer yet."""
        await self._session.execute(
            _SETTLE, {"operation_id": operation_id, "reason": reason, "detail": detail, "open": _OPEN}
        )

    async def requeue(self, operation_id: str) -> None:
        """Make what failed workable again, for a retry."""
        await self._session.execute(_REQUEUE, {"operation_id": operation_id})

    async def counts(self, operation_id: str, first: int, last: int) -> tuple[int, int, int]:
        """Of a page: how many are done, wait for the rest of the batch, and wait for a model."""
        row = (
            await self._session.execute(_COUNTS, {"operation_id": operation_id, "first": first, "last": last})
        ).one()
        return row.done, row.scored, row.escalated

    async def summary(self, operation_id: str) -> ClassifyBatchResult:
        """What became of a batch."""
        rows = (await self._session.execute(_SUMMARY, {"operation_id": operation_id})).all()

        def count(*statuses: ResultStatus) -> int:
            return sum(row.n for row in rows if row.status in statuses)

        costs = [row.cost for row in rows if row.cost is not None]
        free = not any(row.input or row.output for row in rows)
        return ClassifyBatchResult(
            total=sum(row.n for row in rows),
            decided=count(ResultStatus.DECIDED),
            human_review=count(ResultStatus.OPEN, ResultStatus.REVIEWED),
            failed=count(ResultStatus.FAILED),
            reasons={row.reason: row.n for row in rows if row.reason},
            input_tokens=sum(row.input or 0 for row in rows),
            output_tokens=sum(row.output or 0 for row in rows),
            cost=float(sum(costs)) if costs or free else None,
        )

    async def of_operation(self, operation_id: str) -> ClassificationRead | None:
        """The one result of an operation on a single text."""
        row = (
            await self._session.scalars(
                select(ClassificationResultRow)
                .where(ClassificationResultRow.operation_id == operation_id)
                .order_by(ClassificationResultRow.ordinal)
                .limit(1)
            )
        ).one_or_none()
        return None if row is None else to_read(row, None)

    async def get(self, result_id: str) -> ClassificationRead | None:
        """One result."""
        row = await self._session.get(ClassificationResultRow, result_id)
        if row is None:
            return None
        return to_read(row, await self._session.get(ClassificationReviewRow, result_id))

    async def list(
        self, wanted: ResultFilter, *, after: str | int | None = None, limit: int = 50
    ) -> list[ResultSummary]:
        """Results, newest first; those of one operation by their place in it."""
        statement = _filtered(wanted)
        of_one = wanted.operation_id is not None
        key = ClassificationResultRow.ordinal if of_one else ClassificationResultRow.id
        statement = statement.order_by(key if of_one else key.desc()).limit(limit)
        if after is not None:
            statement = statement.where(key > after if of_one else key < after)
        return [_summary(row) for row in await self._session.execute(statement)]


# Those that a person is asked about.
_PERSON = ResultStatus.OPEN
_SHOWN = [
    column
    for column in ClassificationResultRow.__table__.columns
    if column.name not in {"content", "held", "vector", "vector_model", "raw", "organisation_id", "stages"}
]


def _filtered(wanted: ResultFilter) -> Select[Any]:
    row = ClassificationResultRow
    statement = select(
        *_SHOWN,
        func.left(row.content, EXCERPT).label("excerpt"),
        row.stages["sentiment"]["label"].astext.label("sentiment"),
    )
    for column, value in (
        (row.operation_id, wanted.operation_id),
        (row.workflow_id, wanted.workflow_id),
        (row.decision, wanted.decision),
        (row.status, wanted.status),
    ):
        if value is not None:
            statement = statement.where(column == value)
    if wanted.below is not None:
        statement = statement.where(row.confidence < wanted.below)
    if wanted.label is not None:
        statement = statement.where(or_(row.label == wanted.label, any_(row.labels) == wanted.label))
    return statement


def _summary(row: Any) -> ResultSummary:
    return ResultSummary(
        **{name: getattr(row, name) for name in _SUMMARY_FIELDS},
        tokens=TokensRead(input=row.input_tokens, output=row.output_tokens, cached=row.cached_tokens),
        cost=row.cost_usd,
    )


_SUMMARY_FIELDS = sorted(set(ResultSummary.model_fields) - {"tokens", "cost"})


def to_read(row: ClassificationResultRow, review: ClassificationReviewRow | None) -> ClassificationRead:
    """A result as the API answers it."""
    return ClassificationRead(
        id=row.id,
        operation_id=row.operation_id,
        ordinal=row.ordinal,
        external_id=row.external_id,
        document_id=row.document_id,
        workflow_id=row.workflow_id,
        version=row.version,
        status=ResultStatus(row.status),
        stages=StagesRead.model_validate(row.stages),
        decision=Decision(row.decision) if row.decision else None,
        label=row.label,
        labels=row.labels,
        provider=row.provider,
        model=row.model,
        tokens=TokensRead(input=row.input_tokens, output=row.output_tokens, cached=row.cached_tokens),
        cost=row.cost_usd,
        reason=row.reason,
        detail=row.detail,
        text=row.content[:SHOWN_TEXT] if row.content is not None else None,
        review=ReviewRead(
            labels=review.labels,
            comment=review.comment,
            reviewed_by=review.reviewed_by,
            reviewed_at=review.reviewed_at,
        )
        if review
        else None,
        created_at=row.created_at,
        classified_at=row.classified_at,
    )
