"""The JSON Schema of definitions, for editors: made of what the reader knows, so that both say the same.

It says less than the reader, which also follows the graph and looks into expressions.
"""

from collections.abc import Mapping
from typing import Any

from perdure.domain.approval_policies import (
    MAX_APPROVERS,
    MAX_STAGES,
    Abstentions,
    OnRevision,
    OnTimeout,
    Seats,
)
from perdure.domain.workflow_definitions import SETTINGS, OnError, ParameterType, Setting, StepType
from perdure.domain.workflow_reading import (
    MAX_ATTEMPTS,
    MAX_BRANCHES,
    MAX_PARAMETERS,
    MAX_STEPS,
    MAX_VISITS,
    ONE_OF,
    STEP_FIELDS,
    TO_COME,
)

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_ID: Mapping[str, Any] = {"type": "string", "pattern": "^[a-z][a-z0-9_]{0,59}$"}
_SPAN: Mapping[str, Any] = {"$ref": "#/$defs/span"}
_EXPRESSION: Mapping[str, Any] = {"$ref": "#/$defs/expression"}
_ANY: Mapping[str, Any] = {}


def definition_schema() -> dict[str, Any]:
    """The schema of a whole definition."""
    return {
        "$schema": DIALECT,
        "title": "Document workflow",
        "type": "object",
        "required": ["name", "steps"],
        "additionalProperties": False,
        "properties": {
            "name": {"type": "string", "minLength": 1, "maxLength": 200},
            "description": {"type": "string", "maxLength": 4_000},
            "parameters": {
                "type": "object",
                "maxProperties": MAX_PARAMETERS,
                "propertyNames": _ID,
                "additionalProperties": {"$ref": "#/$defs/parameter"},
            },
            "steps": {"$ref": "#/$defs/steps"},
            "version": _ANY,
            "schema_version": _ANY,
        },
        "$defs": {
            "expression": {
                "type": "string",
                "minLength": 1,
                "maxLength": 1_000,
                "description": 'A condition or value in CEL, such as `steps.classify.label == "invoice"`.',
            },
            "span": {
                "type": "string",
                "pattern": r"^[1-9][0-9]{0,5} (business )?(second|minute|hour|day|week)s?$",
                "description": "A time such as 90 seconds, 30 minutes or 3 days.",
            },
            "parameter": _object(
                {
                    "type": {"enum": [kind.value for kind in ParameterType]},
                    "default": _ANY,
                    "required": {"type": "boolean"},
                    "description": {"type": "string"},
                },
                "type",
            ),
            "steps": {
                "type": "array",
                "minItems": 1,
                "maxItems": MAX_STEPS,
                "items": {"$ref": "#/$defs/step"},
            },
            "step": _step(),
            **_policy(),
        },
    }


def _object(properties: Mapping[str, Any], *required: str) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(required),
        "additionalProperties": False,
    }


def _step() -> dict[str, Any]:
    """A step; what it is `with` is said by its type."""
    properties: dict[str, Any] = {
        "id": _ID,
        "type": {"enum": [kind.value for kind in StepType if kind not in TO_COME]},
        "name": {"type": "string", "maxLength": 200},
        "needs": {"type": "array", "maxItems": MAX_BRANCHES, "items": _ID},
        "when": _EXPRESSION,
        "retry": _object(
            {"attempts": {"type": "integer", "minimum": 1, "maximum": MAX_ATTEMPTS}, "wait": _SPAN}
        ),
        "timeout": _SPAN,
        "on_error": {
            "anyOf": [
                {"enum": [OnError.FAIL.value, OnError.CONTINUE.value]},
                _object({"goto": _ID}, "goto"),
            ]
        },
        "compensate": _ID,
        "max_visits": {"type": "integer", "minimum": 1, "maximum": MAX_VISITS},
        "input": {"type": "object"},
        "with": {"type": "object"},
    }
    return {
        **_object({name: properties[name] for name in STEP_FIELDS}, "id", "type"),
        "allOf": [_of_type(kind) for kind in StepType if kind not in TO_COME],
    }


def _of_type(kind: StepType) -> dict[str, Any]:
    wanted = SETTINGS[kind]
    settings = _object(
        {name: _setting(setting) for name, setting in wanted.items()},
        *(name for name, setting in wanted.items() if setting.required),
    )
    if options := ONE_OF.get(kind):
        settings["oneOf"] = [{"required": [name]} for name in options]
    needs_settings = bool(settings["required"] or ONE_OF.get(kind))
    return {
        "if": {"properties": {"type": {"const": kind.value}}},
        "then": {
            "properties": {"with": settings},
            **({"required": ["with"]} if needs_settings else {}),
        },
    }


def _setting(setting: Setting) -> Mapping[str, Any]:
    if setting.kind == "choice":
        return {"enum": list(setting.choices)}
    if setting.kind == "text":
        return {"type": "string", "maxLength": setting.most}
    if setting.kind == "whole":
        return {"type": "integer", "minimum": 1, "maximum": setting.most}
    return _SETTINGS[setting.kind]


_SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "flag": {"type": "boolean"},
    "number": {"type": "number", "minimum": 0, "maximum": 1},
    "listed": {"type": "array", "minItems": 1, "maxItems": 1_000},
    "mapping": {"type": "object"},
    "anything": _ANY,
    "span": _SPAN,
    "expression": _EXPRESSION,
    "assignments": {
        "type": "object",
        "minProperties": 1,
        "propertyNames": _ID,
        "additionalProperties": _EXPRESSION,
    },
    "target": _ID,
    "targets": {"type": "array", "minItems": 1, "maxItems": MAX_BRANCHES, "items": _ID},
    "branches": {
        "type": "array",
        "minItems": 1,
        "maxItems": MAX_BRANCHES,
        "items": _object({"when": _EXPRESSION, "goto": _ID}, "when", "goto"),
    },
    "body": {"$ref": "#/$defs/steps"},
    "policy": {"anyOf": [{"type": "string", "maxLength": 60}, {"$ref": "#/$defs/policy"}]},
}


def _policy() -> dict[str, Any]:
    """Who approves, as `perdure.domain.approval_policies` reads it."""
    principals = {"type": "array", "maxItems": MAX_APPROVERS, "items": {"$ref": "#/$defs/principal"}}
    named: dict[str, Any] = {
        kind: {"type": "string", "minLength": 1, "maxLength": 254} for kind in ("user", "role", "email")
    }
    one = {"oneOf": [{"required": [kind]} for kind in named]}
    stage = _object(
        {
            "id": {"type": "string", "pattern": "^[a-z0-9][a-z0-9_-]{0,39}$"},
            "name": {"type": "string", "maxLength": 200},
            "approvers": {
                "type": "array",
                "minItems": 1,
                "maxItems": MAX_APPROVERS,
                "items": {
                    **_object(
                        {
                            **named,
                            "weight": {"type": "integer", "minimum": 1},
                            "seats": {"enum": [seats.value for seats in Seats]},
                        }
                    ),
                    **one,
                },
            },
            "rule": {
                "anyOf": [
                    {"enum": ["any", "all"]},
                    _object({"k_of_n": {"type": "integer", "minimum": 1}}, "k_of_n"),
                    _object({"percentage": {"type": ["number", "string"]}}, "percentage"),
                    _object({"weighted": {"type": "integer", "minimum": 1}}, "weighted"),
                ]
            },
            "veto": principals,
            "required": principals,
            "abstentions": {"enum": [one.value for one in Abstentions]},
            "may_abstain": {"type": "boolean"},
            "may_request_changes": {"type": "boolean"},
            "form": {"type": "object"},
            "due_in": _SPAN,
            "reminders": {"type": "array"},
            "on_timeout": {"enum": [one.value for one in OnTimeout]},
            "escalate_to": principals,
            "escalated_due_in": _SPAN,
            "on_escalation_timeout": {"enum": ["reject", "approve", "hold"]},
        },
        "id",
        "approvers",
        "rule",
    )
    policy = _object(
        {
            "stages": {
                "type": "array",
                "minItems": 1,
                "maxItems": MAX_STAGES,
                "items": {"$ref": "#/$defs/approval_stage"},
            },
            "calendar": {"type": "object"},
            "separation_of_duties": _object(
                {name: {"type": "boolean"} for name in ("requester", "authors", "earlier_stages")}
            ),
            "delegation": {"type": ["object", "boolean"]},
            "may_reassign": {"type": "boolean"},
            "on_new_revision": {"enum": [one.value for one in OnRevision]},
            "revision_due_in": _SPAN,
            "comments": {"type": "object"},
        },
        "stages",
    )
    return {"principal": {**_object(named), **one}, "approval_stage": stage, "policy": policy}
