"""The API reference at `/docs`: Swagger UI out of this repository, so that it works offline and under our CSP."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from api import sessions
from api.routes.console_pages import ConsoleRoute, Shown

router = APIRouter(route_class=ConsoleRoute, include_in_schema=False)


@router.get("/docs")
async def show_reference(request: Request, pages: Shown) -> Response:
    """For everyone; who is logged in can try requests as themselves."""
    principal = await sessions.current_session(request)
    if principal is None:
        return pages.outside("reference.html")
    return await pages.inside("reference.html", principal, "reference")
