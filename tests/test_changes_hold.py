"""What is changed of a tenant holds for answers from memory within 5 s, without anybody telling the instances."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from scripts.local.upstash import LocalUpstash
from shared.conversations.conversation import Conversation
from shared.conversations.history import History
from shared.conversations.needs import Need
from shared.environment import read_settings
from shared.errors import RateExceeded, Unauthorized
from shared.request.caller import read_key
from shared.request.freshness import Freshness, Tier
from shared.request.invocation import CURRENT, Invocation
from shared.request.permits import KNOWN_S, Permits
from shared.request.roles import READ
from shared.store.keys import tenant_key
from shared.store.upstash import Store
from tests.clocks import ManualClock

OLD = Freshness(max_age_s=3_600)
Read = Callable[[], Awaitable[Tier]]


@pytest.fixture
def time() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def read(conversation: str, key: str, time: ManualClock) -> AsyncIterator[Read]:
    """Read a conversation as one instance does whose caller takes an answer of any age; return what answered."""
    caller = read_key(key)
    store = Store(read_settings())
    history, permits = History(store, read_settings(), time), Permits(time)

    async def read_once() -> Tier:
        invocation = Invocation(permits)
        token = CURRENT.set(invocation)
        try:
            invocation.begin(caller, READ)
            reading = await history.read(Conversation(caller, conversation), Need(), OLD)
            if not invocation.is_admitted:
                await store.eval("key", [tenant_key(caller.tenant)], [caller.key_hash])
            return reading.tier
        finally:
            CURRENT.reset(token)

    assert await read_once() == Tier.L2
    yield read_once
    await store.close()


async def test_a_revoked_key(read: Read, time: ManualClock, run: Any, tenant: str) -> None:
    run("DEL", tenant_key(tenant))
    time.now_s += KNOWN_S - 0.01
    within = await read()
    time.now_s += 0.01

    assert (KNOWN_S, within) == (5.0, Tier.L0)
    with pytest.raises(Unauthorized):
        await read()
    with pytest.raises(Unauthorized):
        await read()


async def test_a_replaced_key_after_its_overlap(
    read: Read, time: ManualClock, run: Any, key: str, clock: LocalUpstash
) -> None:
    caller = read_key(key)
    [now_s, _] = run("TIME")
    run("HSET", tenant_key(caller.tenant), f"k:{caller.key_hash}", int(now_s) + 100)
    time.now_s += KNOWN_S
    during = await read()
    clock.clock_shift_s = 101
    time.now_s += KNOWN_S

    assert during == Tier.L1
    with pytest.raises(Unauthorized):
        await read()


async def test_a_rate_for_a_tenant_that_had_none(read: Read, time: ManualClock, run: Any, tenant: str) -> None:
    run("HSET", tenant_key(tenant), "rate", "1 1")
    time.now_s += KNOWN_S - 0.01
    within = [await read() for _ in range(3)]
    time.now_s += 0.01
    first = await read()

    assert (within, first) == ([Tier.L0] * 3, Tier.L1)
    with pytest.raises(RateExceeded):
        await read()


async def test_a_rate_that_is_taken_away_from_a_tenant_that_was_refused(
    read: Read, time: ManualClock, run: Any, tenant: str, upstash: LocalUpstash
) -> None:
    run("HSET", tenant_key(tenant), "rate", "1 1")
    time.now_s += KNOWN_S
    await read()
    with pytest.raises(RateExceeded):
        await read()
    run("HDEL", tenant_key(tenant), "rate")
    time.now_s += KNOWN_S - 0.01
    upstash.reset()
    with pytest.raises(RateExceeded):
        await read()
    asked = upstash.requests
    time.now_s += 0.01

    assert (asked, await read()) == (0, Tier.L1)
