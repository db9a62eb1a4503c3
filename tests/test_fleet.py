"""The real service in a fleet: what its driver sees and does, and that nothing is left when it ends."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest

from scripts.faults.server import Fault
from scripts.platform.client import Control
from scripts.platform.fleet import Fleet
from scripts.platform.settings import ROOT, Deployment, FleetSettings

pytestmark = pytest.mark.unmeasured

DELAY_S = 0.02
HAS_PROC = Path("/proc/self/stat").exists()
WAIT_S = 20.0
QUIET = {"WARMTHREAD_METRICS_FLUSH_S": "0"}
"""A flush behind an answer would spoil what is counted of requests."""

ITEMS = {"items": [{"role": "user", "content": "Hello"}]}


@pytest.fixture(scope="module")
async def fleet() -> AsyncIterator[Fleet]:
    async with Fleet(Deployment(environment=QUIET), FleetSettings(delay_s=DELAY_S, logs=True)) as fleet:
        yield fleet


@pytest.fixture(scope="module")
async def client(fleet: Fleet) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"authorization": f"Bearer {fleet.key}"}
    async with httpx.AsyncClient(base_url=fleet.url, headers=headers, timeout=60) as client:
        yield client


def until(holds: Callable[[], object]) -> None:
    give_up_at_s = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < give_up_at_s
        time.sleep(0.01)


async def test_a_suspended_instance_answers_after_it_was_woken_from_its_own_memory(
    fleet: Fleet, client: httpx.AsyncClient
) -> None:
    made = (await client.post("/v1/conversations", json=ITEMS)).raise_for_status().json()
    path = f"/v1/conversations/{made['id']}/context?model=gpt-4o&format=chat"
    first = (await client.get(path)).raise_for_status()
    until(lambda: [each.suspended for each in fleet.control.state()] == [True])
    before = fleet.store
    second = (await client.get(path, headers={"cache-control": "max-age=60"})).raise_for_status()
    from_memory = fleet.store.requests - before.requests
    await client.post(f"/v1/conversations/{made['id']}/items", json=ITEMS)
    third = (await client.get(path)).raise_for_status()

    assert second.json() == first.json()
    assert from_memory == 0
    assert [each["content"] for each in third.json()["messages"]] == ["Hello", "Hello"]
    assert {answer.headers["x-fleet-instance"] for answer in (first, second, third)} == {
        "dpl_first/api/conversations#1"
    }


async def test_the_driver_sees_what_runs_and_what_was_asked_of_the_store(
    fleet: Fleet, client: httpx.AsyncClient
) -> None:
    before = fleet.store
    answer = (await client.post("/v1/conversations", json=ITEMS)).raise_for_status()
    [instance] = await fleet.state()
    store, counts = fleet.store, fleet.counts

    assert (instance.function, instance.deployment, instance.number) == ("/api/conversations", "dpl_first", 1)
    assert instance.age_s > 0
    assert (counts.cold_starts, counts.killed, counts.bad_gateways) == (1, 0, 0)
    assert counts.requests >= instance.requests > 0
    assert store.requests - before.requests == 1
    assert store.commands - before.commands > 1
    assert store.bytes_in - before.bytes_in > len(ITEMS["items"])
    assert float(re.findall(r"store;dur=([\d.]+)", answer.headers["server-timing"])[0]) >= DELAY_S * 1000
    assert fleet.control.events()[0].kind == "cold start"
    if HAS_PROC:
        assert instance.cpu_s > 0.1
        assert instance.resident_bytes > 10_000_000
    until(lambda: any('"route"' in line for line in fleet.control.logs()))


async def test_the_network_to_the_store_changes_when_it_is_told(fleet: Fleet, client: httpx.AsyncClient) -> None:
    network = fleet.network
    network.delay_s, network.jitter_s, network.bandwidth = 0.001, 0.002, 1e6
    assert (network.delay_s, network.jitter_s, network.bandwidth) == (0.001, 0.002, 1e6)
    network.fault = Fault.ERROR_500
    refused = await client.post("/v1/conversations", json=ITEMS)
    assert network.fault is Fault.ERROR_500
    network.fault, network.faults = Fault.NONE, [Fault.CLOSE]
    assert network.faults == (Fault.CLOSE,)
    network.faults = []
    network.end_half_way(3)
    network.end_half_way(None)
    network.leave()
    away = await client.post("/v1/conversations", json=ITEMS)
    network.come_back()

    assert (refused.status_code, away.status_code) == (503, 503)
    until(lambda: httpx.get(f"{fleet.url}/v1/conversations", headers=client.headers).status_code == 200)


async def test_what_is_wrong_with_an_order_is_said_and_nothing_happens(fleet: Fleet) -> None:
    for wrong in (
        lambda: fleet.control.kill(1),
        lambda: fleet.control.roll(Deployment("dpl_nowhere", Path("/nowhere")), 0.5),
        lambda: fleet.control.roll(Deployment("dpl_first"), 0.5),
        lambda: fleet.control.ask("POST", "/network", {"delay_s": -1}),
        lambda: fleet.control.ask("POST", "/network", {"dealy_s": 1}),
        lambda: fleet.control.ask("POST", "/nothing"),
    ):
        with pytest.raises(ValueError, match="the fleet refused"):
            wrong()

    assert fleet.control.shares() == {"dpl_first": 1.0}


async def test_a_kill_and_a_roll_lose_nothing_that_was_acknowledged(fleet: Fleet, client: httpx.AsyncClient) -> None:
    made = (await client.post("/v1/conversations", json=ITEMS)).raise_for_status().json()
    [instance] = await fleet.state()
    await fleet.kill(instance.pid)
    until(lambda: fleet.counts.killed == 1)
    again = (await client.get(f"/v1/conversations/{made['id']}/items")).raise_for_status()
    await fleet.roll(Deployment("dpl_second", environment=QUIET), 1.0)
    rolled = (await client.get(f"/v1/conversations/{made['id']}/items")).raise_for_status()

    assert again.headers["x-fleet-cold"] == "1"
    assert len(again.json()["data"]) == len(rolled.json()["data"]) == 1
    assert rolled.headers["warmthread-deployment"] == "dpl_second"
    assert fleet.control.shares() == {"dpl_second": 1.0}
    until(lambda: [each.deployment for each in fleet.control.state()] == ["dpl_second"])
    ended = fleet.counts.ended
    fleet.control.end((await fleet.state())[0].pid)
    until(lambda: fleet.counts.ended == ended + 1)


async def test_the_warming_cron_reaches_the_functions_through_the_router(
    fleet: Fleet, client: httpx.AsyncClient
) -> None:
    before = fleet.counts.requests
    warmed = await client.get("/api/cron/warm", headers={"authorization": f"Bearer {fleet.secrets['CRON_SECRET']}"})

    assert warmed.raise_for_status().json()["instance"] == 200
    assert fleet.counts.requests == before + 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_whoever_ends_the_script_leaves_no_process(number: signal.Signals) -> None:
    command = [sys.executable, "-m", "scripts.platform", "--port", "0", "--suspend-after", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True) as script:
        assert script.stdout is not None
        url, key, control, *_ = (script.stdout.readline().split()[-1] for _ in range(3))
        answer = httpx.get(f"{url}/v1/conversations", headers={"authorization": f"Bearer {key}"}, timeout=WAIT_S)
        [instance] = Control(control).state()
        until(lambda: Control(control).state()[0].suspended)
        children = descendants(script.pid)
        os.kill(script.pid, number)
        assert script.wait(WAIT_S) == (0 if number is signal.SIGINT else -signal.SIGKILL)

    assert answer.status_code == 200
    assert {instance.pid} < children
    until(lambda: not [pid for pid in children if is_running(pid)])


def test_the_schedule_is_printed_the_same_twice() -> None:
    command = [sys.executable, "-m", "scripts.platform", "--seed", "1", "--kill-every", "60", "--print-schedule"]
    first, second = (subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True) for _ in range(2))

    assert first.stdout == second.stdout
    assert "kill" in first.stdout


def descendants(pid: int) -> set[int]:
    """Return the processes that come from *pid*, itself left out."""
    rows = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout.splitlines()
    parents = {int(own): int(parent) for own, parent in (row.split() for row in rows)}
    found, more = set[int](), {pid}
    while more:
        more = {own for own, parent in parents.items() if parent in more} - found
        found |= more
    return found


def is_running(pid: int) -> bool:
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return bool(state.strip()) and not state.startswith("Z")
