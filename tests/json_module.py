"""
A Valkey as a server with the JSON module is seen by its clients: that module is in no package that installs here.

    with json_module(redis_url) as url:       in front of the Valkey at redis_url, in a thread of its own

By the module's documentation: a document is a key of the type ReJSON-RL, which other commands refuse with WRONGTYPE;
JSON.SET key $ value sets all of it; JSON.GET key answers with the document, with a path as a list of what is there,
with several as an object of such lists. Paths are `$` and `$.name`. Indexes of the search module can be made, and find
nothing. All else is Valkey's own: documents are strings there.
"""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any

from scripts.local.resp import Command, Failure, Pool, Reply, ReplyParser, Status
from scripts.local.rest import resp2_body

TYPE = b"ReJSON-RL"
WRONG_TYPE = Failure(b"WRONGTYPE Operation against a key holding the wrong kind of value")
FREE = frozenset({b"DEL", b"EXISTS", b"EXPIRE", b"TTL", b"PTTL", b"UNLINK", b"PERSIST"})
"""Commands for keys of any type."""

NO_KEY = frozenset({b"PING", b"ECHO", b"SCAN", b"KEYS", b"INFO", b"DBSIZE", b"SELECT", b"CLIENT", b"MODULE", b"HELLO"})


class JsonModule:
    """What the module adds to the server behind *pool*; *documents* are the names of keys that are documents."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._documents: set[bytes] = set()

    async def answer(self, command: Command) -> Reply:
        name = command[0].upper()
        if len(command) > 1 and command[1] in self._documents and not await self._there(command[1]):
            self._documents.discard(command[1])
        match name:
            case b"JSON.SET":
                return await self._set(*command[1:])
            case b"JSON.GET":
                return await self._get(*command[1:])
            case b"TYPE" if command[1] in self._documents:
                return Status(TYPE)
            case b"SCAN":
                return await self._scan(command)
            case b"CLIENT":
                return Status(b"OK")
            case b"HELLO":
                return Failure(b"NOPROTO unsupported protocol version")
            case b"FT._LIST":
                return []
            case b"FT.INFO":
                return Failure(b"Unknown index name")
            case b"FT.CREATE":
                return Status(b"OK")
        if name not in FREE | NO_KEY and len(command) > 1 and command[1] in self._documents:
            return WRONG_TYPE
        return await self._call(*command)

    async def _call(self, *command: bytes) -> Reply:
        [reply] = await self._pool.call([command])
        return reply

    async def _there(self, key: bytes) -> bool:
        return await self._call(b"EXISTS", key) == 1

    async def _set(self, key: bytes, path: bytes, value: bytes) -> Reply:
        if path not in (b"$", b"."):
            return Failure(b"ERR new objects must be created at the root")
        try:
            json.loads(value)
        except ValueError:
            return Failure(b"ERR expected value")
        if key not in self._documents and await self._there(key):
            return Failure(b"Existing key has wrong Redis type")
        self._documents.add(key)
        return await self._call(b"SET", key, value)

    async def _get(self, key: bytes, *paths: bytes) -> Reply:
        if key not in self._documents:
            return Failure(b"Existing key has wrong Redis type") if await self._there(key) else None
        raw = await self._call(b"GET", key)
        if raw is None or not paths:
            return raw
        assert isinstance(raw, bytes)
        found = {path.decode(): _at(json.loads(raw), path.decode()) for path in paths}
        return json.dumps(found if len(paths) > 1 else next(iter(found.values()))).encode()

    async def _scan(self, command: Command) -> Reply:
        words = [bytes(each) for each in command]
        at = next((at for at, word in enumerate(words) if word.upper() == b"TYPE"), None)
        if at is None:
            return await self._call(*words)
        wanted = words[at + 1]
        words[at + 1] = b"string" if wanted == TYPE else wanted
        reply = await self._call(*words)
        assert isinstance(reply, list)
        cursor, names = reply
        assert isinstance(names, list)
        return [cursor, [each for each in names if (each in self._documents) == (wanted == TYPE)]]


def _at(document: Any, path: str) -> list[Any]:
    if path == "$":
        return [document]
    name = path.removeprefix("$.")
    return [document[name]] if isinstance(document, dict) and name in document else []


async def _serve(module: JsonModule, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    parser = ReplyParser()
    with suppress(ConnectionError, asyncio.CancelledError), closing(writer):
        while data := await reader.read(65_536):
            for command in parser.feed(data):
                assert isinstance(command, list)
                told = await module.answer([bytes(each) for each in command if isinstance(each, bytes)])
                writer.write(resp2_body([told]))
            await writer.drain()


@contextmanager
def json_module(redis_url: str) -> Iterator[str]:
    """Yield the address of a server in front of that at *redis_url*."""
    loop, ready = asyncio.new_event_loop(), threading.Event()
    ports: list[int] = []

    async def run() -> None:
        pool = Pool(redis_url)
        module = JsonModule(pool)
        server = await asyncio.start_server(lambda *streams: _serve(module, *streams), "127.0.0.1", 0)
        ports.append(server.sockets[0].getsockname()[1])
        ready.set()
        await ended.wait()
        server.close()
        pool.close()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for each in left:
            each.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        await asyncio.sleep(0)  # Transports close in the tick after.

    ended = asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=(run(),), daemon=True)
    thread.start()
    try:
        assert ready.wait(10), "the front did not start"
        yield f"redis://127.0.0.1:{ports[0]}"
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(10)
        loop.close()
