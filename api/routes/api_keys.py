"""API keys of the caller's organisation."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Response, status
from starlette.responses import JSONResponse

from api.actors import ActorDependency
from api.dependencies import AuthenticatorDependency, DatabaseDependency, Principal, require
from api.idempotency import IdempotentRequest
from api.pagination import PageRequest, paginate
from api.problems import problem_responses
from perdure.db.api_key_repository import ApiKeyRepository
from perdure.db.audit_trail import AuditTrail
from perdure.db.models import ApiKeyRow
from perdure.domain.audit import Action
from perdure.domain.roles import Scope
from perdure.domain.tokens import API_KEY_PREFIX, hash_secret, new_secret
from perdure.errors import FieldError, InvalidInputError, NotFoundError, PermissionDeniedError
from perdure.schemas.auth import ApiKeyCreate, ApiKeyCreated, ApiKeyRead
from perdure.schemas.base import Page
from perdure.schemas.operations import Subject

router = APIRouter(prefix="/api/v1/api-keys", tags=["api-keys"])

Reader = Annotated[Principal, require("keys:read")]
Writer = Annotated[Principal, require("keys:write")]


def _read(row: ApiKeyRow) -> ApiKeyRead:
    return ApiKeyRead(
        id=row.id,
        name=row.name,
        scopes=[Scope(scope) for scope in row.scopes],
        last_four=row.last_four,
        created_by=row.created_by,
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
    )


def _check(body: ApiKeyCreate, caller: Principal) -> None:
    beyond = sorted({scope.value for scope in body.scopes} - caller.scopes)
    if beyond:
        detail = f"A key cannot do more than its maker; leave out {', '.join(beyond)}."
        raise PermissionDeniedError(detail)
    if body.expires_at is not None and body.expires_at <= datetime.now(UTC):
        detail = "expires_at lies in the past; choose a later time, or leave it out for never."
        raise InvalidInputError(detail, [FieldError("/body/expires_at", detail)])
    outlives = caller.expires_at is not None and (
        body.expires_at is None or body.expires_at > caller.expires_at
    )
    if caller.via == "api_key" and outlives:
        detail = "A key made with a key cannot live longer than it; set expires_at."
        raise InvalidInputError(detail, [FieldError("/body/expires_at", detail)])


@router.post(
    "",
    status_code=status.HTTP_201_CREATED,
    response_model=ApiKeyCreated,
    responses={
        **problem_responses(409),
        200: {"model": ApiKeyCreated, "description": "Replayed, without the key"},
    },
    operation_id="create_api_key",
)
async def create_api_key(
    body: ApiKeyCreate,
    caller: Writer,
    database: DatabaseDependency,
    idempotency: IdempotentRequest,
    actor: ActorDependency,
) -> ApiKeyCreated | JSONResponse:
    """Make a key. The answer shows it once; a replay of the request shows everything but the key."""
    async with database.transaction(caller.organisation_id) as session:
        before = await idempotency.replay(session, caller.organisation_id, body)
        if before is not None:
            return before
        _check(body, caller)
        key = new_secret(API_KEY_PREFIX)
        row = await ApiKeyRepository(session).create(
            caller.organisation_id,
            caller.user_id,
            name=body.name,
            scopes=body.scopes,
            key_hash=hash_secret(key),
            last_four=key[-4:],
            expires_at=body.expires_at,
        )
        read = _read(row)
        stored = ApiKeyCreated(**read.model_dump(), key=None)
        await idempotency.remember(session, caller.organisation_id, stored.model_dump(mode="json"))
        await AuditTrail(session, caller.organisation_id).record(
            Action.API_KEY_CREATED,
            actor,
            subject=Subject(type="api_key", id=row.id),
            details={"scopes": row.scopes},
        )
    return ApiKeyCreated(**read.model_dump(), key=key)


@router.get("", responses=problem_responses(), operation_id="list_api_keys")
async def list_api_keys(page: PageRequest, caller: Reader, database: DatabaseDependency) -> Page[ApiKeyRead]:
    """List the keys that are not revoked, newest first."""
    async with database.transaction(caller.organisation_id) as session:
        rows = await ApiKeyRepository(session).list(caller.organisation_id, page.after, page.limit + 1)
    return paginate(rows, page, read=_read, key=lambda row: row.id)


@router.delete(
    "/{api_key_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problem_responses(404),
    operation_id="revoke_api_key",
)
async def revoke_api_key(
    api_key_id: str,
    caller: Writer,
    database: DatabaseDependency,
    authenticator: AuthenticatorDependency,
    actor: ActorDependency,
) -> Response:
    """Revoke a key: at once in this process, within 5 seconds in every other."""
    async with database.transaction(caller.organisation_id) as session:
        revoked = await ApiKeyRepository(session).revoke(caller.organisation_id, api_key_id)
        if revoked:
            await AuditTrail(session, caller.organisation_id).record(
                Action.API_KEY_REVOKED, actor, subject=Subject(type="api_key", id=api_key_id)
            )
    if not revoked:
        raise NotFoundError(f"There is no API key {api_key_id}; it may have been revoked before.")
    authenticator.forget(api_key_id)
    return Response(status_code=status.HTTP_204_NO_CONTENT)
