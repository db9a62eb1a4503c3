"""The typed commands of Upstash's client, over our transport."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from scripts.local.typed import TypedCommands
from scripts.local.upstash import LocalUpstash
from shared.config import Settings
from shared.errors import StoreUnavailable
from shared.setting import Secret
from shared.store.upstash import Store


@pytest.fixture
async def redis(upstash: LocalUpstash) -> AsyncIterator[TypedCommands]:
    store = Store(Settings(store_url=upstash.url, store_token=Secret(upstash.token)))
    yield TypedCommands(store)
    await store.close()


async def test_results_have_the_types_of_that_client(redis: TypedCommands, key: str) -> None:
    is_set: object = await redis.set(f"{key}s", "text", ex=60)

    assert is_set is True
    assert await redis.get(f"{key}s") == "text"
    assert await redis.hset(key, values={"a": "1", "b": "2"}) == 2
    assert await redis.hgetall(key) == {"a": "1", "b": "2"}
    assert await redis.incrbyfloat(f"{key}f", 1.5) == 1.5
    assert await redis.sismember(f"{key}none", "x") is False


async def test_values_are_stored_as_that_client_stores_them(redis: TypedCommands, key: str) -> None:
    await redis.execute(["RPUSH", key, {"a": [1, None]}, None, 1.5, "é"])

    assert await redis.lrange(key, 0, -1) == ['{"a": [1, null]}', "null", "1.5", "é"]


async def test_the_commands_of_a_turn_are_one_request(redis: TypedCommands, upstash: LocalUpstash, key: str) -> None:
    upstash.reset()
    await asyncio.gather(*[redis.incr(key) for _ in range(10)])

    assert upstash.requests == 1
    assert await redis.get(key) == "10"


async def test_a_refused_command_raises(redis: TypedCommands, key: str) -> None:
    await redis.set(key, "text")
    with pytest.raises(StoreUnavailable):
        await redis.incr(key)
