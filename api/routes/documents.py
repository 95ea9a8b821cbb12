"""`/api/v1/documents`: sources go in, passages come out."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response, status
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from api.actors import ActorDependency
from api.dependencies import (
    ContentLinksDependency,
    DatabaseDependency,
    EmbeddersDependency,
    ObjectsDependency,
    OperationsDependency,
    Principal,
    require,
)
from api.idempotency import REPLAY_HEADERS, IdempotencyKey, fingerprint
from api.intake import Inbox
from api.operations import Accepted, Operations
from api.pagination import PageRequest, paginate
from api.problems import problem_responses
from perdure.db.acceptance import accept_document, accept_new_document
from perdure.db.audit_trail import AuditTrail
from perdure.db.document_repository import DocumentRepository
from perdure.db.models import OperationRow
from perdure.db.operation_repository import OperationRepository
from perdure.db.quota_repository import QuotaRepository
from perdure.domain.audit import Action
from perdure.domain.ids import ID_PATTERN
from perdure.errors import ConflictError, NotFoundError
from perdure.schemas.base import Page
from perdure.schemas.documents import (
    BatchCreate,
    BatchFields,
    ChunkRead,
    ContentLink,
    DocumentCreate,
    DocumentFields,
    DocumentRead,
    DocumentStatus,
    DocumentUpdate,
    ReembedCreate,
    SpaceName,
    SpaceRead,
    SpaceUpdate,
    VersionRead,
)
from perdure.schemas.operations import OperationRead, Subject

router = APIRouter(prefix="/api/v1/documents", tags=["documents"])

Reader = Annotated[Principal, require("documents:read")]
Writer = Annotated[Principal, require("documents:write")]
DocumentId = Annotated[str, Path(pattern=ID_PATTERN, description="Id of a document, `doc_…`.")]

ACCEPTED: dict[str, Any] = {
    "status_code": status.HTTP_202_ACCEPTED,
    "response_model": OperationRead,
    "responses": {
        200: {"model": OperationRead, "description": "The Idempotency-Key was used before."},
        **problem_responses(404, 409, 502),
    },
}


def _form(fields: type[BaseModel], model: type[BaseModel]) -> dict[str, Any]:
    """OpenAPI of a body that is JSON or a form with a file and fields; an object is a part with JSON."""
    given = fields.model_json_schema()["properties"]
    schema = {
        "type": "object",
        "required": ["file"],
        "properties": {
            "file": {"type": "string", "format": "binary"},
            **{
                name: each.get("anyOf", [each])[0] for name, each in given.items()
            },  # nothing in a form is null
        },
        "additionalProperties": False,
    }
    return {
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": model.model_json_schema(ref_template="#/components/schemas/{model}")
                },
                "multipart/form-data": {"schema": schema},
            },
        }
    }


def answer(response: Response, accepted: Accepted) -> OperationRead:
    """202 with `Location`, or 200 with `Idempotent-Replay` for a known key."""
    operation = accepted.operation
    response.headers["Location"] = f"/api/v1/operations/{operation.id}"
    if accepted.replayed:
        response.status_code = status.HTTP_200_OK
        response.headers.update(REPLAY_HEADERS)
    return operation


async def waited(
    operations: Operations, caller: Principal, response: Response, operation: OperationRead, *, wait: bool
) -> OperationRead:
    """The operation as it is, or, for those who wait, as it ended."""
    ended = await operations.wait(caller.organisation_id, operation.id) if wait else None
    if ended is None:
        return operation
    response.status_code = status.HTTP_200_OK
    return ended


@router.post("", **ACCEPTED, openapi_extra=_form(DocumentFields, DocumentCreate))
async def create_document(
    request: Request,
    response: Response,
    caller: Writer,
    key: IdempotencyKey,
    operations: OperationsDependency,
    objects: ObjectsDependency,
    embedders: EmbeddersDependency,
) -> OperationRead:
    """Ingest one document: a multipart `file`, or JSON with exactly one of `text`, `url`, `object_key`."""
    async with Inbox.open(request, caller, objects, request.app.state.settings) as inbox:
        intake = await inbox.document()

        async def build(session: AsyncSession, operation_id: str) -> OperationRow:
            return await accept_document(
                session,
                caller.organisation_id,
                caller.actor_id,
                intake.fields,
                intake.source,
                title=intake.title,
                fetch=intake.fetch,
                model=embedders.default,
                operation_id=operation_id,
            )

        async def build_at_once(
            connection: AsyncConnection, operation_id: str, trace_parent: str | None
        ) -> OperationRow | None:
            return await accept_new_document(
                connection,
                caller.organisation_id,
                caller.actor_id,
                intake.fields,
                intake.source,
                title=intake.title,
                fetch=intake.fetch,
                operation_id=operation_id,
                trace_parent=trace_parent,
            )

        accepted = await operations.accept(caller, key, intake.request_sha256, build, build_at_once)
        if not accepted.replayed:
            inbox.keep()
    return answer(response, accepted)


@router.post("/batch", **ACCEPTED, openapi_extra=_form(BatchFields, BatchCreate))
async def create_batch(
    request: Request,
    response: Response,
    caller: Writer,
    key: IdempotencyKey,
    operations: OperationsDependency,
    objects: ObjectsDependency,
) -> OperationRead:
    """Ingest up to 10,000 documents as one operation: JSON `items`, or a multipart `file` that is a zip."""
    async with Inbox.open(request, caller, objects, request.app.state.settings) as inbox:
        intake = await inbox.batch()

        async def build(session: AsyncSession, operation_id: str) -> OperationRow:
            quotas = QuotaRepository(session, caller.organisation_id)
            await quotas.admit_documents(intake.named or [("", None)], intake.text_bytes)
            return await OperationRepository(session).create(
                organisation_id=caller.organisation_id,
                actor_id=caller.actor_id,
                kind="ingest_batch",
                summary=intake.summary,
                input={"source": intake.source.model_dump(mode="json")},
                total=intake.total,
                operation_id=operation_id,
            )

        accepted = await operations.accept(caller, key, intake.request_sha256, build)
        if not accepted.replayed:
            inbox.keep()
    return answer(response, accepted)


@router.get("", responses=problem_responses())
async def list_documents(
    caller: Reader,
    database: DatabaseDependency,
    page: PageRequest,
    space: Annotated[SpaceName | None, Query()] = None,
    status: Annotated[DocumentStatus | None, Query()] = None,
    external_id: Annotated[str | None, Query(pattern=r"^[^\x00]{1,512}$")] = None,
) -> Page[DocumentRead]:
    """Documents of the organisation, newest first."""
    async with database.transaction(caller.organisation_id) as session:
        documents = await DocumentRepository(session, caller.organisation_id).list(
            space=space,
            status=status.value if status else None,
            external_id=external_id,
            after=page.after,
            limit=page.limit + 1,
        )
    return paginate(documents, page, read=lambda document: document, key=lambda document: document.id)


@router.get("/{document_id}", responses=problem_responses(404))
async def get_document(document_id: DocumentId, caller: Reader, database: DatabaseDependency) -> DocumentRead:
    """One document."""
    async with database.transaction(caller.organisation_id) as session:
        return await _found(session, caller, document_id)


@router.get("/{document_id}/chunks", responses=problem_responses(404))
async def list_chunks(
    document_id: DocumentId, caller: Reader, database: DatabaseDependency, page: PageRequest
) -> Page[ChunkRead]:
    """Passages of the searchable version, in the order of the text."""
    after = page.after_number()
    async with database.transaction(caller.organisation_id) as session:
        await _found(session, caller, document_id)
        chunks = await DocumentRepository(session, caller.organisation_id).chunks(
            document_id, after=-1 if after is None else after, limit=page.limit + 1
        )
    return paginate(chunks, page, read=lambda chunk: chunk, key=lambda chunk: chunk.ordinal)


@router.get("/{document_id}/versions", responses=problem_responses(404))
async def list_versions(
    document_id: DocumentId, caller: Reader, database: DatabaseDependency, page: PageRequest
) -> Page[VersionRead]:
    """Versions, newest first."""
    async with database.transaction(caller.organisation_id) as session:
        await _found(session, caller, document_id)
        versions = await DocumentRepository(session, caller.organisation_id).versions(
            document_id, before=page.after_number(), limit=page.limit + 1
        )
    return paginate(versions, page, read=lambda version: version, key=lambda version: version.version)


@router.get("/{document_id}/content", responses=problem_responses(404))
async def get_content(
    document_id: DocumentId,
    request: Request,
    caller: Reader,
    database: DatabaseDependency,
    links: ContentLinksDependency,
) -> ContentLink:
    """A signed link to the original bytes; it works for ten minutes, for whoever has it."""
    async with database.transaction(caller.organisation_id) as session:
        await _found(session, caller, document_id)
        documents = DocumentRepository(session, caller.organisation_id)
        version = await documents.newest_stored_version(document_id)
    if version is None or version.object_key is None:
        raise NotFoundError(f"document {document_id} has no stored content yet: its source was not fetched")
    name = str(version.source.get("name") or "document")
    return await links.create(version.object_key, name, version.media_type, str(request.base_url))


@router.patch("/{document_id}", responses=problem_responses(404, 409))
async def update_document(
    document_id: DocumentId, body: DocumentUpdate, caller: Writer, database: DatabaseDependency
) -> DocumentRead:
    """Change title or metadata, or give a document your id; what is absent or null stays."""
    changes = {"title": body.title, "metadata_": body.metadata}
    async with database.transaction(caller.organisation_id) as session:
        await _found(session, caller, document_id)
        documents = DocumentRepository(session, caller.organisation_id)
        given = body.external_id
        if given is not None and not await documents.give_external_id(document_id, given):
            detail = "The document has another external_id, or another document of its space has this one."
            raise ConflictError(detail)
        await documents.update(
            document_id, {name: value for name, value in changes.items() if value is not None}
        )
        return await _found(session, caller, document_id)


@router.delete("/{document_id}", **ACCEPTED)
async def delete_document(
    document_id: DocumentId,
    request: Request,
    response: Response,
    caller: Writer,
    key: IdempotencyKey,
    operations: OperationsDependency,
    actor: ActorDependency,
) -> OperationRead:
    """Delete a document with its versions, passages, vectors, attachments and stored bytes."""

    async def build(session: AsyncSession, operation_id: str) -> OperationRow:
        await _found(session, caller, document_id)
        subject = Subject(type="document", id=document_id)
        row = await OperationRepository(session).create(
            organisation_id=caller.organisation_id,
            actor_id=caller.actor_id,
            kind="delete_document",
            summary="Delete a document",
            subject=subject,
            input={"document_id": document_id},
            operation_id=operation_id,
        )
        await AuditTrail(session, caller.organisation_id).record(
            Action.DOCUMENT_DELETED, actor, subject=subject, details={"operation_id": operation_id}
        )
        return row

    sha256 = fingerprint(request.method, request.url.path, None)
    return answer(response, await operations.accept(caller, key, sha256, build, counts=False))


spaces = APIRouter(prefix="/api/v1/spaces", tags=["spaces"])


@spaces.get("", responses=problem_responses())
async def list_spaces(caller: Reader, database: DatabaseDependency, page: PageRequest) -> Page[SpaceRead]:
    """Spaces by name."""
    async with database.transaction(caller.organisation_id) as session:
        rows = await DocumentRepository(session, caller.organisation_id).spaces(
            after=page.after, limit=page.limit + 1
        )
    return paginate(
        rows,
        page,
        read=lambda row: SpaceRead.model_validate(row, from_attributes=True),
        key=lambda row: row.name,
    )


@spaces.patch("/{space}", responses=problem_responses(404))
async def update_space(
    space: Annotated[SpaceName, Path()], body: SpaceUpdate, caller: Writer, database: DatabaseDependency
) -> SpaceRead:
    """Change settings of a space; they count for documents that are indexed from then on."""
    async with database.transaction(caller.organisation_id) as session:
        row = await DocumentRepository(session, caller.organisation_id).space(space)
        if row is None:
            raise NotFoundError(f"no space '{space}': list them with GET /api/v1/spaces")
        if body.remember_documents is not None:
            row.remember_documents = body.remember_documents
            await session.flush()
        return SpaceRead.model_validate(row, from_attributes=True)


@spaces.post("/{space}/reembed", **ACCEPTED)
async def reembed_space(
    space: Annotated[SpaceName, Path()],
    body: ReembedCreate,
    request: Request,
    response: Response,
    caller: Writer,
    key: IdempotencyKey,
    operations: OperationsDependency,
    embedders: EmbeddersDependency,
) -> OperationRead:
    """Compute the vectors of a space with another model; the old ones serve until the new are complete."""
    model = embedders.named(body.model or embedders.default.name)
    await embedders.require(caller.organisation_id, model.name)

    async def build(session: AsyncSession, operation_id: str) -> OperationRow:
        row = await DocumentRepository(session, caller.organisation_id).space(space)
        if row is None:
            raise NotFoundError(f"no space '{space}': list them with GET /api/v1/spaces")
        return await OperationRepository(session).create(
            organisation_id=caller.organisation_id,
            actor_id=caller.actor_id,
            kind="reembed_space",
            summary=f"Re-embed a space with {model.name}",
            subject=Subject(type="space", id=row.id),
            input={"space_id": row.id, "model": model.name},
            total=row.chunk_count,
            operation_id=operation_id,
        )

    sha256 = fingerprint(request.method, request.url.path, body)
    return answer(response, await operations.accept(caller, key, sha256, build))


content = APIRouter(prefix="/api/v1/content", tags=["documents"])


@content.get(
    "/{token}",
    response_class=Response,
    responses={
        200: {"description": "The bytes.", "content": {"application/octet-stream": {}}},
        206: {"description": "A part of the bytes.", "content": {"application/octet-stream": {}}},
        416: {"description": "The range lies outside the content."},
        **problem_responses(403, 404),
    },
)
async def get_linked_content(
    token: Annotated[str, Path(max_length=4096)], request: Request, links: ContentLinksDependency
) -> Response:
    """What a signed link stands for; understands `Range`."""
    return await links.answer(token, request)


async def _found(session: AsyncSession, caller: Principal, document_id: str) -> DocumentRead:
    document = await DocumentRepository(session, caller.organisation_id).get(document_id)
    if document is None:
        raise NotFoundError(f"no document {document_id}: check the id, or list GET /api/v1/documents")
    return document
