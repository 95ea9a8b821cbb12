"""Parts are killed while a batch runs: every item ends, once, and as it would have ended undisturbed."""

import pytest

from tests.accounts import Account
from tests.faults.checks import assert_exactly_once, progressed, settled
from tests.faults.files import archive
from tests.faults.test_killed_servers import test_what_an_api_accepted_before_its_death_is_done_once
from tests.production.production_form import ProductionForm

__all__ = ["test_what_an_api_accepted_before_its_death_is_done_once"]

# From the death to the last item. Seconds on an idle machine: a killed worker's steps wait for their time-outs.
SETTLED_S = 90.0
PARTS = ("temporal postgres", "temporal", "postgres", "pgbouncer", "s3", "redis")


@pytest.mark.parametrize("part", ["worker io 1", "worker cpu 2", "api 1", *PARTS])
async def test_a_batch_survives_the_death_of_one_part(
    installation: ProductionForm, account: Account, part: str
) -> None:
    data, expected = archive(90)
    operation = await account.post("/documents/batch", files={"file": ("reports.zip", data)})
    operation = await progressed(account, operation["id"], 1)
    assert operation["status"] == "running", "too fast to be killed in the middle"
    await installation.killed(part)
    operation = await settled(account, operation["id"], SETTLED_S)
    await assert_exactly_once(installation, account, operation, expected)


async def test_a_batch_survives_the_death_of_everything(
    installation: ProductionForm, account: Account
) -> None:
    data, expected = archive(90)
    operation = await account.post("/documents/batch", files={"file": ("reports.zip", data)})
    operation = await progressed(account, operation["id"], 1)
    assert operation["status"] == "running", "too fast to be killed in the middle"
    await installation.killed("api", "worker io", "worker cpu", *PARTS)
    operation = await settled(account, operation["id"], SETTLED_S)
    await assert_exactly_once(installation, account, operation, expected)
