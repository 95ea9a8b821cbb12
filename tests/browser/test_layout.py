"""Every page with invented content: fits, can be read and operated, in both themes and two widths."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.async_api import Page

from tests.browser.conftest import NARROW, PAGES, WIDE, Visit

pytestmark = pytest.mark.browser

THEMES: tuple[Literal["light"], Literal["dark"]] = ("light", "dark")

_CHECKS = (Path(__file__).parent / "checks.js").read_text()


async def faults(page: Page) -> dict[str, Any]:
    """Everything that is wrong with what is shown."""
    found: dict[str, Any] = await page.evaluate(_CHECKS)
    return found


@pytest.mark.parametrize("name", PAGES)
async def test_a_page_fits_and_can_be_read(
    name: str, visit: Visit, preview_url: str, pictures: Path | None
) -> None:
    async with visit() as page:
        await page.goto(f"{preview_url}/{name}")
        for width, height in (WIDE, NARROW):
            await page.set_viewport_size({"width": width, "height": height})
            for theme in THEMES:
                await page.emulate_media(color_scheme=theme)
                assert await faults(page) == {}, f"{theme}, {width} px"
                if pictures is not None:
                    await page.screenshot(path=pictures / f"{name}-{theme}-{width}.png", full_page=True)


@pytest.mark.parametrize(
    ("hours", "shown"),
    [
        (1, "in 1 hr."),
        (23, "in 23 hr."),
        (25, "tomorrow"),
        (47, "in 2 days"),
        (-25, "yesterday"),
        (-47, "2 days ago"),
    ],
)
async def test_tomorrow_is_the_next_day_of_the_calendar(
    hours: int, shown: str, visit: Visit, preview_url: str
) -> None:
    now = datetime(2026, 11, 22, 18, 4)  # noqa: DTZ001  # by the clock of this machine, as the browser's is
    async with visit() as page:
        await page.clock.set_fixed_time(now)
        await page.goto(f"{preview_url}/search")
        told = await page.evaluate(
            """(instant) => {
                const time = document.createElement("time");
                time.dateTime = instant;
                time.dataset.relative = "";
                document.body.append(time);
                document.dispatchEvent(new CustomEvent("htmx:afterSwap", { detail: { target: document.body } }));
                return time.textContent;
            }""",
            (now + timedelta(hours=hours)).astimezone().isoformat(),
        )
    assert told == shown


async def test_the_checks_find_what_is_wrong(visit: Visit, preview_url: str) -> None:
    async with visit() as page:
        await page.goto(f"{preview_url}/search")
        await page.evaluate(
            """() => {
                const broken = document.createElement("div");
                broken.className = "broken";
                broken.innerHTML = "<h1>x</h1><button></button><p id=main>pale</p><label for=none>y</label>";
                document.getElementById("main").append(broken);
                const sheet = new CSSStyleSheet();
                sheet.replaceSync(".broken { width: 3000px } .broken p { color: rgb(200, 200, 200) }");
                document.adoptedStyleSheets.push(sheet);
            }"""
        )
        assert set(await faults(page)) == {"contrast", "overflow", "nameless", "identifiers", "headings"}


async def test_a_chosen_theme_outlives_the_page_and_the_system_can_be_followed_again(
    visit: Visit, preview_url: str
) -> None:
    async def background(page: Page) -> str:
        return str(
            await page.evaluate(
                "new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(() =>"
                " resolve(getComputedStyle(document.body).backgroundColor))))"
            )
        )

    async with visit(theme="light") as page:
        await page.goto(f"{preview_url}/documents")
        light = await background(page)
        switch = page.get_by_role("group", name="Colour theme")
        await switch.get_by_role("button", name="Dark theme").click()
        dark = await background(page)
        assert dark != light
        await page.goto(f"{preview_url}/search")
        assert await background(page) == dark
        chosen = switch.get_by_role("button", name="Dark theme")
        assert await chosen.get_attribute("aria-pressed") == "true"
        await switch.get_by_role("button", name="Theme of the system").click()
        assert await background(page) == light


async def test_the_first_key_leads_past_the_navigation(visit: Visit, preview_url: str) -> None:
    async with visit() as page:
        await page.goto(f"{preview_url}/operations")
        await page.keyboard.press("Tab")
        skip = page.get_by_role("link", name="Skip to the content")
        assert await skip.evaluate("e => e === document.activeElement")
        box = await skip.bounding_box()
        assert box is not None
        assert box["y"] >= 0
        await page.keyboard.press("Enter")
        assert await page.evaluate("document.activeElement.id") == "main"


async def test_whatever_has_the_focus_shows_it(visit: Visit, preview_url: str) -> None:
    async with visit() as page:
        await page.goto(f"{preview_url}/documents")
        for _ in range(25):
            await page.keyboard.press("Tab")
            outline = await page.evaluate(
                "(() => { const s = getComputedStyle(document.activeElement);"
                " return document.activeElement === document.body ? 2 :"
                " s.outlineStyle === 'none' ? 0 : parseFloat(s.outlineWidth); })()"
            )
            assert outline >= 2, await page.evaluate("document.activeElement.outerHTML.slice(0, 200)")


async def test_a_dangerous_action_asks_first_and_can_be_left_with_escape(
    visit: Visit, preview_url: str
) -> None:
    async with visit() as page:
        await page.goto(f"{preview_url}/document")
        sent: list[str] = []
        page.on("request", lambda request: sent.append(request.method))
        await page.get_by_role("button", name="Delete").click()
        dialog = page.get_by_role("dialog", name="Delete this document?")
        await dialog.wait_for()
        await page.keyboard.press("Escape")
        await dialog.wait_for(state="hidden")
        assert "POST" not in sent
