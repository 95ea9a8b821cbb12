"""Definitions that were read before: executions of the same version share what was understood."""

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from perdure.domain.workflow_definitions import WorkflowDefinition
from perdure.domain.workflow_execution import Course
from perdure.domain.workflow_reading import parse_definition


def understood(definition: Mapping[str, Any]) -> tuple[WorkflowDefinition, Course]:
    """A definition and the course of its steps; neither is ever changed."""
    return _understood(json.dumps(definition))


@lru_cache(maxsize=32)
def _understood(definition: str) -> tuple[WorkflowDefinition, Course]:
    parsed = parse_definition(json.loads(definition))
    return parsed, Course(parsed.steps)
