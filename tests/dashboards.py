"""What tests of the dashboard have in common: a conversation worth a look, and the way past the form for a key."""

import json
from pathlib import Path

from playwright.sync_api import Page

DIALOGUE = json.loads((Path(__file__).parent / "data" / "tau_airline_12.jsonl").read_text().splitlines()[0])
AS_RECORDED = {"messages": DIALOGUE["messages"], "format": "chat", "metadata": {"title": "A flight"}}
"""The body that makes a conversation of a recorded dialogue."""


def unlock(page: Page, url: str, address: str, secret: str) -> None:
    """Open the view at *address* of the dashboard at *url*, and give it *secret*."""
    page.goto(f"{url}/dashboard#{address}")
    page.locator("input[type=password]").locator("visible=true").fill(secret)
    page.get_by_role("button", name="Show", exact=True).click()
