"""The hot path of accepting a document: one statement for all that a new one needs."""

from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession

from perdure.db.document_repository import DocumentRepository, Source
from perdure.db.models import OperationRow
from perdure.db.operation_repository import OperationRepository
from perdure.domain.ids import new_id
from perdure.ports.models import EmbeddingModel
from perdure.schemas.documents import DocumentFields, DocumentStatus
from perdure.schemas.operations import OperationStatus, Subject

KIND = "ingest_document"
SUMMARY = "Ingest a document"

_ACCEPT = text(
    """
    WITH space AS (
        SELECT id FROM spaces WHERE name = :space
    ), document AS (
        INSERT INTO documents (id, organisation_id, space_id, title, status, language, source_type, metadata,
            operation_id)
        SELECT :document_id, :organisation_id, space.id, :title, :queued, :language, :source_type, :metadata,
            :operation_id
        FROM space RETURNING id
    ), version AS (
        INSERT INTO document_versions (id, organisation_id, document_id, number, status, source, object_key, sha256,
            size_bytes, language, operation_id)
        SELECT :version_id, :organisation_id, document.id, 1, :queued, :source, :object_key, :sha256,
            CAST(:size_bytes AS bigint), :language, :operation_id
        FROM document RETURNING id
    )
    INSERT INTO operations (id, organisation_id, actor_id, kind, status, subject_type, subject_id, summary, input)
    SELECT :operation_id, :organisation_id, :actor_id, :kind, :pending, 'document', document.id, :summary, :input
    FROM document, version RETURNING created_at
    """
).bindparams(
    bindparam("metadata", type_=JSONB), bindparam("source", type_=JSONB), bindparam("input", type_=JSONB)
)


async def accept_document(
    session: AsyncSession,
    organisation_id: str,
    actor_id: str,
    fields: DocumentFields,
    source: Source,
    *,
    title: str,
    fetch: bool,
    model: EmbeddingModel,
    operation_id: str,
) -> OperationRow:
    """Insert document, version and pending operation. With an `external_id`, perhaps a further version."""
    if fields.external_id is None:
        row = await _accept_new(
            session,
            organisation_id,
            actor_id,
            fields,
            source,
            title=title,
            fetch=fetch,
            operation_id=operation_id,
        )
        if row is not None:
            return row
    documents = DocumentRepository(session, organisation_id)
    space = await documents.ensure_space(fields.space, model)
    document = await documents.accept(
        fields, source, space_id=space.id, operation_id=operation_id, default_title=title
    )
    return await OperationRepository(session).create(
        organisation_id=organisation_id,
        actor_id=actor_id,
        kind=KIND,
        summary=SUMMARY,
        subject=Subject(type="document", id=document.document_id),
        input={"document_id": document.document_id, "version_id": document.version_id, "fetch": fetch},
        operation_id=operation_id,
    )


async def _accept_new(
    session: AsyncSession,
    organisation_id: str,
    actor_id: str,
    fields: DocumentFields,
    source: Source,
    *,
    title: str,
    fetch: bool,
    operation_id: str,
) -> OperationRow | None:
    """None when the space does not exist yet."""
    document_id, version_id = new_id("doc"), new_id("ver")
    given: dict[str, Any] = {"document_id": document_id, "version_id": version_id, "fetch": fetch}
    created_at: datetime | None = (
        await session.execute(
            _ACCEPT,
            {
                "space": fields.space,
                "document_id": document_id,
                "organisation_id": organisation_id,
                "title": fields.title or title,
                "queued": DocumentStatus.QUEUED.value,
                "language": fields.language,
                "source_type": fields.source_type,
                "metadata": fields.metadata,
                "operation_id": operation_id,
                "version_id": version_id,
                "source": source.described(titled=fields.title is not None),
                "object_key": source.object_key,
                "sha256": source.sha256,
                "size_bytes": source.size_bytes,
                "actor_id": actor_id,
                "kind": KIND,
                "pending": OperationStatus.PENDING.value,
                "summary": SUMMARY,
                "input": given,
            },
        )
    ).scalar_one_or_none()
    if created_at is None:
        return None
    return OperationRow(
        id=operation_id,
        organisation_id=organisation_id,
        actor_id=actor_id,
        kind=KIND,
        status=OperationStatus.PENDING.value,
        attempt=1,
        subject_type="document",
        subject_id=document_id,
        summary=SUMMARY,
        input=given,
        run_id=None,
        progress_done=0,
        progress_total=0,
        progress_step=None,
        result=None,
        error=None,
        revision=0,
        created_at=created_at,
        updated_at=created_at,
        closed_at=None,
    )
