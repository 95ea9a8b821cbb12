"""Erasure and export of the data of a person, or of the whole organisation."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from api.actors import ActorDependency
from api.dependencies import (
    Caller,
    ContentLinksDependency,
    DatabaseDependency,
    OperationsDependency,
    Principal,
    ReceiptsDependency,
    require,
)
from api.idempotency import IdempotencyKey, fingerprint
from api.pagination import PageRequest, paginate
from api.problems import problem_responses
from api.routes.documents import ACCEPTED, answer
from perdure.db.audit_trail import AuditTrail
from perdure.db.erasure_repository import ErasureRepository
from perdure.db.export_repository import ExportRepository
from perdure.db.identity_repository import IdentityRepository
from perdure.db.models import ExportRow, OperationRow
from perdure.db.operation_repository import OperationRepository
from perdure.domain.audit import Action, Actor
from perdure.domain.exports import archive_key
from perdure.domain.ids import ID_PATTERN
from perdure.domain.roles import Scope
from perdure.errors import ConflictError, FieldError, InvalidInputError, NotFoundError, PermissionDeniedError
from perdure.schemas.base import Page
from perdure.schemas.documents import ContentLink
from perdure.schemas.operations import OperationRead, Subject
from perdure.schemas.privacy import (
    ErasureStarted,
    ExportRead,
    OrganisationErasureCreate,
    ReceiptRead,
    SubjectType,
)

users = APIRouter(prefix="/api/v1/users", tags=["privacy"])
organisation = APIRouter(prefix="/api/v1/organisation", tags=["privacy"])
erasures = APIRouter(prefix="/api/v1/erasures", tags=["privacy"])
exports = APIRouter(prefix="/api/v1/exports", tags=["privacy"])

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


def _may_dispose(caller: Principal, user_id: str) -> bool:
    is_self = caller.user_id == user_id and caller.via != "api_key"
    return is_self or Scope.PRIVACY_WRITE in caller.scopes


def check_may_dispose(caller: Principal, user_id: str) -> None:
    """Of their own data people dispose themselves, of all others' an owner; an API key needs the scope."""
    if not _may_dispose(caller, user_id):
        detail = (
            "Only you yourself, or an owner of the organisation, may do this with your data; ask an owner."
        )
        raise PermissionDeniedError(detail)


async def _record(
    session: AsyncSession, action: Action, actor: Actor, row: OperationRow, subject: Subject
) -> None:
    trail = AuditTrail(session, row.organisation_id)
    await trail.record(action, actor, subject=subject, details={"operation_id": row.id})


@users.post("/{user_id}/export", **ACCEPTED, operation_id="export_user")
async def export_user(
    user_id: UserId,
    request: Request,
    response: Response,
    caller: Caller,
    key: IdempotencyKey,
    operations: OperationsDependency,
    actor: ActorDependency,
) -> OperationRead:
    """Export everything of a person in this organisation: rows of all tables, documents with their files, log.

    The archive is for the person and for owners, and deleted after a while.
    """

    async def build(session: AsyncSession, operation_id: str) -> OperationRow:
        if not await ErasureRepository(session, caller.organisation_id).knows(user_id):
            raise NotFoundError(f"The organisation knows no user {user_id}.")
        check_may_dispose(caller, user_id)
        subject = Subject(type=SubjectType.USER.value, id=user_id)
        return await _accept_export(
            session,
            caller,
            actor,
            operation_id,
            subject,
            {"subject_type": SubjectType.USER.value, "user_id": user_id},
        )

    sha256 = fingerprint(request.method, request.url.path, None)
    return answer(response, await operations.accept(caller, key, sha256, build, counts=False))


@organisation.post("/export", **ACCEPTED, operation_id="export_organisation")
async def export_organisation(
    request: Request,
    response: Response,
    caller: Owner,
    key: IdempotencyKey,
    operations: OperationsDependency,
    actor: ActorDependency,
) -> OperationRead:
    """Export everything of the organisation: rows of all tables, documents with their files, audit trail."""

    async def build(session: AsyncSession, operation_id: str) -> OperationRow:
        subject = Subject(type=SubjectType.ORGANISATION.value, id=caller.organisation_id)
        given = {"subject_type": SubjectType.ORGANISATION.value}
        return await _accept_export(session, caller, actor, operation_id, subject, given)

    sha256 = fingerprint(request.method, request.url.path, None)
    return answer(response, await operations.accept(caller, key, sha256, build, counts=False))


async def _accept_export(
    session: AsyncSession,
    caller: Principal,
    actor: Actor,
    operation_id: str,
    subject: Subject,
    given: dict[str, Any],
) -> OperationRow:
    row = await OperationRepository(session).create(
        organisation_id=caller.organisation_id,
        actor_id=caller.actor_id,
        kind="export_user_data",
        summary="Export a person's data" if "user_id" in given else "Export the organisation's data",
        subject=subject,
        input=given,
        operation_id=operation_id,
    )
    await _record(session, Action.EXPORT_REQUESTED, actor, row, subject)
    return row


@exports.get("", responses=problem_responses(), operation_id="list_exports")
async def list_exports(caller: Caller, database: DatabaseDependency, page: PageRequest) -> Page[ExportRead]:
    """Archives that can be had, newest first: one's own, and for owners all."""
    sees_all = Scope.PRIVACY_WRITE in caller.scopes
    async with database.transaction(caller.organisation_id) as session:
        rows = await ExportRepository(session, caller.organisation_id).list(
            subject_id=None if sees_all else caller.user_id, after=page.after, limit=page.limit + 1
        )
    visible = [row for row in rows if _may_dispose(caller, row.subject_id)]
    return paginate(visible, page, read=_export_read, key=lambda row: row.operation_id)


def _export_read(row: ExportRow) -> ExportRead:
    return ExportRead(
        id=row.operation_id,
        subject=Subject(type=row.subject_type, id=row.subject_id),
        size_bytes=row.size_bytes,
        sha256=row.sha256,
        created_at=row.created_at,
        expires_at=row.expires_at,
    )


@exports.get("/{export_id}/content", responses=problem_responses(404), operation_id="read_export_content")
async def read_export_content(
    export_id: Annotated[str, Path(pattern=ID_PATTERN, description="Id of the operation that made it.")],
    request: Request,
    caller: Caller,
    database: DatabaseDependency,
    links: ContentLinksDependency,
    actor: ActorDependency,
) -> ContentLink:
    """A signed link to the archive; it works for ten minutes, for whoever has it."""
    missing = NotFoundError(
        f"There is no export {export_id} to be had: it has not ended (GET /api/v1/operations/{export_id}), its time "
        "is over, or it is somebody else's. Export anew."
    )
    async with database.transaction(caller.organisation_id) as session:
        row = await ExportRepository(session, caller.organisation_id).get(export_id)
        if row is None or not _may_dispose(caller, row.subject_id):
            raise missing
        name = f"perdure-{row.subject_id}-{row.created_at:%Y-%m-%d}.zip"
        key = archive_key(caller.organisation_id, export_id)
        link = await links.create(key, name, "application/zip", str(request.base_url))
        await AuditTrail(session, caller.organisation_id).record(
            Action.EXPORT_DOWNLOADED,
            actor,
            subject=Subject(type=row.subject_type, id=row.subject_id),
            details={"operation_id": export_id},
        )
    return link


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
    operation = answer(response, await operations.accept(caller, key, sha256, build, counts=False))
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
    operation = answer(response, await operations.accept(caller, key, sha256, build, counts=False))
    receipt_url = receipts.address(caller.organisation_id, operation.id, str(request.base_url))
    return ErasureStarted(**operation.model_dump(), receipt_url=receipt_url)


@erasures.get("/{token}", responses=problem_responses(404), operation_id="read_erasure_receipt")
async def read_erasure_receipt(
    token: Annotated[str, Path(max_length=1024)], receipts: ReceiptsDependency
) -> ReceiptRead:
    """What became of an erasure: its receipt, which stays when everything else is gone."""
    return await receipts.read(token)
