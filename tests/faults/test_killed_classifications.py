"""Workers die in the middle of a batch of texts: every item has exactly one result."""

from typing import Any

from sqlalchemy import text

from tests.accounts import Account
from tests.faults.checks import progressed, settled
from tests.faults.installation import Installation

ITEMS = 900
LABELS = [
    {"name": "Invoice", "description": "asks for payment of something that was delivered"},
    {"name": "Complaint", "description": "somebody complains about broken goods"},
]


async def test_every_text_is_classified_once_though_its_workers_die(
    installation: Installation, account: Account
) -> None:
    given: list[dict[str, Any]] = [
        {"text": f"Letter {number}: the goods arrived broken, I want another one. " * 3}
        for number in range(ITEMS)
    ]
    given[ITEMS // 2] = {"text": " "}
    body = {"items": given, "labels": LABELS}
    operation = await account.post("/ai/classification/batch", json=body)
    for done, names in ((1, ("worker cpu",)), (ITEMS // 2, ("worker io", "worker cpu"))):
        now = await progressed(account, operation["id"], done)
        if now["status"] == "running":
            await installation.killed(*names)
    ended = await settled(account, operation["id"])
    assert ended["status"] == "completed", ended
    assert ended["result"]["decided"] == ITEMS - 1
    assert ended["result"]["reasons"] == {"empty_text": 1}
    database = installation.database()
    try:
        async with database.transaction(account.organisation_id) as session:
            found = (
                await session.execute(
                    text(
                        "SELECT count(*), count(DISTINCT ordinal), count(classified_at), count(label) "
                        "FROM classification_results WHERE operation_id = :id"
                    ),
                    {"id": operation["id"]},
                )
            ).one()
    finally:
        await database.aclose()
    assert tuple(found) == (ITEMS, ITEMS, ITEMS, ITEMS - 1)
