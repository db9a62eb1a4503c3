"""
A TCP server in front of a store that speaks Redis' own protocol, which misbehaves on command, as FaultyServer does in
front of one that speaks HTTP:

    with FaultyWire(redis_url) as wire:        forwards faithfully
        wire.fault = Fault.TRUNCATE            every answer from now on
        wire.faults.append(Fault.CLOSE)        the next answer only
        wire.leave(), wire.come_back()         connections are refused, and accepted again
        wire.delay_s                           a round trip

What a client writes together is one request. Faults meet one that the store has carried out, unless they refuse it:
what is lost is the answer. `connections`, `requests` and the last `commands` tell what arrived, `arrived` that
something did.
"""

import asyncio
import threading
from collections import deque

from scripts.faults.server import Fault
from scripts.faults.threaded import InThread
from scripts.local.resp import Address, Reply, ReplyParser

DRIP_S = 0.5
"""Slower than where answers are longer: the shortest has four bytes."""

READ_BYTES = 1 << 20
REFUSALS = {
    Fault.REFUSE_NOAUTH: b"-NOAUTH Authentication required.\r\n",
    Fault.REFUSE_NOPERM: b"-NOPERM this user has no permissions to run the command\r\n",
}
NOTED_MAX = 10_000


class RespNetwork:
    """The server, on the loop of who calls `listen` and `leave_now`."""

    def __init__(self, redis_url: str) -> None:
        self.fault = Fault.NONE
        self.faults: deque[Fault] = deque()
        self.delay_s = 0.0
        self.connections = 0
        self.requests = 0
        self.commands: deque[str] = deque(maxlen=NOTED_MAX)
        self.arrived = threading.Event()
        self._upstream = Address.of(redis_url)
        self._port = 0
        self._listener: asyncio.Server | None = None
        self._clients: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self._port}"

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

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        client = asyncio.current_task()
        assert client is not None
        self._clients.add(client)
        upstream: asyncio.StreamWriter | None = None
        try:
            from_store, upstream = await self._open_upstream()
            while await self._serve(reader, writer, from_store, upstream):
                pass
        except (OSError, EOFError, asyncio.CancelledError):
            pass  # The client has gone, or this server has.
        finally:
            self._clients.discard(client)
            writer.transport.abort()
            if upstream is not None:
                upstream.transport.abort()

    async def _open_upstream(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._upstream.path:
            return await asyncio.open_unix_connection(self._upstream.path)
        return await asyncio.open_connection(self._upstream.host, self._upstream.port)

    async def _serve(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        from_store: asyncio.StreamReader,
        upstream: asyncio.StreamWriter,
    ) -> bool:
        """Answer one request; return whether the connection can take another."""
        request, commands = await _read_whole(reader)
        self.requests += 1
        self.commands.extend(_name_of(command) for command in commands)
        self.arrived.set()
        fault = self.faults.popleft() if self.faults else self.fault
        is_cut = False
        if fault in REFUSALS:
            answer = REFUSALS[fault] * len(commands)
        else:
            upstream.write(request)
            whole, is_cut = await _read_replies(from_store, len(commands))
            answer = _spoil(whole, fault, len(commands))
        await asyncio.sleep(self.delay_s)
        if fault is Fault.SILENT:
            await reader.read()  # Until the client gives up.
        size_bytes, pause_s = (1, DRIP_S) if fault is Fault.DRIP else (READ_BYTES, 0)
        for start in range(0, len(answer), size_bytes):
            writer.write(answer[start : start + size_bytes])
            await writer.drain()
            await asyncio.sleep(pause_s)
        if is_cut or fault in (Fault.CLOSE, Fault.TRUNCATE):
            writer.close()
            return False
        return True


class FaultyWire(InThread, RespNetwork):
    """The network in its own thread with its own loop, from `with` to its end."""

    def __init__(self, redis_url: str) -> None:
        RespNetwork.__init__(self, redis_url)
        InThread.__init__(self)


async def _read_whole(reader: asyncio.StreamReader) -> tuple[bytes, list[Reply]]:
    """Return what a client wrote together, and the commands in it. Raises EOFError: it has gone."""
    parser, raw, commands = ReplyParser(), bytearray(), list[Reply]()
    while not commands or not parser.is_between:
        data = await reader.read(READ_BYTES)
        if not data:
            raise EOFError
        raw += data
        commands += parser.feed(data)
    return bytes(raw), commands


async def _read_replies(reader: asyncio.StreamReader, count: int) -> tuple[bytes, bool]:
    """Return *count* replies, or what came of them, and whether the store ended the connection."""
    parser, raw, replies = ReplyParser(), bytearray(), 0
    while replies < count:
        data = await reader.read(READ_BYTES)
        if not data:
            return bytes(raw), True
        raw += data
        replies += len(parser.feed(data))
    return bytes(raw), False


def _name_of(command: Reply) -> str:
    first = command[0] if isinstance(command, list) else b""
    return first.decode() if isinstance(first, bytes) else ""


def _spoil(answer: bytes, fault: Fault, count: int) -> bytes:
    match fault:
        case Fault.SILENT | Fault.CLOSE:
            return b""
        case Fault.TRUNCATE:
            return answer[:1]
        case Fault.NOT_RESP:
            return b"HTTP/1.1 400 Bad Request\r\n\r\n"
        case Fault.NULL:
            return b"$-1\r\n" * count
        case Fault.WRONG_COUNT:
            return answer + b"+one too many\r\n"
        case _:
            return answer
