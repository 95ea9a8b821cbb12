import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.accounts import Account
from tests.faults.checks import assert_exactly_once, progressed, settled
from tests.faults.files import archive
from tests.faults.installation import ROOT, Installation, eventually

# Longer than the heartbeat time-out, after which Temporal gives the work to somebody else.
STOPPED_S = 15.0


async def test_a_batch_survives_three_deaths_of_its_workers(
    installation: Installation, account: Account
) -> None:
    data, expected = archive(300)
    operation = await account.post("/documents/batch", files={"file": ("reports.zip", data)})
    done = -1
    for names in (("worker io", "worker cpu"), ("worker cpu",), ("worker cpu", "worker io")):
        operation = await progressed(account, operation["id"], done + 1)
        done = operation["progress"]["done"]
        assert operation["status"] in {"pending", "running"}, "too fast to be killed in the middle"
        await installation.killed(*names)
    operation = await settled(account, operation["id"])
    await assert_exactly_once(installation, account, operation, expected)


@asynccontextmanager
async def a_second_worker(installation: Installation) -> AsyncIterator[int]:
    """One more worker of all queues; its process id."""
    with (installation.home / "second-worker.log").open("wb") as log:
        process = subprocess.Popen(  # noqa: ASYNC220  # returns at once
            [sys.executable, str(ROOT / "worker.py")],
            env={**installation.environment, "DATABASE_OWNER_URL": ""},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        await eventually(lambda: "worker_ready" in (installation.home / "second-worker.log").read_text(), 150)
        yield process.pid
    finally:
        process.terminate()
        assert await asyncio.to_thread(process.wait, 60) == 0


async def test_a_worker_that_sleeps_through_its_time_outs_does_nothing_twice(
    installation: Installation, account: Account
) -> None:
    data, expected = archive(160)
    async with a_second_worker(installation):
        operation = await account.post("/documents/batch", files={"file": ("reports.zip", data)})
        operation = await progressed(account, operation["id"], 1)
        assert operation["status"] == "running", "too fast to be stopped in the middle"
        asleep = [installation.pid_of(name) for name in ("worker cpu", "worker io")]
        try:
            for pid in asleep:
                os.kill(pid, signal.SIGSTOP)
            # The second worker takes over what the first ones had begun, and they finish it as well.
            await asyncio.sleep(STOPPED_S)
        finally:
            for pid in asleep:
                os.kill(pid, signal.SIGCONT)
        operation = await settled(account, operation["id"])
        assert asleep == [installation.pid_of(name) for name in ("worker cpu", "worker io")]
    await assert_exactly_once(installation, account, operation, expected)
