"""The store client on a good day: how commands travel together, keep their order, and end in time."""

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator
from typing import Any

import pytest

from scripts.faults.server import FaultyServer
from scripts.local.upstash import LocalUpstash
from shared.config import Settings
from shared.setting import Secret
from shared.store import pipeline
from shared.store.command import REPLIES_BYTES_MAX
from shared.store.transport import IDLE_S, HttpTransport
from shared.store.turns import AT_ONCE
from shared.store.upstash import Store


def settings(url: str, token: str, **values: Any) -> Settings:
    return Settings(store_url=url, store_token=Secret(token), **values)


@pytest.fixture
async def store(upstash: LocalUpstash) -> AsyncIterator[Store]:
    store = Store(settings(upstash.url, upstash.token))
    yield store
    await store.close()


async def test_one_command_travels_as_itself(server: FaultyServer, upstash: LocalUpstash) -> None:
    store = Store(settings(server.url, upstash.token))

    assert await store.command("ECHO", "hi") == "hi"
    assert server.paths == ["/"]
    await store.close()


async def test_the_commands_of_one_turn_travel_in_one_request(store: Store, upstash: LocalUpstash, key: str) -> None:
    upstash.reset()
    results = await asyncio.gather(*[store.command("ECHO", str(n)) for n in range(10)])

    assert results == [str(n) for n in range(10)]
    assert (upstash.requests, upstash.commands) == (1, 10)


async def test_a_hundred_concurrent_reads_are_four_requests(store: Store, upstash: LocalUpstash, key: str) -> None:
    await store.command("SET", key, "value")
    upstash.reset()
    results = await asyncio.gather(*[store.command("GET", key) for _ in range(100)])

    assert results == ["value"] * 100
    assert upstash.requests == 4


async def test_a_request_carries_no_more_than_its_bytes_and_a_large_command_goes_alone(
    server: FaultyServer, upstash: LocalUpstash
) -> None:
    store = Store(settings(server.url, upstash.token))
    large, half = "x" * (pipeline.BYTES_MAX + 1), "y" * (pipeline.BYTES_MAX // 2)
    values = ["a", "b", large, "c", "d", half, half, "e"]
    results = await asyncio.gather(*[store.command("ECHO", value) for value in values])

    assert results == values
    assert sorted(server.paths) == ["/", "/pipeline", "/pipeline"]
    await store.close()


async def test_a_caller_cancelled_before_the_request_leaves_it(store: Store, upstash: LocalUpstash) -> None:
    upstash.reset()
    given_up, other = [asyncio.ensure_future(store.command("ECHO", text)) for text in ("given up", "other")]
    await asyncio.sleep(0)
    given_up.cancel()

    assert await other == "other"
    assert given_up.cancelled()
    assert upstash.commands == 1


async def test_a_long_command_is_encoded_in_pieces_and_arrives_whole(store: Store, key: str) -> None:
    values = ['"é\n' * 100_000, "x" * 300_000, "", "☃" * 10, '"' * 250_000]
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.ensure_future(count_turns())
    encoded = asyncio.ensure_future(store.command("RPUSH", key, *values, 7))
    for _ in range(5):
        await asyncio.sleep(0)
    counting.cancel()

    assert turns >= 4
    assert await encoded == 6
    assert await store.command("LRANGE", key, 0, -1) == [*values, "7"]


def test_one_store_serves_one_event_loop_after_another(upstash: LocalUpstash) -> None:
    store = Store(settings(upstash.url, upstash.token))
    loops: list[weakref.ref[asyncio.AbstractEventLoop]] = []

    async def use() -> list[Any]:
        loops.append(weakref.ref(asyncio.get_running_loop()))
        return await asyncio.gather(*[store.command("ECHO", text) for text in "ab"])

    async def abandon() -> None:
        loops.append(weakref.ref(asyncio.get_running_loop()))
        calls = [asyncio.ensure_future(store.command("ECHO", str(n))) for n in range(3)]
        await asyncio.sleep(0)
        del calls  # They wait for a turn that this loop does not live to see.

    for _ in range(3):
        asyncio.run(abandon())
        assert asyncio.run(use()) == ["a", "b"]
    asyncio.run(store.close())
    gc.collect()

    assert [loop() for loop in loops] == [None] * 6


async def test_a_connection_serves_many_requests(server: FaultyServer, upstash: LocalUpstash) -> None:
    store = Store(settings(server.url, upstash.token))
    for _ in range(5):
        await store.command("PING")

    assert (server.connections, server.requests) == (1, 5)
    await store.close()


async def test_an_instance_that_slept_opens_a_new_connection(server: FaultyServer, upstash: LocalUpstash) -> None:
    now_unix_s = [1_000.0]
    transport = HttpTransport(settings(server.url, upstash.token), lambda: now_unix_s[0])
    connections = []
    for pause_s in (0.0, IDLE_S, IDLE_S + 1, 6.0):
        now_unix_s[0] += pause_s
        await transport.post("", b'["PING"]', 1.0)
        connections.append(server.connections)

    assert connections == [1, 1, 2, 2]
    await transport.close()


async def test_what_may_bring_a_large_reply_travels_alone_and_a_few_at_once(
    server: FaultyServer, upstash: LocalUpstash
) -> None:
    store, most = Store(settings(server.url, upstash.token)), REPLIES_BYTES_MAX
    sizes = [1, most + 1, 1, most + 1, most // 2, most // 3, 1]
    values = [f"{number}" for number in range(len(sizes))]
    calls = [store.command("ECHO", value, reply_bytes_max=size) for value, size in zip(values, sizes, strict=True)]

    assert await asyncio.gather(*calls) == values
    assert sorted(server.paths) == ["/", "/", "/pipeline"]
    await store.close()


async def test_large_replies_wait_for_their_turn_and_small_ones_do_not(
    server: FaultyServer, upstash: LocalUpstash
) -> None:
    store = Store(settings(server.url, upstash.token, store_timeout_s=5))
    server.delay_s = 0.05
    ended: list[str] = []

    async def ask(value: str, size: int) -> None:
        ended.append(await store.command("ECHO", value, reply_bytes_max=size))

    count = 2 * AT_ONCE + 1
    await asyncio.gather(*(ask("large", 4_000_000) for _ in range(count)), ask("small", 1))

    assert ended.count("large") == count
    assert ended.index("small") <= AT_ONCE
    assert server.requests == count + 1
    await store.close()


async def test_a_large_read_has_its_time_from_when_it_is_sent(server: FaultyServer, upstash: LocalUpstash) -> None:
    store = Store(settings(server.url, upstash.token, store_timeout_s=0.5))
    server.delay_s = 0.2
    calls = [store.command("ECHO", "x", reply_bytes_max=4_000_000) for _ in range(4 * AT_ONCE)]

    assert await asyncio.gather(*calls) == ["x"] * len(calls)
    await store.close()
