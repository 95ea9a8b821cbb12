"""`/mcp`: the tools of the MCP server over streamable HTTP, for whom the request's bearer key stands.

The SDK is loaded with the first request: nobody may ever send one, and it takes memory.
"""

import asyncio
from contextlib import AbstractAsyncContextManager
from importlib import import_module
from typing import Any

import httpx
from fastapi import FastAPI, Request
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from api.dependencies import authenticate
from perdure.api_client import ApiClient

PATH = "/mcp"
_HERE = "http://perdure.internal"


class McpEndpoint:
    """An ASGI application; `aclose` ends what the first request started."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self._starting = asyncio.Lock()
        self._stop = asyncio.Event()
        self._manager: Any = None
        self._running: asyncio.Task[None] | None = None

    def route(self) -> Route:
        """Only POST: there is no stream to resume and no session to end."""
        return Route(PATH, self, methods=["POST"])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # A cookie is no credential here: other sites could send it along.
        await authenticate(Request(scope), None, None)
        manager = await self._started()
        await manager.handle_request(scope, receive, send)

    async def aclose(self) -> None:
        """End the requests that are under way."""
        if self._running is not None:
            self._stop.set()
            await self._running
            self._running = self._manager = None
            self._stop.clear()

    async def _started(self) -> Any:
        async with self._starting:
            if self._manager is None:
                tools = await asyncio.to_thread(import_module, "perdure.mcp_tools")
                manager, ready = tools.http_manager(self._client), asyncio.Event()
                self._running = asyncio.create_task(self._run(manager, ready))
                await ready.wait()
                self._manager = manager
            return self._manager

    async def _run(self, manager: Any, ready: asyncio.Event) -> None:
        try:
            async with manager.run():
                ready.set()
                await self._stop.wait()
        finally:
            ready.set()

    def _client(self, context: Any) -> AbstractAsyncContextManager[ApiClient]:
        """The API of this very process, asked with the key and the address of whoever called the tool."""
        request: Request = context.request
        address = (request.client.host, request.client.port) if request.client else ("unknown", 0)
        _scheme, _, token = request.headers["authorization"].partition(" ")
        return ApiClient(_HERE, token.strip(), httpx.ASGITransport(self._app, client=address), attempts=1)
