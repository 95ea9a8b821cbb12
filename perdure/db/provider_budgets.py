"""What one organisation may spend on calls of models, and what it has spent this month."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal

from sqlalchemy import and_, func, literal, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from perdure.db.audit_trail import AuditTrail
from perdure.db.messages import MessageRepository
from perdure.db.models import OrganisationRow, ProviderBudgetRow, ProviderSpendingRow
from perdure.domain.audit import SYSTEM, Action
from perdure.domain.budgets import Budget, BudgetState, ends_at, month_of
from perdure.domain.dollars import dollars
from perdure.schemas.messages import EventType


@dataclass(frozen=True)
class Standing:
    """A budget, and what of it is spent in a month."""

    budget: Budget
    spent_usd: Decimal
    month: date

    @property
    def state(self) -> BudgetState:
        """How it stands."""
        return self.budget.state(self.spent_usd)

    @property
    def resets_at(self) -> datetime:
        """When the next month begins."""
        return ends_at(self.month)


class ProviderBudgetRepository:
    """Reads and writes the organisation's budget; the caller owns the transaction."""

    def __init__(self, session: AsyncSession, organisation_id: str) -> None:
        self._session, self._organisation_id = session, organisation_id

    async def standing(self) -> Standing:
        """The budget and this month's spending, in one round trip. Who was just erased has neither."""
        month = month_of(datetime.now(UTC))
        statement = (
            select(
                ProviderBudgetRow.soft_usd,
                ProviderBudgetRow.hard_usd,
                func.coalesce(ProviderSpendingRow.cost_usd, literal(Decimal(0))),
            )
            .select_from(OrganisationRow)
            .outerjoin(ProviderBudgetRow, ProviderBudgetRow.organisation_id == OrganisationRow.id)
            .outerjoin(
                ProviderSpendingRow,
                and_(
                    ProviderSpendingRow.organisation_id == OrganisationRow.id,
                    ProviderSpendingRow.month == month,
                ),
            )
            .where(OrganisationRow.id == self._organisation_id)
        )
        found = (await self._session.execute(statement)).one_or_none()
        soft, hard, spent = found or (None, None, Decimal(0))
        return Standing(Budget(soft, hard), spent, month)

    async def put(self, budget: Budget) -> None:
        """Set both limits."""
        values = {"soft_usd": budget.soft_usd, "hard_usd": budget.hard_usd, "updated_at": func.now()}
        statement = insert(ProviderBudgetRow).values(organisation_id=self._organisation_id, **values)
        await self._session.execute(
            statement.on_conflict_do_update(index_elements=["organisation_id"], set_=values)
        )

    async def spend(self, cost: Decimal | None) -> None:
        """Add a call to this month; that the soft limit is reached is told and recorded once."""
        month = month_of(datetime.now(UTC))
        added = cost or Decimal(0)
        statement = insert(ProviderSpendingRow).values(
            organisation_id=self._organisation_id, month=month, cost_usd=added, calls=1
        )
        row = (
            await self._session.execute(
                statement.on_conflict_do_update(
                    index_elements=["organisation_id", "month"],
                    set_={
                        "cost_usd": ProviderSpendingRow.cost_usd + statement.excluded.cost_usd,
                        "calls": ProviderSpendingRow.calls + 1,
                    },
                ).returning(ProviderSpendingRow.cost_usd, ProviderSpendingRow.soft_noted_usd)
            )
        ).one()
        if not added:
            return
        limits = (
            await self._session.execute(
                select(ProviderBudgetRow.soft_usd, ProviderBudgetRow.hard_usd).where(
                    ProviderBudgetRow.organisation_id == self._organisation_id
                )
            )
        ).one_or_none()
        soft, hard = limits or (None, None)
        if soft is not None and row.cost_usd >= soft and row.soft_noted_usd != soft:
            await self._note_soft(month, soft, hard)

    async def _note_soft(self, month: date, soft: Decimal, hard: Decimal | None) -> None:
        """The row is locked by what was added to it: nobody else notes the same limit."""
        await self._session.execute(
            update(ProviderSpendingRow)
            .where(
                ProviderSpendingRow.organisation_id == self._organisation_id,
                ProviderSpendingRow.month == month,
            )
            .values(soft_noted_usd=soft)
        )
        details = {"month": month.isoformat(), "soft_usd": str(soft)}
        effect = f"budget.soft_reached:{month.isoformat()}:{soft}"
        messages = MessageRepository(self._session, self._organisation_id)
        await messages.publish(effect, EventType.BUDGET_SOFT_REACHED, details)
        await messages.alert(effect, *_soft_letter(month, soft, hard))
        trail = AuditTrail(self._session, self._organisation_id)
        await trail.record(Action.BUDGET_SOFT_REACHED, SYSTEM, details=details)


def _soft_letter(month: date, soft: Decimal, hard: Decimal | None) -> tuple[str, str]:
    """Subject and text of what owners and administrators get."""
    then = (
        f"Nothing stops yet: at {dollars(hard)} calls that cost are refused, and what needs them pauses."
        if hard is not None
        else "Nothing stops: there is no hard limit."
    )
    said = f"Calls of models have cost {dollars(soft)} in {month:%B %Y}, the soft limit of the organisation. {then}"
    return f"The soft limit of {month:%B %Y} is reached", said
