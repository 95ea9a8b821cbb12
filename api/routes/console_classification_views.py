"""How the console shows classifications: answers with what they rest on, workflows, batches and forms."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from api.routes.console_label_text import depths, labels_of, text_of
from api.routes.console_marked_text import (
    MOST_CHARACTERS,
    Entity,
    LegendEntry,
    Run,
    entity_label,
    legend,
    marked_text,
)
from api.routes.console_words import Look, words
from perdure.domain.dollars import dollars
from perdure.domain.outlines import line_of
from perdure.schemas.classification import (
    Below,
    CategoryRead,
    ClassificationRead,
    Decision,
    EntityRead,
    EvidenceRead,
    ItemReason,
    LabelGiven,
    ResultStatus,
    ResultSummary,
    SentimentRead,
    Stage,
    StageGiven,
    VersionRead,
    WorkflowRead,
)
from perdure.schemas.reasons import TEXT_EXPLANATIONS, Explanation

STAGES: dict[Stage, tuple[str, str]] = {
    Stage.CATEGORY: ("Category", "Which of the labels fits, and how sure that is."),
    Stage.SENTIMENT: ("Sentiment", "Whether it is meant well, badly, or neither."),
    Stage.ENTITIES: ("Entities", "Amounts, dates, addresses, numbers and names, to the character."),
    Stage.SUMMARY: ("Outline", "Its own sentences that name topics, decisions and actions."),
}

BELOWS: dict[Below, str] = {
    Below.HUMAN_REVIEW: "a person is asked",
    Below.ESCALATE_TO_LLM: "a language model is asked",
    Below.NEXT_STAGE: "the next stage is asked",
}

PROVIDERS = {
    "local": "Built in",
    "openai": "OpenAI",
    "anthropic": "Anthropic",
    "openai_compatible": "OpenAI-compatible",
}

DECISION_LOOKS: dict[Decision, Look] = {
    Decision.AUTO: Look("Decided automatically", "check-circle", "success"),
    Decision.HUMAN_REVIEW: Look("For a person", "hand", "violet"),
}

RESULT_LOOKS: dict[ResultStatus, Look] = {
    ResultStatus.QUEUED: Look("Queued", "clock", "neutral"),
    ResultStatus.SCORED: Look("Waits for the rest", "clock", "neutral"),
    ResultStatus.ESCALATED: Look("A model is asked", "loader", "info", spins=True),
    ResultStatus.DECIDED: Look("Decided", "check-circle", "success"),
    ResultStatus.OPEN: Look("Waits for a person", "hand", "violet"),
    ResultStatus.REVIEWED: Look("Reviewed", "user", "success"),
    ResultStatus.FAILED: Look("Failed", "x-circle", "danger"),
}

_FEELINGS = {
    "positive": Look("Positive", "check-circle", "success"),
    "negative": Look("Negative", "minus-circle", "danger"),
    "neutral": Look("Neutral", "minus-circle", "neutral"),
    "mixed": Look("Mixed", "sliders", "warning"),
}

# The API gives so much of a text.
_SHOWN_OF_TEXTS = 10_000

_OUTLINE = (("topics", "Topics"), ("decisions", "Decisions"), ("actions", "Actions"))


@dataclass(frozen=True)
class Sure:
    """A label and how sure it is."""

    label: str
    confidence: float

    @property
    def percent(self) -> str:
        """Rounded down: 100 % is certain."""
        return f"{int(self.confidence * 1000 + 1e-6) / 10:g} %"


@dataclass(frozen=True)
class OutlineLine:
    """A sentence of the text, and where in a recording it was said."""

    text: str
    said_at: str


@dataclass(frozen=True)
class AnswerView:
    """A text with everything that was found out about it."""

    read: ClassificationRead
    document_title: str | None = None
    document_text: str | None = None

    @property
    def text(self) -> str | None:
        """What was classified."""
        return self.read.text if self.read.document_id is None else self.document_text

    @property
    def look(self) -> Look:
        """Its status as a badge; a decided one says who decided."""
        if self.read.status is ResultStatus.DECIDED and self.read.decision:
            return DECISION_LOOKS[self.read.decision]
        return RESULT_LOOKS[self.read.status]

    @property
    def is_open(self) -> bool:
        """Whether an answer is still to come."""
        return self.read.status in (ResultStatus.QUEUED, ResultStatus.SCORED, ResultStatus.ESCALATED)

    @property
    def waits(self) -> bool:
        """Whether a person is asked."""
        return self.read.status is ResultStatus.OPEN

    @property
    def category(self) -> CategoryRead | None:
        """The answer of the stage that gives labels."""
        return self.read.stages.category

    @property
    def sures(self) -> list[Sure]:
        """The labels that were chosen, the surest first; without several, the one."""
        category = self.category
        if category is None:
            return []
        if category.labels:
            return [Sure(each.label, each.confidence) for each in category.labels]
        return [Sure(category.label, category.confidence)] if category.label is not None else []

    @property
    def alternatives(self) -> list[Sure]:
        """What else it might be."""
        category = self.category
        return [Sure(each.label, each.confidence) for each in category.alternatives] if category else []

    @property
    def proposed(self) -> list[Sure]:
        """What a person can choose from at once, the surest first."""
        seen: dict[str, Sure] = {}
        if self.category is None and self.sentiment is not None:
            return [Sure(self.sentiment.label, self.sentiment.confidence)]
        for each in (*self.sures, *self.alternatives):
            seen.setdefault(each.label, each)
        return list(seen.values())

    @property
    def sentiment(self) -> SentimentRead | None:
        """The answer of that stage."""
        return self.read.stages.sentiment

    @property
    def feeling(self) -> Look | None:
        """The sentiment as a badge."""
        if self.sentiment is None:
            return None
        return _FEELINGS.get(self.sentiment.label, Look(words(self.sentiment.label), "info", "neutral"))

    @property
    def entities(self) -> Sequence[EntityRead]:
        """What is named in the text."""
        return self.read.stages.entities or []

    @property
    def named(self) -> list[tuple[str, EntityRead]]:
        """The same with their types in words."""
        return [(entity_label(each.type), each) for each in self.entities]

    @property
    def evidence(self) -> Sequence[EvidenceRead]:
        """What speaks for the label."""
        return self.category.evidence if self.category else []

    @property
    def legend(self) -> list[LegendEntry]:
        """Types of what is named."""
        return legend(_entities(self.entities))

    @property
    def runs(self) -> list[Run]:
        """The text with its marks; nothing where it is gone."""
        if not self.text:
            return []
        passages = [(each.start, each.end) for each in self.evidence]
        return marked_text(self.text, _entities(self.entities), passages)

    @property
    def is_cut(self) -> bool:
        """Whether only the beginning of the text is shown."""
        shown = MOST_CHARACTERS if self.read.document_id else _SHOWN_OF_TEXTS
        return self.text is not None and len(self.text) >= shown

    @property
    def outline(self) -> list[tuple[str, list[OutlineLine]]]:
        """Headings with sentences; a heading without any is left out."""
        summary = self.read.stages.summary or {}
        found = [(title, _outline_lines(summary.get(key))) for key, title in _OUTLINE]
        return [(title, lines) for title, lines in found if lines]

    @property
    def asked_outline(self) -> bool:
        """Whether an outline was asked for, even if nothing was found."""
        return self.read.stages.summary is not None

    @property
    def asked_entities(self) -> bool:
        """Whether entities were asked for, even if none were found."""
        return self.read.stages.entities is not None

    @property
    def made_by(self) -> str:
        """Who gave the answer."""
        provider = PROVIDERS.get(self.read.provider or "local", self.read.provider or "local")
        return f"{provider}, {self.read.model}" if self.read.model else provider

    @property
    def cost(self) -> str | None:
        """What it cost, where a model was asked."""
        if not (self.read.tokens.input or self.read.tokens.output):
            return None
        return dollars(self.read.cost) if self.read.cost is not None else "price not known"

    @property
    def why(self) -> Explanation | None:
        """Why there is no answer."""
        return explained(self.read.reason)


@dataclass(frozen=True)
class ResultView:
    """A result in a table."""

    read: ResultSummary
    document_title: str | None = None

    @property
    def look(self) -> Look:
        """Its status as a badge."""
        return RESULT_LOOKS[self.read.status]

    @property
    def sure(self) -> Sure | None:
        """Its confidence."""
        if self.read.confidence is None:
            return None
        return Sure(self.read.label or "", self.read.confidence)

    @property
    def name(self) -> str:
        """What it is called: its document, the caller's id, or how it begins."""
        return (
            self.document_title
            or self.read.external_id
            or self.read.excerpt
            or f"No. {self.read.ordinal + 1}"
        )

    @property
    def begins(self) -> str | None:
        """How its text begins, where that is not its name."""
        return self.read.excerpt if self.read.excerpt != self.name else None

    @property
    def label(self) -> str:
        """All its labels in a line."""
        return ", ".join(self.read.labels) or self.read.label or ""

    @property
    def why(self) -> Explanation | None:
        """Why there is no answer."""
        return explained(self.read.reason)


@dataclass(frozen=True)
class Figure:
    """A number above a list."""

    label: str
    value: str
    icon: str
    tone: str = ""
    note: str = ""


@dataclass(frozen=True)
class LabelLine:
    """A label in a list, as deep as it lies in its hierarchy."""

    label: LabelGiven
    depth: int


@dataclass(frozen=True)
class StageView:
    """A stage of a version, in words."""

    stage: StageGiven

    @property
    def name(self) -> str:
        """Its task."""
        return STAGES[self.stage.task][0]

    @property
    def provider(self) -> str:
        """Who is asked, and who after them."""
        asked = PROVIDERS.get(self.stage.provider, self.stage.provider)
        named = f"{asked}, {self.stage.model}" if self.stage.model else asked
        return ", then ".join([named, *(PROVIDERS.get(each, each) for each in self.stage.fallbacks)])

    @property
    def rule(self) -> str:
        """When an answer is sure enough, and what happens when it is not."""
        below = BELOWS[self.stage.below]
        if self.stage.target_accuracy is not None:
            return (
                f"{_percent(self.stage.target_accuracy)} right of what is decided automatically; else {below}"
            )
        if self.stage.threshold is not None:
            return f"From a confidence of {_percent(self.stage.threshold)} on; else {below}"
        return "Every answer is decided automatically"

    @property
    def labels(self) -> list[LabelLine]:
        """Its labels, each below the one that it is part of."""
        found = depths(self.stage.labels)
        in_order = labels_of(text_of(self.stage.labels))
        known = {label.name: label for label in self.stage.labels}
        return [LabelLine(known.get(one.name, one), found.get(one.name, 0)) for one in in_order]


@dataclass(frozen=True)
class WorkflowVersionView:
    """A version of a workflow in its history."""

    version: VersionRead

    @property
    def compared(self) -> str | None:
        """Its accuracy on the frozen set, beside the one that was active then."""
        comparison = self.version.comparison
        if comparison is None or comparison.accuracy is None or not comparison.n:
            return None
        own = f"{_percent(comparison.accuracy)} of {comparison.n:,} right"
        if comparison.before is None:
            return own
        return f"{own}, version {comparison.before_version}: {_percent(comparison.before)}"

    @property
    def change(self) -> Look | None:
        """Whether it is better than the one before."""
        comparison = self.version.comparison
        if comparison is None or comparison.accuracy is None or comparison.before is None:
            return None
        points = 100 * (comparison.accuracy - comparison.before)
        if abs(points) < 0.05:
            return Look("As good", "check", "neutral")
        if points > 0:
            return Look(f"{points:+.1f} points", "check-circle", "success")
        return Look(f"\u2212{-points:.1f} points", "alert", "warning")

    @property
    def stages(self) -> list[StageView]:
        """What it asks."""
        return [StageView(stage) for stage in self.version.stages]


def explained(reason: str | None) -> Explanation | None:
    """A reason in plain words."""
    return TEXT_EXPLANATIONS[ItemReason(reason)] if reason else None


def workflow_names(workflows: Sequence[WorkflowRead]) -> dict[str, str]:
    """Names by id, for forms."""
    return {workflow.id: workflow.name for workflow in workflows}


def _entities(found: Sequence[EntityRead]) -> list[Entity]:
    return [
        Entity(
            each.type,
            each.start,
            each.end,
            "" if str(each.value) == each.text else str(each.value),
            each.confidence,
        )
        for each in found
    ]


def _outline_lines(items: Any) -> list[OutlineLine]:
    lines = []
    for item in items if isinstance(items, list) else []:
        if isinstance(item, str):
            lines.append(OutlineLine(item, ""))
        elif isinstance(item, Mapping) and isinstance(item.get("text"), str):
            lines.append(OutlineLine(line_of(item), _said_at(item)))
    return lines


def _said_at(item: Mapping[str, Any]) -> str:
    seconds, speaker = item.get("at_seconds"), item.get("speaker")
    clock = f"{int(seconds) // 60}:{int(seconds) % 60:02d}" if isinstance(seconds, int | float) else ""
    return ", ".join(part for part in (str(speaker) if speaker else "", clock) if part)


def _percent(share: float) -> str:
    return f"{100 * share:.1f}".removesuffix(".0") + " %"
