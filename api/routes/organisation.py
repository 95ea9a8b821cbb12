"""The caller's own organisation."""

from typing import Annotated

from fastapi import APIRouter

from api.actors import ActorDependency
from api.dependencies import Caller, DatabaseDependency, Principal, require
from api.logins import organisation_read
from api.problems import problem_responses
from perdure.db.audit_trail import AuditTrail
from perdure.db.identity_repository import IdentityRepository
from perdure.domain.audit import Action
from perdure.errors import NotFoundError
from perdure.schemas.auth import OrganisationRead, OrganisationUpdate
from perdure.schemas.operations import Subject

router = APIRouter(prefix="/api/v1/organisation", tags=["organisation"])


@router.get("", responses=problem_responses(404), operation_id="read_organisation")
async def read_organisation(caller: Caller, database: DatabaseDependency) -> OrganisationRead:
    """Read it."""
    async with database.transaction(caller.organisation_id) as session:
        row = await IdentityRepository(session).organisation(caller.organisation_id)
    if row is None:
        raise NotFoundError("The organisation has been deleted.")
    return organisation_read(row)


@router.patch("", responses=problem_responses(404), operation_id="update_organisation")
async def update_organisation(
    body: OrganisationUpdate,
    caller: Annotated[Principal, require("organisation:write")],
    database: DatabaseDependency,
    actor: ActorDependency,
) -> OrganisationRead:
    """Rename it."""
    async with database.transaction(caller.organisation_id) as session:
        row = await IdentityRepository(session).rename_organisation(caller.organisation_id, body.name)
        await AuditTrail(session, caller.organisation_id).record(
            Action.ORGANISATION_RENAMED,
            actor,
            subject=Subject(type="organisation", id=caller.organisation_id),
        )
    if row is None:
        raise NotFoundError("The organisation has been deleted.")
    return organisation_read(row)
