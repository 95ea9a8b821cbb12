"""What steps are given: settings and inputs with their `${…}` filled in, conditions, and what expressions see.

"Pay ${steps.extract.total} to ${steps.extract.name}?"   a text
"${steps.extract.lines}"                                 the value itself, of whatever kind it is
"""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from perdure.domain.workflow_expressions import examine, insertions
from perdure.errors import ExpressionFailedError

# Evaluates an expression over a context; ExpressionFailedError where it has no value.
Evaluate = Callable[[str, Mapping[str, Any]], Any]
# Looks a name up: `steps` with the name of a step, and the other roots with None.
LookUp = Callable[[str, str | None], Any]

MAX_RENDERED = 1_000_000


class Values:
    """Evaluates the expressions of steps over what one place in a definition can see."""

    def __init__(self, evaluate: Evaluate, look_up: LookUp) -> None:
        self._evaluate, self._look_up = evaluate, look_up

    def of(self, expression: str) -> Any:
        """The value of an expression. It is given only what it refers to."""
        context: dict[str, Any] = {}
        for root, name in _references(expression):
            if root == "steps":
                context.setdefault(root, {})[name] = self._look_up(root, name)
            elif root not in context:
                context[root] = self._look_up(root, None)
        return self._evaluate(expression, context)

    def holds(self, expression: str) -> bool:
        """Whether a condition is true; what is neither true nor false is a failure, not a no."""
        value = self.of(expression)
        if not isinstance(value, bool):
            msg = f"{expression[:100]!r} is {_kind(value)}; a condition must be true or false"
            raise ExpressionFailedError(msg)
        return value

    def entries(self, expression: str, most: int) -> list[Any]:
        """The entries of a list; one that is longer than it may be is a failure."""
        value = self.of(expression)
        if not isinstance(value, list):
            msg = f"{expression[:100]!r} is {_kind(value)}; a loop goes over a list"
            raise ExpressionFailedError(msg)
        if len(value) > most:
            msg = f"{expression[:100]!r} has {len(value)} entries; max_items allows {most}"
            raise ExpressionFailedError(msg)
        return value

    def filled_in(self, value: Any) -> Any:
        """A JSON value with the `${…}` in its texts filled in."""
        if isinstance(value, str):
            return self._text(value) if "${" in value else value
        if isinstance(value, Mapping):
            return {key: self.filled_in(inner) for key, inner in value.items()}
        if isinstance(value, Sequence):
            return [self.filled_in(inner) for inner in value]
        return value

    def _text(self, text: str) -> Any:
        parts = insertions(text)
        if len(parts) == 1 and not isinstance(parts[0], str):
            return self.of(parts[0].expression)
        filled, length = [], 0
        for part in parts:
            shown = part if isinstance(part, str) else as_text(self.of(part.expression))
            length += len(shown)
            if length > MAX_RENDERED:
                msg = f"a text has more than {MAX_RENDERED} characters when it is filled in"
                raise ExpressionFailedError(msg)
            filled.append(shown)
        return "".join(filled)


@lru_cache(maxsize=4_096)
def _references(expression: str) -> tuple[tuple[str, str | None], ...]:
    return tuple(dict.fromkeys((one.root, one.name) for one in examine(expression).references))


def as_text(value: Any) -> str:
    """A value within a text: what is missing is nothing, 1000.0 is 1000, and what has parts is JSON."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    return json.dumps(value, ensure_ascii=False)


def size_of(value: Any) -> int:
    """How many bytes a value takes as JSON."""
    return len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(errors="replace"))


def _kind(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "a text"
        case list():
            return "a list"
        case _:
            return "an object"
