"""What a step was told, as people are shown it: filled in, bounded, and without what opens doors."""

import re
from collections.abc import Mapping
from typing import Any

from perdure.domain.workflow_values import size_of

MAX_SHOWN_BYTES = 16 * 1024
_MOST_CHARACTERS = 2_000
_MOST_ENTRIES = 50
_DEEPEST = 8
HIDDEN = "…"
# Headers by which somebody proves who they are.
_PROVES = re.compile(r"auth|cookie|token|secret|key|password|credential|session|signature", re.IGNORECASE)


def shown_input(settings: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any] | None:
    """A step's `with` and `input`, filled in; long texts and lists are cut, and too much of all is left out."""
    told = {"with": _without_proofs(settings), "input": given}
    shown = {name: _cut(value, _DEEPEST) for name, value in told.items() if value}
    size = size_of(shown)
    if size > MAX_SHOWN_BYTES:
        return {"omitted_bytes": size}
    return shown or None


def _without_proofs(settings: Mapping[str, Any]) -> dict[str, Any]:
    headers = settings.get("headers")
    if not isinstance(headers, Mapping):
        return dict(settings)
    shown = {
        name: HIDDEN if _PROVES.search(str(name)) and not isinstance(value, Mapping) else value
        for name, value in headers.items()
    }
    return {**settings, "headers": shown}


def _cut(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return value if len(value) <= _MOST_CHARACTERS else f"{value[:_MOST_CHARACTERS]}{HIDDEN}"
    if not isinstance(value, Mapping | list | tuple):
        return value
    if not depth:
        return HIDDEN
    if isinstance(value, Mapping):
        cut: Any = {str(key): _cut(inner, depth - 1) for key, inner in list(value.items())[:_MOST_ENTRIES]}
        return {**cut, HIDDEN: f"{len(value) - _MOST_ENTRIES} more"} if len(value) > _MOST_ENTRIES else cut
    cut = [_cut(inner, depth - 1) for inner in value[:_MOST_ENTRIES]]
    return [*cut, f"{HIDDEN} {len(value) - _MOST_ENTRIES} more"] if len(value) > _MOST_ENTRIES else cut
