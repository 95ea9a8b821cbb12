"""HTTP to our own parts on this machine."""

import httpx


def client(timeout_s: float = 5.0) -> httpx.AsyncClient:
    """Plain HTTP without proxies. Loading the system's certificates would take 40 ms, for each probe."""
    return httpx.AsyncClient(timeout=timeout_s, trust_env=False, verify=False)  # noqa: S501  # there is no TLS  # nosec B501


async def answers(url: str) -> bool:
    """Whether a GET succeeds now."""
    async with client() as http:
        try:
            return (await http.get(url)).is_success
        except httpx.HTTPError:
            return False
