"""What encryption and claim check cost: the same workflows with the product's data converter and without.

*Throughput*: workflows of one activity, whose input and result have 1 KiB, a number of them under way at any time,
on one server with its database in a file. Each way has a worker process of its own; the two take turns, so that both
see the same machine. *Latency*: one after the other.

*Large*: a text of 64 MiB goes through the same workflow; only the product's way can carry it.
"""

import asyncio
import contextlib
import os
import secrets
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from temporalio.client import Client

from bench.codec_worker import OFF, ON, client, queue_of
from bench.codec_workflow import HandBack
from bench.product import bare_client, scratch_home, since
from bench.report import Figure, Options, Target, median
from perdure.embedded import ports, temporal_server
from perdure.embedded.processes import tied_to_parent
from perdure.settings import MEBIBYTE, Settings

GROUP = "encryption and claim check of what Temporal stores"
PAYLOAD_BYTES = 1024
IN_FLIGHT = 20
LARGE_BYTES = 64 * MEBIBYTE


async def run(options: Options) -> list[Figure]:
    """Take turns with and without, then send the large one."""
    rounds, count = options.repeats(8, 1), options.repeats(200, 20)
    rates: defaultdict[str, list[float]] = defaultdict(list)
    waits: defaultdict[str, list[float]] = defaultdict(list)
    async with servers() as settings:
        clients = {codec: await client(settings, codec) for codec in (ON, OFF)}
        for codec in (ON, OFF):
            await throughput(clients[codec], codec, count)
        options.say(f"{rounds} rounds of {count} workflows of {PAYLOAD_BYTES} bytes, each way")
        for number in range(rounds):
            for codec in (ON, OFF) if number % 2 else (OFF, ON):
                rates[codec].append(await throughput(clients[codec], codec, count))
                waits[codec] += await latencies(clients[codec], codec, count // 10)
        options.say("64 MiB")
        took, history = await large(clients[ON])
    note = f"{IN_FLIGHT} under way; one activity each; payloads of {PAYLOAD_BYTES} bytes"
    return [
        Figure(
            GROUP, "workflows a second", "/s", median(rates[ON]), median(rates[OFF]),
            Target("ratio", "at least", 0.85), note,
        ),
        Figure(GROUP, "one workflow, p50", "ms", median(waits[ON]), median(waits[OFF])),
        Figure(GROUP, "a text of 64 MiB there and back", "s", took),
        Figure(
            GROUP, "history of the text of 64 MiB", "KiB", history / 1024, target=Target("value", "at most", 100)
        ),
    ]  # fmt: skip


def text_of(size: int) -> str:
    """A text that does not compress to nothing."""
    return secrets.token_hex(size // 2)


async def throughput(client: Client, codec: str, count: int) -> float:
    """Workflows a second, so many under way."""
    free = asyncio.Semaphore(IN_FLIGHT)

    async def one() -> None:
        async with free:
            await hand_back(client, codec, text_of(PAYLOAD_BYTES))

    started = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(count)))
    return count / (time.perf_counter() - started)


async def latencies(client: Client, codec: str, count: int) -> list[float]:
    """Milliseconds from the start to the result, one after the other."""
    took = []
    for _ in range(count):
        started = time.perf_counter()
        await hand_back(client, codec, text_of(PAYLOAD_BYTES))
        took.append(since(started))
    return took


async def large(client: Client) -> tuple[float, int]:
    """Seconds that a large text takes, and the bytes of its history."""
    text = text_of(LARGE_BYTES)
    started = time.perf_counter()
    workflow_id = await hand_back(client, ON, text)
    took = time.perf_counter() - started
    # As it is stored: read without the product's converter.
    plain = await bare_client(client.service_client.config.target_host)
    history = await plain.get_workflow_handle(workflow_id).fetch_history()
    return took, sum(event.ByteSize() for event in history.events)


async def hand_back(client: Client, codec: str, text: str) -> str:
    """Run one; its id."""
    workflow_id = f"codec-{secrets.token_hex(8)}"
    answer = await client.execute_workflow(HandBack.run, text, id=workflow_id, task_queue=queue_of(codec))
    if answer != text:
        msg = f"{workflow_id} gave back {len(answer)} other characters than the {len(text)} it was given"
        raise RuntimeError(msg)
    return workflow_id


@asynccontextmanager
async def servers() -> AsyncIterator[Settings]:
    """A Temporal server with its database in a file, and a worker for each way."""
    with scratch_home() as home:
        listening = temporal_server.TemporalPorts(*ports.unused(4))
        settings = Settings(home=home, temporal_address=listening.address)
        environment = {**os.environ, "PERDURE_HOME": str(home), "TEMPORAL_ADDRESS": listening.address}
        binary = temporal_server.ensure_binary(home, lambda _line: None)
        server = temporal_server.server_command(binary, listening, home / "temporal.db")
        async with process(server, environment, home):
            await temporal_server.wait_until_ready(listening.http_url)
            commands = [[sys.executable, "-m", "bench.codec_worker", codec] for codec in (ON, OFF)]
            async with process(commands[0], environment, home), process(commands[1], environment, home):
                yield settings


@asynccontextmanager
async def process(command: list[str], environment: dict[str, str], home: Path) -> AsyncIterator[None]:
    """A child process; it ends with this one."""
    with (home / "processes.log").open("ab") as log:
        child = await asyncio.create_subprocess_exec(
            *tied_to_parent(tuple(command), None), env=environment, stdout=log, stderr=log
        )
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            child.terminate()
        await child.wait()
