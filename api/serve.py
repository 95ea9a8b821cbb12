"""The API process: `python -m api.serve --host 127.0.0.1 --port 8000`."""

import argparse
import asyncio
import gc
import sys
from types import FrameType

import structlog
import uvicorn
from fastapi import FastAPI

from api.app import create_app
from perdure import log, tracing
from perdure.errors import PerdureError
from perdure.settings import Settings

logger = structlog.get_logger("perdure.api")

DRAIN_S = 10


class _Server(uvicorn.Server):
    """Tells the event streams to end, so that a drain does not wait for clients that never hang up."""

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self._app = app

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """See `uvicorn.Server`."""
        stopping: asyncio.Event | None = getattr(self._app.state, "stopping", None)
        if stopping is not None:
            asyncio.get_running_loop().call_soon_threadsafe(stopping.set)
        super().handle_exit(sig, frame)


def _server(settings: Settings, host: str, port: int) -> _Server:
    app = create_app(settings)
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=DRAIN_S,
    )
    return _Server(config, app)


def main() -> None:
    """Serve until SIGTERM or SIGINT, then finish what is being answered."""
    settings = Settings.load()
    parser = argparse.ArgumentParser(description="Serve the HTTP API and the console of Perdure.")
    parser.add_argument("--host", default=settings.api_host)
    parser.add_argument("--port", type=int, default=settings.api_port)
    arguments = parser.parse_args()
    log.configure(settings)
    try:
        tracing.start(settings, "perdure-api")
        server = _server(settings, arguments.host, arguments.port)
        # What was made so far stays: the collector would walk through it again and again, a tenth of a second each
        # time, in which nobody is answered.
        gc.freeze()
        server.run()
    except PerdureError as error:
        structlog.get_logger("perdure.api").error(
            "api_refused_to_start", problem=error.slug, detail=str(error)
        )
        sys.exit(1)
    tracing.stop()
    sys.exit(0 if server.started else 1)


if __name__ == "__main__":
    main()
