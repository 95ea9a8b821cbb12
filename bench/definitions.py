"""What definitions of document workflows cost: read with all checks, written as YAML, compared and drawn.

The definition has a step after the other, each with an expression of its own and two that are inserted; `cold` is
before any of its expressions was seen, as for a definition that somebody has just written.
"""

import asyncio
import copy
import time
from collections.abc import Callable
from typing import Any

from bench.report import Figure, Options, Target
from perdure.domain.roles import Role
from perdure.domain.workflow_diagram import diagram
from perdure.domain.workflow_diff import differences
from perdure.domain.workflow_reading import parse_definition
from perdure.domain.workflow_yaml import read_yaml, write_yaml
from perdure.errors import InvalidInputError
from perdure.providers.cel_expressions import check

GROUP = "definitions"
_STEPS = 200
_MOST_MS = 50.0
_ROLES = tuple(role.value for role in Role)


def long_definition(steps: int, word: str) -> dict[str, Any]:
    """So many steps; another word makes all expressions others."""
    first = {"id": "s0", "type": "transform", "with": {"set": {"word": f'"{word}"'}}}
    others = [
        {
            "id": f"s{number}",
            "type": "transform",
            "needs": [f"s{number - 1}"],
            "when": f'steps.s{number - 1}.word != "{word}" && input.n > {number}',
            "input": {"text": "${steps.s0.word} of ${document.title}"},
            "with": {"set": {"word": f'steps.s{number - 1}.word + "{word}{number}"'}},
        }
        for number in range(1, steps)
    ]
    return {"name": "Long", "steps": [first, *others]}


async def run(options: Options) -> list[Figure]:
    """All of it on one core."""
    return await asyncio.to_thread(_measured, options)


def _measured(options: Options) -> list[Figure]:
    repeats = options.repeats(15, 2)
    parse_definition(long_definition(2, "warm"), check=check, roles=_ROLES)
    options.say("definitions of 200 steps")
    cold = [_milliseconds(_reading(long_definition(_STEPS, f"w{number}"))) for number in range(repeats)]
    known = long_definition(_STEPS, "known")
    understood = parse_definition(known, check=check, roles=_ROLES)
    warm = [_milliseconds(_reading(known)) for _ in range(repeats)]
    faulty = [_milliseconds(_refusing(_wronged(f"f{number}"))) for number in range(repeats)]
    written = write_yaml(known)
    yaml = [_milliseconds(lambda: read_yaml(written)) for _ in range(repeats)]
    drawn = [_milliseconds(lambda: diagram(understood)) for _ in range(repeats)]
    changed = copy.deepcopy(known)
    changed["steps"] = changed["steps"][10:] + changed["steps"][:10]
    compared = [_milliseconds(lambda: differences(known, changed)) for _ in range(repeats)]
    limit = Target("value", "at most", _MOST_MS)
    return [
        _figure("checked, its expressions never seen before", cold, limit),
        _figure("checked again", warm, limit),
        _figure("with a fault in each step, all named", faulty, limit),
        _figure("read as YAML", yaml),
        _figure("drawn as SVG", drawn),
        _figure("compared with one whose steps moved", compared),
    ]


def _figure(name: str, times: list[float], target: Target | None = None) -> Figure:
    slowest = f"median of {len(times)}, the slowest {max(times):.1f} ms"
    return Figure(
        GROUP, f"{_STEPS} steps {name}", "ms", sorted(times)[len(times) // 2], target=target, note=slowest
    )


def _milliseconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1_000


def _reading(definition: dict[str, Any]) -> Callable[[], object]:
    return lambda: parse_definition(definition, check=check, roles=_ROLES)


def _refusing(definition: dict[str, Any]) -> Callable[[], object]:
    def refused() -> int:
        try:
            parse_definition(definition, check=check, roles=_ROLES)
        except InvalidInputError as error:
            return len(error.errors)
        raise AssertionError

    return refused


def _wronged(word: str) -> dict[str, Any]:
    definition = long_definition(_STEPS, word)
    for step in definition["steps"]:
        step["colour"] = "red"
    return definition
