"""What was filled into the fields of an approval's form, as the values that its JSON Schema wants.

A browser sends text for everything, nothing for a box that is not ticked, and an empty text for what was left empty.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from perdure.domain.approval_forms import MAX_NUMBER

PREFIX = "form."
MAX_ANSWERS = 60_000


def answers_of(schema: Mapping[str, Any] | None, sent: Mapping[str, Sequence[str]]) -> dict[str, Any] | None:
    """Answers by field; None without a form. What is no number stays text, so that the form says what is wrong."""
    properties = schema.get("properties") if schema is not None else None
    if not isinstance(properties, Mapping):
        return None
    found: dict[str, Any] = {}
    for name, rules in properties.items():
        kind = rules.get("type") if isinstance(rules, Mapping) else None
        texts = list(sent.get(f"{PREFIX}{name}", ()))
        if kind == "boolean":
            found[name] = bool(texts) and texts[-1] not in {"", "false", "off"}
        elif kind == "array":
            if chosen := [text for text in texts if text]:
                found[name] = chosen
        elif texts and texts[-1].strip():
            found[name] = _number(texts[-1]) if kind in {"number", "integer"} else texts[-1]
    return found


def _number(text: str) -> int | float | str:
    written = text.strip()
    for read in (int, float):
        try:
            return read(written)
        except ValueError:
            continue
    return text


def unusable(form: Mapping[str, Any] | None) -> str | None:
    """Why answers cannot even be checked: no JSON holds them, or they are longer than any form."""
    if form is None:
        return None
    if any(not _is_plain(value) for value in form.values()):
        return "holds a value that no form has: text, numbers, true, false and lists of texts are allowed"
    if sum(len(name) + len(str(value)) for name, value in form.items()) > MAX_ANSWERS:
        return f"is longer than {MAX_ANSWERS} characters"
    return None


def _is_plain(value: object) -> bool:
    if isinstance(value, bool | str):
        return True
    if isinstance(value, int | float):
        # Not a number, and what no double holds, compare as false.
        return -MAX_NUMBER <= value <= MAX_NUMBER
    return isinstance(value, list | tuple) and all(isinstance(one, str) for one in value)
