"""The port of what all API processes together have let through."""

from collections.abc import Mapping
from typing import Protocol


class RateStore(Protocol):
    """How far ahead each key is booked, in microseconds; it runs down with time, by the store's own clock."""

    async def book(self, booked_us: Mapping[str, int]) -> dict[str, int]:
        """Add to some keys, and tell how far ahead each is then. UnavailableError when the store does not answer.

        Adding is atomic for each key, so processes that book at once lose nothing.
        """

    async def sweep(self) -> None:
        """Forget the keys that have run down, where the store does not do so by itself."""

    async def aclose(self) -> None:
        """Close connections of its own."""
