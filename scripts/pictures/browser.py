"""
Debian's Chromium, driven by playwright, and the way into the dashboard past its form for a key.
"""

import contextlib
import os
import shutil
from collections.abc import Iterator

from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
"""None where it is not installed."""

NOT_INSTALLED = "Chromium is not installed: scripts/chromium installs Debian's"


@contextlib.contextmanager
def running_browser() -> Iterator[Browser]:
    """Start Chromium without a window. It has to end before a loop of its own begins in this thread."""
    # Its sandbox refuses to work for root, as whom CI runs.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=arguments)
        try:
            yield browser
        finally:
            browser.close()


def unlock(page: Page, url: str, address: str, secret: str) -> None:
    """Open the view at *address* of the dashboard at *url*, and give it *secret*."""
    page.goto(f"{url}/dashboard#{address}")
    page.locator("input[type=password]").locator("visible=true").fill(secret)
    page.get_by_role("button", name="Show", exact=True).click()
