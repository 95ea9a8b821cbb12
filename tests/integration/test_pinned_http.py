"""What pinned connections say when they fail."""

import asyncio

import pytest

from perdure.domain.addresses import DEFAULT_PORTS, AddressRules, check_url
from perdure.errors import UpstreamError
from perdure.providers.pinned_http import PinnedHttp


async def test_a_failure_without_words_is_named() -> None:
    async def hang(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await over.wait()
        writer.close()

    over = asyncio.Event()
    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    rules = AddressRules.from_setting(f"127.0.0.1:{port}", DEFAULT_PORTS)
    http = PinnedHttp(rules, timeout_s=0.1)
    with pytest.raises(UpstreamError, match=r"\(ReadTimeout\)"):
        async with http.request(check_url(f"http://127.0.0.1:{port}/", rules)):
            pass
    over.set()
    await http.aclose()
    server.close()
    await server.wait_closed()
