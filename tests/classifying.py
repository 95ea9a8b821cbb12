"""Labels, texts and short ways to classify them, for tests."""

from typing import Any

from tests.accounts import Account

LABELS: list[dict[str, Any]] = [
    {"name": "Invoice", "description": "asks for payment of something that was delivered"},
    {"name": "Complaint", "description": "somebody complains about broken goods or bad service"},
    {"name": "Job application", "description": "somebody applies for a job"},
]
INVOICE = (
    "Please find attached the invoice for the repair of the roof. The amount of 1,200.00 EUR is due within thirty "
    "days. Payments go to our account; questions to billing@example.com.\n"
)
TEXTS = {
    "Invoice": "Invoice for the delivery of ten chairs, payable within thirty days to our bank account.",
    "Complaint": "I want to complain about the rude service. The goods arrived broken and nobody answers my letters.",
    "Job application": "I hereby apply for the position of carpenter. My curriculum vitae is attached.",
}


async def classified(account: Account, **body: Any) -> dict[str, Any]:
    """The answer of a request that was waited for."""
    return await account.post("/ai/classification/enhanced?wait=true", 200, json=body)


async def workflow(account: Account, name: str = "Incoming mail", **stage: Any) -> dict[str, Any]:
    """A workflow with one category stage."""
    given = {"task": "category", "labels": LABELS, **stage}
    return await account.post("/ai/classification/workflows", 201, json={"name": name, "stages": [given]})


async def batch(account: Account, items: list[dict[str, Any]], **asked: Any) -> dict[str, Any]:
    """A batch that has ended."""
    asked = asked or {"labels": LABELS}
    operation = await account.post("/ai/classification/batch", json={"items": items, **asked})
    return await account.ended(operation)


async def results(account: Account, **filters: Any) -> list[dict[str, Any]]:
    """All results of a filter."""
    found: list[dict[str, Any]] = []
    more: dict[str, Any] = {}
    while more.get("cursor", "") is not None:
        page = await account.get("/ai/classification/results", limit=200, **filters, **more)
        found += page["items"]
        more = {"cursor": page["next_cursor"]}
    return found
