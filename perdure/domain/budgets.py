"""What an organisation may spend on calls of models in a calendar month (UTC)."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum


class BudgetState(StrEnum):
    """How a budget stands."""

    OK = "ok"
    SOFT = "soft"
    """The soft limit is reached: a note, and nothing stops."""
    HARD = "hard"
    """The hard limit is reached: calls that cost are refused."""


@dataclass(frozen=True)
class Budget:
    """Two limits; None is no limit."""

    soft_usd: Decimal | None = None
    hard_usd: Decimal | None = None

    def state(self, spent: Decimal) -> BudgetState:
        """How it stands when so much is spent. A limit of nothing is reached from the start."""
        if self.hard_usd is not None and spent >= self.hard_usd:
            return BudgetState.HARD
        if self.soft_usd is not None and spent >= self.soft_usd:
            return BudgetState.SOFT
        return BudgetState.OK


def month_of(instant: datetime) -> date:
    """The first day of its month."""
    return instant.astimezone(UTC).date().replace(day=1)


def ends_at(month: date) -> datetime:
    """When the next month begins."""
    year, following = (month.year + 1, 1) if month.month == 12 else (month.year, month.month + 1)
    return datetime(year, following, 1, tzinfo=UTC)
