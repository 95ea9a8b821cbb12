"""Takes the pictures of the README: `python scripts/screenshots.py http://127.0.0.1:8000` beside a running stack.

Makes an account of its own, ingests `samples/` and leaves `docs/images/*.png`.
"""

import argparse
import asyncio
import json
import re
import secrets
from pathlib import Path

from playwright.async_api import Page, async_playwright

from api.doctor import browser_program

ROOT = Path(__file__).parent.parent
SAMPLES = ROOT / "samples"
QUESTION = "How much notice must be given to end the lease?"
UNSETTLED = re.compile("Queued|Fetching|Reading|Splitting|Embedding")


async def register(page: Page, url: str) -> None:
    """Make an account."""
    await page.goto(f"{url}/register")
    await page.get_by_label("Your name").fill("Ada Lovelace")
    await page.get_by_label("Organisation").fill("Quayside Works")
    await page.get_by_label("E-mail").fill(f"ada-{secrets.token_hex(4)}@example.com")
    await page.get_by_label("Password").fill(secrets.token_urlsafe(16))
    await page.get_by_role("button", name="Create account").click()
    await page.wait_for_url(f"{url}/documents*")


async def ingest_samples(page: Page) -> None:
    """Upload everything, and wait until each document is indexed or says why not."""
    wanted = [path for path in SAMPLES.rglob("*") if path.is_file() and path.name != "README.md"]
    files = sorted(wanted, key=lambda path: (path.parent != SAMPLES / "broken", path), reverse=True)
    await page.locator("#files").set_input_files(files)
    await page.locator(".upload").last.wait_for(state="detached", timeout=120_000)
    busy = page.locator(".rows .badge").filter(has_text=UNSETTLED)
    for _ in range(240):
        if await busy.count() == 0:
            return
        await page.wait_for_timeout(500)


async def start_batches(page: Page, url: str) -> list[str]:
    """Start operations that take a while; one of them is paused."""
    token = await page.locator('meta[name="csrf-token"]').get_attribute("content") or ""
    headers = {"X-CSRF-Token": token, "Content-Type": "application/json"}
    started = []
    for name, count in (("Note", 600), ("Ticket", 1200)):
        texts = [
            f"{name} {n}: the valve of line {n} was checked and found tight. " * 40 for n in range(count)
        ]
        items = [{"text": text, "title": f"{name} {n}"} for n, text in enumerate(texts)]
        answer = await page.request.post(
            f"{url}/api/v1/documents/batch", data=json.dumps({"items": items}), headers=headers
        )
        started.append(str((await answer.json())["id"]))
        await page.goto(f"{url}/operations/{started[-1]}")
        await page.get_by_text(re.compile(r"^[1-9][\d,]* of [\d,]+ done")).wait_for(timeout=120_000)
        if len(started) == 1:
            await page.request.post(f"{url}/api/v1/operations/{started[0]}/pause", headers=headers)
    return started


async def shoot(page: Page, folder: Path, name: str) -> None:
    """Save what the window shows."""
    await page.evaluate("document.fonts.ready")
    await page.wait_for_timeout(300)
    await page.screenshot(path=folder / f"{name}.png")


async def main() -> None:
    """Draw all of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--to", type=Path, default=ROOT / "docs" / "images")
    arguments = parser.parse_args()
    url, folder = arguments.url.rstrip("/"), arguments.to
    executable = browser_program()
    async with async_playwright() as playwright:
        options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        browser = await playwright.chromium.launch(executable_path=executable, args=options)
        page = await browser.new_page(viewport={"width": 1280, "height": 800}, color_scheme="light")
        await register(page, url)
        await ingest_samples(page)
        await page.reload()
        await shoot(page, folder, "console-documents")
        started = await start_batches(page, url)
        await page.goto(f"{url}/operations")
        await shoot(page, folder, "console")
        await page.goto(f"{url}/operations/{started[-1]}")
        await page.locator(".step").nth(3).wait_for(timeout=60_000)
        await shoot(page, folder, "console-operation")
        await page.emulate_media(color_scheme="dark")
        await page.goto(f"{url}/search?q={QUESTION}&explain=true")
        await shoot(page, folder, "console-search-dark")
        token = await page.locator('meta[name="csrf-token"]').get_attribute("content") or ""
        for operation in started:
            await page.request.post(
                f"{url}/api/v1/operations/{operation}/cancel", headers={"X-CSRF-Token": token}
            )
        await browser.close()


if __name__ == "__main__":
    asyncio.run(main())
