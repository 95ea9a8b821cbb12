"""Until when a step of a document workflow waits."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from perdure.domain.business_calendar import parse_span
from perdure.domain.workflow_definitions import SPAN_WORDS
from perdure.errors import InvalidInputError

_SECONDS = re.compile(r"([0-9]{1,6}) seconds?")


def until_of(settings: Mapping[str, Any], now: datetime) -> datetime:
    """The instant that a wait's `for` or `until` means; a date without a zone is one in UTC."""
    if "for" in settings:
        return now + _span(settings["for"])
    given = settings.get("until")
    try:
        until = datetime.fromisoformat(str(given).strip())
        return until.replace(tzinfo=UTC) if until.tzinfo is None else until.astimezone(UTC)
    except (ValueError, OverflowError):
        msg = f"until is {str(given)[:60]!r}; it must be a date and time such as 2026-03-31T12:00:00Z"
        raise InvalidInputError(msg) from None


def _span(given: object) -> timedelta:
    match = _SECONDS.fullmatch(given) if isinstance(given, str) else None
    if match:
        return timedelta(seconds=int(match[1]))
    span = parse_span(given)
    if span is None or span.business:
        msg = f"for is {str(given)[:60]!r}; it {SPAN_WORDS}"
        raise InvalidInputError(msg)
    return span.length
