"""The dashboard's views of usage and of the fleet: their numbers are those of the API, as text, meter and line."""

import math
import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from scripts.pictures.browser import running_browser, unlock
from scripts.proving.metrics.read import total_of
from shared.telemetry.metrics import METRICS
from tests.bearers import METRICS_SECRET
from tests.browsers import needs_chromium, quiet_page

pytestmark = [needs_chromium, pytest.mark.unmeasured]

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context()
    with quiet_page(context) as page:
        yield page
    context.close()


def test_usage_says_what_is_used_reserved_and_left(
    page: Page, service_url: str, api: httpx.Client, key: str, budget: Callable[..., None]
) -> None:
    budget(tokens_day="1000", price=["gpt-4o=2.5,10"])
    first = api.post("/v1/reservations", json={"tokens": 300}).json()
    api.post(
        f"/v1/reservations/{first['id']}/settle", json={"model": "gpt-4o", "input_tokens": 200, "output_tokens": 50}
    )
    api.post("/v1/reservations", json={"tokens": 500})
    unlock(page, service_url, "usage", key)

    meter = page.get_by_role("meter", name="Today, tokens")
    expect(meter).to_have_attribute("aria-valuenow", "75")
    expect(meter).to_have_attribute("aria-valuetext", "250 used, 500 reserved, of 1,000")
    expect(page.locator("#usage")).to_contain_text("25 % is left.")
    expect(page.locator("#usage")).to_contain_text("No limit is set.")
    expect(page.get_by_role("row", name="gpt-4o")).to_have_text("gpt-4o20050$0.0011")
    api.post("/v1/reservations", json={"tokens": 250})
    page.get_by_role("button", name="Look again").click()
    expect(page.locator("#usage")).to_contain_text("Nothing is left.")


def test_the_fleets_figures_are_those_of_the_metrics(
    page: Page, make_service: Callable[[], str], key: str, deployment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WARMTHREAD_METRICS_FLUSH_S", "1")
    url = make_service()
    headers = {"authorization": f"Bearer {key}"}

    def ask(times: int) -> None:
        with httpx.Client(base_url=url, headers=headers) as client:
            for _ in range(times):
                assert client.get("/v1/conversations").status_code == 200

    ask(1)
    unlock(page, url, "fleet", METRICS_SECRET)
    expect(page.locator("#unseen")).to_contain_text("Lines begin with the second look")
    page.get_by_label("Deployment").select_option(deployment)
    ask(3)
    page.get_by_label("Look every").select_option("2")
    counted = 0.0
    while counted < 4:
        with page.expect_response("**/api/metrics") as answer:
            pass
        counted = total_of(answer.value.text(), "warmthread_requests_total", deployment=deployment)
    expect(page.locator("#totals div", has_text="Requests").locator("dd")).to_have_text(f"{counted:.0f}")
    lines = page.get_by_role("img", name="Requests: ")
    expect(lines).to_have_attribute(
        "aria-label", re.compile(r"^Requests: 2xx [\d.]+/s.*; at most [\d.]+/s in \d+ looks?$")
    )
    page.get_by_label("Pause").check()


def test_a_wrong_secret_says_so(page: Page, service_url: str) -> None:
    unlock(page, service_url, "fleet", "no secret")

    expect(page.get_by_role("alert")).to_contain_text("This key is not valid here")
    expect(page.locator("#totals")).to_be_hidden()


def test_what_is_read_of_prometheus_text_is_what_was_counted(page: Page, service_url: str) -> None:
    """The counts of the official client; percentiles within the width of a bucket, by which they are known."""
    drawn = random.Random(7)
    bounds = [2 ** (power / 8) / 1000 for power in range(100)]
    registry = CollectorRegistry()
    counter = Counter("asked", "text", ["name"], registry=registry)
    histogram = Histogram("took", "text", ["route"], buckets=bounds, registry=registry)
    texts, samples = [], [[drawn.lognormvariate(-3, 0.8) for _ in range(500)] for _ in range(2)]
    for batch in samples:
        for number, value in enumerate(batch):
            histogram.labels(f"r{number % 3}").observe(value)
            counter.labels('a "quoted" \\ name\n' if number % 5 else "b").inc()
        texts.append(generate_latest(registry).decode())
    page.goto(f"{service_url}/dashboard")
    grown, percentiles, none = page.evaluate(
        """async ([before, after]) => {
            const { increase, parse, quantile } = await import("/dashboard/prometheus.js");
            const [one, other] = [parse(before), parse(after)];
            const shares = [0.5, 0.95, 0.99].map((share) => quantile(share, one, other, "took"));
            return [[...increase(one, other, "asked_total", "name")], shares, quantile(0.5, other, other, "took")];
        }""",
        texts,
    )

    assert dict(grown) == {'a "quoted" \\ name\n': 400, "b": 100}
    exact = [sorted(samples[1])[math.ceil(share * 500) - 1] for share in (0.5, 0.95, 0.99)]
    assert percentiles == pytest.approx(exact, rel=2 ** (1 / 8) - 1)
    assert none is None


def test_counters_that_begin_anew_do_not_fall(page: Page, service_url: str) -> None:
    page.goto(f"{service_url}/dashboard")
    grown = page.evaluate(
        """async () => {
            const { increase, parse } = await import("/dashboard/prometheus.js");
            const before = 'a_total{x="1"} 10\\na_total{x="2"} 5\\n';
            const after = 'a_total{x="1"} 4\\na_total{x="2"} 7\\n';
            return [...increase(parse(before), parse(after), "a_total", "x")];
        }"""
    )

    assert grown == [["1", 4], ["2", 2]]


def test_every_figure_is_of_a_metric_that_there_is() -> None:
    text = (ROOT / "public/dashboard/figures.js").read_text()
    named = re.findall(r'(?:rates|shares|gauges|percentiles|sum|METRIC)\("(\w+)"', text)

    assert len(named) > 20
    assert {f"warmthread_{name}" for name in named} - {metric.name for metric in METRICS.values()} == set()
