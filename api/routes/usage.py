"""What calls of models took: tokens, cost, latency, failures."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BeforeValidator, WithJsonSchema

from api.dependencies import DatabaseDependency, Principal, require
from api.problems import problem_responses
from api.routes.providers import budget_read
from perdure.db.provider_budgets import ProviderBudgetRepository
from perdure.db.usage_repository import UsageRepository
from perdure.errors import FieldError, InvalidInputError
from perdure.schemas.base import GivenInstant
from perdure.schemas.providers import UsageGroup, UsageRead

router = APIRouter(prefix="/api/v1/usage", tags=["providers"])

Reader = Annotated[Principal, require("usage:read")]

USUAL = timedelta(days=30)

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_SCHEMA = {"type": "string", "anyOf": [{"format": "date"}, {"format": "date-time"}]}


def _day_or_instant(*, end: bool) -> Callable[[Any], Any]:
    """Take a day for the instant at which it begins, or ends."""

    def read(value: Any) -> Any:
        if not isinstance(value, str) or not _DAY.fullmatch(value):
            return value
        try:
            return datetime.combine(date.fromisoformat(value), time(), UTC) + timedelta(days=int(end))
        except OverflowError as error:
            msg = "is the last day of the calendar"
            raise ValueError(msg) from error

    return read


Since = Annotated[GivenInstant, BeforeValidator(_day_or_instant(end=False)), WithJsonSchema(_SCHEMA)]
Until = Annotated[GivenInstant, BeforeValidator(_day_or_instant(end=True)), WithJsonSchema(_SCHEMA)]


@router.get("", responses=problem_responses(), operation_id="read_model_usage")
async def read_usage(
    caller: Reader,
    database: DatabaseDependency,
    group_by: Annotated[UsageGroup, Query(description="What calls are added up by.")] = UsageGroup.MODEL,
    since: Annotated[
        Since | None,
        Query(alias="from", description="The first day (UTC) or instant; left out: 30 days before the end."),
    ] = None,
    until: Annotated[
        Until | None,
        Query(
            alias="to",
            description="The last day (UTC), or the instant before which calls count; left out: now.",
        ),
    ] = None,
) -> UsageRead:
    """Add up calls by provider, model, operation, kind of operation or day; failed ones count, too."""
    begin, end = period(since, until)
    async with database.transaction(caller.organisation_id) as session:
        items, total = await UsageRepository(session, caller.organisation_id).usage(group_by, begin, end)
        standing = await ProviderBudgetRepository(session, caller.organisation_id).standing()
    return UsageRead(group_by=group_by, items=items, total=total, budget=budget_read(standing))


def period(since: datetime | None, until: datetime | None) -> tuple[datetime, datetime]:
    """From when, and before when; InvalidInputError when that is nothing."""
    end = until or datetime.now(UTC)
    try:
        begin = since or end - USUAL
    except OverflowError as error:
        raise _refused("to", "No calendar goes so far back; choose a later day.") from error
    if begin >= end:
        raise _refused("from", "It is not before the end; choose an earlier day, or a later 'to'.")
    return begin, end


def _refused(name: str, detail: str) -> InvalidInputError:
    return InvalidInputError(f"{name}: {detail}", [FieldError(f"/query/{name}", detail)])
