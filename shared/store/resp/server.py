"""
One server, and the connections to it: opened when they are needed, kept while they are, an exchange at a time on each.

The names of a cluster's servers lead to machines that come and go: each connection looks them up anew.
"""

import asyncio
import ssl
import time
from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple
from urllib.parse import unquote

from shared.config import Settings
from shared.setting import RESP_ADDRESS
from shared.store.resp.connection import Connection, Exchange, Refusal

CONNECTIONS_MAX = 128
"""At once to one server. An instance has 1,024 file descriptors, which its callers' connections share."""

IDLE_S = 55.0
"""As long a pause, by the clock on the wall, and connections are given up: an instance that slept has lost them, and
what is written into a lost connection has an unknown outcome."""

PORT = 6379


@cache
def tls_context() -> ssl.SSLContext:
    """Return what checks certificates by the roots that the machine has; reading those takes 15 ms."""
    return ssl.create_default_context()


class NotConnected(Exception):
    """There was no connection, and so nothing was sent; *is_late*: for want of time."""

    def __init__(self, reason: str, *, is_late: bool = False) -> None:
        super().__init__(reason)
        self.is_late = is_late


class Address(NamedTuple):
    """Where a server is."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class Access(NamedTuple):
    """How the servers of one store are spoken to; *greeting*: what each connection begins with."""

    greeting: tuple[bytes, ...]
    is_tls: bool
    connect_timeout_s: float

    @classmethod
    def of(cls, settings: Settings) -> tuple["Access", Address, bool]:
        """Return that of the store that *settings* name, its address, and whether it is a cluster."""
        found = RESP_ADDRESS.fullmatch(settings.store_url)
        assert found is not None, "settings were read as they have to be"
        greeting: list[bytes] = []
        if settings.store_token:
            user, _, password = settings.store_token.rpartition(":")
            greeting.append(packed(["AUTH", *(unquote(part) for part in (user, password) if part)]))
        if found["database"].strip("0"):
            greeting.append(packed(["SELECT", int(found["database"])]))
        access = cls(tuple(greeting), found["scheme"] == "rediss", settings.store_connect_timeout_s)
        return access, Address(found["host"].strip("[]"), int(found["port"] or PORT)), bool(found["cluster"])


def packed(parts: Sequence[str | int | float]) -> bytes:
    """Return a command as it travels."""
    pieces = [b"*%d\r\n" % len(parts)]
    for part in parts:
        encoded = part.encode() if isinstance(part, str) else str(part).encode()
        pieces += (b"$%d\r\n" % len(encoded), encoded, b"\r\n")
    return b"".join(pieces)


class Server:
    """In one event loop."""

    def __init__(self, address: Address, access: Access, wall_clock: Callable[[], float] = time.time) -> None:
        self.address = address
        self.place = str(address)
        self.is_away = False
        """The last exchange did not come to its end."""
        self._access = access
        self._wall_clock = wall_clock
        self._used_at_unix_s = wall_clock()
        self._permits = asyncio.Semaphore(CONNECTIONS_MAX)
        self._idle: list[Connection] = []
        self._all: set[Connection] = set()
        self._is_retired = False

    async def exchange(self, payload: bytes, count: int, end_at_s: float) -> Exchange:
        """
        Send *payload* on one connection and return *count* replies, or those that came until *end_at_s*.

        Raises:   NotConnected: nothing was sent. Refusal: nor was it; the server does not know the login.
        """
        await self._enter(end_at_s)
        try:
            try:
                connection = self._awake() or await self._connect(end_at_s)
            except NotConnected:
                self.is_away = True
                raise
            try:
                exchange = await connection.exchange(payload, count, end_at_s)
            finally:
                if connection.is_open and not self._is_retired:
                    self._idle.append(connection)
                else:
                    self._give_up(connection)
        finally:
            self._permits.release()
        self.is_away = bool(exchange.lost)
        return exchange

    def drop_idle(self) -> None:
        """Close the connections that nobody uses."""
        while self._idle:
            self._give_up(self._idle.pop())

    def retire(self) -> None:
        """Close what is idle; what is under way ends, and its connection with it."""
        self._is_retired = True
        self.drop_idle()

    def abort(self) -> None:
        """Close every connection, whatever is under way."""
        for connection in self._all:
            connection.abort()
        self._all.clear()
        self._idle.clear()

    async def _enter(self, end_at_s: float) -> None:
        if not self._permits.locked():
            await self._permits.acquire()
            return
        try:
            async with asyncio.timeout_at(self._connect_until_s(end_at_s)):
                await self._permits.acquire()
        except TimeoutError:
            raise NotConnected(f"{CONNECTIONS_MAX} are in use", is_late=True) from None

    def _awake(self) -> Connection | None:
        """Return a connection that is there, None where there is none; all are given up after a pause."""
        now_unix_s = self._wall_clock()
        if now_unix_s - self._used_at_unix_s > IDLE_S:
            self.drop_idle()
        self._used_at_unix_s = now_unix_s
        while self._idle:
            if (connection := self._idle.pop()).is_open:
                return connection
            self._all.discard(connection)
        return None

    async def _connect(self, end_at_s: float) -> Connection:
        until_s = self._connect_until_s(end_at_s)
        try:
            async with asyncio.timeout_at(until_s):
                context = await asyncio.to_thread(tls_context) if self._access.is_tls else None
                _, connection = await asyncio.get_running_loop().create_connection(
                    Connection, self.address.host, self.address.port, ssl=context
                )
        except TimeoutError:
            raise NotConnected("it takes too long", is_late=True) from None
        except OSError as error:  # Of TLS as well.
            raise NotConnected(f"{type(error).__name__}: {error.strerror or error}") from error
        self._all.add(connection)
        try:
            await self._greet(connection, until_s)
        except BaseException:
            self._give_up(connection)
            raise
        return connection

    async def _greet(self, connection: Connection, until_s: float) -> None:
        greeting = self._access.greeting
        if not greeting:
            return
        replies, lost, _ = await connection.exchange(b"".join(greeting), len(greeting), until_s)
        for reply in replies:
            if isinstance(reply, Refusal):
                raise reply
        if lost:
            raise NotConnected(lost)

    def _connect_until_s(self, end_at_s: float) -> float:
        return min(end_at_s, asyncio.get_running_loop().time() + self._access.connect_timeout_s)

    def _give_up(self, connection: Connection) -> None:
        connection.abort()
        self._all.discard(connection)
