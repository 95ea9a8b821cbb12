"""`perdure usage`: what calls of models took, and how the budget of the month stands."""

from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any

import typer
from rich.text import Text

from perdure.cli.output import JsonOption, client, console, print_json, run, table_of
from perdure.domain.budgets import BudgetState
from perdure.domain.dollars import dollars
from perdure.schemas.providers import BudgetRead, UsageGroup, UsageItem, UsageRead

_STATES = {BudgetState.OK: "green", BudgetState.SOFT: "yellow", BudgetState.HARD: "red"}


def usage(
    group_by: Annotated[UsageGroup, typer.Option("--group-by", "-g")] = UsageGroup.MODEL,
    days: Annotated[int, typer.Option(min=1, max=3660, help="Of the last days, today included.")] = 30,
    as_json: JsonOption = False,
) -> None:
    """Show what calls of models took: tokens, cost, latency, failures; and the budget of the month."""
    since = _today() - timedelta(days=days - 1)
    answer = run(_asked({"group_by": group_by.value, "from": since.isoformat()}))
    if as_json:
        print_json(answer)
        return
    read = UsageRead.model_validate(answer)
    table = table_of(group_by.value)
    for column in ("calls", "failed", "input", "cached", "output", "cost", "median", "p95"):
        table.add_column(column, justify="right", no_wrap=True)
    for item in read.items:
        table.add_row(*_cells(item))
    if len(read.items) > 1:
        table.add_section()
        table.add_row(*_cells(read.total), style="bold")
    console.print(table)
    if read.total.unpriced:
        console.print(_unpriced(read.total.unpriced), style="dim")
    console.print(_budget(read.budget))


def _today() -> date:
    return datetime.now(UTC).date()


def _cells(item: UsageItem) -> list[str]:
    counts = (item.calls, item.failed, item.input_tokens, item.cached_tokens, item.output_tokens)
    times = (f"{ms:,.0f} ms" if ms is not None else "" for ms in (item.p50_ms, item.p95_ms))
    return [item.group, *(f"{count:,}" for count in counts), _cost(item), *times]


def _unpriced(calls: int) -> str:
    counted = "1 call is" if calls == 1 else f"{calls:,} calls are"
    return f"{counted} not in the costs: nobody knows the price of the model."


def _cost(item: UsageItem) -> str:
    if not item.unpriced:
        return dollars(item.cost_usd)
    return f"{dollars(item.cost_usd)} and more" if item.cost_usd else "not known"


def _budget(budget: BudgetRead) -> Text:
    limits = [
        f"{name} {dollars(limit)}"
        for name, limit in (("alert at", budget.soft_usd), ("stop at", budget.hard_usd))
        if limit is not None
    ]
    said = f"{budget.month:%B %Y}: {dollars(budget.spent_usd)} spent"
    return Text(
        f"{said}, {', '.join(limits)}" if limits else f"{said}, no budget", style=_STATES[budget.state]
    )


async def _asked(params: dict[str, Any]) -> Any:
    async with client() as api:
        return await api.call("GET", "/usage", params=params)
