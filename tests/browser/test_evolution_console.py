"""Evolution on the whole running product: what a person does, in a real browser."""

import re
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import Visit, register
from tests.browser.test_console import INDEXED, picture
from tests.browser.test_memory_console import send

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

OLD, NEW = "Ann lives in Porto.", "Ann lives in Lisbon now."


async def contradiction(page: Page, url: str) -> None:
    """Two statements of which only the later one holds."""
    for month, content in ((1, OLD), (6, NEW)):
        body = {
            "content": content,
            "subject": "Ann",
            "speaker": "Ann",
            "valid_from": f"2026-0{month}-01T09:00:00Z",
        }
        await send(page, url, "/memories?wait=true", body)


async def test_a_dry_run_changes_nothing_and_a_run_is_undone(
    visit: Visit, url: str, pictures: Path | None
) -> None:
    async with visit() as page:
        await register(page, url)
        await contradiction(page, url)
        await page.goto(f"{url}/memories/evolution")
        await expect(page.get_by_role("heading", name="“default” has not evolved yet")).to_be_visible()
        await page.get_by_role("button", name="Only show what would change").click()
        await page.wait_for_url(re.compile(r"/memories/evolution/op_"))
        await expect(page.locator("header .badge")).to_have_text("Dry run", timeout=INDEXED)
        row = page.locator(".rows > li").filter(has_text=OLD)
        await expect(row).to_contain_text("Superseded")
        await expect(page.get_by_role("button", name="Undo")).to_have_count(0)
        await page.goto(f"{url}/memories/browse")
        await expect(page.locator(".rows > li")).to_have_count(2)

        await page.goto(f"{url}/memories/evolution")
        await page.get_by_role("button", name="Evolve", exact=True).click()
        await page.wait_for_url(re.compile(r"/memories/evolution/op_"))
        await expect(page.locator("header .badge")).to_have_text("Done", timeout=INDEXED)
        await expect(row).to_contain_text("Superseded")
        await picture(page, pictures, "stack-evolution-run")
        report = page.url
        await row.get_by_role("link", name=OLD).click()
        await expect(page.locator("main")).to_contain_text("Something newer took its place")
        await page.get_by_role("link", name="See what holds now").click()
        await expect(page.locator(".memory-content")).to_have_text(NEW)
        await page.goto(f"{url}/memories/browse")
        await expect(page.locator(".rows > li")).to_have_count(1)

        await page.goto(report)
        await row.get_by_role("button", name="Undo").click()
        await expect(page.locator("#toasts")).to_contain_text("Undone.")
        await expect(row).to_contain_text("undone")
        await page.goto(f"{url}/memories/browse")
        await expect(page.locator(".rows > li")).to_have_count(2)


async def test_a_correction_is_undone_from_the_page_of_the_memory(visit: Visit, url: str) -> None:
    async with visit() as page:
        await register(page, url)
        operation = await send(page, url, "/memories?wait=true", {"content": OLD, "subject": "Ann"})
        (memory,) = operation["result"]["memory_ids"]
        await page.goto(f"{url}/memories/{memory}/correct")
        await page.get_by_label("What is remembered").fill(NEW)
        await page.get_by_role("button", name="Save").click()
        await expect(page.locator(".memory-content")).to_have_text(NEW)
        await page.get_by_role("button", name="Undo").click()
        await expect(page.locator("#toasts")).to_contain_text("Undone.")
        await expect(page.locator(".memory-content")).to_have_text(OLD)


async def test_settings_of_a_space_are_kept_and_nonsense_is_refused(visit: Visit, url: str) -> None:
    async with visit(expected=("422",)) as page:
        await register(page, url)
        await page.goto(f"{url}/memories/evolution")
        hours = page.get_by_label("Evolve every so many hours")
        await expect(hours).to_have_value("")
        await hours.fill("24")
        await page.get_by_label("Insights", exact=True).select_option("apply")
        await page.get_by_role("button", name="Save").click()
        await expect(page.locator("#toasts")).to_contain_text("Settings changed.")
        await expect(hours).to_have_value("24")
        await expect(page.get_by_label("Insights", exact=True)).to_have_value("apply")
        await hours.fill("")
        await page.get_by_role("button", name="Save").click()
        await expect(page.locator("#toasts")).to_contain_text("Settings changed.")
        await expect(hours).to_have_value("")

        for stage in ("Update", "Extend", "Derive", "Decay"):
            await page.get_by_role("checkbox", name=stage).uncheck()
        await page.get_by_role("button", name="Evolve", exact=True).click()
        await expect(page.get_by_role("alert")).to_contain_text("at least one stage")


async def test_a_proposal_is_accepted_and_another_declined(
    visit: Visit, url: str, pictures: Path | None
) -> None:
    said = {
        "Ann": [
            "Ann runs along the river every morning before work.",
            "Ann went running along the river again this morning.",
            "This morning before work Ann was running along the river.",
            "Ann goes running along the river in the morning.",
        ],
        "Ben": [
            "Ben bakes bread with rye flour every Saturday.",
            "On Saturday Ben was baking bread with rye flour again.",
            "Ben baked bread with rye flour this Saturday.",
            "Every Saturday Ben bakes a loaf of rye bread.",
        ],
    }
    async with visit() as page:
        await register(page, url)
        for subject, contents in said.items():
            for month, content in enumerate(contents, start=1):
                body = {"content": content, "subject": subject, "valid_from": f"2026-0{month}-02T08:00:00Z"}
                await send(page, url, "/memories?wait=true", body)
        await page.goto(f"{url}/memories/proposals")
        await expect(page.get_by_role("heading", name="Nothing waits for you")).to_be_visible()
        await send(page, url, "/memories/evolve?wait=true", {})
        await page.goto(f"{url}/memories/evolution")
        await expect(page.get_by_text("2 proposals wait for a decision")).to_be_visible()
        await page.get_by_role("link", name="Look at them").click()
        cards = page.locator(".result")
        await expect(cards).to_have_count(2)
        await picture(page, pictures, "stack-proposals")
        first = cards.first
        await first.get_by_text(re.compile(r"Rests on \d")).click()
        await expect(first.locator(".found a").first).to_be_visible()
        await first.get_by_role("button", name="Accept").click()
        await expect(page.locator("#toasts")).to_contain_text("Accepted.")
        await expect(cards).to_have_count(1)
        await cards.get_by_role("button", name="Decline").click()
        await expect(page.locator("#toasts")).to_contain_text("Declined.")
        await expect(page.get_by_role("heading", name="Nothing waits for you")).to_be_visible()
        await page.get_by_label("Status").select_option("accepted")
        await page.get_by_role("link", name="The memory that it became").click()
        await expect(page.locator("header .badge")).to_contain_text("Insight")
