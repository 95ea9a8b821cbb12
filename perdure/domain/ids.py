"""Prefixed, time-sortable, URL-safe identifiers."""

import hashlib
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


def derived_id(prefix: str, cause: str, name: str) -> str:
    """The id of what something else causes under a name: the same whenever it is asked for, made when the cause was."""
    made = ULID.from_str(cause.rpartition("_")[2].upper())
    digest = hashlib.sha256(f"{cause}\n{name}".encode()).digest()
    return f"{prefix}_{str(ULID(made.bytes[:6] + digest[:10])).lower()}"


def made_at(identifier: str) -> datetime:
    """When an id was made, which it tells itself."""
    return ULID.from_str(identifier.rpartition("_")[2].upper()).datetime
