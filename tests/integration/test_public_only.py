"""Servers that organisations name are reached on the open internet only, whatever their names lead to."""

import httpx2
import pytest

from perdure.providers.public_only import PublicOnlyTransport


@pytest.mark.parametrize(
    ("url", "addresses"),
    [
        ("http://llm.example/v1", ["127.0.0.1"]),
        ("http://llm.example/v1", ["93.184.216.34", "10.0.0.7"]),
        ("https://llm.example:8443/v1", ["169.254.169.254"]),
        ("https://llm.example/v1", ["::1"]),
        ("http://127.0.0.1:8000/v1", ["127.0.0.1"]),
        ("http://llm.example/v1", []),
    ],
)
async def test_a_name_that_leads_inside_is_not_connected_to(url: str, addresses: list[str]) -> None:
    asked: list[tuple[str, int]] = []

    async def resolve(host: str, port: int) -> list[str]:
        asked.append((host, port))
        return addresses

    transport = PublicOnlyTransport(resolve)
    async with httpx2.AsyncClient(transport=transport, trust_env=False) as client:
        with pytest.raises(httpx2.ConnectError, match=r"not connected to|has no address"):
            await client.post(url, json={})
    assert len(asked) <= 1


async def test_a_name_that_does_not_resolve_is_not_connected_to() -> None:
    async def resolve(_host: str, _port: int) -> list[str]:
        raise OSError("no such name")

    async with httpx2.AsyncClient(transport=PublicOnlyTransport(resolve), trust_env=False) as client:
        with pytest.raises(httpx2.ConnectError, match="no such name"):
            await client.post("https://llm.example/v1", json={})
