"""What a definition names that stands elsewhere: people, and other workflows. Whether they are there, others know."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from perdure.domain.json_objects import escaped

# How far one looks into what is no definition.
_DEEPEST = 40


class Referred(StrEnum):
    """What is named."""

    USER = "user"
    DOCUMENT_WORKFLOW = "document_workflow"
    CLASSIFICATION_WORKFLOW = "classification_workflow"


@dataclass(frozen=True, slots=True)
class StoredReference:
    """A name with its place."""

    pointer: str
    kind: Referred
    name: str


def references_in(definition: object) -> Iterator[StoredReference]:
    """All that a definition names, in its order; what is filled in when it runs is not known yet."""
    for pointer, step in steps_in(definition):
        settings = step.get("with")
        if not isinstance(settings, Mapping):
            continue
        place = f"{pointer}/with"
        if step.get("type") == "sub_workflow":
            yield from _named(settings, "workflow_id", place, Referred.DOCUMENT_WORKFLOW)
        elif step.get("type") == "classification":
            yield from _named(settings, "workflow_id", place, Referred.CLASSIFICATION_WORKFLOW)
        elif step.get("type") == "approval":
            yield from _people(settings.get("policy"), f"{place}/policy", 0)
        elif step.get("type") == "notification" and isinstance(settings.get("to"), list):
            for index, to in enumerate(settings["to"]):
                if isinstance(to, str) and to.startswith("user:") and _is_fixed(to):
                    yield StoredReference(f"{place}/to/{index}", Referred.USER, to.removeprefix("user:"))


def steps_in(
    definition: object, pointer: str = "", depth: int = 0
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """All steps with their pointers, those of loops included."""
    listed = definition.get("steps") if isinstance(definition, Mapping) else None
    if not isinstance(listed, list) or depth > _DEEPEST:
        return
    for index, step in enumerate(listed):
        if isinstance(step, Mapping):
            place = f"{pointer}/steps/{index}"
            yield place, step
            yield from steps_in(step.get("with"), f"{place}/with", depth + 1)


def _people(value: object, pointer: str, depth: int) -> Iterator[StoredReference]:
    """Principals anywhere in a policy: whoever is an approver, may veto, must decide or stands in."""
    if depth > _DEEPEST:
        return
    if isinstance(value, Mapping):
        user = value.get("user")
        if isinstance(user, str) and _is_fixed(user):
            yield StoredReference(f"{pointer}/user", Referred.USER, user)
        for key, inner in value.items():
            if key != "form":
                yield from _people(inner, f"{pointer}/{escaped(str(key))}", depth + 1)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _people(inner, f"{pointer}/{index}", depth + 1)


def _named(settings: Mapping[str, Any], name: str, pointer: str, kind: Referred) -> Iterator[StoredReference]:
    value = settings.get(name)
    if isinstance(value, str) and _is_fixed(value):
        yield StoredReference(f"{pointer}/{name}", kind, value)


def _is_fixed(text: str) -> bool:
    return "${" not in text
