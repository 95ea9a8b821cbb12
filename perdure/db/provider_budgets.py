"""What one organisation may spend on calls of models, and what it has spent this month."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from sqlalchemy import (
    Interval,
    Numeric,
    and_,
    bindparam,
    delete,
    func,
    literal,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from perdure.db.audit_trail import AuditTrail
from perdure.db.messages import MessageRepository
from perdure.db.models import (
    OrganisationRow,
    ProviderBudgetRow,
    ProviderReservationRow,
    ProviderSpendingRow,
)
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


@dataclass(frozen=True)
class Reserved:
    """Whether a call may be made, and what has decided that."""

    is_granted: bool
    hard_usd: Decimal
    spent_usd: Decimal
    under_way_usd: Decimal
    """What other calls that are under way may cost."""


# No call is longer under way than its timeout allows, repair and all; what is left after that belongs to nobody.
RESERVED_FOR = timedelta(minutes=10)
# The lock is a statement of its own: the one after it sees what was reserved while it was waited for.
_LOCK = text(
    "SELECT hard_usd FROM provider_budgets WHERE organisation_id = :organisation_id FOR NO KEY UPDATE"
)
_RESERVE = text(
    """
    WITH expired AS (
        DELETE FROM provider_reservations WHERE organisation_id = :organisation_id AND expires_at <= now()
    ), standing AS (
        SELECT
            COALESCE((SELECT cost_usd FROM provider_spending
                WHERE organisation_id = :organisation_id AND month = :month), 0) AS spent,
            COALESCE((SELECT sum(cost_usd) FROM provider_reservations
                WHERE organisation_id = :organisation_id AND expires_at > now()), 0) AS under_way
    ), reserved AS (
        INSERT INTO provider_reservations (id, organisation_id, cost_usd, expires_at)
        SELECT :id, :organisation_id, :cost_usd, now() + :kept FROM standing
        WHERE spent + under_way + :cost_usd <= :hard_usd
        RETURNING id
    )
    SELECT spent, under_way, EXISTS (SELECT FROM reserved) AS is_granted FROM standing
    """
).bindparams(
    bindparam("cost_usd", type_=Numeric(14, 8)),
    bindparam("hard_usd", type_=Numeric(14, 2)),
    bindparam("kept", type_=Interval),
)


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

    async def reserve(self, reservation_id: str, cost_usd: Decimal) -> Reserved | None:
        """Keep so much of the budget for a call, if that much is left; None where nothing limits.

        One after the other, so that calls that begin together never get the same dollar.
        """
        values = {"organisation_id": self._organisation_id}
        hard = await self._session.scalar(_LOCK, values)
        if hard is None:
            return None
        row = (
            await self._session.execute(
                _RESERVE,
                {
                    **values,
                    "id": reservation_id,
                    "cost_usd": cost_usd,
                    "hard_usd": hard,
                    "month": month_of(datetime.now(UTC)),
                    "kept": RESERVED_FOR,
                },
            )
        ).one()
        return Reserved(row.is_granted, hard, row.spent, row.under_way)

    async def release(self, reservation_id: str) -> None:
        """Give back what was kept for a call that has ended, in the transaction that adds what it cost."""
        await self._session.execute(
            delete(ProviderReservationRow).where(ProviderReservationRow.id == reservation_id)
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
