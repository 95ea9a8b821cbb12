"""A worker for `bench.codec`, with the product's data converter or with Temporal's. `python -m bench.codec_worker on`.

Where the server, the keys and the objects are comes from the environment, as for the product's own workers.
"""

import asyncio
import os
import signal
import sys

from temporalio.client import Client
from temporalio.worker import Worker

from bench.codec_workflow import HandBack, hand_back
from bench.product import bare_client
from perdure.settings import Settings
from worker import sandbox  # noqa: TID251  # the product's own sandbox
from workflows.client import connect

ON, OFF = "on", "off"


def queue_of(codec: str) -> str:
    """Task queue of the workers with or without the codec."""
    return f"codec-{codec}"


async def client(settings: Settings, codec: str) -> Client:
    """A connection as the product has it, or without encryption and claim check."""
    if codec == ON:
        return await connect(settings)
    return await bare_client(settings.temporal_address)


async def serve(codec: str) -> None:
    """Serve until SIGTERM."""
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    async with Worker(
        await client(Settings(), codec),
        task_queue=queue_of(codec),
        workflows=[HandBack],
        activities=[hand_back],
        workflow_runner=sandbox(),
    ):
        await stopping.wait()
    sys.stdout.flush()
    os._exit(0)  # as the product's worker does: the engine's threads may abort at a slow exit


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1]))
