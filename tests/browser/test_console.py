"""The console on the whole running product: what a person does, in a real browser."""

import base64
import filecmp
import json
import re
from pathlib import Path

import pytest
from playwright.async_api import Locator, Page, expect

from perdure.schemas.documents import Reason
from perdure.schemas.reasons import EXPLANATIONS
from tests.browser.conftest import NARROW, PASSWORD, Visit, csrf_token, register

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

SAMPLES = Path(__file__).parents[2] / "samples"
INDEXED = 60_000

# Files as a person would drop them: the browser builds them from what the test hands over.
DROP = """
(files) => {
  const transfer = new DataTransfer();
  for (const { name, type, base64 } of files) {
    const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
    transfer.items.add(new File([bytes], name, { type }));
  }
  for (const kind of ["dragenter", "dragover", "drop"]) {
    document.body.dispatchEvent(new DragEvent(kind, { dataTransfer: transfer, bubbles: true, cancelable: true }));
  }
}
"""


def row(page: Page, title: str | re.Pattern[str]) -> Locator:
    """The line of a document or operation in its list."""
    return page.locator(".rows > li").filter(
        has=page.get_by_role("link", name=title, exact=isinstance(title, str))
    )


async def picture(page: Page, pictures: Path | None, name: str) -> None:
    """Leave a screenshot, when asked for."""
    if pictures is not None:
        await page.screenshot(path=pictures / f"{name}.png")


async def upload(page: Page, *paths: Path) -> None:
    """Choose files with the button."""
    async with page.expect_file_chooser() as chooser:
        await page.get_by_role("button", name="Choose files").click()
    await (await chooser.value).set_files(list(paths))


async def start_batch(page: Page, url: str, count: int, name: str = "text") -> str:
    """Start a long operation by the API, as the session of the page; returns its id."""
    items = [
        {
            "text": f"{name} {number}. " + f"Passage {number} speaks of matter {number}. " * 60,
            "title": f"{name} {number}",
        }
        for number in range(count)
    ]
    answer = await page.request.post(
        f"{url}/api/v1/documents/batch",
        data=json.dumps({"items": items}),
        headers={"X-CSRF-Token": await csrf_token(page), "Content-Type": "application/json"},
    )
    assert answer.status == 202, await answer.text()
    return str((await answer.json())["id"])


async def test_from_the_first_visit_to_a_cited_answer(visit: Visit, url: str, pictures: Path | None) -> None:
    async with visit() as page:
        await page.goto(url)
        await page.wait_for_url(f"{url}/login*")
        await page.get_by_role("link", name="Create an account").click()
        await register(page, url)
        await expect(page.get_by_role("heading", name="No documents yet")).to_be_visible()

        files = [SAMPLES / "lease.pdf", SAMPLES / "minutes.md"]
        await page.evaluate(
            DROP,
            [
                {"name": path.name, "type": "", "base64": base64.b64encode(path.read_bytes()).decode()}
                for path in files
            ],
        )
        rows = page.locator(".rows > li")
        await expect(rows).to_have_count(2)
        for place in range(2):
            await expect(rows.nth(place).get_by_text("Indexed", exact=True)).to_be_visible(timeout=INDEXED)
        await expect(page.locator(".upload")).to_have_count(0)
        await picture(page, pictures, "stack-documents")

        await page.get_by_role("navigation", name="Main").get_by_role("link", name="Search").click()
        await page.get_by_label("Query").fill("How much notice must be given to end the lease?")
        await page.keyboard.press("Enter")
        first = page.locator(".result").first
        await expect(first.locator("mark").first).to_be_visible()
        marked = " ".join(await page.locator(".result mark").all_inner_texts()).lower()
        assert "lease" in marked or "notice" in marked
        await expect(first.locator(".facts")).to_contain_text(re.compile(r"page 1.*characters [\d,]+"))
        assert "q=How" in page.url
        await page.get_by_label("Explain the scores").check()
        await expect(first.locator(".terms")).to_be_visible()
        await picture(page, pictures, "stack-search")

        passage = (await first.locator(".passage-text").inner_text()).strip()
        await first.locator(".citation a").click()
        await page.wait_for_url(re.compile(r"/documents/doc_[0-9a-z]+\?passage=chk?_"))
        await expect(page.locator(".passage:target .passage-text")).to_have_text(passage, use_inner_text=True)
        await picture(page, pictures, "stack-document")


async def test_a_wrong_password_is_told_and_the_right_one_leads_back(visit: Visit, url: str) -> None:
    async with visit(expected=("401",)) as page:
        email = await register(page, url)
        await page.get_by_role("button", name="Log out").click()
        await page.wait_for_url(f"{url}/login*")
        await page.goto(f"{url}/search?q=lease")
        await page.wait_for_url(re.compile(r"/login\?next="))
        await page.get_by_label("E-mail").fill(email)
        await page.get_by_label("Password").fill("not the password")
        await page.get_by_role("button", name="Log in").click()
        await expect(page.get_by_role("alert")).to_contain_text("E-mail or password is wrong.")
        await expect(page.get_by_label("E-mail")).to_have_value(email)
        await page.get_by_label("Password").fill(PASSWORD)
        await page.get_by_role("button", name="Log in").click()
        await page.wait_for_url(f"{url}/search?q=lease")


async def test_a_second_account_with_the_same_e_mail_is_refused_beside_the_field(
    visit: Visit, url: str
) -> None:
    async with visit(expected=("422",)) as page:
        email = await register(page, url)
        await page.context.clear_cookies()
        await page.goto(f"{url}/register")
        for label, value in (
            ("Your name", "Eve"),
            ("Organisation", "Other"),
            ("E-mail", email),
            ("Password", PASSWORD),
        ):
            await page.get_by_label(label).fill(value)
        await page.get_by_role("button", name="Create account").click()
        await expect(page.locator("#email-fault")).to_contain_text("log in instead")
        assert await page.get_by_label("E-mail").get_attribute("aria-invalid") == "true"


async def test_broken_files_say_why_and_what_to_do(visit: Visit, url: str, pictures: Path | None) -> None:
    wanted = {
        "password-protected.pdf": Reason.PASSWORD_PROTECTED,
        "zip-bomb.docx": Reason.DECOMPRESSION_LIMIT,
        "empty.txt": Reason.EMPTY,
    }
    async with visit() as page:
        await register(page, url)
        await upload(page, *(SAMPLES / "broken" / name for name in wanted))
        for name, reason in wanted.items():
            stem = re.compile(re.escape(Path(name).stem))
            told = row(page, stem).locator(".row-reason")
            await expect(told).to_contain_text(EXPLANATIONS[reason].sentence, timeout=INDEXED)
            await expect(told).to_contain_text(EXPLANATIONS[reason].remedy)
        await picture(page, pictures, "stack-documents-broken")
        await page.get_by_label("Status").select_option("failed")
        await page.wait_for_url(re.compile(r"status=failed"))
        await expect(page.get_by_role("heading", name="All documents")).to_be_visible()
        await row(page, re.compile("password-protected")).get_by_role("link").click()
        await expect(page.get_by_role("alert")).to_contain_text(
            EXPLANATIONS[Reason.PASSWORD_PROTECTED].remedy
        )


async def test_an_operation_is_paused_resumed_and_cancelled_while_it_is_watched(
    visit: Visit, url: str, pictures: Path | None
) -> None:
    async with visit() as page:
        await register(page, url)
        operation = await start_batch(page, url, 1500)
        await page.goto(f"{url}/operations")
        line = page.locator(f"#row-{operation}")
        await expect(line.get_by_text("Running", exact=True)).to_be_visible(timeout=INDEXED)
        await picture(page, pictures, "stack-operations")

        await line.locator(".row-title a").click()
        state = page.locator("#operation-view header .badge")
        count = page.locator(".operation-progress [role=status]")
        await expect(count).to_contain_text(re.compile(r"^[1-9][\d,]* of 1,500 done"), timeout=INDEXED)
        await page.get_by_role("button", name="Pause").click()
        await expect(state).to_have_text("Paused", timeout=INDEXED)
        await expect(page.locator("#toasts")).to_contain_text("Paused.")
        await picture(page, pictures, "stack-operation-paused")
        await page.wait_for_timeout(2500)
        held = await count.inner_text()
        await page.wait_for_timeout(2500)
        assert await count.inner_text() == held

        await page.get_by_role("button", name="Resume").focus()
        await page.keyboard.press("Enter")
        await expect(state).to_have_text("Running")
        await expect(count).not_to_have_text(held, timeout=INDEXED)

        await page.get_by_role("button", name="Cancel", exact=True).click()
        dialog = page.get_by_role("dialog", name="Cancel this operation?")
        await dialog.get_by_role("button", name="Keep it").click()
        await expect(state).to_have_text("Running")
        await page.get_by_role("button", name="Cancel", exact=True).click()
        await dialog.get_by_role("button", name="Cancel the operation").click()
        await expect(state).to_have_text("Cancelled", timeout=INDEXED)
        await expect(page.get_by_role("button", name="Retry")).to_be_visible()
        assert await page.locator("[sse-connect]").count() == 0


async def test_a_page_that_is_open_sees_the_operation_end_without_a_reload(visit: Visit, url: str) -> None:
    async with visit() as page:
        await register(page, url)
        operation = await start_batch(page, url, 40)
        await page.goto(f"{url}/operations/{operation}")
        await page.evaluate("window.sameDocument = true")
        await expect(page.locator("#operation-view header .badge")).to_have_text("Completed", timeout=INDEXED)
        await expect(page.locator("#items")).to_contain_text("Indexed")
        await expect(page.locator(".step").first).to_be_visible()
        assert await page.evaluate("window.sameDocument") is True
        await page.locator("#items .chip").filter(has_text="Failed").click()
        await expect(page.locator("#items")).to_contain_text("No item of this operation has this status.")


async def test_an_api_key_is_shown_once_works_and_can_be_revoked(visit: Visit, url: str) -> None:
    async with visit() as page:
        await register(page, url)
        await page.goto(f"{url}/settings/api-keys")
        await expect(page.get_by_role("heading", name="No API keys yet")).to_be_visible()
        await page.get_by_label("Name").fill("nightly import")
        await page.get_by_role("button", name="Create key").click()
        key = await page.locator("#new-key").inner_text()
        assert re.fullmatch(r"pdr_[\w-]{20,}", key)
        await page.locator(".secret").get_by_role("button", name="Copy").click()
        await expect(page.locator("#toasts")).to_contain_text("Copied")
        assert await page.evaluate("navigator.clipboard.readText()") == key

        bearer = {"Authorization": f"Bearer {key}"}
        address = f"{url}/api/v1/documents"
        assert (await page.request.get(address, headers=bearer)).status == 200
        await page.goto(f"{url}/settings/api-keys")
        assert key not in await page.content()
        await page.get_by_role("button", name="Revoke nightly import").click()
        await page.get_by_role("button", name="Revoke the key").click()
        await expect(page.get_by_role("heading", name="No API keys yet")).to_be_visible()
        assert (await page.request.get(address, headers=bearer)).status == 401


async def test_a_document_is_deleted_after_a_question(visit: Visit, url: str) -> None:
    async with visit() as page:
        await register(page, url)
        await upload(page, SAMPLES / "suppliers.csv")
        line = page.locator(".rows > li")
        await expect(line.get_by_text("Indexed", exact=True)).to_be_visible(timeout=INDEXED)
        await line.get_by_role("link").click()
        await expect(page.locator(".passage").first).to_be_visible()
        async with page.expect_download() as download:
            await page.get_by_role("link", name="Download original").click()
        path = await (await download.value).path()
        assert filecmp.cmp(path, SAMPLES / "suppliers.csv", shallow=False)
        await page.get_by_role("button", name="Delete").click()
        await page.get_by_role("button", name="Delete the document").click()
        await page.wait_for_url(f"{url}/documents*")
        await expect(page.get_by_role("heading", name="No documents yet")).to_be_visible(timeout=INDEXED)


async def test_what_a_document_says_is_never_run(visit: Visit, url: str) -> None:
    hostile = "<img src=x onerror=alert(1)><script>alert(2)</script> \"'><svg onload=alert(3)> zebra"
    async with visit() as page:
        asked: list[str] = []
        page.on("dialog", lambda dialog: asked.append(dialog.message))
        await register(page, url, organisation=hostile)
        answer = await page.request.post(
            f"{url}/api/v1/documents",
            data=json.dumps({"text": hostile, "title": hostile, "metadata": {hostile: hostile}}),
            headers={"X-CSRF-Token": await csrf_token(page), "Content-Type": "application/json"},
        )
        assert answer.status == 202
        line = row(page, hostile)
        await expect(line.get_by_text("Indexed", exact=True)).to_be_visible(timeout=INDEXED)
        await line.get_by_role("link").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text(hostile)
        await page.goto(f"{url}/search?q=zebra")
        await expect(page.locator(".result")).to_contain_text("<img src=x")
        await page.goto(f"{url}/operations")
        await expect(page.locator(".row-title").first).to_contain_text("<script>")
        assert await page.locator("main img, main script").count() == 0
        assert asked == []


async def test_the_keyboard_alone_logs_in_and_searches(visit: Visit, url: str) -> None:
    async with visit() as page:
        email = await register(page, url)
        await page.context.clear_cookies()
        await page.goto(f"{url}/login")
        await expect(page.locator("input[name=email]")).to_be_focused()
        press = page.keyboard.press
        await page.keyboard.type(email)
        await press("Tab")
        await page.keyboard.type(PASSWORD)
        await press("Enter")
        await page.wait_for_url(f"{url}/operations")
        for _ in range(12):
            await press("Tab")
            if await page.evaluate("document.activeElement.textContent.trim()") == "Search":
                break
        await press("Enter")
        await page.wait_for_url(f"{url}/search")
        await expect(page.locator("input[name=q]")).to_be_focused()
        await page.keyboard.type("zebra")
        await press("Enter")
        await page.wait_for_url(re.compile(r"\?q=zebra"))
        await expect(page.get_by_role("heading", name="There is nothing to search yet")).to_be_visible()


async def test_every_page_fits_a_narrow_screen(visit: Visit, url: str, pictures: Path | None) -> None:
    async with visit(size=NARROW) as page:
        await register(page, url)
        operation = await start_batch(page, url, 2, name="an-unbroken-name-" * 6)
        await page.goto(f"{url}/documents")
        await expect(page.locator(".rows > li").first.get_by_text("Indexed", exact=True)).to_be_visible(
            timeout=INDEXED
        )
        document = str(await page.locator(".rows > li a").first.get_attribute("href"))
        paths = [
            "/operations",
            f"/operations/{operation}",
            "/documents",
            document,
            "/search?q=matter&explain=true",
        ]
        for path in [*paths, "/settings/members", "/settings/api-keys"]:
            await page.goto(f"{url}{path}")
            wide = await page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
            assert wide <= 0, path
            await picture(page, pictures, f"stack-narrow{path.split('?')[0].replace('/', '-')[:20]}")


async def test_an_unknown_id_is_a_page_that_leads_on(visit: Visit, url: str) -> None:
    async with visit(expected=("404",)) as page:
        await register(page, url)
        for path in (
            "/operations/op_00000000000000000000000000",
            "/documents/doc_00000000000000000000000000",
        ):
            answer = await page.goto(f"{url}{path}")
            assert answer is not None
            assert answer.status == 404
            await expect(page.get_by_role("heading", name="Not found")).to_be_visible()
            await expect(page.get_by_role("link", name="Back to the operations")).to_be_visible()


async def test_a_member_is_added_changed_and_removed(visit: Visit, url: str) -> None:
    async with visit(expected=("422",)) as page:
        other = await register(page, url, organisation="Elsewhere")
        await page.context.clear_cookies()
        await register(page, url)
        await page.goto(f"{url}/settings/members")
        await page.get_by_label("E-mail of their account").fill("nobody@example.com")
        await page.get_by_role("button", name="Add member").click()
        await expect(page.get_by_role("alert")).to_contain_text("register first")
        await page.get_by_label("E-mail of their account").fill(other)
        await page.get_by_role("button", name="Add member").click()
        line = page.get_by_role("row").filter(has_text=other)
        await expect(line.get_by_role("combobox")).to_have_value("member")
        await line.get_by_role("combobox").select_option("viewer")
        await expect(page.locator("#toasts")).to_contain_text("Role changed.")
        await expect(line.get_by_role("combobox")).to_have_value("viewer")
        await line.get_by_role("button", name="Remove").click()
        await page.get_by_role("dialog").get_by_role("button", name="Remove").click()
        await expect(line).to_have_count(0)


async def test_the_api_reference_works_under_the_content_security_policy(
    visit: Visit, url: str, pictures: Path | None
) -> None:
    async with visit() as page:
        elsewhere: list[str] = []
        page.on(
            "request",
            lambda request: elsewhere.append(request.url) if not request.url.startswith(url) else None,
        )
        await register(page, url)
        await page.goto(f"{url}/docs")
        await page.locator(".opblock-tag").filter(has_text="operations").first.click()
        await page.locator("#operations-list_operations_api_v1_operations_get, .opblock-get").first.click()
        await page.get_by_role("button", name="Try it out").click()
        await page.get_by_role("button", name="Execute").click()
        await expect(page.locator(".live-responses-table tbody .response-col_status").first).to_contain_text(
            "200"
        )
        await picture(page, pictures, "stack-reference")
        assert [address for address in elsewhere if not address.startswith(("data:", "blob:"))] == []


async def test_a_form_without_the_token_or_from_another_site_changes_nothing(visit: Visit, url: str) -> None:
    async with visit() as page:
        await register(page, url)
        await page.goto(f"{url}/settings/api-keys")
        token = await csrf_token(page)
        fields: dict[str, str | float | bool] = {"name": "stolen", "scopes": "documents:read"}
        attempts: list[tuple[dict[str, str | float | bool], dict[str, str]]] = [
            (fields, {}),
            ({**fields, "csrf_token": "guessed"}, {}),
            ({**fields, "csrf_token": token}, {"Origin": "https://elsewhere.example"}),
        ]
        for form, headers in attempts:
            answer = await page.request.post(f"{url}/settings/api-keys", form=form, headers=headers)
            assert answer.status == 403
        await page.reload()
        await expect(page.get_by_role("heading", name="No API keys yet")).to_be_visible()


async def test_static_files_are_kept_for_good_under_their_version_only(visit: Visit, url: str) -> None:
    async with visit() as page:
        await page.goto(f"{url}/login")
        sheet = str(await page.locator('link[rel="stylesheet"]').first.get_attribute("href"))
        versioned = await page.request.get(f"{url}{sheet}")
        plain = await page.request.get(f"{url}{sheet.partition('?')[0]}")
        assert "immutable" in versioned.headers["cache-control"]
        assert plain.headers["cache-control"] == "no-cache"
        pages = await page.request.get(f"{url}/login")
        assert pages.headers["cache-control"] == "no-store"
        assert "'unsafe-inline'" not in pages.headers["content-security-policy"]
