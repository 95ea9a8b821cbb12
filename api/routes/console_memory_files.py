"""Console: memories as files, in and out."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api.dependencies import EmbeddersDependency, ObjectsDependency, OperationsDependency
from api.routes import memory_files
from api.routes.console_memories import NameField, Reader, Writer, people_of, spaces_of
from api.routes.console_pages import ConsoleRoute, Shown, is_partial
from perdure.schemas.documents import SpaceName

router = APIRouter(prefix="/memories", route_class=ConsoleRoute, include_in_schema=False)


@router.get("/files")
async def show_files(
    pages: Shown, caller: Reader, space: Annotated[str, Query(max_length=100)] = "default"
) -> Response:
    """Both forms."""
    return await pages.inside(
        "memories_files.html",
        caller,
        "memories",
        tab="files",
        space=space,
        spaces=await spaces_of(pages, caller),
        people=await people_of(pages, caller, space),
        max_upload_bytes=pages.settings.max_upload_bytes,
    )


@router.get("/export")
async def export(
    pages: Shown,
    caller: Reader,
    space: Annotated[SpaceName, Query()] = "default",
    subject: NameField = "",
) -> Response:
    """The file that the API makes; a form sends its empty fields, too."""
    return await memory_files.export_memories(caller, pages.database, space, subject or None)


@router.post("/import")
async def import_file(
    request: Request,
    pages: Shown,
    caller: Writer,
    operations: OperationsDependency,
    objects: ObjectsDependency,
    embedders: EmbeddersDependency,
) -> Response:
    """Take a file in, and go to the operation that reads it. It streams into the store, as it does for the API."""
    operation = await memory_files.import_memories(
        request, Response(), caller, None, operations, objects, embedders
    )
    if is_partial(request):
        return Response(status_code=204, headers={"HX-Redirect": f"/operations/{operation.id}"})
    return pages.redirect(f"/operations/{operation.id}")
