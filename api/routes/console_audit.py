"""Console: the audit trail, and a button that verifies it."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import Response

from api.dependencies import AnchorsDependency, Principal, require
from api.pagination import decode_cursor, encode_cursor
from api.routes.audit import read_events, verify
from api.routes.console_pages import PAGE_SIZE, ConsoleRoute, Pages, Shown, number_cursor, query_string
from api.routes.console_words import words
from perdure.db.audit_trail import AuditFilter
from perdure.domain.audit import Action, ActorKind
from perdure.schemas.audit import AuditEventRead, AuditVerdictRead

router = APIRouter(prefix="/settings/audit", route_class=ConsoleRoute, include_in_schema=False)

Reader = Annotated[Principal, require("audit:read")]
_ID = Query(max_length=200, pattern=r"^[^\x00]*$")
_ACTORS = {ActorKind.SYSTEM: "Perdure", ActorKind.ANONYMOUS: "Somebody", ActorKind.API_KEY: "API key"}


def _action_label(action: str) -> str:
    return words(action.replace(".", " "))


def _date(text: str) -> datetime | None:
    """The beginning of a day that a date field sent; what is no date filters nothing."""
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError:
        return None


def _who(event: AuditEventRead, names: dict[str, str]) -> str:
    name = names.get(event.actor.user_id or "")
    label = (
        _ACTORS.get(ActorKind(event.actor.kind)) if event.actor.kind in set(ActorKind) else event.actor.kind
    )
    if label is None:
        return name or "A former member"
    return f"{label} of {name}" if name and event.actor.kind == ActorKind.API_KEY else label


async def _page(
    pages: Pages,
    caller: Principal,
    wanted: AuditFilter,
    shown: dict[str, str],
    *,
    before: int | None,
    verdict: AuditVerdictRead | None = None,
) -> Response:
    events = list(
        await read_events(pages.database, caller.organisation_id, wanted, before=before, limit=PAGE_SIZE + 1)
    )
    following = encode_cursor(events[PAGE_SIZE - 1].sequence) if len(events) > PAGE_SIZE else ""
    events = events[:PAGE_SIZE]
    people = {event.subject.id for event in events if event.subject and event.subject.type == "user"}
    names = await pages.names(caller, people | {event.actor.user_id for event in events})
    context: dict[str, Any] = {
        "events": [
            {
                "event": event,
                "label": _action_label(event.action),
                "who": _who(event, names),
                "subject_name": names.get(event.subject.id) if event.subject else None,
                "details": ", ".join(f"{key}: {value}" for key, value in (event.details or {}).items()),
            }
            for event in events
        ],
        "actions": [(action.value, _action_label(action.value)) for action in Action],
        "shown": shown,
        "first_url": "/settings/audit" + query_string(**shown),
        "next_url": "/settings/audit" + query_string(**shown, cursor=following) if following else None,
        "is_first_page": before is None,
        "is_filtered": any(shown.values()),
        "verdict": verdict,
    }
    return await pages.inside("settings_audit.html", caller, "audit", **context)


@router.get("")
async def show_audit(
    *,
    pages: Shown,
    caller: Reader,
    action: str = "",
    actor: Annotated[str, _ID] = "",
    subject: Annotated[str, _ID] = "",
    since: Annotated[str, Query(max_length=32)] = "",
    until: Annotated[str, Query(max_length=32)] = "",
    cursor: Annotated[str, Query(max_length=512)] = "",
) -> Response:
    """The trail, newest first."""
    known = action if action in set(Action) else ""
    wanted = AuditFilter(known or None, actor or None, subject or None, _date(since), _date(until))
    shown = {"action": known, "actor": actor, "subject": subject, "since": since, "until": until}
    return await _page(pages, caller, wanted, shown, before=_before(cursor))


def _before(cursor: str) -> int | None:
    if not cursor:
        return None
    decode_cursor(cursor)
    return number_cursor(cursor)


@router.get("/verification")
async def show_verification(pages: Shown, caller: Reader, anchors: AnchorsDependency) -> Response:
    """The trail, with what became of verifying it."""
    verdict = await verify(pages.database, anchors, caller.organisation_id)
    shown = dict.fromkeys(("action", "actor", "subject", "since", "until"), "")
    return await _page(pages, caller, AuditFilter(), shown, before=None, verdict=verdict)
