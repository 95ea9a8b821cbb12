"""Workflows that are ready but for some values. Each is a definition in YAML beside this module."""

import copy
import re
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

from perdure.domain.json_objects import Faults
from perdure.domain.workflow_definitions import Parameter, ParameterType, missing_parameter, parameter_fault
from perdure.domain.workflow_expressions import examine, expressions_in
from perdure.domain.workflow_yaml import read_yaml
from perdure.errors import NotFoundError

NAMES = (
    "invoice-approval",
    "contract-review",
    "support-triage",
    "policy-acknowledgement",
    "meeting-follow-up",
)
_INSERTED = re.compile(r"\$\{\s*parameters\.([a-z][a-z0-9_]*)\s*\}")


@cache
def _read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = read_yaml((resources.files(__name__) / f"{name}.yaml").read_text("utf-8"))
    return found


def template(name: str) -> dict[str, Any]:
    """A template's definition; NotFoundError names those that there are."""
    if name not in NAMES:
        raise NotFoundError(f"there is no template '{name[:60]}'; there are {', '.join(NAMES)}")
    return copy.deepcopy(_read(name))


def instantiate(name: str, given: Mapping[str, Any], called: str | None = None) -> dict[str, Any]:
    """The definition that a template is with these values; InvalidInputError names each that does not fit.

    Values stand in the definition where the template inserts them as `${parameters.…}`, so that a policy names who
    is meant. Expressions go on asking for parameters, whose defaults they become: each execution may give others.
    """
    definition = template(name)
    values = bind_all(definition.get("parameters", {}), given)
    definition["steps"] = _filled(definition["steps"], values)
    definition["name"] = called or definition["name"]
    asked = _asked(definition["steps"])
    left = {
        one: {**said, "default": values[one]}
        for one, said in definition["parameters"].items()
        if one in asked
    }
    for said in left.values():
        said.pop("required", None)
        if said["default"] is None:
            del said["default"]
    definition["parameters"] = left
    if not left:
        del definition["parameters"]
    return definition


def bind_all(parameters: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Values for all parameters of a template."""
    faults = Faults()
    for name in given:
        if name not in parameters:
            faults.add(f"/parameters/{name}", f"is no parameter; known are {', '.join(parameters)}")
    values: dict[str, Any] = {}
    for name, said in parameters.items():
        parameter = Parameter(name, ParameterType(said["type"]))
        value = given.get(name, said.get("default"))
        if value is None:
            if said.get("required"):
                faults.add(f"/parameters/{name}", missing_parameter(parameter))
        elif fault := parameter_fault(parameter, value):
            faults.add(f"/parameters/{name}", fault)
        values[name] = value
    faults.raise_for("set of parameters")
    return values


def _filled(value: Any, values: Mapping[str, Any]) -> Any:
    """The value with parameters inserted: alone they keep their type, within a text they become part of it."""
    if isinstance(value, str):
        whole = _INSERTED.fullmatch(value)
        if whole:
            alone = values[whole[1]]
            return _plain(alone) if isinstance(alone, str) else alone
        return _INSERTED.sub(lambda found: _plain(str(values[found[1]])), value)
    if isinstance(value, dict):
        return {key: _filled(inner, values) for key, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, values) for inner in value]
    return value


def _plain(text: str) -> str:
    """A value never brings an expression of its own into a text."""
    return text.replace("${", "$ {")


def _asked(value: Any) -> set[str]:
    """The parameters that expressions ask for, wherever they stand."""
    found: set[str] = set()
    texts = [expression for _, expression in expressions_in(value)]
    texts += list(_texts(value))
    for text in texts:
        examined = examine(text)
        if not examined.fault:
            found |= {one.name for one in examined.references if one.root == "parameters" and one.name}
    return found


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for inner in value.values() for text in _texts(inner)]
    if isinstance(value, list):
        return [text for inner in value for text in _texts(inner)]
    return []
