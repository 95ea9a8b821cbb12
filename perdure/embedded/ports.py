"""Free TCP ports on loopback."""

import random
import socket
from collections.abc import Collection

LOOPBACK = "127.0.0.1"
# Below what the system hands out for outgoing connections. Temporal keeps its ports as smallint: below 32,768.
_LOWEST, _HIGHEST = 18_000, 31_000
_given: set[int] = set()


def is_free(port: int, host: str = LOOPBACK) -> bool:
    """Whether a server could listen there now."""
    with socket.socket() as probe:
        # As servers do, so that connections that linger after a restart are no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def next_free(wanted: int, taken: Collection[int] = (), host: str = LOOPBACK) -> int:
    """Return `wanted`, or the first free port above it that is not in `taken`."""
    for port in range(wanted, min(wanted + 500, 65_536)):
        if port not in taken and is_free(port, host):
            return port
    msg = f"no free port from {wanted} to {wanted + 500} on {host}"
    raise OSError(msg)


def unused(count: int, taken: Collection[int] = ()) -> list[int]:
    """Return free ports that are not in `taken`, all different, also from those of earlier calls.

    They stay free while nobody listens.
    """
    found: list[int] = []
    while len(found) < count:
        # No order that another process would follow, too.
        port = next_free(random.SystemRandom().randrange(_LOWEST, _HIGHEST), _given.union(taken))
        _given.add(port)
        found.append(port)
    return found
