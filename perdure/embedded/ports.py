"""Free TCP ports on loopback."""

import socket

LOOPBACK = "127.0.0.1"


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


def next_free(wanted: int, taken: frozenset[int] = frozenset(), host: str = LOOPBACK) -> int:
    """Return `wanted`, or the first free port above it that is not in `taken`."""
    for port in range(wanted, min(wanted + 500, 65_536)):
        if port not in taken and is_free(port, host):
            return port
    msg = f"no free port from {wanted} to {wanted + 500} on {host}"
    raise OSError(msg)


def unused(count: int) -> list[int]:
    """Return ports that the system hands out, all different."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for open_socket in sockets:
            open_socket.bind((LOOPBACK, 0))
        return [int(open_socket.getsockname()[1]) for open_socket in sockets]
    finally:
        for open_socket in sockets:
            open_socket.close()
