"""Every template does what it says on a real paper, up to where people are asked or to its end."""

from typing import Any

import pytest

from perdure.domain.workflow_templates import NAMES
from tests.accounts import TERMINAL, Account

PATH = "/ai/workflows"
VALUES: dict[str, dict[str, Any]] = {
    "invoice-approval": {"contact": "accounting@example.com", "limit": 500},
    "support-triage": {"team": "team@example.com"},
    "policy-acknowledgement": {"contact": "hr@example.com"},
    "meeting-follow-up": {"recipients": "all@example.com"},
}
ENGLISH = "INVOICE No. BS-417\nTo: Quayside Works\nPumps    £ 60.00\nTotal due    £ 1,329.60\nDue by 3 December 2026.\n"
GERMAN = (
    "Müller Bürotechnik GmbH, Mariahilfer Straße 12, 1060 Wien\nRechnung Nr. RE-2026/118\n"
    "für die Wartung Ihrer Drucker im Oktober 2026 erlauben wir uns zu verrechnen:\n"
    "Wartungspauschale      EUR 1.250,00\nAnfahrt                EUR    48,50\n"
    "Gesamtbetrag           EUR 1.558,20\n"
)


async def executed(caller: Account, name: str, text: str) -> dict[str, Any]:
    """The execution of a template's workflow on a text, when it waits for people or has ended."""
    made = await caller.post(f"{PATH}/templates/{name}", 201, json={"parameters": VALUES.get(name, {})})
    document = await caller.ingested(json={"text": text, "title": "A paper"})
    operation = await caller.post(f"{PATH}/{made['id']}/execute", json={"document_id": document["id"]})
    await caller.until(operation, TERMINAL | {"waiting_approval"})
    (listed,) = (await caller.get(f"{PATH}/executions", operation_id=operation["id"]))["items"]
    return await caller.get(f"{PATH}/executions/{listed['id']}")


@pytest.mark.parametrize("name", NAMES)
async def test_a_template_can_be_executed(caller: Account, name: str) -> None:
    execution = await executed(caller, name, ENGLISH)
    failed = {step["step_id"]: step["error"] for step in execution["steps"] if step["error"]}
    assert failed == {}
    assert execution["status"] in {"completed", "waiting_approval"}


@pytest.mark.parametrize(("text", "total"), [(ENGLISH, "1329.6"), (GERMAN, "1558.2")])
async def test_a_dear_invoice_is_asked_about_whatever_its_language(
    caller: Account, text: str, total: str
) -> None:
    execution = await executed(caller, "invoice-approval", text)
    steps = {step["step_id"]: step for step in execution["steps"]}
    assert steps["terms"]["output"]["total"] == total
    assert execution["status"] == "waiting_approval"
    assert f"Total: {total}." in steps["approve"]["input"]["with"]["summary"]
