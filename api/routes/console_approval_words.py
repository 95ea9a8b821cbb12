"""How the console says what happens in an approval: states as badges, records as sentences, rules in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

from api.routes.console_approval_people import People
from api.routes.console_words import Look, duration, words
from perdure.domain.approval_effects import Entry, Outcome
from perdure.domain.approval_events import Decision
from perdure.domain.approval_policies import (
    ApprovalPolicy,
    OnRevision,
    OnTimeout,
    PrincipalKind,
    Rule,
    RuleKind,
    Seats,
    Stage,
)
from perdure.domain.approval_refusals import Refusal, words_of
from perdure.domain.approval_state import Closing, Hold, Status

STATUS_LOOKS: dict[str, Look] = {
    Status.PENDING: Look("Waiting", "hand", "violet"),
    Status.WAITING_FOR_REVISION: Look("Changes asked for", "pencil", "warning"),
    Status.CLOSED: Look("Closed", "check", "neutral"),
}
OUTCOME_LOOKS: dict[str, Look] = {
    Outcome.APPROVED: Look("Approved", "check-circle", "success"),
    Outcome.REJECTED: Look("Rejected", "x-circle", "danger"),
    Outcome.EXPIRED: Look("Expired", "hourglass", "neutral"),
    Outcome.VOID: Look("Void", "minus-circle", "neutral"),
    Outcome.CANCELLED: Look("Cancelled", "minus-circle", "neutral"),
}
# What an approver can say: the word on the choice, its icon and tone, and what it does.
DECISIONS: dict[str, tuple[Look, str]] = {
    Decision.APPROVE: (Look("Approve", "check-circle", "success"), "It may go on."),
    Decision.REJECT: (Look("Reject", "x-circle", "danger"), "It must not go on. Say why."),
    Decision.REQUEST_CHANGES: (
        Look("Request changes", "pencil", "warning"),
        "It waits for a new revision. Say what to change.",
    ),
    Decision.ABSTAIN: (Look("Abstain", "minus-circle", "neutral"), "Somebody else decides. Say why."),
}
_DECIDED: dict[str, str] = {
    Decision.APPROVE: "approved",
    Decision.REJECT: "rejected",
    Decision.REQUEST_CHANGES: "asked for changes",
    Decision.ABSTAIN: "abstained",
}
CLOSINGS: dict[str, str] = {
    Closing.CERTAIN: "no vote that is missing could change it",
    Closing.VETO: "somebody used their veto",
    Closing.ESCALATION: "who it was escalated to decided",
    Closing.DEADLINE: "the deadline passed",
    Closing.VETO_LAPSED: "nobody used their veto in time",
    Closing.REVISION: "there is a new revision",
    Closing.WITHDRAWN: "it was withdrawn",
    Closing.CANCELLED: "it was cancelled",
    Closing.DOCUMENT_DELETED: "the document was deleted",
}
HOLDS: dict[str, str] = {
    Hold.OVERDUE: "The deadline has passed, and the policy lets it wait.",
    Hold.NEEDS_APPROVER: "It cannot pass with those who are asked: an administrator must name somebody.",
}
ON_TIMEOUT: dict[str, str] = {
    OnTimeout.REJECT: "it is rejected",
    OnTimeout.APPROVE: "it is approved",
    OnTimeout.ESCALATE: "others are asked instead",
    OnTimeout.HOLD: "it waits for an administrator",
}
ON_REVISION: dict[str, str] = {
    OnRevision.RE_ASK: "Everybody is asked anew, from the first stage",
    OnRevision.RE_ASK_STAGE: "The stage that is open is asked anew",
    OnRevision.VOID: "The request ends",
}
RULES: dict[str, str] = {
    RuleKind.ANY: "One of them approves",
    RuleKind.ALL: "All of them approve",
    RuleKind.K_OF_N: "So many of them approve",
    RuleKind.PERCENTAGE: "So many per cent approve",
    RuleKind.WEIGHTED: "So much weight approves",
}
_ENTRY_LOOKS: dict[str, tuple[str, str]] = {
    Entry.OPENED: ("play", "info"),
    Entry.STAGE_OPENED: ("users", "info"),
    Entry.DECIDED: ("check", "success"),
    Entry.REVOKED: ("undo", "warning"),
    Entry.DELEGATED: ("arrow-right", "violet"),
    Entry.DELEGATION_ENDED: ("undo", "neutral"),
    Entry.REASSIGNED: ("arrow-right", "violet"),
    Entry.APPROVER_ADDED: ("plus", "violet"),
    Entry.APPROVER_REMOVED: ("x", "neutral"),
    Entry.APPROVER_LEFT: ("user", "warning"),
    Entry.MEMBERS_CHANGED: ("users", "neutral"),
    Entry.REVISED: ("file-text", "info"),
    Entry.REMINDED: ("clock", "warning"),
    Entry.ESCALATED: ("arrow-up", "warning"),
    Entry.HELD: ("pause-circle", "warning"),
    Entry.EXPIRED: ("hourglass", "warning"),
    Entry.STAGE_CLOSED: ("check", "neutral"),
    Entry.COMPLETED: ("check-circle", "neutral"),
    Entry.REFUSED: ("x-circle", "danger"),
    "commented": ("quote", "neutral"),
    "token_issued": ("key", "neutral"),
}
_DECISION_LOOKS: dict[str, tuple[str, str]] = {
    decision: (look.icon, look.tone) for decision, (look, _) in DECISIONS.items()
}


@dataclass(frozen=True)
class Happening:
    """Something that is recorded of a request, from the engine's record or from the audit trail."""

    entry: str
    at: datetime
    by: str | None = None
    on_behalf_of: str | None = None
    stage: str | None = None
    code: str | None = None
    people: Sequence[str] = ()
    comment: str = ""


@dataclass(frozen=True)
class Line:
    """A happening as a line of a history: what it looks like, and what it says."""

    at: datetime
    look: Look
    said: str
    comment: str = ""
    clock: str = ""
    since: str = ""


def line_of(happening: Happening, people: People, stages: dict[str, str] | None = None) -> Line:
    """Say what happened. `stages` are their names by id."""
    entry, code = happening.entry, happening.code or ""
    icon, tone = _ENTRY_LOOKS.get(entry, ("info", "neutral"))
    if entry == Entry.DECIDED:
        icon, tone = _DECISION_LOOKS.get(code, (icon, tone))
    elif entry in {Entry.STAGE_CLOSED, Entry.COMPLETED}:
        look = OUTCOME_LOOKS.get(code.partition(":")[0])
        icon, tone = (look.icon, look.tone) if look else (icon, tone)
    said = _sentence(happening, people, stages or {})
    return Line(happening.at, Look(words(entry), icon, tone), said, happening.comment)


# What is said of each record; what a name stands for is put in as it is.
_SENTENCES: dict[str, str] = {
    Entry.OPENED: "{who} asked for approval.",
    Entry.STAGE_OPENED: "Stage {stage} opened: {whom} {are} asked.",
    Entry.DECIDED: "{who} {decided}{for_whom}.",
    Entry.REVOKED: "{who} took a decision back: {decided}.",
    Entry.DELEGATED: "{who} lets {whom} decide.",
    Entry.DELEGATION_ENDED: "{who} no longer lets {whom} decide.",
    Entry.REASSIGNED: "{who} gave a seat to {whom}.",
    Entry.APPROVER_ADDED: "{who} asked {whom}, too.",
    Entry.APPROVER_REMOVED: "{who} took the seat of {whom} away.",
    Entry.APPROVER_LEFT: "{whom} left the organisation.",
    Entry.MEMBERS_CHANGED: "The role {code} has other members.",
    Entry.REVISED: "{who} made a new revision of the document.",
    Entry.REMINDED: "{whom} {are} reminded.",
    Entry.ESCALATED: "{whom} {are} asked to decide for all who are silent.",
    Entry.HELD: "{hold}",
    Entry.EXPIRED: "The deadline passed.",
    Entry.STAGE_CLOSED: "Stage {stage} is closed, {outcome}: {why}.",
    Entry.COMPLETED: "{outcome}: {why}.",
    Entry.REFUSED: "Refused to {who}: {refusal}",
    "commented": "{who} commented.",
    "token_issued": "{who} got a link or a token to decide with.",
}


def _sentence(one: Happening, people: People, stages: dict[str, str]) -> str:
    code = one.code or ""
    outcome, _, reason = code.partition(":")
    refused = Refusal(reason) if reason in set(Refusal) else None
    said = _SENTENCES.get(one.entry, words(one.entry) + ".").format(
        who=people.name(one.by) if one.by else "somebody",
        whom=people.names(one.people) or "somebody",
        are="is" if len(one.people) < 2 else "are",
        stage=f"“{stages.get(one.stage or '', one.stage or '')}”",
        for_whom=f" on behalf of {people.name(one.on_behalf_of)}" if one.on_behalf_of else "",
        decided=_DECIDED.get(code, code),
        code=code,
        outcome=outcome,
        why=CLOSINGS.get(reason, words(reason).lower()),
        hold=HOLDS.get(code, "It waits for an administrator."),
        refusal=words_of(refused) if refused else f"{words(reason)}.",
    )
    # An address stays as it is written.
    return said if "@" in said.partition(" ")[0] else said[:1].upper() + said[1:]


def rule_words(rule: Rule) -> str:
    """`two thirds of those asked approve`."""
    match rule.kind:
        case RuleKind.K_OF_N:
            return f"{rule.count} of those asked approve" if rule.count > 1 else "one of those asked approves"
        case RuleKind.PERCENTAGE:
            share = Fraction(rule.numerator, rule.denominator)
            percent = share * 100
            said = (
                f"{percent.numerator} %"
                if percent.denominator == 1
                else f"{share.numerator} of {share.denominator}"
            )
            return f"{said} of those asked approve"
        case RuleKind.WEIGHTED:
            return f"approvers of weight {rule.count} approve"
        case RuleKind.ALL:
            return "all who are asked approve"
        case _:
            return "one of those asked approves"


def stage_sentences(stage: Stage, people: People) -> list[str]:
    """A stage of a policy in plain words."""
    asked = [_asked(one.principal.kind, one.principal.name, one.seats, people) for one in stage.approvers]
    said = [f"Asks {_listed(asked)}.", f"Passes as soon as {rule_words(stage.rule)}."]
    if stage.veto:
        said.append(f"A veto has {_listed([_principal(p.kind, p.name, people) for p in stage.veto])}.")
    if stage.required:
        said.append(f"{_listed([_principal(p.kind, p.name, people) for p in stage.required])} must approve.")
    if stage.due_in:
        instead = _listed([_principal(p.kind, p.name, people) for p in stage.escalate_to])
        late = (
            f"{instead} decides instead"
            if stage.on_timeout is OnTimeout.ESCALATE
            else ON_TIMEOUT[stage.on_timeout]
        )
        said.append(f"After {stage.due_in}, {late}.")
    else:
        said.append("Waits without a deadline.")
    return said


def _principal(kind: PrincipalKind, name: str, people: People) -> str:
    return f"the role {name}" if kind is PrincipalKind.ROLE else people.name(f"{kind.value}:{name}")


def _asked(kind: PrincipalKind, name: str, seats: Seats, people: People) -> str:
    if kind is not PrincipalKind.ROLE:
        return people.name(f"{kind.value}:{name}")
    return f"{'one' if seats is Seats.ONE else 'everybody'} with the role {name}"


def _listed(parts: Sequence[str]) -> str:
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts) or "nobody"


def stage_names(policy: ApprovalPolicy) -> dict[str, str]:
    """What the stages are called, by id."""
    return {stage.id: stage.name or words(stage.id) for stage in policy.stages}


def wall_clock(moment: datetime, time_zone: str) -> str:
    """A time as a clock on the wall shows it: `Tue 24 Nov, 15:00`."""
    return moment.astimezone(ZoneInfo(time_zone)).strftime("%a %-d %b %Y, %H:%M")


def time_since(start: datetime, moment: datetime) -> str:
    """`after 1 d 4 h`; at the start itself, nothing."""
    length = moment - start
    return f"after {duration(length)}" if length >= timedelta(seconds=1) else "at once"
