"""Secrets of the caller's organisation: provider keys, webhook secrets, private URLs. Values go in and never out."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response, status
from starlette.responses import JSONResponse

from api.actors import ActorDependency
from api.dependencies import DatabaseDependency, KeyringDependency, Principal, require
from api.idempotency import IdempotentRequest, keyed_digest
from api.pagination import PageRequest, paginate
from api.problems import problem_responses
from perdure.db.models import OrganisationSecretRow
from perdure.db.secret_repository import SecretRepository
from perdure.domain.audit import Action
from perdure.domain.ids import ID_PATTERN
from perdure.schemas.base import Page
from perdure.schemas.encryption import SecretCreate, SecretKind, SecretRead, SecretUpdate

router = APIRouter(prefix="/api/v1/secrets", tags=["secrets"])

Reader = Annotated[Principal, require("secrets:read")]
Writer = Annotated[Principal, require("secrets:write")]
SecretId = Annotated[str, Path(pattern=ID_PATTERN, description="Id of a secret, `sec_…`.")]


def _read(row: OrganisationSecretRow) -> SecretRead:
    return SecretRead.model_validate(row, from_attributes=True)


def _stand_in(request: Request, body: SecretCreate) -> bytes:
    content = body.model_dump(mode="json") | {"value": body.value.get_secret_value()}
    return keyed_digest(request.app.state.settings, "secrets", content)


@router.post(
    "",
    status_code=status.HTTP_201_CREATED,
    response_model=SecretRead,
    responses={**problem_responses(409), 200: {"model": SecretRead, "description": "Replayed"}},
    operation_id="create_secret",
)
async def create_secret(
    body: SecretCreate,
    request: Request,
    caller: Writer,
    database: DatabaseDependency,
    keyring: KeyringDependency,
    idempotency: IdempotentRequest,
    actor: ActorDependency,
) -> SecretRead | JSONResponse:
    """Store a secret. It is encrypted with a key of the organisation; no answer ever shows it."""
    async with database.transaction(caller.organisation_id) as session:
        before = await idempotency.replay(session, caller.organisation_id, _stand_in(request, body))
        if before is not None:
            return before
        secrets = SecretRepository(session, caller.organisation_id, keyring)
        row = await secrets.create(
            name=body.name,
            kind=body.kind.value,
            value=body.value.get_secret_value(),
            created_by=caller.user_id,
            origin=body.origin,
        )
        read = _read(row)
        await idempotency.remember(session, caller.organisation_id, read.model_dump(mode="json"))
        await secrets.record(Action.SECRET_CREATED, actor, row.id, kind=row.kind)
    return read


@router.get("", responses=problem_responses(), operation_id="list_secrets")
async def list_secrets(
    page: PageRequest,
    caller: Reader,
    database: DatabaseDependency,
    keyring: KeyringDependency,
    kind: Annotated[SecretKind | None, Query(description="Only secrets of this kind.")] = None,
) -> Page[SecretRead]:
    """List secrets without their values, newest first."""
    async with database.transaction(caller.organisation_id) as session:
        secrets = SecretRepository(session, caller.organisation_id, keyring)
        rows = await secrets.list(page.after, page.limit + 1, kind)
    return paginate(rows, page, read=_read, key=lambda row: row.id)


@router.put("/{secret_id}", responses=problem_responses(404), operation_id="replace_secret")
async def replace_secret(
    secret_id: SecretId,
    body: SecretUpdate,
    caller: Writer,
    database: DatabaseDependency,
    keyring: KeyringDependency,
    actor: ActorDependency,
) -> SecretRead:
    """Give a secret another value; what refers to it takes the new one from then on."""
    async with database.transaction(caller.organisation_id) as session:
        secrets = SecretRepository(session, caller.organisation_id, keyring)
        row = await secrets.replace(secret_id, body.value.get_secret_value())
        await secrets.record(Action.SECRET_REPLACED, actor, row.id, kind=row.kind)
    return _read(row)


@router.delete(
    "/{secret_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problem_responses(404),
    operation_id="delete_secret",
)
async def delete_secret(
    secret_id: SecretId,
    caller: Writer,
    database: DatabaseDependency,
    keyring: KeyringDependency,
    actor: ActorDependency,
) -> Response:
    """Delete a secret; what still refers to it fails and says so."""
    async with database.transaction(caller.organisation_id) as session:
        secrets = SecretRepository(session, caller.organisation_id, keyring)
        await secrets.delete(secret_id)
        await secrets.record(Action.SECRET_DELETED, actor, secret_id)
    return Response(status_code=status.HTTP_204_NO_CONTENT)
