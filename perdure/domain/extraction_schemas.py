"""Which JSON Schemas may be asked of a text: a part that no text and no schema can hang, and that leads nowhere else.

No references, because a library would fetch them, and no regular expressions, because some never end.
"""

from collections.abc import Callable, Mapping
from typing import Any

from perdure.domain.json_objects import Faults, escaped

MAX_FIELDS = 100
MAX_DEPTH = 5
MAX_CHOICES = 200
MAX_NAME = 64
_TYPES = ("string", "number", "integer", "boolean", "array", "object", "null")
_COUNTS = ("minLength", "maxLength", "minItems", "maxItems")
_BOUNDS = ("minimum", "maximum")
_WORDS = ("title", "description", "format")
_KNOWN = (
    *("type", "properties", "required", "items", "enum", "additionalProperties"),
    *_COUNTS,
    *_BOUNDS,
    *_WORDS,
)


def check_extraction_schema(schema: object, pointer: str, faults: Faults) -> None:
    """Note all that is wrong with a schema of what is to be extracted: an object of fields."""
    reader = _Reader(faults)
    reader.read(schema, pointer, 1)
    if isinstance(schema, Mapping) and schema.get("type") != "object":
        faults.add(f"{pointer}/type", "must be object: what is extracted has fields")
    if reader.fields > MAX_FIELDS:
        faults.add(pointer, f"has {reader.fields} fields; at most {MAX_FIELDS} are extracted at once")


def types_of(schema: Mapping[str, Any]) -> tuple[str, ...]:
    """The types that a field may have; none given is any."""
    given = schema.get("type", _TYPES)
    return (given,) if isinstance(given, str) else tuple(given)


class _Reader:
    def __init__(self, faults: Faults) -> None:
        self.fields, self._faults = 0, faults

    def read(self, schema: object, pointer: str, depth: int) -> None:
        if not isinstance(schema, Mapping):
            self._faults.add(pointer, "must be an object")
        elif depth > MAX_DEPTH:
            self._faults.add(pointer, f"nests more than {MAX_DEPTH} deep")
        else:
            for name, value in schema.items():
                self._keyword(str(name), value, pointer)
            self._fields(schema, pointer, depth)
            if "items" in schema:
                self.read(schema["items"], f"{pointer}/items", depth + 1)

    def _keyword(self, name: str, value: object, pointer: str) -> None:
        if name not in _KNOWN:
            self._faults.add(
                f"{pointer}/{escaped(name)}", f"is not known here; known are {', '.join(_KNOWN)}"
            )
            return
        fits, words = _RULES[name]
        if not fits(value):
            self._faults.add(f"{pointer}/{name}", f"must be {words}")

    def _fields(self, schema: Mapping[str, Any], pointer: str, depth: int) -> None:
        given = schema.get("properties")
        properties = given if isinstance(given, Mapping) else {}
        self.fields += len(properties)
        for name, inner in list(properties.items())[: MAX_FIELDS + 1]:
            place = f"{pointer}/properties/{escaped(str(name))}"
            if not str(name).strip() or len(str(name)) > MAX_NAME:
                self._faults.add(place, f"must have a name of 1 to {MAX_NAME} characters")
            self.read(inner, place, depth + 1)
        required = schema.get("required")
        for index, name in enumerate(required[: MAX_FIELDS + 1] if isinstance(required, list) else ()):
            if not isinstance(name, str) or name not in properties:
                self._faults.add(f"{pointer}/required/{index}", "is no field of these properties")


def _is_type(value: object) -> bool:
    given = value if isinstance(value, list) else [value]
    return bool(given) and all(isinstance(one, str) and one in _TYPES for one in given)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_bound(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_RULES: Mapping[str, tuple[Callable[[object], bool], str]] = {
    "type": (_is_type, f"one of {', '.join(_TYPES)}, or a list of some"),
    "properties": (lambda value: isinstance(value, Mapping), "an object of fields"),
    "required": (lambda value: isinstance(value, list), "a list of names of fields"),
    "items": (lambda value: isinstance(value, Mapping), "an object"),
    "enum": (
        lambda value: isinstance(value, list) and 0 < len(value) <= MAX_CHOICES,
        f"a list of 1 to {MAX_CHOICES} values",
    ),
    "additionalProperties": (lambda value: isinstance(value, bool), "true or false"),
    **dict.fromkeys(_COUNTS, (_is_count, "a whole number from 0")),
    **dict.fromkeys(_BOUNDS, (_is_bound, "a number")),
    **dict.fromkeys(_WORDS, (lambda value: isinstance(value, str), "text")),
}
