"""For how long the caller's organisation keeps each kind of data."""

from typing import Annotated

from fastapi import APIRouter

from api.actors import ActorDependency
from api.dependencies import DatabaseDependency, Principal, require
from api.problems import problem_responses
from perdure.db.audit_trail import AuditTrail
from perdure.db.retention_repository import RetentionRepository
from perdure.domain.audit import Action
from perdure.domain.retention import RETENTION, Rules
from perdure.schemas.operations import Subject
from perdure.schemas.retention import RetentionRead, RetentionRuleRead, RetentionUpdate

router = APIRouter(prefix="/api/v1/organisation/retention", tags=["privacy"])

Admin = Annotated[Principal, require("organisation:write")]


def _read(rules: Rules) -> RetentionRead:
    return RetentionRead(
        rules=[
            RetentionRuleRead(
                kind=kind,
                days=rules.days(kind),
                default_days=retention.default_days,
                least_days=retention.least_days,
                most_days=retention.most_days,
                covers=retention.covers,
            )
            for kind, retention in RETENTION.items()
        ]
    )


@router.get("", responses=problem_responses(), operation_id="read_retention")
async def read_retention(caller: Admin, database: DatabaseDependency) -> RetentionRead:
    """For how long each kind of data is kept; what is older is deleted once a day."""
    async with database.transaction(caller.organisation_id) as session:
        return _read(await RetentionRepository(session, caller.organisation_id).rules())


@router.patch("", responses=problem_responses(), operation_id="update_retention")
async def update_retention(
    body: RetentionUpdate, caller: Admin, database: DatabaseDependency, actor: ActorDependency
) -> RetentionRead:
    """Choose for some kinds. What is too old by then goes with the next round, and nothing brings it back."""
    for kind, days in body.rules.items():
        RETENTION[kind].check(kind, days)
    async with database.transaction(caller.organisation_id) as session:
        retention = RetentionRepository(session, caller.organisation_id)
        before = await retention.rules()
        await retention.change(body.rules)
        rules = await retention.rules()
        changes = {
            kind.value: {"from": before.days(kind), "to": rules.days(kind)}
            for kind in body.rules
            if before.days(kind) != rules.days(kind)
        }
        if changes:
            await AuditTrail(session, caller.organisation_id).record(
                Action.RETENTION_CHANGED,
                actor,
                subject=Subject(type="organisation", id=caller.organisation_id),
                details=changes,
            )
    return _read(rules)
