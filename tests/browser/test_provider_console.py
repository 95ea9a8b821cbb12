"""Providers, routing and usage on the whole running product: what a person does, in a real browser."""

from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import Visit, register
from tests.browser.test_console import picture

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

VALUE = "sk-test-0123456789abcdef-WXYZ"


async def add_key(page: Page, name: str) -> None:
    """A key at a server that nobody runs."""
    await page.get_by_label("Provider", exact=True).select_option("openai_compatible")
    await page.get_by_label("Name").fill(name)
    await page.get_by_label("Key", exact=True).fill(VALUE)
    await page.get_by_label("Model").fill("llama")
    await page.get_by_role("button", name="Add key").click()


async def test_a_key_is_brought_tested_routed_and_revoked(
    visit: Visit, url: str, pictures: Path | None
) -> None:
    async with visit(expected=("422",)) as page:
        await register(page, url)
        main, toasts = page.locator("main"), page.locator("#toasts")
        navigation = page.get_by_role("navigation", name="Main")
        await navigation.get_by_role("link", name="Providers").click()
        built_in = page.locator(".rows > li").filter(has_text="Sentences of your sources")
        await expect(built_in).to_contain_text("Built in")
        await expect(main).to_contain_text("let the operator set ANTHROPIC_API_KEY")

        await add_key(page, "Own server")
        await expect(page.get_by_role("alert")).to_contain_text("say where it is")
        await expect(page.get_by_label("Name")).to_have_value("Own server")
        await expect(page.get_by_label("Key", exact=True)).to_have_value("")
        await page.get_by_label("Address").fill("http://127.0.0.1:11434/v1")
        await add_key(page, "Own server")
        await expect(page.get_by_role("alert")).to_contain_text("PERDURE_PROVIDER_PRIVATE_URLS")
        await page.get_by_label("Address").fill("https://models.invalid/v1")
        await add_key(page, "Own server")
        await expect(toasts).to_contain_text("Key added.")
        await expect(page.get_by_role("row").filter(has_text="Own server")).to_contain_text("…WXYZ")
        assert VALUE not in await page.content()

        await page.get_by_role("button", name="Test Own server").click()
        await expect(page.get_by_role("alert")).to_contain_text("“Own server” does not work: unavailable")
        await expect(page.get_by_role("row").filter(has_text="Own server")).to_contain_text("Unavailable")
        await picture(page, pictures, "stack-providers")

        await navigation.get_by_role("link", name="Routing").click()
        text = page.get_by_role("region", name="Text", exact=True)
        names = text.locator("ol .row-title")
        await expect(names).to_contain_text(["Own server", "Sentences of your sources"])
        await expect(text).to_contain_text("Default")
        down = text.get_by_role("button", name="Move down: Own server")
        await down.focus()
        await page.keyboard.press("Enter")
        await expect(names).to_contain_text(["Sentences of your sources", "Own server"])
        await expect(down).to_be_focused()
        await expect(text.get_by_role("status")).to_have_text("Now number 2 of 2.")
        await text.get_by_role("radio", name="Cheapest first").check()
        await expect(text.get_by_role("status")).to_have_text("Strategy changed.")
        await text.get_by_role("button", name="Add").click()
        await expect(toasts).to_contain_text("It is in the list already")
        await picture(page, pictures, "stack-routing")
        await text.get_by_role("button", name="Take out: Own server").click()
        await expect(names).to_have_count(1)
        await page.reload()
        await expect(text.get_by_role("radio", name="Cheapest first")).to_be_checked()
        await text.get_by_role("button", name="Back to the default").click()
        await expect(names).to_have_count(2)

        await navigation.get_by_role("link", name="Providers").click()
        await page.get_by_role("button", name="Revoke Own server").click()
        await page.get_by_role("button", name="Revoke the key").click()
        await expect(toasts).to_contain_text("The key is revoked.")
        await expect(page.get_by_role("heading", name="No keys yet")).to_be_visible()


async def test_usage_is_drawn_and_a_budget_is_set_and_told_of(
    visit: Visit, url: str, pictures: Path | None
) -> None:
    async with visit(expected=("422",)) as page:
        await register(page, url)
        await page.goto(f"{url}/settings/usage")
        await expect(page.get_by_role("heading", name="No calls in the last 30 days")).to_be_visible()
        await page.goto(f"{url}/settings/providers")
        await page.get_by_label("Address").fill("https://models.invalid/v1")
        await add_key(page, "Own server")
        await page.get_by_role("button", name="Test Own server").click()
        await expect(page.get_by_role("alert")).to_contain_text("does not work")

        await page.goto(f"{url}/settings/usage")
        await expect(page.get_by_role("img", name="Calls by day")).to_be_visible()
        await page.locator("select[name=group_by]").select_option("model")
        await expect(page.get_by_role("img", name="Calls by model")).to_be_visible()
        row = page.get_by_role("row").filter(has_text="openai_compatible/llama")
        await expect(row).to_contain_text("1 failed")

        soft, hard = page.get_by_label("Tell me at"), page.get_by_label("Stop at")
        await soft.fill("5")
        await hard.fill("2")
        await page.get_by_role("button", name="Save").click()
        await expect(page.get_by_role("alert")).to_contain_text("above the hard one")
        await soft.fill("")
        await hard.fill("0")
        await page.get_by_role("button", name="Save").click()
        await expect(page.locator("#toasts")).to_contain_text("Budget changed.")
        await expect(page.get_by_role("alert")).to_contain_text("is used up")
        await picture(page, pictures, "stack-usage")
        for path in ("/settings/providers", "/operations"):
            await page.goto(f"{url}{path}")
            await expect(page.get_by_role("alert")).to_contain_text("is used up")
