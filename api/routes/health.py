"""Health and metrics, for load balancers and Prometheus; no log-in."""

import asyncio
import shutil
from typing import Any

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import Field
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from starlette.datastructures import State
from temporalio.service import RPCError

from perdure import __version__
from perdure.errors import PerdureError
from perdure.schemas.base import Contract

router = APIRouter(tags=["health"])

CHECK_TIMEOUT_S = 3.0
MIN_FREE_BYTES = 256 * 1024 * 1024


class Health(Contract):
    """State of the parts, each `ok` or what is wrong."""

    status: str = Field(description="`ok` or `degraded`.")
    database: str
    temporal: str
    storage: str
    project: str = "perdure"
    version: str = __version__


class Live(Contract):
    """The process answers."""

    status: str = "ok"


async def _state(check: Any) -> str:
    try:
        await asyncio.wait_for(check, CHECK_TIMEOUT_S)
    except TimeoutError:
        return f"no answer within {CHECK_TIMEOUT_S:.0f} s"
    except (SQLAlchemyError, RPCError, PerdureError, OSError) as error:
        return f"unavailable: {type(error).__name__}"
    return "ok"


async def examine(state: State) -> Health:
    """State of all parts of an application."""

    async def database() -> None:
        async with state.database.transaction(None) as session:
            await session.execute(text("SELECT 1"))

    async def storage() -> None:
        await state.objects.check()
        if state.settings.objects_url.startswith("file:"):
            free = shutil.disk_usage(state.settings.home).free
            if free < MIN_FREE_BYTES:
                msg = f"only {free} bytes are free"
                raise OSError(msg)

    states = await asyncio.gather(
        _state(database()), _state(state.temporal.service_client.check_health()), _state(storage())
    )
    return Health(
        status="ok" if set(states) == {"ok"} else "degraded",
        database=states[0],
        temporal=states[1],
        storage=states[2],
    )


async def parts_up(state: State) -> dict[str, bool]:
    """Which parts answer, by name."""
    found = await examine(state)
    parts = {"database": found.database, "temporal": found.temporal, "storage": found.storage}
    return {name: said == "ok" for name, said in parts.items()}


@router.get("/health")
async def health(request: Request) -> Health:
    """State of all parts; always 200."""
    return await examine(request.app.state)


@router.get("/health/live")
async def live() -> Live:
    """200 while the process answers."""
    return Live()


@router.get("/health/ready", responses={503: {"model": Health, "description": "Some part does not answer."}})
async def ready(request: Request, response: Response) -> Health:
    """200 when every part answers, else 503: do not send work here."""
    found = await examine(request.app.state)
    response.status_code = 200 if found.status == "ok" and not request.app.state.stopping.is_set() else 503
    return found


@router.get("/metrics", response_class=Response)
async def metrics(request: Request) -> Response:
    """Prometheus text; with `Accept: application/json` the counts as JSON."""
    state = request.app.state
    await state.observations.refresh()
    # What the engine's client counts: a thread, for it blocks.
    engine = await asyncio.to_thread(state.client_figures.text)
    if "application/json" in request.headers.get("accept", ""):
        return Response(state.metrics.to_json(engine), media_type="application/json")
    ours = generate_latest(state.metrics.registry).decode()
    return Response(ours + engine, media_type=CONTENT_TYPE_LATEST)
