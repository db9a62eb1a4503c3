"""What every store does while it is away: nothing is sent, calls say so at once, and it is used again by itself."""

from collections.abc import AsyncIterator

import pytest

from scripts.faults.server import Fault
from shared.errors import StoreUnavailable
from shared.store.breaker import COOL_DOWN_FIRST_S, FAILURES_MAX
from shared.store.upstash import Store
from tests.clocks import ManualClock
from tests.contract.stores import Rig, StoreKind, Wire


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def store(rig: Rig, clock: ManualClock) -> AsyncIterator[Store]:
    store = rig.open(clock)
    yield store
    await store.close()


async def test_while_it_is_open_nothing_is_sent_and_calls_say_so(wire: Wire, store: Store, lost: Fault) -> None:
    wire.fault = lost
    for _ in range(FAILURES_MAX):
        with pytest.raises(StoreUnavailable):
            await store.command("PING")
    errors = []
    for _ in range(20):
        with pytest.raises(StoreUnavailable) as error:
            await store.command("PING")
        errors.append(error.value)

    assert wire.requests == FAILURES_MAX
    assert {error.extensions["outcome_unknown"] for error in errors} == {False}
    assert {error.retry_after_s for error in errors} == {1}


async def test_a_store_that_came_back_is_used_after_the_cool_down(wire: Wire, clock: ManualClock, store: Store) -> None:
    wire.leave()
    for _ in range(2 * FAILURES_MAX):
        with pytest.raises(StoreUnavailable):
            await store.command("PING")
    wire.come_back()
    with pytest.raises(StoreUnavailable):
        await store.command("PING")
    assert wire.requests == 0
    clock.now_s += COOL_DOWN_FIRST_S

    assert await store.command("PING") == "PONG"
    assert await store.command("PING") == "PONG"


async def test_refusals_are_no_outage(wire: Wire, store_kind: StoreKind, store: Store) -> None:
    wire.faults.extend(store_kind.refused * FAILURES_MAX)
    for _ in range(2 * FAILURES_MAX):
        with pytest.raises(StoreUnavailable):
            await store.command("PING")
    for _ in range(2 * FAILURES_MAX):
        with pytest.raises(StoreUnavailable):
            await store.command("NO-SUCH-COMMAND")

    assert await store.command("PING") == "PONG"


LARGE_BYTES = 4_000_000


async def test_large_replies_that_take_too_long_are_no_outage(wire: Wire, rig: Rig) -> None:
    store = rig.open(store_timeout_s=0.1)
    wire.fault = Fault.SILENT
    for _ in range(2 * FAILURES_MAX):
        with pytest.raises(StoreUnavailable):
            await store.command("PING", is_idempotent=True, reply_bytes_max=LARGE_BYTES)
    wire.fault = Fault.NONE

    assert await store.command("PING") == "PONG"
    await store.close()


async def test_connections_that_large_replies_do_not_get_are_one(wire: Wire, store: Store) -> None:
    wire.leave()
    for _ in range(FAILURES_MAX):
        with pytest.raises(StoreUnavailable):
            await store.command("PING", is_idempotent=True, reply_bytes_max=LARGE_BYTES)
    wire.come_back()
    with pytest.raises(StoreUnavailable):
        await store.command("PING")

    assert wire.requests == 0
