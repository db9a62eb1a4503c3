"""GET /api/metrics: closed to strangers, readable by Prometheus' own parser, and the sum of all instances."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from scripts.faults.server import FaultyServer
from scripts.local.upstash import LocalUpstash
from shared.store import keys
from shared.telemetry.fleet import exposition
from shared.telemetry.metrics import METRICS
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
    fields |= {"lag_max": "5 7000 9000", "resident_max": "1 5 6"}
    samples = parse(exposition({"d": fields}, 6 * 600), "d")

    assert samples == {
        ("warmthread_reads_total", frozenset({("tier", "L1")})): 2.0,
        ("warmthread_loop_lag_max_seconds", frozenset()): 0.007,
    }


def test_buckets_are_cumulative_and_complete() -> None:
    fields = {"duration GET /a 0": "1", "duration GET /a 3": "2", "duration GET /a 18": "1", "duration GET /a sum": "9"}
    samples = parse(exposition({"d": fields}), "d")
    buckets = [
        (float(dict(labels)["le"]), count) for (name, labels), count in samples.items() if name.endswith("_bucket")
    ]

    assert [bound for bound, _ in buckets] == [*METRICS["duration"].bounds, float("inf")]
    assert [count for _, count in buckets] == [1, 1, 1, *[3] * 15, 4]


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
