"""The dashboard for everybody: no violation that axe-core calls serious, on any width, in light and dark."""

from collections.abc import Callable, Iterator

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.bearers import METRICS_SECRET
from tests.browsers import needs_chromium, quiet_page, running_browser
from tests.test_dashboard import DIALOGUE

pytestmark = [needs_chromium, pytest.mark.unmeasured]

WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 320, "height": 640}
LOOKS = [("light", WIDE), ("dark", WIDE), ("light", PHONE), ("dark", PHONE)]
GRAVE = ("serious", "critical")


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with running_browser() as browser, quiet_page(browser.new_context()) as page:
        yield page


def conversation(page: Page, url: str, key: str, api: httpx.Client) -> None:
    body = {"messages": DIALOGUE["messages"], "format": "chat"}
    made = api.post("/v1/conversations", json=body).json()["id"]
    page.goto(f"{url}/dashboard#conversations/{made}")
    sign_in(page, key)
    page.get_by_label("Budget, exactly").fill("3000")
    expect(page.locator("#legend")).to_contain_text("Left out")
    page.get_by_text("The same as a table").click()
    page.locator("#units button").last.click()
    expect(page.locator("#unit pre")).to_be_visible()


def usage(page: Page, url: str, key: str, api: httpx.Client) -> None:
    assert api.post("/v1/reservations", json={"tokens": 300}).status_code == 200
    page.goto(f"{url}/dashboard#usage")
    sign_in(page, key)
    expect(page.get_by_role("meter").first).to_be_visible()


def fleet(page: Page, url: str, key: str, api: httpx.Client) -> None:
    page.goto(f"{url}/dashboard#fleet")
    sign_in(page, METRICS_SECRET)
    page.get_by_label("Look every").select_option("2")
    expect(page.get_by_role("img").first).to_be_visible()
    page.get_by_label("Pause").check()
    page.get_by_text("As a table", exact=True).first.click()


def refused(page: Page, url: str, key: str, api: httpx.Client) -> None:
    page.goto(f"{url}/dashboard#conversations")
    sign_in(page, "wrong")
    expect(page.get_by_role("alert")).to_be_visible()


def sign_in(page: Page, secret: str) -> None:
    page.locator("input[type=password]").locator("visible=true").fill(secret)
    page.get_by_role("button", name="Show", exact=True).click()


@pytest.mark.parametrize("show", [conversation, usage, fleet, refused])
def test_nothing_keeps_anybody_out(
    page: Page,
    make_service: Callable[[], str],
    deployment: str,
    key: str,
    budget: Callable[..., None],
    show: Callable[..., None],
) -> None:
    budget(tokens_day="1000")
    url = make_service()
    with httpx.Client(base_url=url, headers={"authorization": f"Bearer {key}"}, timeout=30) as api:
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
