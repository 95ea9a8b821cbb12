"""Ports that stay free while the server that listens there is dead."""

import random

from perdure.embedded import ports

# Below what the system hands out for outgoing connections. Temporal keeps its ports as smallint: below 32,768.
_LOWEST, _HIGHEST = 18_000, 31_000
_taken: set[int] = set()


def lasting(how_many: int) -> list[int]:
    """Free ports, all different, also from those of earlier calls."""
    return [_next() for _ in range(how_many)]


def _next() -> int:
    port = ports.next_free(random.randrange(_LOWEST, _HIGHEST), frozenset(_taken))
    _taken.add(port)
    return port
