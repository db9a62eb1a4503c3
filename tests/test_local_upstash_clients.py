"""
The stock `upstash_redis` clients, both of them, against the local Upstash server.
"""

from collections.abc import AsyncIterator, Iterator

import pytest
from upstash_redis import Redis
from upstash_redis.asyncio import Redis as AsyncRedis
from upstash_redis.errors import UpstashError

from scripts.local.upstash import LocalUpstash

TEXTS = [
    "",
    "OK",
    "plain",
    "zażółć 漢字 👩‍👩‍👧",
    'quote " back \\ slash',
    "nul \0 newline \r\n",
    "\ufffd\u2028",
    "x" * 200_000,
]


@pytest.fixture
def redis(upstash: LocalUpstash) -> Iterator[Redis]:
    with Redis(upstash.url, upstash.token, rest_retries=0) as client:
        yield client


@pytest.fixture
async def async_redis(upstash: LocalUpstash) -> AsyncIterator[AsyncRedis]:
    async with AsyncRedis(upstash.url, upstash.token, rest_retries=0) as client:
        yield client


@pytest.mark.parametrize("text", TEXTS)
def test_every_text_comes_back_as_it_went_in(upstash: LocalUpstash, redis: Redis, text: str) -> None:
    with Redis(upstash.url, upstash.token, rest_encoding=None, rest_retries=0) as plain:
        assert redis.set("client:text", text)
        assert redis.get("client:text") == text
        assert plain.get("client:text") == text


def test_strings_hashes_and_scans(redis: Redis) -> None:
    assert redis.set("client:s", 7, ex=100, nx=True)
    assert not redis.set("client:s", 8, nx=True)
    assert redis.incrby("client:s", 2**40) == 2**40 + 7
    assert redis.get("client:none") is None
    assert redis.hset("client:h", values={"a": "1", "b": "2"}) == 2
    assert redis.hgetall("client:h") == {"a": "1", "b": "2"}
    assert redis.type("client:h") == "hash"
    redis.zadd("client:z", {"m": 1.5})
    assert redis.zscore("client:z", "m") == 1.5

    cursor, seen = 0, set[str]()
    while True:
        cursor, keys = redis.scan(cursor, match="client:*", count=10)
        seen.update(keys)
        if cursor == 0:
            break
    assert {"client:s", "client:h", "client:z"} <= seen


def test_pipelines_and_transactions(redis: Redis) -> None:
    pipeline = redis.pipeline()
    pipeline.set("client:p", "v").get("client:p").incr("client:pn")
    assert pipeline.exec() == [True, "v", 1]

    transaction = redis.multi()
    transaction.set("client:m", "1").incr("client:m").hset("client:mh", "f", "v").hgetall("client:mh")
    assert transaction.exec() == [True, 2, 1, {"f": "v"}]


def test_scripts(redis: Redis) -> None:
    source = "#!lua flags=allow-key-locking\nredis.call('SET', KEYS[1], ARGV[1]) return {KEYS[1], ARGV[1]}"

    assert redis.eval(source, keys=["client:l"], args=["ä"]) == ["client:l", "ä"]
    assert redis.evalsha(redis.script_load(source), keys=["client:l"], args=["ö"]) == ["client:l", "ö"]
    assert redis.script_exists(redis.script_load(source)) == [True]


def test_errors_carry_the_store_s_text(redis: Redis) -> None:
    redis.set("client:e", "v")

    with pytest.raises(UpstashError, match=r"^WRONGTYPE Operation against a key"):
        redis.lpop("client:e")
    with pytest.raises(UpstashError, match=r"^NOSCRIPT "):
        redis.evalsha("0" * 40)
    with pytest.raises(UpstashError, match=r"^ERR Command is not available: 'BLPOP'"):
        redis.execute(["BLPOP", "client:list", 0])


def test_a_wrong_token_is_an_error(upstash: LocalUpstash) -> None:
    with (
        Redis(upstash.url, "wrong", rest_retries=0) as client,
        pytest.raises(UpstashError, match="WRONGPASS invalid or missing auth token"),
    ):
        client.get("client:s")


async def test_the_asyncio_client(async_redis: AsyncRedis) -> None:
    assert await async_redis.set("client:a", "漢字")
    assert await async_redis.get("client:a") == "漢字"
    assert await async_redis.hset("client:ah", "f", "v") == 1
    assert await async_redis.eval("return redis.call('HGET', KEYS[1], 'f')", keys=["client:ah"]) == "v"
    pipeline = async_redis.pipeline()
    pipeline.get("client:a")
    pipeline.hgetall("client:ah")
    assert await pipeline.exec() == ["漢字", {"f": "v"}]
    transaction = async_redis.multi()
    transaction.incr("client:an").incr("client:an")
    assert await transaction.exec() == [1, 2]
    with pytest.raises(UpstashError, match=r"^WRONGTYPE "):
        await async_redis.lpop("client:a")


async def test_the_sync_token_of_both_clients_changes_with_writes_only(redis: Redis, async_redis: AsyncRedis) -> None:
    tokens = []
    redis.set("client:token", "1")
    pipeline, transaction = redis.pipeline(), redis.multi()
    pipeline.get("client:token").delete("client:token")
    transaction.get("client:token").hset("client:token-hash", "f", "v")
    for action in (
        lambda: redis.get("client:token"),
        lambda: redis.mget("client:token", "client:none"),
        lambda: redis.incr("client:token"),
        lambda: redis.eval("return redis.call('INCR', KEYS[1])", keys=["client:token"]),
        pipeline.exec,
        transaction.exec,
    ):
        action()
        tokens.append(redis._sync_token)

    assert tokens[0] == tokens[1]
    assert len(set(tokens)) == 5
    assert await async_redis.get("client:token") is None
    assert async_redis._sync_token == tokens[-1]
