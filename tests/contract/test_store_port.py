"""What every store does: results, order, errors, and that no call outlives its caller's deadline."""

import asyncio
import time
from typing import Any

import pytest

from shared.errors import StoreUnavailable, TooLarge
from shared.store import pipeline
from shared.store.upstash import Store
from tests.contract.stores import Rig, Wire


async def test_one_request_keeps_the_order_of_the_calls(store: Store, key: str) -> None:
    await asyncio.gather(*[store.command("RPUSH", key, n) for n in range(pipeline.COMMANDS_MAX)])

    assert await store.command("LRANGE", key, 0, -1) == [str(n) for n in range(pipeline.COMMANDS_MAX)]


async def test_a_refused_command_fails_its_caller_only(store: Store, key: str) -> None:
    await store.command("SET", key, "text")
    calls = [store.command(name, key) for name in ("GET", "INCR", "STRLEN")]
    results: list[Any] = await asyncio.gather(*calls, return_exceptions=True)
    refused = results.pop(1)

    assert results == ["text", 4]
    assert isinstance(refused, StoreUnavailable)
    assert refused.extensions["outcome_unknown"] is False
    assert "not an integer" in str(refused.__cause__)


async def test_a_caller_cancelled_during_the_request_hurts_no_other(wire: Wire, store: Store) -> None:
    wire.delay_s = 0.05
    calls = [asyncio.ensure_future(store.command("ECHO", str(n))) for n in range(5)]
    await asyncio.to_thread(wire.arrived.wait, 5)
    calls[0].cancel()
    calls[3].cancel()
    results = await asyncio.gather(*calls, return_exceptions=True)

    assert [str(result) for result in results] == ["", "1", "2", "", "4"]
    assert wire.requests == 1


async def test_no_call_outlives_its_callers_deadline(wire: Wire, store: Store) -> None:
    wire.delay_s = 0.3
    began_at_s = time.monotonic()
    hurried = asyncio.ensure_future(store.command("ECHO", "hurried", deadline_at_s=began_at_s + 0.05))
    patient = asyncio.ensure_future(store.command("ECHO", "patient"))
    with pytest.raises(StoreUnavailable) as error:
        await hurried

    assert time.monotonic() - began_at_s < 0.25
    assert error.value.extensions["outcome_unknown"] is True
    assert await patient == "patient"
    assert wire.requests == 1


async def test_a_deadline_gone_by_sends_nothing(wire: Wire, store: Store) -> None:
    with pytest.raises(StoreUnavailable) as error:
        await store.command("PING", deadline_at_s=time.monotonic() - 1)

    assert error.value.extensions["outcome_unknown"] is False
    assert wire.requests == 0


async def test_deadlines_too_short_do_not_count_against_the_store(wire: Wire, store: Store) -> None:
    wire.delay_s = 0.05
    for _ in range(10):
        with pytest.raises(StoreUnavailable):
            await store.command("PING", deadline_at_s=time.monotonic() + 0.01)

    assert await store.command("PING") == "PONG"


async def test_a_request_over_the_limit_is_not_sent(wire: Wire, rig: Rig) -> None:
    store = rig.open(store_request_bytes_max=10_000)
    with pytest.raises(TooLarge):
        await store.command("ECHO", "x" * 10_000)

    assert wire.requests == 0
    await store.close()


async def test_closing_ends_what_is_under_way(wire: Wire, store: Store) -> None:
    wire.delay_s = 5.0
    calls = [asyncio.ensure_future(store.command("ECHO", str(n))) for n in range(3)]
    await asyncio.to_thread(wire.arrived.wait, 5)
    await store.close()
    results = await asyncio.gather(*calls, return_exceptions=True)

    assert [type(result) for result in results] == [StoreUnavailable] * 3
