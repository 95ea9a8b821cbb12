"""What pages of the console say about the budget."""

from dataclasses import dataclass

from api.dependencies import Principal
from api.routes import providers
from api.routes.console_pages import Pages
from perdure.domain.dollars import dollars
from perdure.domain.roles import Scope
from perdure.schemas.providers import BudgetRead


@dataclass(frozen=True)
class BudgetView:
    """A budget in words, and as parts of a bar."""

    read: BudgetRead
    spent: str
    soft: str
    hard: str
    share: float
    soft_share: float | None

    @property
    def state(self) -> str:
        """`ok`, `soft` or `hard`."""
        return self.read.state.value

    @property
    def month_name(self) -> str:
        """`November 2026`."""
        return f"{self.read.month:%B %Y}"

    @property
    def tone(self) -> str:
        """The colour of its bar."""
        return {"ok": "success", "soft": "warning", "hard": "danger"}[self.state]


def budget_view(read: BudgetRead) -> BudgetView:
    """The bar ends at the hard limit, or at the soft one where there is no other."""
    whole = read.hard_usd if read.hard_usd is not None else read.soft_usd
    part = read.soft_usd if read.hard_usd is not None else None
    return BudgetView(
        read,
        spent=dollars(read.spent_usd),
        soft="" if read.soft_usd is None else dollars(read.soft_usd),
        hard="" if read.hard_usd is None else dollars(read.hard_usd),
        share=1.0 if not whole else min(1.0, float(read.spent_usd / whole)),
        soft_share=float(part / whole) if part is not None and whole else None,
    )


async def budget_of(pages: Pages, caller: Principal) -> BudgetView | None:
    """The organisation's budget, for who may see it."""
    if Scope.USAGE_READ not in caller.scopes:
        return None
    return budget_view(await providers.read_budget(caller, pages.database))
