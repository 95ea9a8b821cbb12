"""What routes ask for: the caller, their rights, the database.

async def create_thing(body: ThingCreate, caller: Annotated[Principal, require("documents:write")], …)
async def whoami(caller: Caller)
"""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import structlog
from fastapi import Depends, FastAPI, Request
from fastapi.security import APIKeyCookie, HTTPBearer
from temporalio.client import Client

from api import rate_limits, sessions
from api.approvals import Approvals
from api.authentication import Authenticator, Principal
from api.content_links import ContentLinks
from api.erasure_receipts import ErasureReceipts
from api.logins import Logins
from api.made_here import made_here
from api.metrics import Metrics
from api.operations import Operations
from api.rate_limiter import RateLimiter
from api.rate_limits import RateLimits
from api.workflow_executions import Executions
from api.workflow_library import WorkflowLibrary
from perdure.audit_anchors import AuditAnchors
from perdure.db.keyring import Keyring
from perdure.db.label_sets import LabelSets
from perdure.db.rate_limit_store import PostgresRateStore
from perdure.db.session import Database
from perdure.domain.login_limits import LoginLimits
from perdure.domain.passwords import Passwords
from perdure.domain.rate_limits import policies_of
from perdure.domain.roles import Scope
from perdure.domain.tokens import AccessTokens, derive_key
from perdure.errors import PermissionDeniedError, UnauthenticatedError
from perdure.ports.models import Embedders
from perdure.ports.rate_limits import RateStore
from perdure.ports.storage import ObjectStore
from perdure.secret_key import load_secret_key
from perdure.settings import Settings

__all__ = [
    "AnchorsDependency",
    "ApprovalsDependency",
    "Caller",
    "ContentLinksDependency",
    "DatabaseDependency",
    "EmbeddersDependency",
    "ExecutionsDependency",
    "KeyringDependency",
    "LabelSetsDependency",
    "LoginsDependency",
    "ObjectsDependency",
    "OperationsDependency",
    "Principal",
    "ReceiptsDependency",
    "TemporalDependency",
    "WorkflowLibraryDependency",
    "install",
    "require",
]

# Both only describe the schemes in OpenAPI and hand the raw value over; `authenticate` decides.
_bearer = HTTPBearer(
    scheme_name="bearer", auto_error=False, description="An API key (`pdr_…`) or an access token."
)
_cookie = APIKeyCookie(
    name=sessions.COOKIE,
    scheme_name="session",
    auto_error=False,
    description=f"The console's session; unsafe methods also need the header {sessions.CSRF_HEADER}.",
)


def install(
    app: FastAPI,
    settings: Settings,
    database: Database,
    *,
    passwords: Passwords | None = None,
    limits: LoginLimits | None = None,
    rate_store: RateStore | None = None,
) -> Authenticator:
    """Put into `app.state` what this module reads.

    Close the returned authenticator and `app.state.rate_limits` before the database.
    """
    secret = load_secret_key(settings)
    tokens = AccessTokens(secret)
    app.state.settings = settings
    app.state.database = database
    app.state.metrics = Metrics()
    limiter = RateLimiter(
        rate_store or PostgresRateStore(database),
        derive_key(secret, "perdure rate limits v1"),
        app.state.metrics,
    )
    app.state.rate_limits = RateLimits(limiter, policies_of(settings.rate_limits))
    app.state.authenticator = Authenticator(database, tokens)
    app.state.logins = Logins(database, tokens, passwords, limits)
    return app.state.authenticator  # type: ignore[no-any-return]  # app.state is untyped


async def authenticate(
    request: Request,
    _described: Annotated[Any, Depends(_bearer)],
    cookie: Annotated[str | None, Depends(_cookie)],
) -> Principal:
    """Resolve the caller and count the request; an Authorization header, even a bad one, counts before a cookie."""
    limits: RateLimits = request.app.state.rate_limits
    try:
        principal = await _resolve(request, cookie)
    except UnauthenticatedError:
        limits.by_address(request, sessions.client_address(request))
        raise
    limits.by_caller(request, principal.organisation_id, principal.actor_id)
    request.state.principal = principal
    structlog.contextvars.bind_contextvars(
        organisation_id=principal.organisation_id, actor_id=principal.actor_id
    )
    return principal


async def _resolve(request: Request, cookie: str | None) -> Principal:
    header = request.headers.get("authorization")
    if header is not None:
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise UnauthenticatedError("Send `Authorization: Bearer <API key or access token>`.")
        principal = await sessions.authenticator(request).bearer(token.strip())
    elif cookie:
        principal = await sessions.authenticator(request).session(cookie)
        await sessions.check_csrf(request, principal)
    else:
        detail = "Send `Authorization: Bearer <API key or access token>`, or log in to the console."
        raise UnauthenticatedError(detail)
    return principal


async def limit_open_routes(request: Request) -> None:
    """Dependency of the whole application: count by address what asks nobody to log in."""
    route = request.scope["route"]
    if rate_limits.is_limited(request.url.path) and not rate_limits.authenticates(route, authenticate):
        limits: RateLimits = request.app.state.rate_limits
        limits.by_address(request, sessions.client_address(request))


Caller = Annotated[Principal, Depends(authenticate)]


def require(*scopes: str) -> Any:
    """Dependency: the caller, who must have all these scopes. Use as `Annotated[Principal, require("…")]`."""
    needed = tuple(Scope(scope) for scope in scopes)

    async def authorised(caller: Caller) -> Principal:
        missing = [scope.value for scope in needed if scope not in caller.scopes]
        if missing:
            lacking = "API key does not have" if caller.via == "api_key" else "role does not give"
            detail = (
                f"This needs the scope {' and '.join(missing)}, which your {lacking}; "
                "ask an owner or admin of the organisation."
            )
            raise PermissionDeniedError(detail)
        return caller

    check: Callable[[Principal], Awaitable[Principal]] = authorised
    return Depends(check)


# These are coroutines, though they wait for nothing: FastAPI sends a plain function to a thread and back.
async def _database(request: Request) -> Database:
    found: Database = request.app.state.database
    return found


DatabaseDependency = Annotated[Database, Depends(_database)]


async def _operations(request: Request) -> Operations:
    found: Operations = request.app.state.operations
    return found


async def _objects(request: Request) -> ObjectStore:
    found: ObjectStore = request.app.state.objects
    return found


async def _embedders(request: Request) -> Embedders:
    found: Embedders = request.app.state.embedders
    return found


async def _label_sets(request: Request) -> LabelSets:
    found: LabelSets = request.app.state.label_sets
    return found


async def _temporal(request: Request) -> Client:
    found: Client = request.app.state.temporal
    return found


async def _keyring(request: Request) -> Keyring:
    found: Keyring = request.app.state.keyring
    return found


async def _receipts(request: Request) -> ErasureReceipts:
    found: ErasureReceipts = request.app.state.receipts
    return found


async def _anchors(request: Request) -> AuditAnchors:
    found: AuditAnchors = request.app.state.audit_anchors
    return found


async def _approvals(request: Request) -> Approvals:
    found: Approvals = request.app.state.approvals
    return found


async def _content_links(request: Request) -> ContentLinks:
    found: ContentLinks = request.app.state.content_links
    return found


async def _workflow_library(request: Request) -> WorkflowLibrary:
    found: WorkflowLibrary = request.app.state.workflow_library
    return found


async def _executions(request: Request) -> Executions:
    found: Executions = request.app.state.executions
    return found


WorkflowLibraryDependency = Annotated[WorkflowLibrary, Depends(_workflow_library)]
ExecutionsDependency = Annotated[Executions, Depends(_executions)]
OperationsDependency = Annotated[Operations, Depends(_operations)]
ObjectsDependency = Annotated[ObjectStore, Depends(_objects)]
EmbeddersDependency = Annotated[Embedders, Depends(_embedders)]
LabelSetsDependency = Annotated[LabelSets, Depends(_label_sets)]
TemporalDependency = Annotated[Client, Depends(_temporal)]
KeyringDependency = Annotated[Keyring, Depends(_keyring)]
ReceiptsDependency = Annotated[ErasureReceipts, Depends(_receipts)]
ApprovalsDependency = Annotated[Approvals, Depends(_approvals)]
AnchorsDependency = Annotated[AuditAnchors, Depends(_anchors)]
ContentLinksDependency = Annotated[ContentLinks, Depends(_content_links)]
LoginsDependency = Annotated[Logins, made_here(sessions.logins)]
AuthenticatorDependency = Annotated[Authenticator, made_here(sessions.authenticator)]
