"""A real Chromium, and the whole product for it to look at."""

import os
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
import uvicorn
from playwright.async_api import Browser, ConsoleMessage, Page, async_playwright

from api.doctor import browser_program
from perdure.domain.ids import new_id
from perdure.embedded import ports
from perdure.embedded.supervisor import Stack
from perdure.settings import Settings, home_directory
from tests.browser import (
    preview,
    preview_approvals,
    preview_classification,
    preview_evolution,
    preview_memories,
    preview_privacy,
    preview_providers,
    preview_webhooks,
    preview_workflows,
)
from tests.embedding import model_directory

CHROMIUM_OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
PASSWORD = "a lasting password"

PAGES = {
    **preview.PAGES,
    **preview_memories.PAGES,
    **preview_evolution.PAGES,
    **preview_privacy.PAGES,
    **preview_classification.PAGES,
    **preview_providers.PAGES,
    **preview_approvals.PAGES,
    **preview_workflows.PAGES,
    **preview_webhooks.PAGES,
}
WIDE = (1280, 850)
NARROW = (360, 740)

Visit = Callable[..., AbstractAsyncContextManager[Page]]


@pytest.fixture(scope="session")
async def url(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """Address of the whole product, in a home of its own; of one that runs, when PERDURE_TEST_URL names it."""
    if running_elsewhere := os.environ.get("PERDURE_TEST_URL"):
        yield running_elsewhere
        return
    home = tmp_path_factory.mktemp("console")
    for shared in (model_directory(), home_directory() / "bin"):
        if shared.is_dir():
            (home / shared.name).symlink_to(shared.resolve())
    api, temporal, ui = ports.unused(3)
    settings = Settings(home=home, api_port=api, temporal_port=temporal, temporal_ui_port=ui)

    def report(part: str, what: str, *, passing: bool = False) -> None:
        """Nobody watches a test start."""

    async with Stack(settings, report) as running:
        yield running.url


@pytest.fixture(scope="session")
def preview_url() -> Iterator[str]:
    """The pages with invented content, served."""
    (port,) = ports.unused(1)
    server = uvicorn.Server(
        uvicorn.Config(
            preview.app(PAGES),
            port=port,
            log_config=None,
            lifespan="off",
            timeout_graceful_shutdown=1,
        )
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the preview server did not start"
        time.sleep(0.02)
    yield f"http://127.0.0.1:{port}/preview"
    server.should_exit = True
    thread.join(10)


@pytest.fixture(scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """Debian's Chromium, without windows if there is that; `PERDURE_CHROMIUM` names another one."""
    executable = os.environ.get("PERDURE_CHROMIUM") or browser_program()
    if executable is None:
        pytest.skip(
            "no Chromium: install Debian's `chromium-headless-shell`, or name one in PERDURE_CHROMIUM"
        )
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable, args=CHROMIUM_OPTIONS)
        yield browser
        await browser.close()


@pytest.fixture
def visit(chromium: Browser) -> Visit:
    """Opens a page; when it is left, nothing may have been reported on its console.

    `expected` names parts of messages that the test provokes, such as the browser's line about a 401.
    """

    @asynccontextmanager
    async def opened(
        size: tuple[int, int] = WIDE, theme: str = "light", expected: tuple[str, ...] = ()
    ) -> AsyncIterator[Page]:
        context = await chromium.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme="dark" if theme == "dark" else "light",
            reduced_motion="reduce",  # a check in the middle of a transition would see neither end
            permissions=["clipboard-read", "clipboard-write"],
        )
        page = await context.new_page()
        page.set_default_timeout(15_000)
        reported: list[str] = []

        def note(message: ConsoleMessage) -> None:
            if message.type in {"error", "warning"}:
                reported.append(f"{page.url}: {message.text}")

        page.on("console", note)
        page.on("pageerror", lambda error: reported.append(f"{page.url}: {error}"))
        try:
            yield page
            unexpected = [line for line in reported if not any(part in line for part in expected)]
            assert unexpected == []
        finally:
            await context.close()

    return opened


@pytest.fixture(scope="session")
def pictures() -> Path | None:
    """Where to leave screenshots, when PERDURE_SCREENSHOTS says so."""
    folder = os.environ.get("PERDURE_SCREENSHOTS")
    if folder is None:
        return None
    path = Path(folder)
    path.mkdir(parents=True, exist_ok=True)
    return path


async def register(page: Page, url: str, organisation: str = "Analytical Engines") -> str:
    """Make an account by the form; returns its e-mail."""
    email = f"{new_id('usr')}@example.com"
    await page.goto(f"{url}/register")
    await page.get_by_label("Your name").fill("Ada Lovelace")
    await page.get_by_label("Organisation").fill(organisation)
    await page.get_by_label("E-mail").fill(email)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Create account").click()
    await page.wait_for_url(f"{url}/documents*")
    return email


async def csrf_token(page: Page) -> str:
    """The token that scripts of the page send."""
    token = await page.locator('meta[name="csrf-token"]').get_attribute("content")
    assert token
    return token
