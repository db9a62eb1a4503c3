"""GET /api/metrics: closed to strangers, readable by Prometheus' own parser, and the sum of all instances."""

import math
import time
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from scripts.faults.server import FaultyServer
from scripts.local.upstash import LocalUpstash
from scripts.proving.metrics.command import misread
from scripts.proving.metrics.read import buckets_of, quantile
from shared.store import keys
from shared.telemetry.deltas import Deltas
from shared.telemetry.fleet import EXPOSITION_BYTES_MAX, exposition
from shared.telemetry.metrics import METRICS
from shared.telemetry.series import DURATION_BOUNDS_S, OCTAVE
from tests.bearers import METRICS_SECRET
from tests.instances import running_instance

AUTHORIZATION = {"authorization": f"Bearer {METRICS_SECRET}"}
SMALL = {"items": [{"role": "user", "content": "hello"}]}
LARGE = {"items": [{"role": "user", "content": "x" * 300_000}]}
MIB = 1_048_576
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture(autouse=True)
def often(deployment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WARMTHREAD_METRICS_FLUSH_S", "1")


@pytest.fixture
def client(key: str) -> Iterator[httpx.Client]:
    with httpx.Client(headers={"authorization": f"Bearer {key}"}, timeout=30) as client:
        yield client


def scrape(url: str, deployment: str) -> Samples:
    """Return the samples of *deployment*, without that label."""
    answer = httpx.get(f"{url}/api/metrics", headers=AUTHORIZATION)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    return parse(answer.text, deployment)


def parse(text: str, deployment: str) -> Samples:
    return {
        (sample.name, frozenset((name, value) for name, value in sample.labels.items() if name != "deployment")): float(
            sample.value
        )
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.labels["deployment"] == deployment
    }


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples.get((name, frozenset(labels.items())), 0.0)


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer wrong", f"Basic {METRICS_SECRET}"])
def test_metrics_need_their_secret(service_url: str, header: str) -> None:
    answer = httpx.get(f"{service_url}/api/metrics", headers={"authorization": header})

    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "invalid_secret")


def test_metrics_are_closed_while_no_secret_is_set(
    make_service: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WARMTHREAD_METRICS_SECRET")
    url = make_service()
    answers = [httpx.get(f"{url}/api/metrics", headers={"authorization": text}) for text in ("", "Bearer", "Bearer x")]

    assert [answer.status_code for answer in answers] == [401, 401, 401]


def test_the_counts_of_two_instances_add_up(deployment: str, client: httpx.Client) -> None:
    with running_instance() as first, running_instance() as second:
        conversation = client.post(f"{first}/v1/conversations", json=SMALL).json()["id"]
        path = f"/v1/conversations/{conversation}/items"
        tiers = []
        for url, times in ((first, 4), (second, 3)):
            for _ in range(times):
                answer = client.get(url + path, headers={"cache-control": "max-age=60"})
                tiers.append(answer.headers["cache-status"].rpartition("=")[2])
            assert client.get(f"{url}{path}?limit=x").status_code == 400
        samples = scrape_when(first, deployment, lambda seen: errors(seen) == 2, client, (first, second))
    route = {"method": "GET", "route": "/v1/conversations/{conversation_id}/items"}

    assert value(samples, "warmthread_requests_total", status="2xx", **route) == 7
    assert value(samples, "warmthread_request_duration_seconds_count", **route) == 9
    assert value(samples, "warmthread_request_duration_seconds_bucket", le="+Inf", **route) == 9
    assert 0 < value(samples, "warmthread_request_duration_seconds_sum", **route) < 60
    assert value(samples, "warmthread_loop_lag_seconds_count") > 0
    assert value(samples, "warmthread_loop_lag_max_seconds") > 0
    assert value(samples, "warmthread_resident_max_bytes") > 30 * MIB
    assert value(samples, "warmthread_store_requests_total", outcome="ok") > 0
    assert {tier: value(samples, "warmthread_reads_total", tier=tier) for tier in set(tiers)} == {
        tier: tiers.count(tier) for tier in set(tiers)
    }
    # The conversations' function of both, and the one that was asked for metrics.
    assert value(samples, "warmthread_instances_total") in (2, 3)


def errors(samples: Samples) -> float:
    route = {"method": "GET", "route": "/v1/conversations/{conversation_id}/items"}
    return value(samples, "warmthread_requests_total", status="4xx", **route)


def scrape_when(
    url: str,
    deployment: str,
    holds: Callable[[Samples], bool],
    client: httpx.Client,
    instances: tuple[str, ...],
) -> Samples:
    """Return the samples once they are as they should be: each of *instances* hands over behind an answer."""
    give_up_at_s = time.monotonic() + 15
    while time.monotonic() < give_up_at_s:
        for each in instances:
            client.get(f"{each}/v1/conversations")
        samples = scrape(url, deployment)
        if holds(samples):
            return samples
        time.sleep(0.1)
    raise AssertionError("the counts were not handed over")


def test_the_steps_of_memory_pressure_are_seen(
    deployment: str, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WARMTHREAD_MEMORY_BYTES_MAX", str(8 * MIB))
    with running_instance() as url:
        assert client.post(f"{url}/v1/conversations", json=LARGE).status_code == 503
        samples = scrape_when(
            url,
            deployment,
            lambda seen: value(seen, "warmthread_pressure_steps_total", step="critical") >= 1,
            client,
            (url,),
        )
    route = {"method": "POST", "route": "/v1/conversations"}

    assert value(samples, "warmthread_requests_total", status="5xx", **route) == 1


def test_an_outage_of_the_store_is_seen_when_it_is_over(
    deployment: str, client: httpx.Client, upstash: LocalUpstash, monkeypatch: pytest.MonkeyPatch
) -> None:
    with FaultyServer(upstash.url) as server:
        monkeypatch.setenv("UPSTASH_REDIS_REST_URL", server.url)
        monkeypatch.setenv("WARMTHREAD_STORE_TIMEOUT_S", "0.5")
        with running_instance() as url:
            client.get(f"{url}/v1/conversations")
            server.leave()
            refused = [client.get(f"{url}/v1/conversations").status_code for _ in range(3)]
            server.come_back()
            while (status := client.get(f"{url}/v1/conversations").status_code) != 200:
                refused.append(status)
                time.sleep(0.1)
            route = {"method": "GET", "route": "/v1/conversations", "status": "5xx"}
            samples = scrape_when(
                url,
                deployment,
                lambda seen: value(seen, "warmthread_requests_total", **route) == len(refused),
                client,
                (url,),
            )

    assert set(refused) == {503}
    assert value(samples, "warmthread_store_requests_total", outcome="failed") >= 1


def test_what_is_unknown_or_too_old_is_left_out() -> None:
    fields = {"seen": "1", "newer thing": "3", "requests GET": "1", "reads L1": "2"}
    fields |= {"lag_max": "5 7000 9000", "resident_max": "1 5 6", "cron_duration sweep": "7 2500000"}
    samples = parse(exposition({"d": fields}, 6 * 600).decode(), "d")

    assert {name: value for name, value in samples.items() if value} == {
        ("warmthread_reads_total", frozenset({("tier", "L1")})): 2.0,
        ("warmthread_loop_lag_max_seconds", frozenset()): 0.007,
        ("warmthread_cron_duration_seconds", frozenset({("cron", "sweep")})): 2.5,
    }


def test_a_counter_is_there_before_it_counts() -> None:
    """Prometheus sees no increase in a series that begins with its first count."""
    samples = parse(exposition({"d": {"seen": "1", "requests GET /a 2xx": "1"}}).decode(), "d")

    assert samples["warmthread_breaker_opened_total", frozenset({("of", "store")})] == 0
    assert samples["warmthread_refusals_total", frozenset({("reason", "slots")})] == 0
    assert samples["warmthread_lease_waits_total", frozenset()] == 0
    route = {("method", "GET"), ("route", "/a")}
    statuses = {
        status: samples["warmthread_requests_total", frozenset({*route, ("status", status)})]
        for status in ("2xx", "5xx")
    }
    assert statuses == {"2xx": 1, "5xx": 0}


def test_each_series_shows_the_bounds_that_any_of_them_needs() -> None:
    bounds = METRICS["duration"].bounds
    here = {"duration GET /a 50": "1", "duration GET /a 53": "2", f"duration GET /a {len(bounds)}": "1"}
    there = {"duration GET /b 90": "5", "duration GET /b sum": "9"}
    samples = parse(exposition({"d": here, "e": there}).decode(), "d")
    buckets = [
        (float(dict(labels)["le"]), count) for (name, labels), count in samples.items() if name.endswith("_bucket")
    ]
    numbers = sorted({*range(0, len(bounds), OCTAVE), 49, 50, 52, 53, 89, 90})
    at = dict(buckets)

    assert [bound for bound, _ in buckets] == [*(float(f"{bounds[number]:.7g}") for number in numbers), math.inf]
    assert [count for _, count in buckets] == sorted(count for _, count in buckets)
    assert [at[float(f"{bounds[number]:.7g}")] for number in (49, 50, 53)] == [0, 1, 3]
    assert at[math.inf] == 4


def test_what_is_shown_has_its_limit_and_the_newest_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    bounds = len(METRICS["duration"].bounds)
    fields = {f"duration GET /{route} {bucket}": "1" for route in range(30) for bucket in range(bounds)}
    text = exposition(dict.fromkeys("abcdef", fields))

    assert len(text) <= EXPOSITION_BYTES_MAX
    assert parse(text.decode(), "a")
    assert not parse(text.decode(), "f")


@pytest.mark.parametrize("shape", ["lognormal", "bimodal", "narrow"])
def test_percentiles_that_are_read_off_are_within_5_percent(shape: str) -> None:
    draw = Random(shape)
    for center_s in (0.0004, 0.003, 0.021, 0.17, 1.3):
        samples_s = sorted(_drawn(draw, shape, center_s) for _ in range(2_000))
        deltas = Deltas()
        for value_s in samples_s:
            deltas.observe("duration GET /a", value_s, DURATION_BOUNDS_S)
        text = exposition({"d": {field: str(count) for field, count in deltas.counts.items()}}).decode()
        for share in (0.5, 0.9, 0.95, 0.99):
            exact_s = samples_s[math.ceil(share * len(samples_s)) - 1]

            assert abs(quantile(share, buckets_of(text, "warmthread_request_duration_seconds")) / exact_s - 1) < 0.05


@pytest.mark.parametrize(("factor", "found"), [(1.0, 0), (1.1, 4), (1 / 1.1, 4)])
def test_the_proof_finds_times_that_are_counted_ten_percent_off(factor: float, found: int) -> None:
    draw = Random("off")
    samples_s = [_drawn(draw, "bimodal", 0.003) for _ in range(2_000)]
    deltas = Deltas()
    for value_s in samples_s:
        deltas.observe("duration GET /a", factor * value_s, DURATION_BOUNDS_S)
    text = exposition({"d": {field: str(count) for field, count in deltas.counts.items()}}).decode()

    assert len(misread(samples_s, buckets_of(text, "warmthread_request_duration_seconds"))) == found


def _drawn(draw: Random, shape: str, center_s: float) -> float:
    if shape == "lognormal":
        return draw.lognormvariate(math.log(center_s), 0.8)
    spread = 0.1 if shape == "bimodal" else 0.001
    return center_s * (1 if draw.random() < 0.7 else 12) * math.exp(draw.gauss(0, spread))


def test_a_scrape_is_two_requests(
    deployment: str, client: httpx.Client, upstash: LocalUpstash, monkeypatch: pytest.MonkeyPatch, run: Any
) -> None:
    for number in range(3):
        run("ZADD", keys.METRICS_KEY, time.time(), f"d{number}")
    monkeypatch.setenv("WARMTHREAD_METRICS_FLUSH_S", "0")
    with running_instance() as url:
        upstash.reset()
        scrape(url, deployment)
        requests = upstash.requests
    run("ZREM", keys.METRICS_KEY, *(f"d{number}" for number in range(3)))

    assert requests == 2
