"""Rotation of the keys that encrypt what the caller's organisation keeps secret."""

from typing import Annotated

from fastapi import APIRouter, Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from api.actors import ActorDependency
from api.dependencies import OperationsDependency, Principal, require
from api.idempotency import IdempotencyKey, fingerprint
from api.routes.documents import ACCEPTED, answer
from perdure.db.audit_trail import AuditTrail
from perdure.db.models import OperationRow
from perdure.db.operation_repository import OperationRepository
from perdure.domain.audit import Action
from perdure.schemas.operations import OperationRead, Subject

router = APIRouter(prefix="/api/v1/keys", tags=["encryption"])

Owner = Annotated[Principal, require("encryption:rotate")]


@router.post("/rotation", **ACCEPTED, operation_id="rotate_keys")
async def rotate_keys(
    request: Request,
    response: Response,
    caller: Owner,
    key: IdempotencyKey,
    operations: OperationsDependency,
    actor: ActorDependency,
) -> OperationRead:
    """Make a new data key for the organisation and encrypt its secrets with it; they stay readable all the time."""

    async def build(session: AsyncSession, operation_id: str) -> OperationRow:
        subject = Subject(type="organisation", id=caller.organisation_id)
        row = await OperationRepository(session).create(
            organisation_id=caller.organisation_id,
            actor_id=caller.actor_id,
            kind="rotate_keys",
            summary="Rotate the organisation's keys",
            subject=subject,
            input={},
            operation_id=operation_id,
        )
        await AuditTrail(session, caller.organisation_id).record(
            Action.KEY_ROTATION_REQUESTED, actor, subject=subject, details={"operation_id": operation_id}
        )
        return row

    sha256 = fingerprint(request.method, request.url.path, None)
    return answer(response, await operations.accept(caller, key, sha256, build, counts=False))
