"""What an organisation may have at most, and what is said to one that asks for more."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from perdure.errors import QuotaExceededError


class Quota(StrEnum):
    """What is counted, by the name of its column."""

    DOCUMENTS = "documents"
    STORED_BYTES = "stored_bytes"
    OPERATIONS_PER_DAY = "operations_per_day"
    MEMBERS = "members"


_NOUNS: Mapping[Quota, str] = {
    Quota.DOCUMENTS: "documents",
    Quota.STORED_BYTES: "bytes of stored originals",
    Quota.OPERATIONS_PER_DAY: "operations a day",
    Quota.MEMBERS: "members",
}
_REMEDIES: Mapping[Quota, str] = {
    Quota.DOCUMENTS: "Delete documents",
    Quota.STORED_BYTES: "Delete documents",
    Quota.OPERATIONS_PER_DAY: "Wait until midnight UTC",
    Quota.MEMBERS: "Remove a member",
}


def day_of(now: datetime) -> tuple[datetime, datetime]:
    """Start of the UTC day and of the next one."""
    start = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return start, start + timedelta(days=1)


def shortage(quota: Quota, limit: int, used: int, more: int) -> str | None:
    """What to say when `more` would not fit; None when it does."""
    if used + more <= limit:
        return None
    return (
        f"The organisation's quota of {limit} {_NOUNS[quota]} does not allow for {more} more: {used} are used. "
        f"{_REMEDIES[quota]}, or ask your operator for a higher quota; GET /api/v1/organisation/usage shows all."
    )


def check(
    limits: Mapping[Quota, int], used: Mapping[Quota, int], more: Mapping[Quota, int], now: datetime
) -> None:
    """Raise `QuotaExceededError` for the first quota that would be exceeded. Adding nothing is always allowed."""
    for quota, added in more.items():
        if quota not in limits or added <= 0:
            continue
        detail = shortage(quota, limits[quota], used[quota], added)
        if detail is not None:
            # Waiting helps where a new day does.
            wait = day_of(now)[1] - now if quota is Quota.OPERATIONS_PER_DAY else None
            raise QuotaExceededError(detail, wait, quota.value)
