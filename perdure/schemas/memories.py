"""Memories, as HTTP and the workflows see them."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StringConstraints, field_validator, model_validator

from perdure.domain.memories import MemoryKind, says_something
from perdure.domain.recall_ranking import RecallMode
from perdure.schemas.base import Contract, GivenInstant, Id, Instant, RequestBody
from perdure.schemas.documents import ExternalId, SpaceName
from perdure.schemas.operations import OperationInput
from perdure.schemas.search import ScoreTerm

MAX_CONTENT = 2_000_000
MAX_MESSAGES = 1_000
# What stands further ahead is a mistake in a date, not something that was said.
_AHEAD = timedelta(days=366)
_FIRST_YEAR = 1000

Name = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]
SessionId = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Tag = Annotated[str, StringConstraints(min_length=1, max_length=100)]
Unit = Annotated[float, Field(ge=0.0, le=1.0)]


def _dated(value: datetime | None) -> datetime | None:
    """An instant that can be meant."""
    if value is None:
        return None
    if value.year < _FIRST_YEAR:
        msg = f"is before the year {_FIRST_YEAR}; give a date with its year, such as 2025-03-31T12:00:00Z"
        raise ValueError(msg)
    return value


def _said(value: datetime | None) -> datetime | None:
    if value is not None and value.year >= _FIRST_YEAR and value > datetime.now(UTC) + _AHEAD:
        msg = "is more than a year ahead; what is said was said before it is remembered"
        raise ValueError(msg)
    return _dated(value)


def _content(value: str) -> str:
    if not says_something(value):
        msg = "holds no letter, digit or sign; say what is to be remembered"
        raise ValueError(msg)
    return value


def _one_of(**fields: dict[str, Any]) -> dict[str, Any]:
    """That exactly one of some fields is given, as JSON schema says it; null is not given."""
    return {"oneOf": [{"required": [name], "properties": {name: kind}} for name, kind in fields.items()]}


class Message(RequestBody):
    """One turn of a conversation."""

    role: Literal["user", "assistant", "system", "tool"] = "user"
    speaker: Name | None = Field(default=None, description="Who says it; questions may name them.")
    content: str = Field(min_length=1, max_length=MAX_CONTENT)
    created_at: GivenInstant | None = Field(default=None, description="When it was said; default: now.")
    external_id: ExternalId | None = Field(
        default=None,
        description="Your id of the turn; sent again with other content, it corrects the memory.",
    )
    session_id: SessionId | None = None

    _says_something = field_validator("content")(_content)
    _said_then = field_validator("created_at")(_said)


class MemoryFields(RequestBody):
    """What may be said about all that one request remembers."""

    space: SpaceName = Field(default="default", description="Named collection; made on first use.")
    subject: Name | None = Field(
        default=None, description="Whom or what it is about. Writes of one subject happen in turn."
    )
    session_id: SessionId | None = Field(default=None, description="The conversation that it is part of.")
    tags: list[Tag] = Field(default_factory=list, max_length=50)
    metadata: dict[str, Any] = Field(default_factory=dict, description="Any JSON object; for filters.")
    valid_from: GivenInstant | None = Field(
        default=None, description="Since when it is true in the world; default: when it was said."
    )
    expires_at: GivenInstant | None = Field(default=None, description="From then on it is not recalled.")

    _valid_then = field_validator("valid_from", "expires_at")(_dated)


class MemoryCreate(MemoryFields):
    """Something to remember: `content`, or `messages` of a conversation; exactly one of them."""

    model_config = ConfigDict(
        json_schema_extra=_one_of(content={"type": "string"}, messages={"type": "array"})
    )

    content: str | None = Field(default=None, min_length=1, max_length=MAX_CONTENT)
    messages: list[Message] | None = Field(default=None, min_length=1, max_length=MAX_MESSAGES)
    kind: MemoryKind = Field(default=MemoryKind.EVIDENCE, description="Of `content`; messages are evidence.")
    speaker: Name | None = Field(default=None, description="Of `content`; messages have their own.")
    external_id: ExternalId | None = Field(default=None, description="Of `content`.")

    @field_validator("content")
    @classmethod
    def _says_something(cls, value: str | None) -> str | None:
        return value if value is None else _content(value)

    @model_validator(mode="after")
    def _one_of_content_and_messages(self) -> "MemoryCreate":
        if (self.content is None) == (self.messages is None):
            msg = "give `content` or `messages`, exactly one of them"
            raise ValueError(msg)
        return self

    @property
    def turns(self) -> list[Message]:
        """What is said, as messages."""
        if self.messages is not None:
            return self.messages
        return [
            Message.model_construct(
                role="user",
                speaker=self.speaker,
                content=self.content or "",
                created_at=None,
                external_id=self.external_id,
                session_id=None,
            )
        ]


class ImportFields(RequestBody):
    """What is said about a file of memories."""

    space: SpaceName = "default"


class MemoryLine(RequestBody):
    """One line of an import."""

    content: str = Field(min_length=1, max_length=MAX_CONTENT)
    kind: MemoryKind = MemoryKind.EVIDENCE
    subject: Name | None = None
    speaker: Name | None = None
    role: Literal["user", "assistant", "system", "tool"] | None = None
    external_id: ExternalId | None = None
    session_id: SessionId | None = None
    valid_from: GivenInstant | None = None
    valid_to: GivenInstant | None = None
    expires_at: GivenInstant | None = None
    confidence: Unit = 1.0
    importance: Unit = 0.5
    tags: list[Tag] = Field(default_factory=list, max_length=50)
    metadata: dict[str, Any] = Field(default_factory=dict)

    _says_something = field_validator("content")(_content)
    _valid_then = field_validator("valid_from", "valid_to", "expires_at")(_dated)


class MemoryUpdate(RequestBody):
    """Changeable fields; an absent or null one stays as it is. The version before stays in the history."""

    content: str | None = Field(default=None, min_length=1, max_length=4_000)
    kind: MemoryKind | None = None
    tags: list[Tag] | None = Field(default=None, max_length=50)
    metadata: dict[str, Any] | None = None
    confidence: Unit | None = None
    importance: Unit | None = None
    valid_from: GivenInstant | None = None
    valid_to: GivenInstant | None = None
    expires_at: GivenInstant | None = None
    reason: str | None = Field(default=None, max_length=500, description="Why; kept in the history.")
    version: int | None = Field(
        default=None, ge=1, description="Change this version only; 409 when there is a newer one."
    )

    _valid_then = field_validator("valid_from", "valid_to", "expires_at")(_dated)

    @field_validator("content")
    @classmethod
    def _says_something(cls, value: str | None) -> str | None:
        return value if value is None else _content(value)


class MemorySource(Contract):
    """Where a memory comes from, to the character."""

    type: Literal["message", "chunk", "memory"] = "message"
    id: str = Field(description="Id of the message or chunk.")
    start: int = Field(default=0, description="First character of it that the memory holds.")
    end: int = Field(default=0, description="The character after the last one.")
    document_id: str | None = Field(default=None, description="Of a chunk: the document that it is of.")


class MemoryRead(Contract):
    """A memory as it is now."""

    id: str
    space: str
    content: str
    kind: MemoryKind
    subject: str | None
    speaker: str | None
    role: str | None
    external_id: str | None
    session_id: str | None
    confidence: float
    importance: float
    valid_from: Instant
    valid_to: Instant | None
    recorded_at: Instant
    retired_at: Instant | None
    superseded_by: str | None
    source: MemorySource
    merged_sources: list[MemorySource] = Field(
        default_factory=list, description="Of memories that said the same and were merged into this one."
    )
    version: int
    accesses: int
    tags: list[str]
    metadata: dict[str, Any]
    expires_at: Instant | None
    operation_id: str | None


class MemoryVersionRead(Contract):
    """A version of a memory, and why there is a newer one."""

    version: int
    content: str
    kind: MemoryKind
    confidence: float
    importance: float
    valid_from: Instant
    valid_to: Instant | None
    tags: list[str]
    metadata: dict[str, Any]
    expires_at: Instant | None
    recorded_at: Instant
    retired_at: Instant | None
    reason: str | None = Field(description="Why this version was replaced, if somebody said so.")
    changed_by: str | None = Field(description="Who replaced it: a user, an API key or an operation.")


class RecallRequest(RequestBody):
    """A question to the memories of one space."""

    query: str = Field(min_length=1, max_length=10_000, description="A question, or a few words.")
    space: SpaceName = "default"
    limit: int = Field(default=10, ge=1, le=100)
    mode: RecallMode = Field(
        default=RecallMode.HYBRID,
        description="`hybrid` weighs all that is known; the others are there to compare with.",
    )
    subject: Name | None = Field(default=None, description="Only memories of this subject.")
    as_of: GivenInstant | None = Field(default=None, description="What was true then.")
    known_at: GivenInstant | None = Field(default=None, description="What was known then.")
    filters: dict[str, Any] | None = Field(
        default=None,
        description=(
            "Which memories count. Fields: `metadata.<path>`, `tags`, kind, subject, speaker, role, session_id, "
            "external_id, valid_from, valid_to, recorded_at, confidence, importance, memory_id. Operators: eq, ne, "
            "in, gt, gte, lt, lte, contains, exists; joined by and, or, not."
        ),
        examples=[{"kind": "evidence", "valid_from": {"gte": "2025-01-01"}}],
    )
    session_id: SessionId | None = Field(
        default=None, description="Keep the question and its hits under this session."
    )
    min_score: float = Field(default=0.0, ge=0.0, le=1.0, description="Leave out what scores below.")
    graph: bool = Field(default=False, description="Fill `related` with what each memory is connected with.")
    explain: bool = Field(default=False, description="Fill `terms` with the parts of each score.")

    _then = field_validator("as_of", "known_at")(_dated)

    @field_validator("query")
    @classmethod
    def _says_something(cls, value: str) -> str:
        if not value.strip():
            msg = "the query is blank; say what to look for"
            raise ValueError(msg)
        return value


class RecallOutcome(StrEnum):
    """Whether there is an answer, and if not, why."""

    FOUND = "found"
    NOTHING_RELEVANT = "nothing_relevant"
    NOTHING_STORED = "nothing_stored"


class RelatedMemory(Contract):
    """A memory that another one is connected with."""

    id: str
    relation: Literal["similar", "supports", "contradicts", "follows", "part_of", "mentions"]
    direction: Literal["out", "in"] = Field(
        description="`out`: the memory asked for follows, supports … this one; `in`: the other way round."
    )
    weight: float = Field(description="How sure it is, 0 to 1.")
    content: str
    speaker: str | None


class RelatedMemories(Contract):
    """What a memory is connected with, the stronger first."""

    items: list[RelatedMemory]


class RecallHit(Contract):
    """A memory that answers, and where it comes from."""

    id: str
    content: str
    kind: MemoryKind
    subject: str | None
    speaker: str | None
    external_id: str | None
    session_id: str | None
    score: float = Field(description="0 to 1; the same memories and query always get the same score.")
    terms: list[ScoreTerm] = Field(default_factory=list)
    source: MemorySource
    valid_from: Instant
    valid_to: Instant | None
    related: list[RelatedMemory] = Field(
        default_factory=list, description="With `graph`, what it is connected with."
    )


class RecallAnswer(Contract):
    """Memories, best first."""

    items: list[RecallHit]
    outcome: RecallOutcome
    took_ms: float
    notice: str | None = Field(
        default=None,
        description="Why the answer may lack something, such as a query that could not be embedded.",
    )


class ForgetCreate(RequestBody):
    """What is to be forgotten, for good: exactly one of `ids`, `text`, `subject` and `query`."""

    model_config = ConfigDict(
        json_schema_extra=_one_of(
            text={"type": "string"},
            ids={"type": "array"},
            subject={"type": "string"},
            query={"type": "string"},
        )
    )

    space: SpaceName = "default"
    ids: list[Id] | None = Field(default=None, min_length=1, max_length=1_000)
    text: str | None = Field(
        default=None, min_length=1, max_length=10_000, description="The exact text, whoever said it."
    )
    subject: Name | None = Field(default=None, description="All that is remembered about it.")
    query: str | None = Field(
        default=None,
        min_length=1,
        max_length=10_000,
        description="What recall finds for it; look with `/forget/preview` first.",
    )
    limit: int = Field(default=10, ge=1, le=100, description="For `query`: at most so many.")
    min_score: Unit = Field(default=0.0, description="For `query`: only what scores so much.")
    reason: str | None = Field(default=None, max_length=500, description="Why; kept in the receipt.")

    @model_validator(mode="after")
    def _one_choice(self) -> "ForgetCreate":
        given = [name for name in ("ids", "text", "subject", "query") if getattr(self, name) is not None]
        if len(given) != 1:
            msg = f"give exactly one of ids, text, subject, query; got {given or 'none'}"
            raise ValueError(msg)
        return self


class ForgetPreview(Contract):
    """What would be forgotten."""

    items: list[MemoryRead] = Field(description="The first hundred.")
    total: int


class SessionHit(Contract):
    """A memory that a question found."""

    id: str
    score: float


class SessionRecall(Contract):
    """A question that was asked in a session."""

    id: str
    query: str
    mode: RecallMode
    outcome: RecallOutcome
    hits: list[SessionHit]
    took_ms: float
    asked_at: Instant


# What workflows and activities tell each other. Texts stay in the database: nothing below holds any.


class RememberInput(OperationInput):
    """Input of `Remember`; what is to be remembered is in the database, under the operation's id."""

    space_id: str
    subject_key: str = Field(description="The subject's digest: whose writer it is.")


class MemoryJob(Contract):
    """A step of `Remember`."""

    organisation_id: str
    operation_id: str
    space_id: str
    subject_key: str = ""
    workflow_id: str = ""


class PreparedMemories(Contract):
    """How many memories a request becomes, and whether a language model is to draw facts from them."""

    count: int
    extracts: bool = False


class FactJob(Contract):
    """A step of `Remember`: facts out of what it has written, from a memory on."""

    organisation_id: str
    operation_id: str
    space_id: str
    after: str = ""


class ExtractedFacts(Contract):
    """How many facts were added; without a place `after` which to go on, that was all, or `missing` says why."""

    count: int = 0
    after: str | None = None
    missing: str | None = None


class WriteRequest(Contract):
    """What the writer of a subject is told: which operation waits, and the workflow to tell when it is done."""

    operation_id: str
    workflow_id: str


class WriteMemoriesInput(Contract):
    """Input of `WriteMemories`; `requests` are those that came before it continued as new."""

    organisation_id: str
    space_id: str
    requests: list[WriteRequest] = Field(default_factory=list)


class WriteJob(Contract):
    """Some requests of one subject, written in one transaction."""

    organisation_id: str
    space_id: str
    operation_ids: list[str]


class RememberResult(Contract):
    """What became of a request. `memory_ids` names the first hundred."""

    remembered: int = Field(description="Memories that are new.")
    corrected: int = Field(
        default=0, description="Memories that took the place of what their id said before."
    )
    duplicates: int = Field(default=0, description="Pieces that were remembered already.")
    recalled: int = Field(default=0, description="Pieces that had just been recalled, and came back.")
    forgotten: int = Field(default=0, description="Pieces that were to be forgotten, and stay so.")
    facts: int = Field(
        default=0, description="Facts that a language model drew from what was said; memories besides those."
    )
    facts_missing: str | None = Field(
        default=None, description="Why a language model that is configured has drawn none, or not from all."
    )
    memory_ids: list[str] = Field(default_factory=list)


class WrittenMemories(Contract):
    """Outcomes by operation."""

    outcomes: dict[str, RememberResult]


class ForgetInput(OperationInput):
    """Input of `Forget`; what is to be forgotten is in the database, under the operation's id."""

    space_id: str


class ForgetResult(Contract):
    """The receipt: what went, by kind, and that it will not come back. It holds no text."""

    forgotten: int = Field(description="Memories that went, with all their versions and vectors.")
    versions: int = Field(description="Rows that they were: each memory, and its versions before.")
    vectors: int
    relations: int
    changes: int
    tombstones: int = Field(description="Texts that are not remembered again.")
    memory_ids: list[str] = Field(description="The first hundred that went.")
    missing: int = Field(default=0, description="Of the ids that were given, those that named nothing.")
    reason: str | None = None


class ImportSource(Contract):
    """Where the lines are."""

    object_key: str


class ImportMemoriesInput(OperationInput):
    """Input of `ImportMemories`; a run that continues another begins at `position`."""

    space_id: str
    source: ImportSource
    position: int = 0
    line: int = 0
    result: "ImportMemoriesResult | None" = None


class ImportJob(Contract):
    """A page of an import: lines from a byte of the file on."""

    organisation_id: str
    operation_id: str
    space_id: str
    object_key: str
    position: int = 0
    line: int = 0


class RefusedLine(Contract):
    """A line that is no memory."""

    line: int = Field(description="Its number, from 1.")
    detail: str


class ImportedPage(Contract):
    """What became of a page; without a `position` it was the last one."""

    position: int | None
    size_bytes: int
    line: int
    remembered: int = 0
    corrected: int = 0
    duplicates: int = 0
    recalled: int = 0
    forgotten: int = 0
    refused: int = 0
    refusals: list[RefusedLine] = Field(default_factory=list)


class ImportMemoriesResult(Contract):
    """What became of all lines. `refusals` names the first twenty that were no memories."""

    lines: int = 0
    remembered: int = 0
    corrected: int = 0
    duplicates: int = 0
    recalled: int = 0
    forgotten: int = 0
    refused: int = 0
    refusals: list[RefusedLine] = Field(default_factory=list)
