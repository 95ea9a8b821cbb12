"""`perdure up` is stopped, or killed, in the middle of a batch, and started again on the same home."""

import os
import signal

import psutil

from tests.faults.checks import assert_exactly_once, progressed, settled
from tests.faults.conftest import account_at
from tests.faults.files import archive
from tests.faults.installation import END_S, Installation, eventually


def living(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [each for each in processes if each.is_running() and each.status() != psutil.STATUS_ZOMBIE]


async def interrupt(installation: Installation) -> None:
    """Ctrl-C: exit code 0, and nothing stays behind."""
    processes = installation.processes()
    assert len(processes) > 5
    installation.interrupt()
    assert await installation.ended() == 0
    assert living(processes) == []
    assert installation.parser_children() == {}
    assert not (installation.home / "stack.json").exists()
    assert list(installation.temporary.rglob("perdure-*")) == []


async def test_a_batch_goes_on_after_ctrl_c_and_after_the_death_of_the_supervisor(
    untouched_installation: Installation,
) -> None:
    installation = untouched_installation
    await installation.up()
    data, expected = archive(500)
    async with account_at(installation.url) as account:
        operation = await account.post("/documents/batch", files={"file": ("reports.zip", data)})

        operation = await progressed(account, operation["id"], 1)
        assert operation["status"] == "running", "too fast to be stopped in the middle"
        await interrupt(installation)
        await installation.up()

        operation = await progressed(account, operation["id"], operation["progress"]["done"] + 1)
        assert operation["status"] == "running", "too fast to be killed in the middle"
        processes = installation.processes()
        os.kill(installation.pid, signal.SIGKILL)
        assert await installation.ended() == -signal.SIGKILL
        await installation.up()
        await eventually(lambda: living(processes) == [], END_S)

        operation = await settled(account, operation["id"])
        await assert_exactly_once(installation, account, operation, expected)
    await interrupt(installation)
