"""No URL that somebody sends leads a request of ours into our own network: counted at a real listener.

The listener answers at every address of this machine, under IPv4 and IPv6. The fetcher is the real one, made as weak
as it can be configured: the listener's port is open, and every name resolves to where an attacker wants it to.
"""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from fastapi import FastAPI

from perdure.errors import DocumentRejectedError, PerdureError
from perdure.providers.http_fetcher import HttpFetcher
from perdure.providers.resolving import Resolve
from perdure.settings import Settings
from tests.accounts import Account
from tests.hostile_urls import HOSTILE_URLS

SECRET = b"the secret of an inner server"
REDIRECTS = (301, 302, 303, 307, 308)
# To what an attacker's name may resolve, each with what is behind it.
INNER_ADDRESSES = {
    "127.0.0.1": "loopback",
    "127.8.9.10": "loopback",
    "::1": "loopback",
    "0.0.0.0": "this machine",  # noqa: S104  # nothing is bound to it
    "::": "this machine",
    "10.0.0.5": "a private network",
    "172.31.255.1": "a private network",
    "192.168.1.1": "a private network",
    "fd12:3456::1": "a private network",
    "169.254.169.254": "metadata of most clouds",
    "fd00:ec2::254": "metadata of a cloud over IPv6",
    "100.100.100.200": "metadata of a cloud",
    "192.0.0.192": "metadata of a cloud",
    "168.63.129.16": "the platform of a cloud",
    "100.64.0.1": "carrier-grade NAT",
    "fe80::1": "the same link",
    "fe80::1%lo": "the same link, with its zone",
    "::ffff:127.0.0.1": "IPv4-mapped",
    "::ffff:169.254.169.254": "IPv4-mapped",
    "::127.0.0.1": "IPv4-compatible",
    "64:ff9b::7f00:1": "NAT64",
    "64:ff9b:1::7f00:1": "NAT64, local use",
    "2002:7f00:1::1": "6to4",
    "2001:0:4136:e378:8000:63bf:80ff:fffe": "Teredo",
    "224.0.0.1": "multicast",
    "ff02::1": "multicast",
    "255.255.255.255": "broadcast",
    "not an address": "nonsense",
}


@dataclass
class Listener:
    """Counts every connection, and gives everybody its secret, or sends them elsewhere."""

    port: int = 0
    connections: int = 0
    locations: dict[str, tuple[int, str]] = field(default_factory=dict)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            path = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split(" ")[1]
            status, location = self.locations.get(path, (200, ""))
            head = f"HTTP/1.1 {status} X\r\nLocation: {location}\r\n" if location else "HTTP/1.1 200 OK\r\n"
            body = b"" if location else SECRET
            ending = f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
            writer.write((head + ending).encode() + body)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@contextlib.asynccontextmanager
async def listening() -> AsyncIterator[Listener]:
    listener = Listener()
    everywhere = await asyncio.start_server(listener.serve, "0.0.0.0", 0)  # noqa: S104  # on purpose
    listener.port = everywhere.sockets[0].getsockname()[1]
    servers = [everywhere]
    if socket.has_ipv6:
        with contextlib.suppress(OSError):  # a machine without IPv6: nothing could be reached there either
            servers.append(await asyncio.start_server(listener.serve, "::", listener.port))
    yield listener
    for server in servers:
        server.close()
        await server.wait_closed()


@pytest.fixture
async def inner() -> AsyncIterator[Listener]:
    """The server that must not be reached."""
    async with listening() as listener:
        yield listener


@pytest.fixture
async def outer() -> AsyncIterator[Listener]:
    """A server that an operator allowed, and that turns against us."""
    async with listening() as listener:
        yield listener


async def to_loopback(_host: str, _port: int) -> list[str]:
    return ["127.0.0.1"]


def a_fetcher(inner: Listener, *, allow: str = "", resolve: Resolve = to_loopback) -> HttpFetcher:
    settings = Settings.model_validate({"fetch_allow_hosts": allow, "fetch_timeout_s": 2.0})
    return HttpFetcher(settings, resolve=resolve, ports=frozenset({80, 443, inner.port}))


async def refusals(fetcher: HttpFetcher, urls: Sequence[str], path: Path) -> dict[str, str]:
    """Why each was not fetched; fails when one was."""
    found = {url: await refusal(fetcher, url, path) for url in urls}
    await fetcher.aclose()
    return found


async def refusal(fetcher: HttpFetcher, url: str, path: Path) -> str:
    with pytest.raises(PerdureError) as refused:
        await fetcher.fetch(url, path)
    return str(getattr(refused.value, "reason", refused.value.slug))


async def test_the_listener_would_be_found(inner: Listener, tmp_path: Path) -> None:
    """Without the rules in the way every address of this machine leads there: else the zeros below prove nothing."""
    for host in ("127.0.0.1", "127.8.9.10", "localhost", "[::1]" if socket.has_ipv6 else "127.0.0.2"):

        async def resolve(host: str, port: int) -> list[str]:
            return ["::1" if ":" in host else "127.0.0.1" if host == "localhost" else host]

        fetcher = a_fetcher(inner, allow=f"{host}:{inner.port}", resolve=resolve)
        fetched = await fetcher.fetch(f"http://{host}:{inner.port}/", tmp_path / "got")
        assert fetched.path.read_bytes() == SECRET
        await fetcher.aclose()
    assert inner.connections == 4


async def test_no_way_of_writing_it_reaches_the_own_network(inner: Listener, tmp_path: Path) -> None:
    urls = [template.replace("PORT", str(inner.port)) for template in HOSTILE_URLS]
    assert len(set(urls)) >= 120
    reasons = await refusals(a_fetcher(inner), urls, tmp_path / "got")
    assert set(reasons.values()) == {"forbidden_address"}
    assert inner.connections == 0


@pytest.mark.parametrize("status", REDIRECTS)
async def test_no_redirect_reaches_the_own_network(
    inner: Listener, outer: Listener, tmp_path: Path, status: int
) -> None:
    templates = [each for each in HOSTILE_URLS if each.strip() and not set(each) & set("\r\n")]
    for number, template in enumerate(templates):
        outer.locations[f"/{number}"] = (status, template.replace("PORT", str(inner.port)))
    outer.locations["/first"] = (status, "/second")
    outer.locations["/second"] = (status, f"http://localhost:{inner.port}/")
    urls = [f"http://127.0.0.1:{outer.port}{path}" for path in outer.locations]
    fetcher = a_fetcher(inner, allow=f"127.0.0.1:{outer.port}")
    for url in urls:
        # What is no URL of its own is one of the server that redirects: that one is allowed.
        try:
            fetched = await fetcher.fetch(url, tmp_path / "got")
        except DocumentRejectedError:  # and not as an outage, which would be tried again
            continue
        assert fetched.final_url.startswith(f"http://127.0.0.1:{outer.port}/"), url
    await fetcher.aclose()
    assert outer.connections >= len(urls)
    assert inner.connections == 0


@pytest.mark.parametrize(
    "address", INNER_ADDRESSES, ids=lambda address: f"{address}, {INNER_ADDRESSES[address]}"
)
async def test_no_name_reaches_the_own_network(inner: Listener, tmp_path: Path, address: str) -> None:
    for addresses in ([address], ["192.0.32.10", address], [address, "192.0.32.10"]):

        async def resolve(_host: str, _port: int, addresses: list[str] = addresses) -> list[str]:
            return addresses

        reasons = await refusals(
            a_fetcher(inner, resolve=resolve), [f"http://cdn.example.com:{inner.port}/"], tmp_path / "got"
        )
        assert set(reasons.values()) == {"forbidden_address"}, addresses
    assert inner.connections == 0


async def test_a_name_that_changes_its_address_reaches_nothing(inner: Listener, tmp_path: Path) -> None:
    """Whenever it changes: after the check, at the next redirect, at the next attempt."""
    asked: list[str] = []

    async def rebinding(host: str, _port: int) -> list[str]:
        asked.append(host)
        # Public for whoever checks; ours for whoever asks again. Nobody listens at the public one.
        return ["192.0.32.10"] if len(asked) == 1 else ["127.0.0.1"]

    settings = Settings.model_validate({"fetch_timeout_s": 0.3})
    fetcher = HttpFetcher(settings, resolve=rebinding, ports=frozenset({inner.port}))
    url = f"http://rebinding.example.com:{inner.port}/"
    reasons = [await refusal(fetcher, url, tmp_path / "got") for _ in range(2)]
    await fetcher.aclose()
    assert reasons == [
        "upstream-error",
        "forbidden_address",
    ]  # tried at the public address only; then refused
    assert asked == ["rebinding.example.com"] * 2  # once for each attempt
    assert inner.connections == 0


async def test_a_name_that_changes_between_two_redirects_reaches_nothing(
    inner: Listener, outer: Listener, tmp_path: Path
) -> None:
    outer.locations["/start"] = (302, f"http://cdn.example.com:{inner.port}/")
    hosts: list[str] = []

    async def resolve(host: str, _port: int) -> list[str]:
        hosts.append(host)
        return ["127.0.0.1"]

    fetcher = a_fetcher(inner, allow=f"files.example.com:{outer.port}", resolve=resolve)
    assert await refusal(fetcher, f"http://files.example.com:{outer.port}/start", tmp_path / "got") == (
        "forbidden_address"
    )
    await fetcher.aclose()
    assert hosts == ["files.example.com", "cdn.example.com"]
    assert (outer.connections, inner.connections) == (1, 0)


async def test_a_proxy_out_of_the_environment_is_not_used(
    inner: Listener, outer: Listener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy would resolve the name a second time, after our check."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{inner.port}")
    fetcher = a_fetcher(inner, allow=f"127.0.0.1:{outer.port}")
    await fetcher.fetch(f"http://127.0.0.1:{outer.port}/", tmp_path / "got")
    await fetcher.aclose()
    assert (outer.connections, inner.connections) == (1, 0)


async def test_the_whole_product_fetches_none_of_them(
    product: FastAPI, caller: Account, inner: Listener
) -> None:
    urls = sorted({template.replace("PORT", str(inner.port)) for template in HOSTILE_URLS})
    operations = []
    for url in urls:
        answer = await caller.http.post("/api/v1/documents", json={"url": url})
        assert answer.status_code == (202 if url else 422), (url, answer.text)
        operations.append(answer.json())
    for operation in operations[1:]:
        ended = await caller.ended(operation)
        assert ended["error"]["type"] == "forbidden_address", ended
    items = [{"url": url, "title": f"{number}"} for number, url in enumerate(urls[1:])]
    operation = await caller.ended(await caller.post("/documents/batch", json={"items": items}))
    listed = (await caller.get(f"/operations/{operation['id']}/items", limit=200))["items"]
    assert len(listed) == len(items)
    assert {item["reason"] for item in listed} == {"forbidden_address"}
    assert inner.connections == 0
