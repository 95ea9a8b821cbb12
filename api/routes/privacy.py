"""Erasure and export of the data of a person, or of the whole organisation."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from api.actors import ActorDependency
from api.dependencies import Caller, OperationsDependency, Principal, ReceiptsDependency, require
from api.idempotency import IdempotencyKey, fingerprint
from api.problems import problem_responses
from api.routes.documents import ACCEPTED, answer
from perdure.db.audit_trail import AuditTrail
from perdure.db.erasure_repository import ErasureRepository
from perdure.db.identity_repository import IdentityRepository
from perdure.db.models import OperationRow
from perdure.db.operation_repository import OperationRepository
from perdure.domain.audit import Action, Actor
from perdure.domain.ids import ID_PATTERN
from perdure.domain.roles import Scope
from perdure.errors import ConflictError, FieldError, InvalidInputError, NotFoundError, PermissionDeniedError
from perdure.schemas.operations import Subject
from perdure.schemas.privacy import (
    ErasureStarted,
    OrganisationErasureCreate,
    ReceiptRead,
    SubjectType,
)

users = APIRouter(prefix="/api/v1/users", tags=["privacy"])
organisation = APIRouter(prefix="/api/v1/organisation", tags=["privacy"])
erasures = APIRouter(prefix="/api/v1/erasures", tags=["privacy"])

UserId = Annotated[str, Path(pattern=ID_PATTERN, description="Id of a user, `usr_…`.")]
Owner = Annotated[Principal, require("privacy:write")]

ERASING: dict[str, Any] = {
    **ACCEPTED,
    "response_model": ErasureStarted,
    "responses": {
        200: {"model": ErasureStarted, "description": "The Idempotency-Key was used before."},
        **problem_responses(404, 409),
    },
}


def check_may_dispose(caller: Principal, user_id: str) -> None:
    """Of their own data people dispose themselves, of all others' an owner; an API key needs the scope."""
    is_self = caller.user_id == user_id and caller.via != "api_key"
    if not is_self and Scope.PRIVACY_WRITE not in caller.scopes:
        detail = (
            "Only you yourself, or an owner of the organisation, may do this with your data; ask an owner."
        )
        raise PermissionDeniedError(detail)


async def _record(
    session: AsyncSession, action: Action, actor: Actor, row: OperationRow, subject: Subject
) -> None:
    trail = AuditTrail(session, row.organisation_id)
    await trail.record(action, actor, subject=subject, details={"operation_id": row.id})


@users.post("/{user_id}/erasure", **ERASING, operation_id="erase_user")
async def erase_user(
    user_id: UserId,
    request: Request,
    response: Response,
    caller: Caller,
    key: IdempotencyKey,
    operations: OperationsDependency,
    receipts: ReceiptsDependency,
    actor: ActorDependency,
) -> ErasureStarted:
    """Erase everything of a person in this organisation: documents, passages, objects, operations, log-ins, keys.

    The account goes too when it is in no other organisation. What the law keeps, the receipt names.
    """

    async def build(session: AsyncSession, operation_id: str) -> OperationRow:
        if not await ErasureRepository(session, caller.organisation_id).knows(user_id):
            raise NotFoundError(f"The organisation knows no user {user_id}.")
        check_may_dispose(caller, user_id)
        if await IdentityRepository(session).lock_owners(caller.organisation_id) == {user_id}:
            detail = (
                "This is the last owner of the organisation: make someone else an owner first, or erase the "
                "organisation (POST /api/v1/organisation/erasure)."
            )
            raise ConflictError(detail)
        subject = Subject(type=SubjectType.USER.value, id=user_id)
        row = await OperationRepository(session).create(
            organisation_id=caller.organisation_id,
            actor_id=caller.actor_id,
            kind="delete_user_data",
            summary="Erase a person's data",
            subject=subject,
            input={"subject_type": SubjectType.USER.value, "user_id": user_id},
            operation_id=operation_id,
        )
        await _record(session, Action.ERASURE_REQUESTED, actor, row, subject)
        return row

    sha256 = fingerprint(request.method, request.url.path, None)
    operation = answer(response, await operations.accept(caller, key, sha256, build))
    receipt_url = receipts.address(caller.organisation_id, operation.id, str(request.base_url))
    return ErasureStarted(**operation.model_dump(), receipt_url=receipt_url)


@organisation.post("/erasure", **ERASING, operation_id="erase_organisation")
async def erase_organisation(
    body: OrganisationErasureCreate,
    request: Request,
    response: Response,
    caller: Owner,
    key: IdempotencyKey,
    operations: OperationsDependency,
    receipts: ReceiptsDependency,
    actor: ActorDependency,
) -> ErasureStarted:
    """Erase the organisation with everything in it, and the accounts that are in no other one.

    Everybody is locked out at once; the receipt stays at its address.
    """

    async def build(session: AsyncSession, operation_id: str) -> OperationRow:
        own = await IdentityRepository(session).organisation(caller.organisation_id)
        if own is None:
            raise NotFoundError("The organisation has been deleted.")
        if body.confirm != own.name:
            detail = (
                "This is not the name of the organisation; send its name exactly to confirm that you mean it."
            )
            raise InvalidInputError(detail, [FieldError("/body/confirm", detail)])
        subject = Subject(type=SubjectType.ORGANISATION.value, id=caller.organisation_id)
        row = await OperationRepository(session).create(
            organisation_id=caller.organisation_id,
            actor_id=caller.actor_id,
            kind="delete_user_data",
            summary="Erase the organisation",
            subject=subject,
            input={"subject_type": SubjectType.ORGANISATION.value},
            operation_id=operation_id,
        )
        await _record(session, Action.ERASURE_REQUESTED, actor, row, subject)
        return row

    sha256 = fingerprint(request.method, request.url.path, body)
    operation = answer(response, await operations.accept(caller, key, sha256, build))
    receipt_url = receipts.address(caller.organisation_id, operation.id, str(request.base_url))
    return ErasureStarted(**operation.model_dump(), receipt_url=receipt_url)


@erasures.get("/{token}", responses=problem_responses(404), operation_id="read_erasure_receipt")
async def read_erasure_receipt(
    token: Annotated[str, Path(max_length=1024)], receipts: ReceiptsDependency
) -> ReceiptRead:
    """What became of an erasure: its receipt, which stays when everything else is gone."""
    return await receipts.read(token)
