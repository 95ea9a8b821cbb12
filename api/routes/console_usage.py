"""Console: usage of models and the budget. The rules are those of the API's own routes, which these call."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Form, Query
from markupsafe import Markup
from pydantic import ValidationError
from starlette.responses import Response

from api.actors import ActorDependency
from api.dependencies import DatabaseDependency, OperationsDependency, Principal, require
from api.routes import providers, usage
from api.routes.console_budget_view import budget_view
from api.routes.console_charts import Axis, Bar, axis_upto, bar_chart, ranking
from api.routes.console_pages import ConsoleRoute, Pages, Shown, fault_of
from api.routes.console_words import kind_label
from perdure.domain.dollars import dollars
from perdure.domain.roles import Scope
from perdure.errors import InvalidInputError, PerdureError
from perdure.schemas.providers import BudgetUpdate, UsageGroup, UsageItem, UsageRead

router = APIRouter(prefix="/settings", route_class=ConsoleRoute, include_in_schema=False)

Reader = Annotated[Principal, require("usage:read")]
Writer = Annotated[Principal, require("providers:write")]

MOST_BARS = 12


class Period(StrEnum):
    """What the page can look back on."""

    MONTH = "month"
    WEEK = "7"
    THIRTY = "30"
    QUARTER = "90"
    YEAR = "365"


class Measure(StrEnum):
    """What the chart shows."""

    COST = "cost"
    CALLS = "calls"
    TOKENS = "tokens"


PERIODS = {
    Period.MONTH: "this month",
    Period.WEEK: "the last 7 days",
    Period.THIRTY: "the last 30 days",
    Period.QUARTER: "the last 90 days",
    Period.YEAR: "the last 365 days",
}
GROUPS = {
    UsageGroup.DAY: "day",
    UsageGroup.MODEL: "model",
    UsageGroup.PROVIDER: "provider",
    UsageGroup.KIND: "kind of operation",
    UsageGroup.OPERATION: "operation",
}
MEASURES = {Measure.COST: "US dollars", Measure.CALLS: "Calls", Measure.TOKENS: "Tokens"}


@dataclass(frozen=True)
class UsageView:
    """A line of the table."""

    item: UsageItem
    name: str
    href: str | None = None

    @property
    def cost(self) -> str:
        """What is known of its price."""
        if self.item.unpriced and not self.item.cost_usd:
            return "not known"
        return f"{dollars(self.item.cost_usd)}{' and more' if self.item.unpriced else ''}"


def first_day(period: Period, today: date) -> date:
    """When the period begins; today is its last day."""
    return today.replace(day=1) if period is Period.MONTH else today - timedelta(days=int(period) - 1)


def usage_view(item: UsageItem, group_by: UsageGroup) -> UsageView:
    """A group by a name for people."""
    if not item.group:
        return UsageView(item, "Outside of operations")
    if group_by is UsageGroup.OPERATION:
        return UsageView(item, item.group, f"/operations/{item.group}")
    if group_by is UsageGroup.KIND:
        return UsageView(item, kind_label(item.group))
    if group_by is UsageGroup.PROVIDER:
        title = next((title for name, title in providers.TITLES.items() if name == item.group), item.group)
        return UsageView(item, title)
    return UsageView(item, item.group)


def every_day(items: Sequence[UsageItem], since: date, until: date) -> list[UsageItem]:
    """The days of a period, those without calls too."""
    known = {item.group: item for item in items}
    days = [since + timedelta(days=number) for number in range((until - since).days + 1)]
    return [known.get(day.isoformat()) or _nothing(day.isoformat()) for day in days]


def _nothing(group: str) -> UsageItem:
    return UsageItem(
        group=group,
        calls=0,
        failed=0,
        input_tokens=0,
        output_tokens=0,
        cached_tokens=0,
        cost_usd=Decimal(0),
        p50_ms=None,
        p95_ms=None,
    )


def _amount(item: UsageItem, measure: Measure) -> float:
    if measure is Measure.COST:
        return float(item.cost_usd)
    return float(item.calls if measure is Measure.CALLS else item.input_tokens + item.output_tokens)


def _show(measure: Measure, value: float) -> str:
    return dollars(Decimal(str(value))) if measure is Measure.COST else f"{value:,.0f}"


def chart(views: Sequence[UsageView], group_by: UsageGroup, measure: Measure) -> Markup:
    """Days side by side, groups below each other; the table beside it says the same."""
    values = [_amount(view.item, measure) for view in views]
    bars = [
        Bar(view.name[5:] if group_by is UsageGroup.DAY else view.name, value, _pointed(view, value, measure))
        for view, value in zip(views, values, strict=True)
    ]
    greatest = max(values, default=0.0)
    title = f"{MEASURES[measure]} by {GROUPS[group_by]}"
    told = (
        f"{len(bars)} bars, the greatest is {_show(measure, greatest)}; the table beside it has all figures."
    )
    if group_by is UsageGroup.DAY:
        # There is no quarter of a call.
        least = 0.0 if measure is Measure.COST else 4.0
        axis = axis_upto(max(greatest, least), MEASURES[measure])
        return bar_chart("usage", title, told, bars=bars, y=axis)
    whole = Axis(MEASURES[measure], 0.0, greatest or 1.0, (), lambda value: _show(measure, value))
    shown = sorted(bars, key=lambda bar: -bar.value)[:MOST_BARS]
    return ranking("usage", title, told, bars=shown, y=whole)


def _pointed(view: UsageView, value: float, measure: Measure) -> str:
    unit = "" if measure is Measure.COST else f" {MEASURES[measure].lower()}"
    return f"{view.name}: {_show(measure, value)}{unit}"


async def _page(
    pages: Pages,
    caller: Principal,
    *,
    group_by: UsageGroup = UsageGroup.DAY,
    period: Period = Period.THIRTY,
    measure: Measure | None = None,
    **context: Any,
) -> Response:
    shown: dict[str, Any] = {"fault": None, "given": None, **context}
    today = datetime.now(UTC).date()
    since = first_day(period, today)
    read = await usage.read_usage(caller, pages.database, group_by, _beginning(since))
    return await pages.inside(
        "settings_usage.html",
        caller,
        "usage",
        http_status=422 if shown["fault"] else 200,
        **usage_context(read, period, measure, (since, today)),
        may_change=Scope.PROVIDERS_WRITE in caller.scopes,
        **shown,
    )


def _beginning(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def usage_context(
    read: UsageRead, period: Period, measure: Measure | None, days: tuple[date, date]
) -> dict[str, Any]:
    """What the template shows of an answer."""
    usual = Measure.COST if read.total.cost_usd else Measure.CALLS
    by_day = read.group_by is UsageGroup.DAY
    items = every_day(read.items, *days) if by_day else read.items
    views = [usage_view(item, read.group_by) for item in items]
    return {
        "views": [view for view in reversed(views) if view.item.calls] if by_day else views,
        "total": UsageView(read.total, "All"),
        "chart": chart(views, read.group_by, measure or usual),
        "budget": budget_view(read.budget),
        "group_by": read.group_by,
        "groups": GROUPS,
        "period": period,
        "periods": PERIODS,
        "measure": measure or usual,
        "measures": MEASURES,
    }


@router.get("/usage")
async def show_usage(
    pages: Shown,
    caller: Reader,
    group_by: Annotated[UsageGroup, Query()] = UsageGroup.DAY,
    period: Annotated[Period, Query()] = Period.THIRTY,
    measure: Annotated[Measure | None, Query()] = None,
) -> Response:
    """What calls of models took, and the budget."""
    return await _page(pages, caller, group_by=group_by, period=period, measure=measure)


@router.post("/budget")
async def change_budget(
    *,
    pages: Shown,
    caller: Writer,
    database: DatabaseDependency,
    operations: OperationsDependency,
    actor: ActorDependency,
    soft_usd: Annotated[str, Form()] = "",
    hard_usd: Annotated[str, Form()] = "",
) -> Response:
    """Set both limits; what is empty is no limit."""
    given = {"soft_usd": soft_usd.strip(), "hard_usd": hard_usd.strip()}
    try:
        body = BudgetUpdate.model_validate({name: _limit(text) for name, text in given.items()})
        await providers.replace_budget(body, caller, database, operations, actor)
    except ValidationError as error:
        return await _page(pages, caller, fault=fault_of(error), given=given)
    except PerdureError as error:
        return await _page(pages, caller, fault=str(error), given=given)
    return pages.redirect("/settings/usage", "budget-changed")


def _limit(text: str) -> Decimal | None:
    if not text:
        return None
    try:
        return Decimal(text.removeprefix("$").replace(",", ""))
    except InvalidOperation as error:
        raise InvalidInputError("Enter dollars, like 25 or 19.50, or nothing.") from error
