"""Classification in the console of the whole running product: what a person does, in a real browser."""

import re
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import NARROW, Visit, register
from tests.browser.test_console import picture

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

LABELS = """Invoice: asks for payment of something that was delivered
Complaint: is not content with what was delivered
Job application: somebody wants to work here"""
BILL = "Please pay the 1,200.00 EUR of our invoice INV-2026-0042 within thirty days."
LETTERS = [
    ("bill", BILL),
    ("broken", "The chairs that you sent us came without their legs. I want my money back."),
    ("work", "I would like to work for you as a carpenter; my curriculum vitae is attached."),
    ("nothing", ""),
]


def lines_of(path: Path) -> list[str]:
    return path.read_text().splitlines()


async def create_workflow(page: Page, url: str, name: str, percent: str) -> str:
    """A workflow by the form; returns its id."""
    await page.goto(f"{url}/classification/workflows/new")
    await page.get_by_label("Name", exact=True).fill(name)
    await page.get_by_label("Labels, one per line").fill(LABELS)
    await page.get_by_label("Decided automatically").select_option("threshold")
    await page.get_by_label("Per cent").fill(percent)
    await page.get_by_role("button", name="Create the workflow").click()
    await page.wait_for_url(re.compile(r"/classification/workflows/clw_"))
    return page.url.rpartition("/")[2].partition("?")[0]


async def test_from_a_first_text_to_a_decision_that_a_workflow_learns_from(
    visit: Visit, url: str, pictures: Path | None
) -> None:
    async with visit() as page:
        await register(page, url)
        await page.get_by_role("navigation", name="Main").get_by_role("link", name="Classify").click()
        await page.get_by_label("Text", exact=True).fill(BILL)
        await page.get_by_label("Labels, one per line").fill(LABELS)
        await page.get_by_text("Amounts, dates, addresses").click()
        await page.get_by_role("button", name="Classify").click()
        answer = page.locator("#answer")
        await expect(answer.get_by_role("heading", name="Invoice")).to_be_visible()
        await expect(answer.locator(".entity", has_text="1,200.00 EUR")).to_be_visible()
        await expect(answer.get_by_role("list", name="Alternatives")).to_contain_text("Complaint")
        await expect(page.get_by_label("Text", exact=True)).to_have_value(BILL)
        await expect(page.get_by_label("Labels, one per line")).to_have_value(LABELS)
        await expect(answer.get_by_role("heading", name="Invoice")).to_be_in_viewport()
        await picture(page, pictures, "stack-classify")

        # A workflow that is never sure enough sends everything to a person.
        workflow = await create_workflow(page, url, "Incoming mail", "100")
        await page.get_by_role("link", name="Classify with it").click()
        await page.get_by_label("Text", exact=True).fill(BILL)
        await page.get_by_role("button", name="Classify").click()
        await answer.get_by_role("link", name="Decide it").click()
        await page.wait_for_url(re.compile(r"/review$"))
        await page.keyboard.press("ArrowDown")
        await expect(page.get_by_role("button", name="Invoice")).not_to_be_focused()
        await page.keyboard.press("ArrowUp")
        await expect(page.get_by_role("button", name="Invoice")).to_be_focused()
        await picture(page, pictures, "stack-review")
        await page.keyboard.press("1")
        await expect(page.locator("#toasts")).to_contain_text("Decided.")
        await expect(page.get_by_role("heading", name="Invoice").first).to_be_visible()
        await page.goto(f"{url}/classification/review")
        await expect(page.get_by_role("heading", name="Nothing waits for a person")).to_be_visible()

        await page.goto(f"{url}/classification/workflows/{workflow}/edit")
        await page.get_by_label("Per cent").fill("40")
        await page.get_by_label("What is different, and why").fill("Sure enough from 40 % on")
        await page.get_by_role("button", name="Make the version").click()
        second = page.locator("#version-2")
        await expect(second).to_contain_text("Sure enough from 40 % on")
        await second.get_by_role("button", name="Activate").click()
        await expect(second).to_contain_text("Active")
        await page.get_by_role("link", name="Quality").click()
        await expect(page.get_by_role("heading", name="Quality")).to_be_visible()
        await picture(page, pictures, "stack-quality")


async def test_a_file_of_texts_becomes_a_batch_whose_results_are_filtered_and_taken_along(
    visit: Visit, url: str, tmp_path: Path, pictures: Path | None
) -> None:
    file = tmp_path / "letters.csv"
    file.write_text("external_id,text\n" + "".join(f'{name},"{text}"\n' for name, text in LETTERS))
    async with visit(NARROW) as page:
        await register(page, url)
        await create_workflow(page, url, "Letters", "1")
        await page.goto(f"{url}/classification/batches")
        await page.get_by_label("A file of texts").set_input_files(file)
        await page.get_by_label("Workflow").select_option("Letters")
        await page.get_by_role("button", name="Start the batch").click()
        await page.wait_for_url(re.compile(r"/classification/batches/op_"))
        figures = page.locator(".figures")
        await expect(figures).to_contain_text("Decided automatically", timeout=60_000)
        await expect(figures).to_contain_text("75 %")
        results = page.locator("#results")
        await expect(results.locator("tbody tr")).to_have_count(4)
        await expect(results).to_contain_text("There is no text.")
        await picture(page, pictures, "stack-batch")
        async with page.expect_download() as started:
            await page.get_by_role("link", name="CSV").click()
        lines = lines_of(await (await started.value).path())
        assert len(lines) == 5
        assert "Job application" in next(line for line in lines if ",work," in line)

        await page.get_by_label("Status").select_option("Failed")
        await expect(results.locator("tbody tr")).to_have_count(1)
        await expect(results).to_contain_text("nothing")
