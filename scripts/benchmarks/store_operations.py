"""
What `scripts/bench store` measures: our operations, and the stock client of Upstash beside one of them.

To add a row: one entry in `Operations.operations`, one in `ROWS` of scripts/benchmarks/store.py.
"""

import asyncio
from collections.abc import Awaitable, Mapping
from functools import partial
from itertools import batched, cycle
from typing import Any

import orjson

from scripts.benchmarks.instance import Instance
from scripts.benchmarks.worker import Apart, Item, Place, Prepare, Run
from shared.context.render import FORMATS

AT_ONCE = 100
PAGE_ITEMS = 20
MANY = 5
"""Times the recorded conversation: too large to be held whole."""

L1_READS = 100
SMALL_BYTES = 100


async def open_ours(place: Place, items: list[Item]) -> "Operations":
    service = await Instance(place, {}).start()
    lenient = await Instance(place, {"cache-control": "max-age=60"}).start()
    return await Operations(service, lenient, items).fill()


class Operations:
    """The routes of one instance; *lenient* is another whose caller takes answers up to a minute old."""

    def __init__(self, service: Instance, lenient: Instance, items: list[Item]) -> None:
        self._service = service
        self._lenient = lenient
        self._items = items
        self._path = ""
        self._item_id = ""
        self._paths: list[str] = []
        self._lists = [f"lists:{id(self)}:{number}" for number in range(AT_ONCE)]
        context, page = "/context", "/items"
        self.operations: Mapping[str, Prepare] = {
            "append 2": partial(self._append, 2),
            "append 10": partial(self._append, 10),
            "read 20": partial(self._get, page, f"limit={PAGE_ITEMS}"),
            "read 20, cold": partial(self._get_cold, page, f"limit={PAGE_ITEMS}"),
            "read 20 of many, cold": self._get_of_many,
            "context": partial(self._get, context, "budget=8000"),
            "item": self._get_item,
            "retrieve": partial(self._get, "", ""),
            "create": self._create,
            "delete": self._delete,
            "read 20, max-age": partial(self._get_lenient, page, f"limit={PAGE_ITEMS}"),
            "item, max-age": self._get_item_lenient,
            "retrieve, max-age": partial(self._get_lenient, "", ""),
            "context, max-age": partial(self._get_lenient, context, "budget=8000"),
            "context, cold": partial(self._get_cold, context, "budget=8000"),
            **{
                f"context, {kind}, {form}": partial(read, context, f"budget=8000&format={form}")
                for form in FORMATS
                for kind, read in (("max-age", self._get_lenient), ("fresh", self._get_fresh))
            },
            "cache": self._read_l1,
            "at once, different": partial(self._at_once, AT_ONCE),
            "at once, the same": partial(self._at_once, 1),
            "at once, client": self._lists_at_once,
            "at once, small": self._values_at_once,
        }

    async def fill(self) -> "Operations":
        self._path = await self._service.create(self._items)
        page = await self._service.call("GET", f"{self._path}/items", "limit=1")
        self._item_id = page["data"][0]["id"]
        self._paths = [await self._service.create(self._items[:PAGE_ITEMS]) for _ in range(AT_ONCE)]
        values = [orjson.dumps(item).decode() for item in self._items[:PAGE_ITEMS]]
        for name in self._lists:
            await self._service.store.command("RPUSH", name, *values)
            await self._service.store.command("SET", f"{name}:small", "x" * SMALL_BYTES)
        return self

    async def close(self) -> None:
        await self._service.stop()
        await self._lenient.stop()

    async def _append(self, items_count: int, count: int) -> list[Run]:
        path = await self._service.create(self._items)
        body = {"items": self._items[1 : 1 + items_count]}
        return [partial(_one, partial(self._service.call, "POST", f"{path}/items", "", body))] * count

    async def _get(self, route: str, query: str, count: int) -> list[Run]:
        return [partial(_one, partial(self._service.call, "GET", self._path + route, query))] * count

    async def _get_item(self, count: int) -> list[Run]:
        return await self._get(f"/items/{self._item_id}", "", count)

    async def _get_item_lenient(self, count: int) -> list[Run]:
        return await self._get_lenient(f"/items/{self._item_id}", "", count)

    async def _get_lenient(self, route: str, query: str, count: int) -> list[Run]:
        return [partial(_one, partial(self._lenient.call, "GET", self._path + route, query))] * count

    async def _get_fresh(self, route: str, query: str, count: int) -> list[Run]:
        """Read what has grown by two items since it was read last: a conversation goes on as it began."""
        path, news = await self._service.create(self._items), cycle(batched(self._items[1:-1], 2))

        async def grow() -> int:
            await self._service.call("POST", f"{path}/items", "", {"items": next(news)})
            await self._service.settle()  # What an append does after its answer is none of the read's.
            return 1

        return [Apart(grow, partial(_one, partial(self._service.call, "GET", path + route, query)))] * count

    async def _get_cold(self, route: str, query: str, count: int, path: str = "") -> list[Run]:
        """Read as an instance does that holds nothing yet, its imports apart."""
        history = self._service.state["history"]

        async def forget() -> int:
            history.limit_l1(0)
            history.limit_l1(1)
            return 0

        get = partial(_one, partial(self._service.call, "GET", (path or self._path) + route, query))
        return [Apart(forget, get)] * count

    async def _get_of_many(self, count: int) -> list[Run]:
        path = await self._service.create(self._items * MANY)
        return await self._get_cold("/items", f"limit={PAGE_ITEMS}", count, path)

    async def _read_l1(self, count: int) -> list[Run]:
        await self._lenient.call("GET", self._path + "/context", "budget=8000")

        async def read_often() -> int:
            for _ in range(L1_READS):
                await self._lenient.read_l1(self._path)
            return L1_READS

        return [read_often] * count

    async def _create(self, count: int) -> list[Run]:
        body = {"items": self._items[1:3]}
        return [partial(_one, partial(self._service.call, "POST", "/v1/conversations", "", body))] * count

    async def _delete(self, count: int) -> list[Run]:
        paths = [await self._service.create(self._items[:PAGE_ITEMS]) for _ in range(count)]
        return [partial(_one, partial(self._service.call, "DELETE", path)) for path in paths]

    async def _at_once(self, conversations: int, count: int) -> list[Run]:
        paths = self._paths[:conversations] * (AT_ONCE // conversations)

        async def read_all_at_once() -> int:
            pages = await asyncio.gather(
                *(self._service.call("GET", f"{path}/items", f"limit={PAGE_ITEMS}") for path in paths)
            )
            assert all(len(page["data"]) == PAGE_ITEMS for page in pages)
            return len(pages)

        return [read_all_at_once] * count

    async def _lists_at_once(self, count: int) -> list[Run]:
        """What the stock client does, by our client: no service in front."""
        store = self._service.store

        async def read_all_at_once() -> int:
            pages = await asyncio.gather(
                *(store.command("LRANGE", name, -PAGE_ITEMS, -1, is_idempotent=True) for name in self._lists)
            )
            assert all(len([orjson.loads(value) for value in page]) == PAGE_ITEMS for page in pages)
            return len(pages)

        return [read_all_at_once] * count

    async def _values_at_once(self, count: int) -> list[Run]:
        store = self._service.store

        async def read_all_at_once() -> int:
            values = await asyncio.gather(
                *(store.command("GET", f"{name}:small", is_idempotent=True) for name in self._lists)
            )
            assert all(len(value) == SMALL_BYTES for value in values)
            return len(values)

        return [read_all_at_once] * count


async def _one(call: Any) -> int:
    await call()
    return 1


async def open_stock(place: Place, items: list[Item]) -> "StockClient":
    return await StockClient(place).fill(items)


class StockClient:
    """upstash-redis reading the same items from lists: one LRANGE each, the least that any design on it can cost."""

    def __init__(self, place: Place) -> None:
        from upstash_redis.asyncio import Redis

        self._redis = Redis(url=place.store_url, token=place.store_token, allow_telemetry=False)
        self._names = [f"stock:{place.store_url}:{number}" for number in range(AT_ONCE)]
        self.operations: Mapping[str, Prepare] = {
            "at once, different": partial(self._at_once, AT_ONCE),
            "at once, the same": partial(self._at_once, 1),
            "at once, client": partial(self._at_once, AT_ONCE),
            "at once, small": self._values_at_once,
        }

    async def fill(self, items: list[Item]) -> "StockClient":
        values = [orjson.dumps(item).decode() for item in items[:PAGE_ITEMS]]
        for name in self._names:
            await self._redis.rpush(name, *values)
            await self._redis.set(f"{name}:small", "x" * SMALL_BYTES)
        return self

    async def close(self) -> None:
        await self._redis.close()

    async def _at_once(self, lists: int, count: int) -> list[Run]:
        names = self._names[:lists] * (AT_ONCE // lists)

        async def read_all_at_once() -> int:
            reads: list[Awaitable[list[str]]] = [self._redis.lrange(name, -PAGE_ITEMS, -1) for name in names]
            pages = await asyncio.gather(*reads)
            assert all(len([orjson.loads(value) for value in page]) == PAGE_ITEMS for page in pages)
            return len(pages)

        return [read_all_at_once] * count

    async def _values_at_once(self, count: int) -> list[Run]:
        async def read_all_at_once() -> int:
            values = await asyncio.gather(*(self._redis.get(f"{name}:small") for name in self._names))
            assert all(value is not None and len(value) == SMALL_BYTES for value in values)
            return len(values)

        return [read_all_at_once] * count
