"""The dashboard for everybody: no violation that axe-core calls serious, on any width, in light and dark."""

from collections.abc import Callable, Iterator

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from scripts.pictures.browser import running_browser, unlock
from tests.bearers import METRICS_SECRET
from tests.browsers import needs_chromium, quiet_page
from tests.dashboards import AS_RECORDED

pytestmark = [needs_chromium, pytest.mark.unmeasured]

WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 320, "height": 640}
LOOKS = [("light", WIDE), ("dark", PHONE)]
"""Each width and each scheme once: contrast does not depend on widths, nor the order of things on colours."""
GRAVE = ("serious", "critical")


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with running_browser() as browser, quiet_page(browser.new_context()) as page:
        yield page


def conversation(page: Page, url: str, key: str, api: httpx.Client) -> None:
    made = api.post("/v1/conversations", json=AS_RECORDED).json()["id"]
    unlock(page, url, f"conversations/{made}", key)
    page.get_by_label("Budget, exactly").fill("3000")
    expect(page.locator("#legend")).to_contain_text("Left out")
    page.get_by_text("The same as a table").click()
    page.locator("#units button").last.click()
    expect(page.locator("#unit pre")).to_be_visible()


def usage(page: Page, url: str, key: str, api: httpx.Client) -> None:
    assert api.post("/v1/reservations", json={"tokens": 300}).status_code == 200
    unlock(page, url, "usage", key)
    expect(page.get_by_role("meter").first).to_be_visible()


def fleet(page: Page, url: str, key: str, api: httpx.Client) -> None:
    unlock(page, url, "fleet", METRICS_SECRET)
    page.get_by_label("Look every").select_option("2")
    expect(page.get_by_role("img").first).to_be_visible()
    page.get_by_label("Pause").check()
    page.get_by_text("As a table", exact=True).first.click()


def refused(page: Page, url: str, key: str, api: httpx.Client) -> None:
    unlock(page, url, "conversations", "wrong")
    expect(page.get_by_role("alert")).to_be_visible()


@pytest.mark.parametrize("show", [conversation, usage, fleet, refused])
def test_nothing_keeps_anybody_out(
    page: Page,
    api: httpx.Client,
    service_url: str,
    key: str,
    budget: Callable[..., None],
    show: Callable[..., None],
    request: pytest.FixtureRequest,
) -> None:
    budget(tokens_day="1000")
    url = service_url
    if show is fleet:  # The warm instance hands nothing over.
        request.getfixturevalue("deployment")
        url = request.getfixturevalue("make_service")()
    show(page, url, key, api)
    for scheme, size in LOOKS:
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.set_viewport_size(size)  # type: ignore[arg-type]
        found = [
            (violation["id"], [node["target"] for node in violation["nodes"]])
            for violation in Axe().run(page).response["violations"]
            if violation["impact"] in GRAVE
        ]

        assert (scheme, size["width"], found) == (scheme, size["width"], [])
        # Nothing has to be scrolled sideways to be read.
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    page.evaluate("sessionStorage.clear()")
    page.goto("about:blank")
