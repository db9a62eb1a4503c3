"""
A TCP server in front of a store that misbehaves on command.

    with FaultyServer(upstash.url) as server:      forwards faithfully
        server.fault = Fault.TRUNCATE              every answer from now on
        server.faults.append(Fault.CLOSE)          the next answer only
        server.leave(), server.come_back()         connections are refused, and accepted again
        server.nth_write = lambda source: 3        every script's third write is refused (halfway.py); 0: none
        server.reason = "ERR …"                    why that is, if not for the size of a record

Faults meet a request that the store has carried out, unless they say otherwise: what is lost is the answer.
`connections`, `requests` and `paths` tell what arrived, `arrived` that something did, `statuses` what was answered,
`ended_half_way` how many scripts were refused a write.
"""

import asyncio
import re
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine
from enum import Enum, auto
from typing import Any
from urllib.parse import urlsplit

from scripts.faults.halfway import REASON, end_half_way

DRIP_S = 0.02
PIECE_BYTES = 65_536
HOST = re.compile(rb"\r\nhost:[^\r]*\r\n", re.IGNORECASE)
LENGTH = re.compile(rb"\r\ncontent-length: *\d+\r\n", re.IGNORECASE)
CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked\r\n", re.IGNORECASE)
HEAD = b"HTTP/1.1 %d Status\r\ncontent-type: %b\r\ncontent-length: %d\r\n\r\n%b"


class Fault(Enum):
    """What becomes of a request. Those that refuse do not let the store see it."""

    NONE = auto()
    SILENT = auto()  # The connection stays open; nothing ever comes.
    CLOSE = auto()  # The connection ends where the answer should begin.
    TRUNCATE = auto()  # It ends in the middle of the body.
    DRIP = auto()  # A byte at a time.
    NOT_HTTP = auto()
    NOT_JSON = auto()
    NULL = auto()  # A result, but not that of the command.
    WRONG_COUNT = auto()  # One result too many.
    ERROR_500 = auto()
    REFUSE_400 = auto()
    REFUSE_401 = auto()
    REFUSE_403 = auto()


REFUSALS = {
    Fault.REFUSE_400: (400, b'{"error":"ERR max daily request limit exceeded"}'),
    Fault.REFUSE_401: (401, b'{"error":"WRONGPASS invalid or missing auth token"}'),
    Fault.REFUSE_403: (403, b"<Error><Code>AccessDenied</Code></Error>"),
}


class FaultyServer:
    """The server, in its own thread with its own loop, from `with` to its end."""

    def __init__(self, upstream_url: str) -> None:
        self.fault = Fault.NONE
        self.faults: deque[Fault] = deque()
        self.delay_s = 0.0
        self.nth_write: Callable[[str], int] | None = None
        self.reason = REASON
        self.ended_half_way = 0
        self.connections = 0
        self.requests = 0
        self.paths: list[str] = []
        self.statuses: list[int] = []
        self.arrived = threading.Event()
        parts = urlsplit(upstream_url)
        self._is_tls = parts.scheme == "https"
        self._upstream = (parts.hostname, parts.port or (443 if self._is_tls else 80))
        self._port = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="faulty", daemon=True)
        self._listener: asyncio.Server | None = None
        self._clients: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def leave(self) -> None:
        """Refuse connections, and cut those there are."""
        self._call(self._leave())

    def come_back(self) -> None:
        """Accept connections again, at the same address."""
        self._call(self._listen())

    def __enter__(self) -> "FaultyServer":
        self._thread.start()
        self._call(self._listen())
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._call(self._leave())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _call(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=5)

    async def _listen(self) -> None:
        self._listener = await asyncio.start_server(self._accept, "127.0.0.1", self._port)
        self._port = self._listener.sockets[0].getsockname()[1]

    async def _leave(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        for client in self._clients:
            client.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        client = asyncio.current_task()
        assert client is not None
        self._clients.add(client)
        try:
            while await self._serve(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # The client has gone, or this server has.
        finally:
            self._clients.discard(client)
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; return whether the connection can take another."""
        request = await _read_message(reader)
        self.requests += 1
        self.paths.append(request.split(b" ", 2)[1].decode())
        self.arrived.set()
        fault = self.faults.popleft() if self.faults else self.fault
        answer = _message(*REFUSALS[fault]) if fault in REFUSALS else _spoil(await self._forward(request), fault)
        await asyncio.sleep(self.delay_s)
        if fault is Fault.SILENT:
            await reader.read()  # Until the client gives up.
        if answer:
            self.statuses.append(int(answer.split(b" ", 2)[1]))
        size_bytes, pause_s = (1, DRIP_S) if fault is Fault.DRIP else (PIECE_BYTES, 0)
        for start in range(0, len(answer), size_bytes):
            writer.write(answer[start : start + size_bytes])
            await writer.drain()
            await asyncio.sleep(pause_s)
        if fault in (Fault.CLOSE, Fault.TRUNCATE, Fault.NOT_HTTP):
            writer.close()
            return False
        return True

    async def _forward(self, request: bytes) -> bytes:
        if self.nth_write is not None:
            head, blank, body = request.partition(b"\r\n\r\n")
            body = end_half_way(body, self.nth_write, self.reason)
            request = LENGTH.sub(b"\r\ncontent-length: %d\r\n" % len(body), head + blank) + body
        reader, writer = await asyncio.open_connection(*self._upstream, ssl=self._is_tls or None)
        if self._is_tls:
            # Databases that share an address are told apart by it.
            request = HOST.sub(f"\r\nhost: {self._upstream[0]}\r\n".encode(), request, count=1)
        try:
            writer.write(request)
            answer = await _read_message(reader)
            self.ended_half_way += answer.count(self.reason.encode())
            return answer
        finally:
            writer.transport.abort()


async def _read_message(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    if CHUNKED.search(head):
        body = b"".join([chunk async for chunk in _chunks(reader)])
        return CHUNKED.sub(b"\r\ncontent-length: %d\r\n" % len(body), head) + body
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    # A request without a body, such as DELETE, need not name a length.
    return head + await reader.readexactly(int(lengths[0].partition(b":")[2]) if lengths else 0)


async def _chunks(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    while size_bytes := int((await reader.readuntil(b"\r\n")).partition(b";")[0], 16):
        yield await reader.readexactly(size_bytes)
        await reader.readuntil(b"\r\n")
    await reader.readuntil(b"\r\n")


def _message(status: int, body: bytes, content_type: bytes = b"application/json") -> bytes:
    return HEAD % (status, content_type, len(body), body)


def _spoil(answer: bytes, fault: Fault) -> bytes:
    body = answer.partition(b"\r\n\r\n")[2]
    match fault:
        case Fault.SILENT | Fault.CLOSE:
            return b""
        case Fault.TRUNCATE:
            return answer[: -len(body) // 2]
        case Fault.NOT_HTTP:
            return b"220 mail.example.net ESMTP\r\n\r\n"
        case Fault.NOT_JSON:
            return _message(200, b"<html>Bad gateway</html>", b"text/html")
        case Fault.NULL:
            return _message(200, b'{"result":null}')
        case Fault.WRONG_COUNT:
            results = body.strip().removeprefix(b"[").removesuffix(b"]")
            return _message(200, b"[" + results + b',{"result":"one too many"}]')
        case Fault.ERROR_500:
            return _message(500, b'{"error":"internal error"}')
        case _:
            return answer
