"""
RESP2 to a Redis or Valkey server: replies exactly as they came, one connection for each call in flight.

    Pool.call(commands) -> replies, same order; all commands travel in one write on one connection

A client library would hide what a REST server has to pass on: the first word of an error, and whether a
string was a status or a value. A connection is never shared between calls, so a MULTI cannot swallow a
stranger's command.
"""

import asyncio
import ssl
from collections.abc import Sequence
from typing import NamedTuple, cast
from urllib.parse import unquote, urlsplit

CONNECTIONS_MAX = 64
CALL_TIMEOUT_S = 30.0
WAITING_BYTES_MAX = 8 * 1024 * 1024
CRLF = b"\r\n"


class Status(bytes):
    """A simple string such as OK or PONG."""

    __slots__ = ()


class Failure(bytes):
    """The text of an error reply, its first word included."""

    __slots__ = ()


type Reply = int | bytes | Status | Failure | list[Reply] | None
type Command = Sequence[bytes]


def packed(command: Command) -> bytes:
    parts = [b"*%d\r\n" % len(command)]
    for argument in command:
        parts += (b"$%d\r\n" % len(argument), argument, CRLF)
    return b"".join(parts)


class ReplyParser:
    """Turns the bytes of a connection into replies, whatever the pieces they arrive in."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._needed_bytes = 1
        self._open_arrays: list[tuple[list[Reply], int]] = []

    @property
    def is_between(self) -> bool:
        """Whether nothing has begun that is not complete."""
        return not self._buffer and not self._open_arrays

    def feed(self, data: bytes) -> list[Reply]:
        """Add *data* and return the replies that it completes."""
        self._buffer += data
        # A long value arrives in hundreds of pieces: look again only when it can be whole.
        if len(self._buffer) < self._needed_bytes:
            return []
        complete: list[Reply] = []
        position = 0
        self._needed_bytes = 1
        while (end := self._buffer.find(CRLF, position)) >= 0:
            kind, head = self._buffer[position], bytes(self._buffer[position + 1 : end])
            after = end + 2
            value: Reply
            if kind == ord("$") and (length := int(head)) >= 0:
                if len(self._buffer) < after + length + 2:
                    self._needed_bytes = after + length + 2 - position
                    break
                value = bytes(self._buffer[after : after + length])
                after += length + 2
            elif kind == ord("*") and (count := int(head)) > 0:
                self._open_arrays.append(([], count))
                position = after
                continue
            else:
                value = _scalar(kind, head)
            position = after
            self._close_arrays(value, complete)
        del self._buffer[:position]
        return complete

    def _close_arrays(self, value: Reply, complete: list[Reply]) -> None:
        while self._open_arrays:
            items, count = self._open_arrays[-1]
            items.append(value)
            if len(items) < count:
                return
            self._open_arrays.pop()
            value = items
        complete.append(value)


def _scalar(kind: int, head: bytes) -> Reply:
    if kind == ord(":"):
        return int(head)
    if kind == ord("+"):
        return Status(head)
    if kind == ord("-"):
        return Failure(head)
    if kind == ord("*") and head == b"0":
        return []
    assert kind in b"$*", f"unknown reply type {chr(kind)!r}"
    return None


class Connection(asyncio.Protocol):
    """One connection, one call at a time."""

    def __init__(self) -> None:
        self.is_open = False
        self._transport: asyncio.Transport | None = None
        self._parser = ReplyParser()
        self._replies: list[Reply] = []
        self._wanted = 0
        self._answered: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self.is_open = True

    def data_received(self, data: bytes) -> None:
        self._replies += self._parser.feed(data)
        if self._answered is not None and not self._answered.done() and len(self._replies) >= self._wanted:
            self._answered.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = False
        if self._answered is not None and not self._answered.done():
            self._answered.set_exception(ConnectionResetError("the server closed the connection"))

    async def call(self, commands: Sequence[Command]) -> list[Reply]:
        assert self._transport is not None
        self._wanted = len(commands)
        self._answered = asyncio.get_running_loop().create_future()
        self._transport.write(b"".join(map(packed, commands)))
        await self._answered
        replies, self._replies = self._replies, []
        return replies

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


class Listener(Connection):
    """
    A connection that, from `listen` on, only hears: what the server says comes from `next`, in order.

    It is closed when more than WAITING_BYTES_MAX wait to be asked for.
    """

    def __init__(self) -> None:
        super().__init__()
        self._heard: asyncio.Queue[Reply] | None = None
        self._waiting_bytes = 0

    def listen(self, command: Command) -> None:
        assert self._transport is not None
        self._heard = asyncio.Queue()
        self._transport.write(packed(command))

    async def next(self) -> Reply:
        """Return what the server says next, None once the connection has ended."""
        assert self._heard is not None
        if self._heard.empty():
            if not self.is_open:
                return None
            self._waiting_bytes = 0
        return await self._heard.get()

    def data_received(self, data: bytes) -> None:
        if self._heard is None:
            super().data_received(data)
            return
        for reply in self._parser.feed(data):
            self._heard.put_nowait(reply)
        self._waiting_bytes += len(data)
        if self._waiting_bytes > WAITING_BYTES_MAX:
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._heard is not None:
            self._heard.put_nowait(None)


class Address(NamedTuple):
    """Where a REDIS_URL points: redis:// and valkey://, the same with a second s for TLS, or unix://path."""

    path: str
    host: str
    port: int
    uses_tls: bool
    login: tuple[bytes, ...]
    database: str

    @classmethod
    def of(cls, url: str) -> "Address":
        parts = urlsplit(url)
        if parts.scheme not in ("redis", "rediss", "valkey", "valkeys", "unix"):
            raise ValueError(f"could not read REDIS_URL: unknown scheme {parts.scheme!r}")
        login = tuple(unquote(part).encode() for part in (parts.username, parts.password) if part)
        if parts.scheme == "unix":
            return cls(unquote(parts.path), "", 0, False, login, "")
        is_tls = parts.scheme in ("rediss", "valkeys")
        return cls("", parts.hostname or "127.0.0.1", parts.port or 6379, is_tls, login, parts.path.strip("/"))

    async def connect(self, connection: Connection) -> None:
        """Open *connection*, a new one, and log in. Raises OSError."""
        loop = asyncio.get_running_loop()
        if self.path:
            await loop.create_unix_connection(lambda: connection, self.path)
        else:
            context = ssl.create_default_context() if self.uses_tls else None
            await loop.create_connection(lambda: connection, self.host, self.port, ssl=context)
        greeting: list[Command] = []
        if self.login:
            greeting.append((b"AUTH", *self.login))
        if self.database not in ("", "0"):
            greeting.append((b"SELECT", self.database.encode()))
        for reply in await connection.call(greeting) if greeting else ():
            if isinstance(reply, Failure):
                connection.close()
                raise ConnectionError(reply.decode(errors="replace"))


class Pool:
    """At most CONNECTIONS_MAX connections; further calls wait for one."""

    def __init__(self, url: str) -> None:
        self.address = Address.of(url)
        self._permits = asyncio.Semaphore(CONNECTIONS_MAX)
        self._idle: list[Connection] = []

    async def call(self, commands: Sequence[Command]) -> list[Reply]:
        """
        Send *commands* together and return a reply for each.

        Raises:  OSError (ConnectionError, TimeoutError among them): unknown what was carried out.
        """
        async with self._permits, asyncio.timeout(CALL_TIMEOUT_S):
            connection = await self._take()
            try:
                replies = await connection.call(commands)
            except BaseException:  # A cancelled call as well.
                connection.close()  # Its replies are no longer in step with its commands.
                raise
            self._idle.append(connection)
            return replies

    async def _take(self) -> Connection:
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open:
                return connection
        connection = Connection()
        await self.address.connect(connection)
        return connection

    def close(self) -> None:
        while self._idle:
            self._idle.pop().close()
