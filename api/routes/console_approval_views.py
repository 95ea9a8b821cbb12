"""What the templates of approvals are given: requests, their stages and what can be done, ready to be shown."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from api.routes.console_approval_fields import AnswerField, answer_fields, answers_words
from api.routes.console_approval_people import People
from api.routes.console_approval_words import (
    CLOSINGS,
    DECISIONS,
    HOLDS,
    OUTCOME_LOOKS,
    STATUS_LOOKS,
    Line,
)
from api.routes.console_marked_text import MOST_CHARACTERS, Run, marked_text
from api.routes.console_views import digest
from api.routes.console_words import Look, words
from perdure.domain.approval_events import Decision
from perdure.domain.approval_state import Status
from perdure.schemas.approval_requests import (
    ApprovalRead,
    ApprovalStageRead,
    ApprovalSummary,
    Evidence,
    SeatRead,
    VoteRead,
)

_STAGE_LOOKS = {
    "waiting": Look("Not yet", "clock", "neutral"),
    "open": Look("Open", "hand", "violet"),
    "approved": Look("Approved", "check-circle", "success"),
    "rejected": Look("Rejected", "x-circle", "danger"),
}
# More of a passage is not looked for in a text.
_MOST_EVIDENCE = 50


@dataclass(frozen=True)
class ApprovalRow:
    """A request in a list."""

    read: ApprovalSummary
    people: People
    now: datetime

    @property
    def look(self) -> Look:
        """Where it stands, or how it ended."""
        if self.read.outcome is not None:
            return OUTCOME_LOOKS[self.read.outcome]
        return STATUS_LOOKS[self.read.status]

    @property
    def due_at(self) -> datetime | None:
        """By when, while it is open."""
        return self.read.due_at if self.read.status is not Status.CLOSED else None

    @property
    def is_overdue(self) -> bool:
        """Whether that has passed."""
        return self.due_at is not None and self.due_at <= self.now

    @property
    def requester(self) -> str:
        """Who asked."""
        return self.people.name(self.read.requester)

    @property
    def stage(self) -> str:
        """The stage that is open, in words."""
        return words(self.read.stage) if self.read.stage else ""


def rows_digest(rows: Sequence[ApprovalRow]) -> str:
    """Fingerprint of a list."""
    return digest(f"{one.read.id} {one.read.sequence} {one.read.status} {one.is_overdue}" for one in rows)


@dataclass(frozen=True)
class VoteView:
    """A decision that counts."""

    vote: VoteRead
    people: People
    form: Mapping[str, Any] | None = None

    @property
    def look(self) -> Look:
        """What was decided."""
        return DECISIONS[self.vote.decision][0]

    @property
    def by(self) -> str:
        """Who decided, and for whom."""
        said = self.people.name(self.vote.by)
        if self.vote.stands_in:
            return f"{said} for all who were silent"
        behalf = self.vote.on_behalf_of
        return f"{said} on behalf of {self.people.name(behalf)}" if behalf else said

    @property
    def answers(self) -> list[tuple[str, str]]:
        """What was filled in."""
        return answers_words(self.form, self.vote.form)


@dataclass(frozen=True)
class SeatView:
    """A seat of a stage: who has it, and what was decided there."""

    seat: SeatRead
    people: People
    form: Mapping[str, Any] | None = None

    @property
    def who(self) -> str:
        """Who may decide here."""
        kind, _, name = self.seat.principal.partition(":")
        named = self.people.names(self.seat.people)
        if kind == "role" and len(self.seat.people) != 1:
            return f"One of the role {name}" + (f": {named}" if named else "")
        return named or "Nobody any more"

    @property
    def facts(self) -> list[str]:
        """What is special about it."""
        found = ["may veto"] if self.seat.may_veto else []
        found += ["must approve"] if self.seat.required else []
        return found + ([f"weight {self.seat.weight}"] if self.seat.weight > 1 else [])

    @property
    def vote(self) -> VoteView | None:
        """What was decided."""
        return VoteView(self.seat.vote, self.people, self.form) if self.seat.vote else None


@dataclass(frozen=True)
class StageView:
    """A stage with its seats."""

    stage: ApprovalStageRead
    people: People
    now: datetime

    @property
    def name(self) -> str:
        """What it is called."""
        return self.stage.name or words(self.stage.id)

    @property
    def look(self) -> Look:
        """Where it stands."""
        return _STAGE_LOOKS.get(self.stage.state, Look(words(self.stage.state), "info", "neutral"))

    @property
    def seats(self) -> list[SeatView]:
        """Its seats."""
        return [SeatView(seat, self.people, self.stage.form) for seat in self.stage.seats]

    @property
    def why(self) -> str:
        """Why it is closed, or what it waits for."""
        if self.stage.closed_by is not None:
            return f"Closed: {CLOSINGS[self.stage.closed_by]}."
        return HOLDS[self.stage.hold] if self.stage.hold is not None else ""

    @property
    def due_at(self) -> datetime | None:
        """By when, while it is open."""
        return self.stage.due_at if self.stage.state == "open" else None

    @property
    def is_overdue(self) -> bool:
        """Whether that has passed."""
        return self.due_at is not None and self.due_at <= self.now

    @property
    def stands_in(self) -> str:
        """Who decides for all who are silent."""
        return self.people.names(self.stage.escalated_to)


@dataclass(frozen=True)
class Choice:
    """A decision that can be chosen."""

    value: str
    look: Look
    hint: str


def choices_of(stage: ApprovalStageRead | None) -> list[Choice]:
    """What may be said in a stage."""
    left_out = set()
    if stage is not None and not stage.may_abstain:
        left_out.add(Decision.ABSTAIN)
    if stage is not None and not stage.may_request_changes:
        left_out.add(Decision.REQUEST_CHANGES)
    return [
        Choice(value, look, hint)
        for value, (look, hint) in DECISIONS.items()
        if Decision(value) not in left_out
    ]


@dataclass(frozen=True)
class Given:
    """What stands in the form of a decision."""

    decision: str = ""
    comment: str = ""
    on_behalf_of: str = ""
    answers: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class ApprovalView(ApprovalRow):
    """A request on its page, as one of those sees it who are called `me`."""

    read: ApprovalRead
    me: Sequence[str] = ()
    text: str | None = None
    text_version: int | None = None
    history: Sequence[Line] = ()
    given: Given = field(default_factory=Given)

    @cached_property
    def stages(self) -> list[StageView]:
        """All stages."""
        return [StageView(stage, self.people, self.now) for stage in self.read.stages]

    @cached_property
    def open_stage(self) -> StageView | None:
        """The stage that takes decisions."""
        return next((one for one in self.stages if one.stage.state == "open"), None)

    @property
    def is_open(self) -> bool:
        """Whether something can still happen."""
        return self.read.status is not Status.CLOSED

    @property
    def is_opening(self) -> bool:
        """Whether its workflow has not begun: nobody is asked yet."""
        return self.is_open and self.read.status is Status.PENDING and self.open_stage is None

    @property
    def takes_decisions(self) -> bool:
        """Whether anybody can decide now."""
        return self.read.status is Status.PENDING

    @cached_property
    def _mine(self) -> list[tuple[str, str | None]]:
        return [(one.standing, one.seat) for one in self.read.asked if one.person in self.me]

    @property
    def is_asked(self) -> bool:
        """Whether this person may decide now."""
        return self.takes_decisions and bool(self._mine)

    @cached_property
    def holders(self) -> list[tuple[str, str]]:
        """For whom this person may decide, who has no seat of their own or besides it."""
        lent = {seat for standing, seat in self._mine if standing == "delegate"}
        lenders = {one.by for one in self.read.delegations}
        stage = self.open_stage
        people = [
            person
            for seat in (stage.stage.seats if stage else ())
            if seat.id in lent
            for person in seat.people
            if person in lenders and person not in self.me
        ]
        return [(person, self.people.name(person)) for person in dict.fromkeys(people)]

    @property
    def decides_only_for_others(self) -> bool:
        """Whether they have no seat of their own."""
        return bool(self._mine) and all(standing == "delegate" for standing, _ in self._mine)

    @property
    def own_vote(self) -> VoteView | None:
        """What this person decided in the open stage."""
        stage = self.open_stage
        for seat in stage.stage.seats if stage else ():
            if seat.vote and (seat.vote.by in self.me or seat.vote.on_behalf_of in self.me):
                return VoteView(seat.vote, self.people, stage.stage.form if stage else None)
        return None

    @property
    def has_seat(self) -> bool:
        """Whether this person has a seat of the open stage without a decision, which they may give away."""
        return self.takes_decisions and any(standing == "asked" for standing, _ in self._mine)

    @property
    def is_own_request(self) -> bool:
        """Whether this person asked."""
        return self.read.requester in self.me

    @property
    def choices(self) -> list[Choice]:
        """What may be said now."""
        return choices_of(self.open_stage.stage if self.open_stage else None)

    def fields(self, *, complete: bool | None = None) -> list[AnswerField]:
        """What is to be filled in."""
        stage = self.open_stage
        return answer_fields(stage.stage.form if stage else None, self.given.answers, complete=complete)

    @property
    def my_delegates(self) -> list[tuple[str, str, datetime]]:
        """Who decides for this person, and until when."""
        return [
            (one.to, self.people.name(one.to), one.ends_at)
            for one in self.read.delegations
            if one.by in self.me
        ]

    @property
    def delegations(self) -> list[str]:
        """Who decides for whom."""
        return [
            f"{self.people.name(one.to)} may decide for {self.people.name(one.by)}"
            for one in self.read.delegations
        ]

    @property
    def is_other_text(self) -> bool:
        """Whether the text that is shown is of another version than what is decided on."""
        return (
            self.text_version is not None
            and self.read.document_version is not None
            and self.text_version != self.read.document_version
        )

    @cached_property
    def runs(self) -> list[Run]:
        """The document's text with the evidence marked."""
        return marked_text(self.text or "", evidence=places_of_evidence(self.text or "", self.read.evidence))

    @property
    def is_cut(self) -> bool:
        """Whether the text goes on."""
        return len(self.text or "") > MOST_CHARACTERS

    @property
    def silent(self) -> str:
        """Who is asked and has not answered."""
        return self.people.names(dict.fromkeys(one.person for one in self.read.asked))

    @property
    def why(self) -> str:
        """Why it is closed."""
        return f"Because {CLOSINGS[self.read.closed_by]}." if self.read.closed_by else ""

    @property
    def outcome(self) -> Look | None:
        """How it ended."""
        return OUTCOME_LOOKS[self.read.outcome] if self.read.outcome else None


def places_of_evidence(text: str, evidence: Iterable[Evidence]) -> list[tuple[int, int]]:
    """Where passages stand: as they say, when the text there is theirs, or else where the text is found first."""
    found = []
    for one in list(evidence)[:_MOST_EVIDENCE]:
        if one.start is not None and one.end is not None and text[one.start : one.end] == one.text:
            found.append((one.start, one.end))
        elif (place := text.find(one.text)) >= 0:
            found.append((place, place + len(one.text)))
    return found


def now_utc() -> datetime:
    """The time to which the words of a page are true."""
    return datetime.now(UTC)


def _look(decision: str) -> Look:
    return DECISIONS[decision][0]


def _fields(schema: Mapping[str, Any] | None, answers: Mapping[str, Any], decision: str) -> list[AnswerField]:
    return answer_fields(schema, answers, complete=decision == Decision.APPROVE if decision else None)


# For the page behind the link of a letter, which is given a request and nothing made ready to be shown.
FILTERS = {"decision_look": _look, "decision_choices": choices_of, "form_fields": _fields}
