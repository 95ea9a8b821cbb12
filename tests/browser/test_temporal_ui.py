"""The Temporal UI beside the console: it shows payloads to whoever is logged in there."""

import re

import pytest
from playwright.async_api import Locator, Page, expect

from tests.browser.conftest import Visit, csrf_token, register

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

SUMMARY = "Ingest a document"
# What the UI says of payloads that it was not shown, and of reading its own.
REFUSED = ("401", "403", "Could not parse payload", "SyntaxError")


def visible(page: Page, text: str) -> Locator:
    """The first of the places that say so and can be seen."""
    return page.get_by_text(text).locator("visible=true").first


async def ingest(page: Page, url: str) -> str:
    """Ingest a text as the session of the page; where the Temporal UI shows the operation."""
    headers = {"X-CSRF-Token": await csrf_token(page)}
    answer = await page.request.post(
        f"{url}/api/v1/documents", data={"text": "The pump was repaired."}, headers=headers
    )
    operation = await answer.json()
    while operation["status"] not in {"completed", "failed"}:
        operation = await (await page.request.get(f"{url}/api/v1/operations/{operation['id']}")).json()
    return str(operation["temporal_ui_url"])


async def decode_with_the_session(page: Page, endpoint: str) -> None:
    """What an operator does once in each browser."""
    await page.get_by_test_id(re.compile("data-encoder-status")).click()
    await visible(page, "Use Cluster-level setting, where available").click()
    await page.get_by_text("Use my browser setting and ignore Cluster-level setting").click()
    await page.get_by_placeholder("Paste your endpoint here").fill(endpoint)
    # By the keyboard: the UI's own bar lies over them.
    await page.locator("#pass-access-credentials").focus()
    await page.keyboard.press("Space")
    await page.get_by_role("button", name="Apply").focus()
    await page.keyboard.press("Enter")


async def test_payloads_are_readable_for_whoever_is_logged_in_to_the_console(visit: Visit, url: str) -> None:
    async with visit(expected=REFUSED) as page:
        await register(page, url)
        history = await ingest(page, url)
        await page.goto(history)
        await expect(visible(page, "Codec Server could not connect")).to_be_visible()
        assert SUMMARY not in await page.inner_text("body")
        await decode_with_the_session(page, f"{url}/codec")
        await page.goto(history)
        await expect(visible(page, SUMMARY)).to_be_visible()

        await page.context.clear_cookies()
        await page.goto(history)
        await expect(visible(page, "Codec Server could not connect")).to_be_visible()
        assert SUMMARY not in await page.inner_text("body")
