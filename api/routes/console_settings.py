"""Console: members and API keys. The rules are those of the API's own routes, which these call."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, BackgroundTasks, Form
from pydantic import ValidationError
from starlette.responses import Response

from api.actors import ActorDependency
from api.dependencies import (
    ApprovalsDependency,
    AuthenticatorDependency,
    DatabaseDependency,
    Principal,
    require,
)
from api.idempotency import IdempotentRequest
from api.pagination import MAX_LIMIT, PageParameters
from api.routes import api_keys, members
from api.routes.console_pages import ConsoleRoute, Pages, Shown
from perdure.domain.roles import Role, Scope
from perdure.errors import PerdureError
from perdure.schemas.auth import ApiKeyCreate, ApiKeyCreated, MemberCreate, MemberUpdate

router = APIRouter(prefix="/settings", route_class=ConsoleRoute, include_in_schema=False)

MemberReader = Annotated[Principal, require("members:read")]
MemberWriter = Annotated[Principal, require("members:write")]
KeyReader = Annotated[Principal, require("keys:read")]
KeyWriter = Annotated[Principal, require("keys:write")]

_ALL = PageParameters(limit=MAX_LIMIT)

# Ticked at first: what a program that brings and searches documents needs.
_USUAL_SCOPES = frozenset(
    {
        Scope.DOCUMENTS_READ,
        Scope.DOCUMENTS_WRITE,
        Scope.SEARCH_READ,
        Scope.MEMORIES_READ,
        Scope.MEMORIES_WRITE,
        Scope.OPERATIONS_READ,
        Scope.OPERATIONS_WRITE,
    }
)


async def _members_page(pages: Pages, caller: Principal, **context: Any) -> Response:
    listed = await members.list_members(_ALL, caller, pages.database)
    shown: dict[str, Any] = {"fault": None, "email": "", **context}
    status = 422 if shown["fault"] else 200
    return await pages.inside(
        "settings_members.html",
        caller,
        "members",
        http_status=status,
        members=listed.items,
        roles=[role.value for role in Role],
        **shown,
    )


@router.get("/members")
async def show_members(pages: Shown, caller: MemberReader) -> Response:
    """Who is in the organisation."""
    return await _members_page(pages, caller)


@router.post("/members")
async def add_member(
    *,
    pages: Shown,
    caller: MemberWriter,
    database: DatabaseDependency,
    idempotency: IdempotentRequest,
    actor: ActorDependency,
    approvals: ApprovalsDependency,
    afterwards: BackgroundTasks,
    role: Annotated[Role, Form()],
    email: Annotated[str, Form()] = "",
) -> Response:
    """Add someone who has an account."""
    try:
        body = MemberCreate(email=email, role=role)
        await members.add_member(body, caller, database, idempotency, actor, approvals, afterwards)
    except ValidationError:
        fault = "Enter a complete e-mail address, like ada@example.org."
        return await _members_page(pages, caller, fault=fault, email=email)
    except PerdureError as error:
        return await _members_page(pages, caller, fault=str(error), email=email)
    return pages.redirect("/settings/members", "member-added")


@router.post("/members/{user_id}/role")
async def change_role(
    *,
    user_id: str,
    pages: Shown,
    caller: MemberWriter,
    database: DatabaseDependency,
    authenticator: AuthenticatorDependency,
    actor: ActorDependency,
    approvals: ApprovalsDependency,
    afterwards: BackgroundTasks,
    role: Annotated[Role, Form()],
) -> Response:
    """Change what a member may do."""
    try:
        body = MemberUpdate(role=role)
        await members.update_member(
            user_id, body, caller, database, authenticator, actor, approvals, afterwards
        )
    except PerdureError as error:
        return await _members_page(pages, caller, fault=str(error))
    return pages.redirect("/settings/members", "role-changed")


@router.post("/members/{user_id}/remove")
async def remove_member(
    user_id: str,
    pages: Shown,
    caller: MemberWriter,
    database: DatabaseDependency,
    authenticator: AuthenticatorDependency,
    actor: ActorDependency,
    approvals: ApprovalsDependency,
    afterwards: BackgroundTasks,
) -> Response:
    """Remove a member."""
    try:
        await members.remove_member(user_id, caller, database, authenticator, actor, approvals, afterwards)
    except PerdureError as error:
        return await _members_page(pages, caller, fault=str(error))
    return pages.redirect("/settings/members", "member-removed")


async def _keys_page(pages: Pages, caller: Principal, **context: Any) -> Response:
    listed = await api_keys.list_api_keys(_ALL, caller, pages.database)
    shown: dict[str, Any] = {"fault": None, "name": "", "created": None, **context}
    return await pages.inside(
        "settings_api_keys.html",
        caller,
        "api-keys",
        http_status=422 if shown["fault"] else 200,
        keys=listed.items,
        may_create=Scope.KEYS_WRITE in caller.scopes,
        scopes=[
            {"name": scope.value, "is_default": scope in _USUAL_SCOPES}
            for scope in Scope
            if scope in caller.scopes
        ],
        **shown,
    )


@router.get("/api-keys")
async def show_api_keys(pages: Shown, caller: KeyReader) -> Response:
    """The organisation's keys."""
    return await _keys_page(pages, caller)


@router.post("/api-keys")
async def create_api_key(
    *,
    pages: Shown,
    caller: KeyWriter,
    database: DatabaseDependency,
    idempotency: IdempotentRequest,
    actor: ActorDependency,
    name: Annotated[str, Form()] = "",
    expires_in_days: Annotated[str, Form(pattern=r"^\d{0,4}$")] = "",
    scopes: Annotated[list[Scope] | None, Form()] = None,
) -> Response:
    """Make a key and show it once: the answer is the page itself, so nothing has to remember the key."""
    expires_at = datetime.now(UTC) + timedelta(days=int(expires_in_days)) if expires_in_days else None
    if not scopes:
        return await _keys_page(pages, caller, fault="Tick at least one scope.", name=name)
    try:
        body = ApiKeyCreate(name=name, scopes=scopes, expires_at=expires_at)
        created = await api_keys.create_api_key(body, caller, database, idempotency, actor)
    except ValidationError:
        return await _keys_page(
            pages, caller, fault="Give the key a name, with at most 200 characters.", name=name
        )
    except PerdureError as error:
        return await _keys_page(pages, caller, fault=str(error), name=name)
    shown = {"name": body.name, "secret": created.key} if isinstance(created, ApiKeyCreated) else None
    return await _keys_page(pages, caller, created=shown)


@router.post("/api-keys/{api_key_id}/revoke")
async def revoke_api_key(
    api_key_id: str,
    pages: Shown,
    caller: KeyWriter,
    database: DatabaseDependency,
    authenticator: AuthenticatorDependency,
    actor: ActorDependency,
) -> Response:
    """Revoke a key."""
    await api_keys.revoke_api_key(api_key_id, caller, database, authenticator, actor)
    return pages.redirect("/settings/api-keys", "revoked")
