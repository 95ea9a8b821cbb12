"""The memory explorer on the whole running product: what a person does, in a real browser."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import NARROW, Visit, csrf_token, register
from tests.browser.test_console import INDEXED, SAMPLES, picture, upload

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

TALK = [
    ("Ann", "I moved to Lisbon in March, to a flat above a bakery."),
    ("Ben", "How is the bakery?"),
    ("Ann", "They bake at four in the morning, and the smell wakes me."),
    ("Ben", "I would rather have a flat above a tea shop."),
]


async def send(page: Page, url: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """Call the API as the session of the page."""
    answer = await page.request.post(
        f"{url}/api/v1{path}",
        data=json.dumps(body),
        headers={"X-CSRF-Token": await csrf_token(page), "Content-Type": "application/json"},
    )
    assert answer.ok, await answer.text()
    answered: dict[str, Any] = await answer.json()
    return answered


async def talk(page: Page, url: str) -> dict[str, Any]:
    """Remember a conversation."""
    messages = [
        {"speaker": speaker, "content": content, "created_at": f"2026-03-2{place}T09:00:00Z"}
        for place, (speaker, content) in enumerate(TALK)
    ]
    body = {"messages": messages, "subject": "Ann", "session_id": "monday"}
    return await send(page, url, "/memories?wait=true", body)


async def remember(page: Page, url: str, content: str, about: str = "Ann") -> None:
    """Remember a statement by the form; it leads to the memory."""
    await page.goto(f"{url}/memories/new")
    await page.get_by_label("What is to be remembered").fill(content)
    await page.get_by_label("About").fill(about)
    await page.get_by_role("button", name="Remember").click()
    await page.wait_for_url(re.compile(r"/memories/mem_"))


async def ask(page: Page, url: str, question: str) -> None:
    """Ask on the page for it."""
    await page.goto(f"{url}/memories")
    await page.get_by_label("Question").fill(question)
    await page.keyboard.press("Enter")


async def test_from_a_first_statement_to_its_correction_and_its_end(
    visit: Visit, url: str, pictures: Path | None
) -> None:
    async with visit() as page:
        await register(page, url)
        await page.get_by_role("navigation", name="Main").get_by_role("link", name="Memories").click()
        await expect(page.get_by_role("heading", name="Nothing is remembered yet")).to_be_visible()
        await page.get_by_role("link", name="Remember something").first.click()
        await page.get_by_label("What is to be remembered").fill("Ann moved to Porto in March.")
        await page.get_by_label("About").fill("Ann")
        await page.get_by_role("button", name="Remember").click()
        await page.wait_for_url(re.compile(r"/memories/mem_"))
        await expect(page.locator("#toasts")).to_contain_text("Remembered.")
        await expect(page.locator(".memory-content")).to_have_text("Ann moved to Porto in March.")

        await ask(page, url, "Where does Ann live?")
        first = page.locator(".result").first
        await expect(first).to_contain_text("Ann moved to Porto in March.")
        await first.get_by_text("How the score came about").click()
        parts = first.locator(".parts")
        await expect(parts).to_contain_text("Meaning")
        values = [float(text.split()[0]) for text in await parts.locator("dd:last-child").all_inner_texts()]
        total = float((await first.locator(".score").inner_text()).split()[-1])
        assert values == sorted(values, reverse=True)
        assert sum(values) == pytest.approx(total, abs=0.0005 * (len(values) + 5))
        await picture(page, pictures, "stack-memories-ask")

        await first.locator(".memory-said a").click()
        await page.get_by_role("link", name="Correct").click()
        await page.get_by_label("What is remembered").fill("Ann moved to Lisbon in March.")
        await page.get_by_label("Why").fill("She said Porto first")
        await page.get_by_role("button", name="Save").click()
        await expect(page.locator("#toasts")).to_contain_text("Corrected.")
        await expect(page.locator(".memory-content")).to_have_text("Ann moved to Lisbon in March.")
        newest, oldest = page.locator("#version-2"), page.locator("#version-1")
        await expect(newest).to_contain_text("changed: content")
        await expect(newest).to_contain_text("by Ada Lovelace")
        await expect(newest).to_contain_text("She said Porto first")
        await expect(oldest).to_contain_text("Ann moved to Porto in March.")
        await picture(page, pictures, "stack-memory")

        await page.get_by_role("button", name="No longer true").click()
        await page.get_by_role("dialog").get_by_role("button", name="Say so").click()
        await expect(page.locator("header .badge", has_text="No longer true")).to_be_visible()
        await expect(page.locator("#version-3")).to_contain_text("changed: true until")
        await page.goto(f"{url}/memories?q=Where+does+Ann+live%3F&as_of=2036-01-01T00:00")
        await expect(page.get_by_role("heading", name="No memory fits these conditions")).to_be_visible()


async def test_a_correction_that_came_too_late_is_told_and_loses_nothing(visit: Visit, url: str) -> None:
    async with visit(expected=("422",)) as page:
        await register(page, url)
        await remember(page, url, "The rehearsal is on Tuesday.", "Choir")
        await page.get_by_role("link", name="Correct").click()
        memory = page.url.rpartition("/memories/")[2].partition("/")[0]
        answer = await page.request.patch(
            f"{url}/api/v1/memories/{memory}",
            data=json.dumps({"content": "The rehearsal is on Monday."}),
            headers={"X-CSRF-Token": await csrf_token(page), "Content-Type": "application/json"},
        )
        assert answer.ok
        await page.get_by_label("What is remembered").fill("The rehearsal is on Friday.")
        await page.get_by_role("button", name="Save").click()
        await expect(page.get_by_role("alert")).to_contain_text("is at version 2 now")
        await expect(page.get_by_label("What is remembered")).to_have_value("The rehearsal is on Friday.")


async def test_a_conversation_is_browsed_and_its_turns_lead_to_each_other(
    visit: Visit, url: str, pictures: Path | None
) -> None:
    async with visit() as page:
        await register(page, url)
        await talk(page, url)
        await page.goto(f"{url}/memories/browse")
        rows = page.locator(".rows > li")
        await expect(rows).to_have_count(len(TALK))
        await page.get_by_label("Kind").select_option("fact")
        await expect(page.get_by_role("heading", name="Nothing matches these filters")).to_be_visible()
        await page.get_by_role("link", name="Show all memories").click()
        await page.get_by_role("link", name=TALK[2][1]).click()

        await expect(page.locator(".relations > li")).to_have_count(2)
        await expect(page.locator(".relations")).to_contain_text("Follows")
        await expect(page.locator(".relations")).to_contain_text("Followed by")
        nodes = page.locator(".graph a")
        await expect(nodes).to_have_count(2)
        await picture(page, pictures, "stack-memory-related")
        before = nodes.filter(has_text="Follows").first
        await before.focus()
        assert await page.evaluate("document.activeElement.tagName") == "a"
        await page.keyboard.press("Enter")
        await expect(page.locator(".memory-content")).to_have_text(TALK[1][1])
        await page.get_by_role("link", name="the whole conversation").click()
        await expect(rows).to_have_count(len(TALK))


async def test_questions_of_a_session_are_kept_and_what_was_known_then_is_answered(
    visit: Visit, url: str
) -> None:
    async with visit() as page:
        await register(page, url)
        await talk(page, url)
        await page.goto(f"{url}/memories")
        await page.get_by_text("Subject, points in time, session").click()
        await page.get_by_label("Session").fill("my session")
        await page.get_by_label("Question").fill("What does Ann smell in the morning?")
        await page.keyboard.press("Enter")
        await expect(page.locator(".result").first).to_contain_text("smell")
        await page.reload()
        await page.get_by_role("link", name="See all of this session").click()
        await expect(page.locator(".result").first).to_contain_text("What does Ann smell in the morning?")
        await expect(page.locator(".found").first).to_contain_text("the smell wakes me")

        await page.goto(f"{url}/memories?q=bakery&known_at=2020-01-01T00:00")
        await expect(page.get_by_role("heading", name="No memory fits these conditions")).to_be_visible()
        await page.goto(f"{url}/memories?q=bakery&as_of=0001-01-01T00:00")
        await expect(page.get_by_role("alert")).to_contain_text("As of")


async def test_a_subject_is_forgotten_after_a_look_at_what_would_go(
    visit: Visit, url: str, pictures: Path | None
) -> None:
    async with visit(expected=("422",)) as page:
        await register(page, url)
        await talk(page, url)
        await remember(page, url, "The rehearsal is on Tuesday.", "Choir")
        await page.goto(f"{url}/memories/forget")
        await page.get_by_label("Name, question, text or ids").fill("Ann")
        await page.get_by_role("button", name="Show what would go").click()
        preview = page.locator("#preview")
        await expect(preview).to_contain_text("4 memories")
        await expect(preview).to_contain_text(TALK[0][1])
        await expect(preview).not_to_contain_text("rehearsal")
        await picture(page, pictures, "stack-memories-forget")
        await page.get_by_role("button", name="Forget for good").click()
        dialog = page.get_by_role("dialog", name="Forget 4 memories for good?")
        await dialog.get_by_role("button", name="Keep it").click()
        await expect(preview).to_be_visible()
        await page.get_by_role("button", name="Forget for good").click()
        await dialog.get_by_role("button", name="Forget for good").click()
        await expect(page.get_by_role("heading", name="Forgotten")).to_be_visible(timeout=INDEXED)
        await expect(page.locator("main")).to_contain_text("4 memories are gone")
        await picture(page, pictures, "stack-memories-receipt")
        await page.goto(f"{url}/memories/browse")
        await expect(page.locator(".rows > li")).to_have_count(1)

        await page.goto(f"{url}/memories/new")
        await page.get_by_label("What is to be remembered").fill(TALK[0][1])
        await page.get_by_label("About").fill("Ann")
        await page.get_by_role("button", name="Remember").click()
        await expect(page.locator("#toasts")).to_contain_text("not remembered again")


async def test_of_what_a_question_finds_exactly_what_was_shown_goes(visit: Visit, url: str) -> None:
    async with visit() as page:
        await register(page, url)
        await remember(page, url, "The rehearsal is on Tuesday.", "Choir")
        await page.goto(f"{url}/memories/forget")
        await page.get_by_text("What answers a question").click()
        await page.get_by_label("Name, question, text or ids").fill("When is the rehearsal?")
        await page.get_by_role("button", name="Show what would go").click()
        await expect(page.locator("#preview .rows > li")).to_have_count(1)
        body = {"content": "The rehearsal was moved to Friday.", "subject": "Choir"}
        await send(page, url, "/memories?wait=true", body)
        await page.get_by_role("button", name="Forget for good").click()
        await page.get_by_role("dialog").get_by_role("button", name="Forget for good").click()
        await expect(page.locator("main")).to_contain_text("1 memory is gone", timeout=INDEXED)
        await page.goto(f"{url}/memories/browse")
        await expect(page.locator(".rows > li")).to_contain_text("moved to Friday")


async def test_one_memory_is_forgotten_from_its_page(visit: Visit, url: str) -> None:
    async with visit() as page:
        await register(page, url)
        await remember(page, url, "Ann's door code is 4711.")
        await page.get_by_role("button", name="Forget").click()
        await page.get_by_role("dialog").get_by_role("button", name="Forget it").click()
        await expect(page.locator("main")).to_contain_text("1 memory is gone", timeout=INDEXED)
        await page.goto(f"{url}/memories/browse")
        await expect(page.get_by_role("heading", name="Nothing is remembered yet")).to_be_visible()


async def test_memories_leave_as_a_file_and_come_in_again(visit: Visit, url: str, tmp_path: Path) -> None:
    async with visit(expected=("422",)) as page:
        await register(page, url)
        await talk(page, url)
        await page.goto(f"{url}/memories/files")
        async with page.expect_download() as download:
            await page.get_by_role("button", name="Export").click()
        path = tmp_path / "memories.jsonl"
        await (await download.value).save_as(path)
        assert [json.loads(line)["content"] for line in path.read_text().splitlines()] == [
            content for _, content in TALK
        ]
        await page.get_by_label("Into space").fill("copy")
        await page.get_by_label("File").set_input_files(path)
        await page.get_by_role("button", name="Import").click()
        await page.wait_for_url(re.compile(r"/operations/op_"))
        await expect(page.locator("#operation-view header .badge")).to_have_text("Completed", timeout=INDEXED)
        await page.get_by_role("link", name="Browse memories").click()
        await expect(page.locator(".rows > li")).to_have_count(2 * len(TALK))

        await page.goto(f"{url}/memories/files")
        await page.get_by_label("Into space").fill("not a name")
        await page.get_by_label("File").set_input_files(path)
        await page.get_by_role("button", name="Import").click()
        await expect(page.locator("#toasts")).to_contain_text("space")


async def test_somebody_is_known_by_what_was_said_of_them(
    visit: Visit, url: str, pictures: Path | None
) -> None:
    async with visit() as page:
        await register(page, url)
        await talk(page, url)
        await page.goto(f"{url}/memories/profiles")
        await page.get_by_role("link", name="Ann").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("Ann")
        await expect(page.locator("main")).to_contain_text(TALK[0][1])
        await picture(page, pictures, "stack-profile")
        await page.get_by_role("link", name="Forget").last.click()
        await expect(page.get_by_label("Name, question, text or ids")).to_have_value("Ann")


async def test_a_passage_that_is_remembered_leads_to_its_place_in_the_document(
    visit: Visit, url: str, pictures: Path | None
) -> None:
    async with visit() as page:
        await register(page, url)
        await page.get_by_label("Remember, too").check()
        await upload(page, SAMPLES / "minutes.md")
        line = page.locator(".rows > li")
        await expect(line.get_by_text("Indexed", exact=True)).to_be_visible(timeout=INDEXED)
        await page.goto(f"{url}/memories/browse")
        memory = page.locator(".rows > li").first.get_by_role("link")
        content = await memory.inner_text()
        await memory.click()
        await expect(page.locator(".source-text mark")).to_contain_text(content.split("\n")[0].strip("# "))
        await picture(page, pictures, "stack-memory-of-document")
        await page.locator(".citation a").click()
        await page.wait_for_url(re.compile(r"/documents/doc_\w+\?passage=chk_"))
        await expect(page.locator(".passage:target")).to_be_visible()


async def test_what_a_memory_says_is_never_run(visit: Visit, url: str) -> None:
    hostile = "<img src=x onerror=alert(1)><script>alert(2)</script> \"'><svg onload=alert(3)> zebra"
    async with visit() as page:
        asked: list[str] = []
        page.on("dialog", lambda dialog: asked.append(dialog.message))
        await register(page, url)
        body = {"messages": [{"speaker": hostile[:190], "content": f"{hostile} {n}"} for n in range(3)]}
        await send(page, url, "/memories?wait=true", {**body, "subject": hostile[:190], "session_id": "x"})
        await page.goto(f"{url}/memories?q=zebra")
        await expect(page.locator(".result").first).to_contain_text("<img src=x")
        await page.locator(".result .memory-said a").first.click()
        await expect(page.locator(".memory-content")).to_contain_text("<script>")
        await expect(page.locator(".graph a").first).to_be_visible()
        await page.get_by_role("link", name=hostile[:190]).first.click()
        await expect(page.get_by_role("heading", level=1)).to_contain_text("<script>")
        assert await page.locator("main img, main script").count() == 0
        assert asked == []


async def test_every_page_of_the_explorer_fits_a_narrow_screen(visit: Visit, url: str) -> None:
    async with visit(size=NARROW) as page:
        await register(page, url)
        operation = await talk(page, url)
        memory = str(operation["result"]["memory_ids"][0])
        for path in (
            "/memories?q=bakery",
            "/memories/browse",
            "/memories/new",
            f"/memories/{memory}",
            f"/memories/{memory}/correct",
            "/memories/forget",
            "/memories/files",
            "/memories/sessions?session_id=monday",
            "/memories/profiles",
            "/memories/profiles?subject=Ann",
        ):
            answer = await page.goto(f"{url}{path}")
            assert answer is not None
            assert answer.status == 200, path
            wide = await page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
            assert wide <= 0, path
