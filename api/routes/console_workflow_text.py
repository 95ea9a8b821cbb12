"""Definitions of workflows as texts that people edit: where in a text each value stands, and what is wrong there."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from api.middleware import is_deeper_than
from perdure.domain.json_objects import escaped
from perdure.domain.workflow_yaml import MAX_CHARACTERS, MAX_DEPTH, in_reading_order, read_yaml, write_yaml
from perdure.errors import FieldError, MalformedRequestError, PayloadTooLargeError

_LINE = re.compile(r"\bline (\d+)")
_MAX_PLACES = 50_000
# Lines that are shown above and below one with a fault.
_AROUND = 2


class TextFormat(StrEnum):
    """How a definition is written."""

    YAML = "yaml"
    JSON = "json"


@dataclass(frozen=True)
class Fault:
    """What is wrong, and the line where it is; lines begin with 1."""

    pointer: str
    detail: str
    line: int


@dataclass(frozen=True)
class Line:
    """A line of a text, and what is wrong in it. One that is left out before it is told by `is_cut`."""

    number: int
    text: str
    faults: tuple[Fault, ...] = ()
    is_cut: bool = False


def written(definition: Mapping[str, Any], format_: TextFormat) -> str:
    """A definition as text, in the order in which people read it."""
    ordered = in_reading_order(dict(definition))
    if format_ is TextFormat.JSON:
        return json.dumps(ordered, indent=2, ensure_ascii=False) + "\n"
    return write_yaml(ordered)


def understood(text: str) -> tuple[Any, list[Fault]]:
    """The value that a text says as YAML or as JSON, or why it says none."""
    try:
        return (_read_json(text) if format_of(text) is TextFormat.JSON else read_yaml(text)), []
    except json.JSONDecodeError as error:
        return None, [Fault("", f"is not JSON: {error.msg} (column {error.colno})", error.lineno)]
    except (MalformedRequestError, PayloadTooLargeError) as error:
        line = _LINE.search(str(error))
        return None, [Fault("", str(error), int(line[1]) if line else 1)]


def format_of(text: str) -> TextFormat:
    """How a text is written."""
    return TextFormat.JSON if text.lstrip().startswith("{") else TextFormat.YAML


def _read_json(text: str) -> Any:
    if len(text) > MAX_CHARACTERS:
        raise PayloadTooLargeError(
            f"the text has {len(text)} characters; at most {MAX_CHARACTERS} are allowed"
        )
    if is_deeper_than(text.encode("utf-8", "surrogatepass"), MAX_DEPTH):
        raise MalformedRequestError(f"the text nests more than {MAX_DEPTH} deep")
    try:
        return json.loads(text, parse_constant=_no_constant)
    except RecursionError:
        raise MalformedRequestError("the text is not JSON") from None


def _no_constant(name: str) -> Any:
    raise MalformedRequestError(f"the text has {name}, which JSON cannot hold")


def places_of(text: str) -> dict[str, int]:
    """The line of each value by its JSON pointer, of YAML and of JSON; of what cannot be read, nothing."""
    import yaml  # noqa: PLC0415  # only where a text has faults

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        # In YAML no line begins with a tab; in JSON a tab is a blank.
        node = yaml.compose(text.replace("\t", " "), Loader=loader)
    except (yaml.YAMLError, RecursionError, ValueError):
        return {}
    places: dict[str, int] = {}
    # What an alias repeats has the place where it stands.
    seen: set[int] = set()
    waiting: list[tuple[str, Any]] = [("", node)] if node is not None else []
    while waiting and len(places) < _MAX_PLACES:
        pointer, node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        places.setdefault(pointer, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                inner = f"{pointer}/{escaped(str(key.value))}"
                places[inner] = key.start_mark.line + 1
                waiting.append((inner, value))
        elif isinstance(node, yaml.SequenceNode):
            waiting += [(f"{pointer}/{index}", value) for index, value in enumerate(node.value)]
    return places


def placed(text: str, errors: Iterable[FieldError]) -> list[Fault]:
    """Faults with their lines: of what is missing, the line of what it is missing in."""
    errors = list(errors)
    places = places_of(text) if errors else {}
    found = [Fault(error.pointer, error.detail, _line(places, error.pointer)) for error in errors]
    return sorted(found, key=lambda fault: fault.line)


def _line(places: Mapping[str, int], pointer: str) -> int:
    while pointer and pointer not in places:
        pointer = pointer.rpartition("/")[0]
    return places.get(pointer, 1)


def excerpt(text: str, faults: Sequence[Fault]) -> list[Line]:
    """The lines with faults, and some around them."""
    lines = text.splitlines() or [""]
    at: dict[int, list[Fault]] = {}
    for fault in faults:
        at.setdefault(min(fault.line, len(lines)), []).append(fault)
    wanted = sorted(
        {
            number
            for line in at
            for number in range(max(1, line - _AROUND), min(len(lines), line + _AROUND) + 1)
        }
    )
    return [
        Line(number, lines[number - 1], tuple(at.get(number, ())), is_cut=number - 1 not in (0, before))
        for before, number in zip([0, *wanted], wanted, strict=False)
    ]
