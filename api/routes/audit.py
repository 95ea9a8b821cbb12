"""`/api/v1/audit`: who did what, and the proof that nobody changed it since."""

import json
from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from pydantic import AwareDatetime

from api.dependencies import AnchorsDependency, DatabaseDependency, Principal, require
from api.pagination import PageRequest, paginate
from api.problems import problem_responses
from perdure.audit_anchors import AuditAnchors
from perdure.audit_verification import snapshot, verify_trail
from perdure.db.audit_trail import PAGE, AuditFilter, AuditTrail
from perdure.db.session import Database
from perdure.domain.audit import Action, ChainedEvent, Verdict, instant_of
from perdure.schemas.audit import AuditActorRead, AuditEventRead, AuditFaultRead, AuditVerdictRead
from perdure.schemas.base import Page
from perdure.schemas.operations import Subject

router = APIRouter(prefix="/api/v1/audit", tags=["audit"], responses=problem_responses())

Reader = Annotated[Principal, require("audit:read")]
_ID = r"^[^\x00]{1,200}$"
EXPORT_MEDIA_TYPE = "application/x-ndjson"


def _details(text: str) -> dict[str, Any] | None:
    """What was recorded; a row that somebody changed must not keep the others from being shown."""
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def event_read(stored: ChainedEvent, address: str | None) -> AuditEventRead:
    """An event as the API shows it."""
    row = stored.event
    has_subject = row.subject_type is not None and row.subject_id is not None
    return AuditEventRead(
        sequence=row.sequence,
        at=instant_of(row.at_us),
        action=row.action,
        actor=AuditActorRead(kind=row.actor_kind, id=row.actor_id, user_id=row.person_id, address=address),
        subject=Subject(type=str(row.subject_type), id=str(row.subject_id)) if has_subject else None,
        request_id=row.request_id,
        details=_details(row.details),
        previous_hash=row.previous_hash,
        hash=stored.hash,
    )


async def read_events(
    database: Database, organisation_id: str, wanted: AuditFilter, *, before: int | None, limit: int
) -> Sequence[AuditEventRead]:
    """Events, newest first, with the addresses that can still be opened."""
    async with database.transaction(organisation_id) as session:
        trail = AuditTrail(session, organisation_id)
        events = await trail.list(wanted, before=before, limit=limit)
        addresses = await trail.addresses([stored.event for stored in events])
    return [event_read(stored, addresses.get(stored.event.sequence)) for stored in events]


@router.get("", operation_id="list_audit_events")
async def list_audit_events(
    caller: Reader,
    database: DatabaseDependency,
    page: PageRequest,
    action: Annotated[Action | None, Query()] = None,
    actor: Annotated[
        str | None, Query(pattern=_ID, description="Id of a user, whose API keys count too, or of a key.")
    ] = None,
    subject: Annotated[str | None, Query(pattern=_ID, description="Id of what it happened to.")] = None,
    since: Annotated[
        AwareDatetime | None, Query(alias="from", description="Not before this instant.")
    ] = None,
    until: Annotated[AwareDatetime | None, Query(alias="to", description="Before this instant.")] = None,
) -> Page[AuditEventRead]:
    """Events of the organisation, newest first."""
    wanted = AuditFilter(action.value if action else None, actor, subject, since, until)
    events = await read_events(
        database, caller.organisation_id, wanted, before=page.after_number(), limit=page.limit + 1
    )
    return paginate(events, page, read=lambda event: event, key=lambda event: event.sequence)


def verdict_read(verdict: Verdict) -> AuditVerdictRead:
    """A verdict as the API shows it."""
    return AuditVerdictRead(
        organisation_id=verdict.organisation_id,
        sound=verdict.is_sound,
        event_count=verdict.event_count,
        last_sequence=verdict.last_sequence,
        last_hash=verdict.last_hash,
        anchored_sequence=verdict.anchored_sequence,
        fault_count=verdict.fault_count,
        faults=[
            AuditFaultRead(kind=fault.kind.value, sequence=fault.sequence, detail=fault.detail)
            for fault in verdict.faults
        ],
    )


async def verify(database: Database, anchors: AuditAnchors, organisation_id: str) -> AuditVerdictRead:
    """Go through the organisation's trail."""
    return verdict_read(await verify_trail(database.transaction, anchors, organisation_id))


@router.get("/verify", operation_id="verify_audit_trail")
async def verify_audit_trail(
    caller: Reader, database: DatabaseDependency, anchors: AnchorsDependency
) -> AuditVerdictRead:
    """Hold the whole trail against its hashes, its head and the anchors that are kept outside of the database."""
    return await verify(database, anchors, caller.organisation_id)


def exported_line(stored: ChainedEvent) -> str:
    """An event as it is stored, as JSON: all that its hash covers, and the hash."""
    fields = {**stored.event.__dict__, "hash": stored.hash}
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")) + "\n"


@router.get(
    "/export",
    operation_id="export_audit_trail",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "One JSON object a line, in the order of the chain, with all that its hash covers.",
            "content": {EXPORT_MEDIA_TYPE: {"schema": {"type": "string"}}},
        }
    },
)
async def export_audit_trail(caller: Reader, database: DatabaseDependency) -> StreamingResponse:
    """The whole trail as it is stored, for verification elsewhere."""

    async def lines() -> AsyncIterator[str]:
        async with database.transaction(None) as session:
            trail = await snapshot(session, caller.organisation_id)
            after: int | None = None
            while True:
                page = await trail.page(after)
                yield "".join(map(exported_line, page))
                if len(page) < PAGE:
                    return
                after = page[-1].event.sequence

    return StreamingResponse(
        lines(),
        media_type=EXPORT_MEDIA_TYPE,
        headers={"Content-Disposition": f'attachment; filename="audit-{caller.organisation_id}.jsonl"'},
    )
