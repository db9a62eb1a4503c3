"""
The peers of `scripts/bench peers`, each used as its documentation shows, and ourselves.

Those that keep histories append and read; the caches keep the whole history as one value, so that an append to it is
a get and a set. Each runs in a worker whose virtual environment has it: imports are late.
"""

import asyncio
import importlib
from collections.abc import Mapping
from functools import partial
from typing import Any, Protocol

from scripts.benchmarks.worker import Item, Place, Prepare, Run

PAGE_ITEMS = 20
EXPIRY_S = 3_600
LATER_S = 0.02
"""Time for a notice of the change to arrive, where there are notices."""


class Histories(Protocol):
    """A peer as one instance of a program sees it. Reads return how many items they brought, as Python objects."""

    async def append(self, name: str, items: list[Item]) -> None: ...

    async def read_last(self, name: str) -> int: ...

    async def read_all(self, name: str) -> int: ...

    async def close(self) -> None: ...


class Peer:
    """Two instances of one peer, *near* and *far*, and the operations that are compared."""

    def __init__(self, near: Histories, far: Histories, items: list[Item]) -> None:
        self._near = near
        self._far = far
        self._items = items
        # What a user says and an assistant answers.
        self._exchange = [next(item for item in items if item.get("role") == role) for role in ("user", "assistant")]
        self.operations: Mapping[str, Prepare] = {
            "append": self._append,
            "read last": partial(self._read, near.read_last, PAGE_ITEMS),
            "read all": partial(self._read, near.read_all, len(items)),
            "seen": partial(self._repeat, partial(self._is_seen, 0)),
            "seen later": partial(self._repeat, partial(self._is_seen, LATER_S)),
            "kept": partial(self._repeat, self._kept),
        }

    async def fill(self) -> "Peer":
        for name in ("appended", "read", "shared"):
            await self._near.append(name, self._items)
        return self

    async def close(self) -> None:
        await self._near.close()
        await self._far.close()

    async def _append(self, count: int) -> list[Run]:
        async def append() -> int:
            await self._near.append("appended", self._exchange)
            return len(self._exchange)

        return [append] * count

    async def _read(self, read: Any, expected: int, count: int) -> list[Run]:
        async def check() -> int:
            items: int = await read("read")
            assert items == expected, f"{items} items were read, {expected} were stored"
            return items

        return [check] * count

    async def _repeat(self, run: Run, count: int) -> list[Run]:
        return [run] * count

    async def _is_seen(self, after_s: float) -> int:
        """Whether an instance that read before finds what another one has appended, *after_s* since then."""
        before = await self._near.read_all("shared")
        await self._far.append("shared", self._exchange)
        if after_s:
            await asyncio.sleep(after_s)
        return int(await self._near.read_all("shared") == before + len(self._exchange))

    async def _kept(self) -> int:
        """How many of two instances' simultaneous appends one of them finds afterwards."""
        before = await self._far.read_all("shared")
        await asyncio.gather(*(each.append("shared", self._exchange) for each in (self._near, self._far)))
        return (await self._far.read_all("shared") - before) // len(self._exchange)


async def open_ours(place: Place, items: list[Item]) -> Peer:
    return await _ours(place, items, {})


async def open_ours_lenient(place: Place, items: list[Item]) -> Peer:
    return await _ours(place, items, {"cache-control": "max-age=60"})


async def _ours(place: Place, items: list[Item], headers: dict[str, str]) -> Peer:
    from scripts.benchmarks.instance import Instance

    paths: dict[str, str] = {}
    near, far = [Warmthread(await Instance(place, headers).start(), paths) for _ in range(2)]
    peer = Peer(near, far, items)
    peer.operations = {**peer.operations, "context": near.contexts}
    return await peer.fill()


class Warmthread:
    """One of our instances; *paths* names the conversations that both know."""

    def __init__(self, instance: Any, paths: dict[str, str]) -> None:
        self._instance = instance
        self._paths = paths

    async def append(self, name: str, items: list[Item]) -> None:
        if name not in self._paths:
            self._paths[name] = await self._instance.create(items)
            return
        await self._instance.call("POST", f"{self._paths[name]}/items", "", {"items": items})

    async def read_last(self, name: str) -> int:
        return len((await self._instance.call("GET", f"{self._paths[name]}/items", f"limit={PAGE_ITEMS}"))["data"])

    async def read_all(self, name: str) -> int:
        answer = await self._instance.call("GET", f"{self._paths[name]}/context", "budget=1000000")
        return len(answer["input"])

    async def contexts(self, count: int) -> list[Run]:
        async def context() -> int:
            answer = await self._instance.call("GET", f"{self._paths['read']}/context", "budget=8000")
            return len(answer["input"])

        return [context] * count

    async def close(self) -> None:
        await self._instance.stop()


async def open_agents(place: Place, items: list[Item]) -> Peer:
    return await Peer(AgentsSession(place), AgentsSession(place), items).fill()


class AgentsSession:
    """openai-agents' RedisSession."""

    def __init__(self, place: Place) -> None:
        self._session = importlib.import_module("agents.extensions.memory").RedisSession
        self._redis = importlib.import_module("redis.asyncio").Redis(port=place.redis_port)

    async def append(self, name: str, items: list[Item]) -> None:
        await self._open(name).add_items(items)

    async def read_last(self, name: str) -> int:
        return len(await self._open(name).get_items(limit=PAGE_ITEMS))

    async def read_all(self, name: str) -> int:
        return len(await self._open(name).get_items())

    async def close(self) -> None:
        await self._redis.aclose()

    def _open(self, name: str) -> Any:
        return self._session(name, redis_client=self._redis, key_prefix="agents", ttl=EXPIRY_S)


async def open_langchain(place: Place, items: list[Item]) -> Peer:
    options = {"url": f"redis://127.0.0.1:{place.redis_port}/0", "key_prefix": "langchain:"}
    return await _langchain("RedisChatMessageHistory", options, items)


async def open_langchain_upstash(place: Place, items: list[Item]) -> Peer:
    options = {"url": place.store_url, "token": place.store_token, "key_prefix": "langchain-upstash:"}
    return await _langchain("UpstashRedisChatMessageHistory", options, items)


async def _langchain(kind: str, options: dict[str, Any], items: list[Item]) -> Peer:
    return await Peer(LangchainHistory(kind, options), LangchainHistory(kind, options), items).fill()


class LangchainHistory:
    """
    A chat message history of langchain-community.

    Both are synchronous: their calls hold up the loop, as a caller's own would, so two never run at once. They have no
    way to read the last messages only.
    """

    def __init__(self, kind: str, options: dict[str, Any]) -> None:
        self._kind = getattr(importlib.import_module("langchain_community.chat_message_histories"), kind)
        self._convert = importlib.import_module("langchain_core.messages").convert_to_messages
        self._options = options
        self._open: dict[str, Any] = {}

    async def append(self, name: str, items: list[Item]) -> None:
        self._history(name).add_messages(self._convert([_chat_message(item) for item in items]))

    async def read_last(self, name: str) -> int:
        return len(self._history(name).messages[-PAGE_ITEMS:])

    async def read_all(self, name: str) -> int:
        return len(self._history(name).messages)

    async def close(self) -> None:
        self._open.clear()

    def _history(self, name: str) -> Any:
        if name not in self._open:
            self._open[name] = self._kind(session_id=name, ttl=EXPIRY_S, **self._options)
        return self._open[name]


def _chat_message(item: Item) -> dict[str, Any]:
    if item["type"] == "message":
        return {"role": item["role"], "content": item["content"][0]["text"]}
    if item["type"] == "function_call_output":
        return {"role": "tool", "tool_call_id": item["call_id"], "content": item["output"]}
    function = {"name": item["name"], "arguments": item["arguments"]}
    call = {"id": item["call_id"], "type": "function", "function": function}
    return {"role": "assistant", "content": "", "tool_calls": [call]}


async def open_cashews(place: Place, items: list[Item]) -> Peer:
    library = importlib.import_module("cashews")

    async def instance() -> Cached:
        cache = library.Cache()
        # With redis-py 8 and its own choice of protocol, 3, cashews never hears that a value has changed.
        cache.setup(f"redis://127.0.0.1:{place.redis_port}?protocol=2", client_side=True)
        await cache.init()
        return Cached(cache.get, partial(cache.set, expire=EXPIRY_S), cache.close)

    return await Peer(await instance(), await instance(), items).fill()


async def open_litellm(place: Place, items: list[Item]) -> Peer:
    dual_cache = importlib.import_module("litellm.caching.dual_cache").DualCache
    memory_cache = importlib.import_module("litellm.caching.in_memory_cache").InMemoryCache
    redis_cache = importlib.import_module("litellm.caching.redis_cache").RedisCache

    def instance() -> Cached:
        redis = redis_cache(host="127.0.0.1", port=place.redis_port)
        cache = dual_cache(in_memory_cache=memory_cache(), redis_cache=redis)
        return Cached(cache.async_get_cache, partial(cache.async_set_cache, ttl=EXPIRY_S), redis.disconnect)

    return await Peer(instance(), instance(), items).fill()


class Cached:
    """Histories as values of a cache, given by its *get*, *put* and *close*."""

    def __init__(self, get: Any, put: Any, close: Any) -> None:
        self._get = get
        self._put = put
        self._close = close

    async def append(self, name: str, items: list[Item]) -> None:
        await self._put(f"cached:{name}", [*(await self._get(f"cached:{name}") or []), *items])

    async def read_last(self, name: str) -> int:
        return len((await self._get(f"cached:{name}"))[-PAGE_ITEMS:])

    async def read_all(self, name: str) -> int:
        return len(await self._get(f"cached:{name}"))

    async def close(self) -> None:
        await self._close()
