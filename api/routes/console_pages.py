"""What all pages of the console share: the route class that shows errors as pages, and the viewer."""

import json
from collections.abc import Awaitable, Callable, Iterable
from typing import Annotated, Any
from urllib.parse import quote, urlencode

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from api import problems, sessions
from api.dependencies import Principal
from api.logins import Logins
from api.made_here import made_here
from api.pagination import decode_cursor
from api.routes.console_rendering import templates
from api.routes.console_views import Notice, Viewer
from api.routes.console_words import words
from perdure.db.identity_repository import IdentityRepository
from perdure.db.session import Database
from perdure.errors import (
    InvalidInputError,
    MalformedRequestError,
    NotFoundError,
    PerdureError,
    UnauthenticatedError,
)
from perdure.settings import Settings

PAGE_SIZE = 25

# What a page that was redirected to may say once; the address carries only the name.
NOTICES: dict[str, Notice] = {
    "paused": Notice("Paused. Nothing further starts until you resume it."),
    "resumed": Notice("Resumed."),
    "cancelled": Notice("Cancelling. What is finished stays."),
    "retried": Notice("Started again. Finished steps are not repeated."),
    "deleted": Notice("The document is being deleted. It is no longer found by search."),
    "revoked": Notice("The key is revoked."),
    "member-added": Notice("Member added."),
    "member-removed": Notice("Member removed."),
    "role-changed": Notice("Role changed."),
    "retention-changed": Notice("Retention changed."),
    "key-added": Notice("Key added. Test it to see whether it works."),
    "secret-added": Notice("Added. Steps that name it send it from now on."),
    "secret-replaced": Notice("Replaced. Steps that name it send the new value from now on."),
    "secret-revoked": Notice("Revoked. Its value is destroyed."),
    "routing-changed": Notice("Routing changed."),
    "test-sent": Notice("A test is on its way. It stands among the latest messages."),
    "switched-on": Notice("Switched on."),
    "switched-off": Notice("Switched off. Nothing more is sent there."),
    "endpoint-removed": Notice("Removed. Its address and its secret are destroyed."),
    "sent-again": Notice("It is sent again."),
    "budget-changed": Notice("Budget changed."),
    "remembered": Notice("Remembered."),
    "known-already": Notice("This was remembered already; nothing is kept twice.", "info"),
    "stays-forgotten": Notice(
        "This text was to be forgotten, for good. It is not remembered again.", "warning"
    ),
    "corrected": Notice("Corrected. The version before stays in the history."),
    "ended": Notice("No longer true from now on. The history shows what it was."),
    "undone": Notice("Undone. It is not changed so again."),
    "accepted": Notice("Accepted. It is a memory now."),
    "declined": Notice("Declined. It is not proposed again."),
    "evolution-changed": Notice("Settings changed."),
    "export-started": Notice("The export has begun. Its archive appears here when it is done."),
    "reviewed": Notice("Decided. The next version of the workflow learns from it."),
    "workflow-created": Notice("Created. It can be used at once."),
    "version-made": Notice("Made. It is used as soon as you activate it.", "info"),
    "version-active": Notice("This version is used from now on."),
    "archived": Notice("Archived. Its results and its history stay."),
    "workflow-version-made": Notice("Made. What is started from now on takes this version."),
    "workflow-unchanged": Notice("It says the same as the newest version: none was made.", "info"),
    "workflow-archived": Notice("Archived. What runs goes on, and its history stays."),
    "execution-started": Notice("Started. Each document has an execution of its own."),
    "asked": Notice("Asked. Those who decide are told."),
    "decided-approve": Notice("You approved it."),
    "decided-reject": Notice("You rejected it."),
    "decided-request_changes": Notice("You asked for changes."),
    "decided-abstain": Notice("You abstained."),
    "decided-many": Notice("Decided on all of them."),
    "commented": Notice("Your comment is there."),
    "decision-revoked": Notice("Your decision no longer counts."),
    "delegated": Notice("They may decide for you now."),
    "delegation-ended": Notice("They no longer decide for you."),
    "reassigned": Notice("The seat is theirs now."),
    "reminded": Notice("They are reminded."),
    "withdrawn": Notice("The request is withdrawn."),
    "logged-out": Notice("You are logged out.", "info"),
}


def is_partial(request: Request) -> bool:
    """Whether htmx asks for a part of the page."""
    return request.headers.get("HX-Request") == "true"


def replacing(identifier: str) -> dict[str, str]:
    """Headers that put an answer in the place of a whole part of the page, and of what goes on within it.

    `closest`: of two answers, the second comes to what the first has taken off the page.
    """
    return {
        "HX-Retarget": f"closest #{identifier}",
        "HX-Reselect": f"#{identifier}",
        "HX-Reswap": "outerHTML",
    }


def query_string(**values: str) -> str:
    """Query string of what is not empty."""
    given = {name: value for name, value in values.items() if value}
    return f"?{urlencode(given)}" if given else ""


def number_cursor(cursor: str) -> int:
    """The number in the cursor of a list of passages or items."""
    key = decode_cursor(cursor)
    if not key.isascii() or not key.isdigit() or len(key) > 9:
        raise InvalidInputError("This address belongs to another list; go back to its first page.")
    return int(key)


def safe_next(path: str) -> str:
    """A path of this site to go on to, never another site."""
    local = path.startswith("/") and not path.startswith(("//", "/\\"))
    return path if local and path.isprintable() else "/operations"


def toast(message: str, tone: str = "success", **events: Any) -> dict[str, str]:
    """Headers that make the page show a message, and trigger further events."""
    return {"HX-Trigger": json.dumps({"toast": {"message": message, "tone": tone}, **events})}


def fault_of(error: ValidationError) -> str:
    """What is wrong with a form, as a sentence."""
    first = error.errors()[0]
    message = str(first["msg"]).removeprefix("Value error, ")
    place = words(str(first["loc"][0])) if first["loc"] else ""
    said = f"{place}: {message}" if place else f"{message[:1].upper()}{message[1:]}"
    return said if said.endswith(".") else f"{said}."


def said_of(error: Exception) -> str:
    """What was wrong with a form, as a sentence."""
    if isinstance(error, ValidationError):
        return fault_of(error)
    said = str(error)
    return said[:1].upper() + said[1:] + ("" if said.endswith((".", "!", "?")) else ".")


class Pages:
    """Renders for one request. `Shown` is the dependency."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.settings: Settings = request.app.state.settings
        self.database: Database = request.app.state.database
        self._templates = templates()

    async def viewer(self, caller: Principal) -> Viewer:
        """Who looks, with names."""
        async with self.database.transaction(caller.organisation_id) as session:
            identities = IdentityRepository(session)
            user = await identities.user(caller.user_id)
            organisation = await identities.organisation(caller.organisation_id)
        if user is None or organisation is None:
            raise UnauthenticatedError("Your account or organisation was deleted; log in again.")
        return Viewer(
            user_id=user.id,
            name=user.name,
            email=user.email,
            organisation=organisation.name,
            csrf_token=caller.csrf_token or "",
            scopes=caller.scopes,
        )

    async def names(self, caller: Principal, people: Iterable[str | None]) -> dict[str, str]:
        """Names of those of these people, by id, who are still members."""
        async with self.database.transaction(caller.organisation_id) as session:
            identities = IdentityRepository(session)
            found = [
                await identities.member(caller.organisation_id, person)
                for person in sorted(set(filter(None, people)))
            ]
        return {member.user_id: member.name for member in found if member is not None}

    async def inside(
        self,
        template: str,
        caller: Principal,
        section: str,
        /,
        *,
        http_status: int = 200,
        headers: dict[str, str] | None = None,
        **context: Any,
    ) -> Response:
        """A page, or a part of one, for someone who is logged in."""
        shared = {
            "viewer": await self.viewer(caller),
            "section": section,
            "temporal_ui_url": self.settings.temporal_ui_url,
            "notice": NOTICES.get(self.request.query_params.get("notice", "")),
        }
        return self._templates.response(template, {**shared, **context}, status=http_status, headers=headers)

    def outside(self, template: str, /, *, http_status: int = 200, **context: Any) -> Response:
        """A page for someone who is not logged in."""
        notice = NOTICES.get(self.request.query_params.get("notice", ""))
        return self._templates.response(
            template, {"viewer": None, "notice": notice, **context}, status=http_status
        )

    def redirect(self, path: str, notice: str = "") -> Response:
        """Go on to another page after a form; a message may wait there."""
        join = "&" if "?" in path else "?"
        return RedirectResponse(f"{path}{join}notice={notice}" if notice else path, status_code=303)


Shown = Annotated[Pages, made_here(Pages)]


def _login_address(request: Request) -> str:
    if request.method != "GET":
        return "/login"
    path = request.headers.get("HX-Current-URL", "") if is_partial(request) else ""
    target = path.partition("://")[2].partition("/")[2] if path else request.url.path.removeprefix("/")
    query = f"?{request.url.query}" if request.url.query and not path else ""
    return f"/login?next={quote('/' + target + query, safe='')}"


async def show_error(request: Request, error: PerdureError) -> Response:
    """An error as a page, a message in the corner, or a way to the log-in."""
    if isinstance(error, UnauthenticatedError):
        address = _login_address(request)
        if is_partial(request):
            onward = Response(status_code=error.status, headers={"HX-Redirect": address})
        else:
            onward = RedirectResponse(address, status_code=303)
        # A session may be remembered here for a moment after its account is gone: without its cookie, the
        # page to log in does not send the browser back.
        sessions.drop_cookie(request, onward)
        return onward
    said = str(error) or error.title
    detail = said[0].upper() + said[1:]
    if is_partial(request):
        headers = {**toast(detail, "danger"), "HX-Reswap": "none"}
        return Response(status_code=error.status, headers=headers)
    pages = Pages(request)
    context: dict[str, Any] = {
        "code": error.status,
        "title": error.title,
        "detail": detail,
        "request_id": problems.request_id_of(request.scope),
        "choice_address": None,
    }
    principal = await sessions.current_session(request)
    if principal is None:
        return pages.outside("error.html", http_status=error.status, **context)
    context["choice_address"] = await _choice_address(request, error, principal)
    return await pages.inside("error.html", principal, "", http_status=error.status, **context)


async def _choice_address(request: Request, error: PerdureError, principal: Principal) -> str | None:
    """Where somebody in several organisations opens another one, and this page in it; a link may be of that one."""
    if not isinstance(error, NotFoundError) or request.method != "GET":
        return None
    logins: Logins = request.app.state.logins
    if len(await logins.memberships(principal.user_id)) < 2:
        return None
    query = f"?{request.url.query}" if request.url.query else ""
    return f"/organisations?next={quote(request.url.path + query, safe='')}"


def _ours(error: Exception) -> PerdureError | None:
    if isinstance(error, RequestValidationError):
        return problems.from_validation(error.errors())
    if isinstance(error, HTTPException):
        return NotFoundError() if error.status_code == 404 else MalformedRequestError(str(error.detail))
    return problems.translate(error)


class ConsoleRoute(APIRoute):
    """Shows what goes wrong as a page for people, faults of ours too."""

    def get_route_handler(self) -> Callable[[Request], Awaitable[Any]]:  # type: ignore[override]  # Awaitable, as FastAPI uses it
        """See `APIRoute`."""
        handle = super().get_route_handler()

        async def shown(request: Request) -> Response:
            try:
                return await handle(request)
            except Exception as error:  # noqa: BLE001  # shown as what it is, and logged
                return await show_error(request, _ours(error) or problems.unforeseen(error, request.scope))

        return shown
