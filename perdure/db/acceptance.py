"""Accepting a document: its row, its version and its pending operation."""

import json
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from perdure.db.document_repository import DocumentRepository, Source
from perdure.db.models import OperationRow
from perdure.db.operation_repository import OperationRepository, pending_operation
from perdure.db.quota_repository import QuotaRepository
from perdure.domain.ids import new_id
from perdure.ports.models import EmbeddingModel
from perdure.schemas.documents import DocumentFields
from perdure.schemas.operations import Subject

KIND = "ingest_document"
SUMMARY = "Ingest a document"

_ACCEPT = text("SELECT accept_document(CAST(:given AS jsonb))")


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
    """Insert document, version and pending operation. With an `external_id`, perhaps a further version.

    Raises `QuotaExceededError` where the organisation has no room for it.
    """
    named = [(fields.space, fields.external_id)]
    await QuotaRepository(session, organisation_id).admit_documents(named, source.size_bytes or 0)
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


async def accept_new_document(
    connection: AsyncConnection,
    organisation_id: str,
    actor_id: str,
    fields: DocumentFields,
    source: Source,
    *,
    title: str,
    fetch: bool,
    operation_id: str,
    trace_parent: str | None,
) -> OperationRow | None:
    """The same in one round trip, on a connection outside of any transaction, for an ordinary new document.

    None, and nothing written, when it is not ordinary: see the function in the database.
    """
    if fields.external_id is not None:
        return None
    document_id, version_id = new_id("doc"), new_id("ver")
    given: dict[str, Any] = {"document_id": document_id, "version_id": version_id, "fetch": fetch}
    row = {
        "space": fields.space,
        "document_id": document_id,
        "organisation_id": organisation_id,
        "title": fields.title or title,
        "language": fields.language,
        "source_type": fields.source_type,
        "metadata": fields.metadata,
        "operation_id": operation_id,
        "version_id": version_id,
        "source": source.described(fields),
        "object_key": source.object_key,
        "sha256": source.sha256,
        "size_bytes": source.size_bytes,
        "actor_id": actor_id,
        "kind": KIND,
        "summary": SUMMARY,
        "input": given,
        "trace_parent": trace_parent,
    }
    created_at: datetime | None = (
        await connection.execute(_ACCEPT, {"given": json.dumps(row)})
    ).scalar_one_or_none()
    if created_at is None:
        return None
    return pending_operation(
        created_at,
        id=operation_id,
        organisation_id=organisation_id,
        actor_id=actor_id,
        kind=KIND,
        subject_type="document",
        subject_id=document_id,
        summary=SUMMARY,
        input=given,
        trace_parent=trace_parent,
    )
