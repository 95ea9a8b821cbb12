"""Console: build an approval policy, as a form and as JSON side by side, and see what would come of it."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from api.dependencies import Principal, require
from api.routes.console_approval_people import People, people_of
from api.routes.console_approval_policy_form import (
    FIELD_TYPES,
    START,
    Json,
    PolicyFields,
    field_place,
    fields_of,
    place_id,
    placed,
    places_of,
    policy_from,
    policy_of,
    policy_text,
    rearranged,
)
from api.routes.console_approval_simulation import (
    DEEDS,
    SimulationFields,
    Timeline,
    play,
    rearranged_events,
    simulation_fields,
)
from api.routes.console_approval_words import ON_REVISION, ON_TIMEOUT, RULES, stage_names, stage_sentences
from api.routes.console_classification_forms import FormError
from api.routes.console_pages import ConsoleRoute, Shown, is_partial
from perdure.domain.approval_policies import ApprovalPolicy, read_policy
from perdure.domain.business_calendar import WEEKDAYS
from perdure.domain.json_objects import Faults
from perdure.domain.roles import Role, Scope

router = APIRouter(prefix="/approvals/policies", route_class=ConsoleRoute, include_in_schema=False)

Reader = Annotated[Principal, require("approvals:read")]

DAY_NAMES = dict(
    zip(
        WEEKDAYS,
        ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
        strict=True,
    )
)


@dataclass(frozen=True)
class Draft:
    """A policy while it is made. `text` is the JSON as it was typed, when that cannot be read."""

    policy: Json
    fields: PolicyFields
    simulation: SimulationFields
    text: str | None = None
    fault: str | None = None


def drafted(given: dict[str, str], people: People) -> Draft:
    """What stands in the form, after what was pressed."""
    action = given.get("do", "")
    simulation = rearranged_events(simulation_fields(given), action)
    try:
        base = policy_from(given["base"]) if given.get("base") else START
        fields_of(base, people)
    except FormError:
        base = START
    policy = policy_of(given, base, people) if "stages-0-id" in given else base
    if action == "read":
        text = given.get("json", "")
        try:
            read = policy_from(text)
            return Draft(read, fields_of(read, people), simulation)
        except FormError as error:
            return Draft(policy, fields_of(policy, people), simulation, text, str(error))
    policy = rearranged(policy, action)
    return Draft(policy, fields_of(policy, people), simulation)


def builder_context(draft: Draft, people: People, now: datetime) -> dict[str, Any]:
    """What the templates of the builder are given."""
    faults = Faults()
    policy: ApprovalPolicy | None = read_policy(draft.policy, "", faults, [role.value for role in Role])
    timeline: Timeline | None = None
    event_faults: dict[int, str] = {}
    unplayed = ""
    if len(faults) == 0 and policy is not None:
        try:
            timeline, event_faults = play(policy, draft.simulation, people, now)
        except OverflowError:
            unplayed = "This leads beyond the years that a calendar has: begin nearer to now."
    else:
        policy = None
    places = places_of(draft.fields)
    return {
        "fields": draft.fields,
        "simulation": draft.simulation,
        "base": policy_text(draft.policy),
        "json": draft.text if draft.text is not None else policy_text(draft.policy),
        "json_fault": draft.fault,
        "faults": list(faults),
        "fault_anchors": [place_id(_nearest(fault.pointer, places)) for fault in faults],
        "placed": placed(faults, places),
        "place_id": place_id,
        "field_place": field_place,
        "places": places,
        "sentences": _sentences(policy, people) if policy else [],
        "timeline": timeline,
        "event_faults": event_faults,
        "unplayed": unplayed,
        "offers": people.offers,
        "rules": RULES,
        "on_timeout": ON_TIMEOUT,
        "on_revision": ON_REVISION,
        "deeds": DEEDS,
        "field_types": FIELD_TYPES,
        "weekdays": DAY_NAMES,
    }


def _nearest(pointer: str, places: list[str]) -> str:
    while pointer and pointer not in places:
        pointer = pointer.rpartition("/")[0]
    return pointer


def _sentences(policy: ApprovalPolicy, people: People) -> list[tuple[str, list[str]]]:
    names = stage_names(policy)
    return [(names[stage.id], stage_sentences(stage, people)) for stage in policy.stages]


@router.get("")
async def show_builder(pages: Shown, caller: Reader) -> Response:
    """The builder, with a policy to begin from."""
    people = await people_of(pages.database, caller.organisation_id)
    draft = Draft(START, fields_of(START, people), SimulationFields())
    context = await asyncio.to_thread(builder_context, draft, people, datetime.now(UTC))
    context["may_ask"] = Scope.APPROVALS_REQUEST in caller.scopes
    return await pages.inside("approval_policy.html", caller, "approvals", tab="policies", **context)


@router.post("")
async def build(request: Request, pages: Shown, caller: Reader) -> Response:
    """Take what was typed or pressed; htmx is answered with what changes."""
    form = await request.form()
    given = {name: str(value) for name, value in form.multi_items()}
    people = await people_of(pages.database, caller.organisation_id)

    def worked_out() -> dict[str, Any]:
        return builder_context(drafted(given, people), people, datetime.now(UTC))

    context = await asyncio.to_thread(worked_out)
    context["may_ask"] = Scope.APPROVALS_REQUEST in caller.scopes
    template = "approval_policy.html"
    if is_partial(request):
        whole = bool(given.get("do"))
        template = f"partials/approval_policy_{'builder' if whole else 'answer'}.html"
    return await pages.inside(template, caller, "approvals", tab="policies", **context)
