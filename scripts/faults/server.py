"""
A TCP server in front of a store that misbehaves on command.

    with FaultyServer(upstash.url) as server:      forwards faithfully
        server.fault = Fault.TRUNCATE              every answer from now on
        server.faults.append(Fault.CLOSE)          the next answer only
        server.leave(), server.come_back()         connections are refused, and accepted again
        server.nth_write = lambda source: 3        every script's third write is refused (halfway.py); 0: none
        server.reason = "ERR …"                    why that is, if not for the size of a record
    server.clock = Compression(…)              the store's time runs faster (compression.py); None: as it does
    server.delay_s, server.jitter_s            a round trip, and what is added to it on average (exponentially)
    server.handshakes = 2                      round trips that a new connection takes besides
    server.bandwidth_bytes_s                   each way, shared by all connections; 0: no limit

A round trip is waited for as a whole on the way back. Each connection has one of its own to the store, which is kept as
long as it; timers of asyncio come up to 1.1 ms late. Faults meet a request that the store has carried out, unless they
say otherwise: what is lost is the answer.

`connections`, `requests`, `bytes_in` and the last `paths` tell what arrived, `arrived` that something did, `bytes_out`
and the last `statuses` what was answered, `ended_half_way` how many scripts were refused a write.
"""

import asyncio
import random
import re
import threading
from collections import deque
from collections.abc import Callable
from enum import Enum, auto
from typing import NamedTuple
from urllib.parse import urlsplit

from scripts.faults.compression import Compression
from scripts.faults.halfway import REASON, end_half_way
from scripts.faults.threaded import InThread
from scripts.local.messages import read_chunks

DRIP_S = 0.02
PIECE_BYTES = 65_536
NOTED_MAX = 100_000
HOST = re.compile(rb"\r\nhost:[^\r]*\r\n", re.IGNORECASE)
LENGTH = re.compile(rb"\r\ncontent-length: *\d+\r\n", re.IGNORECASE)
LAST = re.compile(rb"\AHTTP/1\.0 |\r\nconnection: *close", re.IGNORECASE)
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
    NOT_RESP = auto()  # This one and the next ones are of a store that speaks its own protocol (resp_wire.py).
    REFUSE_NOAUTH = auto()
    REFUSE_NOPERM = auto()


RESP_FAULTS = frozenset([Fault.NOT_RESP, Fault.REFUSE_NOAUTH, Fault.REFUSE_NOPERM])


REFUSALS = {
    Fault.REFUSE_400: (400, b'{"error":"ERR max daily request limit exceeded"}'),
    Fault.REFUSE_401: (401, b'{"error":"WRONGPASS invalid or missing auth token"}'),
    Fault.REFUSE_403: (403, b"<Error><Code>AccessDenied</Code></Error>"),
}


class Network:
    """The server, on the loop of who calls `listen` and `leave_now`. *seed*: what jitter is drawn from."""

    def __init__(self, upstream_url: str, seed: object = 0) -> None:
        self.fault = Fault.NONE
        self.faults: deque[Fault] = deque()
        self.delay_s = 0.0
        self.jitter_s = 0.0
        self.handshakes = 0
        self.bandwidth_bytes_s = 0.0
        self.nth_write: Callable[[str], int] | None = None
        self.reason = REASON
        self.clock: Compression | None = None
        self.ended_half_way = 0
        self.connections = 0
        self.requests = 0
        self.bytes_in = 0
        self.bytes_out = 0
        self.paths: list[str] = []
        self.statuses: list[int] = []
        self.arrived = threading.Event()
        self._upstream = _Address.of(upstream_url)
        self._port = 0
        self._dice = random.Random(f"{seed} jitter")  # noqa: S311  # no secret.
        self._free_at_s = {"in": 0.0, "out": 0.0}
        self._listener: asyncio.Server | None = None
        self._clients: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    async def listen(self) -> None:
        self._listener = await asyncio.start_server(self._accept, "127.0.0.1", self._port)
        self._port = self._listener.sockets[0].getsockname()[1]

    async def leave_now(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        for client in self._clients:
            client.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)

    def _round_trip_s(self) -> float:
        return self.delay_s + (self._dice.expovariate(1 / self.jitter_s) if self.jitter_s else 0.0)

    async def _carry(self, way: str, size_bytes: int) -> None:
        """Wait until the line has carried so much *way*, after what it carries already."""
        if self.bandwidth_bytes_s:
            now_s = asyncio.get_running_loop().time()
            self._free_at_s[way] = max(self._free_at_s[way], now_s) + size_bytes / self.bandwidth_bytes_s
            await asyncio.sleep(self._free_at_s[way] - now_s)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        client = asyncio.current_task()
        assert client is not None
        self._clients.add(client)
        upstream = _Upstream(self._upstream)
        try:
            for _ in range(self.handshakes):
                await asyncio.sleep(self._round_trip_s())
            while await self._serve(reader, writer, upstream):
                pass
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # The client has gone, or this server has.
        finally:
            self._clients.discard(client)
            upstream.close()
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, upstream: "_Upstream") -> bool:
        """Answer one request; return whether the connection can take another."""
        request = await _read_message(reader)
        self.requests += 1
        self.bytes_in += len(request)
        _note(self.paths, request.split(b" ", 2)[1].decode())
        self.arrived.set()
        fault = self.faults.popleft() if self.faults else self.fault
        await self._carry("in", len(request))
        is_refused = fault in REFUSALS
        answer = _message(*REFUSALS[fault]) if is_refused else _spoil(await self._forward(request, upstream), fault)
        await asyncio.sleep(self._round_trip_s())
        await self._carry("out", len(answer))
        if fault is Fault.SILENT:
            await reader.read()  # Until the client gives up.
        if answer.startswith(b"HTTP/"):
            _note(self.statuses, int(answer.split(b" ", 2)[1]))
        self.bytes_out += len(answer)
        size_bytes, pause_s = (1, DRIP_S) if fault is Fault.DRIP else (PIECE_BYTES, 0)
        for start in range(0, len(answer), size_bytes):
            writer.write(answer[start : start + size_bytes])
            await writer.drain()
            await asyncio.sleep(pause_s)
        if fault in (Fault.CLOSE, Fault.TRUNCATE, Fault.NOT_HTTP):
            writer.close()
            return False
        return True

    async def _forward(self, request: bytes, upstream: "_Upstream") -> bytes:
        head, blank, body = request.partition(b"\r\n\r\n")
        if body and (self.nth_write is not None or self.clock is not None):
            if self.nth_write is not None:
                body = end_half_way(body, self.nth_write, self.reason)
            if self.clock is not None:
                body = self.clock.compress(body)
            request = LENGTH.sub(b"\r\ncontent-length: %d\r\n" % len(body), head + blank) + body
        answer = await upstream.ask(request)
        if self.nth_write is not None:
            self.ended_half_way += answer.count(self.reason.encode())
        return answer


class FaultyServer(InThread, Network):
    """The network in its own thread with its own loop, from `with` to its end."""

    def __init__(self, upstream_url: str) -> None:
        Network.__init__(self, upstream_url)
        InThread.__init__(self)


class _Address(NamedTuple):
    """Where the store is."""

    host: str
    port: int
    is_tls: bool

    @classmethod
    def of(cls, url: str) -> "_Address":
        parts = urlsplit(url)
        is_tls = parts.scheme == "https"
        return cls(parts.hostname or "", parts.port or (443 if is_tls else 80), is_tls)


class _Upstream:
    """One client's connection to the store, made anew when the store has closed it."""

    def __init__(self, address: _Address) -> None:
        self._address = address
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, request: bytes) -> bytes:
        """Return the answer to *request*. Raises OSError, EOFError: the store is not there, or went."""
        if self._address.is_tls:
            # Databases that share an address are told apart by it.
            request = HOST.sub(f"\r\nhost: {self._address.host}\r\n".encode(), request, count=1)
        if self._streams is not None:
            try:
                return await self._exchange(*self._streams, request)
            except (asyncio.IncompleteReadError, ConnectionError) as gone:
                # A kept connection that ends without a word of an answer was closed before the request came.
                if isinstance(gone, asyncio.IncompleteReadError) and gone.partial:
                    raise
        self._streams = await asyncio.open_connection(
            self._address.host, self._address.port, ssl=self._address.is_tls or None
        )
        return await self._exchange(*self._streams, request)

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> bytes:
        is_kept = False
        try:
            writer.write(request)
            answer = await _read_message(reader, has_body=not request.startswith(b"HEAD "))
            is_kept = LAST.search(answer.partition(b"\r\n\r\n")[0]) is None
        finally:
            if not is_kept:
                self.close()
        return answer

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].transport.abort()
            self._streams = None


def _note[T](noted: list[T], new: T) -> None:
    """Add *new*, and forget the older half where it becomes too much."""
    if len(noted) >= NOTED_MAX:
        del noted[: NOTED_MAX // 2]
    noted.append(new)


async def _read_message(reader: asyncio.StreamReader, *, has_body: bool = True) -> bytes:
    """Return the next message; the answer to a HEAD has no body, whatever length it names."""
    head = await reader.readuntil(b"\r\n\r\n")
    if not has_body:
        return head
    if CHUNKED.search(head):
        body = b"".join([chunk async for chunk in read_chunks(reader)])
        return CHUNKED.sub(b"\r\ncontent-length: %d\r\n" % len(body), head) + body
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    # A request without a body, such as DELETE, need not name a length.
    return head + await reader.readexactly(int(lengths[0].partition(b":")[2]) if lengths else 0)


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
