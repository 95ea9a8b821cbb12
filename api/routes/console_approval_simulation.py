"""What would come of a policy, for the policy builder: who does what when as rows, and the timeline of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from api.routes.console_approval_people import People
from api.routes.console_approval_words import (
    CLOSINGS,
    OUTCOME_LOOKS,
    Happening,
    Line,
    line_of,
    stage_names,
    time_since,
    wall_clock,
)
from api.routes.console_words import Look
from perdure.domain.approval_effects import Record
from perdure.domain.approval_events import (
    Cancelled,
    CancelReason,
    Decided,
    Decision,
    Event,
    Opened,
    Revised,
    Revoked,
)
from perdure.domain.approval_policies import ApprovalPolicy
from perdure.domain.approval_simulation import Simulation, TimedEvent, simulate
from perdure.domain.approvals import Asked
from perdure.domain.business_calendar import after, parse_span

MOST_EVENTS = 50
MOST_LINES = 200
REQUESTER = "user:requester"
_REVISION = "0" * 64
# What somebody can do in a simulation.
DEEDS: Mapping[str, str] = {
    Decision.APPROVE.value: "approves",
    Decision.REJECT.value: "rejects",
    Decision.REQUEST_CHANGES.value: "asks for changes",
    Decision.ABSTAIN.value: "abstains",
    "revoke": "takes the decision back",
    "revise": "makes a new revision",
    "withdraw": "withdraws the request",
}


@dataclass(frozen=True)
class EventFields:
    """A row: after which time who does what."""

    after: str = "1 hour"
    who: str = ""
    what: str = Decision.APPROVE.value


@dataclass(frozen=True)
class SimulationFields:
    """What is simulated."""

    starts_at: str = ""
    events: Sequence[EventFields] = ()


@dataclass(frozen=True)
class Timeline:
    """What would happen."""

    lines: Sequence[Line]
    look: Look
    said: str
    time_zone: str
    is_cut: bool = False
    asked: str = ""


def simulation_fields(given: Mapping[str, str]) -> SimulationFields:
    """What stands in the form."""
    events: list[EventFields] = []
    while len(events) < MOST_EVENTS and f"events-{len(events)}-after" in given:
        at = f"events-{len(events)}"
        events.append(
            EventFields(given[f"{at}-after"], given.get(f"{at}-who", ""), given.get(f"{at}-what", ""))
        )
    return SimulationFields(given.get("starts_at", ""), events)


def rearranged_events(fields: SimulationFields, action: str) -> SimulationFields:
    """Add or take away a row."""
    what, _, place = action.partition(":")
    events = list(fields.events)
    if what == "event-add" and len(events) < MOST_EVENTS:
        events.append(EventFields(after="1 day") if events else EventFields())
    elif what == "event-remove" and place.isascii() and place.isdigit() and int(place) < len(events):
        events.pop(int(place))
    return replace(fields, events=events)


def play(
    policy: ApprovalPolicy, fields: SimulationFields, people: People, now: datetime
) -> tuple[Timeline | None, dict[int, str]]:
    """Play a request, or say by row what cannot be understood. Comments and forms count as filled in."""
    time_zone = policy.calendar.time_zone if policy.calendar else "UTC"
    starts_at = start_of(fields.starts_at, time_zone, now)
    bare = replace(policy, stages=tuple(replace(stage, form=None) for stage in policy.stages))
    faults: dict[int, str] = {}
    told: list[TimedEvent] = []
    revision = _REVISION
    for at, index, row in _in_time(bare, fields, starts_at, faults):
        event = _event_of(row, index, revision, bare, people)
        if event is None:
            faults[index] = "Name one person: an address, or a member by name."
            continue
        revision = event.revision if isinstance(event, Revised) else revision
        told.append(TimedEvent(at, event))
    if faults:
        return None, faults
    opened = Opened(
        key="opened",
        requester=REQUESTER,
        revision=_REVISION,
        roles=people.roles,
        addresses=people.addresses,
    )
    return _timeline(bare, simulate(bare, opened, starts_at, told), people, starts_at, time_zone), {}


def start_of(text: str, time_zone: str, now: datetime) -> datetime:
    """When it begins: by the clock on the wall there, or now."""
    try:
        given = datetime.fromisoformat(text)
        local = given if given.tzinfo else given.replace(tzinfo=ZoneInfo(time_zone))
        if 2000 <= local.year <= 2200:
            return local.astimezone(UTC)
    except ValueError:
        pass
    return now.astimezone(UTC).replace(second=0, microsecond=0)


def _in_time(
    policy: ApprovalPolicy, fields: SimulationFields, starts_at: datetime, faults: dict[int, str]
) -> list[tuple[datetime, int, EventFields]]:
    found = []
    for index, row in enumerate(fields.events):
        span = parse_span(row.after.strip())
        if span is None or (span.business and policy.calendar is None):
            faults[index] = "Say after how long: 90 minutes, 3 days, 2 business days with a calendar."
        else:
            found.append((after(policy.calendar, starts_at, span), index, row))
    return sorted(found, key=lambda one: (one[0], one[1]))


def _event_of(
    row: EventFields, index: int, revision: str, policy: ApprovalPolicy, people: People
) -> Event | None:
    by = REQUESTER if row.who.strip().lower() in {"requester", REQUESTER} else people.person(row.who)
    key = f"event-{index}"
    if row.what == "revise":
        return Revised(key=key, by=by or REQUESTER, revision=f"{index + 1:064x}")
    if row.what == "withdraw":
        return Cancelled(key=key, by=by or REQUESTER, reason=CancelReason.WITHDRAWN)
    if by is None:
        return None
    if row.what == "revoke":
        return Revoked(key=key, by=by)
    if row.what not in set(Decision):
        return None
    comment = "Simulated. ".ljust(policy.least_comment, ".")
    return Decided(key=key, by=by, decision=Decision(row.what), revision=revision, comment=comment)


def _timeline(
    policy: ApprovalPolicy, played: Simulation, people: People, starts_at: datetime, time_zone: str
) -> Timeline:
    names = stage_names(policy)
    records = [
        effect for moment in played.timeline for effect in moment.effects if isinstance(effect, Record)
    ]
    lines = [
        replace(
            line_of(happening_of(record), people, names),
            comment="",
            clock=wall_clock(record.at, time_zone),
            since=time_since(starts_at, record.at),
        )
        for record in records[:MOST_LINES]
    ]
    state = played.state
    if state.outcome is not None:
        why = CLOSINGS[state.closed_by] if state.closed_by else ""
        said = f"{OUTCOME_LOOKS[state.outcome].label} {time_since(starts_at, state.at)}: {why}."
        return Timeline(lines, OUTCOME_LOOKS[state.outcome], said, time_zone, len(records) > MOST_LINES)
    waits = Look("Waits", "hand", "violet")
    said = "It waits: nothing more happens by itself."
    return Timeline(
        lines, waits, said, time_zone, len(records) > MOST_LINES, asked_words(played.asked, people)
    )


def happening_of(record: Record) -> Happening:
    """A record of the engine."""
    return Happening(
        record.entry.value,
        record.at,
        record.by,
        record.on_behalf_of,
        record.stage,
        record.code,
        record.people,
        record.comment,
    )


def asked_words(asked: Sequence[Asked], people: People) -> str:
    """Who would have to answer."""
    named = dict.fromkeys(person for one in asked for person in (*one.people, *one.delegates))
    return people.names(named)
