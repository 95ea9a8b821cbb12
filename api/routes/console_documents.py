"""Console: the documents, and one document with its passages and versions."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import RedirectResponse, Response

from api.actors import ActorDependency
from api.dependencies import (
    ContentLinksDependency,
    DatabaseDependency,
    OperationsDependency,
    Principal,
    require,
)
from api.pagination import decode_cursor, encode_cursor
from api.routes import documents
from api.routes.console_pages import PAGE_SIZE, ConsoleRoute, Shown, is_partial, number_cursor, query_string
from api.routes.console_views import DocumentView, documents_digest, version_view
from api.routes.console_words import DOCUMENT_LOOKS
from perdure.db.console_repository import ConsoleRepository
from perdure.db.document_repository import DocumentRepository
from perdure.errors import NotFoundError
from perdure.schemas.documents import DocumentStatus

router = APIRouter(prefix="/documents", route_class=ConsoleRoute, include_in_schema=False)

Reader = Annotated[Principal, require("documents:read")]
Writer = Annotated[Principal, require("documents:write")]


@router.get("")
async def show_documents(
    *,
    request: Request,
    pages: Shown,
    caller: Reader,
    space: Annotated[str, Query(max_length=100)] = "",
    status: DocumentStatus | Literal[""] = "",
    cursor: Annotated[str, Query(max_length=512)] = "",
) -> Response:
    """The list with the drop zone; a poll that finds nothing new is answered with 204."""
    async with pages.database.transaction(caller.organisation_id) as session:
        repository = DocumentRepository(session, caller.organisation_id)
        found = await repository.list(
            space=space or None,
            status=status or None,
            after=decode_cursor(cursor) if cursor else None,
            limit=PAGE_SIZE + 1,
        )
        spaces = [] if is_partial(request) else [row.name for row in await repository.spaces()]
    views = [DocumentView(document) for document in found[:PAGE_SIZE]]
    digest = documents_digest(views)
    if is_partial(request) and request.headers.get("X-Digest") == digest:
        return Response(status_code=204)
    more = len(found) > PAGE_SIZE
    following = encode_cursor(views[-1].document.id) if more else ""
    context: dict[str, Any] = {
        "views": views,
        "max_upload_bytes": pages.settings.max_upload_bytes,
        "space": space,
        "spaces": spaces,
        "status": status,
        "status_labels": {name: look.label for name, look in DOCUMENT_LOOKS.items()},
        "query": query_string(space=space, status=status, cursor=cursor),
        "first_url": "/documents" + query_string(space=space, status=status),
        "next_url": "/documents" + query_string(space=space, status=status, cursor=following)
        if more
        else None,
        "is_first_page": not cursor,
        "is_filtered": bool(space or status or cursor),
        "digest": digest,
        "live": any(view.is_open for view in views),
    }
    template = "partials/document_rows.html" if is_partial(request) else "documents.html"
    return await pages.inside(template, caller, "documents", **context)


@router.get("/{document_id}")
async def show_document(
    *,
    document_id: str,
    pages: Shown,
    caller: Reader,
    passage: Annotated[str, Query(max_length=64)] = "",
    cursor: Annotated[str, Query(max_length=512)] = "",
) -> Response:
    """One document. A citation leads to the page of its passage: `?passage=chk_…#chk_…`."""
    async with pages.database.transaction(caller.organisation_id) as session:
        repository = DocumentRepository(session, caller.organisation_id)
        document = await repository.get(document_id)
        if document is None:
            raise NotFoundError(
                "There is no such document in this organisation; it may have been deleted. Go back to the list."
            )
        after = number_cursor(cursor) if cursor else -1
        if passage:
            ordinal = await ConsoleRepository(session).ordinal_of_chunk(document_id, passage)
            after = (ordinal or 0) // PAGE_SIZE * PAGE_SIZE - 1
        chunks = await repository.chunks(document_id, after=after, limit=PAGE_SIZE + 1)
        versions = await repository.versions(document_id)
        stored = await repository.newest_stored_version(document_id)
    following = encode_cursor(chunks[PAGE_SIZE - 1].ordinal) if len(chunks) > PAGE_SIZE else ""
    return await pages.inside(
        "document.html",
        caller,
        "documents",
        view=DocumentView(document),
        chunks=chunks[:PAGE_SIZE],
        chunks_next=query_string(cursor=following) if following else None,
        is_first_page=after < 0,
        versions=[version_view(version) for version in versions],
        can_download=stored is not None,
    )


@router.get("/{document_id}/download")
async def download_document(
    document_id: str,
    request: Request,
    caller: Reader,
    database: DatabaseDependency,
    links: ContentLinksDependency,
) -> Response:
    """Go to the signed link that the API makes; to one of our own by its path, whatever `Host` says."""
    link = await documents.get_content(document_id, request, caller, database, links)
    return RedirectResponse(link.url.removeprefix(str(request.base_url).rstrip("/")), status_code=303)


@router.post("/{document_id}/delete")
async def delete_document(
    document_id: str,
    request: Request,
    pages: Shown,
    caller: Writer,
    operations: OperationsDependency,
    actor: ActorDependency,
) -> Response:
    """Start the deletion, by the function that the API calls."""
    await documents.delete_document(document_id, request, Response(), caller, None, operations, actor)
    return pages.redirect("/documents", "deleted")
