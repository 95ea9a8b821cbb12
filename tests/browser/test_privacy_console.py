"""Exports and erasure on the whole running product: what a person does, in a real browser."""

import json
import re
import zipfile
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.browser.conftest import PASSWORD, Visit, csrf_token, register
from tests.browser.test_console import INDEXED, picture

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]


async def test_all_of_ones_own_data_comes_as_a_file(
    visit: Visit, url: str, tmp_path: Path, pictures: Path | None
) -> None:
    async with visit() as page:
        email = await register(page, url)
        await page.get_by_role("navigation", name="Main").get_by_role("link", name="Privacy").click()
        await expect(page.get_by_role("heading", name="No archives")).to_be_visible()
        await page.get_by_role("button", name="Export your data").click()
        await expect(page.locator("#toasts")).to_contain_text("The export has begun.")
        link = page.get_by_role("link", name="Download the archive of You")
        await expect(link).to_be_visible(timeout=INDEXED)
        await picture(page, pictures, "stack-privacy")
        async with page.expect_download() as download:
            await link.click()
        path = tmp_path / "mine.zip"
        await (await download.value).save_as(path)
        with zipfile.ZipFile(path) as archive:
            assert archive.testzip() is None
            assert any(email in archive.read(name).decode() for name in archive.namelist() if "users" in name)


async def test_a_member_is_erased_after_their_e_mail_is_typed_and_a_receipt_stays(
    visit: Visit, url: str, pictures: Path | None
) -> None:
    async with visit(expected=("422", "401")) as page:
        other = await register(page, url, organisation="Elsewhere")
        await page.context.clear_cookies()
        await register(page, url)
        added = await page.request.post(
            f"{url}/api/v1/members",
            data=json.dumps({"email": other, "role": "member"}),
            headers={"X-CSRF-Token": await csrf_token(page), "Content-Type": "application/json"},
        )
        assert added.status == 201, await added.text()
        await page.goto(f"{url}/settings/privacy")
        row = page.locator(".rows > li").filter(has_text=other)
        await row.get_by_role("link", name="Erase").click()
        field = page.get_by_label(f"To confirm, type {other}")
        await field.fill("yes")
        await page.get_by_role("button", name="Erase for good").click()
        await expect(page.get_by_role("alert")).to_contain_text(f"Type {other}")
        await field.fill(other.upper())
        await page.get_by_role("button", name="Erase for good").click()
        await expect(page.get_by_role("heading", name="It is being erased")).to_be_visible()

        await page.get_by_role("link", name="Show the receipt").click()
        await expect(page.locator("main")).to_contain_text(
            "the receipt is as it was written", timeout=INDEXED
        )
        await expect(page.locator("main")).to_contain_text("Memberships")
        await expect(page.get_by_role("heading", name="Kept")).to_be_visible()
        await picture(page, pictures, "stack-receipt")
        token = page.url.partition("token=")[2]
        await page.goto(f"{url}/settings/privacy")
        await expect(page.locator("main")).not_to_contain_text(other)
        await page.context.clear_cookies()
        await page.goto(f"{url}/receipt")
        await page.get_by_label("Token of the receipt").fill(token)
        await page.get_by_role("button", name="Show it").click()
        await expect(page.locator("main")).to_contain_text("the receipt is as it was written")


async def test_the_last_owner_is_told_what_to_do_and_the_organisation_goes_by_its_name(
    visit: Visit, url: str
) -> None:
    async with visit(expected=("422", "401")) as page:
        email = await register(page, url, organisation="Short Lived")
        await page.goto(f"{url}/settings/privacy")
        await page.get_by_role("link", name="Erase your data").click()
        await page.get_by_label("To confirm, type").fill(email)
        await page.get_by_role("button", name="Erase for good").click()
        await expect(page.get_by_role("alert")).to_contain_text("last owner")

        await page.goto(f"{url}/settings/privacy")
        await page.get_by_role("link", name="Erase the organisation").click()
        field = page.get_by_label("To confirm, type Short Lived")
        await field.fill("short lived")
        await page.get_by_role("button", name="Erase for good").click()
        await expect(page.get_by_role("alert")).to_contain_text("exactly as it is")
        await field.fill("Short Lived")
        await page.get_by_role("button", name="Erase for good").click()
        await page.get_by_role("link", name="Show the receipt").click()
        await expect(page.locator("main")).to_contain_text(
            "the receipt is as it was written", timeout=INDEXED
        )
        await page.goto(f"{url}/operations")
        await page.wait_for_url(re.compile("/login"))
        await page.get_by_label("E-mail").fill(email)
        await page.get_by_label("Password").fill(PASSWORD)
        await page.get_by_role("button", name="Log in").click()
        await expect(page.get_by_role("alert")).to_be_visible()
