"""What an approver fills in: the part of JSON Schema that a form can show, read once and checked without regexes.

A schema is `{"type": "object", "properties": {...}, "required": [...]}`; a property is text, a number, a whole number,
true or false, or a list of choices. Nothing nests, nothing refers elsewhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from perdure.domain.json_objects import Faults, ObjectReader, readable

MAX_FIELDS = 50
MAX_CHOICES = 200
MAX_ANSWER = 4_000
MAX_NUMBER = 1e300
_SCHEMA = ("$schema", "title", "description", "type", "properties", "required", "additionalProperties")
_PROPERTY = (
    *("type", "title", "description", "default", "enum", "items", "format"),
    *("minLength", "maxLength", "minimum", "maximum", "minItems", "maxItems"),
)
_TYPES = ("string", "number", "integer", "boolean", "array")


@dataclass(frozen=True, slots=True)
class FormField:
    """One field. `least` and `most` bound characters, the number or the count of choices, by its type."""

    name: str
    type: str
    required: bool = False
    choices: tuple[str, ...] = ()
    least: float | None = None
    most: float | None = None

    def fault_of(self, value: object) -> str | None:
        """What is wrong with an answer."""
        match self.type:
            case "boolean":
                return None if isinstance(value, bool) else "must be true or false"
            case "string":
                return self._text_fault(value)
            case "array":
                return self._list_fault(value)
            case _:
                return self._number_fault(value)

    def _text_fault(self, value: object) -> str | None:
        if not isinstance(value, str):
            return "must be text"
        if not readable(value):
            return "holds a character that cannot be stored (NUL or a lone surrogate)"
        if self.choices and value not in self.choices:
            return f"must be one of {', '.join(self.choices)}"
        return self._bounds_fault(len(value), "characters")

    def _list_fault(self, value: object) -> str | None:
        if not isinstance(value, list | tuple):
            return "must be a list"
        if any(one not in self.choices for one in value):
            return f"may hold {', '.join(self.choices)}"
        return self._bounds_fault(len(value), "entries")

    def _number_fault(self, value: object) -> str | None:
        # Compared, not measured: whole numbers in JSON may be longer than any double.
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= MAX_NUMBER:
            return "must be a number"
        if self.type == "integer" and value != int(value):
            return "must be a whole number"
        return self._bounds_fault(value, "")

    def _bounds_fault(self, size: float, unit: str) -> str | None:
        if self.least is not None and size < self.least:
            return f"must be at least {self.least:g} {unit}".rstrip()
        if self.most is not None and size > self.most:
            return f"must be at most {self.most:g} {unit}".rstrip()
        return None


@dataclass(frozen=True, slots=True)
class ApprovalForm:
    """The fields that an approver fills in."""

    fields: tuple[FormField, ...] = ()

    def faults_of(self, answers: Mapping[str, Any] | None, *, complete: bool) -> list[str]:
        """What is wrong with answers; when they need not be complete, fields may be missing."""
        given = answers or {}
        known = {field.name for field in self.fields}
        found = [f"{str(name)[:100]} is no field of the form" for name in given if name not in known]
        for field in self.fields:
            if field.name not in given:
                if field.required and complete:
                    found.append(f"{field.name} is missing")
            elif fault := field.fault_of(given[field.name]):
                found.append(f"{field.name} {fault}")
        return found


def read_form(value: object, pointer: str, faults: Faults) -> ApprovalForm:
    """Read a form's schema."""
    given = ObjectReader(value, pointer, faults, _SCHEMA)
    if given.get("type") != "object":
        given.fault("type", 'must be "object"')
    if given.has("additionalProperties") and given.get("additionalProperties") is not False:
        given.fault("additionalProperties", "must be false: a form has the fields that it names")
    properties = given.get("properties")
    if not isinstance(properties, Mapping) or not properties:
        given.fault("properties", "must be an object that names the fields")
        return ApprovalForm()
    if len(properties) > MAX_FIELDS:
        given.fault("properties", f"names {len(properties)} fields; at most {MAX_FIELDS} are allowed")
        return ApprovalForm()
    required = set()
    for name, place in given.items("required", MAX_FIELDS):
        if not isinstance(name, str) or name not in properties:
            faults.add(place, "must be one of the form's fields")
        else:
            required.add(name)
    reader = ObjectReader(properties, given.at("properties"), faults, properties.keys())
    return ApprovalForm(
        tuple(_read_field(str(name), reader, name in required, faults) for name in properties)
    )


def _read_field(name: str, properties: ObjectReader, required: bool, faults: Faults) -> FormField:
    given = ObjectReader(properties.get(name), properties.at(name), faults, _PROPERTY)
    kind = given.get("type")
    if kind not in _TYPES:
        given.fault("type", f"must be one of {', '.join(_TYPES)}")
        return FormField(name, "boolean", required)
    choices: tuple[str, ...] = ()
    bounds: tuple[float | None, float | None] = (None, None)
    if kind == "string":
        choices = _read_choices(given, faults)
        bounds = _bounds(given, "minLength", "maxLength")
        bounds = (bounds[0], MAX_ANSWER if bounds[1] is None else bounds[1])
    elif kind == "array":
        entries = ObjectReader(given.get("items"), given.at("items"), faults, ("type", "enum"))
        choices = _read_choices(entries, faults)
        if not choices:
            entries.fault("enum", "must list the choices")
        bounds = _bounds(given, "minItems", "maxItems")
        bounds = (bounds[0], MAX_CHOICES if bounds[1] is None else bounds[1])
    elif kind in {"number", "integer"}:
        bounds = _bounds(given, "minimum", "maximum")
    return FormField(name, str(kind), required, choices, *bounds)


def _read_choices(given: ObjectReader, faults: Faults) -> tuple[str, ...]:
    found: list[str] = []
    for choice, place in given.items("enum", MAX_CHOICES):
        if not isinstance(choice, str) or not choice or choice in found:
            faults.add(place, "must be text, and there once")
        else:
            found.append(choice)
    return tuple(found)


def _bounds(given: ObjectReader, least: str, most: str) -> tuple[float | None, float | None]:
    found: list[float | None] = []
    for name in (least, most):
        value = given.get(name)
        if value is None:
            found.append(None)
        elif isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 10**15:
            given.fault(name, "must be a number")
            found.append(None)
        else:
            found.append(value)
    if found[0] is not None and found[1] is not None and found[0] > found[1]:
        given.fault(most, f"is less than {least}")
    return found[0], found[1]
