"""Console sessions: a cookie that scripts cannot read, and a CSRF token that other sites cannot know.

For the console's pages:

    who = await logins(request).log_in(LoginCreate(…), visitor(request))  # or .register(…)
    response = RedirectResponse("/console", status_code=303)
    await start_session(request, response, who)           # sets the cookie; an older session here ends
    …
    await end_session(request, response)                  # log out: deletes row and cookie
    principal = await current_session(request)            # Principal, or None when nobody is logged in
    principal.csrf_token                                  # put it into each form (`csrf_token`) and into a
                                                          # <meta> for scripts (header `X-CSRF-Token`)
    await check_csrf(request, principal)                  # raises PermissionDeniedError; not needed behind
                                                          # `Caller` / `require(…)`, which call it themselves
    check_same_origin(request)                            # for the forms before log-in (login, register)

A form sent as multipart/form-data must carry the header: its body is not read here, so that uploads stream.
"""

import hmac
from urllib.parse import urlsplit

from fastapi import Request
from starlette.responses import Response

from api import problems
from api.authentication import Authenticator, Principal
from api.logins import LoggedIn, Logins, logged_in_as
from perdure.db.audit_trail import AuditTrail
from perdure.db.login_repository import LoginRepository
from perdure.db.session import Database
from perdure.domain.audit import Action, Actor, ActorKind
from perdure.domain.tokens import SESSION_LIFETIME, hash_secret, new_secret
from perdure.errors import PermissionDeniedError, UnauthenticatedError
from perdure.settings import Settings

COOKIE = "perdure_session"
CSRF_HEADER = "X-CSRF-Token"
CSRF_FIELD = "csrf_token"
# Set in the state of a request whose origin stands in for the CSRF token; see `cross_origin`.
ORIGIN_IS_TRUSTED = "origin_is_trusted"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

_FORM = "application/x-www-form-urlencoded"


def logins(request: Request) -> Logins:
    """The application's `Logins`."""
    found: Logins = request.app.state.logins
    return found


def authenticator(request: Request) -> Authenticator:
    """The application's `Authenticator`."""
    found: Authenticator = request.app.state.authenticator
    return found


def client_address(request: Request) -> str:
    """Address of the client; behind a proxy, uvicorn takes it from X-Forwarded-For when told to trust it."""
    return request.client.host if request.client else "unknown"


def visitor(request: Request) -> Actor:
    """Whoever sent the request, before it is known who that is."""
    return Actor(
        ActorKind.ANONYMOUS,
        request_id=problems.request_id_of(request.scope),
        address=client_address(request),
    )


async def start_session(request: Request, response: Response, who: LoggedIn) -> Principal:
    """Begin a session under a fresh token, so that one planted before log-in is worth nothing."""
    database: Database = request.app.state.database
    settings: Settings = request.app.state.settings
    before = await current_session(request)
    token = new_secret()
    async with database.transaction(who.organisation.id) as session:
        repository = LoginRepository(session)
        if (old := request.cookies.get(COOKIE)) is not None:
            await repository.end_session(hash_secret(old))
        await repository.start_session(
            who.user.id, who.organisation.id, hash_secret(token), new_secret(), SESSION_LIFETIME
        )
        actor = logged_in_as(visitor(request), who.user.id)
        trail = AuditTrail(session, who.organisation.id)
        await trail.record(Action.USER_LOGGED_IN, actor, details={"via": "console"})
    authenticator(request).forget(who.user.id, *([before.user_id] if before else []))
    response.set_cookie(
        COOKIE,
        token,
        max_age=int(SESSION_LIFETIME.total_seconds()),
        path="/",
        secure=settings.secure_cookies,
        httponly=True,
        samesite="lax",
    )
    return await authenticator(request).session(token)


async def end_session(request: Request, response: Response) -> None:
    """Log out this browser."""
    database: Database = request.app.state.database
    token = request.cookies.get(COOKIE)
    if token is not None:
        principal = await current_session(request)
        async with database.transaction(principal.organisation_id if principal else None) as session:
            await LoginRepository(session).end_session(hash_secret(token))
            if principal is not None:
                actor = logged_in_as(visitor(request), principal.user_id)
                trail = AuditTrail(session, principal.organisation_id)
                await trail.record(Action.USER_LOGGED_OUT, actor, details={"via": "console"})
        if principal is not None:
            authenticator(request).forget(principal.user_id)
    drop_cookie(request, response)


def drop_cookie(request: Request, response: Response) -> None:
    """Make the browser forget its session."""
    settings: Settings = request.app.state.settings
    response.delete_cookie(COOKIE, path="/", secure=settings.secure_cookies, httponly=True, samesite="lax")


async def current_session(request: Request) -> Principal | None:
    """Who is logged in with this browser, if anyone."""
    token = request.cookies.get(COOKIE)
    if token is None:
        return None
    try:
        return await authenticator(request).session(token)
    except UnauthenticatedError:
        return None


def check_same_origin(request: Request) -> None:
    """Refuse an unsafe request that a page of another site sent."""
    if request.method in SAFE_METHODS:
        return
    origin = request.headers.get("origin")
    settings: Settings = request.app.state.settings
    allowed = {request.headers.get("host", "")}
    if settings.public_url:
        allowed.add(urlsplit(settings.public_url).netloc)
    says_so = request.headers.get("sec-fetch-site") == "cross-site"
    if says_so or (origin is not None and _host_of(origin) not in allowed):
        detail = "This request came from a page of another site; open the console itself and try again."
        raise PermissionDeniedError(detail)


def _host_of(origin: str) -> str | None:
    """Host and port of an origin; None for `null` and for what is none."""
    try:
        return urlsplit(origin).netloc or None
    except ValueError:
        return None


async def check_csrf(request: Request, principal: Principal) -> None:
    """Refuse an unsafe request by cookie that does not show the session's CSRF token."""
    if principal.via != "session" or request.method in SAFE_METHODS:
        return
    if getattr(request.state, ORIGIN_IS_TRUSTED, False):
        return
    check_same_origin(request)
    shown: str | None = request.headers.get(CSRF_HEADER)
    if shown is None and request.headers.get("content-type", "").partition(";")[0].strip() == _FORM:
        value = (await request.form()).get(CSRF_FIELD)
        shown = value if isinstance(value, str) else None
    expected = principal.csrf_token or ""
    if not expected or not hmac.compare_digest((shown or "").encode(), expected.encode()):
        detail = f"The CSRF token is missing or old; send it as the header {CSRF_HEADER}, or reload the page."
        raise PermissionDeniedError(detail)
