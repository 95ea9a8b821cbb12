"""An approval policy as data: who is asked in which order, what makes a stage pass, and what happens in time.

    {"stages": [{"id": "finance",
                 "approvers": [{"user": "usr_…"}, {"role": "approver"}, {"email": "cfo@example.org"}],
                 "rule": {"k_of_n": 2}, "veto": [{"role": "admin"}],
                 "due_in": "2 business days", "reminders": [0.5, {"before": "4 business hours"}],
                 "escalate_to": [{"user": "usr_…"}], "on_timeout": "escalate"}],
     "calendar": {"time_zone": "Europe/Berlin", "hours": {"mon": ["09:00-17:00"]}}}

A rule is `any`, `all`, `{"k_of_n": 2}`, `{"percentage": 60}` (or `"2/3"`) or `{"weighted": 5}`. A policy is understood
wholly, or refused with the place of each fault.
"""

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from functools import lru_cache
from typing import Any

from perdure.domain.approval_forms import ApprovalForm, read_form
from perdure.domain.business_calendar import BusinessCalendar, Span, parse_span, read_calendar
from perdure.domain.json_objects import Faults, ObjectReader

MAX_STAGES = 20
MAX_APPROVERS = 50
MAX_WEIGHT = 1_000
MAX_REMINDERS = 10
MAX_DEPTH = 5
_STAGE_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
EMAIL = re.compile(r"[^\s@<>\",;]{1,64}@[^\s@<>\",;]{1,190}")
_SHARE = re.compile(r"([1-9][0-9]{0,3})/([1-9][0-9]{0,3})")
_SPAN_WORDS = "must be a time such as 90 minutes, 3 days, 16 business hours or 2 business days"


class PrincipalKind(StrEnum):
    """How a policy names people."""

    USER = "user"
    ROLE = "role"
    EMAIL = "email"


@dataclass(frozen=True, slots=True, order=True)
class Principal:
    """A user, everybody of a role, or an address. People are written `user:…` and `email:…`."""

    kind: PrincipalKind
    name: str

    def __str__(self) -> str:
        return f"{self.kind.value}:{self.name}"


class Seats(StrEnum):
    """What a role among the approvers stands for."""

    EACH = "each"
    """Everybody of the role is asked and counts."""
    ONE = "one"
    """Whoever of the role answers first counts, for the role."""


@dataclass(frozen=True, slots=True)
class Approver:
    """Somebody who is asked. The weight counts under `weighted`."""

    principal: Principal
    weight: int = 1
    seats: Seats = Seats.EACH


class RuleKind(StrEnum):
    """What makes a stage pass."""

    ANY = "any"
    ALL = "all"
    K_OF_N = "k_of_n"
    PERCENTAGE = "percentage"
    WEIGHTED = "weighted"


class Abstentions(StrEnum):
    """Whether those who abstain count among all, under `all` and `percentage`."""

    EXCLUDED = "excluded"
    COUNTED = "counted"


@dataclass(frozen=True, slots=True)
class Rule:
    """`count` is k or the weight that is needed; the share is a fraction, so that nothing is rounded."""

    kind: RuleKind
    count: int = 1
    numerator: int = 1
    denominator: int = 1


class OnTimeout(StrEnum):
    """What becomes of a stage that is due."""

    REJECT = "reject"
    APPROVE = "approve"
    ESCALATE = "escalate"
    HOLD = "hold"


class OnRevision(StrEnum):
    """What a new revision of the document does to a request."""

    RE_ASK = "re_ask"
    """Everybody is asked anew, from the first stage."""
    RE_ASK_STAGE = "re_ask_stage"
    """The stage that is open is asked anew; stages that passed have passed."""
    VOID = "void"
    """The request ends."""


class ReminderKind(StrEnum):
    """How a reminder's time is counted."""

    FRACTION = "fraction"
    AFTER = "after"
    BEFORE = "before"


@dataclass(frozen=True, slots=True)
class Reminder:
    """At a fraction of the time there is, or a span after the stage opens or before it is due."""

    kind: ReminderKind
    numerator: int = 1
    denominator: int = 2
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage. Who may veto, and who is required, may be named as a role of which one is enough."""

    id: str
    approvers: tuple[Approver, ...]
    rule: Rule
    name: str = ""
    veto: tuple[Principal, ...] = ()
    required: tuple[Principal, ...] = ()
    abstentions: Abstentions = Abstentions.EXCLUDED
    may_abstain: bool = True
    may_request_changes: bool = True
    form: ApprovalForm | None = None
    due_in: Span | None = None
    reminders: tuple[Reminder, ...] = ()
    on_timeout: OnTimeout = OnTimeout.REJECT
    escalate_to: tuple[Principal, ...] = ()
    escalated_due_in: Span | None = None
    on_escalation_timeout: OnTimeout = OnTimeout.REJECT


@dataclass(frozen=True, slots=True)
class SeparationOfDuties:
    """Who may not decide: the one who asks, who wrote the document, who decided in an earlier stage."""

    requester: bool = True
    authors: bool = True
    earlier_stages: bool = False


@dataclass(frozen=True, slots=True)
class DelegationRules:
    """Who may let whom decide for them, for how long, and how often it may be passed on."""

    allowed: bool = True
    by: tuple[Principal, ...] = ()
    to: tuple[Principal, ...] = ()
    max_depth: int = 1
    max_days: int = 90


@dataclass(frozen=True, slots=True)
class ApprovalPolicy:
    """A policy that was understood."""

    stages: tuple[Stage, ...]
    calendar: BusinessCalendar | None = None
    separation_of_duties: SeparationOfDuties = SeparationOfDuties()
    delegation: DelegationRules = DelegationRules()
    may_reassign: bool = True
    on_new_revision: OnRevision = OnRevision.RE_ASK
    revision_due_in: Span | None = None
    comment_on_approve: bool = False
    least_comment: int = 1


def parse_policy(value: object, pointer: str = "", roles: Collection[str] | None = None) -> ApprovalPolicy:
    """Understand a policy; InvalidInputError names every fault. `roles` are those that there are, if known."""
    faults = Faults()
    policy = read_policy(value, pointer, faults, roles)
    faults.raise_for("approval policy")
    return policy


def kept_policy(value: Mapping[str, Any]) -> ApprovalPolicy:
    """Understand a policy that was understood when it was written down: once, as each vote asks for it again."""
    return _kept_policy(json.dumps(value))


@lru_cache(maxsize=64)
def _kept_policy(text: str) -> ApprovalPolicy:
    return parse_policy(json.loads(text))


def read_policy(
    value: object, pointer: str, faults: Faults, roles: Collection[str] | None = None
) -> ApprovalPolicy:
    """Read a policy that stands within something larger."""
    return _Reader(faults, roles).policy(value, pointer)


class _Reader:
    def __init__(self, faults: Faults, roles: Collection[str] | None) -> None:
        self._faults, self._roles = faults, roles
        self._business: list[str] = []

    def policy(self, value: object, pointer: str) -> ApprovalPolicy:
        known = (
            *("stages", "calendar", "separation_of_duties", "delegation", "may_reassign"),
            *("on_new_revision", "revision_due_in", "comments"),
        )
        given = ObjectReader(value, pointer, self._faults, known)
        stages = tuple(
            self._stage(one, place) for one, place in given.items("stages", MAX_STAGES, required=True)
        )
        self._repeated([stage.id for stage in stages], given.at("stages"))
        duties = self._part(given, "separation_of_duties", ("requester", "authors", "earlier_stages"))
        comments = self._part(given, "comments", ("on_approve", "min_characters"))
        revision_due_in = self._span(given, "revision_due_in")
        calendar = None
        if given.has("calendar"):
            calendar = read_calendar(given.get("calendar"), given.at("calendar"), self._faults)
        else:
            for place in self._business:
                self._faults.add(place, "counts business time: the policy needs a calendar")
        return ApprovalPolicy(
            stages,
            calendar,
            SeparationOfDuties(
                duties.flag("requester", True),
                duties.flag("authors", True),
                duties.flag("earlier_stages", False),
            ),
            self._delegation(given),
            given.flag("may_reassign", True),
            given.choice("on_new_revision", OnRevision, OnRevision.RE_ASK),
            revision_due_in,
            comments.flag("on_approve", False),
            comments.whole("min_characters", 1, 1, 1_000),
        )

    def _part(self, given: ObjectReader, name: str, known: Collection[str]) -> ObjectReader:
        return ObjectReader(given.get(name) if given.has(name) else {}, given.at(name), self._faults, known)

    def _repeated(self, ids: list[str], pointer: str) -> None:
        for index, one in enumerate(ids):
            if one and one in ids[:index]:
                self._faults.add(f"{pointer}/{index}/id", f"{one!r} is the id of stage {ids.index(one)}, too")

    def _delegation(self, given: ObjectReader) -> DelegationRules:
        if given.get("delegation") is False:
            return DelegationRules(allowed=False)
        part = self._part(given, "delegation", ("allowed", "by", "to", "max_depth", "max_days"))
        return DelegationRules(
            part.flag("allowed", True),
            self._principals(part, "by"),
            self._principals(part, "to"),
            part.whole("max_depth", 1, 1, MAX_DEPTH),
            part.whole("max_days", 90, 1, 3_660),
        )

    def _stage(self, value: object, pointer: str) -> Stage:
        known = (
            *("id", "name", "approvers", "rule", "veto", "required", "abstentions", "may_abstain"),
            *("may_request_changes", "form", "due_in", "reminders", "on_timeout", "escalate_to"),
            *("escalated_due_in", "on_escalation_timeout"),
        )
        given = ObjectReader(value, pointer, self._faults, known)
        identifier = given.text("id", required=True, most=40)
        if identifier and not _STAGE_ID.fullmatch(identifier):
            given.fault("id", "must be small letters, digits, _ and -, and begin with a letter or digit")
        approvers = self._approvers(given)
        rule = self._rule(given)
        stage = Stage(
            identifier,
            approvers,
            rule,
            given.text("name", most=200),
            self._principals(given, "veto"),
            self._principals(given, "required"),
            given.choice("abstentions", Abstentions, Abstentions.EXCLUDED),
            given.flag("may_abstain", True),
            given.flag("may_request_changes", True),
            read_form(given.get("form"), given.at("form"), self._faults) if given.has("form") else None,
            self._span(given, "due_in"),
            self._reminders(given),
            given.choice("on_timeout", OnTimeout, OnTimeout.REJECT),
            self._principals(given, "escalate_to"),
            self._span(given, "escalated_due_in"),
            given.choice("on_escalation_timeout", OnTimeout, OnTimeout.REJECT),
        )
        self._check_people(given, stage)
        self._check_times(given, stage)
        return stage

    def _check_people(self, given: ObjectReader, stage: Stage) -> None:
        """Whether the rule can be met at all, and those named beside the approvers are among them."""
        by_role = any(one.principal.kind is PrincipalKind.ROLE for one in stage.approvers)
        open_ended = any(
            one.principal.kind is PrincipalKind.ROLE and one.seats is Seats.EACH for one in stage.approvers
        )
        if stage.approvers and not open_ended:
            there = len(stage.approvers)
            weight = sum(one.weight for one in stage.approvers)
            if stage.rule.kind is RuleKind.K_OF_N and stage.rule.count > there:
                given.fault("rule", f"asks for {stage.rule.count} of {there} approvers")
            if stage.rule.kind is RuleKind.WEIGHTED and stage.rule.count > weight:
                given.fault("rule", f"asks for a weight of {stage.rule.count}; all approvers weigh {weight}")
        listed = {one.principal for one in stage.approvers}
        for name, principals in (("veto", stage.veto), ("required", stage.required)):
            for index, principal in enumerate(principals):
                if principal not in listed and not by_role and principal.kind is not PrincipalKind.ROLE:
                    self._faults.add(f"{given.at(name)}/{index}", "is no approver of this stage")

    def _check_times(self, given: ObjectReader, stage: Stage) -> None:
        if stage.due_in is None and not given.has("due_in"):
            for name in ("reminders", "on_timeout", "escalated_due_in", "on_escalation_timeout"):
                if given.has(name):
                    given.fault(name, "means nothing without due_in")
        if stage.on_timeout is OnTimeout.ESCALATE and not given.has("escalate_to"):
            given.fault("escalate_to", "is missing: on_timeout is escalate")
        if stage.on_escalation_timeout is OnTimeout.ESCALATE:
            given.fault("on_escalation_timeout", "must be one of reject, approve, hold")
        if stage.on_timeout is not OnTimeout.ESCALATE:
            for name in ("escalated_due_in", "on_escalation_timeout"):
                if given.has(name):
                    given.fault(name, "means nothing unless on_timeout is escalate")
        self._check_reminders(given, stage)

    def _check_reminders(self, given: ObjectReader, stage: Stage) -> None:
        for index, reminder in enumerate(stage.reminders):
            if reminder.span is not None and stage.due_in is not None:
                alike = reminder.span.business == stage.due_in.business
                if (
                    alike
                    and reminder.span.unit == stage.due_in.unit
                    and reminder.span.amount >= stage.due_in.amount
                ):
                    place = f"{given.at('reminders')}/{index}"
                    self._faults.add(place, f"lies outside the {stage.due_in} that there are")

    def _approvers(self, given: ObjectReader) -> tuple[Approver, ...]:
        found: list[Approver] = []
        for one, place in given.items("approvers", MAX_APPROVERS, required=True):
            reader = ObjectReader(one, place, self._faults, (*PrincipalKind, "weight", "seats"))
            principal = self._principal(reader)
            if principal is None:
                continue
            if reader.has("seats") and principal.kind is not PrincipalKind.ROLE:
                reader.fault("seats", "means something for roles only")
            if principal in {other.principal for other in found}:
                self._faults.add(place, f"{principal} is there twice")
            if reader.has("weight") and not _is_weighted(given.get("rule")):
                reader.fault("weight", "means nothing unless the rule is weighted")
            weight = reader.whole("weight", 1, 1, MAX_WEIGHT)
            found.append(Approver(principal, weight, reader.choice("seats", Seats, Seats.EACH)))
        return tuple(found)

    def _principals(self, given: ObjectReader, name: str) -> tuple[Principal, ...]:
        found: list[Principal] = []
        for one, place in given.items(name, MAX_APPROVERS):
            principal = self._principal(ObjectReader(one, place, self._faults, tuple(PrincipalKind)))
            if principal is None:
                continue
            if principal in found:
                self._faults.add(place, f"{principal} is there twice")
            found.append(principal)
        return tuple(found)

    def _principal(self, reader: ObjectReader) -> Principal | None:
        kinds = [kind for kind in PrincipalKind if reader.has(kind)]
        if len(kinds) != 1:
            self._faults.add(reader.pointer, 'must name one, such as {"user": "usr_…"}, {"role": "approver"}')
            return None
        kind = kinds[0]
        name = reader.text(kind, required=True, most=254)
        if not name:
            return None
        if kind is PrincipalKind.EMAIL:
            name = name.lower()
            if not EMAIL.fullmatch(name):
                reader.fault(kind, "is no e-mail address")
        elif any(character.isspace() for character in name):
            reader.fault(kind, "must not hold spaces")
        elif kind is PrincipalKind.ROLE and self._roles is not None and name not in self._roles:
            reader.fault(kind, f"{name!r} is no role; known are {', '.join(sorted(self._roles))}")
        return Principal(kind, name)

    def _rule(self, given: ObjectReader) -> Rule:
        value = given.get("rule")
        if value is None:
            given.fault("rule", "is missing: any, all, k_of_n, percentage or weighted")
        elif value in ("any", "all"):
            return Rule(RuleKind(str(value)))
        elif isinstance(value, Mapping) and len(value) == 1:
            reader = ObjectReader(value, given.at("rule"), self._faults, ("k_of_n", "percentage", "weighted"))
            if reader.has("k_of_n"):
                return Rule(RuleKind.K_OF_N, reader.whole("k_of_n", 1, 1, MAX_APPROVERS * 10))
            if reader.has("weighted"):
                return Rule(RuleKind.WEIGHTED, reader.whole("weighted", 1, 1, MAX_WEIGHT * MAX_APPROVERS))
            if "percentage" in value:
                share = _share(value["percentage"])
                if share is not None:
                    return Rule(RuleKind.PERCENTAGE, 1, share.numerator, share.denominator)
                reader.fault("percentage", 'must be more than 0 and at most 100, or a share such as "2/3"')
        else:
            given.fault("rule", 'must be any, all, {"k_of_n": 2}, {"percentage": 60} or {"weighted": 5}')
        return Rule(RuleKind.ANY)

    def _span(self, given: ObjectReader, name: str) -> Span | None:
        if not given.has(name):
            return None
        span = parse_span(given.get(name))
        if span is None:
            given.fault(name, _SPAN_WORDS)
        elif span.business:
            self._business.append(given.at(name))
        return span

    def _reminders(self, given: ObjectReader) -> tuple[Reminder, ...]:
        found: list[Reminder] = []
        for one, place in given.items("reminders", MAX_REMINDERS):
            if isinstance(one, int | float) and not isinstance(one, bool):
                fraction = Fraction(str(one)) if 0 < one < 1 else Fraction(0)
                if not fraction or fraction.denominator > 10_000:
                    self._faults.add(place, "must lie between 0 and 1, with at most four places")
                else:
                    found.append(Reminder(ReminderKind.FRACTION, fraction.numerator, fraction.denominator))
                continue
            reader = ObjectReader(one, place, self._faults, ("after", "before"))
            if not isinstance(one, Mapping):
                continue
            if reader.has("after") == reader.has("before"):
                self._faults.add(place, 'must be a fraction, {"after": "1 day"} or {"before": "4 hours"}')
                continue
            kind = ReminderKind.AFTER if reader.has("after") else ReminderKind.BEFORE
            found.append(Reminder(kind, span=self._span(reader, kind.value)))
        return tuple(found)


def _is_weighted(rule: object) -> bool:
    return isinstance(rule, Mapping) and "weighted" in rule


def _share(value: object) -> Fraction | None:
    """A share of 1; a percentage keeps what was written: 66.67 is more than two thirds."""
    if isinstance(value, str):
        match = _SHARE.fullmatch(value)
        share = Fraction(int(match[1]), int(match[2])) if match else Fraction(0)
    elif isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= 100:
        share = Fraction(str(value)) / 100
    else:
        return None
    return share if 0 < share <= 1 and share.denominator <= 10**8 else None
