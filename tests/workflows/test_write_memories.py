"""The writer of a subject: one transaction at a time, everybody is told, nobody is forgotten."""

import asyncio
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from temporalio import activity
from temporalio.client import Client
from temporalio.worker import Worker

from activities.memories import writer_id
from perdure.domain.ids import new_id
from perdure.embedded import ports, temporal_server
from perdure.schemas.memories import (
    RememberResult,
    WriteJob,
    WriteMemoriesInput,
    WriteRequest,
    WrittenMemories,
)
from perdure.settings import Settings, home_directory
from tests.workflows.waiting import Waiting
from worker import sandbox
from workflows import queues
from workflows.client import connect
from workflows.write_memories import TOGETHER, WriteMemories

QUEUE = "writers"


@dataclass
class SlowDatabase:
    """Writes like the real activity; notes what it wrote, and how many did so at once."""

    batches: list[list[str]] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0

    @activity.defn
    async def write_memories(self, job: WriteJob) -> WrittenMemories:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(0.02)
        self.batches.append(job.operation_ids)
        self.at_once -= 1
        return WrittenMemories(
            outcomes={each: RememberResult(remembered=1) for each in job.operation_ids if each != "stale"}
        )


@pytest.fixture(scope="module")
async def elsewhere(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    """A Temporal server of these tests alone, where no real worker takes the activities of the queue `io`."""
    binary = temporal_server.find_binary(home_directory())
    assert binary is not None, "no `temporal` command: `make test` builds it into .perdure/bin"
    directory = tmp_path_factory.mktemp("temporal")
    listening = temporal_server.TemporalPorts(*ports.unused(4))
    command = temporal_server.server_command(binary, listening, directory / "temporal.db")
    with (
        (directory / "temporal.log").open("wb") as log,
        subprocess.Popen(command, stdout=log, stderr=log) as process,  # noqa: ASYNC220  # returns at once
    ):
        try:
            await temporal_server.wait_until_ready(listening.http_url)
            yield await connect(settings.model_copy(update={"temporal_address": listening.address}))
        finally:
            process.terminate()


@pytest.fixture
async def slow_database(elsewhere: Client) -> AsyncIterator[SlowDatabase]:
    writing = SlowDatabase()
    async with (
        Worker(
            elsewhere,
            task_queue=QUEUE,
            workflows=[WriteMemories, Waiting],
            workflow_runner=sandbox(),
        ),
        Worker(elsewhere, task_queue=queues.IO, activities=[writing.write_memories]),
    ):
        yield writing


async def told(elsewhere: Client, space_id: str, operation_id: str) -> str | None:
    """What somebody hears who waits for a request."""
    waiting = await elsewhere.start_workflow(Waiting.run, id=new_id("op"), task_queue=QUEUE)
    request = WriteRequest(operation_id=operation_id, workflow_id=waiting.id)
    await elsewhere.start_workflow(
        WriteMemories.run,
        WriteMemoriesInput(organisation_id="org_1", space_id=space_id),
        id=writer_id(space_id, "key"),
        task_queue=QUEUE,
        start_signal="write",
        start_signal_args=[request],
    )
    result: str | None = await waiting.result()
    return result


async def test_requests_of_one_subject_are_written_in_turn_and_everybody_is_told(
    elsewhere: Client, slow_database: SlowDatabase
) -> None:
    space_id = new_id("spc")
    names = [f"op_{number}" for number in range(3 * TOGETHER)]
    heard = await asyncio.gather(*(told(elsewhere, space_id, name) for name in names))
    assert heard == ["1"] * len(names)
    assert slow_database.most_at_once == 1
    written = [name for batch in slow_database.batches for name in batch]
    assert sorted(written) == sorted(names)
    assert max(map(len, slow_database.batches)) <= TOGETHER


async def test_who_has_to_prepare_again_is_told_so(elsewhere: Client, slow_database: SlowDatabase) -> None:
    assert await told(elsewhere, new_id("spc"), "stale") == "again"


async def test_somebody_who_is_gone_keeps_nobody_waiting(
    elsewhere: Client, slow_database: SlowDatabase
) -> None:
    space_id = new_id("spc")
    handle = await elsewhere.start_workflow(
        WriteMemories.run,
        WriteMemoriesInput(
            organisation_id="org_1",
            space_id=space_id,
            requests=[WriteRequest(operation_id="op_1", workflow_id="gone")],
        ),
        id=writer_id(space_id, "key"),
        task_queue=QUEUE,
    )
    await handle.result()
    assert slow_database.batches == [["op_1"]]
    assert await told(elsewhere, space_id, "op_2") == "1"
