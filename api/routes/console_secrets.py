"""Console: secrets that `http` steps send as headers. The rules are those of the API's own routes, which these call."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request
from pydantic import ValidationError
from starlette.responses import Response

from api.actors import ActorDependency
from api.dependencies import DatabaseDependency, KeyringDependency, Principal, require
from api.idempotency import IdempotentRequest
from api.pagination import PageParameters, decode_cursor
from api.routes import secrets
from api.routes.console_pages import PAGE_SIZE, ConsoleRoute, Pages, Shown, query_string, said_of
from api.routes.secrets import SecretId
from perdure.domain.roles import Scope
from perdure.errors import InvalidInputError, PerdureError
from perdure.schemas.encryption import SecretCreate, SecretKind, SecretRead, SecretUpdate

router = APIRouter(prefix="/settings/secrets", route_class=ConsoleRoute, include_in_schema=False)

Reader = Annotated[Principal, require("secrets:read")]
Writer = Annotated[Principal, require("secrets:write")]
CursorField = Annotated[str, Query(max_length=512)]

NOTHING = {"name": "", "origin": ""}


@dataclass(frozen=True)
class SecretView:
    """A secret in the table, and whose it is."""

    secret: SecretRead
    who: str

    @property
    def is_replaced(self) -> bool:
        """Whether its value is another than the first."""
        return self.secret.updated_at > self.secret.created_at


async def _page(
    pages: Pages, caller: Principal, keyring: KeyringDependency, *, cursor: str = "", **context: Any
) -> Response:
    shown: dict[str, Any] = {"fault": None, "given": NOTHING, "at": "", **context}
    page = PageParameters(after=decode_cursor(cursor) if cursor else None, limit=PAGE_SIZE)
    listed = await secrets.list_secrets(page, caller, pages.database, keyring, SecretKind.HTTP_HEADER)
    names = await pages.names(caller, (secret.created_by for secret in listed.items))
    address = "/settings/secrets"
    return await pages.inside(
        "settings_secrets.html",
        caller,
        "secrets",
        http_status=422 if shown["fault"] else 200,
        secrets=[
            SecretView(secret, names.get(secret.created_by or "", "a former member"))
            for secret in listed.items
        ],
        may_change=Scope.SECRETS_WRITE in caller.scopes,
        first_url=address,
        next_url=address + query_string(cursor=listed.next_cursor) if listed.next_cursor else None,
        is_first_page=not cursor,
        **shown,
    )


@router.get("")
async def show_secrets(
    pages: Shown, caller: Reader, keyring: KeyringDependency, cursor: CursorField = ""
) -> Response:
    """The secrets without their values, newest first."""
    return await _page(pages, caller, keyring, cursor=cursor)


@router.post("")
async def add_secret(
    *,
    request: Request,
    pages: Shown,
    caller: Writer,
    database: DatabaseDependency,
    keyring: KeyringDependency,
    idempotency: IdempotentRequest,
    actor: ActorDependency,
    name: Annotated[str, Form()] = "",
    origin: Annotated[str, Form()] = "",
    value: Annotated[str, Form()] = "",
) -> Response:
    """Add a secret. What was typed is shown again when something is wrong with it, but for the value."""
    given = {"name": name.strip(), "origin": origin.strip()}
    try:
        body = SecretCreate.model_validate({**given, "kind": SecretKind.HTTP_HEADER, "value": value.strip()})
        await secrets.create_secret(body, request, caller, database, keyring, idempotency, actor)
    except (ValidationError, PerdureError) as error:
        return await _page(pages, caller, keyring, fault=said_of(error), given=given)
    return pages.redirect("/settings/secrets", "secret-added")


@router.post("/{secret_id}/replace")
async def replace_secret(
    *,
    secret_id: SecretId,
    pages: Shown,
    caller: Writer,
    database: DatabaseDependency,
    keyring: KeyringDependency,
    actor: ActorDependency,
    value: Annotated[str, Form()] = "",
) -> Response:
    """Give a secret another value."""
    try:
        body = SecretUpdate.model_validate({"value": value.strip()})
        await secrets.replace_secret(secret_id, body, caller, database, keyring, actor)
    except (ValidationError, InvalidInputError) as error:
        return await _page(pages, caller, keyring, fault=said_of(error), at=secret_id)
    return pages.redirect("/settings/secrets", "secret-replaced")


@router.post("/{secret_id}/revoke")
async def revoke_secret(
    secret_id: SecretId,
    pages: Shown,
    caller: Writer,
    database: DatabaseDependency,
    keyring: KeyringDependency,
    actor: ActorDependency,
) -> Response:
    """Destroy a secret."""
    await secrets.delete_secret(secret_id, caller, database, keyring, actor)
    return pages.redirect("/settings/secrets", "secret-revoked")
