"""
Every way in which a store can fail: the call ends within its deadline with the promised error, what may be sent
twice is sent twice at the most, and what may not is sent once.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from scripts.faults.server import Fault
from shared.errors import StoreUnavailable
from shared.store import keys
from shared.store.upstash import Store
from tests.contract.stores import MARGIN_S, Rig, StoreKind, Wire

pytestmark = pytest.mark.timing

Unavailable = Callable[[Awaitable[Any]], Awaitable[dict[str, Any]]]


@pytest.fixture
async def store(store_kind: StoreKind, rig: Rig) -> AsyncIterator[Store]:
    """A client that does not wait for long."""
    store = rig.open(store_timeout_s=store_kind.timeout_s, store_connect_timeout_s=store_kind.timeout_s / 2)
    yield store
    await store.close()


@pytest.fixture
def unavailable(store_kind: StoreKind) -> Unavailable:
    """Return the extensions of the StoreUnavailable with which a call ends in time."""

    async def extensions(call: Awaitable[Any]) -> dict[str, Any]:
        began_at_s = time.monotonic()
        with pytest.raises(StoreUnavailable) as error:
            await call
        assert time.monotonic() - began_at_s < store_kind.timeout_s + MARGIN_S
        assert error.value.retry_after_s == 1
        return error.value.extensions

    return extensions


async def test_refused_connections_send_nothing(wire: Wire, store: Store, unavailable: Unavailable) -> None:
    wire.leave()

    assert await unavailable(store.command("INCR", "n")) == {"outcome_unknown": False}
    assert await unavailable(store.command("INCR", "n", is_idempotent=True)) == {"outcome_unknown": False}
    assert wire.requests == 0


@pytest.mark.parametrize("is_warm", [False, True], ids=["new connection", "connection in use"])
async def test_a_lost_answer_is_not_asked_for_twice(
    wire: Wire, store: Store, key: str, lost: Fault, is_warm: bool, unavailable: Unavailable
) -> None:
    if is_warm:
        await store.command("PING")
    wire.faults.append(lost)
    before = wire.requests

    assert await unavailable(store.command("INCR", key)) == {"outcome_unknown": True}
    assert wire.requests - before == 1
    assert await store.command("GET", key) == "1"


async def test_a_lost_answer_to_what_is_idempotent_is_asked_for_once_more(
    wire: Wire, store: Store, key: str, lost: Fault
) -> None:
    wire.faults.append(lost)

    assert await store.command("SET", key, "x", is_idempotent=True) == "OK"
    assert wire.requests == 2


async def test_and_no_more_than_once(wire: Wire, store: Store, key: str, lost: Fault, unavailable: Unavailable) -> None:
    wire.fault = lost

    assert await unavailable(store.command("SET", key, "x", is_idempotent=True)) == {"outcome_unknown": True}
    assert wire.requests == 2


async def test_scripts_that_only_read_are_retried_and_leave_nothing_unknown(
    wire: Wire, store: Store, key: str, unavailable: Unavailable
) -> None:
    names = [keys.tenant_key("nobody"), keys.conversation_key("nobody", "conv_1")]
    wire.faults.append(Fault.CLOSE)
    reply = await store.eval("head", names, ["hash"])
    wire.fault = Fault.CLOSE

    assert reply == ["unauthorised"]
    assert wire.requests == 2
    assert await unavailable(store.eval("head", names, ["hash"])) == {"outcome_unknown": False}
    assert await unavailable(store.eval("delete", names, ["hash"])) == {"outcome_unknown": True}
    assert wire.requests == 5


@pytest.mark.parametrize("is_idempotent", [False, True])
async def test_a_stalled_answer_ends_the_call_in_time(
    wire: Wire, store: Store, key: str, stalled: Fault, is_idempotent: bool, unavailable: Unavailable
) -> None:
    wire.faults.append(stalled)

    assert await unavailable(store.command("INCR", key, is_idempotent=is_idempotent)) == {"outcome_unknown": True}
    assert wire.requests == 1
    assert await store.command("GET", key) == "1"


async def test_an_answer_that_comes_too_late_is_no_other_callers(
    wire: Wire, store_kind: StoreKind, store: Store, unavailable: Unavailable
) -> None:
    wire.delay_s = 10 * store_kind.timeout_s
    assert await unavailable(store.command("ECHO", "late")) == {"outcome_unknown": True}
    wire.delay_s = 0.0

    assert [await store.command("ECHO", str(n)) for n in range(3)] == ["0", "1", "2"]


async def test_a_retry_ends_within_the_same_deadline(
    wire: Wire, store: Store, key: str, unavailable: Unavailable
) -> None:
    wire.faults.extend([Fault.CLOSE, Fault.SILENT])

    assert await unavailable(store.command("SET", key, "x", is_idempotent=True)) == {"outcome_unknown": True}
    assert wire.requests == 2


async def test_no_retry_begins_when_time_is_up(
    wire: Wire, store_kind: StoreKind, store: Store, key: str, unavailable: Unavailable
) -> None:
    wire.delay_s = store_kind.timeout_s - 0.01
    wire.fault = Fault.CLOSE

    assert await unavailable(store.command("SET", key, "x", is_idempotent=True)) == {"outcome_unknown": True}
    assert wire.requests == 1


async def test_a_refusal_is_not_repeated(
    wire: Wire, store: Store, key: str, refused: Fault, unavailable: Unavailable
) -> None:
    wire.faults.append(refused)

    assert await unavailable(store.command("SET", key, "x", is_idempotent=True)) == {"outcome_unknown": False}
    assert wire.requests == 1
    assert await store.command("GET", key) is None


async def test_nobody_waits_for_the_retry_of_a_cancelled_call(wire: Wire, store: Store, key: str) -> None:
    wire.faults.append(Fault.CLOSE)
    wire.delay_s = 0.03
    call = asyncio.ensure_future(store.command("SET", key, "x", is_idempotent=True))
    await asyncio.to_thread(wire.arrived.wait, 5)
    call.cancel()
    await asyncio.wait([call])
    wire.delay_s = 0.0

    assert await store.command("PING") == "PONG"
    assert wire.requests == 2


async def test_a_reply_that_no_script_gives_is_an_error(wire: Wire, store: Store, unavailable: Unavailable) -> None:
    names = [keys.tenant_key("nobody"), keys.conversation_key("nobody", "conv_1")]
    wire.faults.append(Fault.NULL)

    assert await unavailable(store.eval("delete", names, ["hash", "conv_1"])) == {"outcome_unknown": True}
    assert wire.requests == 1


async def test_what_is_unknown_after_the_first_attempt_stays_unknown(
    wire: Wire, store_kind: StoreKind, store: Store, key: str, unavailable: Unavailable
) -> None:
    wire.faults.extend([Fault.CLOSE, store_kind.refused[0]])

    assert await unavailable(store.command("SET", key, "x", is_idempotent=True)) == {"outcome_unknown": True}
    assert await store.command("GET", key) == "x"
