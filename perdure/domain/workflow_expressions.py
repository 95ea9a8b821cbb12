"""Expressions of workflow definitions, before they run: what they may look like, and what they refer to.

`steps.classify.label == "invoice" && steps.extract.total > 1000`. Whether the language accepts them is said by the
library that runs them; here stands what no such library knows: names of steps, and how much an expression may do.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

MAX_EXPRESSION = 1_000
# Each goes over a list: three, one in the other, over 1,000 entries would be a billion turns.
MAX_NESTED_LOOPS = 2
MAX_BRACKETS = 20
ROOTS = ("steps", "input", "parameters", "document", "execution")
LOOP_ROOTS = ("item", "index")
_LOOPS = frozenset({"all", "exists", "exists_one", "map", "filter"})
_TOKEN = re.compile(
    r"""(?P<text>r?"(?:[^"\\\n]|\\.)*"|r?'(?:[^'\\\n]|\\.)*')|(?P<name>[A-Za-z_]\w*)"""
    r"""|(?P<number>\d[\w.]*)|(?P<open>[(\[{])|(?P<close>[)\]}])|(?P<other>[-+*/%<>=!&|?:,.])|(?P<space>\s+)""",
    re.ASCII,
)
_PAIRS = {")": "(", "]": "[", "}": "{"}


@dataclass(frozen=True, slots=True)
class Reference:
    """A name and what is asked of it: `steps.classify.label` is ("steps", "classify")."""

    root: str
    name: str | None


@dataclass(frozen=True, slots=True)
class Examined:
    """An expression's fault, if any, and what it refers to."""

    fault: str | None
    references: tuple[Reference, ...] = ()


@dataclass(frozen=True, slots=True)
class Insertion:
    """An expression that stands in a text; one that never ends is not closed, and is wrong."""

    expression: str
    closed: bool = True


def insertions(text: str) -> list[str | Insertion]:
    """A text in its parts: what it says, and what is to be filled in."""
    parts: list[str | Insertion] = []
    position, start = 0, text.find("${")
    while start >= 0:
        if start > position:
            parts.append(text[position:start])
        end = _end_of(text, start + 2)
        if end is None:
            return [*parts, Insertion(text[start : start + MAX_EXPRESSION], closed=False)]
        parts.append(Insertion(text[start + 2 : end].strip()))
        position = end + 1
        start = text.find("${", position)
    return [*parts, text[position:]] if position < len(text) else parts


def inserted(text: str) -> tuple[str, ...]:
    """The expressions that stand in a text as `${…}`; one that never ends is returned with its `${`, and is wrong."""
    return tuple(part.expression for part in insertions(text) if isinstance(part, Insertion))


def _end_of(text: str, start: int) -> int | None:
    """Where the bracket is closed, looking past quotes and brackets within."""
    depth, quote, position = 1, "", start
    while position < min(len(text), start + MAX_EXPRESSION):
        character = text[position]
        if quote:
            position += character == "\\"
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
        else:
            depth += (character == "{") - (character == "}")
            if not depth:
                return position
        position += 1
    return None


def expressions_in(value: object) -> Iterator[tuple[str, str]]:
    """The expressions in texts anywhere within a JSON value, with their pointers."""
    if isinstance(value, str):
        for expression in inserted(value):
            yield "", expression
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            for pointer, expression in expressions_in(inner):
                yield f"/{str(key)[:100].replace('~', '~0').replace('/', '~1')}{pointer}", expression
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            for pointer, expression in expressions_in(inner):
                yield f"/{index}{pointer}", expression


def examine(text: str) -> Examined:
    """Look at an expression without running it."""
    if not text.strip():
        return Examined("is empty")
    if len(text) > MAX_EXPRESSION:
        return Examined(f"has {len(text)} characters; at most {MAX_EXPRESSION} are allowed")
    tokens: list[tuple[str, str]] = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            return Examined(f"cannot be read from {text[position : position + 20]!r} on")
        if match.lastgroup != "space":
            tokens.append((str(match.lastgroup), match[0]))
        position = match.end()
    fault = _structure_fault(tokens)
    return Examined(fault) if fault else Examined(None, tuple(_references(tokens)))


def _structure_fault(tokens: list[tuple[str, str]]) -> str | None:
    """Brackets that do not match, or too much nesting."""
    opened: list[tuple[str, bool]] = []
    for index, (kind, text) in enumerate(tokens):
        if kind == "open":
            before = tokens[index - 2 : index] if index >= 2 else []
            loops = [part for _, part in before][:1] == ["."] and before[1][1] in _LOOPS and text == "("
            opened.append((text, loops))
            if len(opened) > MAX_BRACKETS:
                return f"nests more than {MAX_BRACKETS} brackets"
            if sum(loop for _, loop in opened) > MAX_NESTED_LOOPS:
                return f"goes over lists within lists more than {MAX_NESTED_LOOPS} deep"
        elif kind == "close" and (not opened or opened.pop()[0] != _PAIRS[text]):
            return f"has a {text!r} that closes nothing"
    return f"has a {opened[-1][0]!r} that is never closed" if opened else None


def _references(tokens: list[tuple[str, str]]) -> Iterator[Reference]:
    """Names that are not behind a dot, and no functions; with what follows them as `.name` or `["name"]`."""
    bound = _bound_names(tokens)
    for index, (kind, text) in enumerate(tokens):
        previous = tokens[index - 1][1] if index else ""
        following = [part for _, part in tokens[index + 1 : index + 4]]
        if kind != "name" or previous == "." or following[:1] == ["("]:
            continue
        if text in {"true", "false", "null", "in"} or text in bound:
            continue
        name = None
        if following[:1] == ["."] and len(following) > 1:
            name = following[1]
        elif following[:1] == ["["] and following[2:] == ["]"] and following[1][0] in "\"'":
            name = following[1][1:-1]
        yield Reference(text, name)


def _bound_names(tokens: list[tuple[str, str]]) -> set[str]:
    """The variables of loops: the first name behind `.all(` and its like."""
    return {
        tokens[index + 3][1]
        for index in range(len(tokens) - 3)
        if tokens[index][1] == "."
        and tokens[index + 1][1] in _LOOPS
        and tokens[index + 2][1] == "("
        and tokens[index + 3][0] == "name"
    }
