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
from shared.config import Secret, Settings
from shared.errors import StoreUnavailable
from shared.store import keys
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


async def test_refused_connections_send_nothing(server: FaultyServer, store: Store) -> None:
    server.leave()

    assert await unavailable(store.command("INCR", "n")) == {"outcome_unknown": False}
    assert await unavailable(store.command("INCR", "n", is_idempotent=True)) == {"outcome_unknown": False}
    assert server.requests == 0


@pytest.mark.parametrize("fault", LOST)
@pytest.mark.parametrize("is_warm", [False, True], ids=["new connection", "connection in use"])
async def test_a_lost_answer_is_not_asked_for_twice(
    server: FaultyServer, store: Store, key: str, fault: Fault, is_warm: bool
) -> None:
    if is_warm:
        await store.command("PING")
    server.faults.append(fault)
    before = server.requests

    assert await unavailable(store.command("INCR", key)) == {"outcome_unknown": True}
    assert server.requests - before == 1
    assert await store.command("GET", key) == "1"


@pytest.mark.parametrize("fault", LOST)
async def test_a_lost_answer_to_what_is_idempotent_is_asked_for_once_more(
    server: FaultyServer, store: Store, key: str, fault: Fault
) -> None:
    server.faults.append(fault)

    assert await store.command("SET", key, "x", is_idempotent=True) == "OK"
    assert server.requests == 2


@pytest.mark.parametrize("fault", LOST)
async def test_and_no_more_than_once(server: FaultyServer, store: Store, key: str, fault: Fault) -> None:
    server.fault = fault

    assert await unavailable(store.command("SET", key, "x", is_idempotent=True)) == {"outcome_unknown": True}
    assert server.requests == 2


async def test_scripts_that_only_read_are_retried_and_leave_nothing_unknown(
    server: FaultyServer, store: Store, key: str
) -> None:
    names = [keys.tenant_key("nobody"), keys.conversation_key("nobody", "conv_1")]
    server.faults.append(Fault.CLOSE)
    reply = await store.eval("head", names, ["hash"])
    server.fault = Fault.CLOSE

    assert reply == ["unauthorised"]
    assert server.requests == 2
    assert await unavailable(store.eval("head", names, ["hash"])) == {"outcome_unknown": False}
    assert await unavailable(store.eval("delete", names, ["hash"])) == {"outcome_unknown": True}
    assert server.requests == 5


@pytest.mark.parametrize("fault", STALLED)
@pytest.mark.parametrize("is_idempotent", [False, True])
async def test_a_stalled_answer_ends_the_call_in_time(
    server: FaultyServer, store: Store, key: str, fault: Fault, is_idempotent: bool
) -> None:
    server.faults.append(fault)

    assert await unavailable(store.command("INCR", key, is_idempotent=is_idempotent)) == {"outcome_unknown": True}
    assert server.requests == 1
    assert await store.command("GET", key) == "1"


async def test_an_answer_that_comes_too_late_is_no_other_callers(server: FaultyServer, store: Store) -> None:
    server.delay_s = 2.0
    assert await unavailable(store.command("ECHO", "late")) == {"outcome_unknown": True}
    server.delay_s = 0.0

    assert [await store.command("ECHO", str(n)) for n in range(3)] == ["0", "1", "2"]


async def test_a_retry_ends_within_the_same_deadline(server: FaultyServer, store: Store, key: str) -> None:
    server.faults.extend([Fault.CLOSE, Fault.SILENT])

    assert await unavailable(store.command("SET", key, "x", is_idempotent=True)) == {"outcome_unknown": True}
    assert server.requests == 2


async def test_no_retry_begins_when_time_is_up(server: FaultyServer, store: Store, key: str) -> None:
    server.delay_s = TIMEOUT_S - 0.01
    server.fault = Fault.CLOSE

    assert await unavailable(store.command("SET", key, "x", is_idempotent=True)) == {"outcome_unknown": True}
    assert server.requests == 1


@pytest.mark.parametrize("fault", REFUSED)
async def test_a_refusal_is_not_repeated(server: FaultyServer, store: Store, key: str, fault: Fault) -> None:
    server.faults.append(fault)

    assert await unavailable(store.command("SET", key, "x", is_idempotent=True)) == {"outcome_unknown": False}
    assert server.requests == 1
    assert await store.command("GET", key) is None


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


async def test_nobody_waits_for_the_retry_of_a_cancelled_call(server: FaultyServer, store: Store, key: str) -> None:
    server.faults.append(Fault.CLOSE)
    server.delay_s = 0.03
    call = asyncio.ensure_future(store.command("SET", key, "x", is_idempotent=True))
    await asyncio.to_thread(server.arrived.wait, 5)
    call.cancel()
    await asyncio.wait([call])
    server.delay_s = 0.0

    assert await store.command("PING") == "PONG"
    assert server.requests == 2


async def test_a_reply_that_no_script_gives_is_an_error(server: FaultyServer, store: Store) -> None:
    server.faults.append(Fault.NULL)

    assert await unavailable(store.eval("delete", ["a", "b", "c", "d"], ["hash", "conv_1"])) == {
        "outcome_unknown": True
    }
    assert server.requests == 1


async def test_what_is_unknown_after_the_first_attempt_stays_unknown(
    server: FaultyServer, store: Store, key: str
) -> None:
    server.faults.extend([Fault.CLOSE, Fault.REFUSE_400])

    assert await unavailable(store.command("SET", key, "x", is_idempotent=True)) == {"outcome_unknown": True}
    assert await store.command("GET", key) == "x"


async def test_what_cannot_be_written_as_json_is_not_sent(server: FaultyServer, store: Store) -> None:
    with pytest.raises(TypeError):
        await store.command("ECHO", object())  # type: ignore[arg-type]  # the mistake under test.

    assert server.requests == 0
