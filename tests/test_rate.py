"""A tenant's rate: what is granted in sum, what a refusal says and does, what unlimited tenants pay for it."""

import asyncio
import math
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from scripts.faults.server import Fault, FaultyServer
from scripts.local.upstash import LocalUpstash
from shared.environment import read_settings
from shared.errors import RateExceeded
from shared.request.caller import Caller, read_key
from shared.request.invocation import CURRENT, Invocation
from shared.request.permits import Permits
from shared.request.roles import READ
from shared.store.keys import tenant_key
from shared.store.upstash import Store

pytestmark = pytest.mark.timing

ROOT = Path(__file__).parents[1]
HOUR_S = 3_600
MAX_AGE = {"cache-control": "max-age=60"}
Behind = Callable[..., httpx.Client]
MESSAGE = {"items": [{"role": "user", "content": "hello"}]}


def test_a_refusal_says_when_to_come_back_in_every_clients_way(api: httpx.Client, limit: Any) -> None:
    limit("6 2")
    first, second, refused = (api.get("/v1/conversations") for _ in range(3))

    assert [first.status_code, second.status_code, refused.status_code] == [200, 200, 429]
    assert first.headers["ratelimit-policy"] == '"burst";q=2;w=20, "requests";q=6;w=60'
    assert first.headers["ratelimit"] == '"burst";r=1;t=10'
    assert second.headers["ratelimit"].startswith('"burst";r=0;t=')
    assert 1 <= int(refused.headers["retry-after"]) <= 10
    assert 0 < int(refused.headers["retry-after-ms"]) <= 10_000
    assert refused.headers["ratelimit"] == f'"burst";r=0;t={refused.headers["retry-after"]}'
    problem = refused.json()
    assert problem["type"] == "https://iana.org/assignments/http-problem-types#quota-exceeded"
    assert (problem["violated-policies"], problem["error"]["code"]) == (["burst"], "rate_limit_exceeded")


def test_a_refused_tenant_is_refused_from_memory(api: httpx.Client, upstash: LocalUpstash, limit: Any) -> None:
    limit("6 1")
    assert [api.get("/v1/conversations").status_code for _ in range(2)] == [200, 429]
    upstash.reset()

    assert [api.get("/v1/conversations").status_code for _ in range(5)] == [429] * 5
    assert upstash.requests == 0


def test_a_refused_write_changes_nothing(api: httpx.Client, limit: Any, stored: Any, make_api: Any) -> None:
    conversation = api.post("/v1/conversations", json=MESSAGE).json()["id"]
    before = stored(conversation)
    limit("1 1")
    assert make_api().get("/v1/conversations").status_code == 200
    refused = api.post(f"/v1/conversations/{conversation}/items", json=MESSAGE)

    assert refused.status_code == 429
    assert stored(conversation) == before


def test_a_limit_set_for_a_tenant_that_had_none_holds_with_the_next_request(api: httpx.Client, limit: Any) -> None:
    assert "ratelimit" not in api.get("/v1/conversations").headers
    limit("60 1")

    assert [api.get("/v1/conversations").status_code for _ in range(2)] == [200, 429]


def test_a_tenant_without_a_rate_pays_nothing_for_it(
    upstash: LocalUpstash, billed_commands: Callable[[], int], make_api: Callable[[], httpx.Client]
) -> None:
    cold = make_api()
    costs = []
    for _ in range(2):
        before = billed_commands()
        upstash.reset()
        assert cold.get("/v1/conversations").status_code == 200
        costs.append((upstash.requests, billed_commands() - before))

    assert costs == [(1, 3), (1, 3)]


def test_a_rate_costs_two_commands_and_no_request(
    api: httpx.Client, upstash: LocalUpstash, billed_commands: Callable[[], int], limit: Any
) -> None:
    limit("600 100")
    before = billed_commands()
    upstash.reset()
    assert api.get("/v1/conversations").status_code == 200

    assert (upstash.requests, billed_commands() - before) == (1, 3 + 2)


def test_answers_from_memory_take_permits_too_and_soon_ask_for_few(
    api: httpx.Client, upstash: LocalUpstash, limit: Any
) -> None:
    conversation = api.post("/v1/conversations", json=MESSAGE).json()["id"]
    limit("6000 1000")
    url = f"/v1/conversations/{conversation}/context?budget=500"
    assert api.get(url).status_code == 200
    upstash.reset()
    answers = [api.get(url, headers=MAX_AGE) for _ in range(100)]

    assert {answer.status_code for answer in answers} == {200}
    assert all(answer.headers["cache-status"].endswith("L0") for answer in answers)
    assert upstash.requests < 30  # A lot lives as long as it takes to earn: how many there are depends on the machine.


def test_answers_from_memory_are_refused_as_all_others(api: httpx.Client, limit: Any) -> None:
    conversation = api.post("/v1/conversations", json=MESSAGE).json()["id"]
    limit("6 3")
    url = f"/v1/conversations/{conversation}/context?budget=500"

    assert [api.get(url, headers=MAX_AGE).status_code for _ in range(5)] == [200, 200, 200, 429, 429]


def test_calls_that_share_a_load_take_a_permit_each(service_url: str, key: str, limit: Any) -> None:
    async def burst() -> list[int]:
        headers = {"authorization": f"Bearer {key}"}
        async with httpx.AsyncClient(base_url=service_url, headers=headers, timeout=30) as client:
            conversation = (await client.post("/v1/conversations", json=MESSAGE)).json()["id"]
            limit("6 5")
            url = f"/v1/conversations/{conversation}/context?budget=500"
            return [answer.status_code for answer in await asyncio.gather(*(client.get(url) for _ in range(20)))]

    assert sorted(asyncio.run(burst())) == [200] * 5 + [429] * 15


def test_a_stranger_cannot_use_up_a_tenants_permits(api: httpx.Client, key: str, limit: Any) -> None:
    limit("6 2")
    for _ in range(5):
        assert api.get("/v1/conversations", headers={"authorization": f"Bearer {key}x"}).status_code == 401

    assert [api.get("/v1/conversations").status_code for _ in range(3)] == [200, 200, 429]


async def admitted(upstash: LocalUpstash, key: str, instances: int, shifts_s: list[float]) -> int:
    """Return how many requests pass that *instances* send as fast as they can at each shift of the clock."""
    caller, count = read_key(key), 0
    store = Store(read_settings())
    for shift_s in shifts_s:
        upstash.clock_shift_s = shift_s
        for _ in range(instances):
            count += await _until_refused(store, Permits(), caller)
    await store.close()
    return count


async def _until_refused(store: Store, permits: Permits, caller: Caller) -> int:
    """Return how many of *caller*'s requests pass until one is refused, or for half a second of the machine's clock."""
    count, ends_at_s = 0, time.monotonic() + 0.5
    while time.monotonic() < ends_at_s:
        invocation = Invocation(permits)
        token = CURRENT.set(invocation)
        try:
            invocation.begin(caller, READ)
            if not invocation.is_admitted:
                await store.eval("key", [tenant_key(caller.tenant)], [caller.key_hash])
        except RateExceeded:
            return count
        finally:
            CURRENT.reset(token)
        count += 1
    return count


@pytest.mark.parametrize(("per_minute", "burst"), [(60, 5), (600, 100), (7_000, 3), (59_999, 20), (1, 1)])
async def test_in_sum_over_instances_the_burst_and_what_time_earns_is_granted(
    clock: LocalUpstash, key: str, limit: Any, per_minute: int, burst: int
) -> None:
    limit(f"{per_minute} {burst}")
    shifts_s = [HOUR_S + 7.3 * step for step in range(6)]
    begun_at_s = time.monotonic()
    count = await admitted(clock, key, 3, shifts_s)
    earned = 5 * min(burst, 7.3 * per_minute / 60)

    # The machine's own clock goes on meanwhile.
    earned_meanwhile = per_minute / 60 * (time.monotonic() - begun_at_s)
    assert math.floor(burst + earned) - 5 <= count <= burst + earned + earned_meanwhile


async def test_a_clock_that_is_set_back_locks_nobody_out(clock: LocalUpstash, key: str, limit: Any) -> None:
    limit("60 5")
    before = await admitted(clock, key, 1, [HOUR_S])
    after = await admitted(clock, key, 1, [0, 10])

    assert (before, after) == (5, 5)


@pytest.mark.parametrize(("setting", "statuses"), [("closed", [503, 503]), ("open", [200, 200])])
def test_with_the_store_away_the_rate_admits_by_its_setting(
    server: FaultyServer, behind: Behind, limit: Any, setting: str, statuses: list[int]
) -> None:
    client = behind(store_timeout_s=0.2, rate_outage=setting)
    conversation = client.post("/v1/conversations", json=MESSAGE).json()["id"]
    path = f"/v1/conversations/{conversation}/context?budget=500"
    limit("60 50")
    assert client.get(path).status_code == 200
    server.fault = Fault.ERROR_500

    assert [client.get(path, headers=MAX_AGE).status_code for _ in range(2)] == statuses


def test_a_tenant_without_a_rate_is_served_from_memory_while_the_store_is_away(
    server: FaultyServer, behind: Behind
) -> None:
    client = behind()
    conversation = client.post("/v1/conversations", json=MESSAGE).json()["id"]
    path = f"/v1/conversations/{conversation}/context?budget=500"
    assert client.get(path).status_code == 200
    server.fault = Fault.ERROR_500

    assert client.get(path, headers=MAX_AGE).status_code == 200


def test_a_stranger_with_a_large_body_is_refused_before_it_is_read(
    service_url: str, upstash: LocalUpstash, key: str
) -> None:
    body = b'{"items":[{"role":"user","content":"' + b"word " * 200_000 + b'"}]}'
    upstash.reset()
    with httpx.Client(base_url=service_url, headers={"authorization": f"Bearer {key}x"}) as stranger:
        answer = stranger.post("/v1/conversations", content=body)

    assert answer.status_code == 401
    assert upstash.requests == 1


def test_instances_in_processes_of_their_own_keep_a_rate_together() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "scripts.proving", "rate", "--seconds", "3", "--instances", "3", "--share", "0.5"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        timeout=120,
    )

    assert done.returncode == 0, done.stdout + done.stderr


WRONG = {"items": [{"role": "bogus", "content": "x" * 100_000}]}


def test_requests_that_are_found_to_be_wrong_take_permits_too(
    api: httpx.Client, upstash: LocalUpstash, limit: Any
) -> None:
    limit("1 5")
    upstash.reset()
    statuses = [api.post("/v1/conversations", json=WRONG).status_code for _ in range(20)]

    assert 429 not in statuses[:5]
    assert statuses[5:] == [429] * 15
    assert upstash.requests == 6  # From then on memory refuses.


def test_a_refusal_that_cannot_be_counted_stays_what_it_is(server: FaultyServer, behind: Behind, limit: Any) -> None:
    client = behind(store_timeout_s=0.2)
    limit("60 50")
    assert client.get("/v1/conversations").status_code == 200
    first = client.post("/v1/conversations", json=WRONG)
    server.fault = Fault.ERROR_500
    answers = [client.post("/v1/conversations", json=WRONG) for _ in range(8)]

    assert {answer.status_code for answer in answers} == {first.status_code}
    assert first.status_code < 429
