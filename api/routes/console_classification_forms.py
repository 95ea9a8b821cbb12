"""What the forms of classification say, as what the API takes."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import FormData

from api.routes.console_label_text import labels_of, text_of
from perdure.domain.workflow_yaml import read_yaml
from perdure.errors import InvalidInputError, MalformedRequestError, PayloadTooLargeError
from perdure.schemas.classification import Below, ReviewGiven, Stage, StageGiven, VersionRead

# A set of labels that nobody has typed yet.
START_LABELS = """Invoice: asks for payment of something that was delivered
Complaint: is not content with something
Order: wants to buy something
Question: wants to know something"""


class FormError(InvalidInputError):
    """A form that cannot be understood; says what to change."""


@dataclass(frozen=True)
class Values:
    """What stands in the fields of a form."""

    text: str = ""
    name: str = ""
    description: str = ""
    labels: str = START_LABELS
    workflow_id: str = ""
    stages: Sequence[str] = (Stage.CATEGORY.value,)
    others: Sequence[str] = ()
    multi_label: bool = False
    applies_from: str = ""
    rule: str = ""
    percent: str = ""
    below: str = Below.HUMAN_REVIEW.value
    provider: str = "local"
    region: str = ""
    learn: bool = True
    note: str = ""
    policy: str = ""
    """Whom to ask by approvals, as JSON or YAML; nobody in particular when it is empty."""


def values_of(form: FormData) -> Values:
    """What was sent. Browsers send the line breaks of a text field as CR LF."""

    def field(name: str) -> str:
        value = form.get(name, "")
        return value.replace("\r\n", "\n") if isinstance(value, str) else ""

    def fields(name: str) -> list[str]:
        return [value for value in form.getlist(name) if isinstance(value, str)]

    return Values(
        text=field("text"),
        name=field("name").strip(),
        description=field("description").strip(),
        labels=field("labels"),
        workflow_id=field("workflow_id").strip(),
        stages=fields("stages"),
        others=fields("others"),
        multi_label=field("multi_label") == "true",
        applies_from=field("applies_from").strip(),
        rule=field("rule"),
        percent=field("percent").strip(),
        below=field("below") or Below.HUMAN_REVIEW.value,
        provider=field("provider") or "local",
        region=field("region").strip().upper(),
        learn=field("learn") == "true",
        note=field("note").strip(),
        policy=field("policy").strip(),
    )


def values_of_version(version: VersionRead) -> Values:
    """The form that changes a version."""
    category = next((stage for stage in version.stages if stage.task is Stage.CATEGORY), None)
    others = [stage.task.value for stage in version.stages if stage.task is not Stage.CATEGORY]
    policy = json.dumps(version.review.policy, indent=2, ensure_ascii=False) if version.review else ""
    if category is None:
        return Values(labels="", others=others, region=version.region or "", policy=policy)
    share = category.target_accuracy if category.target_accuracy is not None else category.threshold
    return Values(
        labels=text_of(category.labels),
        others=others,
        multi_label=category.multi_label,
        applies_from="" if category.applies_from is None else f"{100 * category.applies_from:.4g}",
        rule="target" if category.target_accuracy is not None else "threshold" if share is not None else "",
        percent="" if share is None else f"{100 * share:.4g}",
        below=category.below.value,
        provider=category.provider,
        region=version.region or "",
        policy=policy,
    )


def review_of(values: Values) -> ReviewGiven | None:
    """Whom to ask about what is not sure enough; JSON is YAML, too."""
    if not values.policy:
        return None
    try:
        policy = read_yaml(values.policy)
    except (MalformedRequestError, PayloadTooLargeError) as error:
        raise FormError(f"The policy cannot be read: {error}") from None
    if not isinstance(policy, dict):
        raise FormError("The policy must be an object: begin with its stages, as the builder writes them.")
    return ReviewGiven(policy=policy)


def rule_of(values: Values) -> dict[str, float]:
    """The threshold or the target accuracy that a form asks for."""
    if values.rule not in ("target", "threshold"):
        return {}
    return {"target_accuracy" if values.rule == "target" else "threshold": _share(values.percent)}


def applies_of(values: Values) -> dict[str, float]:
    """From which confidence on a label applies, where a text may have several."""
    return {"applies_from": _share(values.applies_from)} if values.multi_label and values.applies_from else {}


def _share(percent: str) -> float:
    try:
        return float(percent.replace(",", ".").removesuffix("%")) / 100
    except ValueError:
        raise FormError("Say how many per cent: a number, such as 95.") from None


def asked_of(values: Values) -> dict[str, Any]:
    """What is asked about texts: a workflow, or labels, stages and a rule."""
    common: dict[str, Any] = {"region": values.region or None}
    if values.workflow_id:
        return common | {"workflow_id": values.workflow_id}
    if not values.stages:
        raise FormError("Choose a stage: without one, nothing is asked.")
    asks_labels = Stage.CATEGORY.value in values.stages
    return common | {
        "labels": labels_of(values.labels) if asks_labels else [],
        "multi_label": values.multi_label and asks_labels,
        "stages": list(values.stages),
        **(applies_of(values) if asks_labels else {}),
        **rule_of(values),
    }


def stages_of(values: Values, before: Sequence[StageGiven] = ()) -> list[StageGiven]:
    """The stages of a workflow.

    What a form does not show stays as it was: further category stages, the settings of a sentiment, a category's
    model and whom to ask when its provider fails.
    """
    first = next((stage for stage in before if stage.task is Stage.CATEGORY), None)
    kept = (
        first.model_dump(include={"model", "fallbacks"})
        if first and first.provider == values.provider
        else {}
    )
    category = StageGiven.model_validate(
        {
            **kept,
            "task": Stage.CATEGORY,
            "labels": labels_of(values.labels),
            "multi_label": values.multi_label,
            "provider": values.provider,
            "below": values.below,
            **applies_of(values),
            **rule_of(values),
        }
    )
    return _with(before, category, {Stage(task) for task in values.others if task in _OTHERS})


_OTHERS = frozenset(stage.value for stage in Stage if stage is not Stage.CATEGORY)


def _with(before: Iterable[StageGiven], category: StageGiven, others: set[Stage]) -> list[StageGiven]:
    stages: list[StageGiven] = []
    for stage in before:
        if stage.task is Stage.CATEGORY:
            is_first = not any(one.task is Stage.CATEGORY for one in stages)
            stages.append(category if is_first else stage)
        elif stage.task in others:
            stages.append(stage)
    if not any(stage.task is Stage.CATEGORY for stage in stages):
        stages.insert(0, category)
    there = {stage.task for stage in stages}
    return [*stages, *(StageGiven(task=task) for task in Stage if task in others and task not in there)]
