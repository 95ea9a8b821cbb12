"""Downloads from real servers on the loopback interface, which only an operator's exception can reach."""

import asyncio
import gzip
import hashlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from perdure.domain.addresses import DEFAULT_PORTS
from perdure.errors import DocumentRejectedError, UpstreamError
from perdure.ports.parsing import Fetcher
from perdure.providers.http_fetcher import HttpFetcher
from perdure.providers.resolving import Resolve
from perdure.settings import Settings
from tests.certificates import self_signed

Answer = Callable[[str, asyncio.StreamWriter], Awaitable[None]]


class Site:
    """An HTTP server that answers by path, and counts connections and remembers requests."""

    def __init__(self) -> None:
        self.port = 0
        self.connections = 0
        self.requests: list[str] = []
        self.answers: dict[str, Answer] = {}

    def says(self, path: str, body: bytes = b"", status: str = "200 OK", **headers: str) -> None:
        """Answer `path` with a whole response."""
        lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        if "Content_Length" not in headers:
            lines.append(f"Content-Length: {len(body)}")

        async def answer(_: str, writer: asyncio.StreamWriter) -> None:
            writer.write(
                ("\r\n".join([f"HTTP/1.1 {status}", *lines, "Connection: close"]) + "\r\n\r\n").encode()
                + body
            )

        self.answers[path] = answer

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            request = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.requests.append(request)
            path = request.split(" ")[1]
            await self.answers[path](request, writer)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    site = Site()
    server = await asyncio.start_server(site.serve, "127.0.0.1", 0)
    site.port = server.sockets[0].getsockname()[1]
    yield site
    server.close()
    await server.wait_closed()


async def to_loopback(_: str, __: int) -> list[str]:
    return ["127.0.0.1"]


def a_fetcher(
    allow: str = "",
    *,
    resolve: Resolve | None = None,
    ports: frozenset[int] = DEFAULT_PORTS,
    ssl_context: ssl.SSLContext | None = None,
    **settings: float,
) -> HttpFetcher:
    configured = Settings.model_validate({"fetch_allow_hosts": allow, **settings})
    if resolve is None:
        return HttpFetcher(configured, ports=ports, ssl_context=ssl_context)
    return HttpFetcher(configured, resolve=resolve, ports=ports, ssl_context=ssl_context)


def left_behind(path: Path) -> bool:
    return path.exists()


async def reason(fetcher: HttpFetcher, url: str, path: Path) -> str:
    with pytest.raises(DocumentRejectedError) as rejection:
        await fetcher.fetch(url, path)
    await fetcher.aclose()
    assert not left_behind(path)
    return rejection.value.reason


async def test_a_public_name_that_resolves_to_loopback_is_refused(site: Site, tmp_path: Path) -> None:
    fetcher = a_fetcher(resolve=to_loopback, ports=frozenset({site.port}))
    assert await reason(fetcher, f"http://example.com:{site.port}/", tmp_path / "got") == "forbidden_address"
    assert site.connections == 0


async def test_a_name_that_changes_its_address_after_the_check_gains_nothing(
    site: Site, tmp_path: Path
) -> None:
    calls: list[str] = []

    async def rebinding(host: str, _: int) -> list[str]:
        calls.append(host)
        # TEST-NET-like public address first, loopback for whoever asks again
        return ["192.0.32.10"] if len(calls) == 1 else ["127.0.0.1"]

    fetcher = a_fetcher(resolve=rebinding, ports=frozenset({site.port}), fetch_timeout_s=0.5)
    with pytest.raises(UpstreamError):
        await fetcher.fetch(f"http://example.com:{site.port}/", tmp_path / "got")
    await fetcher.aclose()
    assert calls == ["example.com"]
    assert site.connections == 0


def test_it_is_what_the_activities_ask_for() -> None:
    fetcher: Fetcher = HttpFetcher(Settings())
    assert callable(fetcher.fetch)


async def test_an_allowed_host_is_downloaded_with_size_and_digest(site: Site, tmp_path: Path) -> None:
    body = b"tide table\n" * 50_000
    site.says("/docs/table%201.txt", body, Content_Type="text/plain; charset=utf-8")
    fetcher = a_fetcher(f"127.0.0.1:{site.port}")
    fetched = await fetcher.fetch(f"http://127.0.0.1:{site.port}/docs/table%201.txt", tmp_path / "got")
    await fetcher.aclose()
    assert fetched.path.read_bytes() == body
    assert (fetched.size_bytes, fetched.sha256) == (len(body), hashlib.sha256(body).hexdigest())
    assert (fetched.content_type, fetched.file_name) == ("text/plain; charset=utf-8", "table 1.txt")


async def test_the_host_header_is_the_name_although_the_connection_is_pinned(
    site: Site, tmp_path: Path
) -> None:
    site.says("/")
    fetcher = a_fetcher(f"files.example.com:{site.port}", resolve=to_loopback)
    await fetcher.fetch(f"http://files.example.com:{site.port}/", tmp_path / "got")
    await fetcher.aclose()
    assert f"Host: files.example.com:{site.port}\r\n" in site.requests[0]


async def test_the_next_address_is_tried_when_the_first_does_not_answer(site: Site, tmp_path: Path) -> None:
    site.says("/", b"here")

    async def two(_: str, __: int) -> list[str]:
        return ["127.0.0.77", "127.0.0.1"]

    fetcher = a_fetcher(f"files.example.com:{site.port}", resolve=two)
    fetched = await fetcher.fetch(f"http://files.example.com:{site.port}/", tmp_path / "got")
    await fetcher.aclose()
    assert fetched.size_bytes == 4


async def test_redirects_are_followed_and_the_last_url_is_reported(site: Site, tmp_path: Path) -> None:
    site.says("/a", status="302 Found", Location="/b")
    site.says("/b", status="308 Permanent Redirect", Location=f"http://127.0.0.1:{site.port}/c.pdf?v=2")
    site.says("/c.pdf?v=2", b"%PDF-1.4")
    fetcher = a_fetcher(f"127.0.0.1:{site.port}")
    fetched = await fetcher.fetch(f"http://127.0.0.1:{site.port}/a", tmp_path / "got")
    await fetcher.aclose()
    assert fetched.final_url == f"http://127.0.0.1:{site.port}/c.pdf?v=2"
    assert fetched.file_name == "c.pdf"


@pytest.mark.parametrize(
    "location",
    ["http://127.0.0.2:{port}/", "http://localhost:{port}/", "//[::1]:{port}/", "file:///etc/passwd"],
)
async def test_a_redirect_into_the_own_network_is_refused(site: Site, tmp_path: Path, location: str) -> None:
    site.says("/a", status="301 Moved Permanently", Location=location.format(port=site.port))
    fetcher = a_fetcher(f"127.0.0.1:{site.port}", ports=frozenset({site.port}))
    assert await reason(fetcher, f"http://127.0.0.1:{site.port}/a", tmp_path / "got") == "forbidden_address"
    assert site.connections == 1


async def test_a_redirect_loop_ends(site: Site, tmp_path: Path) -> None:
    site.says("/a", status="302 Found", Location="/a")
    fetcher = a_fetcher(f"127.0.0.1:{site.port}")
    assert await reason(fetcher, f"http://127.0.0.1:{site.port}/a", tmp_path / "got") == "source_unreachable"
    assert site.connections == 6


async def test_an_announced_size_above_the_limit_is_refused_at_once(site: Site, tmp_path: Path) -> None:
    site.says("/", b"x", Content_Length="2000000")
    fetcher = a_fetcher(f"127.0.0.1:{site.port}", fetch_max_bytes=1_000_000)
    assert await reason(fetcher, f"http://127.0.0.1:{site.port}/", tmp_path / "got") == "too_large"


async def test_an_endless_body_is_cut_at_the_limit(site: Site, tmp_path: Path) -> None:
    async def endless(_: str, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        while True:
            writer.write(b"x" * 65_536)
            await writer.drain()

    site.answers["/"] = endless
    fetcher = a_fetcher(f"127.0.0.1:{site.port}", fetch_max_bytes=1_000_000)
    assert await reason(fetcher, f"http://127.0.0.1:{site.port}/", tmp_path / "got") == "too_large"


async def test_a_compressed_bomb_is_cut_at_the_limit(site: Site, tmp_path: Path) -> None:
    site.says("/", gzip.compress(b"\0" * 20_000_000), Content_Encoding="gzip")
    fetcher = a_fetcher(f"127.0.0.1:{site.port}", fetch_max_bytes=1_000_000)
    assert await reason(fetcher, f"http://127.0.0.1:{site.port}/", tmp_path / "got") == "too_large"


async def test_a_compressed_body_is_inflated_and_a_cut_one_is_an_outage(site: Site, tmp_path: Path) -> None:
    packed = gzip.compress(b"tide table\n" * 1_000)
    site.says("/whole", packed, Content_Encoding="gzip")
    site.says("/cut", packed[:-12], Content_Encoding="gzip")
    fetcher = a_fetcher(f"127.0.0.1:{site.port}")
    fetched = await fetcher.fetch(f"http://127.0.0.1:{site.port}/whole", tmp_path / "got")
    assert fetched.path.read_bytes() == b"tide table\n" * 1_000
    with pytest.raises(UpstreamError):
        await fetcher.fetch(f"http://127.0.0.1:{site.port}/cut", tmp_path / "cut")
    await fetcher.aclose()
    assert not (tmp_path / "cut").exists()


async def test_a_server_that_dawdles_is_an_outage_after_the_time_limit(site: Site, tmp_path: Path) -> None:
    async def dawdle(_: str, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _round in range(100):
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.05)

    site.answers["/"] = dawdle
    fetcher = a_fetcher(f"127.0.0.1:{site.port}", fetch_timeout_s=0.3)
    with pytest.raises(UpstreamError, match=r"0\.3 seconds"):
        await fetcher.fetch(f"http://127.0.0.1:{site.port}/", tmp_path / "got")
    await fetcher.aclose()
    assert not (tmp_path / "got").exists()


async def test_a_connection_that_drops_in_the_middle_is_an_outage(site: Site, tmp_path: Path) -> None:
    site.says("/", b"half", Content_Length="8")
    fetcher = a_fetcher(f"127.0.0.1:{site.port}")
    with pytest.raises(UpstreamError):
        await fetcher.fetch(f"http://127.0.0.1:{site.port}/", tmp_path / "got")
    await fetcher.aclose()
    assert not (tmp_path / "got").exists()


@pytest.mark.parametrize("status", ["404 Not Found", "401 Unauthorized", "410 Gone", "204 No Content"])
async def test_a_refusal_of_the_server_is_final(site: Site, tmp_path: Path, status: str) -> None:
    site.says("/", status=status)
    fetcher = a_fetcher(f"127.0.0.1:{site.port}")
    assert await reason(fetcher, f"http://127.0.0.1:{site.port}/", tmp_path / "got") == "source_unreachable"


@pytest.mark.parametrize(
    "status", ["500 Internal Server Error", "503 Service Unavailable", "429 Too Many Requests"]
)
async def test_an_outage_of_the_server_may_be_better_later(site: Site, tmp_path: Path, status: str) -> None:
    site.says("/", status=status)
    fetcher = a_fetcher(f"127.0.0.1:{site.port}")
    with pytest.raises(UpstreamError, match=status[:3]):
        await fetcher.fetch(f"http://127.0.0.1:{site.port}/", tmp_path / "got")
    await fetcher.aclose()


async def test_a_closed_port_is_an_outage(unused_tcp_port: int, tmp_path: Path) -> None:
    fetcher = a_fetcher(f"127.0.0.1:{unused_tcp_port}")
    with pytest.raises(UpstreamError):
        await fetcher.fetch(f"http://127.0.0.1:{unused_tcp_port}/", tmp_path / "got")
    await fetcher.aclose()


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ('attachment; filename="report 7.pdf"', "report 7.pdf"),
        ("attachment; filename*=UTF-8''%C3%BCber.pdf", "über.pdf"),
        ('attachment; filename="../../etc/passwd"', "passwd"),
        ('attachment; filename="C:\\\\temp\\\\x.doc"', "x.doc"),
        ("inline", "d"),
    ],
)
async def test_the_name_that_the_server_gives_is_kept_without_its_path(
    site: Site, tmp_path: Path, header: str, name: str
) -> None:
    site.says("/d", b"x", Content_Disposition=header)
    fetcher = a_fetcher(f"127.0.0.1:{site.port}")
    fetched = await fetcher.fetch(f"http://127.0.0.1:{site.port}/d", tmp_path / "got")
    await fetcher.aclose()
    assert fetched.file_name == name


async def test_tls_is_checked_against_the_name_although_the_connection_is_pinned(tmp_path: Path) -> None:
    certificate, key = self_signed("files.example.com", tmp_path)
    site = Site()
    site.says("/", b"private")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    asked: list[str | None] = []
    context.sni_callback = lambda _socket, name, _context: asked.append(name)
    server = await asyncio.start_server(site.serve, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    trusting = ssl.create_default_context(cafile=str(certificate))
    fetcher = a_fetcher(
        f"files.example.com:{port},other.example.com:{port}", resolve=to_loopback, ssl_context=trusting
    )
    fetched = await fetcher.fetch(f"https://files.example.com:{port}/", tmp_path / "got")
    assert fetched.size_bytes == 7
    assert asked == ["files.example.com"]
    assert (
        await reason(fetcher, f"https://other.example.com:{port}/", tmp_path / "other")
        == "source_unreachable"
    )
    server.close()
    await server.wait_closed()
