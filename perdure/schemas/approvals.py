"""Approvals as JSON: states and events of the engine as they are, and what the simulator is asked and answers."""

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from perdure.domain.approval_effects import Effect, Outcome
from perdure.domain.approval_events import Event, Opened
from perdure.domain.approval_policies import parse_policy
from perdure.domain.approval_refusals import Refusal
from perdure.domain.approval_simulation import Simulation, TimedEvent, simulate
from perdure.domain.approval_state import ApprovalState, Closing, Status
from perdure.domain.json_objects import Faults, escaped
from perdure.schemas.base import Contract, GivenInstant, Instant, RequestBody, Sha256

_STATE = TypeAdapter(ApprovalState)
_EVENT: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="kind")])
_EFFECT: TypeAdapter[Effect] = TypeAdapter(Annotated[Effect, Field(discriminator="kind")])
MAX_EVENTS = 1_000


def state_json(state: ApprovalState) -> dict[str, Any]:
    """A state as JSON holds it."""
    held: dict[str, Any] = _STATE.dump_python(state, mode="json")
    return held


def state_of(held: object) -> ApprovalState:
    """The state again, unchanged."""
    return _STATE.validate_python(held)


def effect_json(effect: Effect) -> dict[str, Any]:
    """An effect as JSON holds it."""
    held: dict[str, Any] = _EFFECT.dump_python(effect, mode="json")
    return held


def event_json(event: Event) -> dict[str, Any]:
    """An event as JSON holds it."""
    held: dict[str, Any] = _EVENT.dump_python(event, mode="json")
    return held


def event_of(held: object, pointer: str = "", faults: Faults | None = None) -> Event | None:
    """The event again. Faults are noted with their places, or raised when nobody collects them."""
    noted = Faults() if faults is None else faults
    try:
        return _EVENT.validate_python(held)
    except ValidationError as error:
        for fault in error.errors(include_url=False, include_input=False, include_context=False):
            # The first part names the kind of event, which no pointer has.
            places = "".join(f"/{escaped(str(part))}" for part in fault["loc"][1:])
            noted.add(f"{pointer}{places}", fault["msg"])
    if faults is None:
        noted.raise_for("event")
    return None


class SimulationCreate(RequestBody):
    """A policy, who asks, and what people would do when."""

    policy: dict[str, Any] = Field(description="The approval policy to try.")
    requester: str = Field(default="user:requester", max_length=254, description="Who asks.")
    authors: list[str] = Field(default=[], max_length=100, description="Who wrote the document.")
    roles: dict[str, list[str]] = Field(
        default={}, max_length=100, description="Who has which role, as `user:…` or `email:…`."
    )
    revision: Sha256 = Field(default="0" * 64, description="SHA-256 of what is shown at first.")
    starts_at: GivenInstant | None = Field(default=None, description="When it is asked; now, if missing.")
    events: list[dict[str, Any]] = Field(
        default=[],
        max_length=MAX_EVENTS,
        description='What people do: `{"at": …, "kind": "decided", "by": "user:…", "decision": "approve"}`. '
        "A key may be missing, and so may the revision: then it is the one that is shown.",
    )
    until: GivenInstant | None = Field(
        default=None, description="Up to when; to the last deadline, if missing."
    )


class SimulatedMoment(Contract):
    """What happens at a time."""

    at: Instant
    event: dict[str, Any] = Field(description="What was told; a timer is told, too.")
    accepted: bool
    refusal: Refusal | None = Field(description="Why it was refused.")
    detail: str
    effects: list[dict[str, Any]] = Field(description="What would be done.")
    status: Status
    stage: str


class SimulatedAsked(Contract):
    """Who would still be asked."""

    stage: str
    seat: str | None
    people: list[str]
    delegates: list[str]
    stands_in: bool = Field(description="They decide for all who are silent.")


class SimulationRead(Contract):
    """What would come of it."""

    timeline: list[SimulatedMoment]
    status: Status
    outcome: Outcome | None
    reason: Closing | None
    ends_at: Instant | None = Field(description="When it would end; null when it would not.")
    asked: list[SimulatedAsked]


def simulated(request: SimulationCreate, now: datetime, pointer: str = "/body") -> SimulationRead:
    """Play a request; InvalidInputError names every fault of the policy or of the events."""
    policy = parse_policy(request.policy, f"{pointer}/policy")
    faults = Faults()
    told: list[TimedEvent | None] = []
    shown: object = request.revision
    for index, given in enumerate(request.events):
        told.append(_timed(given, index, shown, f"{pointer}/events/{index}", faults))
        if given.get("kind") == "revised":
            shown = given.get("revision")
    faults.raise_for("simulation")
    opened = Opened(
        key="opened",
        requester=request.requester,
        authors=tuple(request.authors),
        revision=request.revision,
        roles={role: tuple(members) for role, members in request.roles.items()},
    )
    starts_at = (request.starts_at or now).astimezone(UTC)
    events = [event for event in told if event is not None]
    return _read(simulate(policy, opened, starts_at, events, request.until))


_AT = TypeAdapter(GivenInstant)


def _timed(
    given: dict[str, Any], index: int, revision: object, pointer: str, faults: Faults
) -> TimedEvent | None:
    at: datetime | None = None
    try:
        at = _AT.validate_python(given.get("at"))
    except ValidationError:
        faults.add(f"{pointer}/at", "must be a date and time such as 2025-03-31T12:00:00Z")
    defaults = {"key": f"event-{index}", "revision": revision}
    event = event_of({**defaults, **given}, pointer, faults)
    return None if at is None or event is None else TimedEvent(at, event)


def _read(simulation: Simulation) -> SimulationRead:
    state = simulation.state
    ends = (
        moment.at for moment in simulation.timeline for effect in moment.effects if effect.kind == "complete"
    )
    return SimulationRead(
        timeline=[
            SimulatedMoment(
                at=moment.at,
                event=event_json(moment.event),
                accepted=moment.answer.accepted,
                refusal=moment.answer.refusal,
                detail=moment.answer.detail,
                effects=[effect_json(effect) for effect in moment.effects],
                status=moment.status,
                stage=moment.stage,
            )
            for moment in simulation.timeline
        ],
        status=state.status,
        outcome=state.outcome,
        reason=state.closed_by,
        ends_at=next(ends, None),
        asked=[
            SimulatedAsked(
                stage=one.stage,
                seat=one.seat,
                people=list(one.people),
                delegates=list(one.delegates),
                stands_in=one.stands_in,
            )
            for one in simulation.asked
        ],
    )
