"""Lines of an import: our own export, or what mem0 and supermemory export, as the fields that we know."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

# By our name, the names that it has elsewhere, in this order.
_NAMES: Mapping[str, tuple[str, ...]] = {
    "content": ("content", "memory", "text", "data"),
    "subject": ("subject", "user_id", "userId", "containerTag"),
    "speaker": ("speaker", "name"),
    "role": ("role",),
    "kind": ("kind",),
    "external_id": ("external_id", "customId"),
    "session_id": ("session_id", "run_id", "conversationId"),
    "valid_from": ("valid_from", "created_at", "createdAt"),
    "valid_to": ("valid_to",),
    "expires_at": ("expires_at", "expiration_date"),
    "confidence": ("confidence",),
    "importance": ("importance",),
    "tags": ("tags", "categories", "containerTags"),
    "metadata": ("metadata",),
}


def read_line(line: str) -> dict[str, Any]:
    """The fields of one line; ValueError says what is wrong with it."""
    try:
        given = json.loads(line)
    except (json.JSONDecodeError, RecursionError) as error:
        msg = "is not JSON"
        raise ValueError(msg) from error
    if not isinstance(given, dict):
        msg = "is no JSON object"
        raise ValueError(msg)  # noqa: TRY004  # it is about the line, not about our types
    fields: dict[str, Any] = {}
    for ours, names in _NAMES.items():
        value = next((given[name] for name in names if given.get(name) not in (None, "", [])), None)
        if value is not None:
            fields[ours] = value
    for name in ("valid_from", "valid_to", "expires_at"):
        if name in fields:
            fields[name] = _with_zone(fields[name])
    return fields


def _with_zone(value: Any) -> Any:
    """Others write times without a zone, and days; they mean UTC."""
    if not isinstance(value, str):
        return value
    try:
        instant = datetime.fromisoformat(value)
    except ValueError:
        return value
    return instant.isoformat() if instant.tzinfo else instant.replace(tzinfo=UTC).isoformat()
