"""An approval policy as the fields of a form, and back.

What stands in the fields is laid over the policy that the form was made from, so that what the form does not show
stays as it is. What nobody can understand goes into the policy as it was typed: its reader names the fault there.
"""

import json
import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from api.routes.console_approval_people import People
from api.routes.console_classification_forms import FormError
from perdure.domain.approval_policies import Abstentions, OnRevision, OnTimeout, RuleKind, Seats
from perdure.domain.business_calendar import WEEKDAYS
from perdure.domain.json_objects import Faults, escaped
from perdure.errors import FieldError

Json = dict[str, Any]
Given = Mapping[str, str]

MOST_ROWS = 200
MOST_JSON = 200_000

# What a new policy starts from.
START: Json = {
    "stages": [
        {
            "id": "review",
            "name": "Review",
            "approvers": [{"role": "approver"}],
            "rule": "any",
            "due_in": "3 days",
            "reminders": [0.5],
        }
    ]
}
FIELD_TYPES = {
    "text": "Text",
    "choice": "One of some",
    "several": "Some of some",
    "number": "Number",
    "integer": "Whole number",
    "boolean": "Yes or no",
}
_BOUNDS = ("minLength", "maxLength", "minimum", "maximum", "minItems", "maxItems", "format", "default")
_PERCENT = re.compile(r"(\d{1,3}(?:\.\d{1,2})?) ?%?")
_WHOLE = re.compile(r"-?\d{1,9}")
_NUMBER = re.compile(r"-?\d{1,9}\.\d{1,6}")


@dataclass(frozen=True)
class ApproverFields:
    """An approver as a row."""

    who: str
    weight: str
    is_one_seat: bool
    has_veto: bool
    is_required: bool


@dataclass(frozen=True)
class FormFields:
    """A field that an approver fills in, as a row."""

    name: str
    title: str
    type: str
    choices: str
    is_required: bool


@dataclass(frozen=True)
class StageFields:
    """A stage as the form shows it."""

    id: str
    name: str
    approvers: Sequence[ApproverFields]
    rule: str
    amount: str
    veto: str
    abstentions: str
    may_abstain: bool
    may_request_changes: bool
    due_in: str
    reminders: str
    on_timeout: str
    escalate_to: str
    escalated_due_in: str
    on_escalation_timeout: str
    form: Sequence[FormFields]


@dataclass(frozen=True)
class CalendarFields:
    """Working hours as the form shows them."""

    time_zone: str
    hours: Mapping[str, str]
    holidays: str


@dataclass(frozen=True)
class PolicyFields:
    """A policy as the form shows it."""

    stages: Sequence[StageFields]
    requester: bool
    authors: bool
    earlier_stages: bool
    delegation: bool
    max_depth: str
    max_days: str
    may_reassign: bool
    on_new_revision: str
    revision_due_in: str
    comment_on_approve: bool
    min_characters: str
    calendar: CalendarFields | None


def policy_text(policy: object) -> str:
    """A policy as JSON to look at."""
    return json.dumps(policy, indent=2, ensure_ascii=False)


def policy_from(text: str) -> Json:
    """The policy that a text holds; FormError says where it is no JSON."""
    if len(text) > MOST_JSON:
        raise FormError(f"The JSON has {len(text):,} characters; at most {MOST_JSON:,} are read.")
    try:
        policy = json.loads(text)
    except json.JSONDecodeError as error:
        raise FormError(f"Line {error.lineno}, column {error.colno}: {error.msg}.") from error
    except (ValueError, RecursionError) as error:
        raise FormError(
            "The JSON cannot be read: it nests too deep, or holds a number that is too long."
        ) from error
    if not isinstance(policy, dict):
        raise FormError('A policy is a JSON object, such as {"stages": […]}.')
    return policy


# From a policy to fields


def fields_of(policy: Json, people: People) -> PolicyFields:
    """Show a policy; FormError when some part is of another kind than the form can show."""
    duties = _object(policy, "separation_of_duties")
    delegation = policy.get("delegation")
    rules = {} if isinstance(delegation, bool) or delegation is None else _object(policy, "delegation")
    comments = _object(policy, "comments")
    return PolicyFields(
        stages=[_stage_fields(stage, people) for stage in _objects(policy, "stages")],
        requester=duties.get("requester") is not False,
        authors=duties.get("authors") is not False,
        earlier_stages=duties.get("earlier_stages") is True,
        delegation=delegation is not False and rules.get("allowed") is not False,
        max_depth=_said(rules.get("max_depth", 1)),
        max_days=_said(rules.get("max_days", 90)),
        may_reassign=policy.get("may_reassign") is not False,
        on_new_revision=_said(policy.get("on_new_revision", OnRevision.RE_ASK.value)),
        revision_due_in=_said(policy.get("revision_due_in")),
        comment_on_approve=comments.get("on_approve") is True,
        min_characters=_said(comments.get("min_characters", 1)),
        calendar=_calendar_fields(_object(policy, "calendar"))
        if policy.get("calendar") is not None
        else None,
    )


def _stage_fields(stage: Json, people: People) -> StageFields:
    veto, required = _objects(stage, "veto"), _objects(stage, "required")
    approvers = _objects(stage, "approvers")
    named = [_principal_of(one) for one in approvers]
    kind, amount = _rule_fields(stage.get("rule"))
    form = _object(stage, "form")
    properties = {str(name): _plain_object(value) for name, value in _object(form, "properties").items()}
    needed = _list(form, "required")
    return StageFields(
        id=_said(stage.get("id")),
        name=_said(stage.get("name")),
        approvers=[
            ApproverFields(
                people.said(one),
                _said(one.get("weight", 1)),
                one.get("seats") == Seats.ONE.value,
                bool(principal) and principal in veto,
                bool(principal) and principal in required,
            )
            for one, principal in zip(approvers, named, strict=True)
        ],
        rule=kind,
        amount=amount,
        veto=_people_text([one for one in veto if one not in named], people),
        abstentions=_said(stage.get("abstentions", Abstentions.EXCLUDED.value)),
        may_abstain=stage.get("may_abstain") is not False,
        may_request_changes=stage.get("may_request_changes") is not False,
        due_in=_said(stage.get("due_in")),
        reminders=", ".join(_reminder_text(one) for one in _list(stage, "reminders")),
        on_timeout=_said(stage.get("on_timeout", OnTimeout.REJECT.value)),
        escalate_to=_people_text(_objects(stage, "escalate_to"), people),
        escalated_due_in=_said(stage.get("escalated_due_in")),
        on_escalation_timeout=_said(stage.get("on_escalation_timeout", OnTimeout.REJECT.value)),
        form=[_field_fields(name, value, name in needed) for name, value in properties.items()],
    )


def _field_fields(name: str, given: Json, is_required: bool) -> FormFields:
    choices = _choices_of(given)
    kind = _field_type(given)
    return FormFields(name, _said(given.get("title")), kind, ", ".join(map(_said, choices)), is_required)


def _field_type(given: Json) -> str:
    kind = given.get("type")
    if kind == "string":
        return "choice" if given.get("enum") is not None else "text"
    return "several" if kind == "array" else _said(kind)


def _choices_of(given: Json) -> list[Any]:
    holder = _object(given, "items") if given.get("type") == "array" else given
    return _list(holder, "enum")


def _calendar_fields(given: Json) -> CalendarFields:
    hours = _object(given, "hours")
    return CalendarFields(
        _said(given.get("time_zone")),
        {day: ", ".join(map(_said, _list(hours, day))) for day in WEEKDAYS},
        "\n".join(map(_said, _list(given, "holidays"))),
    )


def _rule_fields(rule: object) -> tuple[str, str]:
    if isinstance(rule, dict) and len(rule) == 1:
        ((kind, amount),) = rule.items()
        return str(kind), _said(amount)
    return _said(rule), ""


def _reminder_text(one: object) -> str:
    if isinstance(one, int | float) and not isinstance(one, bool):
        return f"{Decimal(str(one)) * 100:f}".rstrip("0").rstrip(".") + " %" if one else "0 %"
    if isinstance(one, dict):
        for side in ("before", "after"):
            if one.get(side) is not None and len(one) == 1:
                return f"{_said(one[side])} {side}"
    return _said(one)


def _people_text(principals: Sequence[Json], people: People) -> str:
    return ", ".join(people.said(one) or "?" for one in principals)


def _said(value: object) -> str:
    """A value as a field shows it."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _unshown(name: str) -> FormError:
    return FormError(f"The form cannot show “{name}” as it stands in the JSON.")


def _plain_object(value: object) -> Json:
    if not isinstance(value, dict):
        raise _unshown("properties")
    return value


def _object(holder: Json, name: str) -> Json:
    value = holder.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _unshown(name)
    return value


def _list(holder: Json, name: str) -> list[Any]:
    value = holder.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or len(value) > MOST_ROWS * 5:
        raise _unshown(name)
    return value


def _objects(holder: Json, name: str) -> list[Json]:
    found = _list(holder, name)
    if len(found) > MOST_ROWS or any(not isinstance(one, dict) for one in found):
        raise _unshown(name)
    return found


# From fields to a policy


def policy_of(given: Given, base: Json, people: People) -> Json:
    """Lay what stands in the fields over the policy that they were made from."""
    policy = deepcopy(base)
    stages = _objects(policy, "stages")
    policy["stages"] = [
        _stage_of(given, f"stages-{index}", stages[index] if index < len(stages) else {}, people)
        for index in _rows(given, "stages-{}-id")
    ]
    duties = dict(_object(policy, "separation_of_duties"))
    _put(duties, "requester", "duties-requester" in given, True)
    _put(duties, "authors", "duties-authors" in given, True)
    _put(duties, "earlier_stages", "duties-earlier_stages" in given, False)
    _put(policy, "separation_of_duties", duties, {})
    delegation = policy.get("delegation")
    rules = dict(delegation) if isinstance(delegation, dict) else {}
    _put(rules, "allowed", "delegation-allowed" in given, True)
    _put(rules, "max_depth", _number(given.get("delegation-max_depth", "")), 1)
    _put(rules, "max_days", _number(given.get("delegation-max_days", "")), 90)
    _put(policy, "delegation", rules, {})
    _put(policy, "may_reassign", "may_reassign" in given, True)
    _put(policy, "on_new_revision", given.get("on_new_revision", ""), OnRevision.RE_ASK.value)
    _put(policy, "revision_due_in", given.get("revision_due_in", "").strip(), "")
    comments = dict(_object(policy, "comments"))
    _put(comments, "on_approve", "comments-on_approve" in given, False)
    _put(comments, "min_characters", _number(given.get("comments-min_characters", "")), 1)
    _put(policy, "comments", comments, {})
    if "calendar-time_zone" in given:
        policy["calendar"] = _calendar_of(given, _object(policy, "calendar"))
    return policy


def _rows(given: Given, name: str) -> list[int]:
    """The rows that there are; each has this field."""
    count = 0
    while count < MOST_ROWS and name.format(count) in given:
        count += 1
    return list(range(count))


def _put(target: Json, name: str, value: Any, default: Any) -> None:
    """Set a field; what is understood without saying it is left out."""
    if value in (default, ""):
        target.pop(name, None)
    else:
        target[name] = value


def _stage_of(given: Given, at: str, base: Json, people: People) -> Json:
    stage = deepcopy(base)
    before = _objects(stage, "approvers")
    stage["id"] = given.get(f"{at}-id", "").strip()
    _put(stage, "name", given.get(f"{at}-name", "").strip(), "")
    rows = _rows(given, at + "-approvers-{}-who")
    approvers = [
        _approver_of(given, f"{at}-approvers-{row}", before[row] if row < len(before) else {}, people)
        for row in rows
    ]
    stage["approvers"] = approvers
    named = [_principal_of(one) for one in before] + [_principal_of(one) for one in approvers]
    for name in ("veto", "required"):
        chosen = [
            _principal_of(one)
            for row, one in zip(rows, approvers, strict=True)
            if f"{at}-approvers-{row}-{name}" in given and _principal_of(one)
        ]
        others = [one for one in _objects(stage, name) if one not in named]
        if name == "veto":
            others = _people_of(given.get(f"{at}-veto", ""), others, people)
        _put(stage, name, [*chosen, *(one for one in others if one not in chosen)], [])
    stage["rule"] = _rule_of(given.get(f"{at}-rule", ""), given.get(f"{at}-amount", ""))
    _put(stage, "abstentions", given.get(f"{at}-abstentions", ""), Abstentions.EXCLUDED.value)
    _put(stage, "may_abstain", f"{at}-may_abstain" in given, True)
    _put(stage, "may_request_changes", f"{at}-may_request_changes" in given, True)
    _put_times(stage, given, at, people)
    _put_form(stage, given, at)
    return stage


def _put_times(stage: Json, given: Given, at: str, people: People) -> None:
    due_in = given.get(f"{at}-due_in", "").strip()
    on_timeout = given.get(f"{at}-on_timeout", "")
    _put(stage, "due_in", due_in, "")
    _put(stage, "reminders", [_reminder_of(one) for one in _parts(given.get(f"{at}-reminders", ""))], [])
    _put(stage, "on_timeout", on_timeout, OnTimeout.REJECT.value)
    escalate_to = _people_of(given.get(f"{at}-escalate_to", ""), _objects(stage, "escalate_to"), people)
    _put(stage, "escalate_to", escalate_to, [])
    _put(stage, "escalated_due_in", given.get(f"{at}-escalated_due_in", "").strip(), "")
    _put(stage, "on_escalation_timeout", given.get(f"{at}-on_escalation_timeout", ""), OnTimeout.REJECT.value)


def _approver_of(given: Given, at: str, base: Json, people: People) -> Json:
    said = given.get(f"{at}-who", "")
    principal = _principal_of(base) if base and said.strip() == people.said(base) else people.principal(said)
    approver = {**principal, **{name: value for name, value in base.items() if name in {"weight", "seats"}}}
    _put(approver, "weight", _number(given.get(f"{at}-weight", "")), 1)
    _put(approver, "seats", Seats.ONE.value if f"{at}-one" in given else "", "")
    return approver


def _principal_of(approver: Json) -> Json:
    return {name: value for name, value in approver.items() if name in {"user", "role", "email"}}


def _people_of(text: str, before: Sequence[Json], people: People) -> list[Json]:
    """Those who are named, with commas between; who was there already stays as they were written."""
    known = {people.said(one): one for one in before}
    return [known.get(part) or people.principal(part) for part in _parts(text)]


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.replace("\n", ",").split(",") if part.strip()]


def _rule_of(kind: str, amount: str) -> Any:
    if kind in {RuleKind.ANY.value, RuleKind.ALL.value} or not kind:
        return kind or None
    return {kind: _number(amount)}


def _reminder_of(text: str) -> Any:
    span, _, side = text.rpartition(" ")
    if side in {"before", "after"}:
        return {side: span.strip()}
    match = _PERCENT.fullmatch(text)
    if match is None:
        return {"before": text}
    return float(Decimal(match[1]) / 100) if "%" in text or Decimal(match[1]) >= 1 else float(match[1])


def _number(text: str) -> int | float | str:
    """A number, or what was typed instead of one."""
    said = text.strip()
    if _WHOLE.fullmatch(said):
        return int(said)
    return float(said) if _NUMBER.fullmatch(said) else said


def _put_form(stage: Json, given: Given, at: str) -> None:
    rows = _rows(given, at + "-form-{}-name")
    form = dict(_object(stage, "form"))
    before = list(_object(form, "properties").values())
    properties: Json = {}
    required = []
    for row in rows:
        name = given.get(f"{at}-form-{row}-name", "").strip() or f"field_{row + 1}"
        while name in properties:
            name += "_2"
        properties[name] = _field_of(given, f"{at}-form-{row}", before[row] if row < len(before) else {})
        if f"{at}-form-{row}-required" in given:
            required.append(name)
    if not properties:
        stage.pop("form", None)
        return
    form.setdefault("type", "object")
    form["properties"] = properties
    _put(form, "required", required, [])
    stage["form"] = form


def _field_of(given: Given, at: str, base: Json) -> Json:
    kind, title = given.get(f"{at}-type", "text"), given.get(f"{at}-title", "").strip()
    text = given.get(f"{at}-choices", "")
    unchanged = text == ", ".join(map(_said, _choices_of(base)))
    choices = _choices_of(base) if unchanged else _parts(text)
    kept = (
        {name: value for name, value in base.items() if name in _BOUNDS} if kind == _field_type(base) else {}
    )
    described = {"description": base["description"]} if "description" in base else {}
    field: Json = {"type": {"text": "string", "choice": "string", "several": "array"}.get(kind, kind)}
    if title:
        field["title"] = title
    field |= described | kept
    if kind == "choice":
        field["enum"] = choices
    elif kind == "several":
        field["items"] = {"type": "string", "enum": choices}
    return field


def _calendar_of(given: Given, base: Json) -> Json:
    calendar = dict(base)
    calendar["time_zone"] = given.get("calendar-time_zone", "").strip()
    hours = {day: _parts(given.get(f"calendar-hours-{day}", "")) for day in WEEKDAYS}
    calendar["hours"] = {day: periods for day, periods in hours.items() if periods}
    _put(calendar, "holidays", _parts(given.get("calendar-holidays", "")), [])
    return calendar


# What changes the number of rows


def rearranged(policy: Json, action: str) -> Json:
    """Add, move or take away a row: `approver-add:0`, `stage-remove:1`, `field-remove:0:2`; unknown ones do nothing."""
    changed = deepcopy(policy)
    what, *places = action.split(":")
    numbers = [int(place) for place in places if place.isascii() and place.isdigit() and len(place) < 4]
    stages = _objects(changed, "stages")
    changed["stages"] = stages
    match what, numbers:
        case "stage-add", []:
            stages.append({"id": _free(stages), "approvers": [{"role": "approver"}], "rule": "any"})
        case "stage-remove", [index] if index < len(stages) and len(stages) > 1:
            stages.pop(index)
        case "stage-up", [index] if 0 < index < len(stages):
            stages[index - 1], stages[index] = stages[index], stages[index - 1]
        case "calendar-add", []:
            hours = {day: ["09:00-17:00"] for day in WEEKDAYS[:5]}
            changed.setdefault("calendar", {"time_zone": "Europe/Berlin", "hours": hours})
        case "calendar-remove", []:
            changed.pop("calendar", None)
        case str(), [index, *rest] if index < len(stages):
            _rearrange_stage(stages[index], what, rest)
    return changed


def _free(stages: Sequence[Json]) -> str:
    taken = {stage.get("id") for stage in stages}
    return next(name for number in range(2, MOST_ROWS * 2) if (name := f"stage-{number}") not in taken)


def _rearrange_stage(stage: Json, what: str, places: Sequence[int]) -> None:
    approvers = _objects(stage, "approvers")
    form = _object(stage, "form")
    properties = dict(_object(form, "properties"))
    match what, list(places):
        case "approver-add", []:
            stage["approvers"] = [*approvers, {}]
        case "approver-remove", [row] if row < len(approvers):
            gone = _principal_of(approvers.pop(row))
            stage["approvers"] = approvers
            for name in ("veto", "required"):
                _put(stage, name, [one for one in _objects(stage, name) if one != gone], [])
        case "field-add", []:
            name = next(
                name for number in range(1, MOST_ROWS * 2) if (name := f"field_{number}") not in properties
            )
            stage["form"] = {"type": "object", **form, "properties": {**properties, name: {"type": "string"}}}
        case "field-remove", [row] if row < len(properties):
            gone_field = list(properties)[row]
            properties.pop(gone_field)
            needed = [name for name in _list(form, "required") if name != gone_field]
            if properties:
                stage["form"] = {**form, "properties": properties}
                _put(stage["form"], "required", needed, [])
            else:
                stage.pop("form", None)


# Where faults are shown


def places_of(fields: PolicyFields) -> list[str]:
    """The places that the form has for faults, as pointers into the policy; the first takes what has no other."""
    places = ["", "/stages", "/calendar", "/separation_of_duties", "/delegation", "/on_new_revision"]
    places += ["/revision_due_in", "/comments", "/delegation/max_depth", "/delegation/max_days"]
    if fields.calendar is not None:
        places += ["/calendar/time_zone", "/calendar/holidays"]
        places += [f"/calendar/hours/{day}" for day in WEEKDAYS]
    for index, stage in enumerate(fields.stages):
        at = f"/stages/{index}"
        places.append(at)
        names = (
            "id",
            "name",
            "approvers",
            "veto",
            "rule",
            "due_in",
            "reminders",
            "on_timeout",
            "escalate_to",
        )
        places += [f"{at}/{name}" for name in (*names, "escalated_due_in", "on_escalation_timeout", "form")]
        places += [f"{at}/approvers/{row}" for row in range(len(stage.approvers))]
        places += [field_place(at, field.name) for field in stage.form]
    return places


def field_place(stage: str, name: str) -> str:
    """The place of a field that approvers fill in."""
    return f"{stage}/form/properties/{escaped(name)}"


def placed(faults: Faults | Sequence[FieldError], places: Sequence[str]) -> dict[str, list[str]]:
    """Faults by the place of the form that is nearest to theirs."""
    found: dict[str, list[str]] = {place: [] for place in places}
    for fault in faults:
        pointer = fault.pointer
        while pointer and pointer not in found:
            pointer = pointer.rpartition("/")[0]
        found.setdefault(pointer, []).append(_fault_words(fault.pointer[len(pointer) :], fault.detail))
    return found


def _fault_words(below: str, detail: str) -> str:
    """A fault as a sentence. `below`: how far it lies below the place where it is shown."""
    parts = [part for part in below.split("/") if part]
    number = f"no. {int(parts.pop(0)) + 1}: " if parts and parts[0].isdigit() else ""
    said = f"{number}{' '.join([*parts, detail])}"
    return f"{said[:1].upper()}{said[1:]}."


def place_id(pointer: str) -> str:
    """The id of the element that shows the faults of a place."""
    return "fault" + re.sub(r"[^A-Za-z0-9_-]", "-", pointer)
