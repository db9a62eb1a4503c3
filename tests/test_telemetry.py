"""What an instance counts and hands over: each thing once, within limits, nothing of its callers."""

import asyncio
import math
import os
import re
from bisect import bisect_left
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from scripts.faults.server import Fault, FaultyServer
from scripts.local.upstash import LocalUpstash
from shared.config import Settings
from shared.environment import read_settings
from shared.errors import StoreUnavailable
from shared.process.ending import Ending
from shared.store import keys
from shared.store.upstash import Store
from shared.telemetry import series
from shared.telemetry.deltas import Deltas
from shared.telemetry.metrics import METRICS
from shared.telemetry.telemetry import Ended, Sources, Telemetry
from tests.instances import client_of, running_instance

ROOT = Path(__file__).parents[1]
MIB = 1_048_576


@pytest.fixture
def server(upstash: LocalUpstash, deployment: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyServer]:
    """What the test takes for the store: it counts and misbehaves."""
    with FaultyServer(upstash.url) as server:
        monkeypatch.setenv("UPSTASH_REDIS_REST_URL", server.url)
        monkeypatch.setenv("WARMTHREAD_STORE_TIMEOUT_S", "0.5")
        yield server


def instance(store: Store, settings: Settings, totals: dict[str, int] | None = None) -> Telemetry:
    sources = Sources(lambda: totals or {}, lambda: {"resident_max": 64 * MIB})
    return Telemetry(store, settings, sources, 0.25, Ending())


def note(telemetry: Telemetry, times: int = 1) -> None:
    for _ in range(times):
        telemetry.record(Ended("GET", "/v1/usage", 200, "L1", "", 0.002, 0.003))


@pytest.fixture
async def telemetry(server: FaultyServer) -> AsyncIterator[Telemetry]:
    """That of an instance which has *server* as its store."""
    settings = read_settings()
    store = Store(settings)
    yield instance(store, settings)
    await store.close()


USAGE = "requests GET /v1/usage 2xx"


async def test_what_two_instances_count_adds_up_each_thing_once(
    deployment: str, kept: Callable[[], dict[str, str]]
) -> None:
    settings = read_settings()
    store, totals = Store(settings), {"store ok": 5}
    first, second = instance(store, settings, totals), instance(store, settings)
    note(first, 3)
    note(second, 2)
    await asyncio.gather(first.flush(), second.flush())
    totals["store ok"] = 7
    note(first)
    await first.flush()
    await store.close()
    fields = kept()

    assert fields[USAGE] == "6"
    assert fields["reads L1"] == "6"
    assert fields["instances"] == "2"
    assert fields["store ok"] == "7"
    bucket = bisect_left(series.DURATION_BOUNDS_S, 0.003)
    assert (fields[f"duration GET /v1/usage {bucket}"], fields["duration GET /v1/usage sum"]) == ("6", "18000")
    assert fields["cold_start sum"] == "504000"


async def test_a_flush_that_was_not_stored_goes_with_the_next_one(
    server: FaultyServer, telemetry: Telemetry, kept: Callable[[], dict[str, str]]
) -> None:
    note(telemetry, 2)
    server.leave()
    with pytest.raises(StoreUnavailable):
        await telemetry.flush()
    server.come_back()
    note(telemetry)
    await telemetry.flush()

    assert kept()[USAGE] == "3"


async def test_a_flush_whose_answer_was_lost_is_not_sent_again(
    server: FaultyServer, telemetry: Telemetry, kept: Callable[[], dict[str, str]]
) -> None:
    note(telemetry, 2)
    server.faults.append(Fault.CLOSE)
    with pytest.raises(StoreUnavailable):
        await telemetry.flush()
    sent = server.requests
    note(telemetry)
    await telemetry.flush()

    assert sent == 1
    assert kept()[USAGE] == "3"  # 2 that arrived though their answer did not, and 1.


async def test_a_flush_is_due_at_once_and_then_after_its_interval(upstash: LocalUpstash, deployment: str) -> None:
    settings, now_s = read_settings({**os.environ, "WARMTHREAD_METRICS_HOLD_S": "0"}), 1_000_000.0
    store = Store(settings)
    telemetry = Telemetry(store, settings, Sources(dict, dict), 0, Ending(), lambda: now_s)

    async def is_due() -> bool:
        if is_due := telemetry.is_to_be_handed_over(math.inf):
            await telemetry.hand_over()
        return is_due

    due = [await is_due(), await is_due()]
    now_s += settings.metrics_flush_s - 1
    due.append(await is_due())
    now_s += 1
    due.append(await is_due())
    await store.close()

    assert due == [True, False, False, True]


def test_an_instance_keeps_no_more_series_than_its_limit() -> None:
    deltas = Deltas(series_max=3)
    for name in "abcab":
        deltas.count(name)
    deltas.raise_to("d", 1)
    deltas.count("e", 2)

    assert (deltas.counts, deltas.maxima) == ({"a": 2, "b": 2, "c": 1, "dropped": 2}, {})


async def test_a_deployment_keeps_no_more_series_than_its_limit(
    deployment: str, kept: Callable[[], dict[str, str]]
) -> None:
    store = Store(read_settings())
    arguments: list[str | int] = [deployment, 0, 60, 600, 4, 20, 5, 0, "a", 1, "b", 1, "c", 1, "d", 1, "e", 9]
    names = [keys.metrics_key(deployment), keys.METRICS_KEY]
    replies = [await store.eval("metrics", names, arguments) for _ in range(2)]
    await store.close()

    assert replies == [["ok", "1"], ["ok", "1"]]
    assert {name for name in kept() if name != "seen"} == {"a", "b", "c", "d"}


async def test_maxima_are_those_of_two_windows(deployment: str, kept: Callable[[], dict[str, str]]) -> None:
    store = Store(read_settings())
    names, seen = [keys.metrics_key(deployment), keys.METRICS_KEY], []
    for now_s, value in ((600, 5), (700, 3), (1_250, 4), (1_100, 9), (1_800, 1), (6_000, 2)):
        await store.eval("metrics", names, [deployment, now_s, 60, 600, 10, 20, 0, 1, "m", value])
        seen.append(kept()["m"])
    await store.close()

    assert seen == ["1 5 0", "1 5 0", "2 4 5", "2 9 5", "3 1 9", "10 2 0"]


async def test_what_is_kept_ends_and_so_does_the_number_of_deployments(
    deployment: str, run: Callable[..., Any]
) -> None:
    store, name = Store(read_settings()), keys.metrics_key(deployment)
    index = f"{keys.METRICS_KEY}:test:{deployment}"
    for number in range(5):
        await store.eval("metrics", [name, index], [f"d{number}", 10_000 * number, 60, 600, 10, 3, 1, 0, "a", 1])
    await store.close()

    assert run("ZRANGE", index, 0, -1) == ["d2", "d3", "d4"]
    assert 0 < run("TTL", index) <= 60
    assert 0 < run("TTL", name) <= 60


def test_a_usual_flush_is_one_request_and_three_commands(
    deployment: str, upstash: LocalUpstash, billed_commands: Callable[[], int]
) -> None:
    settings = read_settings()

    async def flush_twice() -> tuple[int, int]:
        store = Store(settings)
        telemetry = instance(store, settings)
        note(telemetry)
        await telemetry.flush()
        note(telemetry)
        before = billed_commands()
        upstash.reset()
        await telemetry.flush()
        requests = upstash.requests
        await store.close()
        return requests, billed_commands() - before

    # A second flush names no series that is new but those of lag.
    assert asyncio.run(flush_twice()) in ((1, 3), (1, 4))


def test_behind_its_first_answer_an_instance_asks_for_nothing_more(
    deployment: str,
    make_api: Callable[[], httpx.Client],
    upstash: LocalUpstash,
    kept: Callable[[], dict[str, str]],
) -> None:
    client = make_api()
    client.get("/v1/usage")
    while not kept():
        pass
    upstash.reset()
    for _ in range(5):
        assert client.get("/v1/usage").status_code == 200

    assert upstash.requests == 5


def test_labels_hold_nothing_that_a_caller_sent(
    deployment: str, key: str, tenant: str, kept: Callable[[], dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WARMTHREAD_METRICS_FLUSH_S", "1")
    with running_instance() as url, client_of(url, key) as client:
        items = {"items": [{"role": "user", "content": "a secret word"}]}
        conversation = client.post("/v1/conversations", json=items).json()["id"]
        client.get(f"/v1/conversations/{conversation}/items?metadata[secret]=word")
        client.get(f"/v1/conversations/{conversation}/context", headers={"cache-status": "x; detail=secret"})
        client.request("SECRET", "/v1/conversations/secret/secret/secret/secret")
        client.get("/v1/documents/secret/path.txt")
        until_flushed(client, kept)
    text = "\n".join(f"{name} {value}" for name, value in kept().items())

    assert "requests GET /v1/conversations/{conversation_id}/items" in text
    for word in (tenant, key, key.rpartition("_")[2], conversation, "secret", "path.txt"):
        assert word not in text
    for name in kept():
        assert re.fullmatch(rf"seen|({'|'.join(METRICS)})( [\w/{{}}.-]+)*", name)


def until_flushed(client: httpx.Client, kept: Callable[[], dict[str, str]]) -> None:
    """Ask until all that was counted before has been handed over."""
    begun = int(kept().get("requests GET /v1/conversations 2xx", "0"))
    while int(kept().get("requests GET /v1/conversations 2xx", "0")) == begun:
        assert client.get("/v1/conversations").status_code == 200


def test_no_label_is_made_of_a_request() -> None:
    """Whatever is counted by name is counted in few places, from templates, sets and constants."""
    counting = re.compile(r"(?:deltas|self)\.(?:count|observe|raise_to|note)\((.*)")
    calls = {
        argument.strip()
        for path in (ROOT / "shared/telemetry").glob("*.py")
        for argument in counting.findall(path.read_text())
    }

    assert calls <= {
        '"instances")',
        'f"requests {series} {status_class(ended.status)}")',
        'f"duration {series}", ended.took_s, DURATION_BOUNDS_S)',
        'f"reads {ended.tier}")',
        'f"young_duration {age} {series}", ended.took_s, DURATION_BOUNDS_S)',
        'f"reads_by_age {age} {PARTIAL if ended.is_partial else ended.tier}")',
        'f"requests_by_age {age}", answered - number)',
        'f"resident_growth {age} {direction}", abs(grown_bytes))',
        'f"refusals {ended.reason if ended.reason in REASONS else OTHER}")',
        '"cold_start", self._ready_s + ended.first_s, DURATION_BOUNDS_S)',
        'f"budget_used {window}", share)',
        'f"cron_duration {cron}", now_unix_s, round(took_s * 1e6))',
        'f"cron_failures {cron}")',
        'f"cron_last_run {cron}", now_unix_s, now_unix_s)',
        'f"{series} {bisect_left(bounds_s, value_s)}")',
        'f"{series} sum", round(value_s * 1e6))',
        "field, times)",
        "field, value)",
        "field, level)",
        "field, at_unix_s, value)",
        '"lag_max", round(lag.max_ms * 1_000))',
    }


async def test_the_loop_is_watched_only_while_requests_are_under_way(
    deployment: str, kept: Callable[[], dict[str, str]]
) -> None:
    settings = read_settings()
    store = Store(settings)
    telemetry = instance(store, settings)
    await asyncio.sleep(0.02)
    telemetry.begin()
    telemetry.begin()
    telemetry.end()
    held_until_s = asyncio.get_running_loop().time() + 0.03
    while asyncio.get_running_loop().time() < held_until_s:
        pass
    telemetry.end()  # The loop had no turn since.
    await asyncio.sleep(0.02)
    await telemetry.flush()
    await store.close()
    fields = kept()
    looks = sum(int(value) for name, value in fields.items() if re.fullmatch(r"lag \d+", name))

    assert looks == 1
    assert 24_000 <= int(fields["lag_max"].split()[1]) == int(fields["lag sum"])
