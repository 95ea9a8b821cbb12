"""`perdure up` is stopped, or killed, in the middle of a batch, and started again on the same home."""

import os
import signal

import psutil

from tests.accounts import Account
from tests.faults.checks import assert_exactly_once, progressed, settled
from tests.faults.conftest import account_at
from tests.faults.files import archive
from tests.faults.installation import END_S, Installation, eventually


def living(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [each for each in processes if each.is_running() and each.status() != psutil.STATUS_ZOMBIE]


async def test_a_batch_goes_on_after_ctrl_c_and_after_the_death_of_the_supervisor(
    installation: Installation, account: Account
) -> None:
    data, expected = archive(210)
    operation = await account.post("/documents/batch", files={"file": ("reports.zip", data)})

    operation = await progressed(account, operation["id"], 1)
    assert operation["status"] == "running", "too fast to be stopped in the middle"
    processes = installation.processes()
    assert len(processes) > 5
    installation.interrupt()
    assert await installation.ended() == 0
    assert living(processes) == []
    assert installation.parser_children() == {}
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


async def test_ctrl_c_with_nothing_to_do_ends_in_seconds_and_leaves_nothing(
    spare_installation: Installation,
) -> None:
    await spare_installation.up()
    async with account_at(spare_installation.url) as somebody:
        assert await somebody.get("/operations") == {"items": [], "next_cursor": None}
    processes = spare_installation.processes()
    spare_installation.interrupt()
    assert await spare_installation.ended() == 0
    assert living(processes) == []
    assert not (spare_installation.home / "stack.json").exists()
    assert list(spare_installation.temporary.rglob("perdure-*")) == []
