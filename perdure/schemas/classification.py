"""Classification, as HTTP and the workflows see it."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, PlainSerializer, StringConstraints, field_validator, model_validator

from perdure.domain.approval_policies import parse_policy
from perdure.domain.clean_text import is_blank
from perdure.domain.deciding import Below, Decision, ResultStatus, Stage
from perdure.domain.roles import Role
from perdure.errors import InvalidInputError
from perdure.schemas.base import Contract, Id, Instant, RequestBody
from perdure.schemas.documents import ExternalId, LanguageTag
from perdure.schemas.operations import OperationInput

# These are what the rules are about; here they are what callers say.
__all__ = ["Below", "Decision", "ResultStatus", "Stage"]

MAX_TEXT = 1_000_000
MAX_ITEMS = 10_000
MAX_LABELS = 1_000
MAX_LABEL_EXAMPLES = 200
# All labels together: a set of labels is embedded as a whole before the first text is.
MAX_EXAMPLES = 2_000
MAX_EXAMPLE = 10_000
MAX_EXAMPLE_CHARACTERS = 2_000_000

LabelName = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]
WorkflowName = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]
Region = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
Unit = Annotated[float, Field(ge=0.0, le=1.0)]
TargetAccuracy = Annotated[float, Field(ge=0.5, le=0.999)]
Provider = Literal["local", "openai", "anthropic", "openai_compatible"]
Dollars = Annotated[Decimal, PlainSerializer(float, return_type=float, when_used="json")]


class ItemStatus(StrEnum):
    """What became of an item of a batch; `failed` is that of all batches."""

    DECIDED = "decided"
    HUMAN_REVIEW = "human_review"


class ItemReason(StrEnum):
    """Why a text has no answer."""

    EMPTY_TEXT = "empty_text"
    TOO_LONG = "too_long"
    DOCUMENT_NOT_FOUND = "document_not_found"
    DOCUMENT_NOT_INDEXED = "document_not_indexed"
    DOCUMENT_WITHOUT_TEXT = "document_without_text"
    CONTENT_REFUSED = "content_refused"
    BAD_ANSWER = "bad_answer"
    PROVIDER_FAILED = "provider_failed"
    CANCELLED = "cancelled"
    TERMINATED = "terminated"
    INTERNAL_ERROR = "internal_error"


class LabelGiven(RequestBody):
    """A label that texts can get."""

    name: LabelName
    description: str = Field(
        default="", max_length=2_000, description="One line; written for common labels when it is absent."
    )
    examples: list[Annotated[str, StringConstraints(min_length=1, max_length=MAX_EXAMPLE)]] = Field(
        default_factory=list, max_length=MAX_LABEL_EXAMPLES, description="Texts that have this label."
    )
    parent: LabelName | None = Field(default=None, description="Name of the label that this one is part of.")


def leaves_of(labels: Sequence[LabelGiven]) -> list[str]:
    """Names of the labels that texts can get: those that no other is part of."""
    parents = {label.parent for label in labels}
    return [label.name for label in labels if label.name not in parents]


def check_labels(labels: Sequence[LabelGiven], *, multi_label: bool) -> None:
    """Refuse a set of labels that no text could be told apart by."""
    parents: dict[str, str | None] = {}
    seen: set[str] = set()
    for label in labels:
        key = " ".join(label.name.casefold().split())
        if key in seen:
            msg = f"the label '{label.name}' is given twice"
            raise ValueError(msg)
        seen.add(key)
        parents[label.name] = label.parent
    if len(leaves_of(labels)) < (1 if multi_label else 2):
        msg = "give at least one label" if multi_label else "give at least two labels to choose between"
        raise ValueError(msg)
    for name, parent in parents.items():
        if parent is not None and parent not in parents:
            msg = f"the label '{name}' names the parent '{parent}', which is no label"
            raise ValueError(msg)
    for name, parent in parents.items():
        passed, at = {name}, parent
        while at is not None:
            if at in passed:
                msg = f"the label '{name}' is its own ancestor"
                raise ValueError(msg)
            passed.add(at)
            at = parents[at]
    examples = [example for label in labels for example in label.examples]
    if len(examples) > MAX_EXAMPLES or sum(map(len, examples)) > MAX_EXAMPLE_CHARACTERS:
        msg = (
            f"more than {MAX_EXAMPLES:,} examples, or {MAX_EXAMPLE_CHARACTERS:,} characters of them, in all; "
            "give the clearest ones"
        )
        raise ValueError(msg)


class StageGiven(RequestBody):
    """A stage of a classification workflow: what is asked, of whom, and how sure the answer has to be.

    Stages run in order. One that asks the same as a stage before is reached only where that was not sure enough and
    says `next_stage`.
    """

    task: Stage
    labels: list[LabelGiven] = Field(default_factory=list, max_length=MAX_LABELS)
    multi_label: bool = Field(default=False, description="A text may have several labels, or none.")
    applies_from: Unit | None = Field(
        default=None,
        description="With `multi_label`: a label applies from this confidence on; without it, from 0.4 on.",
    )
    provider: Provider = Field(
        default="local", description="Who is asked: the built-in method, or a model that a key is there for."
    )
    model: str | None = Field(default=None, max_length=200, description="Default: as routed.")
    fallbacks: list[Provider] = Field(
        default_factory=list, max_length=4, description="Who is asked, in order, when the provider fails."
    )
    threshold: Unit | None = Field(default=None, description="What is less sure than this is `below`.")
    target_accuracy: TargetAccuracy | None = Field(
        default=None, description="In place of a threshold: so many of the automatic answers are to be right."
    )
    below: Below = Below.HUMAN_REVIEW

    @model_validator(mode="after")
    def _meaningful(self) -> "StageGiven":
        if self.task is Stage.CATEGORY:
            check_labels(self.labels, multi_label=self.multi_label)
        elif self.labels or self.multi_label or self.applies_from is not None:
            msg = f"a stage '{self.task.value}' has no labels; only 'category' has"
            raise ValueError(msg)
        if self.task is not Stage.CATEGORY and (
            self.provider != "local" or self.fallbacks or self.below is not Below.HUMAN_REVIEW
        ):
            msg = f"a stage '{self.task.value}' is local: `provider`, `fallbacks` and `below` are for 'category'"
            raise ValueError(msg)
        if self.task is not Stage.CATEGORY and self.target_accuracy is not None:
            msg = f"a stage '{self.task.value}' has no `target_accuracy`; only 'category' has"
            raise ValueError(msg)
        if self.task in (Stage.ENTITIES, Stage.SUMMARY) and self.threshold is not None:
            msg = f"a stage '{self.task.value}' has no threshold"
            raise ValueError(msg)
        if self.threshold is not None and self.target_accuracy is not None:
            msg = "give `threshold` or `target_accuracy`, not both"
            raise ValueError(msg)
        if self.applies_from is not None and not self.multi_label:
            msg = "`applies_from` is for `multi_label`"
            raise ValueError(msg)
        return self


class ReviewGiven(RequestBody):
    """Who is asked about what is not sure enough: for each such text an approval is opened.

    Its stages ask for the label in their form; the label of one that passes becomes the result's, and an example.
    """

    policy: dict[str, Any] = Field(description="An approval policy, as `POST /api/v1/approvals` takes it.")

    @field_validator("policy")
    @classmethod
    def _understood(cls, value: dict[str, Any]) -> dict[str, Any]:
        try:
            parse_policy(value, "", [role.value for role in Role])
        except InvalidInputError as error:
            told = "; ".join(f"{fault.pointer} {fault.detail}" for fault in error.errors[:10])
            raise ValueError(told or str(error)) from error
        return value


class Definition(Contract):
    """What a classification is made by: the stages of a workflow's version, or of a single request."""

    stages: list[StageGiven]
    region: str | None = None
    language: str | None = None
    evidence: bool = True
    review: ReviewGiven | None = None

    def category(self) -> StageGiven | None:
        """The first stage that gives labels."""
        return next((stage for stage in self.stages if stage.task is Stage.CATEGORY), None)


class Questions(Definition):
    """What an operation asks about its texts: a definition, and from which confidence on each stage is sure."""

    sure_from: list[float | None] = Field(default_factory=list, description="By stage; null: always sure.")
    is_deferred: bool = Field(
        default=False, description="The first category's is found when all of the batch have an answer."
    )
    workflow_id: str | None = None
    version: int | None = None
    learnt_until: datetime | None = Field(
        default=None, description="Reviewers' answers up to then are examples."
    )
    calibration: dict[str, float] | None = None
    model_calibrations: dict[str, dict[str, float]] = Field(
        default_factory=dict, description="Of models that people have judged often enough, by provider/model."
    )


class _Asked(RequestBody):
    """What is asked about texts: a workflow, or the labels of this one request."""

    workflow_id: Id | None = Field(default=None, description="Classify as this workflow says.")
    labels: list[LabelGiven] = Field(
        default_factory=list,
        max_length=MAX_LABELS,
        description="Without a workflow: the labels to choose from.",
    )
    multi_label: bool = Field(default=False, description="A text may have several labels, or none.")
    applies_from: Unit | None = Field(
        default=None,
        description="With `multi_label`: a label applies from this confidence on; without it, from 0.4 on.",
    )
    stages: list[Stage] = Field(default_factory=lambda: [Stage.CATEGORY], min_length=1, max_length=4)
    threshold: Unit | None = Field(default=None, description="What is less sure goes to a person.")
    target_accuracy: TargetAccuracy | None = Field(
        default=None, description="In place of a threshold: so many of the automatic answers are to be right."
    )
    region: Region | None = Field(
        default=None, description="ISO 3166 code; for telephone numbers and addresses."
    )
    language: LanguageTag | None = Field(default=None, description="BCP 47 tag; detected when absent.")
    evidence: bool = Field(default=True, description="Look for the passages that speak for the label.")

    @model_validator(mode="after")
    def _one_definition(self) -> "_Asked":
        if self.workflow_id is not None:
            own = {
                "labels", "multi_label", "applies_from", "stages", "threshold", "target_accuracy",
            } & self.model_fields_set  # fmt: skip
            if own:
                msg = f"the workflow says this already: leave out {', '.join(sorted(own))}"
                raise ValueError(msg)
            return self
        if len(set(self.stages)) != len(self.stages):
            msg = "a stage is named twice"
            raise ValueError(msg)
        if Stage.CATEGORY in self.stages:
            check_labels(self.labels, multi_label=self.multi_label)
        elif self.labels:
            msg = "labels are for the stage 'category', which is not asked for"
            raise ValueError(msg)
        if self.threshold is not None and self.target_accuracy is not None:
            msg = "give `threshold` or `target_accuracy`, not both"
            raise ValueError(msg)
        if self.target_accuracy is not None and Stage.CATEGORY not in self.stages:
            msg = "`target_accuracy` is for the stage 'category', which is not asked for"
            raise ValueError(msg)
        if self.applies_from is not None and not (self.multi_label and Stage.CATEGORY in self.stages):
            msg = "`applies_from` is for the stage 'category' with `multi_label`"
            raise ValueError(msg)
        return self

    def definition(self) -> Definition:
        """What is asked without a workflow, in the form of one."""
        # The stage that can be unsure is the one that a threshold is about.
        unsure = next((stage for stage in self.stages if stage in (Stage.CATEGORY, Stage.SENTIMENT)), None)
        return Definition(
            stages=[
                StageGiven(
                    task=stage,
                    labels=self.labels if stage is Stage.CATEGORY else [],
                    multi_label=self.multi_label and stage is Stage.CATEGORY,
                    applies_from=self.applies_from if stage is Stage.CATEGORY else None,
                    threshold=self.threshold if stage is unsure else None,
                    target_accuracy=self.target_accuracy if stage is Stage.CATEGORY else None,
                )
                for stage in self.stages
            ],
            region=self.region,
            language=self.language,
            evidence=self.evidence,
        )


class StepQuestions(_Asked):
    """What a classification step of a document workflow asks. A label may be given by its name alone."""

    @field_validator("labels", mode="before")
    @classmethod
    def _by_name(cls, value: Any) -> Any:
        if not isinstance(value, list):
            return value
        return [{"name": one} if isinstance(one, str) else one for one in value]


def _has_text(value: str | None) -> str | None:
    if value is not None and is_blank(value):
        msg = "the text is blank; give something to classify"
        raise ValueError(msg)
    return value


class ClassificationCreate(_Asked):
    """A text or a document to classify; exactly one of them."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [
                {"required": ["text"], "properties": {"text": {"type": "string"}}},
                {"required": ["document_id"], "properties": {"document_id": {"type": "string"}}},
            ]
        }
    )

    text: str | None = Field(default=None, min_length=1, max_length=MAX_TEXT)
    document_id: Id | None = None
    external_id: ExternalId | None = Field(default=None, description="Your id of it; stands in the result.")

    _text = field_validator("text")(_has_text)

    @model_validator(mode="after")
    def _one_subject(self) -> "ClassificationCreate":
        if (self.text is None) == (self.document_id is None):
            msg = "give `text` or `document_id`, exactly one of them"
            raise ValueError(msg)
        return self


class ClassificationItem(RequestBody):
    """One of a batch. What is wrong with it is its own outcome, and never stops the rest."""

    text: str | None = None
    document_id: str | None = Field(default=None, max_length=200)
    external_id: ExternalId | None = None

    @model_validator(mode="after")
    def _one_subject(self) -> "ClassificationItem":
        if (self.text is None) == (self.document_id is None):
            msg = "give `text` or `document_id`, exactly one of them"
            raise ValueError(msg)
        return self


class BatchCreate(_Asked):
    """Texts and documents to classify alike."""

    items: list[ClassificationItem] = Field(min_length=1, max_length=MAX_ITEMS)
    evidence: bool = Field(
        default=False,
        description="Look for the passages that speak for each label. It takes about as long again as the labels do.",
    )


class Alternative(Contract):
    """A label that was not chosen, or one of several, and how sure it is."""

    label: str
    confidence: float


class EvidenceRead(Contract):
    """A passage that speaks for the label."""

    text: str
    start: int
    end: int
    score: float


class CategoryRead(Contract):
    """The label, how sure it is, the runners-up, and what speaks for it."""

    label: str | None = Field(
        default=None, description="Null where several labels are possible and none applies."
    )
    confidence: float
    is_calibrated: bool = Field(
        default=True,
        description="Of answers that are so sure, so many are right. False: it is what a model says of itself.",
    )
    none_fits: float | None = Field(
        default=None,
        description="Probability that no label of the set fits, by the built-in method; null of a model's answer.",
    )
    labels: list[Alternative] = Field(
        default_factory=list, description="With `multi_label`: all that apply, the surest first."
    )
    path: list[str] = Field(default_factory=list, description="With parents: from the top down to the label.")
    alternatives: list[Alternative] = Field(default_factory=list)
    evidence: list[EvidenceRead] = Field(default_factory=list)
    provider: str = "local"
    model: str | None = None


class SentimentRead(Contract):
    """How it is meant: polarity from -1 to 1."""

    polarity: float
    label: str
    confidence: float


class EntityRead(Contract):
    """Something that is named, to the character, and its normalised value."""

    type: str
    text: str
    value: Any
    start: int
    end: int
    confidence: float


class StagesRead(Contract):
    """The answers of the stages that were asked for."""

    category: CategoryRead | None = None
    sentiment: SentimentRead | None = None
    entities: list[EntityRead] | None = None
    summary: dict[str, Any] | None = Field(
        default=None, description="An outline made of the text's own sentences: topics, decisions, actions."
    )


class TokensRead(Contract):
    """What a model was given and gave back; all 0 where none was asked."""

    input: int = 0
    output: int = 0
    cached: int = 0


class ReviewRead(Contract):
    """A person's answer."""

    labels: list[str]
    comment: str | None
    reviewed_by: str
    reviewed_at: Instant


class ResultSummary(Contract):
    """A result in a list."""

    id: str
    operation_id: str
    ordinal: int = Field(description="Position in the request, from 0.")
    external_id: str | None
    document_id: str | None
    workflow_id: str | None
    version: int | None = Field(description="Of the workflow.")
    status: ResultStatus
    decision: Decision | None
    label: str | None = Field(description="A person's answer where there is one.")
    labels: list[str]
    confidence: float | None
    sentiment: str | None
    provider: str | None
    model: str | None
    tokens: TokensRead
    cost: Dollars | None = Field(description="In US dollars; null where a price is not known.")
    reason: str | None
    detail: str | None
    excerpt: str | None = Field(description="How the text begins.")
    created_at: Instant
    classified_at: Instant | None


class ClassificationRead(Contract):
    """The answer."""

    id: str
    operation_id: str
    ordinal: int
    external_id: str | None
    document_id: str | None
    workflow_id: str | None
    version: int | None
    status: ResultStatus
    stages: StagesRead
    decision: Decision | None
    label: str | None
    labels: list[str]
    provider: str | None
    model: str | None
    tokens: TokensRead
    cost: Dollars | None = Field(
        description="In US dollars; 0 where no model was asked, null when not known."
    )
    reason: str | None
    detail: str | None
    text: str | None = Field(
        description="What was classified, the first 10,000 characters; null for documents."
    )
    review: ReviewRead | None
    created_at: Instant
    classified_at: Instant | None


class ReviewCreate(RequestBody):
    """A person's answer: the right label, or, where several are possible, the right ones."""

    label: LabelName | None = None
    labels: list[LabelName] | None = Field(default=None, max_length=100)
    comment: str | None = Field(default=None, max_length=2_000)

    @model_validator(mode="after")
    def _one_answer(self) -> "ReviewCreate":
        if (self.label is None) == (self.labels is None):
            msg = "give `label` or `labels`, exactly one of them"
            raise ValueError(msg)
        return self

    def answer(self) -> list[str]:
        """The right labels."""
        return [self.label] if self.label is not None else list(dict.fromkeys(self.labels or []))


class VersionCreate(RequestBody):
    """A new version of a workflow, with what reviewers have answered. What is left out is as in the newest one."""

    stages: list[StageGiven] | None = Field(default=None, min_length=1, max_length=10)
    region: Region | None = None
    language: LanguageTag | None = None
    review: ReviewGiven | None = Field(
        default=None, description="Whom to ask by approvals; null asks nobody in particular any more."
    )
    learn: bool = Field(
        default=True, description="Add reviewers' answers, without those of the frozen set, to the examples."
    )
    note: str | None = Field(default=None, max_length=2_000, description="What is different, and why.")


class WorkflowCreate(RequestBody):
    """A classification workflow: stages that can be asked for by its id."""

    name: WorkflowName
    description: str = Field(default="", max_length=2_000)
    stages: list[StageGiven] = Field(min_length=1, max_length=10)
    region: Region | None = None
    language: LanguageTag | None = None
    review: ReviewGiven | None = Field(
        default=None,
        description="Whom to ask by approvals; without it, what is not sure waits in the review queue.",
    )


class ActivateRequest(RequestBody):
    """Which version is to be used from now on."""

    force: bool = Field(
        default=False, description="Even when it is worse on the frozen set; it is recorded who did so."
    )


class Comparison(Contract):
    """A version on the frozen set, beside the one that was active then."""

    n: int = Field(description="Texts of the frozen set.")
    accuracy: float | None = None
    before: float | None = Field(default=None, description="Of the version that was active.")
    before_version: int | None = None
    at: Instant | None = None


class VersionRead(Contract):
    """A version of a workflow. It never changes."""

    version: int
    is_active: bool
    stages: list[StageGiven]
    region: str | None
    language: str | None
    review: ReviewGiven | None = None
    note: str | None
    learnt: int = Field(description="Reviewers' answers among its examples.")
    comparison: Comparison | None
    forced: bool = Field(description="Activated although it was worse.")
    created_by: str | None
    created_at: Instant
    activated_at: Instant | None


class WorkflowRead(Contract):
    """A classification workflow and its active version."""

    id: str
    name: str
    description: str
    version: int = Field(description="The active one.")
    latest_version: int
    labels: list[str] = Field(description="Of the first stage that gives labels, the first hundred.")
    results: int = Field(description="How many texts it has classified.")
    open_reviews: int
    created_at: Instant
    updated_at: Instant
    archived_at: Instant | None


class WorkflowDetail(WorkflowRead):
    """The same, with all versions, newest first."""

    versions: list[VersionRead]


class ReliabilityBin(Contract):
    """How often answers that were so sure were right."""

    confidence: float
    accuracy: float
    count: int


class RiskCoveragePoint(Contract):
    """How many would be right if only so large a share, the surest, were decided automatically."""

    coverage: float
    accuracy: float
    threshold: float


class QualityRead(Contract):
    """How good a workflow is on what people have answered: its frozen set."""

    version: int
    n: int = Field(
        description="Texts of the frozen set; 0: nobody has answered any yet, and nothing is known."
    )
    n_sure: int = Field(
        description="Of these, those that this version would decide by itself. People mostly answer the others: "
        "the smaller this share beside `automatic_share`, the less do the figures speak of the whole."
    )
    accuracy: float | None
    accuracy_low: float | None = Field(description="Lower end of the 95 % interval.")
    accuracy_high: float | None
    ece: float | None = Field(description="Expected calibration error.")
    reliability: list[ReliabilityBin]
    risk_coverage: list[RiskCoveragePoint]
    target_accuracy: float | None
    threshold: float | None = Field(description="What is less sure goes to a person; null: nothing does.")
    automatic_share: float | None = Field(description="Of all results of this version.")
    history: list[VersionRead]


# What workflows and activities tell each other. Texts and labels stay in the database: nothing below holds any.


class ClassifyDocumentInput(OperationInput):
    """Input of `ClassifyDocument`; what is to be classified is in the database, under the operation's id."""


class ClassifyBatchInput(OperationInput):
    """Input of `ClassifyBatch`; a run that continues another begins at the item `first` of its turn."""

    total: int
    page_size: int = 1000
    pages_in_flight: int = 1
    pages_in_run: int = 20
    turn: int = Field(default=0, description="0: texts are answered here; 1: models are asked.")
    first: int = 0
    done: int = 0
    scored: int = 0
    escalated: int = 0


class ClassifyJob(Contract):
    """Some items of an operation."""

    organisation_id: str
    operation_id: str
    operation_kind: str = "classify_batch"
    first: int = 0
    last: int = 1


class ClassifiedPage(Contract):
    """What became of them: how many are done, and how many wait for the rest of the batch, or for a model."""

    done: int = 0
    scored: int = 0
    escalated: int = 0


class ClassifySettle(Contract):
    """What has no answer yet ends with this reason."""

    organisation_id: str
    operation_id: str
    reason: str
    detail: str


class ClassifyDocumentResult(Contract):
    """What became of a text. The answer itself is read from the result."""

    result_id: str
    status: ResultStatus
    decision: Decision | None = None
    reason: str | None = None
    detail: str | None = None


class ClassifyBatchResult(Contract):
    """What became of all items."""

    total: int = 0
    decided: int = Field(default=0, description="Automatically.")
    human_review: int = Field(default=0, description="Wait for a person, or had one.")
    failed: int = 0
    reasons: dict[str, int] = Field(default_factory=dict, description="Of those that failed.")
    input_tokens: int = 0
    output_tokens: int = 0
    cost: float | None = Field(default=None, description="In US dollars, as far as prices are known.")
