"""Secrets on the whole running product: what an admin does with them, by keyboard, on a small screen."""

from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import NARROW, Visit, register
from tests.browser.test_console import picture
from tests.browser.test_layout import faults

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

VALUE = "Bearer crm-0123456789abcdef-WXYZ"


async def fill(page: Page, origin: str) -> None:
    """The form, from its first field to its button, without a pointer."""
    await page.get_by_label("Name").focus()
    for text in ("crm", origin, VALUE):
        await page.keyboard.press("ControlOrMeta+A")
        await page.keyboard.type(text)
        await page.keyboard.press("Tab")
    await expect(page.get_by_role("button", name="Add secret")).to_be_focused()
    await page.keyboard.press("Enter")


async def test_a_secret_is_reached_from_the_editor_and_kept_by_keyboard(
    visit: Visit, url: str, pictures: Path | None
) -> None:
    async with visit(NARROW, expected=("422",)) as page:
        await register(page, url)
        await page.goto(f"{url}/workflows/new")
        async with page.context.expect_page() as opened:
            await page.get_by_role("link", name="secrets").press("Enter")
        await (await opened.value).close()
        await page.goto(f"{url}/settings/secrets")
        await expect(page.get_by_role("heading", name="No secrets yet")).to_be_visible()

        await fill(page, "crm.example.com")
        await expect(page.get_by_role("alert")).to_contain_text("Only http and https")
        await expect(page.get_by_label("Name")).to_have_value("crm")
        await expect(page.get_by_label("Value", exact=True)).to_have_value("")
        await fill(page, "https://crm.example.com")
        toasts, row = page.locator("#toasts"), page.get_by_role("row").filter(has_text="crm")
        await expect(toasts).to_contain_text("Added.")
        for shown in ("https://crm.example.com", "…WXYZ", "added by Ada Lovelace"):
            await expect(row).to_contain_text(shown)
        assert VALUE not in await page.content()
        assert await faults(page) == {}
        await picture(page, pictures, "stack-secrets")

        await page.get_by_text("Replace the value of crm").focus()
        await page.keyboard.press("Enter")
        await page.keyboard.press("Tab")
        await page.keyboard.type("Bearer another-one-9876")
        await page.keyboard.press("Enter")
        await expect(toasts).to_contain_text("Replaced.")
        await expect(row).to_contain_text("…9876")

        await page.get_by_role("button", name="Revoke crm").press("Enter")
        await page.get_by_role("button", name="Revoke the secret").press("Enter")
        await expect(toasts).to_contain_text("Revoked.")
        await expect(page.get_by_role("heading", name="No secrets yet")).to_be_visible()
