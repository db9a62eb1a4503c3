"""The store in its own protocol: each write is applied once, logins, loops, pauses; what tests/contract/ leaves out."""

import asyncio
import gc
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import valkey
from hypothesis import given, settings
from hypothesis import strategies as st
from valkey.crc import key_slot

from scripts.faults.resp_wire import FaultyWire
from scripts.faults.server import Fault
from scripts.local.valkey import running_valkey
from shared.config import Settings
from shared.environment import read_configuration, read_settings
from shared.errors import StoreUnavailable
from shared.setting import Secret
from shared.store.failure import Sign
from shared.store.resp.server import IDLE_S, Access, Address, Server, packed
from shared.store.resp.slots import key_of, slot_of
from shared.store.resp.transport import RespTransport
from shared.store.upstash import Store
from tests.examples import examples

ADD = "#!lua\nreturn {'ok', tostring(redis.call('HINCRBY', KEYS[1], 'n', 1))}"


class Rig:
    """A server of the tests' own, and the wire to it; *run*: a command past the wire."""

    def __init__(self, wire: FaultyWire, client: Any) -> None:
        self.wire = wire
        self.run: Callable[..., Any] = client.execute_command

    def open(self, login: str = "", rest: str = "", **settings: Any) -> Store:
        return Store(Settings(store_url=self.wire.url + rest, store_token=Secret(login), **settings))


@pytest.fixture(scope="module")
def server_url() -> Iterator[str]:
    with running_valkey() as url:
        yield url


@pytest.fixture
def rig(server_url: str) -> Iterator[Rig]:
    client: Any = valkey.Valkey.from_url(server_url, decode_responses=True)
    with FaultyWire(server_url) as wire, client:
        yield Rig(wire, client)
        client.execute_command("FLUSHALL")


@pytest.mark.parametrize(
    "fault", [Fault.CLOSE, Fault.TRUNCATE, Fault.SILENT, Fault.NOT_RESP], ids=lambda each: each.name
)
async def test_a_script_whose_answer_is_cut_off_is_applied_once(rig: Rig, fault: Fault) -> None:
    store = rig.open(store_timeout_s=0.3)
    await store.command("PING")
    rig.wire.fault = fault
    with pytest.raises(StoreUnavailable) as error:
        await store.command("EVAL", ADD, 1, "counted")
    rig.wire.fault = Fault.NONE

    assert error.value.extensions == {"outcome_unknown": True}
    assert rig.run("HGET", "counted", "n") == "1"
    assert rig.wire.commands.count("EVAL") == 1
    await store.close()


async def test_what_was_answered_before_the_connection_was_cut_is_a_result(rig: Rig) -> None:
    store = rig.open(store_timeout_s=1)
    await store.command("PING")
    # The server ends the connection itself, between two commands of one write.
    calls = [
        store.command("INCR", "n"),
        store.command("EVAL", "#!lua\nreturn redis.call('HSET', KEYS[1], 'a', 'b')", 1, "h"),
        store.command("QUIT"),
        store.command("INCR", "n"),
    ]
    results: list[Any] = await asyncio.gather(*calls, return_exceptions=True)

    assert results[:3] == [1, 1, "OK"]
    assert results[3].extensions == {"outcome_unknown": True}
    await store.close()


async def test_replies_too_many_are_nobodys(rig: Rig) -> None:
    store = rig.open()
    rig.wire.faults.append(Fault.WRONG_COUNT)
    results = await asyncio.gather(*[store.command("ECHO", str(n)) for n in range(3)], return_exceptions=True)

    assert [type(result) for result in results] == [StoreUnavailable] * 3
    assert await store.command("ECHO", "next") == "next"
    await store.close()


async def test_a_login_is_sent_first_and_a_wrong_one_is_a_refusal(rig: Rig) -> None:
    rig.run("CONFIG", "SET", "requirepass", "pass:w@rd/")
    right = rig.open(":pass%3Aw%40rd%2F")
    named = rig.open("default:pass%3Aw%40rd%2F")
    wrong = rig.open(":other")
    answered = [await right.command("PING"), await named.command("PING")]
    with pytest.raises(StoreUnavailable) as error:
        await wrong.command("INCR", "n")
    rig.run("CONFIG", "SET", "requirepass", "")

    assert answered == ["PONG", "PONG"]
    assert "WRONGPASS" in str(error.value.__cause__)
    assert error.value.extensions == {"outcome_unknown": False}
    for store in (right, named, wrong):
        await store.close()


async def test_another_database_is_chosen_first(rig: Rig) -> None:
    store = rig.open(rest="/7")
    with pytest.raises(StoreUnavailable) as error:
        await store.command("INCR", "n")

    assert "DB index is out of range" in str(error.value.__cause__)
    assert rig.wire.commands[-1] == "SELECT"
    await store.close()


async def test_who_is_no_primary_any_more_is_asked_again_while_there_is_time(rig: Rig) -> None:
    store = rig.open(store_timeout_s=2)
    rig.run("REPLICAOF", "127.0.0.1", "1")
    with pytest.raises(StoreUnavailable) as error:
        await store.command("EVAL", ADD, 1, "counted", deadline_at_s=time.monotonic() + 0.2)
    before = rig.wire.connections
    call = asyncio.ensure_future(store.command("EVAL", ADD, 1, "counted"))
    await asyncio.sleep(0.1)
    rig.run("REPLICAOF", "NO", "ONE")

    assert error.value.extensions == {"outcome_unknown": False}
    assert await call == ["ok", "1"]
    assert rig.wire.connections > before  # Its name may lead elsewhere.
    await store.close()


async def test_a_full_server_refuses_before_anything_is_written(rig: Rig) -> None:
    store = rig.open()
    rig.run("CONFIG", "SET", "maxmemory", "1")
    with pytest.raises(StoreUnavailable) as error:
        await store.command("EVAL", ADD, 1, "counted")
    rig.run("CONFIG", "SET", "maxmemory", "0")

    assert (error.value.slug, error.value.extensions) == ("store-full", {"outcome_unknown": False})
    await store.close()


async def test_a_long_command_is_encoded_in_pieces_and_is_the_same(rig: Rig) -> None:
    transport = RespTransport(Settings(store_url=rig.wire.url, store_token=Secret("")))
    parts: list[str | int | float] = ["RPUSH", "list", '"é☃\n' * 100_000, "x" * 900_000, "", 7, 1.5]
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.ensure_future(count_turns())
    await asyncio.sleep(0)
    encoded = await transport.encode(parts)
    counting.cancel()

    assert encoded == packed(parts)
    assert turns >= 4


def test_one_store_serves_one_event_loop_after_another(rig: Rig) -> None:
    store = rig.open()
    loops: list[weakref.ref[asyncio.AbstractEventLoop]] = []

    async def use() -> list[Any]:
        loops.append(weakref.ref(asyncio.get_running_loop()))
        return await asyncio.gather(*[store.command("ECHO", text) for text in "ab"])

    for _ in range(3):
        assert asyncio.run(use()) == ["a", "b"]
    asyncio.run(store.close())
    gc.collect()  # A connection that its loop left open would warn here.

    assert [loop() for loop in loops] == [None] * 3
    assert rig.wire.connections == 3


async def test_an_instance_that_slept_opens_a_new_connection(rig: Rig) -> None:
    now_unix_s = [1_000.0]
    address = Address("127.0.0.1", int(rig.wire.url.rpartition(":")[2]))
    server = Server(address, Access((), False, 1.0), lambda: now_unix_s[0])
    connections = []
    for pause_s in (0.0, IDLE_S, IDLE_S + 1, 6.0):
        now_unix_s[0] += pause_s
        await server.exchange(packed(["PING"]), 1, asyncio.get_running_loop().time() + 1)
        connections.append(rig.wire.connections)
    server.abort()

    assert connections == [1, 1, 2, 2]


async def test_a_connection_serves_many_requests(rig: Rig) -> None:
    store = rig.open()
    for _ in range(5):
        await store.command("PING")

    assert (rig.wire.connections, rig.wire.requests) == (1, 5)
    await store.close()


async def test_an_acknowledgement_that_nobody_can_give_is_none(rig: Rig) -> None:
    store = rig.open(replicas_acknowledge=1, store_timeout_s=0.3)
    with pytest.raises(StoreUnavailable) as error:
        await store.command("INCR", "n")

    assert error.value.extensions == {"outcome_unknown": True}
    assert "0 of 1 replicas" in str(error.value.__cause__)
    assert isinstance(error.value.__cause__, Exception)
    assert getattr(error.value.__cause__, "sign", None) is Sign.THERE
    assert await store.command("GET", "n") == "1"  # What only reads waits for nobody.
    assert store.counted().taken_for_away == 0
    await store.close()


@settings(max_examples=examples(300))
@given(
    st.text(st.characters(codec="utf-8"), max_size=30) | st.from_regex(r"wt2:\{[a-z:]{0,3}\}[{}x]{0,4}", fullmatch=True)
)
def test_slots_are_those_of_the_cluster(name: str) -> None:
    assert slot_of(name) == key_slot(name.encode())


def test_the_first_key_of_a_command_decides() -> None:
    assert key_of(["EVAL", "return 1", 2, "a", "b", "c"]) == "a"
    assert key_of(["EVAL", "return 1", 0, "c"]) is None
    assert key_of(["HGET", "a", "b"]) == "a"
    assert [key_of(["PING"]), key_of(["INFO", "memory"])] == [None, None]


@pytest.mark.parametrize(
    ("url", "kept", "login"),
    [
        ("redis://host", "redis://host", ""),
        ("rediss://user:p%40ss@host.example:6380/2", "rediss://host.example:6380/2", "user:p%40ss"),
        ("redis://:secret@[::1]:7000?cluster", "redis://[::1]:7000?cluster", ":secret"),
        ("redis://10.0.0.1:6379/?cluster", "redis://10.0.0.1:6379/?cluster", ""),
        ("redis://h/0?cluster", "redis://h/0?cluster", ""),
    ],
)
def test_an_address_is_kept_without_its_login(url: str, kept: str, login: str) -> None:
    read = read_settings({"WARMTHREAD_STORE_URL": url, "KV_REST_API_URL": "https://x", "KV_REST_API_TOKEN": "t"})

    assert (read.store_url, read.store_token) == (kept, login)
    assert login not in repr(read) or not login


@pytest.mark.parametrize(
    "url",
    ["http://x", "redis://", "redis://h:99999", "redis://h/1?cluster", "redis://h?other", "redis://h/x", "host:1"],
)
def test_an_address_that_is_none_closes_everything(url: str) -> None:
    _, [wrong] = read_configuration({"WARMTHREAD_STORE_URL": url})

    assert (wrong.variable, wrong.closes) == ("WARMTHREAD_STORE_URL", "everything")
    assert url not in wrong.sentence
