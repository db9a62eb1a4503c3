"""
Pictures of the dashboard for the docs: scripts/dev, agents that go through recorded dialogues, and Chromium.

    a store of its own -> scripts/dev -> a tenant with budgets, its history, a document -> pages, while agents work

What is seen is what the service says of real requests; nothing is drawn for the picture.
"""

import argparse
import contextlib
import os
import re
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import httpx
from playwright.sync_api import Browser, Page

from scripts.local.mint import mint
from scripts.local.upstash import LocalUpstash
from scripts.pictures.browser import CHROMIUM, NOT_INSTALLED, running_browser, unlock
from scripts.pictures.load import BUDGET, TENANT, Agents, set_up

ROOT = Path(__file__).resolve().parents[2]
WIDE, PHONE = (1280, 900), (360, 740)
LOOKS = 12
PICTURE_BYTES_MAX = 150_000


class Dev(NamedTuple):
    """A running scripts/dev: where, and what opens its metrics."""

    url: str
    metrics_secret: str


@contextlib.contextmanager
def running_dev(store: LocalUpstash, key: str, documents: Path) -> Iterator[Dev]:
    """Raises RuntimeError: it did not start."""
    environ = {
        **os.environ,
        "UPSTASH_REDIS_REST_URL": store.url,
        "UPSTASH_REDIS_REST_TOKEN": store.token,
        "WARMTHREAD_DOCUMENTS_URL": str(documents),
        "WARMTHREAD_METRICS_FLUSH_S": "1",
    }
    environ.pop("WARMTHREAD_METRICS_SECRET", None)
    command = [sys.executable, "-m", "scripts.local.dev", "--port", "0", "--key", key]
    with subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = ""
        try:
            while "Ctrl-C" not in said and (line := process.stdout.readline()):
                said += line
            url = re.search(r"runs at (\S+)", said)
            secret = re.search(r"^WARMTHREAD_METRICS_SECRET=(\S+)$", said, re.MULTILINE)
            if url is None or secret is None:
                raise RuntimeError(f"scripts/dev did not start: {said}")
            yield Dev(url[1], secret[1])
        finally:
            process.terminate()


def open_page(browser: Browser, dev: Dev, size: tuple[int, int], scheme: str, address: str, secret: str) -> Page:
    """Return a page of the dashboard at *address*, unlocked by *secret*."""
    width, height = size
    page = browser.new_page(
        viewport={"width": width, "height": height},
        color_scheme="dark" if scheme == "dark" else "light",
        device_scale_factor=1,
    )
    unlock(page, dev.url, address, secret)
    return page


def picture(page: Page, folder: Path, name: str) -> None:
    path = folder / f"{name}.png"
    page.mouse.move(0, 0)
    page.screenshot(path=path, animations="disabled")
    size_bytes = path.stat().st_size
    print(f"{path.name}: {size_bytes:,} bytes" + (", TOO LARGE" if size_bytes > PICTURE_BYTES_MAX else ""))
    page.close()


def inspector(browser: Browser, dev: Dev, key: str, conversation: str, size: tuple[int, int], scheme: str) -> Page:
    page = open_page(browser, dev, size, scheme, f"conversations/{conversation}", key)
    page.locator("#legend li").first.wait_for()
    with page.expect_response(lambda response: f"budget={BUDGET}" in response.url):
        page.get_by_label("Budget, exactly").fill(str(BUDGET))
    page.locator("#result[aria-busy=false]").wait_for()
    page.locator("#bar [data-state=kept][role=option]").nth(-10).click()
    page.locator("#unit pre").first.wait_for()
    return page


def take(browser: Browser, dev: Dev, key: str, conversation: str, folder: Path) -> None:
    page = open_page(browser, dev, WIDE, "dark", "fleet", dev.metrics_secret)
    page.get_by_label("Look every").select_option("2")
    for _ in range(LOOKS):
        with page.expect_response("**/api/metrics"):
            pass
    picture(page, folder, "fleet")
    picture(inspector(browser, dev, key, conversation, WIDE, "light"), folder, "conversation")
    page = inspector(browser, dev, key, conversation, PHONE, "dark")
    page.locator("#verdict").evaluate("one => one.scrollIntoView()")
    picture(page, folder, "conversation-phone")
    page = open_page(browser, dev, (WIDE[0], 560), "light", "usage", key)
    page.get_by_role("meter").first.wait_for()
    picture(page, folder, "usage")


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="scripts/screenshots", description="Take the pictures of docs/images anew, of scripts/dev under load."
    )
    parser.add_argument("--folder", type=Path, default=ROOT / "docs/images", help="where they go (docs/images)")
    folder = parser.parse_args().folder
    if CHROMIUM is None:
        print(f"{NOT_INSTALLED}.", file=sys.stderr)
        return 1
    folder.mkdir(parents=True, exist_ok=True)
    key = f"wt_{TENANT}_{secrets.token_urlsafe(18)}"
    with contextlib.ExitStack() as stack:
        documents = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="wt-pictures-")))
        store = stack.enter_context(LocalUpstash())
        mint(store.url, store.token, key)
        dev = stack.enter_context(running_dev(store, key, documents))
        api = stack.enter_context(
            httpx.Client(base_url=dev.url, headers={"authorization": f"Bearer {key}"}, timeout=30)
        )
        conversation = set_up(api, store, documents)
        stack.enter_context(Agents(dev.url, key))
        browser = stack.enter_context(running_browser())
        take(browser, dev, key, conversation, folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
