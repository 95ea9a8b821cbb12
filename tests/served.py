"""The application behind a port of its own, in this process, for clients that open sockets."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import uvicorn
from fastapi import FastAPI
from typer.testing import CliRunner, Result

from perdure.cli import app as commands
from perdure.embedded import ports
from tests.accounts import Account


@asynccontextmanager
async def served(app: FastAPI) -> AsyncIterator[str]:
    """Where it answers."""
    (port,) = ports.unused(1)
    config = uvicorn.Config(app, port=port, lifespan="off", log_config=None, access_log=False)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server._serve())
    while not server.started:  # noqa: ASYNC110  # uvicorn tells it in no other way
        await asyncio.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await serving


@asynccontextmanager
async def commands_reach(
    app: FastAPI, caller: Account, monkeypatch: pytest.MonkeyPatch, *scopes: str
) -> AsyncIterator[None]:
    """Commands act as the caller, by a key with these scopes."""
    key = await caller.post("/api-keys", 201, json={"name": "cli", "scopes": list(scopes)})
    async with served(app) as url:
        monkeypatch.setenv("PERDURE_URL", url)
        monkeypatch.setenv("PERDURE_API_KEY", key["key"])
        yield


async def perdure(*arguments: str, typed: str | None = None) -> Result:
    """Run a command; not on this loop, which the server runs on."""
    return await asyncio.to_thread(
        CliRunner().invoke, commands, [*arguments], input=typed, env={"COLUMNS": "200"}
    )
