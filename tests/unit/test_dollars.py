"""Amounts of money for people."""

from decimal import Decimal

import pytest

from perdure.domain.dollars import dollars


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        ("0", "$0.00"),
        ("0E-8", "$0.00"),
        ("0.00000001", "$0.000000010"),
        ("0.00042499", "$0.00042"),
        ("0.0345", "$0.034"),
        ("0.25", "$0.25"),
        ("0.5", "$0.50"),
        ("1", "$1.00"),
        ("1234.5", "$1,234.50"),
        ("100000000", "$100,000,000.00"),
    ],
)
def test_an_amount_is_as_exact_as_it_is_small(amount: str, shown: str) -> None:
    assert dollars(Decimal(amount)) == shown
