"""
A real browser for tests: Debian's Chromium, driven by playwright; and pages of it that may not complain.
"""

import contextlib
import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="Chromium is not installed: scripts/chromium installs Debian's"
)

STATUS = "Failed to load resource: the server responded with a status of"
"""How Chromium tells of a refusal; pages tell of it themselves."""

TIMEOUT_MS = 30_000
"""Of a step: long, for a machine with much other work."""


@contextlib.contextmanager
def running_browser() -> Iterator[Browser]:
    """Start Chromium without a window. It has to end before a test with a loop of its own begins in this thread."""
    # Its sandbox refuses to work for root, as whom CI runs.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    expect.set_options(timeout=TIMEOUT_MS)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=arguments)
        try:
            yield browser
        finally:
            browser.close()


@contextlib.contextmanager
def quiet_page(context: BrowserContext) -> Iterator[Page]:
    """A page of *context*. Fails at its end when the page wrote errors or warnings, those of its policy among them."""
    complaints: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not message.text.startswith(STATUS):
            complaints.append(message.text)

    page = context.new_page()
    page.set_default_timeout(TIMEOUT_MS)
    page.on("console", note)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    page.close()
    assert complaints == []
