"""Prefixed, time-sortable, URL-safe identifiers."""

from datetime import datetime

from ulid import ULID

ID_PATTERN = r"^[a-z]{2,5}_[0-9a-z]{26}$"


def new_id(prefix: str) -> str:
    """Return `prefix_` and a fresh ULID in lower case; sorts by creation time to the millisecond."""
    return f"{prefix}_{str(ULID()).lower()}"


def made_at(identifier: str) -> datetime:
    """When an id was made, which it tells itself."""
    return ULID.from_str(identifier.rpartition("_")[2].upper()).datetime
