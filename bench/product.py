"""The whole product for a measurement: in a home of its own, gone without a trace afterwards."""

import asyncio
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

from bench.history import Timeline
from perdure.embedded import ports
from perdure.embedded.supervisor import Stack
from perdure.providers.minilm_export import ensure_exported
from perdure.schemas.operations import TERMINAL
from perdure.settings import Settings, home_directory
from workflows.client import compression, connect

SCOPES = (
    *("documents:read", "documents:write", "search:read", "operations:read", "operations:write"),
    *("memories:read", "memories:write"),
    *("classification:read", "classification:write"),
    *("workflows:read", "workflows:write", "workflows:execute"),
)


@contextmanager
def scratch_home() -> Iterator[Path]:
    """A home with the model and the Temporal binary of the checkout, and nothing else."""
    shared = home_directory()
    ensure_exported(shared / "models")
    home = Path(tempfile.mkdtemp(prefix="perdure-bench-"))
    try:
        for name in ("models", "bin"):
            if (shared / name).is_dir():
                (home / name).symlink_to((shared / name).resolve())
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)


@dataclass(frozen=True)
class Product:
    """A running product and an API key of its only organisation; `bare` is Temporal as anyone connects to it."""

    stack: Stack
    http: httpx.AsyncClient
    temporal: Client
    bare: Client
    organisation_id: str

    @property
    def settings(self) -> Settings:
        """What a process of the product is configured with."""
        environment = self.stack.environment
        return self.stack.settings.model_copy(
            update={
                "database_url": environment["DATABASE_URL"],
                "temporal_address": environment["TEMPORAL_ADDRESS"],
                "object_store_url": environment["OBJECT_STORE_URL"],
            }
        )

    async def post(self, path: str, **body: Any) -> dict[str, Any]:
        """POST below /api/v1; the JSON of the answer."""
        answer = await self.http.post(f"/api/v1{path}", **body)
        if answer.is_error:
            msg = f"POST {path} was answered by {answer.status_code}: {answer.text[:500]}"
            raise RuntimeError(msg)
        found: dict[str, Any] = answer.json()
        return found

    async def get(self, path: str, **parameters: Any) -> dict[str, Any]:
        """GET below /api/v1."""
        answer = await self.http.get(f"/api/v1{path}", params=parameters)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    async def ended(self, operation_id: str, every_s: float = 0.05) -> dict[str, Any]:
        """Ask for the operation until it has ended; RuntimeError unless it completed."""
        while True:
            operation = await self.get(f"/operations/{operation_id}")
            if operation["status"] in TERMINAL:
                break
            await asyncio.sleep(every_s)
        if operation["status"] != "completed":
            msg = f"operation {operation_id} ended as {operation['status']}: {operation['error']}"
            raise RuntimeError(msg)
        return operation

    async def closed(self, operation: dict[str, Any]) -> None:
        """Wait for the workflow itself, without asking again and again."""
        await self.temporal.get_workflow_handle(operation["workflow_id"]).result()

    async def timeline(self, workflow_id: str) -> Timeline:
        """What Temporal noted."""
        return Timeline.of(await self.temporal.get_workflow_handle(workflow_id).fetch_history())

    async def ingest(self, texts: Sequence[str], space: str) -> dict[str, Any]:
        """Send texts as one batch and wait for its end, without polling the API meanwhile."""
        items = [{"text": text, "space": space} for text in texts]
        operation = await self.post("/documents/batch", json={"items": items})
        await self.closed(operation)
        return await self.ended(operation["id"])

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Meanwhile no process of the product runs, as if it were stopped: for what is measured alone, between rounds.

        The caller must not await: the supervisor, which runs in this process, would find that nothing answers.
        """
        processes = psutil.Process().children(recursive=True)
        try:
            for process in processes:
                process.suspend()
            yield
        finally:
            for process in processes:
                process.resume()

    async def warm_up(self) -> None:
        """Let every process have done everything once: imports, connections, parser children, caches."""
        for number in range(5):
            operation = await self.post(
                "/documents", json={"text": f"Warming up, {number}.", "space": "warm"}
            )
            await self.closed(operation)
        await self.ingest([f"Warming up a batch, text {number}." for number in range(20)], "warm")
        await self.post("/search", json={"query": "warming up", "space": "warm"})


@asynccontextmanager
async def running() -> AsyncIterator[Product]:
    """Start everything, register, make a key; take everything down again."""
    with scratch_home() as home:
        api, temporal, ui = ports.unused(3)
        settings = Settings(home=home, api_port=api, temporal_port=temporal, temporal_ui_port=ui)
        async with (
            Stack(settings, _silent) as stack,
            httpx.AsyncClient(base_url=stack.url, timeout=120) as http,
        ):
            person = {
                "email": "bench@example.com",
                "password": "a fine password",
                "name": "B",
                "organisation": "B",
            }
            session = (await http.post("/api/v1/auth/register", json=person)).raise_for_status().json()
            http.headers["Authorization"] = f"Bearer {session['access_token']}"
            key = {"name": "bench", "scopes": list(SCOPES)}
            made = (await http.post("/api/v1/api-keys", json=key)).raise_for_status().json()
            http.headers["Authorization"] = f"Bearer {made['key']}"
            client = await connect(
                Settings(home=home, temporal_address=stack.environment["TEMPORAL_ADDRESS"])
            )
            bare = await bare_client(stack.environment["TEMPORAL_ADDRESS"])
            yield Product(stack, http, client, bare, session["organisation"]["id"])


async def bare_client(address: str) -> Client:
    """Without encryption and without anything kept outside."""
    return await Client.connect(
        address, data_converter=pydantic_data_converter, grpc_compression=compression(address)
    )


def _silent(part: str, what: str, *, passing: bool = False) -> None:
    """Starting is not what is looked at."""


async def settle(seconds: float = 1.0) -> None:
    """Let what goes on after an answer (notes, visibility, caches) end."""
    await asyncio.sleep(seconds)


def since(started: float) -> float:
    """Milliseconds since a reading of `time.perf_counter`."""
    return (time.perf_counter() - started) * 1000
