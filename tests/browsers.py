"""
Pages of a real browser (scripts/pictures/browser.py) for tests: they may not complain.
"""

import contextlib
from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, ConsoleMessage, Page, expect

from scripts.pictures.browser import CHROMIUM, NOT_INSTALLED

needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason=NOT_INSTALLED)

STATUS = "Failed to load resource: the server responded with a status of"
"""How Chromium tells of a refusal; pages tell of it themselves."""

TIMEOUT_MS = 30_000
"""Of a step: long, for a machine with much other work."""

expect.set_options(timeout=TIMEOUT_MS)


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
