"""Workers die while they remember: everything is kept once, in its order."""

import asyncio
from typing import Any

from tests.accounts import Account
from tests.faults.checks import settled
from tests.faults.installation import Installation

WRITES = 60
TURNS = 4


async def test_writers_on_one_subject_survive_the_deaths_of_their_workers(
    installation: Installation, account: Account
) -> None:
    def turns(number: int) -> list[dict[str, str]]:
        at = f"2025-01-{number // 24 + 1:02}T{number % 24:02}:00"
        return [
            {
                "speaker": "Ann",
                "content": f"Entry {number} of the log, line {line}.",
                "created_at": f"{at}:{line:02}Z",
                "external_id": f"{number}:{line}",
            }
            for line in range(TURNS)
        ]

    operations: list[str] = []
    deaths: list[asyncio.Task[None]] = []
    for number in range(WRITES):
        body = {"messages": turns(number), "subject": "Log", "session_id": "s"}
        operations.append((await account.post("/memories", json=body))["id"])
        if number in {10, 40}:
            # The next dies when the others have come back, or there is nothing to kill.
            await asyncio.gather(*deaths)
            names = ("worker io", "worker cpu") if number == 10 else ("worker io",)
            deaths.append(asyncio.create_task(installation.killed(*names)))
    await asyncio.gather(*deaths)
    for operation_id in operations:
        operation = await settled(account, operation_id)
        assert operation["status"] == "completed", operation
        assert operation["result"]["remembered"] == TURNS, operation
    kept: list[dict[str, Any]] = []
    more: dict[str, Any] = {}
    while more.get("cursor", "") is not None:
        page = await account.get("/memories", subject="Log", limit=200, **more)
        kept += page["items"]
        more = {"cursor": page["next_cursor"]}
    in_time = [memory["external_id"] for memory in sorted(kept, key=lambda memory: memory["valid_from"])]
    assert in_time == [f"{number}:{line}" for number in range(WRITES) for line in range(TURNS)]
