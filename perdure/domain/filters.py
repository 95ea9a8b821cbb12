"""The filter language of search: JSON in, a checked tree out; every fault is named with its place.

    {"metadata.author": "Ann"}                                  the same as {"metadata.author": {"eq": "Ann"}}
    {"created_at": {"gte": "2025-01-01", "lt": "2026-01-01"}}   several operators or fields in one object: and
    {"or": [{"tags": {"contains": "draft"}}, {"not": {"language": "en"}}]}

What a filter could silently miss is either compared in the way people mean it (the number 7 and the text "7", a
day and a moment on it, a value and a list that holds it) or refused.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TypeAlias

from perdure.errors import FieldError, InvalidInputError

MAX_DEPTH = 8
MAX_CONDITIONS = 64
MAX_VALUES = 200
MAX_TEXT = 1_000
MAX_PATH = 8

Scalar: TypeAlias = str | int | float | bool


class Operator(StrEnum):
    """What may stand between a field and a value."""

    EQ = "eq"
    NE = "ne"
    IN = "in"
    GT = "gt"
    GTE = "gte"
    LT = "lt"
    LTE = "lte"
    CONTAINS = "contains"
    EXISTS = "exists"


class Kind(StrEnum):
    """How values of a field compare."""

    TEXT = "text"
    LANGUAGE = "language"
    CHOICE = "choice"
    IDENTIFIER = "identifier"
    NUMBER = "number"
    INSTANT = "instant"
    METADATA = "metadata"


_ORDER = frozenset({Operator.GT, Operator.GTE, Operator.LT, Operator.LTE})
_EQUALITY = frozenset({Operator.EQ, Operator.NE, Operator.IN})
_OPERATORS: Mapping[Kind, frozenset[Operator]] = {
    Kind.TEXT: _EQUALITY | {Operator.CONTAINS, Operator.EXISTS},
    Kind.LANGUAGE: _EQUALITY | {Operator.EXISTS},
    Kind.CHOICE: _EQUALITY | {Operator.EXISTS},
    Kind.IDENTIFIER: _EQUALITY,
    Kind.NUMBER: _EQUALITY | _ORDER | {Operator.EXISTS},
    Kind.INSTANT: _EQUALITY | _ORDER,
    Kind.METADATA: frozenset(Operator),
}
FIELDS: Mapping[str, Kind] = {
    "title": Kind.TEXT,
    "external_id": Kind.TEXT,
    "source_type": Kind.CHOICE,
    "media_type": Kind.TEXT,
    "language": Kind.LANGUAGE,
    "status": Kind.CHOICE,
    "created_at": Kind.INSTANT,
    "updated_at": Kind.INSTANT,
    "document_id": Kind.IDENTIFIER,
    "size_bytes": Kind.NUMBER,
    "page_count": Kind.NUMBER,
}
MEMORY_FIELDS: Mapping[str, Kind] = {
    "kind": Kind.CHOICE,
    "subject": Kind.TEXT,
    "speaker": Kind.TEXT,
    "role": Kind.CHOICE,
    "session_id": Kind.TEXT,
    "external_id": Kind.TEXT,
    "valid_from": Kind.INSTANT,
    "valid_to": Kind.INSTANT,
    "recorded_at": Kind.INSTANT,
    "confidence": Kind.NUMBER,
    "importance": Kind.NUMBER,
    "memory_id": Kind.IDENTIFIER,
}
# Tests keep these equal to the enumerations in `schemas`.
MEMORY_CHOICES: Mapping[str, frozenset[str]] = {
    "kind": frozenset({"evidence", "fact", "preference", "event", "insight", "summary"}),
    "role": frozenset({"user", "assistant", "system", "tool"}),
}
CHOICES: Mapping[str, frozenset[str]] = {
    "source_type": frozenset({"manual", "upload", "url", "meeting", "email"}),
    "status": frozenset(
        {"queued", "fetching", "parsing", "chunking", "embedding", "indexed", "partial"}
        | {"skipped_duplicate", "failed", "quarantined"}
    ),
}
_ALL_CHOICES = {**CHOICES, **MEMORY_CHOICES}
_JOINERS = frozenset({"and", "or", "not"})


@dataclass(frozen=True, slots=True)
class Period:
    """Moments `[start, end)`; `end` is `start` for an exact moment."""

    start: datetime
    end: datetime

    @property
    def is_moment(self) -> bool:
        """Whether it is one moment and no day."""
        return self.start == self.end


@dataclass(frozen=True, slots=True)
class Field:
    """What is compared; `path` is only for metadata."""

    name: str
    kind: Kind
    path: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Condition:
    """A field, an operator, its values: one, except for `in` and `contains`; numbers and periods are parsed.

    For `exists` the value is a boolean. For metadata, `EQ` never has null: that is `EXISTS`.
    """

    field: Field
    operator: Operator
    values: tuple[Scalar | Period, ...]


@dataclass(frozen=True, slots=True)
class All:
    """Holds when all parts hold; always, when there are none."""

    parts: tuple["Filter", ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Holds when one part holds."""

    parts: tuple["Filter", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """Holds when the part does not; a missing field counts as not holding."""

    part: "Filter"


Filter: TypeAlias = Condition | All | AnyOf | Not


def parse_filters(
    given: object, pointer: str = "/body/filters", fields: Mapping[str, Kind] = FIELDS
) -> Filter | None:
    """Check a filter; None when it asks for nothing. InvalidInputError names every fault by JSON pointer."""
    if given is None:
        return None
    parser = _Parser(fields)
    parsed = parser.parse(given, pointer, 1)
    if parser.conditions > MAX_CONDITIONS:
        parser.fault(pointer, f"holds {parser.conditions} conditions; at most {MAX_CONDITIONS} are allowed")
    if parser.faults:
        raise InvalidInputError(f"The filter is wrong: {parser.faults[0].detail}", parser.faults)
    return None if parsed == All(()) else parsed


def parse_period(text: str) -> Period | None:
    """An ISO 8601 day or moment; without a zone it is UTC. None for anything else."""
    if len(text) < 10 or text[4:5] != "-" or text[7:8] != "-":
        return None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        return None
    try:
        instant = instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
        return Period(instant, instant + timedelta(days=1) if len(text) == 10 else instant)
    except OverflowError:
        return None


def parse_number(value: object) -> int | float | None:
    """A number, or text that spells one."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return value if math.isfinite(value) else None
    if not isinstance(value, str):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    if not math.isfinite(number):
        return None
    return (
        int(value)
        if value.strip().lstrip("+-").isascii() and value.strip().lstrip("+-").isdigit()
        else number
    )


class _Parser:
    def __init__(self, fields: Mapping[str, Kind]) -> None:
        self.fields = fields
        self.faults: list[FieldError] = []
        self.conditions = 0

    def fault(self, pointer: str, detail: str) -> None:
        self.faults.append(FieldError(pointer, detail))

    def parse(self, given: object, pointer: str, depth: int) -> Filter:
        if depth > MAX_DEPTH:
            self.fault(pointer, f"is nested deeper than {MAX_DEPTH} levels")
        elif not isinstance(given, Mapping):
            self.fault(pointer, 'must be an object such as {"metadata.author": {"eq": "Ann"}}')
        else:
            parts: list[Filter] = []
            for key, value in given.items():
                place = f"{pointer}/{_escaped(str(key))}"
                if key in _JOINERS:
                    parts.append(self._joined(str(key), value, place, depth))
                else:
                    parts.extend(self._field(str(key), value, place))
            return parts[0] if len(parts) == 1 else All(tuple(parts))
        return All(())

    def _joined(self, joiner: str, value: object, pointer: str, depth: int) -> Filter:
        if joiner == "not":
            return Not(self.parse(value, pointer, depth + 1))
        if not isinstance(value, list) or not value:
            self.fault(pointer, "must be a list of at least one filter")
            return All(())
        if len(value) > MAX_CONDITIONS:
            self.fault(pointer, f"lists {len(value)} filters; at most {MAX_CONDITIONS} are allowed")
            return All(())
        parts = tuple(self.parse(part, f"{pointer}/{index}", depth + 1) for index, part in enumerate(value))
        return All(parts) if joiner == "and" else AnyOf(parts)

    def _field(self, name: str, value: object, pointer: str) -> list[Filter]:
        field = self._named(name, pointer)
        if field is None:
            return []
        if not isinstance(value, Mapping):
            return self._condition(field, Operator.EQ, value, pointer)
        if not value:
            self.fault(pointer, f"needs an operator: {_listed(_OPERATORS[field.kind])}")
        found: list[Filter] = []
        for key, operand in value.items():
            place = f"{pointer}/{_escaped(str(key))}"
            if key not in {operator.value for operator in _OPERATORS[field.kind]}:
                known = _listed(_OPERATORS[field.kind])
                self.fault(place, f"'{key}' is no operator of {name}; known are {known}")
                continue
            found.extend(self._condition(field, Operator(key), operand, place))
        return found

    def _named(self, name: str, pointer: str) -> Field | None:
        if name in self.fields:
            return Field(name, self.fields[name])
        if name == "tags":
            return Field(name, Kind.METADATA, ("tags",))
        if name.startswith("metadata."):
            path = _segments(name.removeprefix("metadata."))
            if not all(path) or _unstorable(name) or len(name) > MAX_TEXT:
                self.fault(pointer, f"'{name[:100]}' has an empty or unreadable part in its path")
            elif len(path) > MAX_PATH:
                self.fault(pointer, f"'{name[:100]}' has more than {MAX_PATH} parts")
            else:
                return Field(name, Kind.METADATA, path)
            return None
        known = ", ".join([*self.fields, "tags", "metadata.<path>", *sorted(_JOINERS)])
        self.fault(pointer, f"'{name[:100]}' is no field; known are {known}")
        return None

    def _condition(self, field: Field, operator: Operator, value: object, pointer: str) -> list[Filter]:
        self.conditions += 1
        if operator is Operator.EXISTS:
            if not isinstance(value, bool):
                self.fault(pointer, "must be true or false")
                return []
            return [Condition(field, operator, (value,))]
        if (
            value is None
            and operator in {Operator.EQ, Operator.NE}
            and Operator.EXISTS in _OPERATORS[field.kind]
        ):
            return [Condition(field, Operator.EXISTS, (operator is Operator.NE,))]
        values = self._listed_values(operator, value, pointer)
        parsed = [self._value(field, operator, item, place) for item, place in values]
        kept = tuple(item for item in parsed if item is not None)
        if not kept or len(kept) < len(parsed):
            return []
        if operator is Operator.CONTAINS:
            return [Condition(field, operator, (item,)) for item in kept]
        return [Condition(field, operator, kept)]

    def _listed_values(self, operator: Operator, value: object, pointer: str) -> list[tuple[object, str]]:
        listed = operator is Operator.IN or (operator is Operator.CONTAINS and isinstance(value, list))
        if not listed:
            return [(value, pointer)]
        if not isinstance(value, list) or not value:
            self.fault(pointer, "must be a list of at least one value")
            return []
        if len(value) > MAX_VALUES:
            self.fault(pointer, f"lists {len(value)} values; at most {MAX_VALUES} are allowed")
            return []
        return [(item, f"{pointer}/{index}") for index, item in enumerate(value)]

    def _value(self, field: Field, operator: Operator, value: object, pointer: str) -> Scalar | Period | None:
        fault = _unreadable(value)
        if fault:
            self.fault(pointer, fault)
            return None
        parsed, wanted = _typed(field, operator, value)
        if parsed is None:
            self.fault(pointer, f"{field.name[:100]} {operator.value} needs {wanted}")
        return parsed


def _typed(field: Field, operator: Operator, value: object) -> tuple[Scalar | Period | None, str]:
    """The value as the field compares it, and what to say when it is None."""
    if field.kind is Kind.NUMBER:
        return parse_number(value), "a number"
    if field.kind is Kind.INSTANT:
        period = parse_period(value) if isinstance(value, str) else None
        return period, "a day or moment such as 2025-03-31 or 2025-03-31T12:00:00Z"
    if field.kind is Kind.METADATA:
        return _metadata_value(operator, value), "a number, or a day or moment such as 2025-03-31"
    if field.kind is Kind.CHOICE:
        choices = _ALL_CHOICES[field.name]
        return (value if isinstance(value, str) and value in choices else None), f"one of {_listed(choices)}"
    if isinstance(value, bool):
        return None, "text"
    return str(value), "text"


def _metadata_value(operator: Operator, value: object) -> Scalar | Period | None:
    if operator in _ORDER:
        period = parse_period(value) if isinstance(value, str) else None
        return period or parse_number(value)
    return value if isinstance(value, str | int | float | bool) else None


def _unreadable(value: object) -> str | None:
    if not isinstance(value, str | int | float | bool):
        return "must be text, a number, true or false"
    if isinstance(value, str) and len(value) > MAX_TEXT:
        return f"is longer than {MAX_TEXT} characters"
    if isinstance(value, str) and _unstorable(value):
        return "holds a character that no document can hold (NUL or a lone surrogate)"
    if isinstance(value, float) and not math.isfinite(value):
        return "must be a finite number"
    if isinstance(value, int) and abs(value) >= 10**300:
        return "is too large"
    return None


def _unstorable(text: str) -> bool:
    return "\0" in text or any("\ud800" <= character <= "\udfff" for character in text)


def _segments(path: str) -> tuple[str, ...]:
    r"""Split at dots; `\.` is a dot inside a name and `\\` a backslash."""
    parts, current, position = [], "", 0
    while position < len(path):
        character = path[position]
        if character == "\\" and position + 1 < len(path):
            position += 1
            current += path[position]
        elif character == ".":
            parts.append(current)
            current = ""
        else:
            current += character
        position += 1
    return (*parts, current)


def _escaped(key: str) -> str:
    return key[:100].replace("~", "~0").replace("/", "~1")


def _listed(values: frozenset[Operator] | frozenset[str]) -> str:
    return ", ".join(sorted(str(value) for value in values))
