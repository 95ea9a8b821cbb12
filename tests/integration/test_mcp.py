"""The MCP server, asked by the SDK's own client over both of its transports."""

import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import httpx2
import pytest
from fastapi import FastAPI
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp_types import TextContent

from api.rate_limits import RateLimits
from perdure.domain.rate_limits import policies_of
from tests.accounts import Account
from tests.served import served

SCOPES = ["memories:read", "memories:write", "search:read"]
Connect = Callable[[str], AbstractAsyncContextManager[Client]]


@pytest.fixture
async def address(product: FastAPI) -> AsyncIterator[str]:
    """Where the product answers."""
    async with served(product) as url:
        yield url


@pytest.fixture(params=["http", "stdio"])
def connect(request: pytest.FixtureRequest, address: str) -> Connect:
    """A way to connect with a key."""

    @asynccontextmanager
    async def over_http(key: str) -> AsyncIterator[Client]:
        headers = {"Authorization": f"Bearer {key}"}
        async with (
            httpx2.AsyncClient(headers=headers, timeout=60, trust_env=False) as http,
            Client(streamable_http_client(f"{address}/mcp", http_client=http)) as client,
        ):
            yield client

    @asynccontextmanager
    async def over_stdio(key: str) -> AsyncIterator[Client]:
        environment = {"PERDURE_URL": address, "PERDURE_API_KEY": key}
        command = StdioServerParameters(
            command=sys.executable,
            args=["-m", "perdure.cli", "mcp"],
            env=environment,
            cwd=Path(__file__).parents[2],
        )
        async with Client(command) as client:
            yield client

    return over_http if request.param == "http" else over_stdio


async def key_of(account: Account, *scopes: str) -> str:
    made = await account.post("/api-keys", 201, json={"name": "agent", "scopes": list(scopes or SCOPES)})
    return str(made["key"])


async def used(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    """What a tool answers; its text says the same as its structured content."""
    result = await client.call_tool(tool, arguments)
    (content,) = result.content
    assert isinstance(content, TextContent)
    assert not result.is_error, content.text
    answer: dict[str, Any] = json.loads(content.text)
    assert result.structured_content == answer
    return answer


async def refused(client: Client, tool: str, **arguments: Any) -> str:
    """How a tool refuses."""
    result = await client.call_tool(tool, arguments)
    (content,) = result.content
    assert isinstance(content, TextContent)
    assert result.is_error, content.text
    return content.text


async def test_an_agent_remembers_recalls_searches_and_forgets(caller: Account, connect: Connect) -> None:
    await caller.ingested(json={"text": "The pump of hall 7 needs oil every March.", "title": "Pump"})
    async with connect(await key_of(caller)) as agent:
        tools = {tool.name: tool for tool in (await agent.list_tools()).tools}
        assert set(tools) == {"remember", "recall", "search", "forget"}
        assert tools["recall"].input_schema["required"] == ["query"]
        kept = await used(
            agent,
            "remember",
            messages=[{"speaker": "Ann", "content": "I moved to Lisbon.", "external_id": "t1"}],
            subject="Ann",
        )
        assert kept["remembered"] == 1
        again = await used(agent, "remember", content="Ann has a cat.", subject="Ann", kind="fact")
        assert again["remembered"] == 1
        found = await used(agent, "recall", query="Where does Ann live?", subject="Ann")
        assert found["outcome"] == "found"
        assert found["items"][0]["content"] == "I moved to Lisbon."
        assert found["items"][0]["speaker"] == "Ann"
        passages = await used(agent, "search", query="When does the pump need oil?")
        assert passages["items"][0]["document_title"] == "Pump"
        preview = await used(agent, "forget", query="Where does Ann live?")
        assert preview["dry_run"] is True
        assert preview["would_forget"] >= 1
        assert len((await caller.get("/memories"))["items"]) == 2
        receipt = await used(agent, "forget", ids=kept["memory_ids"], reason="asked to")
        assert (receipt["forgotten"], receipt["reason"]) == (1, "asked to")
        left = await used(agent, "recall", query="Where does Ann live?")
        assert all("Lisbon" not in item["content"] for item in left["items"])


async def test_what_is_wrong_with_a_call_is_said(caller: Account, connect: Connect) -> None:
    async with connect(await key_of(caller)) as agent:
        assert "messages" in await refused(agent, "remember", subject="Ann")
        assert "qeury" in await refused(agent, "recall", qeury="x")
        assert "limit" in await refused(agent, "recall", query="x", limit=1000)
        assert "valid_from" in await refused(agent, "remember", content="x", valid_from="the day after")
        assert "no space" in await refused(agent, "forget", text="x", space="nowhere")
        assert "remember" in await refused(agent, "remind")


async def test_a_scope_that_the_key_has_not_is_named(caller: Account, connect: Connect) -> None:
    async with connect(await key_of(caller, "memories:read")) as agent:
        assert "memories:write" in await refused(agent, "remember", content="Ann has a cat.")
        assert "search:read" in await refused(agent, "search", query="cat")
        assert (await used(agent, "recall", query="cat"))["outcome"] == "nothing_stored"


async def test_another_organisation_is_out_of_reach(
    caller: Account, stranger: Account, connect: Connect
) -> None:
    said = {"content": "Ann hides a key under the mat."}
    memory_id = (await caller.post("/memories?wait=true", 200, json=said))["result"]["memory_ids"][0]
    async with connect(await key_of(stranger)) as agent:
        assert await used(agent, "recall", query="Where is the key?") == {
            "outcome": "nothing_stored",
            "items": [],
        }
        await used(agent, "remember", content="A space of our own.")
        receipt = await used(agent, "forget", ids=[memory_id])
        assert (receipt["forgotten"], receipt["missing"]) == (0, 1)
    assert (await caller.get(f"/memories/{memory_id}"))["content"] == said["content"]


async def test_a_limit_is_told_with_how_long_to_wait(
    product: FastAPI, caller: Account, connect: Connect
) -> None:
    key = await key_of(caller)
    limits: RateLimits = product.state.rate_limits
    product.state.rate_limits = RateLimits(limits._limiter, policies_of("search=2"))
    try:
        async with connect(key) as agent:
            await used(agent, "search", query="pump")
            await used(agent, "search", query="pump")
            told = await refused(agent, "search", query="pump")
    finally:
        product.state.rate_limits = limits
    assert "More than 2 requests" in told
    assert "try again in" in told


async def test_over_stdio_a_wrong_key_and_a_dead_address_are_said(address: str, caller: Account) -> None:
    for url, key, expected in (
        (address, "pdr_wrong", "key"),
        ("http://127.0.0.1:9", "pdr_wrong", "does not answer"),
    ):
        environment = {"PERDURE_URL": url, "PERDURE_API_KEY": key}
        command = StdioServerParameters(
            command=sys.executable, args=["-m", "perdure.cli", "mcp"], env=environment
        )
        async with Client(command) as agent:
            assert expected in await refused(agent, "recall", query="x")


INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "t", "version": "1"},
    },
}


async def test_over_http_only_a_bearer_key_opens(product: FastAPI, caller: Account) -> None:
    transport = httpx.ASGITransport(product)
    accepts = {"Accept": "application/json, text/event-stream"}
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", headers=accepts) as http:
        for headers in ({}, {"Authorization": "Bearer pdr_wrong"}, {"Cookie": "perdure_session=x"}):
            answer = await http.post("/mcp", json=INITIALIZE, headers=headers)
            assert (answer.status_code, answer.headers["Content-Type"]) == (401, "application/problem+json")
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        opened = {"Authorization": f"Bearer {await key_of(caller)}"}
        answer = await http.post("/mcp", json=INITIALIZE, headers=opened)
        assert answer.status_code == 200
        assert answer.json()["result"]["serverInfo"]["name"] == "perdure"
        assert (await http.get("/mcp", headers=opened)).status_code == 405
        assert (await http.delete("/mcp", headers=opened)).status_code == 405


def test_without_a_key_the_command_says_what_to_set(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "perdure.cli", "mcp"],
        env={"PERDURE_HOME": str(tmp_path), "COLUMNS": "200"},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "PERDURE_API_KEY" in done.stderr


def test_the_api_does_not_load_the_library_before_somebody_asks() -> None:
    told = "import sys, api.app; print(sorted({'mcp', 'mcp_types', 'httpx2'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
