"""What calls cost, by a list; what is not on it has no price."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from perdure.domain.budgets import Budget, BudgetState, ends_at, month_of
from perdure.domain.model_prices import PricedModel, price_of
from perdure.domain.routing import ProviderName


def test_a_known_model_has_a_price_and_cached_input_costs_less() -> None:
    model = PricedModel(ProviderName.OPENAI, "gpt-4o")
    whole, cached = price_of(model, 1000, 100, 0), price_of(model, 1000, 100, 500)
    assert whole == Decimal("0.0035")
    assert cached is not None
    assert cached < whole
    assert price_of(PricedModel(ProviderName.ANTHROPIC, "claude-haiku-4-5"), 1000, 0, 0) is not None


@pytest.mark.parametrize(
    "model",
    [
        PricedModel(ProviderName.OPENAI, "a-model-nobody-knows"),
        PricedModel(ProviderName.OPENAI, "gpt-4o", "http://127.0.0.1:8000/v1"),
        PricedModel(ProviderName.OPENAI_COMPATIBLE, "gpt-4o", "http://127.0.0.1:8000/v1"),
        PricedModel(ProviderName.OPENAI_COMPATIBLE, "gpt-4o"),
    ],
)
def test_what_is_not_known_is_not_guessed(model: PricedModel) -> None:
    assert price_of(model, 1000, 100, 0) is None


def test_the_built_in_model_costs_nothing() -> None:
    assert price_of(PricedModel(ProviderName.EXTRACTIVE, "extractive-1"), 1000, 100, 0) == 0


@pytest.mark.parametrize(
    ("soft", "hard", "spent", "state"),
    [
        (None, None, "1000", BudgetState.OK),
        ("5", "10", "4.99", BudgetState.OK),
        ("5", "10", "5", BudgetState.SOFT),
        ("5", "10", "10", BudgetState.HARD),
        (None, "0", "0", BudgetState.HARD),
        ("5", None, "500", BudgetState.SOFT),
    ],
)
def test_how_a_budget_stands(soft: str | None, hard: str | None, spent: str, state: BudgetState) -> None:
    budget = Budget(Decimal(soft) if soft else None, Decimal(hard) if hard else None)
    assert budget.state(Decimal(spent)) is state


def test_months_are_those_of_the_calendar_in_utc() -> None:
    assert month_of(datetime.fromisoformat("2026-12-31T23:30:00-02:00")) == date(2027, 1, 1)
    assert ends_at(date(2026, 12, 1)) == datetime(2027, 1, 1, tzinfo=UTC)
    assert ends_at(date(2026, 2, 1)) == datetime(2026, 3, 1, tzinfo=UTC)
