"""The history of an approval on its page: what the audit trail has about it, as lines."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from api.routes.console_approval_people import People
from api.routes.console_approval_words import Happening, Line, line_of
from api.routes.console_words import words
from perdure.db.approval_effects import traced
from perdure.db.audit_trail import AuditTrail
from perdure.db.session import Database
from perdure.domain.audit import AuditEvent, instant_of
from perdure.schemas.approval_requests import ApprovalRead

# More is in the export.
MOST_LINES = 200
_PREFIX = "approval."


async def history_of(
    database: Database, organisation_id: str, approval: ApprovalRead, people: People
) -> list[Line]:
    """What happened, in the order in which it did."""
    async with database.transaction(organisation_id) as session:
        events = await AuditTrail(session, organisation_id).about([approval.id], limit=MOST_LINES)
    known = {traced(person): person for person in _people_in(approval, people)}
    names = {stage.id: stage.name or words(stage.id) for stage in approval.stages}
    return [line_of(happening_of(event.event, known), people, names) for event in events]


def happening_of(event: AuditEvent, known: dict[str, str]) -> Happening:
    """An event of the trail. `known`: people by what the trail calls them, which addresses cannot be read from."""
    details = json.loads(event.details)

    def person(name: str) -> str | None:
        traced_as = details.get(name)
        return known.get(traced_as, traced_as) if isinstance(traced_as, str) else None

    by = person("by") or (f"user:{event.person_id}" if event.person_id else None)
    people = details.get("people")
    return Happening(
        event.action.removeprefix(_PREFIX),
        instant_of(event.at_us) or datetime.max.replace(tzinfo=UTC),
        by,
        person("on_behalf_of"),
        _text(details.get("stage")),
        _text(details.get("code")),
        [known.get(str(one), str(one)) for one in people] if isinstance(people, list) else (),
    )


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _people_in(approval: ApprovalRead, people: People) -> Sequence[str]:
    """Everybody whom the request may name."""
    found = [approval.requester, *people.addresses.values(), *(f"email:{one}" for one in people.addresses)]
    found += [one.person for one in approval.asked]
    for stage in approval.stages:
        found += stage.escalated_to
        for seat in stage.seats:
            found += [seat.principal, *seat.people]
            if seat.vote is not None:
                found += [seat.vote.by, seat.vote.on_behalf_of or seat.vote.by]
    for one in approval.delegations:
        found += [one.by, one.to]
    return found
