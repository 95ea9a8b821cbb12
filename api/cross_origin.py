"""Routes that one page of another origin may call: the Temporal UI, which shows what the codec server decodes.

The origin is compared as a whole. A browser that sends it is let in with the console's session cookie and without a
CSRF token, which that page cannot know: the origin, which no other page can send, stands in for it.
"""

from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import urlsplit

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.responses import Response

from api import problems
from api.sessions import ORIGIN_IS_TRUSTED
from perdure.errors import PerdureError, PermissionDeniedError
from perdure.settings import Settings

_DEFAULT_PORTS = {"http": 80, "https": 443}
_PREFLIGHT = {
    "Access-Control-Allow-Methods": "POST",
    "Access-Control-Allow-Headers": "authorization, authorization-extras, content-type, x-namespace",
    "Access-Control-Max-Age": "600",
}


def origin_of(url: str) -> str:
    """The origin of an address as browsers spell it."""
    parts = urlsplit(url)
    port = "" if parts.port in {None, _DEFAULT_PORTS.get(parts.scheme)} else f":{parts.port}"
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}{port}"


def _allowed(request: Request) -> str:
    settings: Settings = request.app.state.settings
    return origin_of(settings.temporal_ui_url)


async def check_origin(request: Request) -> None:
    """Dependency: refuse every page but the one; programs send no origin."""
    origin = request.headers.get("origin")
    if origin is None:
        return
    if origin != _allowed(request):
        detail = (
            f"Pages of {origin} may not read payloads; only the Temporal UI at {_allowed(request)} may "
            "(TEMPORAL_UI_URL). Open it under exactly this address."
        )
        raise PermissionDeniedError(detail)
    setattr(request.state, ORIGIN_IS_TRUSTED, True)


def preflight(request: Request) -> Response:
    """The answer to `OPTIONS`, by which a browser asks what it may send."""
    granted = _PREFLIGHT if request.headers.get("origin") == _allowed(request) else {}
    return Response(status_code=204, headers=granted)


class CrossOriginRoute(APIRoute):
    """Lets the page read the answer, problems included."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """See `APIRoute`."""
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                response = await handle(request)
            except PerdureError as error:
                response = problems.respond(error, request.scope)
            except RequestValidationError as error:
                response = problems.render(problems.from_validation(error.errors()), request.scope)
            response.headers["Vary"] = "Origin"
            if request.headers.get("origin") == _allowed(request):
                response.headers["Access-Control-Allow-Origin"] = _allowed(request)
                response.headers["Access-Control-Allow-Credentials"] = "true"
            return response

        return answer
