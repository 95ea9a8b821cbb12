"""Workers die between the stages of an evolution: what comes out is what comes out undisturbed."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest

from tests.accounts import Account
from tests.faults.checks import settled
from tests.faults.conftest import account_at
from tests.faults.installation import Installation

STAGES = ("update", "extend", "derive", "decay")
# Of several pages, so that a stage can be met in its middle.
SUBJECTS = 60
COLOURS = ("red", "green", "blue", "black", "white", "brown")


def lines(subject: int) -> list[str]:
    """What is said about somebody: what is said twice, what changes, what belongs together, and what says nothing."""
    name = f"Person{subject}"
    return [
        f"{name} adopted a grey cat called Pixel.",
        f"{name} has adopted a grey cat, Pixel.",
        f"{name} lives in Rome.",
        f"{name} moved to Turin.",
        "Hello, good morning!",
        *(f"{name} paints {colour} boats in the harbour." for colour in COLOURS),
    ]


async def told(account: Account) -> None:
    """Remember all of it, in the same order each time."""
    said = [
        {"content": line, "subject": f"Person{subject}", "external_id": f"{subject}:{number}"}
        | {"valid_from": f"2025-01-{number + 1:02}T10:00:00Z"}
        for subject in range(SUBJECTS)
        for number, line in enumerate(lines(subject))
    ]
    file = "\n".join(json.dumps(line) for line in said).encode()
    operation = await account.post("/memories/import", files={"file": ("said.jsonl", file)})
    ended = await settled(account, operation["id"])
    assert ended["result"]["remembered"] == len(said), ended


async def everything(account: Account, path: str, **filters: Any) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    more: dict[str, Any] = {}
    while more.get("cursor", "") is not None:
        page = await account.get(path, limit=200, **filters, **more)
        items += page["items"]
        more = {"cursor": page["next_cursor"]}
    return items


async def outcome(account: Account) -> tuple[list[Any], ...]:
    """What has become of the memories, without their ids: which are current, what was changed, what is connected."""
    kept = await everything(account, "/memories", state="all")
    names = {memory["id"]: memory["external_id"] or memory["content"] for memory in kept}
    rows = sorted(
        (names[memory["id"]], memory["retired_at"] is None, str(names.get(memory["superseded_by"])))
        for memory in kept
    )
    noted = await everything(account, "/memories/changes")
    changes = sorted(
        (names[change["memory_id"]], change["action"]) for change in noted if change["action"] != "related"
    )
    # Which of two an edge begins at may depend on their ids.
    edges = sorted(
        (edge["kind"], *sorted((names[edge["source_id"]], names[edge["target_id"]])))
        for change in noted
        if change["action"] == "related"
        for edge in change["after"]["relations"]
    )
    proposals = await everything(account, "/memories/proposals")
    return rows, changes, edges, sorted(proposal["content"] for proposal in proposals)


def counted(result: dict[str, Any]) -> list[Any]:
    """What each stage says that it changed, but for how edges fall to memories."""
    return [
        {action: count for action, count in stage["changed"].items() if action != "related"}
        for stage in result["stages"]
    ]


async def evolved(account: Account) -> dict[str, Any]:
    operation = await account.post("/memories/evolve", json={})
    ended = await settled(account, operation["id"])
    assert ended["status"] == "completed", ended
    result: dict[str, Any] = ended["result"]
    return result


async def begun(account: Account, operation_id: str, stage: str) -> None:
    """Wait until a stage has begun, or all is over."""
    async with asyncio.timeout(120):
        while True:
            run = await account.http.get(f"/api/v1/memories/evolutions/{operation_id}")
            if run.is_success and (run.json()["ended_at"] or _reached(run.json()["stages"], stage)):
                return
            await asyncio.sleep(0.02)


def _reached(stages: Sequence[dict[str, Any]], stage: str) -> bool:
    return any(each["stage"] == stage and each["examined"] for each in stages)


@pytest.fixture(scope="module")
async def undisturbed(installation: Installation) -> tuple[Any, Any]:
    """What comes out when nobody dies."""
    await installation.answers()
    async with account_at(installation.url) as account:
        await told(account)
        result = await evolved(account)
        return await outcome(account), counted(result)


async def test_a_worker_that_dies_at_a_stage_changes_nothing_of_the_outcome(
    installation: Installation, undisturbed: tuple[Any, Any]
) -> None:
    for stage in STAGES:
        async with account_at(installation.url) as account:
            await told(account)
            operation = await account.post("/memories/evolve", json={})
            await begun(account, operation["id"], stage)
            await installation.killed("worker cpu", "worker io")
            ended = await settled(account, operation["id"])
            assert ended["status"] == "completed", ended
            assert (await outcome(account), counted(ended["result"])) == undisturbed


async def test_a_paused_evolution_goes_on_after_everything_was_restarted(
    installation: Installation, undisturbed: tuple[Any, Any]
) -> None:
    async with account_at(installation.url) as other:
        await told(other)
        operation = await other.post("/memories/evolve", json={})
        await begun(other, operation["id"], "update")
        paused = await other.http.post(f"/api/v1/operations/{operation['id']}/pause")
        await installation.killed("worker cpu", "worker io", "api", "temporal")
        await installation.answers()
        if paused.is_success:
            state = await other.get(f"/operations/{operation['id']}")
            assert state["status"] in {"paused", "completed"}
            if state["status"] == "paused":
                await other.post(f"/operations/{operation['id']}/resume")
        ended = await settled(other, operation["id"])
        assert ended["status"] == "completed", ended
        assert (await outcome(other), counted(ended["result"])) == undisturbed
