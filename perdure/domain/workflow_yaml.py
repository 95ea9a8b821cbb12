"""Definitions as YAML: what JSON can say, in the core schema of YAML 1.2, within bounds of size, depth and aliases.

`labels: [yes, no]` are texts, as everybody means them; so are `9:30` and `2026-11-21`.
"""

import math
import re
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from perdure.errors import MalformedRequestError, PayloadTooLargeError

if TYPE_CHECKING:
    from yaml import Event

MAX_CHARACTERS = 1_000_000
MAX_DEPTH = 60
MAX_ALIASES = 100
# With what aliases stand for counted each time.
MAX_VALUES = 100_000
_ESCAPED = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\xa0\u2028\u2029\ufeff\ufffe\uffff]")
_NO_BLOCK = re.compile(r"[ \t]\n|[ \t]$|^\s|\t")
_ORDER = (
    *(
        "name",
        "title",
        "description",
        "parameters",
        "id",
        "type",
        "properties",
        "needs",
        "when",
        "if",
        "goto",
    ),
    *(
        "then",
        "else",
        "task",
        "method",
        "url",
        "channel",
        "to",
        "subject",
        "items",
        "max_items",
        "concurrency",
    ),
    *("with", "input", "retry", "timeout", "on_error", "compensate", "max_visits", "steps", "stages"),
    *("approvers", "rule"),
)
_STRING = "tag:yaml.org,2002:str"
_CORE = (
    ("tag:yaml.org,2002:null", re.compile(r"(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""]),
    ("tag:yaml.org,2002:bool", re.compile(r"(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")),
    ("tag:yaml.org,2002:int", re.compile(r"(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$"), list("-+0123456789")),
    (
        "tag:yaml.org,2002:float",
        re.compile(
            r"(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
        ),
        list("-+0123456789."),
    ),
)


def read_yaml(text: str) -> Any:
    """The JSON value that a YAML document says; MalformedRequestError names line and column of what is wrong."""
    import yaml  # noqa: PLC0415  # only where YAML comes in

    if len(text) > MAX_CHARACTERS:
        raise PayloadTooLargeError(
            f"the YAML has {len(text)} characters; at most {MAX_CHARACTERS} are allowed"
        )
    loader = _loader()
    try:
        _check(yaml.parse(text, Loader=loader))
        value = yaml.load(text, Loader=loader)  # noqa: S506  # nosec B506  # made of the safe one
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise MalformedRequestError(
            f"the body is not YAML: {place}{error.problem or error.context}"
        ) from None
    except yaml.YAMLError as error:
        raise MalformedRequestError(f"the body is not YAML: {str(error)[:200]}") from None
    except (ValueError, RecursionError) as error:
        raise MalformedRequestError(f"the body is not YAML that JSON can say: {error}") from None
    _Plain().check(value, 0)
    return value


def write_yaml(value: Mapping[str, Any]) -> str:
    """A definition as YAML, its fields in their order, read back unchanged."""
    import yaml  # noqa: PLC0415  # only where YAML goes out

    return yaml.dump(value, Dumper=_dumper(), sort_keys=False, allow_unicode=True, width=100)


def in_reading_order(value: Any) -> Any:
    """A definition as people read it: what a step is called and does before what becomes of it. Stores keep no order.

    What the author named, such as the fields of a schema, stays as it is.
    """
    if isinstance(value, list):
        return [in_reading_order(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    known = {name: value[name] for name in _ORDER if name in value}
    return {name: in_reading_order(inner) for name, inner in {**known, **value}.items()}


def _check(events: Any) -> None:
    import yaml  # noqa: PLC0415

    depth = aliases = documents = 0
    for event in events:
        documents += isinstance(event, yaml.DocumentStartEvent)
        aliases += isinstance(event, yaml.AliasEvent)
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if documents > 1:
            raise _refused(event, "holds a second document; send one definition at a time")
        if aliases > MAX_ALIASES:
            raise _refused(event, f"has more than {MAX_ALIASES} aliases")
        if depth > MAX_DEPTH:
            raise _refused(event, f"nests more than {MAX_DEPTH} deep")


def _refused(event: "Event", what: str) -> MalformedRequestError:
    place = f" (line {event.start_mark.line + 1})" if event.start_mark else ""
    return MalformedRequestError(f"the YAML {what}{place}")


class _Plain:
    """Refuses what JSON cannot hold, and what aliases make too large or endless."""

    def __init__(self) -> None:
        self._left = MAX_VALUES

    def check(self, value: Any, depth: int) -> None:
        """Look at a value with all that is in it."""
        self._left -= 1
        if self._left < 0 or depth > MAX_DEPTH:
            raise MalformedRequestError(f"the YAML stands for more than {MAX_VALUES} values, or for itself")
        if isinstance(value, dict):
            for key, inner in value.items():
                if not isinstance(key, str):
                    raise MalformedRequestError(
                        f"the YAML has the key {str(key)[:60]}, which is no text: quote it"
                    )
                self.check(inner, depth + 1)
        elif isinstance(value, list):
            for inner in value:
                self.check(inner, depth + 1)
        elif isinstance(value, float) and not math.isfinite(value):
            raise MalformedRequestError("the YAML has a number that JSON cannot hold (.inf or .nan)")
        elif not isinstance(value, str | int | float | None):
            kind = type(value).__name__
            raise MalformedRequestError(f"the YAML has a value of the type {kind}, which JSON cannot hold")


@cache
def _loader() -> Any:
    import yaml  # noqa: PLC0415

    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    class CoreLoader(base):  # type: ignore[misc]  # which of the two depends on how the library was built
        """The core schema, and no key twice."""

        yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012  # the library's interface

        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            seen: set[str] = set()
            for key, _ in node.value:
                name = key.value if isinstance(key.value, str) else ""
                if name and name in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"the key {name[:60]!r} stands here twice", key.start_mark
                    )
                seen.add(name)
            return super().construct_mapping(node, deep=deep)

    for tag, pattern, first in _CORE:
        CoreLoader.add_implicit_resolver(tag, pattern, first)
    CoreLoader.add_constructor("tag:yaml.org,2002:int", _whole)
    CoreLoader.add_constructor("tag:yaml.org,2002:float", _number)
    return CoreLoader


def _whole(loader: Any, node: Any) -> int:
    text = loader.construct_scalar(node)
    if len(text) > 100:
        msg = "a number has more than 100 digits"
        raise ValueError(msg)
    for prefix, base in (("0o", 8), ("0x", 16)):
        if text.startswith(prefix):
            return int(text[2:], base)
    return int(text)


def _number(loader: Any, node: Any) -> float:
    text: str = loader.construct_scalar(node)
    return float(re.sub(r"\.(?=inf|nan)", "", text.lower()))


@cache
def _dumper() -> Any:
    import yaml  # noqa: PLC0415

    class PlainDumper(yaml.SafeDumper):
        """Quotes what YAML 1.1 or 1.2 would take for something else than text, and writes nothing as an alias."""

        yaml_implicit_resolvers = {  # noqa: RUF012  # the library's interface
            first: list(found) for first, found in yaml.SafeDumper.yaml_implicit_resolvers.items()
        }

        def ignore_aliases(self, data: Any) -> bool:
            return True

    for tag, pattern, first in _CORE:
        # The dumper's own come first: a number is written as YAML 1.1 has it, which 1.2 reads, too.
        for character in first:
            PlainDumper.yaml_implicit_resolvers.setdefault(character, []).append((tag, pattern))
    PlainDumper.add_representer(str, _represent_text)
    return PlainDumper


def _represent_text(dumper: Any, text: str) -> Any:
    """Texts of several lines stand as such; what YAML takes for an end of line, or cannot hold, is escaped."""
    style = None
    if _ESCAPED.search(text):
        style = '"'
    elif "\n" in text and not _NO_BLOCK.search(text):
        style = "|"
    return dumper.represent_scalar(_STRING, text, style=style)
