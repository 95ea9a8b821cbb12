"""Workers die while people decide: every outcome is the one that was decided, and nothing is said or recorded twice."""

import asyncio
from typing import Any

import httpx
from sqlalchemy import text

from tests.accounts import Account
from tests.faults.checks import settled
from tests.faults.installation import Installation

REQUESTS = 6
STAGES = ("first", "second")
POLICY: dict[str, Any] = {
    "stages": [{"id": stage, "approvers": [{"role": "owner"}], "rule": "any"} for stage in STAGES],
    "separation_of_duties": {"requester": False},
}
_AUDITED = text(
    "SELECT subject_id, action, count(*) FROM audit_events WHERE subject_id = ANY(:ids) "
    "AND action <> 'approval.refused' GROUP BY 1, 2"
)
_SAID = text("SELECT effect FROM messages")


async def _decided(account: Account, approval_id: str, stage: str) -> None:
    """Decide, as a client does that gets no answer: again, under the same key, until it is answered."""
    async with asyncio.timeout(150):
        while True:
            try:
                answer = await account.http.post(
                    f"/api/v1/approvals/{approval_id}/decision",
                    json={"decision": "approve", "stage": stage},
                    headers={"Idempotency-Key": f"{approval_id}-{stage}"},
                )
            except httpx.TransportError:
                answer = None
            if answer is not None and answer.is_success:
                return
            not_yet = answer is None or answer.status_code in {409, 502, 503}
            assert not_yet, answer.text if answer is not None else ""
            await asyncio.sleep(0.3)


async def test_two_approvals_in_a_row_end_as_decided_though_workers_die(
    installation: Installation, account: Account
) -> None:
    operations = [
        await account.post("/approvals", json={"title": f"Lease {number}", "policy": POLICY})
        for number in range(REQUESTS)
    ]
    ids = [operation["subject"]["id"] for operation in operations]
    for stage in STAGES:
        deciding = asyncio.gather(*(_decided(account, approval_id, stage) for approval_id in ids))
        await asyncio.sleep(0.05)
        await installation.killed("worker io")
        await deciding
    for operation in operations:
        ended = await settled(account, operation["id"])
        assert ended["status"] == "completed", ended
        assert ended["result"]["outcome"] == "approved"
    database = installation.database()
    try:
        async with database.transaction(account.organisation_id) as session:
            counted = {(row[0], row[1]): row[2] for row in await session.execute(_AUDITED, {"ids": ids})}
            effects = list(await session.scalars(_SAID))
    finally:
        await database.aclose()
    expected = {
        "approval.opened": 1,
        "approval.stage_opened": 2,
        "approval.decided": 2,
        "approval.stage_closed": 2,
        "approval.completed": 1,
    }
    assert counted == {(one, action): count for one in ids for action, count in expected.items()}
    assert len(effects) == len(set(effects))
    # Who is asked twice and told the end: the owner, each time.
    assert sorted(effect.split(":")[0] for effect in effects) == sorted([*ids] * 3)
