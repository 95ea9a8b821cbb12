"""Expressions of workflows in the Common Expression Language: checked, compiled once, evaluated within bounds.

A result depends on nothing but the expression and what it is given: workflows evaluate while they are replayed.
"""

import importlib.machinery
import importlib.util
import math
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cache, lru_cache
from types import ModuleType
from typing import Any

from perdure.errors import ExpressionFailedError

# Going over a list of 2,000 entries takes a tenth of a second with `map`, which copies what it has at each turn.
# Per depth of loops within loops, how many entries there may be.
_LONGEST = {0: 1_000_000, 1: 2_000, 2: 200}
# What a loop that adds texts up may grow to.
_MOST_TEXT = 32 * 1024 * 1024
_LOOP = re.compile(r"\.\s*(?:all|exists|exists_one|map|filter)\s*\(")
_TEXT = re.compile(r"""r?"(?:[^"\\\n]|\\.)*"|r?'(?:[^'\\\n]|\\.)*'""")
# A whole number that is no index and no part of a name or of a number with a point.
_WHOLE = re.compile(r"(?<![\w.\[])(\d+)(?![\w.]|\s*\])")
_NAME = re.compile(r"[A-Za-z]\w*")
_NAMED = (
    *("has", "size", "contains", "startsWith", "endsWith", "matches", "all", "exists", "exists_one", "map"),
    *("filter", "int", "double", "string", "timestamp", "duration"),
)
_FUNCTIONS = frozenset(
    (
        *_NAMED,
        *("type", "dyn", "getFullYear", "getMonth", "getDate", "getDayOfMonth", "getDayOfWeek"),
        *("getDayOfYear", "getHours", "getMinutes", "getSeconds", "getMilliseconds"),
    )
)
_LONGEST_REASON = 200
_WHOLE_NUMBERS = range(-(2**63), 2**63)


@cache
def _cel() -> ModuleType:
    """The compiled part of the package only: the package also loads a command line and what that draws with."""
    package = importlib.util.find_spec("cel")
    if package is None:
        msg = "common-expression-language is not installed"
        raise ImportError(msg)
    found = importlib.machinery.PathFinder.find_spec("cel.cel", package.submodule_search_locations)
    if found is None or found.loader is None:
        msg = "common-expression-language has no compiled part"
        raise ImportError(msg)
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def check(text: str) -> str | None:
    """What is wrong with an expression, in the words of the language; None when it can be evaluated."""
    try:
        called = _compiled(text).functions()
    except ValueError as error:
        return f"cannot be read: {_reason(error)}"
    # Operators are functions, too, with names that nobody can write.
    unknown = sorted(name for name in called if _NAME.fullmatch(name) and name not in _FUNCTIONS)
    return f"calls {unknown[0]}(), which there is not; there are {', '.join(_NAMED)}" if unknown else None


def evaluate(text: str, context: Mapping[str, Any]) -> Any:
    """The value of an expression as JSON has it; ExpressionFailedError says why there is none."""
    _check_extent(text, context)
    given = {name: _bounded(value) for name, value in context.items()}
    try:
        value = _run(text, given)
    except (ValueError, TypeError, KeyError, IndexError, ArithmeticError, RuntimeError) as error:
        raise ExpressionFailedError(f"{text[:100]!r} {_told(error)}") from None
    return _json(text, value)


@lru_cache(maxsize=4_096)
def _compiled(text: str) -> Any:
    return _cel().compile(text)


@lru_cache(maxsize=1_024)
def _with_points(text: str) -> str:
    """The expression with whole numbers as numbers with a point: JSON knows one kind of numbers only."""
    parts, end = [], 0
    for quoted in _TEXT.finditer(text):
        parts += [_WHOLE.sub(r"\1.0", text[end : quoted.start()]), quoted[0]]
        end = quoted.end()
    return "".join([*parts, _WHOLE.sub(r"\1.0", text[end:])])


def _run(text: str, given: Mapping[str, Any]) -> Any:
    try:
        return _compiled(text).execute(given)
    except TypeError:
        # `net * 1.19` where net is 100: the language does not mix whole numbers with others.
        try:
            return _compiled(_with_points(text)).execute(_pointed(given))
        except (TypeError, ValueError):
            pass
        raise


def _pointed(value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, Mapping):
        return {key: _pointed(inner) for key, inner in value.items()}
    return [_pointed(inner) for inner in value] if isinstance(value, list | tuple) else value


def _bounded(value: Any) -> Any:
    """JSON has whole numbers of any length, the language has 64 bits of them."""
    if isinstance(value, int) and not isinstance(value, bool) and value not in _WHOLE_NUMBERS:
        return float(value)
    if isinstance(value, Mapping):
        return {key: _bounded(inner) for key, inner in value.items()}
    return [_bounded(inner) for inner in value] if isinstance(value, list | tuple) else value


def _check_extent(text: str, context: Mapping[str, Any]) -> None:
    """Refuse what would take long: loops over long lists, or over texts that are added up."""
    if not _LOOP.search(text):
        return
    depth = _depth(text)
    added = 1 + _TEXT.sub("", text).count("+")
    longest, widest = _extent(context)
    if longest * added > _LONGEST[min(depth, 2)]:
        msg = f"goes over {longest} entries; at most {_LONGEST[min(depth, 2)]} are allowed"
        raise ExpressionFailedError(f"{text[:100]!r} {msg}")
    if added > 1 and widest * added * longest**depth > _MOST_TEXT:
        msg = "adds up more text than is allowed"
        raise ExpressionFailedError(f"{text[:100]!r} {msg}")


@lru_cache(maxsize=1_024)
def _depth(text: str) -> int:
    """How deep loops stand in one another."""
    bare = _TEXT.sub('""', text)
    opened: list[bool] = []
    deepest = position = 0
    while position < len(bare):
        loop = _LOOP.match(bare, position)
        if loop or bare[position] in "([{":
            opened.append(loop is not None)
            deepest = max(deepest, sum(opened))
        elif bare[position] in ")]}" and opened:
            opened.pop()
        position = loop.end() if loop else position + 1
    return deepest


def _extent(value: Any) -> tuple[int, int]:
    """The longest list or object within a value, and the longest text."""
    if isinstance(value, str):
        return 0, len(value)
    if not isinstance(value, Mapping | list | tuple):
        return 0, 0
    inner = [_extent(one) for one in (value.values() if isinstance(value, Mapping) else value)]
    longest = max((one[0] for one in inner), default=0)
    return max(len(value), longest), max((one[1] for one in inner), default=0)


def _json(text: str, value: Any) -> Any:
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, list):
        return [_json(text, inner) for inner in value]
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {key: _json(text, inner) for key, inner in value.items()}
    raise ExpressionFailedError(f"{text[:100]!r} gives what JSON cannot hold: {type(value).__name__}")


def _told(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"asks for {str(error.args[0])[:60]!r}, which is not there; has(…) says whether it is"
    return f"cannot be evaluated: {_reason(error)}"


def _reason(error: Exception) -> str:
    """The first sentence of what the library says; a message is never a program's own words to a user."""
    first = re.sub(
        r"^Failed to parse expression .*?: ERROR: <input>:\d+:", "column ", str(error), flags=re.DOTALL
    )
    line = first.strip().splitlines()[0] if first.strip() else type(error).__name__
    return line.split(". ")[0][:_LONGEST_REASON]
