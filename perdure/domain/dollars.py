"""Amounts of money for people."""

from decimal import Decimal


def dollars(amount: Decimal) -> str:
    """`$1,234.50`; of less than a dollar the first two digits that are not zero: `$0.00042`."""
    if amount >= 1 or not amount:
        return f"${amount:,.2f}"
    return f"${amount:.{max(2, 1 - amount.adjusted())}f}"
