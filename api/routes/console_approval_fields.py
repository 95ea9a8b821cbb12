"""The form of an approval's stage as fields to fill in, with what is wrong with what was filled in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from api.routes.console_words import words
from perdure.domain.approval_forms import MAX_ANSWER, ApprovalForm, FormField, read_form
from perdure.domain.json_objects import Faults

# Longer texts are typed into more than one line.
_ONE_LINE = 200


@dataclass(frozen=True)
class AnswerField:
    """A field, and what stands in it."""

    name: str
    label: str
    type: str
    required: bool
    choices: Sequence[str]
    hint: str
    most: int
    is_long: bool
    value: str = ""
    values: Sequence[str] = ()
    fault: str = ""

    @property
    def is_number(self) -> bool:
        """Whether a number is wanted."""
        return self.type in {"number", "integer"}


def answer_fields(
    schema: Mapping[str, Any] | None,
    answers: Mapping[str, Any] | None = None,
    *,
    complete: bool | None = None,
) -> list[AnswerField]:
    """The fields of a form. `complete`: say what is wrong with the answers; when they are, nothing may be missing."""
    if not schema:
        return []
    form: ApprovalForm = read_form(schema, "", Faults())
    properties = schema.get("properties")
    given = answers or {}
    return [
        _field(one, properties[one.name], given, complete)
        for one in form.fields
        if isinstance(properties, Mapping) and isinstance(properties.get(one.name), Mapping)
    ]


def _field(
    one: FormField, given: Mapping[str, Any], answers: Mapping[str, Any], complete: bool | None
) -> AnswerField:
    value = answers.get(one.name, given.get("default") if complete is None else None)
    fault = ""
    if complete is not None:
        if one.name in answers:
            fault = one.fault_of(answers[one.name]) or ""
        elif one.required and complete:
            fault = "is missing"
    title = given.get("title")
    most = int(one.most) if one.type == "string" and one.most is not None else MAX_ANSWER
    return AnswerField(
        one.name,
        title if isinstance(title, str) and title else words(one.name),
        one.type,
        one.required,
        one.choices,
        _hint(one, given),
        most,
        is_long=one.type == "string" and not one.choices and _ONE_LINE < most < MAX_ANSWER,
        value=_said(value),
        values=[str(each) for each in value] if isinstance(value, list | tuple) else (),
        fault=f"{fault[:1].upper()}{fault[1:]}." if fault else "",
    )


def _hint(one: FormField, given: Mapping[str, Any]) -> str:
    described = given.get("description")
    said = [described] if isinstance(described, str) and described else []
    if one.type in {"number", "integer"}:
        if one.least is not None and one.most is not None:
            said.append(f"{one.least:g} to {one.most:g}.")
        elif one.least is not None:
            said.append(f"At least {one.least:g}.")
        elif one.most is not None:
            said.append(f"At most {one.most:g}.")
    return " ".join(said)


def _said(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None or isinstance(value, list | tuple) else str(value)


def answers_words(
    schema: Mapping[str, Any] | None, answers: Mapping[str, Any] | None
) -> list[tuple[str, str]]:
    """What was filled in, as it is read: each label with its answer."""
    if not answers:
        return []
    labels = {field.name: field.label for field in answer_fields(schema)}
    return [(labels.get(name, words(name)), _answer(value)) for name, value in answers.items()]


def _answer(value: object) -> str:
    if isinstance(value, bool):
        return "Yes" if value else "No"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
