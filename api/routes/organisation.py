"""The caller's own organisation."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter

from api.actors import ActorDependency
from api.dependencies import Caller, DatabaseDependency, Principal, require
from api.logins import organisation_read
from api.problems import problem_responses
from perdure.db.audit_trail import AuditTrail
from perdure.db.identity_repository import IdentityRepository
from perdure.db.quota_repository import QuotaRepository
from perdure.domain.audit import Action
from perdure.domain.quotas import Quota, day_of
from perdure.errors import NotFoundError
from perdure.schemas.auth import OrganisationRead, OrganisationUpdate, QuotaRead, UsageRead
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


@router.get("/usage", responses=problem_responses(), operation_id="read_usage")
async def read_usage(caller: Caller, database: DatabaseDependency) -> UsageRead:
    """What is used, and how much of it there may be. Above a limit, requests are answered by 429."""
    now = datetime.now(UTC)
    async with database.transaction(caller.organisation_id) as session:
        quotas = QuotaRepository(session, caller.organisation_id)
        limits, used = await quotas.limits(), await quotas.used(Quota, now)
    tomorrow = {Quota.OPERATIONS_PER_DAY: day_of(now)[1]}
    return UsageRead(
        quotas=[
            QuotaRead(name=quota, used=used[quota], limit=limits.get(quota), resets_at=tomorrow.get(quota))
            for quota in Quota
        ]
    )


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
