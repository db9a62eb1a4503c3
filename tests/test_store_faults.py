"""
Every way in which a store can fail: the call ends within its deadline with the promised error, what may be sent
twice is sent twice at the most, and what may not is sent once.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from scripts.faults.server import Fault, FaultyServer
from scripts.local.upstash import LocalUpstash
from shared.config import Settings
from shared.errors import StoreUnavailable
from shared.setting import Secret
from shared.store.upstash import Store

TIMEOUT_S = 0.2
MARGIN_S = 0.15
"""What a busy machine may add."""

LOST = [Fault.CLOSE, Fault.TRUNCATE, Fault.NOT_HTTP, Fault.NOT_JSON, Fault.ERROR_500]
"""The answer is lost at once, so that there is time for a retry."""

STALLED = [Fault.SILENT, Fault.DRIP]
REFUSED = [Fault.REFUSE_400, Fault.REFUSE_401]


@pytest.fixture
async def store(server: FaultyServer, upstash: LocalUpstash) -> AsyncIterator[Store]:
    store = Store(
        Settings(
            store_url=server.url,
            store_token=Secret(upstash.token),
            store_timeout_s=TIMEOUT_S,
            store_connect_timeout_s=TIMEOUT_S / 2,
        )
    )
    yield store
    await store.close()


async def unavailable(call: Any) -> dict[str, Any]:
    """Return the extensions of the StoreUnavailable with which *call* ends in time."""
    began_at_s = time.monotonic()
    with pytest.raises(StoreUnavailable) as error:
        await call
    assert time.monotonic() - began_at_s < TIMEOUT_S + MARGIN_S
    assert error.value.retry_after_s == 1
    return error.value.extensions


@pytest.mark.parametrize("fault", [Fault.WRONG_COUNT, *LOST])
async def test_a_lost_pipeline_repeats_what_is_idempotent_only(
    server: FaultyServer, store: Store, key: str, fault: Fault
) -> None:
    server.faults.append(fault)
    calls = [
        store.command("APPEND", key, "a"),
        store.command("STRLEN", key, is_idempotent=True),
        store.command("APPEND", key, "b"),
        store.command("GET", key, is_idempotent=True),
    ]
    first, second, third, fourth = await asyncio.gather(*calls, return_exceptions=True)

    assert (second, fourth) == (2, "ab")
    for lost in (first, third):
        assert isinstance(lost, StoreUnavailable)
        assert lost.extensions == {"outcome_unknown": True}
    assert server.paths == ["/pipeline", "/pipeline"]


async def test_a_wrong_number_of_results_is_nobodys_result(server: FaultyServer, store: Store) -> None:
    server.fault = Fault.WRONG_COUNT
    results = await asyncio.gather(*[store.command("ECHO", str(n)) for n in range(3)], return_exceptions=True)

    assert [type(result) for result in results] == [StoreUnavailable] * 3
    assert server.requests == 1


async def test_a_refused_pipeline_refuses_each_of_its_commands(server: FaultyServer, store: Store) -> None:
    server.fault = Fault.REFUSE_401
    calls = [store.command("ECHO", str(n), is_idempotent=True) for n in range(3)]
    results: list[Any] = await asyncio.gather(*calls, return_exceptions=True)

    assert [result.extensions for result in results] == [{"outcome_unknown": False}] * 3
    assert server.requests == 1


async def test_what_cannot_be_written_as_json_is_not_sent(server: FaultyServer, store: Store) -> None:
    with pytest.raises(TypeError):
        await store.command("ECHO", object())  # type: ignore[arg-type]  # the mistake under test.

    assert server.requests == 0
