"""Prefixed, time-sortable, URL-safe identifiers."""

from datetime import datetime

from ulid import ULID

ID_PATTERN = r"^[a-z]{2,5}_[0-9a-z]{26}$"


def new_id(prefix: str) -> str:
    """Return `prefix_` and a fresh ULID in lower case; sorts by creation time to the millisecond."""
    return f"{prefix}_{str(ULID()).lower()}"


def first_id_at(prefix: str, instant: datetime) -> str:
    """The smallest id that can have been made at or after an instant."""
    time_part = str(ULID.from_datetime(instant))[:10].lower()
    return f"{prefix}_{time_part}{'0' * 16}"


def made_at(identifier: str) -> datetime:
    """When an id was made, which it tells itself."""
    return ULID.from_str(identifier.rpartition("_")[2].upper()).datetime
