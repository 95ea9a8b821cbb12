"""Reads and writes spaces, documents and their versions; the caller owns the transaction."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import TextClause, bindparam, func, or_, select, text, update
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from perdure.db.forgetting import forget_people
from perdure.db.models import ChunkRow, DocumentRow, DocumentVersionRow, OperationItemRow, SpaceRow
from perdure.db.outcomes import DocumentSettled, note
from perdure.domain.ids import new_id
from perdure.ports.models import EmbeddingModel
from perdure.schemas.documents import (
    QUARANTINE_REASONS,
    SETTLED,
    ChunkRead,
    DocumentFields,
    DocumentRead,
    DocumentStatus,
    Reason,
    VersionRead,
)

_EXTERNAL_IDS = "documents_external"
_SETTLED = [status.value for status in SETTLED]
_UNSETTLED = [status.value for status in DocumentStatus if status not in SETTLED]


# Many versions in one statement: `rows` is a JSON array of objects.
_FINISHED = """
    jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (
        version_id text, operation_id text, status text, reason text, detail text, chunk_count integer, title text
    )
"""
_FINISH = (
    text(
        f"""
        UPDATE document_versions v SET
            status = r.status, reason = r.reason, detail = r.detail, chunk_count = r.chunk_count
        FROM {_FINISHED} WHERE v.id = r.version_id
        """  # nosec B608  # constants only
    ),
    text(
        f"""
        UPDATE documents d SET
            status = r.status, reason = r.reason, detail = r.detail, chunk_count = r.chunk_count, title = r.title,
            version = v.number, sha256 = v.sha256, size_bytes = v.size_bytes, media_type = v.media_type,
            language = v.language, page_count = v.page_count, char_count = v.char_count,
            operation_id = v.operation_id, updated_at = now()
        FROM document_versions v, {_FINISHED} WHERE v.id = r.version_id AND d.id = v.document_id
        """  # nosec B608  # constants only
    ),
    text(
        f"""
        UPDATE operation_items i SET status = r.status, reason = r.reason, detail = r.detail, updated_at = now()
        FROM {_FINISHED} WHERE i.operation_id = r.operation_id AND i.version_id = r.version_id
        """  # nosec B608  # constants only
    ),
)
_ADD_VERSION = text(
    """
    INSERT INTO document_versions (id, organisation_id, document_id, number, status, source, object_key, sha256,
        size_bytes, media_type, language, operation_id)
    SELECT :id, :organisation_id, CAST(:document_id AS text), COALESCE(max(number), 0) + 1, :status, :source,
        :object_key, :sha256, CAST(:size_bytes AS bigint), :media_type, :language, :operation_id
    FROM document_versions WHERE document_id = :document_id
    """
).bindparams(bindparam("source", type_=JSONB))
_STORE_SOURCE = text(
    """
    UPDATE document_versions v SET
        object_key = r.object_key, sha256 = r.sha256, size_bytes = r.size_bytes, media_type = r.media_type
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (
        version_id text, object_key text, sha256 text, size_bytes bigint, media_type text
    )
    WHERE v.id = r.version_id
    """
)
_FACTS = """
    jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (
        version_id text, page_count integer, char_count integer, language text, text_key text, reason text,
        detail text, title text
    )
"""
_WRITE_FACTS = (
    text(
        f"""
        UPDATE document_versions v SET page_count = r.page_count, char_count = r.char_count, language = r.language,
            text_key = r.text_key, reason = r.reason, detail = r.detail
        FROM {_FACTS} WHERE v.id = r.version_id
        """  # nosec B608  # constants only
    ),
    text(
        f"""
        UPDATE documents d SET title = r.title, page_count = v.page_count, char_count = v.char_count,
            language = v.language, media_type = v.media_type, size_bytes = v.size_bytes, sha256 = v.sha256
        FROM document_versions v, {_FACTS}
        WHERE v.id = r.version_id AND d.id = v.document_id AND d.version = 0
        """  # nosec B608  # constants only
    ),
)
_FAMILY = """
    WITH RECURSIVE family AS (
        SELECT id FROM documents WHERE id = :document_id
        UNION ALL
        SELECT d.id FROM documents d JOIN family f ON d.parent_id = f.id
    )
"""
_OBJECT_KEYS = text(
    _FAMILY  # nosec B608  # two constants
    + """
    , keys AS (
        SELECT unnest(ARRAY[v.object_key, v.text_key]) AS key
        FROM document_versions v JOIN family f ON f.id = v.document_id
    )
    SELECT DISTINCT key FROM keys k
    WHERE key IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM document_versions o
        WHERE (o.object_key = k.key OR o.text_key = k.key) AND o.document_id NOT IN (SELECT id FROM family)
    )
    """
)
_DELETE = text(
    _FAMILY  # nosec B608  # two constants
    + """
    , remembered AS (
        SELECT m.id, m.space_id FROM memories m JOIN family f ON f.id = m.document_id
    ), derived AS (
        SELECT m.id, m.space_id FROM memories m WHERE m.rests_on && (SELECT array_agg(id) FROM remembered)
    ), counted AS (
        SELECT space_id, sum(chunks) AS chunks, sum(memories) AS memories FROM (
            SELECT c.space_id, count(*) AS chunks, 0 AS memories
            FROM chunks c JOIN family f ON f.id = c.document_id GROUP BY c.space_id
            UNION ALL
            SELECT space_id, 0, count(*) FROM (SELECT * FROM remembered UNION SELECT * FROM derived) u GROUP BY space_id
        ) counts GROUP BY space_id
    ), spaced AS (
        UPDATE spaces s SET chunk_count = greatest(0, s.chunk_count - counted.chunks),
            memory_count = greatest(0, s.memory_count - counted.memories)
        FROM counted WHERE s.id = counted.space_id
    ), unrelated AS (
        DELETE FROM memory_relations r USING remembered m WHERE r.target_id = m.id
    ), settled AS (
        UPDATE operation_items i
        SET status = 'failed', reason = 'cancelled', detail = 'the document was deleted', updated_at = now()
        FROM family f WHERE i.document_id = f.id AND i.status <> ALL(:settled)
    ), gone AS (
        DELETE FROM documents WHERE id IN (SELECT id FROM family)
    )
    SELECT COALESCE(sum(chunks), 0)::bigint AS chunks,
        array_agg(space_id) FILTER (WHERE memories > 0) AS spaces FROM counted
    """
)


@dataclass(frozen=True)
class Source:
    """Where the bytes of a version are, or come from. Exactly one of `object_key` and `url` is set.

    `inline`: they are a text that came in a JSON body, not a file.
    """

    name: str
    object_key: str | None = None
    url: str | None = None
    sha256: str | None = None
    size_bytes: int | None = None
    media_type: str | None = None
    inline: bool = False

    def described(self, fields: DocumentFields) -> dict[str, object]:
        """What the version's column `source` says."""
        described: dict[str, object] = {
            "name": self.name,
            "url": self.url,
            "titled": fields.title is not None,
        }
        told = {"inline": self.inline or None, "remember": fields.remember, "subject": fields.subject}
        return described | {name: value for name, value in told.items() if value is not None}


@dataclass(frozen=True)
class AcceptedDocument:
    """Ids of what `accept` wrote."""

    document_id: str
    version_id: str


def settled_status(reason: Reason) -> DocumentStatus:
    """The status a document ends in when it cannot be indexed for this reason."""
    if reason in {Reason.DUPLICATE, Reason.UNCHANGED, Reason.SUPERSEDED}:
        return DocumentStatus.SKIPPED_DUPLICATE
    return DocumentStatus.QUARANTINED if reason in QUARANTINE_REASONS else DocumentStatus.FAILED


def to_read(row: DocumentRow, space: str) -> DocumentRead:
    """Render a row as the API answers it."""
    return DocumentRead(
        id=row.id,
        title=row.title,
        space=space,
        external_id=row.external_id,
        status=DocumentStatus(row.status),
        reason=Reason(row.reason) if row.reason else None,
        detail=row.detail,
        media_type=row.media_type,
        language=row.language,
        size_bytes=row.size_bytes,
        sha256=row.sha256,
        page_count=row.page_count,
        char_count=row.char_count,
        chunk_count=row.chunk_count,
        version=row.version,
        source_type=row.source_type,
        parent_id=row.parent_id,
        metadata=row.metadata_,
        operation_id=row.operation_id,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


class DocumentRepository:
    """Documents of the organisation of the session."""

    def __init__(self, session: AsyncSession, organisation_id: str) -> None:
        self._session = session
        self._organisation_id = organisation_id

    async def space(self, name: str) -> SpaceRow | None:
        """A space by name."""
        return (await self._session.scalars(select(SpaceRow).where(SpaceRow.name == name))).one_or_none()

    async def spaces(self, *, after: str | None = None, limit: int = 200) -> Sequence[SpaceRow]:
        """Spaces by name; `after` is the name that the page before ended with."""
        statement = select(SpaceRow).order_by(SpaceRow.name).limit(limit)
        if after is not None:
            statement = statement.where(SpaceRow.name > after)
        return (await self._session.scalars(statement)).all()

    async def ensure_space(self, name: str, model: EmbeddingModel) -> SpaceRow:
        """A space by name, made when missing; a new one is served by `model`."""
        found = await self.space(name)
        if found is not None:
            return found
        await self._session.execute(
            insert(SpaceRow)
            .values(
                id=new_id("spc"),
                organisation_id=self._organisation_id,
                name=name,
                embedding_model=model.name,
                embedding_dimension=model.dimension,
            )
            .on_conflict_do_nothing(index_elements=["organisation_id", "name"])
        )
        return (await self._session.scalars(select(SpaceRow).where(SpaceRow.name == name))).one()

    async def accept(
        self,
        fields: DocumentFields,
        source: Source,
        *,
        space_id: str,
        operation_id: str,
        default_title: str,
        parent_id: str | None = None,
    ) -> AcceptedDocument:
        """Insert a document with its first version, or a further version of the one with this `external_id`."""
        document_id = await self._ensure_document(
            fields,
            space_id=space_id,
            operation_id=operation_id,
            default_title=default_title,
            parent_id=parent_id,
        )
        version_id = new_id("ver")
        await self._session.execute(
            _ADD_VERSION,
            {
                "id": version_id,
                "organisation_id": self._organisation_id,
                "document_id": document_id,
                "status": DocumentStatus.QUEUED.value,
                "source": source.described(fields),
                "object_key": source.object_key,
                "sha256": source.sha256,
                "size_bytes": source.size_bytes,
                "media_type": source.media_type,
                "language": fields.language,
                "operation_id": operation_id,
            },
        )
        return AcceptedDocument(document_id, version_id)

    async def _ensure_document(
        self,
        fields: DocumentFields,
        *,
        space_id: str,
        operation_id: str,
        default_title: str,
        parent_id: str | None,
    ) -> str:
        """Insert a document, or find and lock the one with this `external_id`; its id."""
        inserted = insert(DocumentRow).values(
            id=new_id("doc"),
            organisation_id=self._organisation_id,
            space_id=space_id,
            external_id=fields.external_id,
            status=DocumentStatus.QUEUED.value,
            title=fields.title or default_title,
            metadata_=fields.metadata,
            source_type=fields.source_type,
            language=fields.language,
            parent_id=parent_id,
            operation_id=operation_id,
        )
        if fields.external_id is not None:
            given: dict[str, Any] = {"title": fields.title, "metadata": fields.metadata}
            inserted = inserted.on_conflict_do_update(
                index_elements=["space_id", "external_id"],
                set_={"updated_at": func.now(), **{name: value for name, value in given.items() if value}},
            )
        return (await self._session.execute(inserted.returning(DocumentRow.id))).scalar_one()

    async def get(self, document_id: str) -> DocumentRead | None:
        """One document."""
        found = (
            await self._session.execute(
                select(DocumentRow, SpaceRow.name)
                .join(SpaceRow, SpaceRow.id == DocumentRow.space_id)
                .where(DocumentRow.id == document_id)
            )
        ).one_or_none()
        return to_read(found[0], found[1]) if found else None

    async def list(
        self,
        *,
        space: str | None = None,
        status: str | None = None,
        external_id: str | None = None,
        after: str | None = None,
        limit: int = 50,
    ) -> Sequence[DocumentRead]:
        """Newest first; `after` is the id that the page before ended with."""
        statement = (
            select(DocumentRow, SpaceRow.name)
            .join(SpaceRow, SpaceRow.id == DocumentRow.space_id)
            .order_by(DocumentRow.id.desc())
            .limit(limit)
        )
        if space is not None:
            statement = statement.where(SpaceRow.name == space)
        if status is not None:
            statement = statement.where(DocumentRow.status == status)
        if external_id is not None:
            statement = statement.where(DocumentRow.external_id == external_id)
        if after is not None:
            statement = statement.where(DocumentRow.id < after)
        return [to_read(row, name) for row, name in await self._session.execute(statement)]

    async def chunks(self, document_id: str, *, after: int = -1, limit: int = 50) -> Sequence[ChunkRead]:
        """Passages of the searchable version, in order."""
        statement = (
            select(ChunkRow)
            .where(ChunkRow.document_id == document_id, ChunkRow.ordinal > after)
            .order_by(ChunkRow.ordinal)
            .limit(limit)
        )
        return [
            ChunkRead(
                id=row.id,
                document_id=row.document_id,
                version=row.version,
                ordinal=row.ordinal,
                text=row.text,
                heading_path=row.heading_path,
                page=row.page,
                start=row.start_offset,
                end=row.end_offset,
                token_count=row.token_count,
            )
            for row in await self._session.scalars(statement)
        ]

    async def versions(
        self, document_id: str, *, before: int | None = None, limit: int = 50
    ) -> Sequence[VersionRead]:
        """Versions, newest first."""
        statement = (
            select(DocumentVersionRow)
            .where(DocumentVersionRow.document_id == document_id)
            .order_by(DocumentVersionRow.number.desc())
            .limit(limit)
        )
        if before is not None:
            statement = statement.where(DocumentVersionRow.number < before)
        return [
            VersionRead(
                version=row.number,
                status=DocumentStatus(row.status),
                sha256=row.sha256,
                size_bytes=row.size_bytes,
                media_type=row.media_type,
                page_count=row.page_count,
                char_count=row.char_count,
                chunk_count=row.chunk_count,
                reason=Reason(row.reason) if row.reason else None,
                detail=row.detail,
                operation_id=row.operation_id,
                created_at=row.created_at,
            )
            for row in await self._session.scalars(statement)
        ]

    async def version(self, version_id: str) -> tuple[DocumentVersionRow, DocumentRow] | None:
        """A version and its document."""
        found = (
            await self._session.execute(
                select(DocumentVersionRow, DocumentRow)
                .join(DocumentRow, DocumentRow.id == DocumentVersionRow.document_id)
                .where(DocumentVersionRow.id == version_id)
            )
        ).one_or_none()
        return (found[0], found[1]) if found else None

    async def newest_stored_version(self, document_id: str) -> DocumentVersionRow | None:
        """The newest version whose bytes are in the object store, the searchable one first."""
        statement = (
            select(DocumentVersionRow)
            .join(DocumentRow, DocumentRow.id == DocumentVersionRow.document_id)
            .where(DocumentVersionRow.document_id == document_id, DocumentVersionRow.object_key.is_not(None))
            .order_by(
                (DocumentVersionRow.number == DocumentRow.version).desc(), DocumentVersionRow.number.desc()
            )
            .limit(1)
        )
        return (await self._session.scalars(statement)).one_or_none()

    async def update(self, document_id: str, values: Mapping[str, Any]) -> None:
        """Change columns of a document."""
        await self._session.execute(
            update(DocumentRow).where(DocumentRow.id == document_id).values(updated_at=func.now(), **values)
        )

    async def give_external_id(self, document_id: str, external_id: str) -> bool:
        """Let a document have this `external_id`; False when it has another, or another of its space has it."""
        statement = (
            update(DocumentRow)
            .where(
                DocumentRow.id == document_id,
                or_(DocumentRow.external_id == external_id, DocumentRow.external_id.is_(None)),
            )
            .values(external_id=external_id)
            .returning(DocumentRow.id)
        )
        try:
            async with self._session.begin_nested():
                changed = await self._session.execute(statement)
        except IntegrityError as error:
            if _EXTERNAL_IDS not in str(error.orig):
                raise
            return False
        return changed.first() is not None

    async def update_version(self, version_id: str, values: Mapping[str, Any]) -> None:
        """Change columns of a version."""
        await self._session.execute(
            update(DocumentVersionRow).where(DocumentVersionRow.id == version_id).values(**values)
        )

    async def enter(self, version_ids: Sequence[str], status: DocumentStatus) -> None:
        """Move versions that are not settled, and their documents, to a working status."""
        await self._session.execute(
            text(
                """
                WITH version AS (
                    UPDATE document_versions SET status = :status
                    WHERE id = ANY(:ids) AND status <> ALL(:settled) RETURNING document_id
                )
                UPDATE documents SET status = :status, reason = NULL, detail = NULL, updated_at = now()
                WHERE id IN (SELECT document_id FROM version)
                """
            ),
            {"status": status.value, "ids": list(version_ids), "settled": _SETTLED},
        )

    async def requeue(self, operation_id: str) -> None:
        """Make the failed versions of an operation workable again, for its retry."""
        failed = [DocumentStatus.FAILED.value, DocumentStatus.QUARANTINED.value]
        ids = (
            await self._session.scalars(
                update(DocumentVersionRow)
                .where(DocumentVersionRow.operation_id == operation_id, DocumentVersionRow.status.in_(failed))
                .values(status=DocumentStatus.QUEUED.value, reason=None, detail=None)
                .returning(DocumentVersionRow.document_id)
            )
        ).all()
        await self._session.execute(
            update(DocumentRow)
            .where(DocumentRow.id.in_(ids), DocumentRow.status.in_(failed))
            .values(status=DocumentStatus.QUEUED.value, reason=None, detail=None, updated_at=func.now())
        )
        await self._session.execute(
            update(OperationItemRow)
            .where(OperationItemRow.operation_id == operation_id, OperationItemRow.status.in_(failed))
            .values(status=DocumentStatus.QUEUED.value, reason=None, detail=None, updated_at=func.now())
        )

    async def settle(self, version_id: str, reason: Reason, detail: str) -> DocumentStatus:
        """End a version that will not be indexed. A document with a searchable version keeps serving it."""
        status = settled_status(reason)
        found = await self.version(version_id)
        if found is None:
            return status
        version, document = found
        if DocumentStatus(version.status) in SETTLED:
            return DocumentStatus(version.status)
        values = {"status": status.value, "reason": reason.value, "detail": detail}
        await self.update_version(version_id, values)
        if reason in {Reason.UNCHANGED, Reason.SUPERSEDED}:
            # The document is what it was: the searchable version stays its state.
            if document.version:
                await self.restore(document.id, document.version)
        else:
            await self.update(document.id, values)
        await self._session.execute(
            update(OperationItemRow)
            .where(OperationItemRow.version_id == version_id)
            .values(updated_at=func.now(), **values)
        )
        note(self._session, DocumentSettled(status.value, reason.value))
        return status

    async def restore(self, document_id: str, number: int) -> None:
        """Set a document's state to that of one of its versions."""
        await self._session.execute(
            text(
                """
                UPDATE documents d SET status = v.status, reason = v.reason, detail = v.detail, updated_at = now()
                FROM document_versions v
                WHERE d.id = :id AND v.document_id = d.id AND v.number = :number
                """
            ),
            {"id": document_id, "number": number},
        )

    async def settle_all(self, operation_id: str, reason: Reason, detail: str) -> None:
        """End everything of an operation that is not settled yet."""
        open_versions = select(DocumentVersionRow.id).where(
            DocumentVersionRow.operation_id == operation_id, DocumentVersionRow.status.not_in(_SETTLED)
        )
        for version_id in (await self._session.scalars(open_versions)).all():
            await self.settle(version_id, reason, detail)
        await self._session.execute(
            update(OperationItemRow)
            .where(OperationItemRow.operation_id == operation_id, OperationItemRow.status.in_(_UNSETTLED))
            .values(
                status=settled_status(reason).value, reason=reason.value, detail=detail, updated_at=func.now()
            )
        )

    async def lock(self, version_ids: Sequence[str]) -> dict[str, tuple[DocumentVersionRow, DocumentRow]]:
        """Versions and documents by version id, locked for indexing: first contents, then documents, in order.

        The order is the same for everybody, so two writers never wait for each other.
        """
        versions = {
            row.id: row
            for row in await self._session.scalars(
                select(DocumentVersionRow).where(DocumentVersionRow.id.in_(version_ids))
            )
        }
        contents = sorted({row.sha256 for row in versions.values() if row.sha256})
        if contents:
            await self._session.execute(
                text(
                    "SELECT count(pg_advisory_xact_lock(hashtextextended(:organisation || content, 0))) "
                    "FROM unnest(CAST(:contents AS text[])) AS content"
                ),
                {"organisation": self._organisation_id, "contents": contents},
            )
        documents = {
            row.id: row
            for row in await self._session.scalars(
                select(DocumentRow)
                .where(DocumentRow.id.in_({row.document_id for row in versions.values()}))
                .order_by(DocumentRow.id)
                .with_for_update()
                .execution_options(populate_existing=True)
            )
        }
        return {
            row.id: (row, documents[row.document_id])
            for row in versions.values()
            if row.document_id in documents
        }

    async def twins(self, contents: Sequence[str]) -> dict[tuple[str, str], DocumentRow]:
        """The oldest searchable document by (space, content)."""
        if not contents:
            return {}
        statement = (
            select(DocumentRow)
            .where(DocumentRow.sha256.in_(contents), DocumentRow.version > 0)
            .order_by(DocumentRow.id.desc())
        )
        return {(row.space_id, row.sha256 or ""): row for row in await self._session.scalars(statement)}

    async def versions_by_id(
        self, version_ids: Sequence[str]
    ) -> dict[str, tuple[DocumentVersionRow, DocumentRow]]:
        """Versions and their documents, by version id."""
        statement = (
            select(DocumentVersionRow, DocumentRow)
            .join(DocumentRow, DocumentRow.id == DocumentVersionRow.document_id)
            .where(DocumentVersionRow.id.in_(version_ids))
        )
        return {
            version.id: (version, document) for version, document in await self._session.execute(statement)
        }

    async def models_of(self, version_ids: Sequence[str]) -> dict[str, str]:
        """The embedding model that serves the space of each version, by version id."""
        statement = (
            select(DocumentVersionRow.id, SpaceRow.embedding_model)
            .join(DocumentRow, DocumentRow.id == DocumentVersionRow.document_id)
            .join(SpaceRow, SpaceRow.id == DocumentRow.space_id)
            .where(DocumentVersionRow.id.in_(version_ids))
        )
        return dict((await self._session.execute(statement)).all())

    async def store_sources(self, stored: Sequence[Mapping[str, Any]]) -> None:
        """Write where the bytes of versions lie, and what they are."""
        await self._execute_many(_STORE_SOURCE, stored)

    async def write_facts(self, facts: Sequence[Mapping[str, Any]]) -> None:
        """Write what parsing found; a document that is not searchable yet shows it at once."""
        for statement in _WRITE_FACTS:
            await self._execute_many(statement, facts)

    async def _execute_many(self, statement: TextClause, rows: Sequence[Mapping[str, Any]]) -> None:
        if rows:
            await self._session.execute(statement, {"rows": json.dumps([dict(row) for row in rows])})

    async def finish(self, finished: Sequence[Mapping[str, Any]]) -> None:
        """Write versions as searchable. Each mapping has the parameters of `_FINISH`."""
        for statement in _FINISH:
            await self._execute_many(statement, finished)
        for values in finished:
            note(self._session, DocumentSettled(values["status"], values["reason"] or ""))

    async def object_keys(self, document_id: str) -> Sequence[str]:
        """Keys of the originals and texts of a document and its children that nothing else uses."""
        return (await self._session.scalars(_OBJECT_KEYS, {"document_id": document_id})).all()

    async def delete(self, document_id: str) -> int:
        """Delete a document with its versions, chunks, vectors, memories and children; the number of chunks."""
        parameters = {"document_id": document_id, "settled": _SETTLED}
        gone = (await self._session.execute(_DELETE, parameters)).one()
        if gone.spaces:
            await forget_people(self._session, gone.spaces)
        chunks: int = gone.chunks
        return chunks
