"""Permits by weight: what costs the store more takes more, never more than a burst, and leaves the rest to others."""

import asyncio
import time
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

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

HOUR_S = 3_600
FORK_PERMITS, FILTERED_PERMITS = 20, 5


def test_what_costs_the_store_more_takes_more_permits(api: httpx.Client, conversation: str, limit: Any) -> None:
    fork, filtered = f"/v1/conversations/{conversation}/fork", {"metadata[a]": "b"}
    limit(f"6 {2 * FORK_PERMITS + FILTERED_PERMITS + 2}")
    heavy = [api.post(fork).status_code for _ in range(3)]
    left = [api.get("/v1/conversations", params=filtered).status_code for _ in range(2)]
    light = [api.get("/v1/conversations").status_code for _ in range(4)]

    assert heavy == [200, 200, 429]
    assert left == [200, 429]
    assert light == [200, 200, 429, 429]


def test_a_request_takes_no_more_than_a_burst(api: httpx.Client, conversation: str, limit: Any) -> None:
    limit("6 3")
    answers = [api.post(f"/v1/conversations/{conversation}/fork") for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 429]
    assert answers[0].headers["ratelimit"].startswith('"burst";r=0;')
    assert "counts as 3" in answers[1].json()["detail"]


async def test_heavy_requests_that_are_refused_leave_permits_to_light_ones(
    clock: LocalUpstash, key: str, limit: Any
) -> None:
    caller, store, permits = read_key(key), Store(read_settings()), Permits()
    limit("60 20")
    weights = (8, 8, 8, 1, 8, 1, 1, 1, 1, 100)
    granted = [await _is_granted(store, permits, caller, weight) for weight in weights]
    await store.close()

    assert granted == [True, True, False, True, False, True, True, True, False, False]


async def _is_granted(store: Store, permits: Permits, caller: Caller, weight: int) -> bool:
    invocation = Invocation(permits)
    token = CURRENT.set(invocation)
    try:
        invocation.begin(caller, READ, weight)
        if not invocation.is_admitted:
            await store.eval("key", [tenant_key(caller.tenant)], [caller.key_hash])
    except RateExceeded:
        return False
    finally:
        CURRENT.reset(token)
    return True


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    per_minute=st.integers(1, 6_000),
    burst=st.integers(1, 60),
    steps=st.lists(st.tuples(st.integers(1, 70), st.sampled_from([0.0, 0.5, 3.0])), min_size=5, max_size=25),
)
def test_weights_in_sum_never_exceed_what_is_earned(
    clock: LocalUpstash, key: str, limit: Any, per_minute: int, burst: int, steps: list[tuple[int, float]]
) -> None:
    """Of two instances, whatever they ask for."""

    async def taken() -> tuple[int, float]:
        caller, store, count = read_key(key), Store(read_settings()), 0
        instances = [Permits(), Permits()]
        clock.clock_shift_s = HOUR_S
        began_at_s = time.monotonic()
        for number, (weight, pause_s) in enumerate(steps):
            clock.clock_shift_s += pause_s
            granted = await _is_granted(store, instances[number % 2], caller, weight)
            count += min(weight, burst) if granted else 0
        await store.close()
        return count, clock.clock_shift_s - HOUR_S + time.monotonic() - began_at_s

    limit(f"{per_minute} {burst}")
    count, took_s = asyncio.run(taken())

    assert count <= burst + per_minute / 60 * took_s + 1e-6
