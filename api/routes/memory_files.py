"""`/api/v1/memories/import` and `/export`: memories as lines of JSON."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse
from sqlalchemy.ext.asyncio import AsyncSession

from api.bodies import content_type, validate
from api.dependencies import (
    DatabaseDependency,
    EmbeddersDependency,
    ObjectsDependency,
    OperationsDependency,
)
from api.idempotency import IdempotencyKey, fingerprint
from api.problems import problem_responses
from api.routes.documents import ACCEPTED, answer
from api.routes.memories import NameQuery, Reader, Writer
from api.uploads import receive_upload
from perdure.db.memory_acceptance import accept_import
from perdure.db.memory_repository import MemoryRepository
from perdure.db.models import OperationRow
from perdure.errors import MalformedRequestError
from perdure.schemas.documents import SpaceName
from perdure.schemas.memories import ImportFields
from perdure.schemas.operations import OperationRead

router = APIRouter(prefix="/api/v1/memories", tags=["memories"])

LINES = "application/x-ndjson"
_PAGE = 500

IMPORT: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {
                            "type": "string",
                            "format": "binary",
                            "description": "Lines of JSON: our export, or memories as mem0 or supermemory export them.",
                        },
                        "space": {"type": "string", "pattern": r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"},
                    },
                    "additionalProperties": False,
                }
            }
        },
    }
}


@router.post("/import", **ACCEPTED, openapi_extra=IMPORT)
async def import_memories(
    request: Request,
    response: Response,
    caller: Writer,
    key: IdempotencyKey,
    operations: OperationsDependency,
    objects: ObjectsDependency,
    embedders: EmbeddersDependency,
) -> OperationRead:
    """Remember the lines of a file. What is known stays as it is; what is no memory is counted and named."""
    if content_type(request) != "multipart/form-data":
        raise MalformedRequestError(
            "Send multipart/form-data with a part named 'file' that holds lines of JSON."
        )
    settings = request.app.state.settings
    prefix = f"{caller.organisation_id}/originals"
    upload = await receive_upload(request, objects, prefix, settings.max_upload_bytes)
    is_kept = False
    try:
        fields = validate(ImportFields, upload.fields)

        async def build(session: AsyncSession, operation_id: str) -> OperationRow:
            return await accept_import(
                session,
                caller.organisation_id,
                caller.actor_id,
                fields.space,
                upload.stored.key,
                embedders.default,
                operation_id,
            )

        given = f"{upload.stored.sha256}{fields.model_dump_json()}".encode()
        sha256 = fingerprint(request.method, request.url.path, given)
        accepted = await operations.accept(caller, key, sha256, build)
        is_kept = not accepted.replayed
    finally:
        if not is_kept:
            await objects.delete([upload.stored.key])
    return answer(response, accepted)


@router.get(
    "/export",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "A memory a line, as `GET /memories/{id}` shows it, oldest first.",
            "content": {LINES: {"schema": {"type": "string"}}},
        },
        **problem_responses(),
    },
)
async def export_memories(
    caller: Reader,
    database: DatabaseDependency,
    space: Annotated[SpaceName, Query()] = "default",
    subject: NameQuery = None,
) -> StreamingResponse:
    """The current memories of a space as lines of JSON. No copy of them is kept that `forget` would miss."""

    async def lines() -> AsyncIterator[bytes]:
        after = ""
        while True:
            async with database.transaction(caller.organisation_id) as session:
                memories = MemoryRepository(session, caller.organisation_id)
                page = await memories.current(space, subject=subject, after=after, limit=_PAGE)
            if not page:
                return
            yield b"".join(memory.model_dump_json().encode() + b"\n" for memory in page)
            after = page[-1].id

    headers = {
        "Content-Disposition": 'attachment; filename="memories.jsonl"',
        "Cache-Control": "private, no-store",
    }
    return StreamingResponse(lines(), media_type=LINES, headers=headers)
