"""What a burst counted is handed over though nothing comes after it, and nobody waits for that."""

import asyncio
import math
import os
import signal
from collections.abc import AsyncIterator, Callable

import pytest

from scripts.local.launching import invocation
from scripts.local.upstash import LocalUpstash
from scripts.measuring.environment import ROOT
from scripts.measuring.launched import launched
from scripts.proving.metrics.command import Plan, experiment, violations
from shared.environment import read_settings
from shared.process.ending import Ending
from shared.store.upstash import Store
from shared.telemetry.telemetry import Ended, Sources, Telemetry
from tests.instances import client_of, running_instance

USAGE = Ended("GET", "/v1/usage", 200, "", "", 0.001, 0.001)
LIST = "requests GET /v1/conversations 2xx"
STOP_S = 8


class Instance:
    """The telemetry of one that has handed over a moment ago, and what ends it."""

    def __init__(self, store: Store, **settings: object) -> None:
        named = {f"WARMTHREAD_{name.upper()}": str(value) for name, value in settings.items()}
        self.ending = Ending()
        self.telemetry = Telemetry(store, read_settings({**os.environ, **named}), Sources(dict, dict), 0, self.ending)

    async def begin(self) -> "Instance":
        await self.telemetry.hand_over()
        self.telemetry.record(USAGE)
        return self


@pytest.fixture
async def store(upstash: LocalUpstash, deployment: str) -> AsyncIterator[Store]:
    store = Store(read_settings())
    yield store
    await store.close()


async def test_one_request_waits_for_all_and_ends_with_the_process(
    store: Store, kept: Callable[[], dict[str, str]]
) -> None:
    instance = await Instance(store, metrics_flush_s=50, metrics_hold_s=50).begin()
    telemetry = instance.telemetry
    is_first = telemetry.is_to_be_handed_over(math.inf)
    waiting = asyncio.create_task(telemetry.hand_over())
    await asyncio.sleep(0)
    telemetry.record(USAGE)
    is_second = telemetry.is_to_be_handed_over(math.inf)
    instance.ending.tell()
    await waiting

    assert (is_first, is_second) == (True, False)
    assert kept()["requests GET /v1/usage 2xx"] == "2"


async def test_where_one_that_waits_is_given_up_the_next_one_does(store: Store) -> None:
    instance = await Instance(store, metrics_flush_s=50, metrics_hold_s=50).begin()
    waiting = asyncio.create_task(instance.telemetry.hand_over())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)

    assert instance.telemetry.is_to_be_handed_over(math.inf)


async def test_while_counts_are_handed_over_another_may_wait_for_the_next_time(store: Store) -> None:
    instance = await Instance(store, metrics_flush_s=50, metrics_hold_s=50).begin()
    instance.ending.tell()
    handing_over = asyncio.create_task(instance.telemetry.hand_over())
    await asyncio.sleep(0)
    is_done, may_wait = handing_over.done(), instance.telemetry.is_to_be_handed_over(math.inf)
    await handing_over

    assert (is_done, may_wait) == (False, True)


@pytest.mark.parametrize(
    ("hold_s", "left_s", "waits"),
    [(50, math.inf, True), (50, 60, True), (50, 20, False), (0, 60, False), (20, 60, False)],
)
async def test_nobody_waits_for_longer_than_it_may(store: Store, hold_s: int, left_s: float, waits: bool) -> None:
    instance = await Instance(store, metrics_flush_s=50, metrics_hold_s=hold_s).begin()

    assert instance.telemetry.is_to_be_handed_over(left_s) is waits


def test_a_burst_is_counted_though_nothing_comes_after_it(
    deployment: str, key: str, kept: Callable[[], dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WARMTHREAD_METRICS_FLUSH_S", "1")
    with running_instance() as url, client_of(url, key) as client:
        for _ in range(5):
            assert client.get("/v1/conversations").status_code == 200
        while kept().get(LIST) != "5":
            pass


def test_the_launcher_hears_of_the_end_once_counts_are_handed_over_and_a_server_that_ends_does_not_wait(
    upstash: LocalUpstash, deployment: str, key: str, kept: Callable[[], dict[str, str]]
) -> None:
    held = {"WARMTHREAD_METRICS_FLUSH_S": "60", "WARMTHREAD_METRICS_HOLD_S": "60", "WARMTHREAD_MAX_DURATION_S": "300"}
    with launched(ROOT, "api/conversations.py", held) as instance, client_of(instance.url, key) as client:
        for number in "abc":  # On one connection.
            assert client.get("/v1/conversations", headers=invocation(number)).status_code == 200
        while not {"a", "c"} <= instance.ended.keys():
            pass
        before, ended = kept()[LIST], set(instance.ended)
        instance.process.send_signal(signal.SIGTERM)
        instance.process.wait(STOP_S)
        while "b" not in instance.ended:
            pass

    assert (before, ended) == ("1", {"a", "c"})
    assert kept()[LIST] == "3"


def test_the_metrics_say_what_the_load_counted_though_instances_are_killed(
    upstash: LocalUpstash, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = Plan(instances=1, callers=2, seconds=3, flush_s=1, delay_ms=5)
    seen = asyncio.run(experiment(plan))

    assert violations(plan, seen) == []
    assert len(seen.killed) == 1
