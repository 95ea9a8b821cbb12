"""Document workflows in the console of the whole running product: what a person does, in a real browser."""

import re
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import NARROW, Visit, register
from tests.browser.test_console import picture

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

LETTERS = """name: Letters
steps:
- id: sort
  type: transform
  with:
    set: {kind: '"letter"'}
- id: rest
  type: wait
  needs: [sort]
  with: {for: 2 days}
"""
LACKING = """name: Sums
steps:
- id: sum
  type: transform
  with:
    set: {total: input.net + 1}
"""
ENDED = 60_000


async def write(page: Page, text: str) -> None:
    await page.get_by_role("textbox", name="The definition as").fill(text)


async def create(page: Page, url: str, text: str) -> str:
    """A workflow by its text; returns its address."""
    await page.goto(f"{url}/workflows/new")
    await write(page, text)
    await page.get_by_role("button", name="Create the workflow").click()
    await page.wait_for_url(re.compile(r"/workflows/dwf_\w+"))
    return page.url.partition("?")[0]


async def test_a_definition_is_written_mended_changed_compared_and_shared(
    visit: Visit, url: str, pictures: Path | None
) -> None:
    async with visit(expected=("422",)) as page:
        await register(page, url)
        await page.get_by_role("navigation", name="Main").get_by_role("link", name="Workflows").click()
        await page.get_by_role("main").get_by_role("link", name="New workflow").first.click()
        preview = page.locator("#workflow-preview")
        await expect(preview.get_by_role("status")).to_contain_text("2 steps")

        # While somebody writes, faults stand beside the text, and each leads to its line.
        await write(page, LETTERS.replace("needs: [sort]", "needs: [sort, nobody]"))
        await expect(preview.get_by_role("status")).to_have_text("1 fault")
        await expect(preview.locator(".diagram")).to_contain_text("rest")
        await preview.get_by_role("button", name="Line 9").press("Enter")
        text = page.get_by_role("textbox", name="The definition as")
        await expect(text).to_be_focused()
        chosen = await text.evaluate("e => e.value.slice(e.selectionStart, e.selectionEnd)")
        assert "nobody" in chosen
        await expect(page.locator(".editor-lines .is-faulty")).to_have_text("9")
        await page.get_by_role("button", name="Create the workflow").click()
        await expect(page.get_by_role("alert")).to_contain_text("not saved")
        await picture(page, pictures, "stack-workflow-faults")

        await write(page, LETTERS)
        await page.get_by_role("button", name="As JSON").click()
        await expect(text).to_have_value(re.compile(r'^\{\n  "name": "Letters"'))
        await page.get_by_role("button", name="Create the workflow").click()
        await page.wait_for_url(re.compile(r"/workflows/dwf_\w+"))
        address = page.url.partition("?")[0]
        await expect(page.locator(".diagram")).to_contain_text("sort")

        await page.get_by_role("link", name="New version").click()
        await write(page, LETTERS.replace("2 days", "3 days"))
        await page.get_by_label("What is different, and why").fill("A day longer")
        await page.get_by_role("button", name="Make the version").click()
        await expect(page.locator("#version-2")).to_contain_text("A day longer")
        await page.locator("#version-2").get_by_role("link", name="What changed").click()
        await expect(page.locator(".change")).to_have_count(1)
        await expect(page.locator(".change .is")).to_contain_text("3 days")

        await page.goto(address)
        await page.get_by_role("button", name="Make a link").click()
        link = await page.locator("#share code").get_attribute("title")
        await page.goto(f"{url}/workflows/import")
        await page.get_by_label("Link", exact=True).fill(str(link))
        await page.get_by_label(re.compile("^Name")).fill("Letters of others")
        await page.get_by_role("button", name="Import it").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("Letters of others")


async def test_an_execution_is_seen_and_steered_without_a_reload(
    visit: Visit, url: str, pictures: Path | None
) -> None:
    async with visit(NARROW) as page:
        await register(page, url)
        await create(page, url, LETTERS)
        await page.get_by_role("link", name="Execute", exact=True).click()
        await page.get_by_role("button", name="Execute it").click()
        await page.wait_for_url(re.compile(r"/workflows/executions/exe_"))
        await page.evaluate("window.sameDocument = true")
        rest = page.locator("#step-rest .badge")
        await expect(rest).to_have_text("Waiting", timeout=ENDED)
        await expect(page.locator("#step-sort .badge")).to_have_text("Completed")
        await expect(page.locator(".diagram .waiting")).to_have_count(1)
        await picture(page, pictures, "stack-execution")

        state = page.locator("#execution-view header .badge")
        await page.get_by_role("button", name="Pause").click()
        await expect(state).to_have_text("Paused", timeout=ENDED)
        await page.get_by_role("button", name="Resume").click()
        await expect(state).to_have_text("Running", timeout=ENDED)
        await page.get_by_role("button", name="Cancel", exact=True).click()
        await page.get_by_role("button", name="Cancel the execution").click()
        await expect(state).to_have_text("Cancelled", timeout=ENDED)
        assert await page.evaluate("window.sameDocument") is True


async def test_a_failed_step_says_why_and_can_be_tried_again(
    visit: Visit, url: str, pictures: Path | None
) -> None:
    async with visit() as page:
        await register(page, url)
        await create(page, url, LACKING)
        await page.get_by_role("link", name="Execute", exact=True).click()
        await page.get_by_role("button", name="Execute it").click()
        await page.wait_for_url(re.compile(r"/workflows/executions/exe_"))
        step = page.locator("#step-sum")
        await expect(step.locator(".badge")).to_have_text("Failed", timeout=ENDED)
        await expect(step.get_by_role("alert")).to_be_visible()
        await picture(page, pictures, "stack-execution-failed")
        await step.get_by_role("button", name="Retry this step").click()
        await expect(page.locator("#execution-view header")).to_contain_text("attempt 2", timeout=ENDED)
        await page.goto(f"{url}/workflows/executions")
        await expect(page.locator(".rows li")).to_have_count(1)
